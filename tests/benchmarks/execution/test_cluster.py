"""Cells on the workers of a Dask cluster, some of which are lost."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from recbench import ROOT
from recbench.benchmarks.api import (
    Listener,
    Settings,
    find_run,
    measure_plan,
    parse_limits,
)
from recbench.benchmarks.execution.cluster import WORKER, describe_host, find_difference
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Cell, Record, Run
from recbench.datasets.foundation import UsageError

# Asked for without an import, which takes a second in every worker of pytest-xdist
if find_spec("distributed") is None:
    pytest.skip("`make cluster` installs Dask", allow_module_level=True)

ROWS = ("ease", "item-mean", "random")
ALGORITHMS = ["ease", "random"]
SOURCES = ("adapters", "benchmarks", "datasets", "reports")


def measure(
    name: str, out: Path, listener: Listener | None = None, memory: str | None = None, **how: object
) -> list[Record]:
    """The records of a small run on `name`."""
    plan = check_request(Request(name, algorithms=ROWS, folds=2))
    settings = Settings(find_run(name, out), parse_limits("60s", memory, None))
    return measure_plan(plan, replace(settings, **how), "a test", listener)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def alone(
    ratings_file: Path, own_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str | None]:
    """The digests of the raw answers of a run without a cluster, by cell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        out = tmp_path_factory.mktemp("alone") / "run"
        records = measure(f"table:{ratings_file}", out, debug=True)
    return digests_of(records)


def digests_of(records: list[Record]) -> dict[str, str | None]:
    assert all(record.status == "ok" for record in records)
    return {record.cell.name: record.answers for record in records}


def find_workers() -> list[psutil.Process]:
    """The workers that this process has started."""
    children = psutil.Process().children()
    return [child for child in children if "distributed.cli.dask_worker" in child.cmdline()]


class KillsOnce(Listener):
    """Kills a worker just before a cell is sent, once."""

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells  # that may begin before
        self.killed = 0

    def on_start(self, cell: Cell) -> None:
        """The cell is about to be sent to one of the workers: all of them are killed."""
        self.n_cells -= 1
        if self.n_cells == 0:
            for worker in find_workers():
                os.kill(worker.pid, signal.SIGKILL)
                self.killed += 1


@pytest.mark.slow
def test_answers_are_those_of_one_machine_though_workers_are_lost(
    ratings_file: Path, alone: dict[str, str | None], tmp_path: Path
) -> None:
    killer = KillsOnce(n_cells=3)
    records = measure(f"table:{ratings_file}", tmp_path / "run", killer, cluster="local:2")
    assert killer.killed == 2
    assert not find_workers()

    assert digests_of(records) == alone
    attempts = [record.attempts for record in records]
    assert max(attempts) == 2, "the cell that was sent to a dead worker was queued once more"
    assert min(attempts) == 1
    assert all(record.environment.contended for record in records)
    assert all("(127.0.0.1:" in record.environment.host for record in records)

    run = Run(tmp_path / "run")
    names = {path.stem for path in (run.directory / "records").glob("*.json")}
    assert names == alone.keys()
    for record in records:
        assert run.has_answers_of(record)
        assert run.read(record.cell) == record


@pytest.mark.slow
def test_memory_that_no_worker_has_is_refused_before_anything_is_written(
    ratings_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"no worker has .* Give --memory-limit"):
        measure(f"table:{ratings_file}", tmp_path / "run", memory="900000G", cluster="local:1")
    assert not (tmp_path / "run").exists()


def copy_source(directory: Path, change: Callable[[Path], None]) -> Path:
    """A copy of this project's packages, changed; the folder to put on the path."""
    ignore = shutil.ignore_patterns("__pycache__", "published", "baselines")
    for name in SOURCES:
        shutil.copytree(ROOT / name, directory / name, ignore=ignore)
    shutil.copytree(ROOT / "recbench", directory / "recbench", symlinks=True, ignore=ignore)
    change(directory)
    return directory


@contextmanager
def start_worker(scheduler: str, path: Path, directory: Path) -> Iterator[None]:
    """A worker that has the source below `path`."""
    command = [*WORKER, scheduler, "--local-directory", str(directory)]
    environment = os.environ | {"PYTHONPATH": str(path)}
    process = subprocess.Popen(
        command, env=environment, cwd=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_worker_with_other_source_is_refused_by_name(ratings_file: Path, tmp_path: Path) -> None:
    def change_ease(directory: Path) -> None:
        path = directory / "adapters" / "linear.py"
        path.write_text(path.read_text().replace("= 500", "= 501") + "\nOTHER = 1\n")

    import distributed

    changed = copy_source(tmp_path / "changed", change_ease)
    scheduler = distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1")
    with (
        scheduler,
        start_worker(scheduler.scheduler_address, changed, tmp_path),
        pytest.raises(UsageError, match=r"\(tcp://127.0.0.1:\d+\): other source of ease") as error,
    ):
        measure(f"table:{ratings_file}", tmp_path / "run", cluster=scheduler.scheduler_address)
    assert "not every worker has what this process has" in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["local:0", "local:x", "nowhere.json", "tcp://127.0.0.1:1"])
def test_an_address_without_workers_is_refused(
    address: str, ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recbench.benchmarks.execution.cluster.WAIT_SECONDS", 0.5)
    with pytest.raises(UsageError, match=r"expected local:N, tcp://HOST:PORT"):
        measure(f"table:{ratings_file}", tmp_path / "run", cluster=address)
    assert not (tmp_path / "run").exists()


def test_what_differs_between_two_hosts_is_named() -> None:
    mine = describe_host(ALGORITHMS, [])
    assert find_difference(mine, mine) == ""
    assert find_difference(mine, replace(mine, cpu="another", memory_mb=1.0, host="b")) == ""
    for other, difference in (
        (replace(mine, python="3.99.1"), "Python 3.99.1"),
        (replace(mine, versions={**mine.versions, "numpy": "1.0"}), "numpy 1.0, here"),
        (replace(mine, versions={}), "not installed, here"),
        (replace(mine, evaluation="0"), "other source of the evaluation"),
        (replace(mine, sources={**mine.sources, "ease": "0"}), "other source of ease"),
        (replace(mine, sources={}), "other source of ease, random"),
    ):
        assert difference in find_difference(mine, other)
