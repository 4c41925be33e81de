"""The records in one piece, for others to read: `results.csv`, and the JSON inside a report."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recbench.adapters.base import NOT_SAID
from recbench.benchmarks.metrics import METRICS, metric_columns
from recbench.benchmarks.records.cell import MADE_ELSEWHERE, NOT_MEASURED_HERE, PHASES
from recbench.benchmarks.records.facts import RunDescription, Serving
from recbench.benchmarks.records.record import Record
from recbench.benchmarks.records.schema import STATUSES
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

# What `describe_table_schema` says of the columns that are no metric and no cost of a phase.
COLUMNS = {
    "dataset": ("string", "the name of the data set"),
    "simulated": ("boolean", "whether the ratings come from a model, and not from people"),
    "split": ("string", "how the ratings were divided"),
    "algorithm": ("string", "the name of the algorithm"),
    "params": ("string", "hyperparameters that were set on purpose or, of a tuned row, chosen"),
    "defaults": ("string", "where the defaults of the row come from"),
    "trials": ("integer", "the trials of the search, of a tuned row"),
    "costs": ("string", "of an external row: that its costs were not measured here"),
    "fold": ("integer", "the number of the fold, from 0"),
    "seed": ("integer", "fixes initialisations and ties"),
    "split_seed": ("integer", "fixes the folds"),
    "key": ("string", "the name of the cell's record, twelve hexadecimal digits"),
    "status": ("string", "what became of the cell"),
    "reason": ("string", "why it is not ok"),
    "import_seconds": ("number", "start-up: the time to import the libraries"),
    "warm_up_seconds": ("number", "start-up: the time of a fit to tiny data, and of its questions"),
    "fold_in_users": ("integer", "new users that were asked for one by one"),
    "fold_in_p50_seconds": ("number", "the median of the time that a new user takes"),
    "fold_in_p99_seconds": ("number", "the 99th percentile of the time that a new user takes"),
    "latency_p50_seconds": ("number", "the median of the time of one user's list from a model"),
    "latency_p99_seconds": ("number", "the 99th percentile of the time of one user's list"),
    "latency_steady": ("boolean", "whether the 99th percentiles of the rounds are alike"),
    "latency_users": ("integer", "users that were asked for one by one"),
    "latency_load": ("number", "the load average of the machine meanwhile"),
    "users_per_second": ("number", "the rate of lists for many users at once"),
    "model_load_seconds": ("number", "the time to load the model"),
    "model_mb": ("number", "the size of the model on disk, in megabytes"),
    "latency_reason": ("string", "why there is no latency"),
    "peak_mb": ("number", "the highest memory of all phases, in megabytes"),
    "contended": ("boolean", "whether other cells ran at the same time"),
    "hyperparameters": ("string", "default, given, tuned, or made elsewhere"),
    "digest": ("string", "the sha256 of the content of the data"),
    "started": ("string", "when the cell began, as ISO 8601"),
    "commit": ("string", "the commit of the bench; + where files were changed since"),
    "versions": ("string", "the versions of the libraries, as NAME=VERSION,..."),
    "determinism": ("string", "what is known of a second fit with the same seed"),
    "host": ("string", "the name of the machine"),
}
OF_A_COST = {
    "seconds": "wall-clock time",
    "cpu_seconds": "processor time, in seconds",
    "peak_mb": "the highest memory, in megabytes",
    "grown_mb": "the highest memory less that before, in megabytes",
}

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


def describe_table_schema() -> dict[str, Any]:
    """The JSON Schema of a line of `results.csv`, read by the types of its columns; an empty cell
    is null.

    A table has the columns of its run: others may be absent.
    """
    properties: dict[str, Any] = {}
    for name, (kind, meaning) in COLUMNS.items():
        properties[name] = {"type": [kind, "null"], "description": meaning}
    properties["status"]["enum"] = list(STATUSES)
    for phase in PHASES:
        for cost, meaning in OF_A_COST.items():
            described = f"of the phase {phase}: {meaning}"
            properties[f"{phase}_{cost}"] = {"type": ["number", "null"], "description": described}

    patterns: dict[str, Any] = {}
    for metric in METRICS.values():
        described = f"{metric.definition} ({metric.unit}; better: {metric.better})"
        column = {"type": ["number", "null"], "description": described}
        if metric.kind == "rating":
            properties[metric.name] = column
            continue
        cutoff = "@[1-9][0-9]*" if metric.has_cutoff else ""
        patterns[f"^([a-z-]+:)?{metric.name}{cutoff}$"] = column

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a line of recbench's results.csv",
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": False,
        "required": ["dataset", "split", "algorithm", "fold", "seed", "key", "status"],
    }


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
