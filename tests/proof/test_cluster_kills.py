"""A run on a cluster whose workers, cells and client are killed at random, and goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from recbench import ROOT
from recbench.benchmarks.records import Run

pytest.importorskip("distributed", reason="`make cluster` installs Dask")

N_KILLS = 12
SECONDS_BETWEEN = (1.0, 4.0)  # of two kills: cells take about a second each
MOST_SECONDS = 900.0
ROWS = ("ease", "als", "pure-svd", "slim", "bpr", "item-knn", "numba-sgd", "user-item-bias")
TARGETS = ("worker", "cell", "client")


def start_run(name: str, out: Path, data: Path, *more: str) -> "subprocess.Popen[bytes]":
    """The command, in a process of its own."""
    rows = [word for row in ROWS for word in ("--algorithm", row)]
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", name, "--folds", "5"]
    return subprocess.Popen(
        [*command, *rows, "--out", str(out), "--no-report", *more],
        cwd=ROOT,
        env=os.environ | {"RECBENCH_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def find_targets(client: psutil.Process) -> dict[str, list[psutil.Process]]:
    """What can be killed now: workers, and processes of cells, which are the servers' children."""
    workers = []
    cells = []
    for process in client.children(recursive=True):
        try:
            words = process.cmdline()
            parent = process.parent()
            is_of_server = parent is not None and any(
                word.endswith("forkserver.py") for word in parent.cmdline()
            )
        except psutil.Error:
            continue
        if "distributed.cli.dask_worker" in words:
            workers.append(process)
        elif is_of_server:
            cells.append(process)
    return {"worker": workers, "cell": cells, "client": [client]}


@pytest.mark.proof
def test_random_kills_lose_nothing(ratings_file: Path, own_data: Path, tmp_path: Path) -> None:
    name = f"table:{ratings_file}"
    alone = start_run(name, tmp_path / "alone", own_data)
    assert alone.wait(MOST_SECONDS) == 0

    rng = random.Random(15)
    killed = dict.fromkeys(TARGETS, 0)
    begun = time.monotonic()
    client = start_run(name, tmp_path / "cluster", own_data, "--cluster", "local:3")
    while sum(killed.values()) < N_KILLS or min(killed.values()) == 0:
        assert time.monotonic() - begun < MOST_SECONDS
        time.sleep(rng.uniform(*SECONDS_BETWEEN))
        if client.poll() is not None:
            # Killed, or at its end too soon: then all is measured again
            force = [word for row in ROWS for word in ("--force", row)]
            more = force if client.returncode in (0, 4) else []
            client = start_run(name, tmp_path / "cluster", own_data, "--cluster", "local:3", *more)
            continue
        kind = rng.choices(TARGETS, weights=[5, 5, 1])[0]
        targets = find_targets(psutil.Process(client.pid))[kind]
        if targets:
            os.kill(rng.choice(targets).pid, signal.SIGKILL)
            killed[kind] += 1

    while client.wait(MOST_SECONDS) != 0:  # cells that were killed are measured again
        client = start_run(name, tmp_path / "cluster", own_data, "--cluster", "local:3")

    expected = Run(tmp_path / "alone")
    run = Run(tmp_path / "cluster")
    cells, _ = expected.read_plan()
    assert run.read_plan()[0] == cells
    paths = sorted((run.directory / "records").iterdir())
    assert [path.name for path in paths] == sorted(
        f"{cell.name}{ending}" for cell in cells for ending in (".json", ".npz")
    )
    for cell in cells:
        record = run.read(cell)
        assert record is not None and record.status == "ok"
        assert run.path(cell, ".npz").read_bytes() == expected.path(cell, ".npz").read_bytes()
