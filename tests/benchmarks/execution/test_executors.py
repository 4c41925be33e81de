"""The seam: what a job is, what executors make of it, and cells in the process, to be debugged."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recbench import datasets
from recbench.adapters.baselines import ItemMean
from recbench.benchmarks import planning as plan
from recbench.benchmarks.execution import Job, Limits, describe_environment, make_jobs
from recbench.benchmarks.execution.executor import open_executor
from recbench.benchmarks.execution.in_process import InProcess
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.record import Run
from tests.conftest import ROOT, RunBench
from tests.forked_commands import Commands

PLUGIN = '''
import os
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from recbench.adapters.base import Recommender

class _Constant(Recommender):
    family = "halting"
    predicts = "ratings"

    def fit(self, data, seed):
        pass

    def score(self, users, items):
        return np.full(len(users), 3.0, np.float32)

@dataclass(eq=False)
class Halts(_Constant):
    """Stops in fit."""

    name = "halting-stops"

    def fit(self, data, seed):
        secret = 6 * 7
        breakpoint()
        self.known_ = secret

@dataclass(eq=False)
class Prints(_Constant):
    """Prints in fit."""

    name = "halting-prints"

    def fit(self, data, seed):
        print("fitting", len(data), "ratings of", data.n_users, "users")

@dataclass(eq=False)
class Raises(_Constant):
    """Raises deep below fit, while there is a certain file."""

    name = "halting-raises"

    def fit(self, data, seed):
        self._level(6)

    def _level(self, n):
        if n:
            return self._level(n - 1)
        if Path(os.environ["TROUBLE"]).exists():
            print("here is the trouble")
            raise ValueError("too deep")

@dataclass(eq=False)
class Leaves(_Constant):
    """Ends its process."""

    name = "halting-leaves"

    def fit(self, data, seed):
        raise SystemExit(5)

def hook():
    print("somebody may look around here")
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A directory with the plug-in above."""
    directory = tmp_path / "plugins"
    directory.mkdir()
    (directory / "halting.py").write_text(PLUGIN)
    return directory


def arguments(ratings_file: Path, out: Path, *rows: str) -> list[str]:
    chosen = [part for row in rows for part in ("--algorithm", row)]
    dataset = ["--dataset", f"table:{ratings_file}", "--folds", "2", "--no-report"]
    return [*dataset, *chosen, "--plugin", "halting", "--out", str(out)]


Debug = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def debug(commands: Commands, plugin: Path, own_data: Path) -> Debug:
    """A run with --debug, with what is typed into it."""

    def run(
        options: list[str], typed: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        own = {"PYTHONPATH": str(plugin), "RECBENCH_DATA": str(own_data)}
        more = os.environ | own | environment
        return commands.run("benchmarks.run", [*options, "--debug"], more, typed=typed)

    return run


def test_a_breakpoint_stops_once_a_cell_and_prints_are_seen(
    ratings_file: Path, debug: Debug, tmp_path: Path
) -> None:
    options = arguments(ratings_file, tmp_path / "out", "halting-stops", "halting-prints")
    result = debug(options, typed="p secret + 1\nc\np secret + 2\nc\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "(Pdb) 43" in result.stdout and "(Pdb) 44" in result.stdout
    assert result.stdout.count("fitting 750 ratings of 80 users") == 2, "no toy, no repetition"
    assert "[1/4] halting-stops fold 0: ok" in result.stdout

    records = Run(tmp_path / "out").records()
    assert [record.status for record in records] == ["ok"] * 4
    for record in records:
        assert record.environment.in_process
        assert record.environment.contended, "no gate compares its times"
        assert not record.environment.bound
        assert len(record.costs["fit"].samples) == 1
        assert record.determinism is None


def test_the_hook_of_the_user_s_choice_is_called(
    ratings_file: Path, debug: Debug, tmp_path: Path
) -> None:
    options = arguments(ratings_file, tmp_path / "out", "halting-stops")
    result = debug(options, PYTHONBREAKPOINT="halting.hook")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("somebody may look around here") == 2


def test_who_leaves_the_debugger_ends_the_run_without_a_record(
    ratings_file: Path, debug: Debug, tmp_path: Path
) -> None:
    options = arguments(ratings_file, tmp_path / "out", "global-mean", "halting-stops")
    result = debug(options, typed="q\n")
    assert result.returncode == 130, result.stdout + result.stderr
    assert "the same command goes on from here" in result.stderr
    names = [path.name for path in (tmp_path / "out" / "records").iterdir()]
    assert len([name for name in names if name.endswith(".json")]) == 2
    assert all(name.startswith("global-mean-") for name in names)


def test_an_exception_is_shown_whole_and_the_cell_has_failed(
    ratings_file: Path, debug: Debug, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = arguments(ratings_file, out, "halting-raises", "halting-leaves", "global-mean")
    result = debug(options, TROUBLE=str(ROOT))
    assert result.returncode == 4, result.stdout + result.stderr
    assert result.stderr.count("self._level(6)") == 2, "each fold's, from the outermost call on"
    assert result.stderr.count("ValueError: too deep") == 2
    statuses = [(record.status, record.log) for record in Run(out).records()]
    assert statuses == [("failed", None)] * 2 + [("crashed", None)] * 2 + [("ok", None)] * 2
    assert "SystemExit: 5" in (Run(out).records()[2].reason or "")


def test_debugging_goes_through_the_cells_one_by_one(
    ratings_file: Path, debug: Debug, tmp_path: Path
) -> None:
    options = [*arguments(ratings_file, tmp_path / "out", "halting-prints"), "--jobs", "2"]
    result = debug(options)
    assert result.returncode == 2
    assert "--jobs" in result.stderr and "leave" in result.stderr


def test_logs_of_failed_cells_are_kept_and_named_until_the_cell_is_ok(
    ratings_file: Path,
    run_bench: RunBench,
    plugin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trouble = tmp_path / "trouble"
    trouble.write_text("")
    monkeypatch.setenv("TROUBLE", str(trouble))
    run = Run(tmp_path / "out")
    options = arguments(ratings_file, run.directory, "halting-raises", "halting-stops")

    run_bench(*options, path=plugin, check=4)
    records = run.records()
    assert [record.status for record in records] == ["failed"] * 4
    for record in records:
        assert record.log == f"{record.cell.name}.log"
    failed = (run.directory / "records" / str(records[0].log)).read_text()
    assert "here is the trouble" in failed, "what the algorithm has printed"
    assert failed.count("self._level(6)") == 2, "the whole traceback, of the toy and of the data"
    assert "run it with --debug" in (records[2].reason or ""), "nobody can type into the pool"

    trouble.unlink()
    run_bench(*options, path=plugin, check=4)
    records = run.records()
    assert [(record.status, record.log is None) for record in records] == [
        ("ok", True),
        ("ok", True),
        ("failed", False),
        ("failed", False),
    ]
    logs = {path.name for path in (run.directory / "records").glob("*.log")}
    assert logs == {records[2].log, records[3].log}


@pytest.fixture
def jobs(ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Two rows, two folds each."""
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "cache"))
    data = datasets.load(f"table:{ratings_file}")
    design = plan.Design("kfold", 2, 0, Evaluation())
    cells = plan.plan_cells(data, plan.parse_rows(["item-mean", "numpy-sgd[n_epochs=2]"]), design)
    return make_jobs(
        cells,
        Run(tmp_path / "out"),
        data,
        environment=describe_environment(threads=1, cells_at_once=1),
        evaluation="0123456789ab",
        limits=Limits(seconds=60, memory_mb=4000),
        plugins=["some.module"],
    )


def test_a_job_is_the_same_after_a_journey_as_json(jobs: list[Job]) -> None:
    for job in (jobs[0], replace(jobs[1], processors=(1, 3), started="2026-01-01T00:00:00+00:00")):
        line = job.to_json()
        assert b"\n" not in line
        arrived = Job.from_json(line)
        assert arrived == job
        assert arrived.cell.key == job.cell.key
        assert arrived.data.to_json() == job.data.to_json(), "defaults stay unsaid"
        assert arrived.environment.to_json() == job.environment.to_json()


def test_a_job_with_a_relative_path_is_refused(jobs: list[Job]) -> None:
    with pytest.raises(ValueError, match="expected absolute paths, got here"):
        replace(jobs[0], directory=Path("here"))


@pytest.mark.slow
def test_both_executors_give_the_same_numbers(jobs: list[Job], tmp_path: Path) -> None:
    metrics = []
    for is_debugged in (True, False):
        out = tmp_path / f"debug {is_debugged}"
        sent = [replace(job, directory=out, plugins=()) for job in jobs]
        begun: list[Cell] = []
        with open_executor(threads=1, debug=is_debugged) as executor:
            assert executor.environment.in_process == is_debugged
            records = list(executor.execute(sent, begun.append))
        assert begun == [job.cell for job in jobs]
        assert [record.cell for record in records] == [job.cell for job in jobs]
        assert [Run(out).read(record.cell) for record in records] == records, "they are written"
        metrics.append([(record.status, record.metrics) for record in records])
    assert metrics[0] == metrics[1]
    assert {status for status, _ in metrics[0]} == {"ok"}


def test_in_process_no_log_of_an_earlier_attempt_stays(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(self: ItemMean, data: object, seed: int) -> None:
        raise SystemExit(5)

    monkeypatch.setattr(ItemMean, "fit", leave)
    job = replace(jobs[0], plugins=())
    log = job.run.path(job.cell, ".log")
    log.parent.mkdir(parents=True)
    log.write_text("what another process has said")
    (record,) = InProcess(threads=1).execute([job])
    assert record.status == "crashed" and "SystemExit: 5" in (record.reason or "")
    assert not log.exists()


def test_in_process_the_budget_holds(jobs: list[Job]) -> None:
    limits = Limits(seconds=60, memory_mb=4000, budget_seconds=0.0)
    poor = [replace(job, limits=limits, plugins=()) for job in jobs]
    records = list(InProcess(threads=1).execute(poor))
    assert [record.status for record in records] == ["not_run"] * 4
