"""Faults that once left their cell: each is real, costs its own cell, and leaves nothing behind."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from recbench.benchmarks.execution import Job
from recbench.benchmarks.execution.fork_pool import ForkPool, explain_broken_library
from recbench.benchmarks.execution.keeper import describe_places
from recbench.benchmarks.records import Record
from tests.benchmarks.execution.conftest import MakeJobs, Measure

# What a library does when it is imported, and how the cell that needs it ends: status and reason.
LIBRARIES = {
    "breaks_attribute": ("import os\nos.no_such_thing", "not_installed", "AttributeError: module"),
    "breaks_runtime": ("raise RuntimeError('no driver')", "not_installed", "RuntimeError: no dri"),
    "breaks_leaving": ("import sys\nsys.exit(3)", "not_installed", "SystemExit: 3"),
    "breaks_silently": ("import os\nos._exit(0)", "crashed", "in import: the process left with ex"),
    "breaks_memory": ("import ctypes\nctypes.string_at(0)", "crashed", "SIGSEGV"),
    "breaks_by_hanging": (
        "import time\ntime.sleep(3600)",
        "timeout",
        "limit of 2 s, in import, at breaks_by_hanging.py:2 in <module>",
    ),
    "breaks_signals": ("import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)", "ok", ""),
    "breaks_native_signals": ("import ctypes\nctypes.CDLL(None).signal(17, 1)", "ok", ""),
    "breaks_by_threads": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()",
        "ok",
        "",
    ),
    "breaks_by_processes": (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3210)'])",
        "ok",
        "",
    ),
    "breaks_descriptors": ("import os\nos.closerange(0, 100)", "crashed", "exit code"),
    "breaks_its_parent": (
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
        "crashed",
        "",
    ),
}

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

class _Needy(Recommender):
    family = "needy"
    predicts = "ratings"
    def fit(self, data, seed):
        pass
    def score(self, users, items):
        return np.full(len(users), 3.0, np.float32)
"""
ADAPTER = """
@dataclass(eq=False)
class Needs_{library}(_Needy):
    "Needs a library."
    name = "needs-{library}"
    requires = ("{library}",)
"""
# What a library may change that every cell would inherit from the server
INHERITED = {
    "sets_alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.4)",
    "sets_limits": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "sets_warnings": "import warnings\nwarnings.simplefilter('error')",
    "sets_divisions": "import numpy\nnumpy.seterr(all='raise')",
    "sets_umask": "import os\nos.umask(0o777)",
    "clears_environment": "import os, sys\nos.environ.clear()\nsys.path[:] = []",
}
CARELESS = (
    PLUGIN
    + """
@dataclass(eq=False)
class Careless(_Needy):
    "Does what is fine in a process that nobody has changed."
    name = "careless"
    def fit(self, data, seed):
        import os, resource, time, warnings
        warnings.warn("nobody minds")
        np.ones(1) / np.zeros(1)
        assert os.environ["PATH"]
        assert os.umask(0o22) != 0o777
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64
        time.sleep(0.4)
"""
)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the libraries, and a plug-in with an adapter for each."""
    directory = tmp_path_factory.mktemp("libraries")
    text = PLUGIN
    for name, (code, _, _) in LIBRARIES.items():
        (directory / f"{name}.py").write_text(f"{code}\n")
        text += ADAPTER.format(library=name)
    (directory / "needy_plugin.py").write_text(text)
    return directory


def limit_time(jobs: list[Job], row: str, seconds: float) -> list[Job]:
    """The jobs with so short a time for the cells of one row: others may take theirs, however busy
    the machine is.
    """
    limited = []
    for job in jobs:
        if job.cell.row == row:
            job = replace(job, limits=replace(job.limits, seconds=seconds))
        limited.append(job)
    return limited


def test_a_library_that_breaks_when_imported_costs_the_cells_that_need_it(
    libraries: Path, jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(libraries))
    rows = [f"needs-{name}" for name in LIBRARIES]
    jobs = jobs_of(*rows, "global-mean", plugin="needy_plugin")
    jobs = limit_time(jobs, "needs-breaks_by_hanging", seconds=2)
    with ForkPool(threads=1, import_seconds=1) as pool:
        records = list(pool.execute(jobs))

    for record, (name, (_, status, reason)) in zip(records, LIBRARIES.items(), strict=False):
        assert (record.status, reason in (record.reason or "")) == (status, True), (name, record)
    assert records[-1].status == "ok", "and nobody else's"
    assert not processes_like("time.sleep(3210)")


def test_what_a_library_changes_in_its_process_is_not_handed_on(
    libraries: Path, jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CARELESS
    for name, code in INHERITED.items():
        (libraries / f"{name}.py").write_text(f"{code}\n")
        text += ADAPTER.format(library=name)
    (libraries / "careless_plugin.py").write_text(text)
    monkeypatch.syspath_prepend(str(libraries))
    rows = [f"needs-{name}" for name in INHERITED]
    jobs = jobs_of(*rows, "careless", plugin="careless_plugin")
    with ForkPool(threads=1, import_seconds=10) as pool:
        *_, record = pool.execute(jobs)
    assert (record.status, record.reason) == ("ok", None)


def test_harmless_libraries_are_imported_once_and_not_by_the_cells(
    libraries: Path, jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (libraries / "harmless.py").write_text(
        "import os\nwith open(os.environ['IMPORTED'], 'a') as file:\n    file.write('once ')\n"
    )
    (libraries / "patient_plugin.py").write_text(PLUGIN + ADAPTER.format(library="harmless"))
    monkeypatch.syspath_prepend(str(libraries))
    counted = libraries / "counted"
    monkeypatch.setenv("IMPORTED", str(counted))
    jobs = jobs_of("needs-harmless", plugin="patient_plugin", folds=slice(2))
    with ForkPool(threads=1) as pool:
        assert [record.status for record in pool.execute(jobs)] == ["ok", "ok"]
    assert counted.read_text() == "once "


@pytest.mark.parametrize(
    ("library", "problem"),
    [
        ("breaks_attribute", "AttributeError: module 'os' has no attribute 'no_such_thing'"),
        ("breaks_leaving", "the process left with exit code 3 and no answer"),
        ("breaks_silently", "the process left with exit code 0 and no answer"),
        ("breaks_memory", "killed by SIGSEGV"),
        ("breaks_by_hanging", "takes longer than 1 s"),
        ("breaks_signals", None),
        ("json", None),
    ],
)
def test_the_doctor_survives_what_it_examines(
    libraries: Path, monkeypatch: pytest.MonkeyPatch, library: str, problem: str | None
) -> None:
    monkeypatch.syspath_prepend(str(libraries))
    seconds = 1 if library == "breaks_by_hanging" else 60
    assert explain_broken_library(library, seconds) == problem


def processes_like(text: str) -> list[psutil.Process]:
    """Those whose command line has this text."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if text in " ".join(process.info.get("cmdline") or []):
            found.append(process)
    return found


def assert_alone(pool: ForkPool, record: Record) -> None:
    """Nothing that a cell has forked runs any more: the server has no child."""
    children = psutil.Process(pool._server.pid).children(recursive=True)
    assert not [child for child in children if child.is_running()], record


def test_memory_of_an_orphan_in_a_session_of_its_own_is_the_cell_s(
    measure: Measure, pool: ForkPool
) -> None:
    [record] = measure("faulty-orphan-devours", memory_mb=700)
    assert record.status == "out_of_memory", record.reason
    assert "the memory limit is 700 MB" in (record.reason or "")
    assert_alone(pool, record)


def test_a_cell_that_kills_who_started_it_costs_that_cell(measure: Measure, pool: ForkPool) -> None:
    killer = "faulty-kills-parents"
    rows = [killer, "global-mean", f"{killer}[generations=2]", "item-mean"]
    records = measure(*rows)
    assert [record.status for record in records] == ["crashed", "ok", "crashed", "ok"]
    assert "SIGKILL" in (records[0].reason or "")
    assert "the fork server ended with code -9 while this cell ran" in (records[2].reason or "")
    assert_alone(pool, records[3])


def test_of_cells_that_lose_their_server_together_only_the_killer_is_lost(
    jobs_of: MakeJobs,
) -> None:
    jobs = jobs_of("faulty-kills-parents[generations=2]", "faulty-dawdles")
    with ForkPool(threads=1, cells_at_once=2) as pool:
        statuses = {record.cell.algorithm: record.status for record in pool.execute(jobs)}
    assert statuses == {"faulty-kills-parents": "crashed", "faulty-dawdles": "ok"}


def test_a_cell_that_stops_the_server_is_over_all_the_same(
    jobs_of: MakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recbench.benchmarks.execution.watch.KEEPER_SECONDS", 1.0)
    monkeypatch.setattr("recbench.benchmarks.execution.watch.END_SECONDS", 1.0)
    stopper = f"faulty-kills-parents[generations=2,number={int(signal.SIGSTOP)}]"
    jobs = limit_time(jobs_of(stopper, "global-mean"), stopper, seconds=2)
    with ForkPool(threads=1) as pool:
        records = list(pool.execute(jobs))
    assert [record.status for record in records] == ["timeout", "ok"]


@pytest.mark.parametrize(
    ("row", "places"),
    [
        ("faulty-hangs", ("in fit", "in _wait_for_ever; faulty.py:", "in fit")),
        (
            "faulty-hangs[phase=rank]",
            ("in rank", "in _wait_for_ever; faulty.py:", "in score_items"),
        ),
    ],
)
def test_a_time_out_names_the_phase_and_the_place(
    measure: Measure, row: str, places: tuple[str, str, str]
) -> None:
    phase, called, method = places
    for seconds in (2, 20):  # a busy machine has not got there in the first limit
        [record] = measure(row, seconds=seconds)
        assert record.status == "timeout"
        reason = record.reason or ""
        if "faulty.py" in reason:
            break
    beginning = f"took longer than the time limit of {seconds} s, {phase}, at faulty.py:"
    assert reason.startswith(beginning)
    assert called in reason and reason.endswith(method)


def test_what_a_cell_has_started_ends_with_its_time_and_the_next_cells_are_sound(
    pool: ForkPool, jobs_of: MakeJobs
) -> None:
    """It sleeps, as does a process that it starts in a session of its own; other rows have no such
    limit, so that a busy machine does not end them.
    """
    jobs = jobs_of("item-mean", "faulty-sleeps", "global-mean", folds=slice(2))
    records = list(pool.execute(limit_time(jobs, "faulty-sleeps", seconds=2)))
    statuses = [record.status for record in records]
    assert statuses == ["ok"] * 2 + ["timeout"] * 2 + ["ok"] * 2
    assert all("time limit of 2 s" in (record.reason or "") for record in records[2:4])
    assert_alone(pool, records[-1])


def test_places_are_those_outside_of_the_bench_innermost_first() -> None:
    trace = "Stack (most recent call first):\n" + "".join(
        f'  File "/somewhere/{name}.py", line {line} in {name}\n'
        for line, name in enumerate("abcde")
    )
    harness = describe_places.__code__.co_filename
    trace += f'  File "{harness}", line 7 in harness\n  File "/x/main.py", line 1 in main\n'
    assert describe_places(trace) == ["a.py:0 in a", "b.py:1 in b", "e.py:4 in e"]
    assert describe_places("") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a cell shared memory of its own")
def test_shared_memory_that_a_cell_leaves_is_gone_with_it(measure: Measure, tmp_path: Path) -> None:
    name = tmp_path / "name"
    before = Path("/proc/sysvipc/shm").read_text()
    [record] = measure(f"faulty-leaves-shared-memory[file={name}]")
    assert (record.status, "exit code 13" in (record.reason or "")) == ("crashed", True)
    assert not Path("/dev/shm", name.read_text()).exists()
    assert not Path("/dev/shm/recbench-test-left").exists()
    assert Path("/proc/sysvipc/shm").read_text() == before
