"""The report's answer to what did not run, and why."""

from typing import Any

from reports.sections import section
from reports.tables import Results


@section("What did not run?")
def failures(results: Results) -> dict[str, Any]:
    """The cells that are not ok, and how many there are of any kind."""
    return {"failed": not_ok(results), "n_cells": len(results.records)}


def not_ok(results: Results) -> list[dict[str, Any]]:
    """The cells that are not ok, with the command that tries them again; a line for folds that failed alike."""
    entries: dict[tuple[str, str, str], list[int]] = {}
    for row in results.rows:
        for record in (*row.failures, *row.elsewhere.failures):
            what = (row.name, record.status, record.reason or "no reason given")
            entries.setdefault(what, []).append(record.cell.fold)
    return [
        {"row": row, "folds": folds, "status": status, "reason": reason, "again": results.about["command"]}
        for (row, status, reason), folds in entries.items()
    ]
