"""The watchdog: what a running cell uses, and its end when that is too much."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import psutil

from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.processors import Share

FAMILY_SECONDS = 0.5  # how often descendants are looked for: that walks the process table
KEEPER_SECONDS = 10.0  # that a cell's keeper may take to hold the time limit itself
END_SECONDS = 10.0  # for the server to say that a killed cell has ended
KILL_ROUNDS = 20  # until all that a family has started meanwhile is dead too
BUDGET_GRACE = 1.05


def prefix_of_temporary(pid: int) -> str:
    """How the name of the directory begins that a cell has for temporary files, by its process."""
    return f"recbench-cell-{pid}-"


class Budget:
    """How much time all cells of an execution have had, and whether another one has room.

    A row that has not begun has room if all its cells have: one with a fold missing has no mean.
    """

    def __init__(self, jobs: Iterable[Job] = (), cells_at_once: int = 1) -> None:
        """The clock starts now. `jobs` are all that wait, of which so many run at a time."""
        self._begun = monotonic()
        self._cells_at_once = cells_at_once
        self._seconds_by_row: dict[str, float] = {}
        self._expected_by_row: dict[str, float] = {}
        self._begun_rows: set[str] = set()
        for job in jobs:
            row = job.cell.row
            expected = self._expected_by_row.get(row, 0.0) + (job.expected_seconds or 0.0)
            self._expected_by_row[row] = expected

    @property
    def seconds_used(self) -> float:
        """Wall time since the execution began."""
        return monotonic() - self._begun

    def book_seconds(self, row: str, seconds: float) -> None:
        """Remember what a cell of `row` took: the next one will take about as long."""
        self._seconds_by_row[row] = seconds

    def explain_refusal(self, job: Job) -> str | None:
        """Why `job` should not start, in words; None if it has room, and then it is to start."""
        seconds = job.limits.budget_seconds
        if seconds is None:
            return None

        row = job.cell.row
        left = max(0.0, seconds - self.seconds_used)
        expected = self._expect_seconds(job)
        if left < expected or not left:
            what = "the next cell" if row in self._begun_rows else "the row"
            return (
                f"the budget has no room: {left:.0f} s are left, and {what} would take about "
                f"{expected:.0f} s"
            )
        self._begun_rows.add(row)
        return None

    def _expect_seconds(self, job: Job) -> float:
        """What has to be left for `job` to start: its own time or, if it begins a row, the row's.

        What another cell of the row has taken tells more than what was expected.
        """
        row = job.cell.row
        if row in self._begun_rows:
            return self._seconds_by_row.get(row, job.expected_seconds or 0.0)
        return self._expected_by_row.get(row, 0.0) / self._cells_at_once


@dataclass(frozen=True)
class Killed:
    """How the watchdog has ended a cell."""

    status: str
    reason: str


@dataclass
class Watched:
    """A cell that runs: its process, what it uses, and why it was killed if it was."""

    job: Job
    share: Share
    since: float = field(default_factory=monotonic)
    pid: int = 0
    family: list[psutil.Process] = field(default_factory=list)
    family_since: float = 0.0
    killed: Killed | None = None
    killed_since: float = 0.0

    @property
    def is_overdue(self) -> bool:
        """Whether it was killed long ago, and the server has not said that it has ended."""
        return self.killed is not None and monotonic() - self.killed_since > END_SECONDS

    @property
    def seconds(self) -> float:
        """Wall time since the cell's process has begun."""
        return monotonic() - self.since

    def begin_clock(self, pid: int) -> None:
        """Its process runs: the clock of its time limit starts, so that imports in the server do
        not count.
        """
        self.pid = pid
        self.since = monotonic()

    def resident_mb(self) -> float:
        """Resident memory of the cell and its descendants, in MB; pages that several of them share
        count once.
        """
        self._look_for_family()
        used = sum(_memory_mb(process, "rss") for process in self.family)
        if used > self.job.limits.memory_mb and len(self.family) > 1:
            # exact, but slow to ask for
            used = sum(_memory_mb(process, "pss") for process in self.family)
        return used

    def _look_for_family(self) -> None:
        """Find the cell's descendants, unless that was done a moment ago."""
        if monotonic() - self.family_since <= FAMILY_SECONDS:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            self.family = [process, *process.children(recursive=True)]
            self.family_since = monotonic()

    def kill(self, status: str, reason: str) -> None:
        """Kill the cell and its family, and remember why."""
        self.killed = Killed(status, reason)
        self.killed_since = monotonic()
        self.kill_family()

    def remove_temporary_files(self) -> None:
        """Remove what the cell, whose processes have ended, has left in its own directory."""
        if not self.pid:
            return
        for left in Path(tempfile.gettempdir()).glob(f"{prefix_of_temporary(self.pid)}*"):
            shutil.rmtree(left, ignore_errors=True)

    def kill_family(self) -> None:
        """Kill the cell's descendants, and then its process: till then it is their last parent.

        No descendant can leave: whoever's parent ends becomes a child of the cell's process. Where
        this has died with its server, programs that the cell has started are known by the directory
        for temporary files that they have inherited.
        """
        if not self.pid:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for _ in range(KILL_ROUNDS):
                alive = [child for child in process.children(recursive=True) if _is_alive(child)]
                if not alive:
                    break
                for child in alive:
                    with contextlib.suppress(psutil.Error):
                        child.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        for stray in self._find_strays():
            with contextlib.suppress(psutil.Error):
                stray.kill()

    def _find_strays(self) -> list[psutil.Process]:
        """Whatever runs with the cell's own directory for temporary files, wherever it hangs."""
        prefix = str(Path(tempfile.gettempdir()) / prefix_of_temporary(self.pid))
        strays = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("TMPDIR", "").startswith(prefix):
                    strays.append(process)
        return strays

    def enforce_limits(self, seconds_used: float) -> None:
        """Kill the cell if it is over a limit; all cells together have had `seconds_used`."""
        if not self.pid or self.killed:
            return
        limits = self.job.limits

        budget = limits.budget_seconds
        if budget is not None and seconds_used > budget * BUDGET_GRACE:
            self.kill("not_run", f"stopped when the {budget:g} s that the budget left were used up")
            return

        # the keeper does so itself, and knows the place: unless it was stopped, or computes
        if limits.seconds is not None and self.seconds > limits.seconds + KEEPER_SECONDS:
            self.kill("timeout", f"took longer than the time limit of {limits.seconds:g} s")
            return

        used_mb = self.resident_mb()
        if used_mb > limits.memory_mb:
            self.kill(
                "out_of_memory",
                f"used {used_mb:.0f} MB; the memory limit is {limits.memory_mb:.0f} MB",
            )


def _is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie is only waited for."""
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _memory_mb(process: psutil.Process, kind: str) -> float:
    """What a process uses, in MB: `rss`, or `pss` where the platform has it. 0 if the process is
    gone.
    """
    with contextlib.suppress(psutil.Error):
        if kind == "rss":
            return float(process.memory_info().rss) / 2**20
        usage = process.memory_full_info()
        return float(getattr(usage, kind, usage.rss)) / 2**20
    return 0.0
