"""The records in one piece, for others to read: `results.csv`, and the JSON inside a report."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recbench.adapters.base import NOT_SAID
from recbench.benchmarks.metrics import metric_columns
from recbench.benchmarks.records.cell import MADE_ELSEWHERE, NOT_MEASURED_HERE, PHASES
from recbench.benchmarks.records.facts import RunDescription, Serving
from recbench.benchmarks.records.record import Record
from recbench.datasets.foundation import make_legible
from recbench.datasets.storage import write_atomically

FILE = "results.csv"

# Columns whose text somebody else has written: a name, a message. Numbers stay as they are, also
# below zero.
TEXTS = (
    "dataset",
    "split",
    "algorithm",
    "params",
    "defaults",
    "status",
    "reason",
    "versions",
    "determinism",
    "host",
    "latency_reason",
)
# What a stranger needs beside the numbers; tables of earlier versions have none of these columns.
PROVENANCE = (
    "hyperparameters",
    "digest",
    "started",
    "commit",
    "versions",
    "determinism",
    "host",
)
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")  # in a spreadsheet
COSTS = ("seconds", "cpu_seconds", "peak_mb", "grown_mb")
OF_A_FOLD = ("train", "test", "threshold")  # what a page holds of a record's facts about the data

Value = str | int | float | bool | None

SAYS_NOTHING = RunDescription()  # of a record without its plan


def write_table(
    directory: Path, records: Iterable[Record], about: RunDescription = SAYS_NOTHING
) -> Path:
    """Write `results.csv` into `directory`, unrounded, empty where there is no value; its path."""
    rows = [csv_row(record, about) for record in records]
    names = list(dict.fromkeys(name for texts in rows for name in texts))

    text = io.StringIO()
    table = csv.DictWriter(text, names, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)

    path = directory / FILE
    write_atomically(path, text.getvalue().encode())
    return path


def csv_row(record: Record, about: RunDescription = SAYS_NOTHING) -> dict[str, str]:
    """A record as a row of `results.csv`: the texts of `table_values`, by column."""
    texts = {}
    for name, value in table_values(record, about).items():
        text = _as_text(value)
        texts[name] = make_inert(text) if name in TEXTS else text
    return texts


def table_values(record: Record, about: RunDescription = SAYS_NOTHING) -> dict[str, Value]:
    """One row for a record: names, status, every metric, seconds and memory of each phase.

    `about`, what the plan says, has the origin of the defaults. Columns are in the order of
    `results.csv`. None stands where there is no value.
    """
    cell = record.cell
    values: dict[str, Value] = {
        "dataset": cell.dataset,
        "simulated": record.data.simulated,
        "split": cell.split,
        "algorithm": cell.algorithm,
        "params": ",".join(f"{name}={value}" for name, value in sorted(cell.given.items())),
        "defaults": _describe_defaults(cell.row, about),
        "fold": cell.fold,
        "seed": cell.seed,
        "split_seed": cell.split_seed,
        "key": cell.key,
        "status": record.status,
        "reason": record.reason,
    }
    if cell.tuning is not None:
        values["params"] = ",".join(f"{key}={value}" for key, value in cell.parameters.items())
        values["defaults"] = "tuned in this run"
        values["trials"] = cell.tuning["n_trials"]
    if cell.external is not None:
        values["defaults"] = MADE_ELSEWHERE
        values["costs"] = NOT_MEASURED_HERE
    for column in metric_columns(tuple(cell.protocol["ks"]), tuple(cell.protocol["protocols"])):
        values[column] = record.metrics.get(column)

    for phase in PHASES:
        phase_cost = record.costs.get(phase)
        for cost in COSTS:
            values[f"{phase}_{cost}"] = getattr(phase_cost, cost, None)
    values["import_seconds"] = record.cold.import_seconds if record.cold else None
    values["warm_up_seconds"] = record.cold.warm_up_seconds if record.cold else None
    if record.fold_in is not None:
        values["fold_in_users"] = record.fold_in.users
        values["fold_in_p50_seconds"] = record.fold_in.p50_seconds
        values["fold_in_p99_seconds"] = record.fold_in.p99_seconds
    values |= _describe_serving(record.serving)
    values["peak_mb"] = record.peak_mb
    values["contended"] = record.environment.contended
    return values | _describe_provenance(record)


def _describe_serving(serving: Serving | None) -> dict[str, Value]:
    """The columns of what serving would cost, or why nobody knows; none if it was not asked for."""
    if serving is None:
        return {}
    cost = serving.cost
    return {
        "latency_p50_seconds": cost.p50_seconds if cost else None,
        "latency_p99_seconds": cost.p99_seconds if cost else None,
        "latency_steady": cost.is_steady if cost else None,
        "latency_users": cost.users if cost else None,
        "latency_load": cost.load if cost else None,
        "users_per_second": cost.users_per_second if cost else None,
        "model_load_seconds": cost.load_seconds if cost else None,
        "model_mb": cost.megabytes if cost else None,
        "latency_reason": serving.reason,
    }


def _describe_provenance(record: Record) -> dict[str, Value]:
    """The columns of `PROVENANCE`: how hyperparameters were chosen, on which data, code, machine.

    `commit` is that of the bench, with a plus sign where files were changed since; `versions` are
    those of the libraries, `determinism` what is known of a second fit with the same seed.
    """
    cell = record.cell
    environment = record.environment
    commit = environment.commit
    if commit and environment.dirty:
        commit += "+"
    hyperparameters = "default"
    if cell.tuning is not None:
        hyperparameters = "tuned"
    elif cell.external is not None:
        hyperparameters = MADE_ELSEWHERE
    elif cell.given:
        hyperparameters = "given"

    certificate = record.determinism
    versions = ",".join(f"{name}={version}" for name, version in environment.versions.items())
    values: tuple[Value, ...] = (
        hyperparameters,
        cell.digest,
        record.started,
        commit or None,
        versions or None,
        certificate.repeatability if certificate else None,
        environment.host or None,
    )
    return dict(zip(PROVENANCE, values, strict=True))


def _describe_defaults(row: str, about: RunDescription) -> str | None:
    """Where the defaults of a row come from; None where the plan is older than that."""
    described = about.algorithms.get(row)
    if described is None or not described.says("origin"):
        return None
    return described.origin.text if described.origin else NOT_SAID


def _as_text(value: Value) -> str:
    """A value as `results.csv` has it: all digits, truths in lower case, "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def make_inert(text: str) -> str:
    """`text`, made legible, as a spreadsheet takes it for text: an apostrophe before what begins a
    formula.
    """
    text = make_legible(text)
    if text.startswith(FORMULA_BEGINS):
        return f"'{text}"
    return text


def embed_records(about: RunDescription, records: Iterable[Record]) -> dict[str, Any]:
    """What a page holds as JSON: the plan's words, and every record.

    What is the same in all records, or stands in the plan, is left out; so are the metrics by group
    of users and items, which would be a third of it all and stand in the records themselves.
    """
    return {
        "about": about.to_json(),
        "records": [_embed_record(record) for record in records],
    }


def _embed_record(record: Record) -> dict[str, Any]:
    """The content of a record with its row and fold, without its cell and environment."""
    content = record.to_dict()
    del content["environment"]
    del content["cell"]
    content.pop("slices", None)
    content["row"] = record.cell.row
    content["fold"] = record.cell.fold

    facts = content["data"]
    content["data"] = {name: facts[name] for name in OF_A_FOLD if name in facts}
    return content
