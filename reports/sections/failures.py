"""The report's answer to what did not run, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from recbench.benchmarks.records import Cell
from recbench.reports import words
from recbench.reports.rendering import (
    Block,
    Command,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import UNSEEN, Results
from recbench.reports.sections.registry import section

# What the row itself decides, whatever is tried.
HOPELESS = (UNSEEN, "these data have none")
IN_VAIN = "would end the same"


@dataclass(frozen=True)
class Failure:
    """Cells of one row that ended alike: their folds, status and reason, and how to try again.

    The command is empty where another try would end the same.
    """

    row: str
    folds: tuple[str, ...]
    status: str
    reason: str
    command: str


@section("What did not run?", place=90)
def failures(results: Results) -> list[Block]:
    """The cells that are not ok, or that there are none."""
    found = [(failure, "") for failure in list_failures(results)]
    caption = (
        "Every cell that is not ok, and the command that tries all of them again, where that may "
        "help. Folds that ended alike share a line."
    )
    return [describe_failures(found, caption, len(results.records))]


def describe_failures(
    found: Sequence[tuple[Failure, str]], caption: str, n_cells: int
) -> Table | Paragraph:
    """A table of failures, each with the data set it happened on, or with an empty text for it.

    The data sets have a column only where they have names. A paragraph of `n_cells` if there is no
    failure.
    """
    if not found:
        planned = words.count(n_cells, "planned cell")
        return Paragraph(f"Nothing: {n_cells:,} of {planned} ran.")

    names_data_sets = any(data_set for _, data_set in found)
    heads = [TableHead("row", "text")]
    if names_data_sets:
        heads.append(TableHead("data set", "text"))

    heads += [
        TableHead("folds", "word"),
        TableHead("status", "word"),
        TableHead("reason", "reason"),
        TableHead("to try again", "command"),
    ]

    lines = []
    for failure, data_set in found:
        cells = [TableCell(data_set)] if names_data_sets else []
        cells += [
            TableCell(", ".join(failure.folds)),
            TableCell(failure.status),
            TableCell(failure.reason),
            TableCell(Command(failure.command) if failure.command else IN_VAIN),
        ]
        lines.append(TableLine(RowName(failure.row), tuple(cells)))

    return Table("Cells that are not ok", caption, tuple(heads), tuple(lines))


def list_failures(results: Results) -> list[Failure]:
    """The cells that are not ok, by row; folds that ended alike, with one reason, are one entry."""
    folds_by_end: dict[tuple[str, str, str], list[str]] = {}
    for row in results.rows:
        first_cell = row.records[0].cell
        for record in (*row.failures, *row.elsewhere.failures):
            reason = record.reason or "no reason given"
            folds = folds_by_end.setdefault((row.name, record.status, reason), [])
            folds.append(_name_fold(record.cell, first_cell))

    failures_found = []
    for (name, status, reason), folds in folds_by_end.items():
        command = results.about.command
        if status == "skipped" and any(part in reason for part in HOPELESS):
            command = ""  # it would skip them again
        failures_found.append(Failure(name, tuple(folds), status, reason, command))
    return failures_found


def _name_fold(cell: Cell, first_cell: Cell) -> str:
    """The fold's number, with split and seeds where these are not those of the first cell."""
    if cell.split != first_cell.split:
        return f"{cell.split} {cell.place.removeprefix(cell.split + ' ')}"
    if (cell.split_seed, cell.seed) == (first_cell.split_seed, first_cell.seed):
        return str(cell.fold)
    return cell.place
