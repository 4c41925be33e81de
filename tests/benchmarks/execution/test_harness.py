"""The run as a whole: every status from a real fault, resuming, and death at any moment."""

import contextlib
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from recbench.benchmarks.execution.fork_pool import ForkPool
from recbench.benchmarks.records.record import Record, Run
from tests.benchmarks.execution.conftest import MakeJobs
from tests.conftest import ROOT, RunBench

LONGEST_WAIT = 300  # seconds, on a machine that is very busy
SOUND = ["user-item-bias", "faulty-dawdles", "numpy-sgd[n_epochs=5]", "random"]
PLUGIN = ["--plugin", "faulty"]
FAULTS = {
    "faulty-raises": ("failed", "RuntimeError: no such luck"),
    "faulty-exits": ("crashed", "exit code 13"),
    "faulty-segfaults": ("crashed", "SIGSEGV"),
    "faulty-devours": ("out_of_memory", "memory limit is 700 MB"),
    "faulty-child-devours": ("out_of_memory", "memory limit is 700 MB"),
    "faulty-memory-error": ("out_of_memory", "MemoryError"),
    "faulty-nan": ("diverged", "NaN"),
    "faulty-shape": ("failed", "cannot reshape array of size 1"),
    "faulty-not-installed": ("not_installed", "a_library_that_nobody_has"),
    "faulty-skips": ("skipped", "declines 750 ratings"),
    "faulty-surrogates": ("failed", "caf\\udce9.csv"),
    "faulty-strange-signal": ("crashed", "killed by signal"),
    "faulty-sys-exits": ("crashed", "exit code 3 and no answer: SystemExit: 3"),
    "faulty-cheats": ("failed", "read-only"),
    "faulty-daemonic": ("ok", ""),
}


def options(rows: list[str]) -> list[str]:
    return [part for row in rows for part in ("--algorithm", row)]


def answers(run: Run, record: Record) -> dict[str, bytes]:
    with np.load(run.path(record.cell, ".npz"), allow_pickle=False) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def numbers(directory: Path) -> dict[str, object]:
    """What must not depend on anything but the cells: status, metrics and raw answers, by record
    file.
    """
    run = Run(directory)
    return {
        r.cell.name: (r.status, r.metrics, answers(run, r))
        for r in run.records()
        if r.status == "ok"
    }


@pytest.fixture(scope="module")
def undisturbed(
    ratings_file: Path, run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sound rows, run alone."""
    out = tmp_path_factory.mktemp("undisturbed")
    run_bench(
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *options(SOUND),
        *PLUGIN,
        "--no-report",
        "--out",
        out,
        check=0,
    )
    return out


def test_every_fault_has_its_status_and_harms_nobody(
    ratings_file: Path,
    run_bench: RunBench,
    undisturbed: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    rows = [SOUND[0], *list(FAULTS)[:5], *SOUND[1:3], *list(FAULTS)[5:], SOUND[3]]
    limits = ["--time-limit", "10m", "--memory-limit", "700M", *PLUGIN]
    dataset = f"table:{ratings_file}"
    result = run_bench(
        "--dataset", dataset, "--folds", 2, *options(rows), *limits, "--out", tmp_path, check=4
    )
    records = Run(tmp_path).records()
    assert [(r.cell.row, r.cell.fold) for r in records] == [
        (row, fold) for row in rows for fold in (0, 1)
    ]
    for record in records:
        status, reason = FAULTS.get(record.cell.row, ("ok", ""))
        assert (record.status, reason in (record.reason or "")) == (status, True), record
    sound = {name: found for name, found in numbers(tmp_path).items() if "daemonic" not in name}
    assert sound == numbers(undisturbed)
    assert not [
        p
        for p in psutil.process_iter(["cmdline"])
        if "time.sleep(321)" in " ".join(p.info.get("cmdline") or [])
    ]
    assert list(temporary.glob("recbench-cell-*")) == [], "what cells left goes with them"
    failed = next(r for r in records if r.cell.row == "faulty-raises")
    assert "faulty.py" in (failed.reason or ""), "a failure names its last frames"
    crashed = next(r for r in records if r.cell.row == "faulty-segfaults")
    assert "string_at" in (crashed.reason or ""), "a crash shows where it was"
    assert max(len(record.reason or "") for record in records) < 3000
    assert max(path.stat().st_size for path in tmp_path.glob("records/*.log")) < 100_000
    daemonic = next(r for r in records if r.cell.row == "faulty-daemonic")
    assert [point["train_rmse"] for point in daemonic.trace] == [None, 0.5]
    assert "faulty-exits: 2 crashed" in result.stdout
    assert "<script>alert" not in (tmp_path / "report.html").read_text()


def test_the_time_limit_that_is_typed_ends_a_row_and_says_so(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    """Alone, since a busy machine would end other rows by a limit as short as this."""
    chosen = ["--algorithm", "faulty-sleeps", "--plugin", "faulty", "--no-report"]
    limits = ["--split", "holdout", "--time-limit", "4s"]
    dataset = f"table:{ratings_file}"
    result = run_bench("--dataset", dataset, *chosen, *limits, "--out", tmp_path, check=4)
    (record,) = Run(tmp_path).records()
    assert record.status == "timeout"
    assert "time limit of 4 s" in (record.reason or "")
    assert "faulty-sleeps: 1 timeout" in result.stdout


def test_an_abstaining_algorithm_gets_the_mean_and_a_lower_coverage(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    chosen = ["--algorithm", "faulty-abstains", "--plugin", "faulty", "--no-report"]
    run_bench(
        "--dataset", f"table:{ratings_file}", "--folds", 2, *chosen, "--out", tmp_path, check=0
    )
    for record in Run(tmp_path).records():
        assert 0.3 < (record.metrics["coverage"] or 0) < 0.7
        assert record.metrics["rmse"] is not None


def test_a_second_run_keeps_what_is_there_and_force_measures_again(
    ratings_file: Path, run_bench: RunBench, undisturbed: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("records/*.json")}
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *options(SOUND),
        *PLUGIN,
        "--no-report",
        "--out",
        undisturbed,
    ]
    result = run_bench(*arguments, check=0)
    assert "8 kept from before" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("records/*.json")} == before
    kept = numbers(undisturbed)
    run_bench(*arguments, "--force", "random", check=0)
    changed = [path.name for path, time_ in before.items() if path.stat().st_mtime_ns != time_]
    assert len(changed) == 2
    assert all(name.startswith("random-") for name in changed)
    assert numbers(undisturbed) == kept


def test_parallel_cells_give_the_same_numbers_and_are_marked_contended(
    ratings_file: Path, run_bench: RunBench, undisturbed: Path, tmp_path: Path
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *options(SOUND),
        *PLUGIN,
        "--jobs",
        3,
    ]
    run_bench(*arguments, "--out", tmp_path, "--no-report", check=0)
    assert numbers(tmp_path) == numbers(undisturbed)
    assert all(record.environment.contended for record in Run(tmp_path).records())


def test_a_budget_ends_what_exceeds_it_and_leaves_the_rest(
    pool: ForkPool, jobs_of: MakeJobs
) -> None:
    """Of the executor: in a run the budget has begun with the command, however long that took."""
    jobs = jobs_of("random")
    for job in jobs_of("faulty-sleeps", folds=slice(2)):  # a minute each
        jobs.append(replace(job, limits=replace(job.limits, budget_seconds=6.0)))
    begun = time.monotonic()
    records = list(pool.execute(jobs))
    assert time.monotonic() - begun < LONGEST_WAIT
    assert [record.status for record in records] == ["ok", "not_run", "not_run"]
    assert all("budget" in (record.reason or "") for record in records[1:])


def test_a_record_says_what_is_needed_to_believe_it(undisturbed: Path) -> None:
    for record in Run(undisturbed).records():
        content = json.loads(Run(undisturbed).path(record.cell).read_text())
        assert content["key"] == record.cell.key
        assert set(content["costs"]) == {"convert", "fit", "rate", "rank"}
        assert content["costs"]["fit"]["samples"]
        assert content["environment"]["threads"] == 1
        assert content["environment"]["versions"]["numpy"] == np.__version__
        assert content["data"]["train"] + content["data"]["test"] == 1500
        if sys.platform == "linux":
            assert 0 < content["costs"]["fit"]["peak_mb"] < 1000
    traced = next(r for r in Run(undisturbed).records() if r.cell.algorithm == "numpy-sgd")
    assert [point["epoch"] for point in traced.trace] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("n_kills", [4, pytest.param(20, marks=pytest.mark.proof)])
def test_killed_at_any_moment_a_run_ends_as_if_undisturbed(
    ratings_file: Path,
    undisturbed: Path,
    own_data: Path,
    run_bench: RunBench,
    tmp_path: Path,
    n_kills: int,
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *options(SOUND),
        *PLUGIN,
        "--out",
        str(tmp_path),
    ]
    command = [sys.executable, "-m", "benchmarks.run", *map(str, arguments)]
    environment = os.environ | {
        "RECBENCH_DATA": str(own_data),
        "PYTHONPATH": str(ROOT / "tests" / "plugins"),
    }
    chance = random.Random(0)
    cells_killed = 0
    for moment in range(n_kills):
        run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        process = psutil.Process(run.pid)
        while (
            moment % 2
            and len(process.children(recursive=True)) < 3
            and time.monotonic() - begun < LONGEST_WAIT
        ):
            time.sleep(0.005)  # every other time, until both processes of a cell run
        time.sleep(chance.uniform(0.0, 0.02 if moment % 2 else 2.5))  # cells can be that short
        family = process.children(recursive=True)
        cells_killed += len(family) > 2
        run.send_signal(signal.SIGKILL)
        run.wait()
        _, alive = psutil.wait_procs(family, timeout=LONGEST_WAIT)
        assert not alive, "cells and their server must not survive the run"
        for path in sorted(tmp_path.glob("records/*.json")):
            Record.from_json(path.read_bytes())
            if chance.random() < 0.5:
                path.unlink()  # so that there is always something left to do
    assert cells_killed >= n_kills // 4
    run_bench(*arguments, "--no-report", check=0)
    assert numbers(tmp_path) == numbers(undisturbed)
    assert {p.name for p in tmp_path.glob("records/*")} == {
        p.name for p in undisturbed.glob("records/*")
    }


def wait_for_family(run: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """What a run of `faulty-sleeps` has started, once it sleeps: the server, a cell's keeper, its
    algorithm, and what that has started.
    """
    deadline = time.monotonic() + LONGEST_WAIT
    while len(family := psutil.Process(run.pid).children(recursive=True)) < 4:
        assert run.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.05)
    return family


@pytest.mark.slow
def test_cells_and_what_they_started_do_not_survive_their_server(
    ratings_file: Path, own_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        f"faulty-sleeps[once={tmp_path / 'slept'}]",
        "--folds",
        "2",
        "--no-report",
        *PLUGIN,
        "--out",
        str(out),
    ]
    environment = os.environ | {
        "RECBENCH_DATA": str(own_data),
        "PYTHONPATH": str(ROOT / "tests" / "plugins"),
    }
    command = [sys.executable, "-m", "benchmarks.run", *arguments]
    run = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    family = wait_for_family(run)
    server = psutil.Process(run.pid).children()[0]
    server.kill()
    _, alive = psutil.wait_procs(family, timeout=LONGEST_WAIT)
    assert not alive
    assert run.wait(timeout=LONGEST_WAIT) == 4, "the run goes on"
    record, other = Run(out).records()
    assert record.status == "crashed" and "the fork server ended" in (record.reason or "")
    assert other.status == "ok"
    assert not psutil.pid_exists(server.pid)


def test_only_its_own_leftovers_are_removed_from_the_results_directory(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    arguments = ["--algorithm", "random", "--folds", 2, "--out", tmp_path, "--no-report"]
    run_bench("--dataset", f"table:{ratings_file}", *arguments, check=0)  # so it is ours
    (tmp_path / "sub" / ".cache.tmp").mkdir(parents=True)
    theirs = [
        ".precious.tmp",
        ".plan.json.mine.tmp",
        "records/.notes.abcd1234.tmp",
        "records/.random-x.json.abcd1234.tmp",
    ]
    theirs += ["figures/.sketch.psd.abcd1234.tmp", "tables/.tex.tmp", "records/notes.log"]
    for name in theirs:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "records" / ".random-0123456789ab.json.abcd1234.tmp").write_text("half a record")
    (tmp_path / ".report.md.a_cd1234.tmp").write_text("half a report")
    (tmp_path / "figures" / ".accuracy.svg.abcd1234.tmp").write_text("half a figure")
    run_bench("--dataset", f"table:{ratings_file}", *arguments, check=0)
    assert [(tmp_path / name).read_text() for name in theirs] == ["mine"] * len(theirs)
    assert (tmp_path / "sub" / ".cache.tmp").is_dir()
    assert (
        not {path.name for path in tmp_path.rglob(".*.tmp")}
        - {Path(name).name for name in theirs}
        - {".cache.tmp"}
    )


def test_a_budget_never_replaces_what_is_there(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    arguments = ["--algorithm", "random", "--folds", 2, "--out", tmp_path, "--no-report"]
    run_bench("--dataset", f"table:{ratings_file}", *arguments, check=0)
    kept = numbers(tmp_path)
    run_bench(
        "--dataset", f"table:{ratings_file}", *arguments, "--force", "random", "--budget", ".001s"
    )
    assert numbers(tmp_path) == kept


HIDE_CURSOR = b"\x1b[?25l"
SHOW_CURSOR = b"\x1b[?25h"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_stops_a_run_finds_the_cursor_and_no_process(
    ratings_file: Path, own_data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = ["--dataset", f"table:{ratings_file}", "--algorithm", "faulty-sleeps", *PLUGIN]
    environment = os.environ | {
        "RECBENCH_DATA": str(own_data),
        "PYTHONPATH": str(ROOT / "tests" / "plugins"),
        "TERM": "xterm",
    }
    terminal, its_side = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.run", *arguments, "--out", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        stdin=its_side,
        stdout=its_side,
        stderr=its_side,
        # Whoever started the tests may ignore hang-ups, as nohup does, and so would the run.
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),
    )
    os.close(its_side)
    shown = b""
    deadline = time.monotonic() + LONGEST_WAIT
    while len(family := psutil.Process(run.pid).children(recursive=True)) < 4:
        shown += read_terminal(terminal, seconds=0.1)
        assert run.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not begin"
    run.send_signal(number)
    deadline = time.monotonic() + LONGEST_WAIT
    while run.poll() is None:
        shown += read_terminal(terminal, seconds=0.1)
        assert time.monotonic() < deadline, "it goes on"
    shown += read_terminal(terminal, seconds=0.1)
    os.close(terminal)

    assert run.returncode == 128 + number, shown.decode(errors="replace")
    assert HIDE_CURSOR in shown, "there is a live table"
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert b"the same command goes on from here" in shown
    _, alive = psutil.wait_procs(family, timeout=LONGEST_WAIT)
    assert not alive


def read_terminal(terminal: int, seconds: float) -> bytes:
    """What has been drawn, waiting for it at most so long."""
    if not select.select([terminal], [], [], seconds)[0]:
        return b""
    with contextlib.suppress(OSError):  # the other side has closed it
        return os.read(terminal, 1 << 16)
    return b""


def test_a_cell_that_deletes_the_results_costs_that_cell(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    deleters = [f"faulty-deletes[directory={out},way={way}]" for way in ("rm", "python")]
    dataset = ["--dataset", f"table:{ratings_file}", "--folds", 2, *PLUGIN, "--out", out]
    run_bench(*dataset, *options(["random"]), "--no-report", check=0)

    rows = ["random", "global-mean", *deleters, "user-mean"]
    run_bench(*dataset, *options(rows), check=4)
    records = Run(out).records()
    statuses = {record.cell.row: record.status for record in records}
    assert statuses == dict.fromkeys(rows, "ok") | dict.fromkeys(deleters, "crashed")
    for record in records:
        if record.status == "ok":
            assert answers(Run(out), record), "kept ones, those of this run, and later ones"
        else:
            assert "files of" in (record.reason or "") and "were deleted" in (record.reason or "")
    assert (out / "report.html").exists()
