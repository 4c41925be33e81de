"""The report's warning about random splits of timed ratings, and what another split says.

Cold starts are why two splits may disagree and no algorithm is to blame: so warm and cold stand
apart in every table of another split.
"""

import statistics
from collections.abc import Iterator
from datetime import UTC, datetime

from recbench.benchmarks.metrics import Population, find_metric
from recbench.benchmarks.records import FoldFacts
from recbench.benchmarks.splits import has_cuts, order_in_time
from recbench.reports import words
from recbench.reports.answers import (
    Division,
    OrderComparison,
    TwoMeans,
    compare_splits,
    describe_disagreement,
    headline_columns,
    main_division,
    other_division,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Code,
    MissingCell,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section

# The column of means in which cold-start users get the bench's own list.
FALLBACK_HEAD = "popular items for cold users"


@section("Does the split matter?", place=45)
def division(results: Results) -> list[Block] | None:
    """A note where times are known but not respected; every cut in time, where there are several;
    with `--also-split`, every row's two places.

    None if there is nothing to note, one cut and no other split.
    """
    main = main_division(results)
    other = other_division(results)
    blocks: list[Block] = []
    if ignores_times(results):
        hint = words.split_by_time(results) if other is None else ""
        blocks.append(_warn_of_future(main.split, hint))

    if has_cuts(main.split):
        blocks.append(_tabulate_cuts(results))
        for column in headline_columns(results):
            blocks.append(_tabulate_by_cut(results, column))

    if other is not None:
        blocks.append(_introduce_other(results, other))
        blocks += describe_cold_starts(other)
        for comparison in compare_splits(results):
            blocks += [Paragraph(text) for text in describe_disagreement(comparison)]
            blocks.append(tabulate_two_splits(comparison))
            blocks += note_definitions(other, comparison.column)

    return blocks or None


def _tabulate_cuts(results: Results) -> Table:
    """When the test part of each cut begins, and how much of it is warm."""
    lines = []
    for fold, facts in sorted(_find_cuts(results).items()):
        begins = datetime.fromtimestamp(facts.begins or 0, UTC).date().isoformat()
        n_cold = facts.cold_ratings or 0
        texts = (
            f"{facts.train:,}",
            f"{facts.test:,}",
            f"{facts.test - n_cold:,}",
            f"{n_cold:,}",
            f"{facts.cold_users or 0:,}",
            f"{facts.cold_items or 0:,}",
        )
        name = f"cut {fold + 1}, from {begins}"
        lines.append(TableLine(RowName(name), tuple(TableCell(text) for text in texts)))

    return Table(
        "Cuts in time",
        "Every cut is a fold: what comes before it is learned from, all of it or the days of the "
        "window, and what comes from it until the next cut is tested. A test rating is cold if its "
        "user or its item has no training rating, and warm otherwise.",
        (
            TableHead("cut", "text"),
            TableHead("training ratings"),
            TableHead("test ratings"),
            TableHead("warm"),
            TableHead("cold"),
            TableHead("cold-start users"),
            TableHead("cold-start items"),
        ),
        tuple(lines),
    )


def _find_cuts(results: Results) -> dict[int, FoldFacts]:
    """What is known of the folds, by number; of a row that has got so far."""
    return {
        record.cell.fold: record.fold
        for row in results.rows
        for record in row.records
        if record.fold is not None and record.fold.begins is not None
    }


def _tabulate_by_cut(results: Results, column: str) -> Table:
    """The rows with a value in every cut: each of them and their mean, best mean first."""
    metric = find_metric(column)
    rows = sorted(_list_by_cut(results, column), key=lambda row: metric.loss(row[1]))
    n_cuts = results.records[0].cell.n_folds
    lines = []
    for name, mean, values in rows:
        cells = [TableCell(words.number(value)) for value in (*values, mean)]
        lines.append(TableLine(RowName(name), tuple(cells)))

    heads = [TableHead(f"cut {cut + 1}") for cut in range(n_cuts)]
    name = words.field_name(column)
    return Table(
        f"{name} by cut",
        f"{name} at each cut and as a mean over them: one cut is one draw of a period.",
        (TableHead("row", "text"), *heads, TableHead("mean")),
        tuple(lines),
        is_sortable=True,
    )


def _list_by_cut(results: Results, column: str) -> Iterator[tuple[str, float, list[float]]]:
    """The name of each row, its mean and its values in the order of the cuts."""
    for row in results.contestants:
        values = [value for value in row.values(column) if value is not None]
        if len(values) == row.records[0].cell.n_folds and not row.failures:
            yield row.name, statistics.fmean(values), values


def ignores_times(results: Results) -> bool:
    """Whether the ratings have times that differ and the main split is random all the same."""
    is_timed = results.about.data.timed and not results.has_blind_spot("all times are equal")
    return is_timed and order_in_time(results.records[0].cell.split) == "none"


def describe_cold_starts(division: Division) -> list[Block]:
    """What of a split's test part is cold, and what the columns about it mean; nothing in early
    records.
    """
    ratings = division.ratings
    users = division.ranked_users
    if not ratings.n_all:
        return []

    folds = "over all folds, " if division.n_folds > 1 else ""
    text = (
        f": {folds}{_share_of(ratings.n_cold, ratings.n_all, 'test rating')} are cold: their user "
        "or item has no training rating. All others are warm."
    )
    if not division.has_cold_starts:
        text += " So few hardly change a mean."
        if not ratings.n_cold:
            text = ": no test rating is cold. The user and the item of each have training ratings."
        return [Paragraph(("Split ", Code(division.split), text))]

    if users.n_cold:
        text += (
            f" Of the users that get a list {_share_of(users.n_cold, users.n_all, 'user')} are "
            f"cold. In the column {FALLBACK_HEAD!r} these get the items with the most training "
            "ratings in place of the row's own list, and all others the row's own."
        )
    return [Paragraph(("Split ", Code(division.split), text))]


def _share_of(part: int, whole: int, one: str) -> str:
    """Such as `86.0% (17,200 of 20,000 ratings)`."""
    return f"{words.percent(part, whole)} ({part:,} of {words.count(whole, one)})"


def tabulate_cold_starts(division: Division, column: str) -> Table | None:
    """A row's mean over all, over warm and over cold, under one split; None without cold starts."""
    populations = division.populations(column)
    if not division.has_cold_starts or not populations:
        return None

    lines = []
    for row in division.rows:
        if row.mean(column) is None:
            continue
        cells = [_mean_cell(division, row, column), *_cells_of_populations(division, row, column)]
        lines.append(TableLine(RowName(row.name), tuple(cells)))

    members = "ratings" if find_metric(column).kind == "rating" else "users"
    heads = (
        TableHead("row", "text"),
        TableHead(f"all {members}", small=(_count_part(division, column, "all"),)),
        *_heads_of_populations(division, column),
    )
    name = words.field_name(column)
    caption = f"{name} of warm and cold apart, split {division.split}; small: 95 % intervals"
    return Table(f"{name}, warm and cold", caption, heads, tuple(lines), is_sortable=True)


def _warn_of_future(main: str, split_by_time: str) -> Paragraph:
    """That the future is trained on, and which other split to lay beside it, if any is named."""
    words_of_warning = (
        "These ratings have times, and the split ",
        Code(main),
        " does not use them: algorithms learn from ratings given after those they are tested "
        "on, so errors may be lower than they would be in use (Ji et al. 2023).",
    )
    if not split_by_time:
        return Paragraph(words_of_warning)

    option = Code(f"--also-split {split_by_time}")
    hint = (" ", option, " adds a split in which only the past is known.")
    return Paragraph(words_of_warning + hint)


def _introduce_other(results: Results, other: Division) -> Paragraph:
    """How many rows have means with the other split, too."""
    n_means = 0
    for row in other.rows:
        n_means += any(row.mean(column) is not None for column in results.columns)

    n_rows = words.count(len(results.contestants), "row")
    verb = "has" if n_means == 1 else "have"
    return Paragraph(
        (
            f"Of {n_rows}, {n_means} {verb} means with the split ",
            Code(other.split),
            " too. Below a mean stands its 95 % interval over users.",
        )
    )


def tabulate_two_splits(comparison: OrderComparison) -> Table:
    """The rows that have a mean under both splits, best first, with their ranks."""
    main = comparison.main
    other = comparison.other
    column = comparison.column
    is_apart = other.has_cold_starts and bool(other.populations(column))

    lines = []
    for row in comparison.rows:
        cells: list[AnyCell] = [
            _mean_cell(main, row.main, column),
            _mean_cell(other, row.other, column),
        ]
        if is_apart:
            cells += _cells_of_populations(other, row.other, column)
        cells += [TableCell(str(rank)) for rank in _list_ranks(comparison, row)]
        lines.append(TableLine(RowName(row.name), tuple(cells)))

    heads = [TableHead("row", "text"), TableHead(main.split), TableHead(other.split)]
    if is_apart:
        heads += _heads_of_populations(other, column)
    heads += [TableHead(f"rank, {main.split}"), TableHead(f"rank, {other.split}")]
    if comparison.warm_column is not None:
        heads.append(TableHead(f"rank, {other.split}, warm"))

    name = words.field_name(column)
    return Table(
        f"{name} under both splits",
        f"{name}: {_describe_agreement(comparison)}",
        tuple(heads),
        tuple(lines),
        is_sortable=True,
    )


def _list_ranks(comparison: OrderComparison, row: TwoMeans) -> list[int]:
    """A row's ranks under both splits, and among the warm of the other, if there are cold ones."""
    ranks = [comparison.rank_in_main(row), comparison.rank_in_other(row)]
    warm_rank = comparison.rank_in_warm(row)
    if warm_rank is not None:
        ranks.append(warm_rank)
    return ranks


def _mean_cell(division: Division, row: Row, column: str) -> AnyCell:
    """A mean with its interval below; or why there is none."""
    mean = row.mean(column)
    if mean is None:
        return MissingCell(row.missing(column))
    bounds = division.interval(row, column)
    return TableCell(words.number(mean, bounds), words.between(bounds), sort_value=mean)


def _heads_of_populations(division: Division, column: str) -> list[TableHead]:
    """The heads of the columns of `_cells_of_populations`."""
    heads = []
    for population in division.populations(column):
        count = _count_part(division, column, population)
        heads.append(TableHead(_name_population(population, column), small=(count,)))
    if _shows_abstention(column):
        heads.append(TableHead("training mean", small=("share of the predictions",)))
    return heads


def _cells_of_populations(division: Division, row: Row, column: str) -> list[AnyCell]:
    """A row's means over warm and over cold, then what the bench answered in its place.

    Of a ranking that is the mean with popular items for cold-start users, of an error the share of
    predictions that are the training mean, since the algorithm had none.
    """
    cells = []
    for limited in division.populations(column).values():
        cells.append(_mean_cell(division, row, limited))
    if _shows_abstention(column):
        coverage = row.mean("coverage")
        share = TableCell(words.NONE) if coverage is None else TableCell(f"{1 - coverage:.1%}")
        cells.append(share)
    return cells


def _shows_abstention(column: str) -> bool:
    return find_metric(column).kind == "rating"


def _name_population(population: Population, column: str) -> str:
    """The head of a column."""
    if population == "fallback":
        return FALLBACK_HEAD
    members = "ratings" if find_metric(column).kind == "rating" else "users"
    return f"{population} {members}"


def _count_part(division: Division, column: str, population: Population) -> str:
    """How many of the ratings or users a column is about, all folds together."""
    part = division.part_of(column)
    match population:
        case "all":
            return f"{part.n_all:,}"
        case "warm":
            return f"{part.n_warm:,} of {part.n_all:,}"
        case "cold":
            return f"{part.n_cold:,} of {part.n_all:,}"
        case "fallback":
            return f"for {part.n_cold:,} of {part.n_all:,}"


def _describe_agreement(comparison: OrderComparison) -> str:
    """How far the two orders of the rows agree, in a sentence."""
    if comparison.tau is None:
        return "With fewer than two different rows there is no order to compare."

    agreement = (
        f"Kendall's tau between the two orders of rows: {comparison.tau:.2f} (1: the same, 0: "
        "unrelated, -1: reversed)"
    )
    if comparison.warm_tau is None:
        return f"{agreement}."
    return f"{agreement}; to the order over warm ones {comparison.warm_tau:.2f}."


def note_definitions(division: Division, column: str) -> list[Block]:
    """The definitions of the populations of a column, as far as they are shown."""
    if not division.has_cold_starts:
        return []
    return [
        Note(f"{words.field_name(name)}: {find_metric(name).definition}")
        for name in division.populations(column).values()
    ]
