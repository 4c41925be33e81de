"""Cells and records on disk: one JSON a cell, its raw answers beside it, and a tidy table of them all."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from recbench.benchmarks.evaluation import Slice
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.facts import (
    DataDescription,
    Environment,
    FoldFacts,
    PhaseCost,
    RunDescription,
)
from recbench.benchmarks.records.schema import (
    SCHEMA,
    STATUSES,
    UNREADABLE,
    refuse_schema,
    unreadable_plan,
    unreadable_record,
)
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import write_atomically


@dataclass(frozen=True)
class Record:
    """What became of a cell. Numbers are unrounded; `metrics` and `costs` are empty unless the status is ok."""

    cell: Cell
    status: str
    reason: str | None
    started: str  # ISO 8601, UTC
    data: DataDescription
    environment: Environment
    costs: dict[str, PhaseCost] = field(default_factory=dict)  # by phase
    metrics: dict[str, float | None] = field(default_factory=dict)
    trace: list[dict[str, float | None]] = field(default_factory=list)
    determinism: Certificate | None = None  # None: not measured, or nothing to compare
    start_seconds: float | None = (
        None  # from the run's request to the cell's first line: the harness's own cost
    )
    slices: list[Slice] = field(default_factory=list)
    kernel_seconds: float | None = (
        None  # of a fixed piece of work, just before the fit: how fast the machine was
    )
    answers: str | None = None  # sha256 of the file with its raw answers
    evaluation: str | None = (
        None  # `source.evaluation_source`: the code that made the metrics of the answers
    )
    log: str | None = None  # the file beside the record with what a cell that failed has printed
    schema: int = SCHEMA
    fold: FoldFacts | None = None  # None: the data were not divided, since the cell failed before

    def __post_init__(self) -> None:
        if self.reason is not None:
            object.__setattr__(self, "reason", _legible(self.reason))

    @property
    def peak_mb(self) -> float | None:
        """The greatest memory peak of all phases, in MB; None where it was not measured."""
        peaks = [cost.peak_mb for cost in self.costs.values() if cost.peak_mb is not None]
        return max(peaks, default=None)

    def seconds(self, phase: str) -> float | None:
        """The wall time of a phase, the median of its samples; None if it was not reached."""
        cost = self.costs.get(phase)
        return cost.seconds if cost else None

    def to_json(self) -> bytes:
        """The bytes that are written: sorted keys, unrounded, no NaN."""
        text = json.dumps(self.to_dict(), sort_keys=True, indent=1, allow_nan=False)
        return f"{text}\n".encode()

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them, with the key; the facts about the fold stand among those about the data."""
        content = {column.name: getattr(self, column.name) for column in fields(self)}
        del content["fold"]
        content["key"] = self.cell.key
        content["cell"] = asdict(self.cell)
        content["data"] = self.data.to_json() | (self.fold.to_json() if self.fold else {})
        content["environment"] = self.environment.to_json()
        content["costs"] = {phase: cost.to_json() for phase, cost in self.costs.items()}
        content["slices"] = [one.to_json() for one in self.slices]
        content["determinism"] = asdict(self.determinism) if self.determinism else None
        return content

    @staticmethod
    def from_json(text: str | bytes) -> "Record":
        """The inverse of `to_json`. ValueError for other schemas and damaged content."""
        record, key = Record.with_key(text)
        if record.cell.key != key:
            raise ValueError(f"expected key {record.cell.key}, got {key}")
        return record

    @staticmethod
    def with_key(text: str | bytes) -> "tuple[Record, object]":
        """A record and the key written in it, which need not be its cell's. ValueError as in `from_json`."""
        content = json.loads(text)
        schema = content.get("schema") if isinstance(content, dict) else None
        refuse_schema(schema, "record")
        try:
            record = _RECORD.validate_python(_with_fold_apart(content))
        except ValidationError as error:
            raise ValueError(
                f"not a record: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
            ) from None
        missing = record.data.lacks(["digest", "name", "simulated"])
        if missing:
            raise ValueError(f"not a record: its data lack {', '.join(missing)}")
        if record.status not in STATUSES:
            raise ValueError(f"expected a known status, got {record.status}")
        return record, content.get("key")


_RECORD = TypeAdapter(Record)
_CELLS = TypeAdapter(list[Cell])
_FOLD_FACTS = FoldFacts.model_fields.keys()


def _with_fold_apart(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a record's file with the facts about the fold under `fold`, and no longer among its data's."""
    written = content.get("data")
    if not isinstance(written, dict):
        return content
    fold = {name: value for name, value in written.items() if name in _FOLD_FACTS}
    data = {name: value for name, value in written.items() if name not in _FOLD_FACTS}
    return content | {"data": data, "fold": fold or None}


def _legible(text: str, longest: int = 2000) -> str:
    """`text` as it can be written and shown anywhere: no lone surrogates, no control characters, not too long."""
    encodable = text.encode("utf-8", "backslashreplace").decode()
    printable = "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in encodable
    )
    return (
        printable
        if len(printable) <= longest
        else f"{printable[:longest]} ... ({len(printable):,} characters)"
    )


@dataclass(frozen=True)
class Run:
    """A directory of results: `plan.json`, `records/` and what is made from them."""

    directory: Path

    def path(self, cell: Cell, ending: str = ".json") -> Path:
        """Where the cell's record (.json), raw answers (.npz) or log (.log) is."""
        return self.directory / "records" / f"{cell.name}{ending}"

    def write(self, record: Record, answers: Mapping[str, Any] | None = None) -> None:
        """Keep `record`; its raw answers first, since a record promises them."""
        if answers is None:
            self.path(record.cell, ".npz").unlink(missing_ok=True)
        else:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **answers)
            write_atomically(self.path(record.cell, ".npz"), buffer.getvalue())
            record = replace(record, answers=hashlib.sha256(buffer.getvalue()).hexdigest())
        write_atomically(self.path(record.cell), record.to_json())

    def read(self, cell: Cell) -> Record | None:
        """The record of `cell`, or None if there is none. UsageError, naming the file, if it is damaged."""
        path = self.path(cell)
        if not path.exists():
            return None
        try:
            return Record.from_json(path.read_bytes())
        except ValueError as error:
            raise unreadable_record(path, error) from None

    def has_answers(self, cell: Cell) -> bool:
        """Whether the raw answers that an ok record promises are there and whole."""
        return zipfile.is_zipfile(self.path(cell, ".npz"))

    def answers(self, cell: Cell, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The raw answers of a cell, or those of `names`. UsageError, naming the file, if it is gone or damaged."""
        path = self.path(cell, ".npz")
        try:
            with np.load(path) as arrays:
                return {name: arrays[name] for name in names or arrays.files}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise UsageError(
                f"{path} cannot be read ({error}): run `{command_to_type('run')}` to measure "
                "it again"
            ) from None

    def write_plan(self, cells: Iterable[Cell], about: RunDescription) -> None:
        """Keep the plan, so that a report shows its cells and no others."""
        plan = {
            "schema": SCHEMA,
            "about": about.to_json(),
            "cells": [asdict(cell) for cell in cells],
        }
        path = self.directory / "plan.json"
        try:
            write_atomically(path, json.dumps(plan, indent=1).encode())
        except OSError as error:
            raise UsageError(
                f"cannot write {path}: {error.strerror}; name another directory with --out"
            ) from None

    def read_plan(self) -> tuple[list[Cell], RunDescription]:
        """The planned cells and what the plan says about itself. UsageError if this is no results directory."""
        path = self.directory / "plan.json"
        try:
            plan = json.loads(path.read_bytes())
            refuse_schema(plan["schema"], "plan")
            cells = [Cell(**cell) for cell in plan["cells"]]
            _CELLS.validate_python(plan["cells"])
            return cells, RunDescription.model_validate(plan["about"])
        except (OSError, *UNREADABLE) as error:
            raise unreadable_plan(path, error) from None

    def records(self) -> list[Record]:
        """One record for each planned cell, in the plan's order; `not_run` for those that have none.

        UsageError, naming file and key, if they are not all about the same data.
        """
        cells, about = self.read_plan()
        found = [(cell, self.read(cell)) for cell in cells]
        self._refuse_mixture(found, about)
        records = [
            not_run(cell, about, "no record yet")
            if record is None
            else not_run(
                cell, about, "its metrics were made by other code than the plan's: run it again"
            )
            if _is_stale(record, about)
            else replace(record, cell=cell)
            for cell, record in found
        ]
        _refuse_other_rows(records)
        return records

    def _refuse_mixture(
        self, found: Iterable[tuple[Cell, Record | None]], about: RunDescription
    ) -> None:
        """UsageError unless each split has one digest, and the records have that of the plan."""
        firsts: dict[str, Cell] = {}
        for cell, record in found:
            path, digest = self.directory / "plan.json", cell.digest
            wanted = firsts.setdefault(cell.split, cell).digest
            if record is not None and wanted == digest:
                path, digest = self.path(cell), record.data.digest
                wanted = about.data.digest or digest
            if wanted != digest:
                what = f"{path} mixes data: the digest of {cell.name} is {digest[:12]}, that of the run {wanted[:12]}"
                raise UsageError(
                    f"{what}. Run `{command_to_type('run')}` again with a directory of its own "
                    "(--out)."
                )


def _is_stale(record: Record, about: RunDescription) -> bool:
    """Whether a run that was to evaluate its kept cells again was stopped before it came to this one."""
    if about.evaluation is None:  # earlier plans do not say
        return False
    return record.status == "ok" and record.evaluation != about.evaluation


def _refuse_other_rows(records: Iterable[Record]) -> None:
    """UsageError if two cells of one fold were trained or tested on different ratings: nothing can be compared."""
    first: dict[tuple[object, ...], tuple[Cell, FoldFacts]] = {}
    for record in records:
        cell = record.cell
        if record.fold is None or record.fold.train_rows is None:
            continue
        place = (cell.digest, cell.split, cell.n_folds, cell.split_seed, cell.fold)
        other, expected = first.setdefault(place, (cell, record.fold))
        for part in ("train_rows", "test_rows"):
            rows, others = getattr(record.fold, part), getattr(expected, part)
            if rows != others:
                raise UsageError(
                    f"{cell.place}: {other.row} and {cell.row} were not measured on the same ratings ({part} "
                    f"are {others} and {rows}). Measure again what is out of date: --force ROW"
                )


def parted(records: Sequence[Record]) -> tuple[list[Record], list[Record], list[Record]]:
    """The records of one row in three: its own, other initialisations (`--repeats`), and those of another split."""
    first = records[0].cell
    own = [record for record in records if record.cell.split == first.split]
    main = [record for record in own if record.cell.seed == first.seed]
    again = [record for record in own if record.cell.seed != first.seed]
    return main, again, [record for record in records if record.cell.split != first.split]


def not_run(cell: Cell, about: RunDescription, reason: str) -> Record:
    """The record of a cell that was planned but never started."""
    return Record(cell, "not_run", reason, "", about.data, about.environment)
