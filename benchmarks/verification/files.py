"""Whether the files of a run agree.

The plan, the records, their raw answers, results.csv and the JSON in the report.
"""

import csv
import io
import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recbench.benchmarks.evaluation import limit_to_lists
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import (
    PROVENANCE,
    Cell,
    Record,
    Run,
    RunDescription,
    csv_row,
    embed_records,
    record_not_run,
    unreadable_record_error,
)
from recbench.benchmarks.verification.ledger import Ledger, format_value
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, parse_json

# What a plan has to say to be verified, and on what of the data a record and its plan agree.
ABOUT = ("data", "environment", "protocol", "reproduce")
DATA = ("users", "items", "ratings", "scale", "digest", "simulated")

# A plan that differs in more from a record was not edited, it is another plan.
MANY = 3


def check_files(run: Run, ledger: Ledger, *, has_answers: bool = True) -> list[Record]:
    """Compare all files of `run` with each other; a record for each planned cell, as `Run.records`.

    `has_answers` is False where the raw answers were left out of an archive.
    UsageError if there is no plan or no record, and for files that cannot be read at all.
    """
    cells, about = run.read_plan()
    absent = about.lacks(ABOUT)
    absent += [f"data.{name}" for name in about.data.lacks(DATA)]
    if absent:
        raise UsageError(
            f"{run.directory / 'plan.json'} lacks {', '.join(absent)}: "
            f"run `{command_to_type('run')}` again"
        )

    if not cells:
        raise UsageError(
            f"{run.directory / 'plan.json'} plans no cells, so there is nothing to verify"
        )

    stored = _read_records(run, ledger)
    _check_plan(cells, about, stored, ledger)
    records = []
    for cell in cells:
        record = stored.get(cell.name)
        if record is None:
            records.append(record_not_run(cell, about, "no record yet"))
            continue
        _check_record(cell, record, about, ledger)
        if has_answers:
            _check_answers_file(run, cell, record, ledger)
        records.append(replace(record, cell=cell))

    _remark_on_records(cells, records, stored, ledger)
    _check_results_table(run, records, about, ledger)
    _check_report(run, records, about, ledger)
    return records


def _remark_on_records(
    cells: Sequence[Cell],
    records: Sequence[Record],
    stored: Mapping[str, Record],
    ledger: Ledger,
) -> None:
    """Remark on records that are not planned, and on those of early versions."""
    planned = {cell.name for cell in cells}
    unplanned = [f"{name}.json" for name in stored if name not in planned]
    if unplanned:
        names = format_value(", ".join(unplanned))
        ledger.remarks.append(f"records that are not in the plan, and so in no table: {names}")

    n_early = sum(record.status == "ok" and is_early(record) for record in records)
    if n_early:
        ledger.remarks.append(
            "ok records as early versions wrote them, "
            f"without slices and digest of the raw answers: {n_early}"
        )


def _read_records(run: Run, ledger: Ledger) -> dict[str, Record]:
    """Every record there is, by its file's name without the ending.

    The name and the key inside are compared with what they should be. UsageError if there is no
    record, or one cannot be read.
    """
    records = {}
    for path in sorted((run.directory / "records").glob("*.json")):
        file = f"records/{path.name}"
        try:
            record, key = Record.with_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise unreadable_record_error(path, error) from None

        ledger.compare("keys", file, "key", record.cell.key, key)
        ledger.compare("keys", file, "name of the file", f"{record.cell.name}.json", path.name)
        records[path.stem] = record

    if not records:
        raise UsageError(
            f"{run.directory} holds a plan and no record, so there is nothing to verify"
        )
    return records


def _check_plan(
    cells: list[Cell], about: RunDescription, stored: Mapping[str, Record], ledger: Ledger
) -> None:
    """Whether each planned cell has a record, and what the plan says is about its cells."""
    planned = {cell.name for cell in cells}
    unplanned = [record.cell for name, record in stored.items() if name not in planned]
    first_of_split: dict[str, Cell] = {}
    for index, cell in enumerate(cells):
        place = f"cells[{index}]"
        first = first_of_split.setdefault(cell.split, cell)

        def compare(name: str, expected: Any, found: Any, place: str = place) -> None:
            ledger.compare("plan", "plan.json", f"{place}.{name}", expected, found)

        compare("dataset", about.data.name, cell.dataset)
        compare("digest", first.digest, cell.digest)
        compare("protocol", _protocol_of_row(about, cell), cell.protocol)
        for name, value in cell.given.items():
            compare(f"given.{name}", cell.parameters.get(name), value)
        if cell.name not in stored:
            _note_absent_record(place, cell, unplanned, ledger)


def _protocol_of_row(about: RunDescription, cell: Cell) -> dict[str, Any]:
    """The protocol of the run; for a row from files, as far as these can be asked."""
    if cell.external is None:
        return about.protocol
    has_lists = "lists" in cell.kinds_of_files
    evaluation = limit_to_lists(Evaluation.from_json(about.protocol), has_lists=has_lists)
    named = about.protocol["protocols"]
    return about.protocol | {"protocols": {name: named[name] for name in evaluation.protocols}}


def _note_absent_record(place: str, cell: Cell, unplanned: list[Cell], ledger: Ledger) -> None:
    """Note that a planned cell has no record.

    If one that is not planned differs in few fields, these are the findings.
    """
    nearest: list[str] = []
    for other in unplanned:
        trial = Ledger()
        trial.compare("", "plan.json", place, _key_fields(other), _key_fields(cell))
        n_different = len(trial.findings)
        is_nearer = not nearest or n_different < len(nearest)
        if n_different <= MANY and is_nearer:
            hint = f"and so no record; {other.name}.json is the nearest"
            nearest = [f"{finding}, {hint}" for finding in trial.findings]

    if nearest:
        ledger.findings += nearest
        return

    place_in_plan = f"{place} ({cell.row}, {cell.place})"
    ledger.note("plan.json", place_in_plan, f"a record {cell.name}.json", None)


def _key_fields(cell: Cell) -> dict[str, Any]:
    """The fields of a cell that its key is made from."""
    return cell.fixed_fields()


def _check_record(cell: Cell, record: Record, about: RunDescription, ledger: Ledger) -> None:
    """Compare a record with its planned cell, and with itself."""
    file = f"records/{cell.name}.json"
    ledger.compare("plan", file, "cell", _key_fields(cell), _key_fields(record.cell))
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

    _check_serving(file, record, ledger)


def _check_serving(file: str, record: Record, ledger: Ledger) -> None:
    """Whether what is said of latency is of an ok cell, and follows from its rounds."""
    if record.serving is None:
        return
    ledger.compare("costs", file, "status of a cell that was served", "ok", record.status)
    cost = record.serving.cost
    if cost is None:
        ledger.compare("costs", file, "serving.reason", True, bool(record.serving.reason))
        return
    median = statistics.median(cost.p99_of_rounds)
    ledger.compare("costs", file, "serving.cost.p99_seconds", median, cost.p99_seconds)
    is_ordered = cost.p50_seconds <= max(cost.p99_of_rounds)
    ledger.compare("costs", file, "serving.cost: p50 is below a p99", True, is_ordered)


def _check_answers_file(run: Run, cell: Cell, record: Record, ledger: Ledger) -> None:
    """Whether an ok record has its raw answers, with their digest, and another has no metrics."""
    file = f"records/{cell.name}.json"
    answers_file = f"records/{cell.name}.npz"
    if record.status != "ok":
        ledger.compare("plan", file, "metrics", {}, record.metrics)
    elif not run.has_answers(cell):
        ledger.note(answers_file, "the file", "the raw answers that an ok record promises", None)
    elif record.answers is not None:
        digest = run.digest_of_answers(cell)
        ledger.compare("digests", answers_file, "sha256 of the file", record.answers, digest)
    elif not is_early(record):
        ledger.note(file, "answers", "the sha256 of its raw answers", None)


def is_early(record: Record) -> bool:
    """Whether an ok record is of a version that kept no digest of the raw answers.

    Then it has nothing else of what came with it: no slices, certificate or fingerprints of rows.
    """
    train_rows = record.fold.train_rows if record.fold else None
    later_facts = (record.answers, record.determinism, train_rows)
    return not record.slices and all(fact is None for fact in later_facts)


def _check_results_table(
    run: Run, records: list[Record], about: RunDescription, ledger: Ledger
) -> None:
    """Compare results.csv, if it is there, with what the records would make of it.

    UsageError if it cannot be read as CSV.
    """
    path = run.directory / "results.csv"
    if not path.exists():
        return
    try:
        text = path.read_bytes().decode()
        table = csv.DictReader(io.StringIO(text, newline=""), restkey="surplus", strict=True)
        lines = list(table)
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(path, error, "run") from None

    columns = table.fieldnames or []
    if len(set(columns)) < len(columns):
        ledger.note(path.name, "columns", "each column once", "one of them twice")
    if len(lines) != len(records):
        ledger.note(path.name, "rows", len(records), len(lines))

    has_provenance = not set(PROVENANCE).isdisjoint(columns)  # which earlier versions did not write
    # Empty texts and absent ones are the same: "no value".
    pairs = zip(records, lines, strict=False)
    for number, (record, line) in enumerate(pairs, 1):
        place = f"row {number} ({record.cell.row}, {record.cell.place})"
        expected = {name: str(value) or None for name, value in csv_row(record, about).items()}
        if not has_provenance:
            expected = {name: text for name, text in expected.items() if name not in PROVENANCE}
        found = {name: value or None for name, value in line.items()}
        ledger.compare(path.name, path.name, place, expected, found)


def _check_report(run: Run, records: list[Record], about: RunDescription, ledger: Ledger) -> None:
    """Compare the JSON inside report.html, if it is there, with what the records would make of it.

    UsageError if it cannot be read.
    """
    path = run.directory / "report.html"
    if not path.exists():
        return
    try:
        html = path.read_text()
        script = re.search(
            r'<script type="application/json" id="records">(.*?)</script>', html, re.S
        )
        found = parse_json(script[1]) if script else {}
    except (OSError, ValueError) as error:
        raise _damaged(path, error, "report") from None

    if not found:
        ledger.note(path.name, "the JSON of the records", f"{len(records)} records", None)
        return

    # Through JSON, so that tuples are lists as they are in the page.
    expected = json.loads(json.dumps(embed_records(about, records)))
    ledger.compare(path.name, path.name, "", expected, found)


def _damaged(path: Path, error: Exception, command: str) -> UsageError:
    """The error to raise for a file that cannot be read, with the command that writes it again."""
    return UsageError(f"{path} is damaged: {error}. `{command_to_type(command)}` writes it again.")
