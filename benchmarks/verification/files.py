"""Whether the files of a run agree: the plan, the records, their raw answers, results.csv and the report's JSON."""

import csv
import hashlib
import io
import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from recbench.benchmarks.records import (
    Cell,
    Record,
    Run,
    RunDescription,
    embedded,
    not_run,
    row,
    unreadable_record,
)
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError

ABOUT = ("data", "environment", "protocol", "reproduce")  # what a plan has to say to be verified
NAMES = ("dataset", "given")  # of a cell's fields those that its key leaves out
DATA = (
    "users",
    "items",
    "ratings",
    "scale",
    "digest",
    "simulated",
)  # what a record and its plan agree on
MANY = 3  # a plan that differs in more from a record was not edited, it is another plan
LONGEST = 80


@dataclass
class Ledger:
    """What was compared, counted by kind, every discrepancy in a line, and what else a reader should know."""

    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)

    def compare(
        self,
        kind: str,
        file: str,
        place: str,
        expected: Any,
        found: Any,
        tolerance: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Two values as JSON has them, entry by entry; what is absent is null. `tolerance`: relative, absolute."""
        if isinstance(expected, Mapping) and isinstance(found, Mapping):
            for name in {**expected, **found}:
                inside = f"{place}.{name}" if place else name
                self.compare(kind, file, inside, expected.get(name), found.get(name), tolerance)
        elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
            for index, pair in enumerate(zip(expected, found, strict=True)):
                self.compare(kind, file, f"{place}[{index}]", *pair, tolerance)
        else:
            self.compared[kind] += 1
            if not _same(expected, found, *tolerance):
                self.note(file, place, expected, found)

    def note(self, file: str, place: str, expected: Any, found: Any) -> None:
        """A discrepancy."""
        self.findings.append(f"{file}: {place}: expected {_shown(expected)}, found {_shown(found)}")


def _same(expected: Any, found: Any, relative: float, absolute: float) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return expected == found or math.isclose(
            expected, found, rel_tol=relative, abs_tol=absolute
        )
    return bool(expected == found)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = (
        f"{len(value)} entries"
        if isinstance(value, list)
        else value
        if isinstance(value, str)
        else repr(value)
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def check_files(run: Run, ledger: Ledger) -> list[Record]:
    """Compare all files of `run` with each other; a record for each planned cell, as `Run.records`.

    UsageError if there is no plan or no record, and for files that cannot be read at all.
    """
    cells, about = run.read_plan()
    absent = about.lacks(ABOUT)
    absent += [f"data.{name}" for name in about.data.lacks(DATA)]
    if absent:
        raise UsageError(
            f"{run.directory / 'plan.json'} lacks {', '.join(absent)}: run "
            f"`{command_to_type('run')}` again"
        )
    found = _read_records(run, ledger)
    _plan(cells, about, found, ledger)
    records = []
    for cell in cells:
        record = found.get(cell.name)
        if record is not None:
            _record(run, cell, record, about, ledger)
        records.append(
            replace(record, cell=cell) if record else not_run(cell, about, "no record yet")
        )
    planned = {cell.name for cell in cells}
    if spare := [f"{name}.json" for name in found if name not in planned]:
        ledger.remarks.append(
            f"records that are not in the plan, and so in no table: {_shown(', '.join(spare))}"
        )
    if early := sum(record.status == "ok" and is_early(record) for record in records):
        ledger.remarks.append(
            f"ok records as early versions wrote them, without slices and digest of the raw answers: {early}"
        )
    _results(run, records, ledger)
    _report(run, records, about, ledger)
    return records


def _read_records(run: Run, ledger: Ledger) -> dict[str, Record]:
    """Every record there is, by its file's name, which like the key inside it is compared with what it should be."""
    found = {}
    for path in sorted((run.directory / "records").glob("*.json")):
        file = f"records/{path.name}"
        try:
            record, key = Record.with_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise unreadable_record(path, error) from None
        ledger.compare("keys", file, "key", record.cell.key, key)
        ledger.compare("keys", file, "name of the file", f"{record.cell.name}.json", path.name)
        found[path.stem] = record
    if not found:
        raise UsageError(
            f"{run.directory} holds a plan and no record, so there is nothing to verify"
        )
    return found


def _plan(
    cells: list[Cell], about: RunDescription, found: Mapping[str, Record], ledger: Ledger
) -> None:
    """Whether each planned cell has a record, and the plan's words are about its cells."""
    planned, firsts = {cell.name for cell in cells}, dict[str, Cell]()
    spare = [record.cell for name, record in found.items() if name not in planned]
    for index, cell in enumerate(cells):
        place = f"cells[{index}]"
        ledger.compare("plan", "plan.json", f"{place}.dataset", about.data.name, cell.dataset)
        ledger.compare(
            "plan",
            "plan.json",
            f"{place}.digest",
            firsts.setdefault(cell.split, cell).digest,
            cell.digest,
        )
        ledger.compare("plan", "plan.json", f"{place}.protocol", about.protocol, cell.protocol)
        for name, value in cell.given.items():
            ledger.compare(
                "plan", "plan.json", f"{place}.given.{name}", cell.parameters.get(name), value
            )
        if cell.name not in found:
            _without_record(place, cell, spare, ledger)


def _without_record(place: str, cell: Cell, spare: list[Cell], ledger: Ledger) -> None:
    """Say that a planned cell has no record, by the fields in which it differs from one that is not planned."""
    nearest: list[str] | None = None
    for other in spare:
        trial = Ledger()
        trial.compare("", "plan.json", place, _fixed(other), _fixed(cell))
        if len(trial.findings) <= MANY and (nearest is None or len(trial.findings) < len(nearest)):
            nearest = [
                f"{finding}, and so no record; {other.name}.json is the nearest"
                for finding in trial.findings
            ]
    if nearest:
        ledger.findings += nearest
    else:
        ledger.note(
            "plan.json", f"{place} ({cell.row}, {cell.place})", f"a record {cell.name}.json", None
        )


def _fixed(cell: Cell) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if name not in NAMES}


def _record(run: Run, cell: Cell, record: Record, about: RunDescription, ledger: Ledger) -> None:
    """A record beside its planned cell, the plan's words on the data, its own costs, and its raw answers' digest."""
    file = f"records/{cell.name}.json"
    ledger.compare("plan", file, "cell", _fixed(cell), _fixed(record.cell))
    for name, value in record.cell.given.items():
        ledger.compare("plan", file, f"cell.given.{name}", cell.parameters.get(name), value)
    planned = about.data.to_json()
    described = record.data.to_json()
    for name in DATA:
        ledger.compare("plan", file, f"data.{name}", planned.get(name), described.get(name))
    threads = record.environment.to_json().get("threads")
    ledger.compare("plan", file, "environment.threads", cell.threads, threads)
    for phase, costs in record.costs.items():
        median = statistics.median(costs.samples or [math.nan])
        ledger.compare("costs", file, f"costs.{phase}.seconds", median, costs.seconds)
    if record.status != "ok":
        ledger.compare("plan", file, "metrics", {}, record.metrics)
    elif not run.has_answers(cell):
        ledger.note(
            f"records/{cell.name}.npz",
            "the file",
            "the raw answers that an ok record promises",
            None,
        )
    elif record.answers is None and not is_early(record):
        ledger.note(file, "answers", "the sha256 of its raw answers", None)
    elif record.answers is not None:
        digest = hashlib.sha256(run.path(cell, ".npz").read_bytes()).hexdigest()
        ledger.compare(
            "digests", f"records/{cell.name}.npz", "sha256 of the file", record.answers, digest
        )


def is_early(record: Record) -> bool:
    """Whether an ok record is of a version that kept no digest: then it has nothing else of what came with it."""
    later = (record.answers, record.determinism, record.fold and record.fold.train_rows)
    return not record.slices and all(value is None for value in later)


def _results(run: Run, records: list[Record], ledger: Ledger) -> None:
    """results.csv, if it is there, beside what the records would make of it."""
    path = run.directory / "results.csv"
    if not path.exists():
        return
    try:
        table = csv.DictReader(
            io.StringIO(path.read_bytes().decode(), newline=""), restkey="surplus", strict=True
        )
        lines = list(table)
    except (ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} is damaged: {error}. `{command_to_type('run')}` writes it again."
        ) from None
    if len(lines) != len(records):
        ledger.note(path.name, "rows", len(records), len(lines))
    for number, (record, line) in enumerate(zip(records, lines, strict=False), 1):
        expected = {name: str(value) or None for name, value in row(record).items()}
        found = {name: value or None for name, value in line.items()}
        ledger.compare(
            path.name,
            path.name,
            f"row {number} ({record.cell.row}, {record.cell.place})",
            expected,
            found,
        )


def _report(run: Run, records: list[Record], about: RunDescription, ledger: Ledger) -> None:
    """The JSON inside report.html, if there is a report, beside what the records would make of it."""
    path = run.directory / "report.html"
    if not path.exists():
        return
    try:
        html = path.read_text()
        found = re.search(
            r'<script type="application/json" id="records">(.*?)</script>', html, re.S
        )
        held = json.loads(found[1]) if found else {}
    except ValueError as error:
        raise UsageError(
            f"{path} is damaged: {error}. `{command_to_type('report')}` writes it again."
        ) from None
    expected = json.loads(json.dumps(embedded(about, records)))
    if held:
        ledger.compare(path.name, path.name, "", expected, held)
    else:
        ledger.note(path.name, "the JSON of the records", f"{len(records)} records", None)
