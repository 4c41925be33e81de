"""The report's answer to what did not run, and why."""

from typing import Any

from recbench.benchmarks.records import Cell
from recbench.reports.results import Results
from recbench.reports.sections.registry import section


@section("What did not run?")
def failures(results: Results) -> dict[str, Any]:
    """The cells that are not ok, and how many there are of any kind."""
    return {"failed": not_ok(results), "n_cells": len(results.records)}


def not_ok(results: Results) -> list[dict[str, Any]]:
    """The cells that are not ok, with the command that tries them again; a line for folds that failed alike."""
    entries: dict[tuple[str, str, str], list[str]] = {}
    for row in results.rows:
        first = row.records[0].cell
        for record in (*row.failures, *row.elsewhere.failures):
            what = (row.name, record.status, record.reason or "no reason given")
            entries.setdefault(what, []).append(_place(record.cell, first))
    return [
        {
            "row": row,
            "folds": folds,
            "status": status,
            "reason": reason,
            "again": results.about.command,
        }
        for (row, status, reason), folds in entries.items()
    ]


def _place(cell: Cell, first: Cell) -> str:
    """The number of the fold, with split and seeds where they are not those of the row's `first` cell."""
    if cell.split != first.split:
        return f"{cell.split} {cell.place.removeprefix(cell.split + ' ')}"
    return (
        str(cell.fold)
        if (cell.split_seed, cell.seed) == (first.split_seed, first.seed)
        else cell.place
    )
