"""One process per cell: start it, watch its seconds and megabytes, kill it, and give its end a
name.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import recbench
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.measure import describe_environment
from recbench.benchmarks.execution.outcome import (
    LOG_SHOWN,
    describe_crash,
    keep_record,
    record_ending,
    tidy_log,
)
from recbench.benchmarks.execution.processors import Processors
from recbench.benchmarks.execution.watch import Budget, Watched
from recbench.benchmarks.records import Cell, Environment, Record
from recbench.datasets.storage import cache_directory, data_directory

WATCH_SECONDS = 0.05
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


@dataclass(frozen=True)
class Message:
    """What the server says, one JSON object a line."""

    event: Literal["ready", "started", "ended"]
    pid: int  # of the server when it is ready, else of the cell
    cell: str = ""  # its name
    code: int = 0  # how it has ended, negative for a signal


class ForkPool:
    """Runs cells, each in a process forked from one server that holds the imported libraries."""

    def __init__(self, threads: int, cells_at_once: int = 1) -> None:
        """Start the server; it imports while the caller does other things. Use as a context
        manager.
        """
        self._threads = threads
        self._cells_at_once = cells_at_once
        self._running: dict[str, Watched] = {}
        self._server_log = tempfile.TemporaryFile("w+b")  # noqa: SIM115  # closed with the pool
        # -P: modules are found where this process finds them, not beside the server's file
        command = [sys.executable, "-P", str(SERVER), str(recbench.ROOT)]
        self._server = subprocess.Popen(
            [*command, json.dumps(_module_path()), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._server_log,
            env=os.environ | _server_variables(threads),
            start_new_session=True,  # Ctrl-C reaches the run, which then ends the server
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        for watched in self._running.values():  # an interrupted run, or a server that died
            watched.kill_family()
            watched.share.release()

        self._server.terminate()
        with contextlib.suppress(BrokenPipeError):  # it died before it had read a job
            self._server.stdin.close()
        self._server.stdout.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

        self._server_log.close()

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

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = lambda cell: None
    ) -> Iterator[Record]:
        """Run each cell and yield its record once that is written, in the order in which they end.

        Cells that do not fit the budget yield `not_run`. HarnessError if the server dies.
        """
        waiting = list(jobs)
        waiting.reverse()  # the next one is popped from the end
        running = self._running
        processors = Processors(self._threads, self._cells_at_once)
        budget = Budget()
        try:
            while waiting or running:
                while waiting and len(running) < self._cells_at_once:
                    job = waiting.pop()
                    refusal = budget.explain_refusal(job)
                    if refusal is not None:
                        yield keep_record(job, record_ending(job, "not_run", refusal))
                        continue
                    on_start(job.cell)
                    running[job.cell.name] = self._start(job, processors)

                for message in self._receive():
                    if message.event == "started":
                        running[message.cell].begin_clock(message.pid)
                    elif message.event == "ended":
                        watched = running.pop(message.cell)
                        budget.book_seconds(watched.job.cell.row, watched.seconds)
                        processors.give_back(watched.share)
                        yield _close_cell(watched, message.code)

                for watched in running.values():
                    watched.enforce_limits(budget.seconds_used)
        finally:
            processors.release()

    def _start(self, job: Job, processors: Processors) -> Watched:
        """Have the server fork a process for the cell. HarnessError if it has died."""
        run = job.run
        run.path(job.cell).parent.mkdir(parents=True, exist_ok=True)

        share = processors.take()
        environment = job.environment.replaced(
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
        try:
            self._server.stdin.write(job.to_json() + b"\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            raise self._server_died() from None
        return Watched(job, share)

    def _receive(self) -> list[Message]:
        """What the server has to say; waits at most WATCH_SECONDS. HarnessError if it has died."""
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
        return [Message(**json.loads(line)) for line in received.splitlines()]

    def _server_died(self) -> HarnessError:
        """What is to be raised: its exit code, and the end of what it printed."""
        code = self._server.wait()
        self._server_log.seek(0)
        printed = self._server_log.read().decode(errors="replace")[-LOG_SHOWN:].strip()
        return HarnessError(f"the fork server ended with code {code}: {printed}")


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

    record = None
    if watched.killed is None:
        record = job.run.read(job.cell)

    if record is None or record.started != job.started:  # it has written none this time
        if watched.killed is None:
            record = record_ending(job, "crashed", describe_crash(code, job.log))
        else:
            record = record_ending(job, watched.killed.status, watched.killed.reason)
        keep_record(job, record)

    tidy_log(job)
    return record
