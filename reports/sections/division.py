"""The report's warning about random splits of timed ratings, and what another split says."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from scipy.stats import kendalltau

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import FoldFacts
from recbench.benchmarks.splits import has_cuts, order_in_time
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.rendering import (
    Block,
    Code,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section


@dataclass(frozen=True)
class TwoMeans:
    """A row with its mean under the main split and under the other one."""

    row: str
    main: float
    other: float
    bounds: Bounds | None  # the interval of the main one, if it is known


@section("Does the split matter?", place=45)
def division(results: Results) -> list[Block] | None:
    """A note where times are known but not respected; every cut in time, where there are several;
    with `--also-split`, every row's two places.

    None if there is nothing to note, one cut and no other split.
    """
    main = results.records[0].cell.split
    other = _other_split(results)
    blocks: list[Block] = []
    if ignores_times(results):
        blocks.append(_warn_of_future(main, hints_at_option=other is None))

    if has_cuts(main):
        blocks.append(_tabulate_cuts(results))
        for column in headline_columns(results):
            blocks.append(_tabulate_by_cut(results, column))

    if other is not None:
        blocks.append(_introduce_other(results, other))
        for column in headline_columns(results):
            blocks.append(_compare_places(results, column, main, other))

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
    return Table(
        f"{column} by cut",
        f"{column} at each cut and as a mean over them: one cut is one draw of a period.",
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


def _other_split(results: Results) -> str | None:
    """The split of `--also-split`; None if the run has only one."""
    for row in results.rows:
        if row.also:
            return row.also[0].cell.split
    return None


def _warn_of_future(main: str, *, hints_at_option: bool) -> Paragraph:
    words_of_warning = (
        "These ratings have times, and the split ",
        Code(main),
        " does not respect them: algorithms learn from ratings given after those they are tested "
        "on, so errors may be lower than they would be in use (Ji et al. 2023).",
    )
    if not hints_at_option:
        return Paragraph(words_of_warning)

    hint = (" ", Code("--also-split time"), " shows what remains when only the past is known.")
    return Paragraph(words_of_warning + hint)


def _introduce_other(results: Results, other: str) -> Paragraph:
    """How many rows have means with the other split, and what in its test part is cold."""
    n_means = 0
    for row in results.contestants:
        has_mean = any(row.elsewhere.mean(column) is not None for column in results.columns)
        n_means += has_mean

    n_rows = words.count(len(results.contestants), "row")
    verb = "has" if n_means == 1 else "have"
    return Paragraph(
        (
            f"Of {n_rows}, {n_means} {verb} means with the split ",
            Code(other),
            f" too. {_describe_cold_start(results)}".rstrip(),
        )
    )


def _describe_cold_start(results: Results) -> str:
    """How many users and items of the other split's test part have no training rating, if known."""
    for row in results.rows:
        for record in row.also:
            fold = record.fold
            if fold is not None and fold.cold_users is not None and fold.cold_items is not None:
                users = words.count(fold.cold_users, "user")
                items = words.count(fold.cold_items, "item")
                share = words.percent(fold.cold_ratings or 0, fold.test)
                return (
                    f"{share} of its test ratings belong to {users} and {items} without any "
                    "training rating."
                )
    return ""


def _compare_places(results: Results, column: str, main: str, other: str) -> Table:
    """The rows that have a mean under both splits, best first, with both ranks."""
    loss = find_metric(column).loss
    rows = _list_two_means(results, column)
    rows.sort(key=lambda row: loss(row.main))
    order_of_other = sorted(rows, key=lambda row: loss(row.other))

    lines = []
    for rank, row in enumerate(rows, start=1):
        other_rank = order_of_other.index(row) + 1
        main_text = words.number(row.main, row.bounds)
        texts = (main_text, words.number(row.other, row.bounds), str(rank), str(other_rank))
        lines.append(TableLine(RowName(row.row), tuple(TableCell(text) for text in texts)))

    return Table(
        f"{column} under both splits",
        f"{column}: {_describe_agreement(rows, column)}",
        (
            TableHead("row", "text"),
            TableHead(main),
            TableHead(other),
            TableHead(f"rank, {main}"),
            TableHead(f"rank, {other}"),
        ),
        tuple(lines),
        is_sortable=True,
    )


def _list_two_means(results: Results, column: str) -> list[TwoMeans]:
    """The rows that have a mean under both splits, in the report's order."""
    rows = []
    for row in results.contestants:
        main = row.mean(column)
        other = row.elsewhere.mean(column)
        if main is not None and other is not None:
            rows.append(TwoMeans(row.name, main, other, words.interval(results, row, column)))

    return rows


def _describe_agreement(rows: list[TwoMeans], column: str) -> str:
    """How far the two orders of the rows agree, in a sentence."""
    if len(rows) < 2:
        return "With fewer than two rows there is no order to compare."

    loss = find_metric(column).loss
    main_losses = [loss(row.main) for row in rows]
    other_losses = [loss(row.other) for row in rows]
    tau = kendalltau(main_losses, other_losses).statistic

    return (
        f"Kendall's tau between the two orders of rows: {tau:.2f} (1: the same, 0: unrelated, -1: "
        "reversed)."
    )
