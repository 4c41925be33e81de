"""What a call costs in seconds and megabytes, and on what machine."""

import contextlib
import gc
import os
import platform
import resource
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil

import recbench
from recbench.benchmarks.execution.processors import can_bind
from recbench.benchmarks.records import CellCost, Environment, PhaseCost

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "scikit-surprise",
    "rectools-lightfm",
    "keras",
    "jax",
    "polars",
    "pandas",
)
_SELF = Path("/proc/self")
_STAT = Path("/proc/stat")
_USER_TICKS = 11  # its place in a process's stat, behind the name; system time comes next


def _list_family() -> list[Path]:
    """The directories in /proc of this process and of its living descendants, itself first.

    An algorithm may have its work done by another process, as Spark by a Java machine. Empty
    elsewhere than on Linux.
    """
    family: list[Path] = []
    waiting = [_SELF] if (_SELF / "status").exists() else []
    while waiting:
        process = waiting.pop()
        family.append(process)
        for children in process.glob("task/*/children"):
            with contextlib.suppress(OSError):  # the process, or the thread, has ended
                waiting += [Path("/proc") / pid for pid in children.read_text().split()]
    return family


def _memory_mb(line: str) -> float | None:
    """VmRSS, or VmHWM, the peak since the last reset, of this process and of its descendants
    together; None elsewhere than on Linux.
    """
    kilobytes = []
    for process in _list_family():
        with contextlib.suppress(OSError):
            rows = (process / "status").read_text().splitlines()
            values = dict(row.split(":", 1) for row in rows)
            if line in values:  # else it has just ended
                kilobytes.append(int(values[line].split()[0]))
    return sum(kilobytes) / 1024 if kilobytes else None


def _reset_peak() -> None:
    """Let VmHWM count from now on, where there is such a thing."""
    for process in _list_family():
        with contextlib.suppress(OSError):
            (process / "clear_refs").write_text("5")


def _cpu_seconds(who: int) -> float:
    """Processor time, that of the system included, in microseconds' resolution; `os.times` counts
    whole ticks of 10 ms, which is too coarse for short phases.
    """
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _descendants_seconds() -> float:
    """Processor time of all descendants so far, those that have ended and were waited for too."""
    seconds = _cpu_seconds(resource.RUSAGE_CHILDREN)
    for process in _list_family()[1:]:
        with contextlib.suppress(OSError):
            _, _, behind_name = (process / "stat").read_text().rpartition(")")
            ticks = behind_name.split()[_USER_TICKS : _USER_TICKS + 2]
            seconds += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return seconds


@dataclass
class _Sample:
    """What one measurement of a phase cost. Memory is None where it cannot be measured."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float | None = None
    grown_mb: float | None = None


@dataclass
class Meter:
    """Measures calls by phase. A phase called again adds to its sample, unless `repeat` has begun a
    new one.
    """

    on_phase: Callable[[str], None] = lambda phase: None  # hears of each call before it is made
    samples: dict[str, list[_Sample]] = field(default_factory=dict)

    def __call__(self, phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`, with its costs booked on `phase`.

        The garbage collector is off meanwhile.
        """
        self.on_phase(phase)
        if phase not in self.samples:
            self.repeat(phase)
        sample = self.samples[phase][-1]
        if not sample.seconds:
            gc.collect()
        gc.disable()
        _reset_peak()
        before = _memory_mb("VmRSS")
        of_descendants = _descendants_seconds()
        try:
            cpu_begun = process_time()
            begun = perf_counter()
            result = function(*arguments)
            seconds = perf_counter() - begun
            cpu_seconds = process_time() - cpu_begun
        finally:
            gc.enable()

        sample.seconds += seconds
        sample.cpu_seconds += cpu_seconds + _descendants_seconds() - of_descendants
        peak = _memory_mb("VmHWM")
        if peak is not None and before is not None:
            sample.peak_mb = max(sample.peak_mb or 0.0, peak)
            sample.grown_mb = max(sample.grown_mb or 0.0, peak - before)
        return result

    def repeat(self, *phases: str) -> None:
        """Begin a new sample of each of `phases`."""
        for phase in phases:
            self.samples.setdefault(phase, []).append(_Sample())

    def seconds(self, phase: str) -> float:
        """All samples of `phase` together."""
        return sum(sample.seconds for sample in self.samples[phase])

    def costs(self) -> dict[str, PhaseCost]:
        """By phase: median wall and CPU seconds, greatest memory peak and growth, every wall-time
        sample.
        """
        return {phase: _summarise_samples(samples) for phase, samples in self.samples.items()}


def _summarise_samples(samples: list[_Sample]) -> PhaseCost:
    """One cost of a phase that was measured several times. Memory is None where it cannot be
    measured.
    """
    peaks = [sample.peak_mb for sample in samples if sample.peak_mb is not None]
    growths = [sample.grown_mb for sample in samples if sample.grown_mb is not None]
    return PhaseCost(
        seconds=statistics.median(sample.seconds for sample in samples),
        cpu_seconds=statistics.median(sample.cpu_seconds for sample in samples),
        peak_mb=max(peaks, default=None),
        grown_mb=max(growths, default=None),
        samples=[sample.seconds for sample in samples],
        cpu_samples=[sample.cpu_seconds for sample in samples],
    )


class Stopwatch:
    """What this process and those that it has started and waited for have used since it began."""

    def __init__(self) -> None:
        self._begun = perf_counter()
        self._cpu_begun = _family_cpu_seconds()

    def read(self) -> CellCost:
        """Until now."""
        return CellCost(
            seconds=perf_counter() - self._begun,
            cpu_seconds=_family_cpu_seconds() - self._cpu_begun,
        )


def _family_cpu_seconds() -> float:
    """Processor time, that of the system included, of this process and of its ended children."""
    return _cpu_seconds(resource.RUSAGE_SELF) + _cpu_seconds(resource.RUSAGE_CHILDREN)


@dataclass(frozen=True)
class Surroundings:
    """What the machine has done since a moment, beside what is measured."""

    load: float | None  # load average of the minute before
    ticks: tuple[int, int] | None  # stolen and all processor time until then

    @staticmethod
    def look() -> "Surroundings":
        """As of now; None stands where the platform does not say."""
        try:
            load = os.getloadavg()[0]
        except OSError:
            load = None
        return Surroundings(load, _read_ticks())

    def describe(self, environment: Environment) -> Environment:
        """`environment` with the load at that moment, and the share stolen from then until now."""
        now = _read_ticks()
        steal = None
        if now is not None and self.ticks is not None:
            elapsed = now[1] - self.ticks[1]
            steal = (now[0] - self.ticks[0]) / elapsed if elapsed else 0.0
        return Environment.model_validate(
            environment.to_json() | {"load": self.load, "steal": steal}
        )


def _read_ticks() -> tuple[int, int] | None:
    """How much processor time the host gave to others, and all of it; None elsewhere than on
    Linux.
    """
    if not _STAT.exists():
        return None
    counts = [int(count) for count in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return counts[7], sum(counts)


def kernel_seconds(n_tries: int = 5) -> float:
    """The shortest of some timings of a fixed piece of work: a product of matrices, a sort and
    random reads.
    """
    rng = np.random.default_rng(0)
    matrix = rng.random((192, 192), np.float32)
    numbers = rng.random(1 << 16, np.float32)
    places = rng.integers(0, 1 << 16, 1 << 16)

    seconds = []
    for _ in range(n_tries):
        begun = perf_counter()
        float((matrix @ matrix).sum() + np.sort(numbers)[places].sum())
        seconds.append(perf_counter() - begun)
    return min(seconds)


def _ask_git(*arguments: str) -> str:
    """What git says of this project, or "" where there is no git or no checkout."""
    if not recbench.is_checkout():
        return ""
    try:
        answer = subprocess.run(
            ["git", "-C", recbench.ROOT, *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


def _name_cpu() -> str:
    """The processor's model, or what the platform calls it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def installed_versions() -> dict[str, str]:
    """The versions of the packages whose numbers a table can depend on; those not installed are
    left out.
    """
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def describe_environment(threads: int, cells_at_once: int) -> Environment:
    """The machine, the versions and the commit, for a run with `cells_at_once` cells of `threads`
    threads.
    """
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        host=platform.node(),
        cpu=_name_cpu(),
        cores=os.cpu_count(),
        memory_mb=psutil.virtual_memory().total / 2**20,
        threads=threads,
        bound=can_bind(threads, cells_at_once),
        contended=cells_at_once > 1,
        commit=_ask_git("rev-parse", "HEAD"),
        dirty=bool(_ask_git("status", "--porcelain")),
        versions=installed_versions(),
    )
