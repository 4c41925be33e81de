"""The report's answer to whom the numbers hold for: groups of users, and groups of items."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from recbench.benchmarks.certainty import level_ties
from recbench.benchmarks.evaluation import RANKING_METRICS, Slice
from recbench.benchmarks.metrics import find_metric
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.answers import headline_columns, main_division
from recbench.reports.rendering import (
    AnyCell,
    Block,
    FailedCells,
    Heading,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.division import (
    describe_cold_starts,
    note_definitions,
    tabulate_cold_starts,
)
from recbench.reports.sections.registry import section

RECOMMENDED = "recommended"  # the column with each group's share of the recommendations
FALLBACK = "fallback"  # the column with the share of predictions that are the training mean

Kind = Literal["users", "items"]
KINDS: tuple[Kind, ...] = ("users", "items")
ONE_OF = {"users": "user", "items": "item"}
TELLING_GROUPS = {"users": "least active", "items": "head"}  # what the sentences are about

USERS_TRAINED_ON = "Users in three groups of about equal size by their number of training ratings"
USERS_OF_EARLY_RECORDS = (
    "All users of the data, tested or not, in three groups of about equal size by their number of "
    "ratings that are learned from or told"
)
USERS_ASKED = (
    "The users who are tested, in three groups of about equal size by how many of their ratings "
    "are told"
)
ITEMS = (
    "items in three groups, tail, middle and head, from the least to the most rated, with about a "
    "third of the training ratings each; users and items without training ratings are cold"
)
WHERE_USERS_ARE_NEW = (
    "What is told of users counts for them alone: an item without training ratings is cold here, "
    "and a user of whom something is told is not"
)
ONLY_WITH_RELEVANT = (
    "Ranking metrics are means over the users of a group who have a relevant test item"
)
FALLBACKS = (
    "A prediction counts as fallback if the algorithm gave none, so that the training mean took "
    "its place"
)


@dataclass(frozen=True)
class Group:
    """One group of users or items: the slices of all folds of every row that has all of them."""

    name: str
    slices_by_row: dict[str, list[Slice]]

    @property
    def folds(self) -> list[Slice]:
        """The slices of one row; what is said of the group itself is the same in all rows."""
        return next(iter(self.slices_by_row.values()))

    def mean(self, row: str, column: str) -> float | None:
        """The mean over all folds; None if the row has no slices or a fold has no value."""
        slices = self.slices_by_row.get(row, [])
        values = [part.value(column) for part in slices]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return None
        return statistics.fmean(known)

    @property
    def borders(self) -> str:
        """Such as `1 to 20 training ratings`; where folds differ, the widest range."""
        lowest = min(part.lowest for part in self.folds if part.lowest is not None)
        highest = max(part.highest for part in self.folds if part.highest is not None)
        kind = self.folds[0].counted
        if not highest:
            return f"no {kind} rating"
        if lowest < highest:
            return f"{lowest:,} to {highest:,} {kind} ratings"
        return words.count(lowest, f"{kind} rating")

    def describe_size(self, kind: Kind) -> str:
        """Such as `315 users, 4,668 test ratings a fold`, on average where folds differ."""
        sizes = [part.size for part in self.folds]
        test_counts = [part.n_test for part in self.folds]
        mean_size = round(statistics.fmean(sizes))
        mean_count = round(statistics.fmean(test_counts))

        members = words.count(mean_size, ONE_OF[kind])
        ratings = words.count(mean_count, "test rating")
        if len(set(sizes)) == 1 and len(set(test_counts)) == 1:
            return f"{members}, {ratings} a fold"
        return f"on average {members}, {ratings} a fold"


@dataclass(frozen=True)
class GroupBest:
    """The contestants with the best mean of a column for one group of users or items."""

    kind: Kind
    column: str
    group: str
    rows: list[str]
    value: float


def find_best_of_groups(results: Results) -> list[GroupBest]:
    """Who is best for each group in each column that `slices` tabulates as one to be good at.

    Columns in which these data name no best row are left out.
    """
    whole_rows = _list_whole_rows(results)
    contestants = [row for row in results.contestants if row in whole_rows]
    if not contestants:
        return []

    found = []
    for kind in KINDS:
        groups = _list_groups(whole_rows, kind)
        for column in _shown_columns(results, whole_rows, groups, kind):
            if column == RECOMMENDED or results.hidden_by(column):
                continue
            found += _find_best_of_column(contestants, groups, kind, column)
    return found


def _find_best_of_column(
    contestants: list[Row], groups: list[Group], kind: Kind, column: str
) -> list[GroupBest]:
    """The best rows of each group in which any has a mean."""
    highest = find_metric(column).better == "higher"
    found = []
    for group in groups:
        best = _find_extreme(contestants, partial(_mean_of_group, group, column), highest=highest)
        if best is not None:
            found.append(GroupBest(kind, column, group.name, *best))
    return found


def _mean_of_group(group: Group, column: str, row: Row) -> float | None:
    return group.mean(row.name, column)


@section("For whom?", place=50)
def slices(results: Results) -> list[Block] | None:
    """Users, then items: a sentence, and tables of the headline error and ranking, rows by groups.

    None if no row has all its folds with slices.
    """
    whole_rows = _list_whole_rows(results)
    if not whole_rows:
        return None

    blocks: list[Block] = [Paragraph(_explain_groups(results, whole_rows[0]))]
    blocks += _part_cold_starts(results)
    shown_columns: set[str] = set()
    for kind in KINDS:
        groups = _list_groups(whole_rows, kind)
        columns = _shown_columns(results, whole_rows, groups, kind)
        blocks += _describe_kind(results, kind, groups, columns)
        shown_columns |= set(columns)

    # The report defines its own columns elsewhere; slices may have others.
    for column in sorted(shown_columns - {RECOMMENDED, *results.columns}):
        blocks.append(Note(f"{words.field_name(column)}: {find_metric(column).definition}"))
    return blocks


def _list_whole_rows(results: Results) -> list[Row]:
    """The rows that have all their folds, and slices of each."""
    whole_rows = []
    for row in results.rows:
        if not row.failures and all(record.slices for record in row.records):
            whole_rows.append(row)
    return whole_rows


def _explain_groups(results: Results, row: Row) -> str:
    """Who is in which group, and what the numbers are; as the records of `row` say."""
    users = USERS_TRAINED_ON
    if any(part.counted == "told" for part in row.records[0].slices):
        users = USERS_ASKED
    elif results.asks_new_users:
        users = USERS_OF_EARLY_RECORDS
    averaged = words.over_folds(results, ". Means over the folds")
    sentences = [f"{users}; {ITEMS}{averaged}", FALLBACKS, ONLY_WITH_RELEVANT]
    if users == USERS_ASKED:
        sentences.insert(1, WHERE_USERS_ARE_NEW)
    return "".join(f"{sentence}. " for sentence in sentences).rstrip()


def _part_cold_starts(results: Results) -> list[Block]:
    """Warm and cold apart under the split of the run, if enough of its test part is cold."""
    division = main_division(results)
    if not division.has_cold_starts:
        return describe_cold_starts(division)

    blocks: list[Block] = [Heading("Warm and cold"), *describe_cold_starts(division)]
    for column in headline_columns(results):
        table = tabulate_cold_starts(division, column)
        if table is not None:
            blocks += [table, *note_definitions(division, column)]
    return blocks


def _describe_kind(
    results: Results, kind: Kind, groups: list[Group], columns: list[str]
) -> list[Block]:
    """What is said and shown of users, or of items."""
    blocks: list[Block] = [Heading(kind.capitalize())]
    if kind == "users":
        sentences = [_compare_on_least_active(results, groups, column) for column in columns]
    else:
        sentences = [_compare_on_head(results, groups, columns)]

    blocks += [Paragraph(sentence) for sentence in sentences if sentence]

    blocks += [_tabulate_column(results, kind, groups, column) for column in columns]
    return blocks


def _list_groups(whole_rows: list[Row], kind: Kind) -> list[Group]:
    """The groups that are not empty in every fold, in the records' order."""
    first_slices = whole_rows[0].records[0].slices
    groups = []
    for name in [part.group for part in first_slices if part.kind == kind]:
        by_row = {row.name: _select_slices(row, kind, name) for row in whole_rows}
        group = Group(name, by_row)
        if any(part.size for part in group.folds):
            groups.append(group)

    return groups


def _select_slices(row: Row, kind: Kind, group: str) -> list[Slice]:
    """What the row's folds noted of one group, in the order of the folds."""
    return [
        part
        for record in row.records
        for part in record.slices
        if part.kind == kind and part.group == group
    ]


def _headline_columns(results: Results) -> tuple[str, str]:
    """The headline error and the headline ranking metric, or what slices have in their place."""
    error = results.first_error()
    if error not in ("rmse", "mae"):
        error = "rmse"

    cutoff = results.about.protocol["ks"][0]
    known = [f"{name}@{cutoff}" for name in RANKING_METRICS]
    ranking = results.first_ranking()
    if ranking not in known:
        ranking = known[-1]
    return error, ranking


def _shown_columns(
    results: Results, whole_rows: list[Row], groups: list[Group], kind: Kind
) -> list[str]:
    """The columns of a kind's tables: the error and a second one, as far as any row has a mean."""
    error, ranking = _headline_columns(results)
    second = ranking if kind == "users" else RECOMMENDED
    return [
        column
        for column in (error, second)
        if any(group.mean(row.name, column) is not None for row in whole_rows for group in groups)
    ]


def _tabulate_column(results: Results, kind: Kind, groups: list[Group], column: str) -> Table:
    """All rows against the groups in one column."""
    error, ranking = _headline_columns(results)
    title = words.field_name(column)
    if column == RECOMMENDED:
        cutoff = ranking.rpartition("@")[2]
        title = f"share of the top-{cutoff} recommendations"

    heads = [TableHead("row", "text")]
    for group in groups:
        small = (group.borders, group.describe_size(kind))
        heads.append(TableHead(group.name, small=small))

    label = f"{title} by groups of {kind}"
    lines = [
        TableLine(
            RowName(row.name),
            _compare_groups(
                row,
                groups,
                column,
                words.interval(results, row, column),
                shows_fallback=column == error,
            ),
        )
        for row in results.rows
    ]
    return Table(label, label, tuple(heads), tuple(lines))


def _compare_groups(
    row: Row, groups: list[Group], column: str, bounds: Bounds | None, *, shows_fallback: bool
) -> tuple[AnyCell, ...]:
    """A row's mean in each group; or why it has none, across all groups."""
    failure = row.failure
    if not failure and not any(row.name in group.slices_by_row for group in groups):
        failure = "not recorded"
    if failure:
        return (FailedCells(failure, len(groups)),)
    return tuple(
        _mean_cell(row, group, column, bounds, shows_fallback=shows_fallback) for group in groups
    )


def _mean_cell(
    row: Row, group: Group, column: str, bounds: Bounds | None, *, shows_fallback: bool
) -> TableCell:
    """A mean and, below an error, which share of the predictions is the training mean."""
    value = group.mean(row.name, column)
    if value is None:
        return TableCell(words.NONE)

    text = f"{value:.1%}" if column == RECOMMENDED else words.number(value, bounds)
    fallback = group.mean(row.name, FALLBACK)
    if shows_fallback and fallback:
        return TableCell(text, f"{fallback:.1%} fallback")
    return TableCell(text)


def _find_extreme(
    rows: Sequence[Row], measure: Callable[[Row], float | None], *, highest: bool
) -> tuple[list[str], float] | None:
    """The names of the rows with the highest or lowest value, and the value.

    None if none has one.
    """
    value_by_row: dict[str, float] = {}
    for row in rows:
        value = measure(row)
        if value is not None:
            value_by_row[row.name] = value

    if not value_by_row:
        return None

    sign = -1 if highest else 1
    losses = level_ties([sign * value for value in value_by_row.values()])
    names = [name for name, loss in zip(value_by_row, losses, strict=True) if loss == losses.min()]
    return names, value_by_row[names[0]]


def _telling_group(groups: Iterable[Group], kind: Kind) -> Group | None:
    return next((group for group in groups if group.name == TELLING_GROUPS[kind]), None)


def _compare_on_least_active(results: Results, groups: list[Group], column: str) -> str:
    """Who is best for the least active users, and whether that is who is best over all.

    Empty if there is no such group or no mean.
    """
    group = _telling_group(groups, "users")
    if group is None or results.hidden_by(column):
        return ""

    highest = find_metric(column).better == "higher"
    best = _find_extreme(
        results.contestants, lambda row: group.mean(row.name, column), highest=highest
    )
    if best is None:
        return ""

    names, value = best
    where = f"for the {group.name} users ({group.borders})"
    n_known = sum(group.mean(row.name, column) is not None for row in results.contestants)
    if n_known == 1:
        return f"{names[0]} has a mean {words.field_name(column)} of {words.number(value)} {where}."

    extreme = "Highest" if highest else "Lowest"
    shown = words.field_name(column)
    sentence = f"{extreme} mean {shown} {where}: {words.listed(names)} ({words.number(value)})"
    best_overall = [row.name for row in results.best(column)]
    if not best_overall or best_overall == names:
        return f"{sentence}{', the same as over all users' if best_overall else ''}."
    own = ""
    if len(best_overall) == 1 and group.mean(best_overall[0], column) is not None:
        own = f" ({words.number(group.mean(best_overall[0], column))} for these)"
    return (
        f"{sentence}; over all users: {words.listed(best_overall)}{own}. Whether that is chance is "
        "not tested."
    )


def _compare_on_head(results: Results, groups: list[Group], columns: list[str]) -> str:
    """Who recommends the most popular items most, and who least; empty if that is not known."""
    head = _telling_group(groups, "items")
    if head is None or RECOMMENDED not in columns:
        return ""

    def share_of_head(row: Row) -> float | None:
        return head.mean(row.name, RECOMMENDED)

    most = _find_extreme(results.contestants, share_of_head, highest=True)
    least = _find_extreme(results.contestants, share_of_head, highest=False)
    if most is None or least is None:
        return ""

    head_size = statistics.fmean(part.size for part in head.folds)
    sentence = (
        f"The head, the most rated items, is {words.percent(head_size, results.about.data.items)} "
        "of the catalogue. Its share of the recommended items is "
    )
    if most[1] == least[1]:
        return f"{sentence}{most[1]:.1%} in the lists of {words.listed(most[0])}."
    return (
        f"{sentence}highest in the lists of {words.listed(most[0])} ({most[1]:.1%}) and lowest in "
        f"those of {words.listed(least[0])} ({least[1]:.1%})."
    )
