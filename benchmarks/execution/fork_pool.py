"""One process per cell: start it, watch its seconds and megabytes, kill it, and give its end a name."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Self

import recbench
from recbench.adapters import available
from recbench.benchmarks.execution.measure import processor_sets
from recbench.benchmarks.execution.watch import Limits, Watched
from recbench.benchmarks.records import Cell, Record, Run, RunDescription, not_run
from recbench.datasets.storage import cache_directory, data_directory

WATCH_SECONDS = 0.05
# The server finds modules where the run finds them, in the same order: not where PYTHONPATH would put
# them. Only recbench itself comes from the run's root before all: behind it on the path may lie
# another checkout that is installed as editable, and its cells would run other code than the run.
SERVER = """
import json, sys
sys.path[:0] = [sys.argv.pop(1)]
import recbench
sys.path[:] = json.loads(sys.argv.pop(1))
from recbench.benchmarks.execution.forkserver import main
main()
"""
LOG_SHOWN = 600  # characters of a crashed cell's output that go into its reason
LOG_KEPT = 1 << 16  # bytes of it that stay in its log
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


class Pool:
    """Runs cells, each in a process forked from one server that holds the imported libraries."""

    def __init__(self, threads: int, plugins: Iterable[str] = ()) -> None:
        """Start the server; it imports while the caller does other things. Use as a context manager."""
        self._plugins = list(plugins)
        self._running: dict[str, Watched] = {}
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115  # closed with the pool
        self._working_directory = str(Path.cwd())
        path = [str(Path(entry).absolute()) for entry in sys.path]
        path += [self._working_directory, str(recbench.ROOT)]
        # PYTHONPATH is for processes that cells start: absolute, since a cell may change its directory.
        given = os.environ.get("PYTHONPATH")
        searched = [str(Path(part).absolute()) for part in given.split(os.pathsep)] if given else []
        flags = {"PYTHONPATH": os.pathsep.join(searched), "PYTHONHASHSEED": "0"}
        # Absolute for the same reason: a cell may load data of its own.
        flags |= {"RECBENCH_DATA": str(data_directory()), "RECBENCH_CACHE": str(cache_directory())}
        self._server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SERVER,
                str(recbench.ROOT),
                json.dumps(path),
                str(os.getpid()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | flags | dict.fromkeys(THREAD_VARIABLES, str(threads)),
            start_new_session=True,  # Ctrl-C reaches the run, which then ends the server
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        for watched in self._running.values():  # an interrupted run, or a server that died
            watched.kill_family()
        self._server.terminate()
        self._server.stdin.close()
        self._server.stdout.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()

    def wait_until_ready(self) -> None:
        """Return once the server has imported what every cell needs. HarnessError if it cannot."""
        while not any("ready" in message for message in self._messages()):
            pass

    def execute(
        self,
        cells: Iterable[Cell],
        results: Run,
        *,
        dataset: Path,
        about: RunDescription,
        limits: Limits,
        jobs: int = 1,
        on_start: Callable[[Cell], None] = lambda cell: None,
    ) -> Iterator[Record]:
        """Run each cell and yield its record once that is in `results`; at most `jobs` at a time.

        `dataset` is the cache entry that holds the data. Cells that do not fit the budget yield `not_run`.
        HarnessError if the server dies.
        """
        self._run = results
        (results.directory / "records").mkdir(parents=True, exist_ok=True)
        waiting, running = list(cells), self._running
        free = processor_sets(about.environment.threads, jobs)
        begun, spent = monotonic(), dict[str, float]()
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                left = (
                    None
                    if limits.budget_seconds is None
                    else limits.budget_seconds - (monotonic() - begun)
                )
                if left is not None and left < spent.get(cell.row, 0.0):
                    yield self._closed(
                        not_run(
                            cell, about, f"the budget of {limits.budget_seconds:g} s has no room"
                        )
                    )
                    continue
                on_start(cell)
                running[cell.name] = self._start(cell, free.pop(), dataset, about, limits)
            for message in self._messages():
                if "started" in message:
                    running[message["started"]].begin(message["pid"])
                elif "ended" in message:
                    ended = running.pop(message["ended"])
                    spent[ended.cell.row] = monotonic() - ended.since
                    free.append(ended.processors)
                    yield self._finished(ended, message["code"], about)
            for watched in running.values():
                watched.enforce(limits, begun)

    def _start(
        self,
        cell: Cell,
        processors: list[int],
        dataset: Path,
        about: RunDescription,
        limits: Limits,
    ) -> Watched:
        started = datetime.now(UTC).isoformat()
        job = {
            "name": cell.name,
            "cell": asdict(cell),
            "started": started,
            "processors": processors,
            "preload": list(available()[cell.algorithm].requires),
            "plugins": self._plugins,
            "working_directory": self._working_directory,
            "dataset": str(dataset.absolute()),
            "directory": str(self._run.directory.absolute()),
            "log": str(self._run.path(cell, ".log").absolute()),
            "memory_mb": limits.memory_mb,
            "data": about.data.to_json(),
            "environment": about.environment.to_json(),
            "evaluation": about.evaluation,
        }
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(json.dumps(job).encode() + b"\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            raise self._server_died() from None
        return Watched(cell, processors, started, limits.memory_mb)

    def _messages(self) -> list[dict[str, Any]]:
        """What the server has to say; waits at most WATCH_SECONDS."""
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
        return [json.loads(line) for line in received.splitlines()]

    def _server_died(self) -> HarnessError:
        code = self._server.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-LOG_SHOWN:].strip()
        return HarnessError(f"the fork server ended with code {code}: {said}")

    def _finished(self, ended: Watched, code: int, about: RunDescription) -> Record:
        """The record of a cell whose process has ended: its own, or one that says how it ended."""
        ended.kill_family()  # what a cell leaves behind ends with it
        log = self._run.path(ended.cell, ".log")
        record = None if ended.killed else self._run.read(ended.cell)
        if record is not None and record.started == ended.started:
            log.unlink(missing_ok=True)
            return record
        said = _said(log)
        last = said.rpartition("\n")[2]
        status, reason = ended.killed or (
            "crashed",
            f"{_describe(code)}: {last}\n{said}" if said else _describe(code),
        )
        return self._closed(
            Record(ended.cell, status, reason, ended.started, about.data, about.environment)
        )

    def _closed(self, record: Record) -> Record:
        """Write a record that its cell could not write itself; `not_run` never replaces what is there."""
        if record.status != "not_run" or not self._run.path(record.cell).exists():
            self._run.write(record)
        return record


def _describe(code: int) -> str:
    if code >= 0:
        return f"the process left with exit code {code} and no answer"
    known = -code in {number.value for number in signal.Signals}
    name = signal.Signals(-code).name if known else f"signal {-code}"
    hint = " (the kernel does this when memory runs out)" if name == "SIGKILL" else ""
    return f"killed by {name}{hint}"


def _said(log: Path) -> str:
    """The last whole lines that the cell printed; of a fatal error, its stack and not the list of loaded modules.

    A log that has grown long is cut to its end.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_KEPT))
        kept = file.read()
    if log.stat().st_size > LOG_KEPT:
        log.write_bytes(kept)
    text = kept.decode(errors="replace").strip()
    _, fatal, stack = text.partition("Fatal Python error:")
    if fatal:
        return (fatal + stack.partition("\n\nExtension modules:")[0])[:LOG_SHOWN]
    return text if len(text) <= LOG_SHOWN else text[-LOG_SHOWN:].partition("\n")[2]
