"""The report's answer to what did not run, and why."""

from typing import Any

from reports.sections import section
from reports.tables import Results


@section("What did not run?")
def failures(results: Results) -> dict[str, Any]:
    """The cells that are not ok; folds of one row that failed alike share an entry."""
    entries: dict[tuple[str, str, str], list[int]] = {}
    for row in results.rows:
        for record in (*row.failures, *row.elsewhere.failures):
            entries.setdefault((row.name, record.status, record.reason or "no reason given"), []).append(
                record.cell.fold
            )
    failed = [
        {"row": row, "folds": folds, "status": status, "reason": reason, "again": results.about["command"]}
        for (row, status, reason), folds in entries.items()
    ]
    return {"failed": failed, "n_cells": len(results.records)}
