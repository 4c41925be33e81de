"""The report's answer to what a filter does: to the data, to the numbers, to the order of rows."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import kendalltau

from recbench.benchmarks.certainty import level_ties
from recbench.benchmarks.metrics import column_of, find_metric
from recbench.benchmarks.records import Record
from recbench.benchmarks.splits import filter_of_split
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Bullets,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section

FEWEST_ROWS = 2  # that an order needs


@dataclass(frozen=True)
class Filter:
    """A filter: more than so many ratings of an item, and of a user."""

    items: int
    users: int

    @property
    def name(self) -> str:
        """As it is typed; "none" for the one that keeps everything."""
        return f"{self.items}/{self.users}" if self.items or self.users else "none"


UNFILTERED = Filter(items=0, users=0)


@dataclass(frozen=True)
class MeansBehindFilter:
    """A row trained behind a filter: its means on what that keeps, on what it drops, and on all.

    None where there is none, such as that of a ranker in an error.
    """

    row: str
    kept: float | None
    dropped: float | None
    everything: float | None


@section("What does a filter do?", place=48)
def filters(results: Results) -> list[Block] | None:
    """What each filter keeps, every row's means on what is kept and dropped, and how the order of
    the rows changes.

    None if no row was trained behind a filter.
    """
    all_filters = _list_filters(results)
    if not all_filters:
        return None

    blocks: list[Block] = [Paragraph(_explain_filters()), _tabulate_sizes(results, all_filters)]
    for column in headline_columns(results):
        if column_of("warm", column) is None:
            continue
        means = {each: _list_means(results, each, column) for each in all_filters}
        blocks.append(Bullets(tuple(_describe_effects(means, column))))
        blocks.append(_tabulate_means(means, column))
    return blocks


def _explain_filters() -> str:
    return (
        "Every row was trained on what each filter keeps of one training part, and tested on "
        "the same ratings, kept and dropped. A filter I/U keeps items with more than I and users "
        "with more than U ratings. A table of filtered data shows the means on what is kept and "
        "says nothing of the rest. Errors are over test ratings; of lists, kept are those of users "
        "that the filter keeps, and the items it dropped count as missed."
    )


def _list_filters(results: Results) -> list[Filter]:
    """The filters of the run, the one that keeps everything first."""
    found = {_filter_of(record) for row in results.rows for record in row.filtered if row.filtered}
    return sorted(found, key=lambda each: (each.items, each.users))


def _filter_of(record: Record) -> Filter:
    """Behind which filter the cell was trained."""
    thresholds = filter_of_split(record.cell.split)
    assert thresholds is not None, "only cells behind filters are asked for theirs"
    return Filter(*thresholds)


def _records_behind(row: Row, behind: Filter) -> list[Record]:
    """The row's records behind a filter, in the order of the folds."""
    return [record for record in row.filtered if _filter_of(record) == behind]


def _tabulate_sizes(results: Results, all_filters: Sequence[Filter]) -> Table:
    """How many ratings each filter leaves to train on, and which test ratings it keeps."""
    lines = []
    for each in all_filters:
        folds = [
            record.fold
            for row in results.rows
            for record in _records_behind(row, each)
            if record.fold is not None
        ]
        cells = [TableCell(words.NONE)] * 4
        if folds:
            fold = folds[0]
            n_kept = fold.test - (fold.cold_ratings or 0)
            cells = [
                TableCell(f"{fold.train:,}", sort_value=fold.train),
                TableCell(words.percent(n_kept, fold.test)),
                TableCell(f"{fold.cold_users or 0:,}"),
                TableCell(f"{fold.cold_items or 0:,}"),
            ]
        lines.append(TableLine(RowName(each.name), tuple(cells)))
    return Table(
        "What each filter keeps",
        "Ratings of the training part, and of the test part the share whose user and item are both "
        "kept, and the users and items that are not",
        (
            TableHead("filter", "text"),
            TableHead("training ratings"),
            TableHead("test ratings kept"),
            TableHead("test users dropped"),
            TableHead("test items dropped"),
        ),
        tuple(lines),
    )


def _list_means(results: Results, behind: Filter, column: str) -> list[MeansBehindFilter]:
    """The means of each contestant that is ok behind the filter, in the report's order."""
    means = []
    for row in results.contestants:
        records = _records_behind(row, behind)
        if not records or any(record.status != "ok" for record in records):
            continue
        found = MeansBehindFilter(
            row=row.name,
            kept=_mean(records, column_of("warm", column)),
            dropped=_mean(records, column_of("cold", column)),
            everything=_mean(records, column),
        )
        if found.everything is not None:
            means.append(found)
    return means


def _mean(records: Sequence[Record], column: str | None) -> float | None:
    """The mean over the folds; None if one lacks a value."""
    values = [record.metrics.get(column) for record in records if column is not None]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(records) else None


@dataclass(frozen=True)
class Effect:
    """What a table of filtered data shows beside one of all data."""

    n_rows: int  # that have a mean in both
    kept: float  # the mean over these rows on what the filter keeps
    whole: float  # the mean over these rows on all test ratings, trained without a filter
    tau: float  # Kendall's, between the orders of the rows in both


def find_effect(
    unfiltered: Sequence[MeansBehindFilter], of_filter: Sequence[MeansBehindFilter]
) -> Effect | None:
    """The effect of a filter, from the means without one and behind it; None with too few rows."""
    wholes_by_row = {each.row: each.everything for each in unfiltered}
    wholes = []
    kept_means = []
    for each in of_filter:
        whole = wholes_by_row.get(each.row)
        if whole is not None and each.kept is not None:
            wholes.append(whole)
            kept_means.append(each.kept)
    if len(wholes) < FEWEST_ROWS:
        return None
    return Effect(
        n_rows=len(wholes),
        kept=statistics.fmean(kept_means),
        whole=statistics.fmean(wholes),
        tau=float(kendalltau(level_ties(wholes), level_ties(kept_means)).statistic),
    )


def _describe_effects(means: dict[Filter, list[MeansBehindFilter]], column: str) -> list[str]:
    """For each filter by how much it flatters the rows, and how far it leaves their order alone."""
    unfiltered = means.get(UNFILTERED, [])  # none in a shard that has no such cell
    metric = find_metric(column)
    name = words.field_name(column)
    sentences = []
    for behind, of_filter in means.items():
        if behind == UNFILTERED:
            continue
        effect = find_effect(unfiltered, of_filter)
        if effect is None:
            sentences.append(f"{name}, filter {behind.name}: too few rows to compare.")
            continue
        gain = metric.loss(effect.whole) - metric.loss(effect.kept)
        says = "does not flatter"
        if gain > 0:
            says = f"flatters by {words.number(abs(effect.whole - effect.kept))}"
        sentences.append(
            f"{name}: the filter {behind.name} {says}. Over {words.count(effect.n_rows, 'row')} "
            f"the mean is {words.number(effect.kept)} on what it keeps, and "
            f"{words.number(effect.whole)} on all test ratings without a filter. Kendall's tau "
            f"between both orders of the rows: {_format_tau(effect.tau)}."
        )
    return sentences


def _format_tau(tau: float) -> str:
    """With two digits; that there is none, where all rows of an order are equal."""
    return "none, since all rows are equal in one" if math.isnan(tau) else f"{tau:.2f}"


def _tabulate_means(means: dict[Filter, list[MeansBehindFilter]], column: str) -> Table:
    """Every row's means on what each filter keeps and drops."""
    by_row: dict[str, dict[Filter, MeansBehindFilter]] = {}
    for behind, of_filter in means.items():
        for each in of_filter:
            by_row.setdefault(each.row, {})[behind] = each

    lines = []
    for row, of_row in by_row.items():
        cells: list[AnyCell] = []
        for behind in means:
            found = of_row.get(behind)
            for value in (found.kept, found.dropped) if found else (None, None):
                text = words.NONE if value is None else words.number(value)
                cells.append(TableCell(text, sort_value=value))
        lines.append(TableLine(RowName(row), tuple(cells)))

    heads = [TableHead("row", "text")]
    for behind in means:
        heads += [TableHead(behind.name, small=("kept",)), TableHead("", small=("dropped",))]
    name = words.field_name(column)
    return Table(
        f"{name} behind filters",
        f"{name} on the test part that each filter keeps, and on what it drops",
        tuple(heads),
        tuple(lines),
        is_sortable=True,
    )
