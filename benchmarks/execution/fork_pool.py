"""One process per cell: start it, watch its seconds and megabytes, kill it, and give its end a
name.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import recbench
from recbench.benchmarks.execution.job import Job, Limits
from recbench.benchmarks.execution.measure import describe_environment
from recbench.benchmarks.execution.outcome import (
    LOG_SHOWN,
    describe_crash,
    describe_exit,
    keep_record,
    record_ending,
    rescue_record,
    tidy_up,
)
from recbench.benchmarks.execution.processors import Processors
from recbench.benchmarks.execution.watch import Budget, Watched
from recbench.benchmarks.records import Cell, Environment, Record
from recbench.datasets.storage import cache_directory, data_directory

WATCH_SECONDS = 0.05
IMPORT_SECONDS = 60.0
PROBE = """
import importlib, json, os, sys
sys.path[:] = json.loads(sys.argv[1])
importlib.import_module(sys.argv[2])
os.write(int(sys.argv[3]), b"imported")
"""
SERVER = Path(__file__).with_name("forkserver.py")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # the size of XLA's own pool
)


class HarnessError(RuntimeError):
    """The harness itself broke; no algorithm is to blame. Exit code 3."""


class ServerDied(HarnessError):
    """The fork server has ended by itself; only this room hears of it while cells run."""


@dataclass(frozen=True)
class Message:
    """What the server says, one JSON object a line."""

    event: Literal["ready", "started", "ended"]
    pid: int  # of the server when it is ready, else of the cell
    cell: str = ""  # its name
    code: int = 0  # how it has ended, negative for a signal


class ForkPool:
    """Runs cells, each in a process forked from one server that holds the imported libraries."""

    def __init__(
        self, threads: int, cells_at_once: int = 1, import_seconds: float = IMPORT_SECONDS
    ) -> None:
        """Start the server; it imports while the caller does other things. Use as a context
        manager.

        A library that takes longer than `import_seconds` is left to the cells that need it.
        """
        self._import_seconds = import_seconds
        self._threads = threads
        self._cells_at_once = cells_at_once
        self._running: dict[str, Watched] = {}
        # What a cell changes in the run's own process must not reach the next server
        self._environment = os.environ | _server_variables(threads)
        self._module_path = json.dumps(_module_path())
        self._server_log = tempfile.TemporaryFile("w+b")  # noqa: SIM115  # closed with the pool
        self._is_ready = False  # a server that never was has not been killed by a cell
        self._server = self._start_server()

    def _start_server(self) -> "subprocess.Popen[bytes]":
        # -P: modules are found where this process finds them, not beside the server's file
        command = [sys.executable, "-P", str(SERVER), str(recbench.ROOT)]
        return subprocess.Popen(
            [*command, self._module_path, str(os.getpid()), str(self._import_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._server_log,
            env=self._environment,
            start_new_session=True,  # Ctrl-C reaches the run, which then ends the server
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for watched in self._running.values():  # of an interrupted run
            watched.kill_family()
            watched.share.release()
        self._end_server()
        self._server_log.close()

    def _end_server(self) -> None:
        """End the server and what it has forked; it may be dead already."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.terminate()
        with contextlib.suppress(BrokenPipeError):  # it died before it had read a job
            self._server.stdin.close()
        self._server.stdout.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    @property
    def environment(self) -> Environment:
        """The machine, the versions and the commit; cells are contended if several run at the same
        time.
        """
        return describe_environment(self._threads, self._cells_at_once)

    def wait_until_ready(self) -> None:
        """Return once the server has imported what every cell needs. HarnessError if it cannot."""
        while not any(message.event == "ready" for message in self._receive()):
            pass

    def refuse_unsuitable(
        self, cells: Sequence[Cell], limits: Limits, plugins: Sequence[str] = ()
    ) -> None:
        """Nothing is unsuitable: cells have the code and the machine of the command."""

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = lambda cell: None
    ) -> Iterator[Record]:
        """Run each cell and yield its record once that is written, in the order in which they end.

        Cells that do not fit the budget yield `not_run`. A server that dies while cells run is
        replaced, which costs the cell that ran alone; of several, each runs alone once more.
        HarnessError if it cannot start.
        """
        waiting = list(jobs)
        waiting.reverse()  # the next one is popped from the end
        running = self._running
        suspects: set[str] = set()  # ran when a server died, with others: now each runs alone
        processors = Processors(self._threads, self._cells_at_once)
        budget = Budget(waiting, self._cells_at_once)
        try:
            while waiting or running:
                try:
                    while waiting and self._has_room(waiting[-1], suspects):
                        job = waiting.pop()
                        refusal = budget.explain_refusal(job)
                        if refusal is not None:
                            yield keep_record(job, record_ending(job, "not_run", refusal))
                            continue
                        on_start(job.cell)
                        self._start(job, processors)

                    for message in self._receive():
                        if message.event == "started":
                            running[message.cell].begin_clock(message.pid)
                        elif message.event == "ended":
                            watched = running.pop(message.cell)
                            budget.book_seconds(watched.job.cell.row, watched.seconds)
                            processors.give_back(watched.share)
                            watched.remove_temporary_files()
                            yield _close_cell(watched, message.code)
                except ServerDied as death:
                    lost = self._restart_server(death, processors)
                    is_proven = len(lost) == 1
                    for watched in lost:
                        if watched.killed is None and not is_proven:
                            suspects.add(watched.job.cell.name)
                            waiting.append(watched.job)
                            continue
                        budget.book_seconds(watched.job.cell.row, watched.seconds)
                        yield _close_lost_cell(watched, death)

                for watched in running.values():
                    watched.enforce_limits(budget.seconds_used)
                    if watched.is_overdue:  # the server does not say that its process has ended
                        self._server.kill()
        finally:
            processors.release()

    def _has_room(self, job: Job, suspects: set[str]) -> bool:
        """Whether a cell can start now; a suspect runs alone."""
        if not self._running:
            return True
        is_alone = bool(suspects & {job.cell.name, *self._running})
        return len(self._running) < self._cells_at_once and not is_alone

    def _start(self, job: Job, processors: Processors) -> None:
        """Have the server fork a process for the cell. ServerDied if the server has died."""
        run = job.run
        run.path(job.cell).parent.mkdir(parents=True, exist_ok=True)

        share = processors.take()
        environment = job.environment.replaced(
            apart=True,
            bound=bool(share.processors),
            contended=job.environment.contended or share.contended,
        )
        job = replace(
            job,
            environment=environment,
            processors=share.processors,
            log=run.path(job.cell, ".log"),
            started=datetime.now(UTC).isoformat(),
        )

        assert self._server.stdin is not None
        self._running[job.cell.name] = Watched(job, share)
        try:
            self._server.stdin.write(job.to_json() + b"\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            raise self._server_died() from None

    def _receive(self) -> list[Message]:
        """What the server has to say; waits at most WATCH_SECONDS. ServerDied if it has died."""
        assert self._server.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._server.stdout, selectors.EVENT_READ)
            if not selector.select(WATCH_SECONDS):
                return []

        received = b""
        while not received.endswith(b"\n"):
            chunk = os.read(self._server.stdout.fileno(), 1 << 16)
            if not chunk:
                raise self._server_died()
            received += chunk
        messages = [Message(**json.loads(line)) for line in received.splitlines()]
        self._is_ready |= any(message.event == "ready" for message in messages)
        return messages

    def _server_died(self) -> "ServerDied":
        """What is to be raised: its exit code, and the end of what it printed."""
        code = self._server.wait()
        self._server_log.seek(0)
        printed = self._server_log.read().decode(errors="replace")[-LOG_SHOWN:].strip()
        return ServerDied(f"the fork server ended with code {code}: {printed}".rstrip(": "))

    def _restart_server(self, death: "ServerDied", processors: Processors) -> list[Watched]:
        """A new server in place of a dead one; the cells that ran are gone, and returned.

        HarnessError, which is `death`, if no cell can have caused it.
        """
        lost = list(self._running.values())
        if not lost or not self._is_ready:
            raise death
        self._running.clear()
        for watched in lost:
            watched.kill_family()
            watched.remove_temporary_files()
            processors.give_back(watched.share)

        self._end_server()
        self._server_log.truncate(0)
        self._is_ready = False
        self._server = self._start_server()
        return lost


def explain_broken_library(module: str, seconds: float = IMPORT_SECONDS) -> str | None:
    """Why a library cannot be imported within so many seconds; None if it can.

    It is tried in a process of its own, since anything can happen.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+b") as output:
        arguments = [json.dumps(_module_path()), module, str(writing)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROBE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"takes longer than {seconds:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.set_blocking(reading, False)
            with os.fdopen(reading, "rb") as pipe:
                is_imported = bool(pipe.read())
        output.seek(0)
        printed = output.read().decode(errors="replace").strip()
    if is_imported:
        return None
    last_line = printed.rpartition("\n")[2]
    is_exception = code == 1 and bool(last_line)
    return last_line if is_exception else describe_exit(code)


def _module_path() -> list[str]:
    """Where the server looks for modules: as this process does, in the same order, by absolute
    paths.
    """
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return [*path, str(Path.cwd()), str(recbench.ROOT)]


def _server_variables(threads: int) -> dict[str, str]:
    """Environment variables of the server and its cells. Paths are absolute, since a cell may
    change its directory.
    """
    python_path = os.environ.get("PYTHONPATH")
    parts = python_path.split(os.pathsep) if python_path else []
    variables = {
        # for processes that cells start
        "PYTHONPATH": os.pathsep.join(str(Path(part).absolute()) for part in parts),
        "PYTHONHASHSEED": "0",
        # a cell may load data of its own
        "RECBENCH_DATA": str(data_directory()),
        "RECBENCH_CACHE": str(cache_directory()),
    }
    return variables | dict.fromkeys(THREAD_VARIABLES, str(threads))


def _close_cell(watched: Watched, code: int) -> Record:
    """The record of a cell whose process has ended: its own, or one that says how it ended."""
    watched.kill_family()  # what a cell leaves behind ends with it
    job = watched.job

    if watched.killed is None:
        record = job.run.read(job.cell)
    else:
        killed = watched.killed
        record = rescue_record(job, f"{killed.status}: {killed.reason}")

    if record is None or record.started != job.started:  # it has written none this time
        if watched.killed is None:
            record = record_ending(job, "crashed", describe_crash(code, job.log))
        else:
            record = record_ending(job, watched.killed.status, watched.killed.reason)
        keep_record(job, record)

    tidy_up(job)
    return record


def _close_lost_cell(watched: Watched, death: ServerDied) -> Record:
    """The record of a cell that ran alone when the server died."""
    job = watched.job
    if watched.killed is None:
        record = record_ending(job, "crashed", f"{death} while this cell ran, and nothing else")
    else:
        record = record_ending(job, watched.killed.status, watched.killed.reason)
    keep_record(job, record)
    tidy_up(job)
    return record
