"""The report's answer to how users fare who were not in training, where the run asks for them."""

import statistics
from collections.abc import Iterable

from recbench.benchmarks.records import FoldInCost, Record
from recbench.benchmarks.splits import asks_new_users
from recbench.reports import words
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
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section


@section("How are new users answered?", place=47)
def new_users(results: Results) -> list[Block] | None:
    """Who was held out and what was told of them, which rows cannot answer, and what one costs.

    None if the users of the main split have been trained on.
    """
    split = results.records[0].cell.split
    if not asks_new_users(split):
        return None

    blocks: list[Block] = [_describe_held_out(results, split)]
    silent = [row.name for row in results.rows if _cannot_fold_in(row)]
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
        "No user of the test part is in training: the split ",
        Code(split),
        " tells some of a new user's ratings with the question, and the others are tested (strong "
        "generalisation, Liang et al. 2018). What a row has learned stays as it is.",
    )
    for record in results.records:
        fold = record.fold
        if fold is not None and fold.history is not None and fold.cold_users is not None:
            users = words.count(fold.cold_users, "user")
            counts = (
                f" In fold {record.cell.fold} {fold.history:,} ratings of {users} are told and "
                f"{fold.test:,} tested; {fold.train:,} ratings of others are learned from."
            )
            return Paragraph((*intro, counts))
    return Paragraph(intro)


def _cannot_fold_in(row: Row) -> bool:
    """Whether the row was skipped because it has no `fold_in`."""
    return any(
        record.status == "skipped" and "has not seen" in (record.reason or "")
        for record in row.records
    )


def _tabulate_costs(results: Results) -> Table:
    """What it takes a row to answer one new user, the fastest first."""
    costs = []
    for row in results.rows:
        of_row = _costs_of(row.records)
        if of_row:
            costs.append((statistics.fmean(cost.p50_seconds for cost in of_row), row.name, of_row))

    lines = []
    for place, (median, name, of_row) in enumerate(sorted(costs), start=1):
        slowest = statistics.fmean(cost.p99_seconds for cost in of_row)
        cells = (
            TableCell(words.duration(median), sort_value=place),
            TableCell(words.duration(slowest), sort_value=slowest),
            TableCell(words.span(cost.users for cost in of_row)),
        )
        lines.append(TableLine(RowName(name), cells))

    return Table(
        "Time to fold in one user",
        "The time from some ratings of one new user to scores of all items, each user asked for "
        "alone: the median and the 99th percentile over the users of a fold, mean over the folds. "
        "All of them together take the time of the phase rank.",
        (
            TableHead("row", "text"),
            TableHead("p50"),
            TableHead("p99"),
            TableHead("users timed"),
        ),
        tuple(lines),
        is_sortable=True,
    )


def _costs_of(records: Iterable[Record]) -> list[FoldInCost]:
    return [record.fold_in for record in records if record.fold_in is not None]
