"""Records, and the directory of a run: its plan, one JSON a cell, and the raw answers beside it."""

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from recbench.benchmarks.evaluation import RawScores, Slice
from recbench.benchmarks.records.arrays import UNREADABLE_ARRAYS, read_arrays
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.facts import (
    CellCost,
    ColdStart,
    DataDescription,
    Environment,
    FoldFacts,
    FoldInCost,
    PhaseCost,
    RunDescription,
    Serving,
)
from recbench.benchmarks.records.schema import (
    SCHEMA,
    STATUSES,
    UNREADABLE,
    refuse_schema,
    unreadable_plan_error,
    unreadable_record_error,
)
from recbench.command import command_to_type
from recbench.datasets.foundation import LONGEST_LINE, UsageError, make_legible, parse_json
from recbench.datasets.storage import digest_of, write_atomically

LONGEST_REASON = 2000  # characters


@dataclass(frozen=True)
class Record:
    """What became of a cell.

    Numbers are unrounded; `metrics` and `costs` are empty unless the status is ok.
    """

    cell: Cell
    status: str  # one of STATUSES
    reason: str | None  # why it is not ok
    started: str  # ISO 8601, UTC
    data: DataDescription
    environment: Environment
    costs: dict[str, PhaseCost] = field(default_factory=dict)  # by phase
    metrics: dict[str, float | None] = field(default_factory=dict)
    trace: list[dict[str, float | None]] = field(default_factory=list)  # an entry an epoch
    determinism: Certificate | None = None  # None: not measured, or nothing to compare
    # From the run's request to the cell's first line: the harness's own cost
    start_seconds: float | None = None
    slices: list[Slice] = field(default_factory=list)
    # "scale": it was given stars from 1 to 5 for the ratings of the data, see `adapters.shared`
    units: Literal["data", "scale"] | None = None
    raw_scores: RawScores | None = None
    # Of a fixed piece of work, just before the fit: how fast the machine was; mean over rounds
    kernel_seconds: float | None = None
    cold: ColdStart | None = None  # None: not warmed up, or older than the fact
    fold_in: FoldInCost | None = None  # None: no user was new, or nobody asked for times
    whole: CellCost | None = None  # of the first round; None: older than the fact
    serving: Serving | None = None  # None: nobody asked for it, see `--latency`
    rounds: int = 1  # how often all phases were measured, see `--rounds`
    lost_round: str | None = None  # why a later round has given no times
    answers: str | None = None  # sha256 of the file with its raw answers
    evaluation: str | None = None  # the code that made the metrics, see `evaluation_source`
    log: str | None = None  # the file beside the record with what a cell that failed has printed
    attempts: int = 1  # workers of a cluster that it took: the others were lost
    schema: int = SCHEMA
    fold: FoldFacts | None = None  # None: the cell failed before the data were divided

    def __post_init__(self) -> None:
        """What an algorithm has written, its reason and the names in its trace, is made legible."""
        if self.reason is not None:
            reason = make_legible(self.reason, longest=LONGEST_REASON)
            object.__setattr__(self, "reason", reason)
        if self.trace:
            object.__setattr__(self, "trace", [_name_legibly(point) for point in self.trace])

    @property
    def peak_mb(self) -> float | None:
        """The greatest memory peak of all phases, in MB; None where it was not measured."""
        peaks = [cost.peak_mb for cost in self.costs.values() if cost.peak_mb is not None]
        return max(peaks, default=None)

    def with_round(self, later: "Record") -> "Record":
        """This record with the times of a later round, in which the cell was measured again.

        Answers and metrics are those of the first round. A round in which the cell failed is noted.
        """
        if later.status != "ok":
            return replace(self, lost_round=f"{later.status}: {later.reason}")

        costs = dict(self.costs)
        for phase, cost in later.costs.items():
            costs[phase] = costs[phase].joined(cost) if phase in costs else cost
        environment = self.environment
        for name in ("load", "steal"):
            known = [getattr(one.environment, name) for one in (self, later)]
            highest = max((value for value in known if value is not None), default=None)
            environment = environment.replaced(**{name: highest})
        if later.environment.contended:
            environment = environment.replaced(contended=True)
        kernel_seconds = self.kernel_seconds
        if kernel_seconds is not None and later.kernel_seconds is not None:
            total = kernel_seconds * self.rounds + later.kernel_seconds
            kernel_seconds = total / (self.rounds + 1)
        return replace(
            self,
            costs=costs,
            environment=environment,
            kernel_seconds=kernel_seconds,
            rounds=self.rounds + 1,
            lost_round=None,
        )

    def seconds(self, phase: str) -> float | None:
        """The wall time of a phase, the median of its samples; None if it was not reached."""
        cost = self.costs.get(phase)
        return cost.seconds if cost else None

    def to_json(self) -> bytes:
        """The bytes that are written: sorted keys, unrounded. ValueError for NaN and infinity."""
        text = json.dumps(self.to_dict(), sort_keys=True, indent=1, allow_nan=False)
        return f"{text}\n".encode()

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them, with the key.

        On disk, the facts about the fold stand among those about the data.
        """
        content = {column.name: getattr(self, column.name) for column in fields(self)}
        content["key"] = self.cell.key
        content["cell"] = asdict(self.cell)

        content["data"] = self.data.to_json()
        del content["fold"]
        if self.fold is not None:
            content["data"] |= self.fold.to_json()

        content["environment"] = self.environment.to_json()
        content["costs"] = {phase: cost.to_json() for phase, cost in self.costs.items()}
        content["cold"] = self.cold.to_json() if self.cold else None
        content["fold_in"] = self.fold_in.to_json() if self.fold_in else None
        content["whole"] = self.whole.to_json() if self.whole else None
        content["serving"] = self.serving.to_json() if self.serving else None
        content["slices"] = [group.to_json() for group in self.slices]
        if self.raw_scores is not None:
            content["raw_scores"] = self.raw_scores.to_json()
        if self.determinism is not None:
            content["determinism"] = self.determinism.to_json()
        return content

    @staticmethod
    def from_json(text: str | bytes) -> "Record":
        """The inverse of `to_json`.

        ValueError for another schema, damaged content, and a key that is not that of the cell.
        """
        record, key = Record.with_key(text)
        if record.cell.key != key:
            raise ValueError(f"expected key {record.cell.key}, got {key}")
        return record

    @staticmethod
    def with_key(text: str | bytes) -> "tuple[Record, object]":
        """A record, and the key written in it, which need not be its cell's.

        ValueError for another schema and for damaged content.
        """
        content = parse_json(text)
        schema = content.get("schema") if isinstance(content, dict) else None
        refuse_schema(schema, "record")
        try:
            record = _RECORD.validate_python(_with_fold_apart(content))
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"not a record: {first['loc']}: {first['msg']}") from None

        missing = record.data.lacks(["digest", "name", "simulated"])
        if missing:
            raise ValueError(f"not a record: its data lack {', '.join(missing)}")
        if record.status not in STATUSES:
            raise ValueError(f"expected a known status, got {record.status}")
        return record, content.get("key")


_RECORD = TypeAdapter(Record)
_CELLS = TypeAdapter(list[Cell])
_FOLD_FACTS = FoldFacts.model_fields.keys()


def describe_schema() -> dict[str, Any]:
    """The JSON Schema of a record's file, made from the classes that read it.

    The facts about the fold stand among those about the data there, and the key beside the cell.
    """
    schema = _RECORD.json_schema(mode="validation")
    properties = schema["properties"]
    del properties["fold"]
    properties["key"] = {"type": "string", "description": "the cell's, twelve hexadecimal digits"}
    properties["status"]["enum"] = list(STATUSES)

    definitions = schema["$defs"]
    fold_facts = definitions.pop("FoldFacts")["properties"]
    definitions["DataDescription"]["properties"] |= fold_facts
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "recbench record",
        **{name: value for name, value in schema.items() if name != "title"},
        "required": [*schema["required"], "key", "schema"],
    }


def _with_fold_apart(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a record's file with the facts about the fold moved from `data` to `fold`.

    `fold` is None without any. Content whose `data` are no object is given back as it is.
    """
    written = content.get("data")
    if not isinstance(written, dict):
        return content

    data = {}
    fold = {}
    for name, value in written.items():
        if name in _FOLD_FACTS:
            fold[name] = value
        else:
            data[name] = value
    return content | {"data": data, "fold": fold or None}


def _name_legibly(point: Mapping[str, float | None]) -> dict[str, float | None]:
    """A point of a trace with names that can be shown in a line."""
    return {
        make_legible(str(name), longest=LONGEST_LINE, keeps_lines=False): value
        for name, value in point.items()
    }


@dataclass(frozen=True)
class Run:
    """A directory of results: `plan.json`, `records/` and what is made from them."""

    directory: Path

    def path(self, cell: Cell, ending: str = ".json") -> Path:
        """Where the cell's record (.json), raw answers (.npz) or log (.log) is."""
        return self.directory / "records" / f"{cell.name}{ending}"

    def write(self, record: Record, answers: Mapping[str, Any] | None = None) -> Record:
        """Keep `record`, as it comes back; its raw answers first, since a record promises them.

        Without `answers`, those of an earlier record of the cell go.
        """
        path = self.path(record.cell, ".npz")
        if answers is None:
            path.unlink(missing_ok=True)
        else:
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **answers)
            content = buffer.getvalue()
            write_atomically(path, content)
            record = replace(record, answers=hashlib.sha256(content).hexdigest())
        write_atomically(self.path(record.cell), record.to_json())
        return record

    def rewrite(self, record: Record) -> None:
        """Keep `record` beside the raw answers that its cell has already."""
        write_atomically(self.path(record.cell), record.to_json())

    def read(self, cell: Cell) -> Record | None:
        """The record of `cell`; None if there is none. UsageError, naming it, if it is damaged."""
        path = self.path(cell)
        try:
            return Record.from_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise unreadable_record_error(path, error) from None

    def has_answers(self, cell: Cell) -> bool:
        """Whether there is an archive where the raw answers of an ok record belong."""
        path = self.path(cell, ".npz")
        return path.is_file() and zipfile.is_zipfile(path)

    def has_answers_of(self, record: Record) -> bool:
        """Whether the raw answers are those that `record` was written with, to the bit.

        Records of early versions do not say which these are: any archive serves.
        """
        if not self.has_answers(record.cell):
            return False
        return record.answers is None or record.answers == self.digest_of_answers(record.cell)

    def digest_of_answers(self, cell: Cell) -> str:
        """The sha256 of the raw answers of a cell. OSError if they cannot be read."""
        return digest_of(self.path(cell, ".npz"), "sha256")

    def answers(self, cell: Cell, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The raw answers of a cell by name, or those of `names`, whoever wrote them.

        UsageError, naming the file, if it is gone or damaged.
        """
        path = self.path(cell, ".npz")
        try:
            return read_arrays(path, names)
        except UNREADABLE_ARRAYS as error:
            raise _unusable_answers_error(path, str(error)) from None

    def answers_of(self, record: Record, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The raw answers that `record` was written with, by name, or those of `names`.

        UsageError, naming the file, if it is gone, damaged or another.
        """
        if self.has_answers(record.cell) and not self.has_answers_of(record):
            path = self.path(record.cell, ".npz")
            raise _unusable_answers_error(path, "it is not the file that its record was made with")
        return self.answers(record.cell, names)

    def write_plan(self, cells: Iterable[Cell], about: RunDescription) -> None:
        """Keep the plan, so that a report shows its cells and no others.

        UsageError if the directory cannot be written.
        """
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
        """The planned cells, and what the plan says about itself.

        UsageError if this is no results directory, and for a damaged plan.
        """
        path = self.directory / "plan.json"
        try:
            plan = parse_json(path.read_bytes())
            refuse_schema(plan["schema"], "plan")
            cells = [Cell(**cell) for cell in plan["cells"]]
            _CELLS.validate_python(plan["cells"])
            return cells, RunDescription.model_validate(plan["about"])
        except (OSError, *UNREADABLE) as error:
            raise unreadable_plan_error(path, error) from None

    def records(self) -> list[Record]:
        """One record for each planned cell, in the plan's order.

        Those without one have that of `record_not_run`, with the reason.

        UsageError, naming file and key, if they are not all about the same data.
        """
        cells, about = self.read_plan()
        by_cell = [(cell, self.read(cell)) for cell in cells]
        self._refuse_mixed_data(by_cell, about)

        records = [_record_of_plan(cell, record, about) for cell, record in by_cell]
        _refuse_mixed_folds(records)
        return records

    def every_record(self) -> list[Record]:
        """All records of the directory that can be read, of its plan or of an earlier one."""
        found = []
        for path in sorted((self.directory / "records").glob("*.json")):
            with contextlib.suppress(OSError, ValueError):  # who plans the cell is told
                found.append(Record.from_json(path.read_bytes()))
        return found

    def _refuse_mixed_data(
        self, by_cell: Iterable[tuple[Cell, Record | None]], about: RunDescription
    ) -> None:
        """UsageError unless each split has one digest, and the records have that of the plan."""
        plan = self.directory / "plan.json"
        digest_of_data = about.data.digest  # empty in early plans
        first_digests: dict[str, str] = {}  # by split, of its first cell
        for cell, record in by_cell:
            expected = first_digests.setdefault(cell.split, cell.digest)
            self._refuse_other_digest(plan, cell, expected, cell.digest)

            if record is not None and digest_of_data:
                path = self.path(cell)
                self._refuse_other_digest(path, cell, digest_of_data, record.data.digest)

    def _refuse_other_digest(self, path: Path, cell: Cell, expected: str, digest: str) -> None:
        """UsageError, naming the file at `path`, unless both digests are the same."""
        if digest == expected:
            return
        raise UsageError(
            f"{path} mixes data: the digest of {cell.name} is {digest[:12]}, that of the run "
            f"{expected[:12]}. Run `{command_to_type('run')}` again with a directory of its own "
            "(--out)."
        )


def _unusable_answers_error(path: Path, problem: str) -> UsageError:
    """The error to raise about raw answers that do not serve."""
    return UsageError(
        f"{path} cannot be read ({problem}): run `{command_to_type('run')}` to measure it again"
    )


def _record_of_plan(cell: Cell, record: Record | None, about: RunDescription) -> Record:
    """`record`, under the names that the plan has for its cell; or one that says why it has none.

    Where a run that was to evaluate its kept cells again was stopped before it came to this one,
    the metrics are not those of the plan.
    """
    if record is None:
        return record_not_run(cell, about, "no record yet")
    plan_says = about.evaluation is not None  # earlier plans do not
    if plan_says and record.status == "ok" and record.evaluation != about.evaluation:
        reason = "its metrics were made by other code than the plan's: run it again"
        return record_not_run(cell, about, reason)
    return replace(record, cell=cell)


def _refuse_mixed_folds(records: Iterable[Record]) -> None:
    """UsageError if two cells of one fold were trained or tested on different ratings.

    Then nothing can be compared. Records of before rows were noted pass.
    """
    first_of_fold: dict[tuple[object, ...], tuple[Cell, FoldFacts]] = {}
    for record in records:
        cell = record.cell
        if record.fold is None or record.fold.train_rows is None:
            continue
        place = (
            cell.digest,
            cell.split,
            cell.n_folds,
            cell.split_seed,
            cell.fold,
            cell.inner,
        )
        other, expected = first_of_fold.setdefault(place, (cell, record.fold))
        for part in ("train_rows", "test_rows", "history_rows"):
            rows = getattr(record.fold, part)
            others = getattr(expected, part)
            if rows != others:
                raise UsageError(
                    f"{cell.place}: {other.row} and {cell.row} were not measured on the same "
                    f"ratings ({part} are {others} and {rows}). Measure again what is out of date: "
                    "--force ROW"
                )


def group_by_role(records: Sequence[Record]) -> tuple[list[Record], list[Record], list[Record]]:
    """The records of one row in three, each in their order.

    First those with split and seed of the first record; then its other initialisations, see
    `--repeats`; then those of another split, see `--also-split`.
    """
    first = records[0].cell
    main = []
    initialisations = []
    of_other_split = []
    for record in records:
        if record.cell.split != first.split:
            of_other_split.append(record)
        elif record.cell.seed != first.seed:
            initialisations.append(record)
        else:
            main.append(record)
    return main, initialisations, of_other_split


def record_not_run(cell: Cell, about: RunDescription, reason: str) -> Record:
    """The record of a cell that was planned but never started."""
    return Record(
        cell=cell,
        status="not_run",
        reason=reason,
        started="",
        data=about.data,
        environment=about.environment,
    )
