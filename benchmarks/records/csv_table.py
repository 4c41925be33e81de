"""The records in one piece, for others to read: `results.csv`, one row a cell, and the JSON inside a report."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recbench.benchmarks.metrics import metric_columns
from recbench.benchmarks.records.cell import PHASES
from recbench.benchmarks.records.facts import RunDescription
from recbench.benchmarks.records.record import Record
from recbench.datasets.storage import write_atomically

TEXTS = (
    "dataset",
    "split",
    "algorithm",
    "params",
    "status",
    "reason",
)  # numbers stay as they are, below zero too
OF_A_FOLD = ("train", "test", "threshold")  # what a page holds of a record's facts about the data
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_table(directory: Path, records: Iterable[Record]) -> Path:
    """Write `results.csv`, unrounded, empty where there is no value; its path."""
    rows = [row(record) for record in records]
    names = list(dict.fromkeys(name for row_ in rows for name in row_))
    text = io.StringIO()
    table = csv.DictWriter(text, names, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path = directory / "results.csv"
    write_atomically(path, text.getvalue().encode())
    return path


def row(record: Record) -> dict[str, Any]:
    """A record as a row of `results.csv`: names, status, every metric, and seconds and peak memory of each phase."""
    cell = record.cell
    values: dict[str, Any] = {
        "dataset": cell.dataset,
        "simulated": str(record.data.simulated).lower(),
        "split": cell.split,
        "algorithm": cell.algorithm,
        "params": ",".join(f"{key}={value}" for key, value in sorted(cell.given.items())),
        "fold": cell.fold,
        "seed": cell.seed,
        "split_seed": cell.split_seed,
        "key": cell.key,
        "status": record.status,
        "reason": record.reason or "",
    }
    for name in metric_columns(tuple(cell.protocol["ks"]), tuple(cell.protocol["protocols"])):
        value = record.metrics.get(name)
        values[name] = "" if value is None else repr(value)
    for phase in PHASES:
        costs = record.costs.get(phase)
        for cost in ("seconds", "cpu_seconds", "peak_mb", "grown_mb"):
            value = getattr(costs, cost, None)
            values[f"{phase}_{cost}"] = "" if value is None else repr(value)
    peak = "" if record.peak_mb is None else repr(record.peak_mb)
    values |= {"peak_mb": peak, "contended": str(record.environment.contended).lower()}
    return values | {name: inert(values[name]) for name in TEXTS}


def inert(text: str) -> str:
    """Text that a spreadsheet takes for text: an apostrophe comes before what would begin a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def embedded(about: RunDescription, records: Iterable[Record]) -> dict[str, Any]:
    """What a page holds as JSON: the plan's words and every record, without what is the same in all of them."""
    shown = []
    for record in records:
        content = record.to_dict()
        del content["environment"]
        del content["cell"]
        content["row"] = record.cell.row
        content["fold"] = record.cell.fold
        facts = content["data"]
        content["data"] = {name: facts[name] for name in OF_A_FOLD if name in facts}
        shown.append(content)
    return {"about": about.to_json(), "records": shown}
