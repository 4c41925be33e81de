"""The report's answer to how users fare who were not in training, where the run asks for them."""

import statistics
from collections.abc import Iterable

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import FoldInCost, Record
from recbench.benchmarks.splits import order_in_time
from recbench.reports import words
from recbench.reports.answers import (
    describe_short_histories,
    headline_columns,
    primary_column,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Code,
    MissingCell,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section

NOT_REALLY_NEW = (
    "These users are not really new: they are held-out users of the same data and the same time as "
    "those who are learned from. Users who come later, with the items of their time, may be "
    "answered worse; the split new-users-by-time asks for them."
)


@section("How are new users answered?", place=47)
def new_users(results: Results) -> list[Block] | None:
    """Who was held out and what was told of them, which rows cannot answer, and of the others how
    they do it, how well, and what one user costs.

    None if the users of the main split have been trained on.
    """
    if not results.asks_new_users:
        return None

    split = results.records[0].cell.split
    blocks: list[Block] = [_describe_held_out(results, split)]
    if order_in_time(split) == "none":
        blocks.append(Paragraph(NOT_REALLY_NEW))
    if results.knew_new_users:
        blocks.append(Paragraph(_describe_knowing_defaults(results)))
    blocks += [Paragraph(sentence) for sentence in describe_short_histories(results)]
    silent = [row.name for row in results.rows if row.cannot_fold_in]
    if silent:
        sentence = (
            f"{words.count(len(silent), 'row')} cannot answer users they have not seen, and were "
            f"skipped, not given popularity in place of an answer: {words.listed(silent)}."
        )
        blocks.append(Paragraph(sentence))

    table = _tabulate_costs(results)
    if table.lines:
        blocks.append(table)
    return blocks


def _describe_held_out(results: Results, split: str) -> Paragraph:
    """The counts of the first fold whose record knows them."""
    intro = (
        "No user of the test part is in training (strong generalisation, Liang et al. 2018), by "
        "the split ",
        Code(split),
        f": {words.explain_split(split)}. What is told comes with the question, and what a row has "
        "learned stays as it is.",
    )
    for record in results.records:
        fold = record.fold
        if fold is not None and fold.history is not None and fold.cold_users is not None:
            users = words.count(fold.cold_users, "user")
            counts = (
                f" In fold {record.cell.fold}, {fold.history:,} ratings of {users} are told and "
                f"{fold.test:,} tested; {fold.train:,} ratings of others are learned from."
            )
            return Paragraph((*intro, counts))
    return Paragraph(intro)


def _describe_knowing_defaults(results: Results) -> str:
    """To which rows the users are not wholly new, since their defaults were chosen with them."""
    names = words.listed(row.name for row in results.knew_new_users)
    data = results.about.data.name
    return (
        f"Nor are they unseen by all defaults: those of {names} were chosen on {data}, with the "
        "users held out here among all others. The rows that --tune adds have values from the "
        "training part alone."
    )


def _tabulate_costs(results: Results) -> Table:
    """How each row that can answers a new user, how well, and how long that takes; the best first,
    by the column that rows are ranked by.
    """
    answering = [row for row in results.compared if _costs_of(row.records)]
    columns = headline_columns(results)
    first = primary_column(results)
    if first is not None:
        losses = results.losses(first)
        answering.sort(key=lambda row: losses.get(row.name, float("inf")))

    lines = []
    for row in answering:
        cells: list[AnyCell] = [TableCell(row.how_it_folds_in or "not said")]
        cells += [_mean_cell(results, row, column) for column in columns]
        cells += _cells_of_times(row)
        lines.append(TableLine(RowName(row.name), tuple(cells)))

    folds = words.over_folds(results, ", mean over the folds")
    n_timed = words.span(
        {cost.users for row in answering for cost in _costs_of(row.records)} or {0}
    )
    return Table(
        "How new users are answered",
        "How a row answers a new user, how well, and the time from what is told of one user to "
        f"scores of all items: the median and the 99th percentile over {n_timed} users of a fold, "
        f"each asked for alone{folds}. The phase rank asks for all users of a fold together, in "
        "blocks, so it is not the sum of these times. Lists and predicted ratings come from the "
        "same scores, so the phase rate has no time of its own.",
        (
            TableHead("row", "text"),
            TableHead("how", "text"),
            *(_head_of(column) for column in columns),
            TableHead("p50"),
            TableHead("p99"),
        ),
        tuple(lines),
        is_sortable=True,
    )


def _head_of(column: str) -> TableHead:
    return TableHead(
        words.field_name(column), higher_is_better=find_metric(column).better == "higher"
    )


def _mean_cell(results: Results, row: Row, column: str) -> AnyCell:
    mean = row.mean(column)
    if mean is None:
        return MissingCell(row.missing(column))
    return TableCell(words.number(mean, words.interval(results, row, column)), sort_value=mean)


def _cells_of_times(row: Row) -> list[TableCell]:
    """The median and the 99th percentile."""
    costs = _costs_of(row.records)
    times = (
        statistics.fmean(cost.p50_seconds for cost in costs),
        statistics.fmean(cost.p99_seconds for cost in costs),
    )
    return [TableCell(words.duration(time), sort_value=time) for time in times]


def _costs_of(records: Iterable[Record]) -> list[FoldInCost]:
    return [record.fold_in for record in records if record.fold_in is not None]
