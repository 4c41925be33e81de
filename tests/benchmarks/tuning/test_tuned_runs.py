"""Runs that tune: every row twice, trials as cells, a kill in between, and their verification."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from recbench.benchmarks.api import Listener, Settings, measure_plan, parse_limits, preview_plan
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Cell, Record, Run
from recbench.benchmarks.tuning import History, find_trials, read_histories
from recbench.benchmarks.verification import Ledger, check_files, check_searches
from recbench.datasets import UsageError
from recbench.reports.results import Results
from recbench.reports.sections.occasional.tuning import tuning as describe_tuning
from tests.conftest import ROOT, RunBench

LAST_TRIAL = 23


@dataclass(frozen=True)
class Bench:
    """Tunes rows in this process, which takes milliseconds a trial."""

    table: Path

    def request(
        self, *rows: str, tune: str, split: str = "kfold", folds: int | None = 2
    ) -> Request:
        return Request(
            dataset=f"table:{self.table}", algorithms=rows, split=split, folds=folds, tune=tune
        )

    def settings(self, out: Path) -> Settings:
        limits = parse_limits("10m", None, None)
        return Settings(run=Run(out), limits=limits, debug=True)

    def tune(self, out: Path, request: Request, listener: Listener | None = None) -> list[Record]:
        return measure_plan(check_request(request), self.settings(out), "test", listener)


@pytest.fixture(scope="module")
def bench(ratings_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield Bench(ratings_file)


@pytest.fixture(autouse=True)
def _same_data(bench: Bench, _isolated: None) -> None:
    """What the module has loaded is loaded again from where it is."""


@pytest.fixture(scope="module")
def tuned(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows that can be tuned and one that cannot, on two folds, three trials each."""
    out = tmp_path_factory.mktemp("tuned") / "run"
    bench.tune(out, bench.request("user-item-bias", "ease", "global-mean", tune="3"))
    return out


@pytest.mark.slow
def test_every_row_with_numbers_is_there_twice(tuned: Path) -> None:
    records = Run(tuned).records()
    rows = list(dict.fromkeys(record.cell.row for record in records))
    assert rows == [
        "user-item-bias",
        "user-item-bias (tuned)",
        "ease",
        "ease (tuned)",
        "global-mean",
    ]
    assert {record.status for record in records} == {"ok"}

    histories = {(one.row, one.fold): one for one in read_histories(tuned)}
    assert len(histories) == 4
    for record in records:
        cell = record.cell
        if cell.tuning is not None:
            history = histories[cell.untuned_row, cell.fold]
            assert cell.parameters == history.chosen and cell.tuning["n_trials"] == 3
            assert record.fold is not None and record.fold.train == 750, "the whole training part"


def test_the_table_of_numbers_tells_tuned_rows_apart(tuned: Path) -> None:
    with (tuned / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["trials"] for line in lines] == ["", "", "3", "3", "", "", "3", "3", "", ""]
    of_tuned = [line for line in lines if line["trials"]]
    assert {line["defaults"] for line in of_tuned} == {"tuned in this run"}
    assert all("damping_users=" in line["params"] for line in of_tuned[:2])


def test_trials_are_cells_on_the_training_part_of_their_own_fold(tuned: Path) -> None:
    trials = find_trials(Run(tuned))
    cells, _ = trials.read_plan()
    assert len(cells) == 12 and {cell.tuning is None for cell in cells} == {True}
    for cell in cells:
        record = trials.read(cell)
        assert record is not None and record.status == "ok" and record.fold is not None
        assert record.fold.train + record.fold.test == 750
        assert cell.inner == ("holdout" if cell.algorithm == "user-item-bias" else "user-kfold")
    metrics = {one.row: one.metric for one in read_histories(tuned)}
    assert metrics == {"user-item-bias": "rmse", "ease": "ndcg@10"}


@pytest.mark.slow
def test_a_second_run_keeps_everything_and_more_trials_go_on_from_there(
    bench: Bench, tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(tuned, out)
    started: list[Cell] = []

    class Hearing(Listener):
        def on_start(self, cell: Cell) -> None:
            started.append(cell)

    rows = ("user-item-bias", "ease", "global-mean")
    plan = check_request(bench.request(*rows, tune="3"))
    states = {state for _, state in preview_plan(plan, bench.settings(out)).states}
    assert states == {"kept"}
    bench.tune(out, bench.request(*rows, tune="3"), Hearing())
    assert not started

    bench.tune(out, bench.request(*rows, tune="4"), Hearing())
    assert [bool(cell.inner) for cell in started] == [True] * 4 + [False] * 4
    assert all(len(history.trials) == 4 for history in read_histories(out))


def test_the_default_can_be_left_out_and_the_metric_is_that_of_the_report(
    bench: Bench, tmp_path: Path
) -> None:
    request = bench.request("item-knn", tune="3", split="holdout", folds=None)
    request = replace(request, default_trial=False, metrics=("recommenders:precision@5",))
    bench.tune(tmp_path / "run", request)
    (history,) = read_histories(tmp_path / "run")
    defaults = {name: history.parameters[name] for name in history.space}
    assert defaults not in [trial.tried for trial in history.trials]
    assert history.metric == "recommenders:precision@5"
    assert all(trial.value is not None for trial in history.trials)
    assert verify(tmp_path / "run") == []

    cells, about = Run(tmp_path / "run").read_plan()
    assert about.reproduce.endswith("--tune 3 --no-default-trial")
    assert cells[-1].tuning is not None and cells[-1].tuning["default_trial"] is False
    blocks = describe_tuning(Results.read(tmp_path / "run"))
    shown = repr(blocks)
    assert "being left out" in shown and "Ferrari Dacrema et al. 2021" in shown
    with pytest.raises(UsageError, match="--no-default-trial"):
        check_request(replace(request, tune=""))


class Killed(Exception):
    """Stands for the end of the process."""


class Killer(Listener):
    """Ends the run after so many trials."""

    def __init__(self, n_trials: int) -> None:
        self.n_left = n_trials

    def on_record(self, record: Record) -> None:
        self.n_left -= bool(record.cell.inner)
        if not self.n_left:
            raise Killed


def outcome(out: Path) -> list[tuple[History, float | None]]:
    """What was tried and chosen, times apart, and the error of the tuned row."""
    records = {r.cell.fold: r for r in Run(out).records() if r.cell.tuning is not None}
    outcomes = []
    for history in read_histories(out):
        trials = [trial.model_copy(update={"cpu_seconds": 0.0}) for trial in history.trials]
        plain = history.model_copy(update={"trials": trials})
        outcomes.append((plain, records[history.fold].metrics["rmse"]))
    return outcomes


@pytest.mark.slow
def test_a_kill_at_trial_23_and_a_resume_give_the_same_best(bench: Bench, tmp_path: Path) -> None:
    request = bench.request("user-item-bias", tune="26", split="holdout", folds=None)
    bench.tune(tmp_path / "whole", request)
    with pytest.raises(Killed):
        bench.tune(tmp_path / "killed", request, Killer(LAST_TRIAL))
    pending = [cell for cell in Run(tmp_path / "killed").read_plan()[0] if cell.is_untuned]
    assert [cell.row for cell in pending] == ["user-item-bias (tuned)"]
    bench.tune(tmp_path / "killed", request)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_failures_are_trials_and_the_default_may_fail(bench: Bench, tmp_path: Path) -> None:
    row = "numpy-sgd[n_epochs=2,learning_rate=9]"
    records = bench.tune(tmp_path / "run", bench.request(row, tune="2"))
    assert {record.status for record in records if record.cell.tuning is None} == {"diverged"}
    for history in read_histories(tmp_path / "run"):
        assert len(history.trials) == 2 and history.is_over
        assert history.trials[0].status == "diverged" and history.trials[0].value is None


def test_a_budget_of_time_is_recorded_as_the_trials_that_it_allowed(
    bench: Bench, tmp_path: Path
) -> None:
    request = bench.request("item-mean", tune="1s", split="holdout", folds=None)
    request = replace(request, tune="0.0001s")
    bench.tune(tmp_path / "run", request)
    (history,) = read_histories(tmp_path / "run")
    (cell,) = [cell for cell in Run(tmp_path / "run").read_plan()[0] if cell.tuning]
    assert cell.tuning is not None and cell.tuning["n_trials"] == len(history.trials) >= 1
    assert history.cpu_seconds >= 0.0001 > history.cpu_seconds - history.trials[-1].cpu_seconds


def test_under_a_split_by_time_trials_are_judged_by_the_latest_of_the_training_part(
    bench: Bench, tmp_path: Path
) -> None:
    bench.tune(tmp_path / "run", bench.request("item-mean", tune="1", split="time", folds=None))
    (history,) = read_histories(tmp_path / "run")
    assert history.inner == "time"
    (cell,) = find_trials(Run(tmp_path / "run")).read_plan()[0]
    record = find_trials(Run(tmp_path / "run")).read(cell)
    assert record is not None and record.fold is not None and record.fold.test == 240


def test_a_training_part_that_is_too_small_to_be_divided_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    table = tmp_path / "small.csv"
    table.write_text("user,item,rating\n" + "".join(f"{u},{u % 2},{1 + u}\n" for u in range(4)))
    request = Request(dataset=f"table:{table}", algorithms=("item-mean",), folds=4, tune="2")
    small = replace(request, split="holdout[test=3]", folds=1)
    with pytest.raises(UsageError, match="divided again by holdout"):
        Bench(table).tune(tmp_path / "run", small)
    with pytest.raises(UsageError, match="--tune"):
        check_request(replace(request, tune="fifty"))


def verify(out: Path) -> list[str]:
    ledger = Ledger()
    records = check_files(Run(out), ledger)
    check_searches(Run(out), [record.cell for record in records], ledger)
    return ledger.findings


def test_verification_finds_a_search_that_was_touched(tuned: Path, tmp_path: Path) -> None:
    assert verify(tuned) == []
    out = tmp_path / "run"
    shutil.copytree(tuned, out)
    content = json.loads((out / "tuning.json").read_text())
    content["searches"][0]["trials"][1]["value"] = 0.5
    content["searches"][2]["trials"][2]["tried"]["regularisation"] = 3.0
    content["searches"][3]["default_trial"] = False
    (out / "tuning.json").write_text(json.dumps(content))
    findings = "\n".join(verify(out))
    assert ".default_trial" in findings
    assert "trial 1, value" in findings
    assert "trials not proposed" in findings and "trial 2, tried" in findings


def test_the_report_says_what_was_chosen_and_what_it_cost(tuned: Path) -> None:
    results = Results.read(tuned)
    blocks = describe_tuning(results)
    assert blocks is not None
    shown = repr(blocks)
    for word in ("damping", "regularisation", "validation", "3 trials"):
        assert word in shown
    assert describe_tuning(Results.read(tuned / "tuning")) is None


@pytest.mark.proof
def test_a_killed_process_and_a_resume_give_the_same_best(
    ratings_file: Path, own_data: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "recbench.benchmarks.run", "--dataset"]
    command += [f"table:{ratings_file}", "--algorithm", "user-item-bias", "--split", "holdout"]
    command += ["--tune", "26", "--no-report", "--out"]
    environment = os.environ | {"RECBENCH_DATA": str(own_data), "PYTHONPATH": str(ROOT)}
    run = partial(subprocess.run, env=environment, check=True, capture_output=True)
    run([*command, str(tmp_path / "whole")])

    killed = tmp_path / "killed"
    process = subprocess.Popen([*command, str(killed)], env=environment, stdout=subprocess.DEVNULL)
    while len(list((killed / "tuning" / "records").glob("*.json"))) < LAST_TRIAL:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    run([*command, str(killed)])
    assert outcome(killed) == outcome(tmp_path / "whole")
    assert verify(killed) == []


@pytest.mark.slow
def test_the_command_tunes_and_what_it_leaves_verifies(
    run_bench: RunBench, ratings_file: Path, tmp_path: Path
) -> None:
    arguments = ["--dataset", f"table:{ratings_file}", "--algorithm", "ease", "--folds", "2"]
    arguments += ["--tune", "2", "--jobs", "2", "--out", str(tmp_path / "run")]
    shown = run_bench(*arguments, check=0).stdout
    assert "tuning: 2 searches, trial 1 of 2" in shown and "4 of 4 cells ok" in shown
    assert verify(tmp_path / "run") == []
    assert "ease (tuned)" in (tmp_path / "run" / "report.md").read_text()
