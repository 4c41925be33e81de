"""The records in one piece, for others to read: `results.csv`, one row a cell, and the JSON inside a report."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recbench.benchmarks.metrics import columns
from recbench.benchmarks.records.cell import PHASES
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
        "simulated": str(record.data["simulated"]).lower(),
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
    for name in columns(tuple(cell.protocol["ks"]), tuple(cell.protocol["protocols"])):
        value = record.metrics.get(name)
        values[name] = "" if value is None else repr(value)
    for phase in PHASES:
        for cost in ("seconds", "cpu_seconds", "peak_mb", "grown_mb"):
            value = record.costs.get(phase, {}).get(cost)
            values[f"{phase}_{cost}"] = "" if value is None else repr(value)
    peak = "" if record.peak_mb is None else repr(record.peak_mb)
    values |= {"peak_mb": peak, "contended": str(record.environment.get("contended")).lower()}
    return values | {name: inert(values[name]) for name in TEXTS}


def inert(text: str) -> str:
    """Text that a spreadsheet takes for text: an apostrophe comes before what would begin a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def embedded(about: Mapping[str, Any], records: Iterable[Record]) -> dict[str, Any]:
    """What a page holds as JSON: the plan's words and every record, without what is the same in all of them."""
    shown = []
    for record in records:
        fields = asdict(record) | {
            "row": record.cell.row,
            "key": record.cell.key,
            "fold": record.cell.fold,
        }
        fields["data"] = {
            name: record.data[name]
            for name in ("train", "test", "threshold")
            if name in record.data
        }
        shown.append(
            {name: value for name, value in fields.items() if name not in ("environment", "cell")}
        )
    return {"about": dict(about), "records": shown}
