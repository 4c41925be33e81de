"""The watchdog: what a running cell uses, and its end when that is too much."""

import contextlib
import os
import signal
from dataclasses import dataclass, field
from time import monotonic

import psutil

from recbench.benchmarks.records import Cell

FAMILY_SECONDS = 0.5  # how often descendants are looked for: that walks the process table
BUDGET_GRACE = 1.05


@dataclass(frozen=True)
class Limits:
    """What a cell may use, its loading and warm-up included; and how long the whole run may take, if limited."""

    seconds: float
    memory_mb: float
    budget_seconds: float | None = None


@dataclass
class Watched:
    """A cell that runs: its process, what it uses, and why it was killed if it was."""

    cell: Cell
    processors: list[int]
    started: str  # ISO 8601
    memory_mb: float  # its limit
    since: float = field(default_factory=monotonic)
    pid: int = 0
    family: list[psutil.Process] = field(default_factory=list)
    family_since: float = 0.0
    killed: tuple[str, str] | None = None  # status and reason, once the watchdog has acted

    def begin(self, pid: int) -> None:
        """Its process runs: the clock of its time limit starts, so that imports in the server do not count."""
        self.pid, self.since = pid, monotonic()

    def resident_mb(self) -> float:
        """Resident memory of the cell and its descendants, in MB; pages that several of them share count once."""
        self._look_for_family()
        used = sum(self._memory(process, "rss") for process in self.family)
        if used > self.memory_mb and len(self.family) > 1:
            used = sum(
                self._memory(process, "pss") for process in self.family
            )  # exact, but slow to ask for
        return used

    def _memory(self, process: psutil.Process, kind: str) -> float:
        with contextlib.suppress(psutil.Error):
            found = process.memory_info() if kind == "rss" else process.memory_full_info()
            return float(getattr(found, kind, found.rss)) / 2**20
        return 0.0

    def _look_for_family(self) -> None:
        with contextlib.suppress(psutil.Error):
            if monotonic() - self.family_since > FAMILY_SECONDS:
                process = psutil.Process(self.pid)
                self.family, self.family_since = (
                    [process, *process.children(recursive=True)],
                    monotonic(),
                )

    def kill(self, status: str, reason: str) -> None:
        """Kill the cell and its family, and remember why."""
        self.killed, self.family_since = (status, reason), 0.0
        self._look_for_family()
        self.kill_family()

    def kill_family(self) -> None:
        """Kill the cell's process group, and descendants known to have left the group."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        for process in self.family:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def enforce(self, limits: Limits, begun: float) -> None:
        """Kill the cell if it is over a limit; `begun` is when the run began, on the monotonic clock."""
        if not self.pid or self.killed:
            return
        now = monotonic()
        if limits.budget_seconds is not None and now - begun > limits.budget_seconds * BUDGET_GRACE:
            self.kill(
                "not_run", f"stopped when the budget of {limits.budget_seconds:g} s was used up"
            )
        elif now - self.since > limits.seconds:
            self.kill("timeout", f"took longer than the time limit of {limits.seconds:g} s")
        elif (used := self.resident_mb()) > limits.memory_mb:
            self.kill(
                "out_of_memory",
                f"used {used:.0f} MB; the memory limit is {limits.memory_mb:.0f} MB",
            )
