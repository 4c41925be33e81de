"""The report's answer to how sure its differences are, and what varies with split and start."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from recbench.benchmarks.certainty import LEVEL, longest_alike_groups
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import Record
from recbench.benchmarks.splits import is_seeded
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    Box,
    Picture,
    difference_matrix,
    draw_boxes,
    draw_matrix,
    draw_ranks,
)
from recbench.reports.rendering import (
    Block,
    Details,
    Figure,
    Heading,
    MatrixTable,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Certainty, Results, Row
from recbench.reports.sections.registry import section, title_figure

MOST_BOXES = 10  # rows whose users are drawn

METHOD = (
    "Users are resampled with replacement 4,000 times (a cluster bootstrap): a user's ratings stay "
    "together, and all rows and folds share the draws. The 95 % interval of a row's mean is a BCa "
    "interval (Efron 1987), corrected for bias and skewness and widened for few users (Hesterberg "
    "2015). What is said here of differences between rows comes from one test of all pairs at once "
    "(max-T, Westfall & Young 1993), which also allows for the best row being chosen on the same "
    "data. p is below 0.05 exactly where the adjusted 95 % interval of the difference leaves out "
    "0; the smallest p that 4,000 draws allow is 0.0002. Intervals of two means may overlap "
    "although the difference is significant, because both rows are judged on the same users. d is "
    "Cohen's d of the differences per user. It weighs each user alike, and an error weighs each "
    "rating alike, so the two may differ in sign. All this is conditional on the folds and the "
    "fitted models. Another initialisation moves means too; no interval here covers that, and it "
    "alone can make small differences look significant. The option --repeats measures by how much."
)


@section("Which differences are significant?", place=40)
def certainty(results: Results) -> list[Block]:
    """For the headline columns: which rows differ, all pairs, ranks, each row against the best."""
    columns = headline_columns(results)
    known = [column for column in columns if column in results.certainty]

    blocks: list[Block] = [Paragraph(METHOD)]
    for column in known:
        blocks += _describe_column(results, column)

    hidden = [column for column in results.columns if results.hidden_by(column)]
    if hidden:
        reasons = "; ".join(dict.fromkeys(results.hidden_by(column) for column in hidden))
        names = words.listed(map(words.field_name, hidden))
        blocks.append(Paragraph(f"These data cannot tell rows apart by {names}: {reasons}."))
    elif not columns:
        blocks.append(
            Paragraph(
                "Neither an error nor a ranking metric, of which this could be said, is among the "
                "columns shown."
            )
        )

    for column in columns:
        if column not in known:
            why = results.unknown(column)
            blocks.append(
                Paragraph(f"{words.field_name(column)} has no intervals and no tests: {why}.")
            )

    return blocks + _describe_variances(results)


def _describe_column(results: Results, column: str) -> list[Block]:
    """What is known of the differences in one column, whose bootstrap is there."""
    found = results.certainty[column]
    blocks: list[Block] = [Heading(words.field_name(column)), Paragraph(describe_pairs(found))]

    absent = [
        row.name
        for row in results.contestants
        if row not in found.rows and row.mean(column) is not None
    ]
    if absent:
        left_out = words.listed(absent)
        blocks.append(Paragraph(f"Left out here, because raw answers are missing: {left_out}."))

    if len(found.rows) > 1:
        blocks += _draw_pairs(results, found, column)

    blocks.append(_tabulate_rows(found, column))
    blocks += _draw_users(results, found, column)
    return blocks


def _draw_users(results: Results, found: Certainty, column: str) -> list[Block]:
    """Box plots of the users' own numbers, of the best rows; nothing if no user has one."""
    boot = found.bootstrap
    boxes = []
    is_mean_of_users = True
    for index in found.order[:MOST_BOXES]:
        users = boot.metric.finish(boot.per_user[index])
        if not np.isnan(users).all():
            value = float(boot.values[index])
            boxes.append(Box.of(found.rows[index].name, users, value))
            is_mean_of_users &= bool(np.isclose(np.nanmean(users), value, atol=1e-9))
    if not boxes:
        return []

    name = words.field_name(column)
    dot, explained = _describe_dot(column, name, is_mean_of_users=is_mean_of_users)
    extent = "all rows" if len(boxes) == len(found.rows) else f"best {len(boxes)} rows"
    title = title_figure(results, f"Users' own {name}, {extent}")
    picture = Picture(
        f"users-{words.slug(column)}",
        f"Box plots. {title}. The table below has the same numbers.",
        lambda: draw_boxes(boxes, f"{name} of a user, over all folds; dot: {dot}", title),
    )
    caption = (
        "The metric of each single user: the box is the middle half of the users, its line the "
        f"median; the whiskers span the middle 90 %; the dot is {explained}. Rows are compared "
        "user by user, because users usually differ more than rows do."
    )
    return [
        Figure(picture, caption),
        Details("The boxes in numbers", (_tabulate_boxes(boxes, name),)),
    ]


def _describe_dot(column: str, name: str, *, is_mean_of_users: bool) -> tuple[str, str]:
    """What the dot beside a box is, in a few words for the axis and in more for the caption."""
    if is_mean_of_users:
        return "their mean", "the mean of the users"
    if find_metric(column).kind == "rating":
        return (
            "over all ratings",
            f"the row's {name} over all ratings of a fold, as in the tables, and no mean of the "
            "users: who has rated more weighs more in it",
        )
    return (
        "mean over the folds",
        "the row's mean over the folds, as in the tables: a user counts in each fold that has a "
        "value of it",
    )


def _tabulate_boxes(boxes: Sequence[Box], name: str) -> Table:
    shares = ("5 %", "25 %", "median", "75 %", "95 %")
    lines = []
    for box in boxes:
        cells = tuple(TableCell(words.number(value)) for value in box.quantiles)
        lines.append(TableLine(RowName(box.row), cells))
    caption = f"Percentiles of {name} over single users"
    heads = (TableHead("row", "text"), *(TableHead(share) for share in shares))
    return Table(f"{name} of single users", caption, heads, tuple(lines))


def _draw_pairs(results: Results, found: Certainty, column: str) -> list[Block]:
    """The matrix of differences between at least two rows, and the ranks with their intervals."""
    name = words.field_name(column)
    matrix = difference_matrix(found, column)
    n_shown = len(matrix.names)
    n_rows = len(found.rows)
    extent = "all rows" if n_shown == n_rows else f"best {n_shown} of {n_rows} rows"

    title = title_figure(results, f"Differences in {name}, {extent}")
    picture = Picture(
        f"differences-{words.slug(column)}",
        f"Matrix of differences. {title}. {describe_pairs(found)}",
        lambda: draw_matrix(matrix, title),
    )
    subject = f"{name} of the row minus that of the column"
    if n_shown < n_rows:
        subject += f", the {extent}"

    caption = (
        f"{subject}, each pair once, the best row first. Coloured: the row is significantly "
        "better. ≈ and no colour: the two are not significantly different."
    )

    ranks_title = title_figure(results, f"Ranks by {name}")
    ranks = Picture(
        f"ranks-{words.slug(column)}",
        f"Rank intervals. {ranks_title}. The table has the same numbers.",
        lambda: draw_ranks(found, ranks_title),
    )
    ranks_caption = f"Rank by {name}, and the range that holds it in 95 % of the bootstrap draws."

    return [
        MatrixTable(matrix, picture, caption, tips="its 95 % interval"),
        Figure(ranks, ranks_caption),
    ]


def _tabulate_rows(found: Certainty, column: str) -> Table:
    heads = (
        "mean",
        "95 % interval",
        "rank",
        "first in draws",
        "difference from the best",
        "p",
        "d",
        "not significantly worse",
    )
    rising = ["first in draws"]
    if find_metric(column).better == "higher":
        rising += ["mean", "95 % interval", "difference from the best"]
    name = words.field_name(column)
    return Table(
        f"Certainty of {name}",
        f"{name}: rows from best to worst; first in draws: the share of bootstrap draws in which "
        "the row is best",
        (
            TableHead("row", "text"),
            *(TableHead(head, higher_is_better=head in rising) for head in heads),
        ),
        tuple(_compare_with_best(found, index) for index in found.order),
        is_sortable=True,
    )


def _compare_with_best(found: Certainty, index: int) -> TableLine:
    """One row: its value and interval, and how it stands to the best, which has no difference."""
    boot = found.bootstrap
    difference = words.NONE
    p = words.NONE
    effect = words.NONE

    # The best row has nothing to be compared with.
    if index != boot.best_row:
        value, low, high = boot.difference(index, boot.best_row)
        bounds = (low, high)
        interval = f"{words.signed(low, bounds)} to {words.signed(high, bounds)}"
        difference = f"{words.signed(value, bounds)} ({interval})"
        p = words.chance(boot.p_values_against_best[index])
        effect = words.effect(boot.effect_size(index, boot.best_row))

    value_of_row = float(boot.values[index])
    bounds_of_row = boot.interval(index)
    texts = (
        words.number(value_of_row, bounds_of_row),
        words.between(bounds_of_row),
        words.span(boot.rank_interval(index)),
        f"{boot.chance_of_first[index]:.1%}",
        difference,
        p,
        effect,
        "yes" if index in boot.tied_with_best else "no",
    )
    name = found.rows[index].name
    return TableLine(RowName(name), tuple(TableCell(text) for text in texts))


def describe_pairs(found: Certainty) -> str:
    """How many pairs, and which neighbours in the table, are not significantly different."""
    order = found.order
    if len(order) < 2:
        return f"Nothing is there to compare {found.rows[0].name} with."

    is_alike = found.bootstrap.pairwise_p_values >= LEVEL
    pairs = list(itertools.combinations(order, 2))
    n_alike = sum(bool(is_alike[one, other]) for one, other in pairs)
    if not n_alike:
        return "Every row is significantly different from every other."

    n_pairs = words.count(len(pairs), "pair")
    verb = "is" if n_alike == 1 else "are"
    counted = f"Of {n_pairs} of rows, {n_alike:,} {verb} not significantly different."
    groups = longest_alike_groups(is_alike[np.ix_(order, order)])
    if not groups:
        return f"{counted} Every row is significantly different from its neighbours in rank."

    listed_groups = []
    for first, last in groups:
        members = order[first : last + 1]
        listed_groups.append(words.listed(found.rows[index].name for index in members))

    return (
        f"{counted} Neighbours in rank without any significant difference between them: "
        f"{'; '.join(listed_groups)}."
    )


def _describe_variances(results: Results) -> list[Block]:
    """With `--repeats`: how much means vary with the division and with the start; else nothing."""
    lines = []
    for row in results.rows:
        known = [name for name in headline_columns(results) if row.mean(name) is not None]
        if row.initialisations and known:
            line = _compare_variances(row, known[0])
            if line is not None:
                lines.append(line)

    if not lines:
        return []

    table = Table(
        "Variance of divisions and initialisations",
        "Standard deviation of the mean over folds (how many means): over divisions with the same "
        "initialisation, and over initialisations on the same division",
        (
            TableHead("row", "text"),
            TableHead("metric", "text"),
            TableHead("over divisions"),
            TableHead("over initialisations"),
        ),
        tuple(lines),
    )
    return [Heading("What varies with the division, and what with the start?"), table]


def _compare_variances(row: Row, column: str) -> TableLine | None:
    """The deviations of a row's mean over divisions and over starts.

    None if a fold has no value.
    """
    first_seed = row.records[0].cell.split_seed
    first_division = [record for record in row.records if record.cell.split_seed == first_seed]
    by_division = _mean_by_seed(row.records, column, "split_seed")
    by_start = _mean_by_seed((*first_division, *row.initialisations), column, "seed")
    if not by_division or not by_start:
        return None

    over_divisions = "the split has no other division"
    if is_seeded(row.records[0].cell.split):
        over_divisions = _deviation_text(by_division)

    texts = (words.field_name(column), over_divisions, _deviation_text(by_start))
    return TableLine(RowName(row.name), tuple(TableCell(text) for text in texts))


def _deviation_text(means: list[float]) -> str:
    """The standard deviation of the means, and how many these are; one alone has none."""
    if len(means) == 1:
        return f"{words.NONE} (1)"
    return f"{words.number(statistics.stdev(means))} ({len(means)})"


def _mean_by_seed(
    records: Iterable[Record], column: str, seed: Literal["split_seed", "seed"]
) -> list[float]:
    """The mean over folds for each value of that seed of the cells.

    Empty if a fold has no value.
    """
    values_by_seed: dict[int, list[float]] = {}
    for record in records:
        value = record.metrics.get(column)
        if value is None:
            return []
        values_by_seed.setdefault(getattr(record.cell, seed), []).append(value)

    return [statistics.fmean(values) for values in values_by_seed.values()]
