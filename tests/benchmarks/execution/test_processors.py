"""Cells get processors of their own, also where several pools work on one host."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from recbench.benchmarks.execution import processors
from recbench.benchmarks.execution.processors import Processors, allowed_processors, can_bind
from recbench.benchmarks.records import Record, Run
from tests.conftest import ROOT

LONGEST_WAIT = 300  # seconds, on a machine that is very busy

HOLDER = """
import sys, time
from pathlib import Path
from recbench.benchmarks.execution.processors import Processors
print(Processors(1, 1, Path(sys.argv[1])).take().processors[0], flush=True)
time.sleep(600)
"""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes this a host of so many processors."""

    def pretend(n_processors: int) -> None:
        allowed = [2 * processor for processor in range(n_processors)]
        monkeypatch.setattr(processors, "allowed_processors", lambda: allowed)

    return pretend


def test_two_pools_never_choose_the_same_processors(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(4)
    first = Processors(1, 2, tmp_path)
    second = Processors(1, 2, tmp_path)
    shares = [pool.take() for pool in (first, second, first, second)]
    assert [share.processors for share in shares] == [(0,), (2,), (4,), (6,)], "in order"
    assert not any(share.contended for share in shares)


def test_threads_of_a_cell_have_a_processor_each(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(4)
    first = Processors(3, 1, tmp_path).take()
    assert (first.processors, first.contended) == ((0, 2, 4), False)
    second = Processors(3, 1, tmp_path).take()
    assert (second.processors, second.contended) == ((), True), "one is not enough for three"


def test_a_cell_that_finds_none_runs_unbound_and_the_next_one_looks_again(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(1)
    first = Processors(1, 1, tmp_path)
    second = Processors(1, 1, tmp_path)
    held = first.take()
    unbound = second.take()
    assert (unbound.processors, unbound.contended) == ((), True)

    first.give_back(held)
    assert second.take().processors == (), "a pool keeps its processors between its cells"
    assert first.take() is held
    first.give_back(held)
    first.release()
    second.give_back(unbound)
    assert second.take().processors == (0,)


def test_a_cell_with_more_threads_than_processors_is_contended_by_any_other(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(2)
    wide = Processors(5, 1, tmp_path)
    alone = wide.take()
    assert (alone.processors, alone.contended) == ((), False)
    assert Processors(1, 1, tmp_path).take().contended, "all processors are taken"
    wide.give_back(alone)
    narrow = Processors(1, 1, tmp_path)
    assert narrow.take().processors == (0,)
    assert wide.take().contended, "one processor is taken"


def test_too_many_cells_at_once_are_not_bound(host: Callable[[int], None], tmp_path: Path) -> None:
    host(2)
    assert not can_bind(threads=1, cells_at_once=3)
    pool = Processors(1, 3, tmp_path)
    assert {pool.take().processors for _ in range(3)} == {()}


def test_where_no_lock_can_be_made_cells_run_unbound_and_contended(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(2)
    (tmp_path / "file").write_text("in the way")
    share = Processors(1, 1, tmp_path / "file").take()
    assert (share.processors, share.contended) == ((), True)


def test_a_link_in_place_of_a_lock_is_not_followed(
    host: Callable[[int], None], tmp_path: Path
) -> None:
    host(1)
    (tmp_path / "0.lock").symlink_to(tmp_path / "elsewhere")
    assert Processors(1, 1, tmp_path).take().contended
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
@pytest.mark.skipif(not allowed_processors(), reason="no process is bound on this platform")
def test_processors_are_free_again_when_their_process_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        held = int(holder.stdout.readline())
        assert held == allowed_processors()[0]
        everything = Processors(len(allowed_processors()), 1, tmp_path)
        meanwhile = everything.take()
        assert meanwhile.contended
        holder.kill()
    everything.give_back(meanwhile)
    assert everything.take().processors == tuple(allowed_processors())


@pytest.mark.slow
@pytest.mark.skipif(len(allowed_processors()) < 2, reason="two pools need two processors")
def test_two_runs_at_once_bind_their_cells_to_different_processors(
    ratings_file: Path, own_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "locks").mkdir()
    environment = os.environ | {
        "RECBENCH_DATA": str(own_data),
        "PYTHONPATH": str(ROOT / "tests" / "plugins"),
        "TMPDIR": str(tmp_path / "locks"),
    }
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", f"table:{ratings_file}"]
    command += ["--algorithm", "faulty-hangs", "--folds", "2", "--plugin", "faulty"]
    command += ["--no-report", "--out"]
    runs = [
        subprocess.Popen([*command, str(tmp_path / name)], cwd=ROOT, env=environment)
        for name in ("one", "other")
    ]
    bound: list[set[int]] = []
    try:
        deadline = time.monotonic() + LONGEST_WAIT
        while len(bound) < 2 and time.monotonic() < deadline:
            bound = [affinity for run in runs if (affinity := _affinity_of_cell(run.pid))]
            time.sleep(0.1)
    finally:
        for run in runs:
            run.terminate()
            run.wait()
    first, second = bound
    assert len(first) == len(second) == 1
    assert first != second


def _affinity_of_cell(run: int) -> set[int]:
    """The processors of the cell that a run has started and bound; empty while there is none."""
    try:
        server = psutil.Process(run).children()[0]
        cell = server.children()[0]
        affinity = set(cell.cpu_affinity())
    except (IndexError, psutil.Error):
        return set()
    return affinity if len(affinity) < len(allowed_processors()) else set()


@pytest.mark.slow
@pytest.mark.skipif(not allowed_processors(), reason="no process is bound on this platform")
def test_a_cell_that_met_another_pool_says_so(
    ratings_file: Path, own_data: Path, tmp_path: Path
) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    pool = Processors(len(allowed_processors()), 1, locks / processors.DIRECTORY)
    assert pool.take().processors == tuple(allowed_processors())
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", f"table:{ratings_file}"]
    command += ["--algorithm", "global-mean", "--folds", "2", "--no-report"]
    environment = os.environ | {"RECBENCH_DATA": str(own_data), "TMPDIR": str(locks)}
    subprocess.run(
        [*command, "--out", str(tmp_path / "out")], cwd=ROOT, env=environment, check=True
    )
    records: list[Record] = Run(tmp_path / "out").records()
    assert [record.status for record in records] == ["ok", "ok"]
    assert all(record.environment.contended for record in records)
    assert not any(record.environment.bound for record in records)
