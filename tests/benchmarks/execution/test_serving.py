"""What serving would cost: measured beside a cell, in its process, and never at its expense."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from recbench.benchmarks.api import Comparison, Settings, measure_plan, parse_limits
from recbench.benchmarks.execution.fork_pool import ForkPool
from recbench.benchmarks.execution.in_process import InProcess
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.models import latency, serving
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Record, Run, Serving
from recbench.benchmarks.verification import Ledger, check_files
from tests.benchmarks.execution.conftest import MakeJobs

MURDERS = {
    "faulty-unservable[way=exits]": "crashed: in serve: the process left with exit code 7",
    "faulty-unservable[way=devours]": "out_of_memory: used ",
}
FAILURES = {
    "faulty-unservable": "failed: RuntimeError: nothing to remember",
    "faulty-forgets": "faulty-forgets cannot be saved: fit has left memory",
}


def served(jobs_of: MakeJobs, *rows: str, **limits: float) -> list[Job]:
    return [replace(job, is_served=True) for job in jobs_of(*rows, **limits)]


def check_cell(record: Record, reason: str) -> None:
    """Its numbers stay, with the reason why there is no latency."""
    assert (record.status, record.reason) == ("ok", None)
    assert record.metrics and record.costs
    assert record.serving is not None and record.serving.cost is None
    assert record.serving.reason.startswith(reason)


@pytest.mark.slow
def test_a_process_that_dies_while_it_is_served_costs_the_cell_nothing(
    pool: ForkPool, jobs_of: MakeJobs, tmp_path: Path
) -> None:
    records = list(pool.execute(served(jobs_of, *MURDERS, "item-mean", memory_mb=1500)))
    by_row = {record.cell.row: record for record in records}
    for row, reason in MURDERS.items():
        check_cell(by_row[row], reason)

    good = by_row["item-mean"]
    assert good.serving is not None and good.serving.cost is not None
    assert good.serving.cost.users == latency.N_DRAWN
    run = Run(tmp_path / "out")
    for record in records:
        assert run.read(record.cell) == record
        assert run.has_answers_of(record)
    endings = {path.suffix for path in (tmp_path / "out" / "records").iterdir()}
    assert endings == {".json", ".npz"}, "no model is left"


def test_a_row_that_cannot_be_saved_says_why(jobs_of: MakeJobs) -> None:
    records = list(InProcess(threads=1).execute(served(jobs_of, *FAILURES)))
    for record, reason in zip(records, FAILURES.values(), strict=True):
        check_cell(record, reason)


@pytest.mark.proof
def test_a_model_that_hangs_ends_with_the_time_limit_of_its_cell(
    pool: ForkPool, jobs_of: MakeJobs
) -> None:
    [job] = served(jobs_of, "faulty-unservable[way=hangs]", seconds=30)
    [record] = pool.execute([job])
    beginning = "timeout: took longer than the time limit of 30 s, in serve, at faulty.py:"
    check_cell(record, beginning)


# A run that is repeated


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("N_DRAWN", "N_IN_BULK"):
        monkeypatch.setattr(latency, name, 10)
    monkeypatch.setattr(serving, "N_LOADS", 1)


def measure_in_process(out: Path, file: Path, *, is_asked: bool) -> list[Record]:
    request = Request(
        dataset=f"table:{file}",
        algorithms=("item-mean", "popularity"),
        folds=2,
        latency=is_asked,
        repeats=2,
    )
    settings = Settings(run=Run(out), limits=parse_limits("10m", None, None), debug=True)
    return measure_plan(check_request(request), settings, "test", None)


def starts_of(records: list[Record]) -> dict[str, str]:
    return {record.cell.name: record.started for record in records}


def test_a_run_that_is_repeated_with_latency_measures_what_it_lacks(
    ratings_file: Path, tmp_path: Path, quick_rounds: None
) -> None:
    """The first fold of each row, once; then it is kept, asked for or not."""
    out = tmp_path / "run"
    without = measure_in_process(out, ratings_file, is_asked=False)
    assert all(record.serving is None for record in without)

    records = measure_in_process(out, ratings_file, is_asked=True)
    asked = [record for record in records if record.serving is not None]
    assert [(record.cell.row, record.cell.place) for record in asked] == [
        ("item-mean", "fold 0"),
        ("popularity", "fold 0"),
    ]
    before = starts_of(without)
    for record in records:
        is_same = record.started == before[record.cell.name]
        assert is_same == (record.serving is None)
    assert [record.answers for record in records] == [record.answers for record in without]

    for is_asked in (True, False):
        again = measure_in_process(out, ratings_file, is_asked=is_asked)
        assert starts_of(again) == starts_of(records)
        assert again == records

    with (out / "results.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["latency_p99_seconds"]]
    assert [line["algorithm"] for line in lines] == ["item-mean", "popularity"]
    assert float(lines[0]["model_mb"]) > 0 and lines[0]["latency_users"] == "10"
    table = Comparison(out).table()
    assert (table["latency_p50_seconds"] <= table["latency_p99_seconds"]).all()

    ledger = Ledger()
    check_files(Run(out), ledger)
    assert not ledger.findings
    Run(out).rewrite(with_other_tail(asked[0]))
    ledger = Ledger()
    check_files(Run(out), ledger)
    assert any("serving.cost.p99_seconds" in finding for finding in ledger.findings)


def with_other_tail(record: Record) -> Record:
    assert record.serving is not None and record.serving.cost is not None
    cost = record.serving.cost.replaced(p99_seconds=1e-9)
    return replace(record, serving=Serving(cost=cost))
