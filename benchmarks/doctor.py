"""Whether the bench can work here: directories, versions, libraries, memory, the fork server."""

import importlib
import tempfile
from pathlib import Path
from time import perf_counter

from rich.console import Console

from recbench.adapters import available
from recbench.benchmarks.console import FINE, INCOMPLETE, serve
from recbench.benchmarks.execution import ForkPool, describe_environment
from recbench.benchmarks.records import Environment
from recbench.datasets.storage import cache_directory, data_directory, find_placed


def examine() -> int:
    """Show where files are looked for, what is installed, and whether each algorithm's library can be imported."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    lines = {**_directories(), **_machine(describe_environment(threads=1, cells_at_once=1))}
    for name, value in lines.items():
        console.print(f"{name:<22} {value}")
    begun = perf_counter()
    with ForkPool(threads=1) as pool:
        pool.wait_until_ready()
    console.print(f"{'fork server':<22} ready after {perf_counter() - begun:.1f} s")
    broken = _broken_libraries()
    for module, problem in broken.items():
        console.print(f"{'cannot import':<22} {module}: {problem}", style="bold red")
    if broken:
        console.print(
            "Algorithms that need these will be not_installed; `make install` installs everything."
        )
        return INCOMPLETE
    console.print(f"{'algorithms':<22} all {len(available())} can run")
    return FINE


def _directories() -> dict[str, str]:
    netflix = find_placed("netflix/combined_data_1.txt")
    return {
        "data directory": f"{data_directory()} ({_state(data_directory())}; set RECBENCH_DATA to change it)",
        "cache directory": f"{cache_directory()} ({_state(cache_directory())}; set RECBENCH_CACHE to change it)",
        "Netflix files": f"{netflix or 'not found'}; expected in {data_directory() / 'netflix'}",
    }


def _state(directory: Path) -> str:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return "writable"
    except OSError as error:
        return f"NOT WRITABLE: {error.strerror}"


def _machine(found: Environment) -> dict[str, str]:
    return {
        "machine": f"{found.cpu}, {found.cores} cores, {found.memory_mb:.0f} MB",
        "platform": found.platform,
        "python": found.python,
        **found.versions,
        "memory measured": "yes" if Path("/proc/self/clear_refs").exists() else "no: only on Linux",
    }


def _broken_libraries() -> dict[str, str]:
    broken = {}
    for module in sorted(
        {module for adapter in available().values() for module in adapter.requires}
    ):
        try:
            importlib.import_module(module)
        except ImportError as error:
            broken[module] = str(error)
    return broken


if __name__ == "__main__":
    serve(examine)
