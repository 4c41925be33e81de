"""How speeds are compared: in turn, in processor time, and the shortest of some rounds counts.

Machines are seldom quiet, and what disturbs one contestant then disturbs the next one too. Ratios
depend on the processor, so every comparison names it.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from threadpoolctl import threadpool_limits

from recbench.benchmarks.execution import describe_environment

FLAGS = ("avx2", "avx512f", "fma")  # what the width of vectors depends on
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def race(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """By name the fewest processor seconds of all rounds, in each of which everybody runs once.

    BLAS has one thread, as in a cell: its others wait in loops that count as processor time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with threadpool_limits(1):
        for _ in range(rounds):
            for name, function in contestants.items():
                begun = time.process_time()
                function()
                seconds[name].append(time.process_time() - begun)
    return {name: min(tries) for name, tries in seconds.items()}


def print_processor() -> None:
    """Print what ratios depend on: processor, vectors, caches, and what BLAS was told to be."""
    environment = describe_environment(threads=1, cells_at_once=1)
    words = [f"{environment.cpu}, {environment.cores} cores"]
    words += [flag for flag in FLAGS if flag in _read(Path("/proc/cpuinfo")).split()]
    for cache in sorted(CACHES.glob("index*")):
        kind = _read(cache / "type")
        if kind != "Instruction":
            words.append(f"L{_read(cache / 'level')} {_read(cache / 'size')}")
    words.append(f"OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'not set')}")
    print(f"\nprocessor: {', '.join(words)}")


def _read(path: Path) -> str:
    """The text of a file; empty where there is none."""
    return path.read_text().strip() if path.exists() else ""
