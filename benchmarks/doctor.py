"""Whether the bench can work here: directories, versions, libraries, memory, the fork server."""

import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from rich.console import Console

from recbench.adapters import available
from recbench.benchmarks.console import FINE, INCOMPLETE, serve
from recbench.benchmarks.execution import (
    describe_environment,
    explain_broken_library,
    open_executor,
)
from recbench.benchmarks.records import Environment
from recbench.datasets.foundation import open_console
from recbench.datasets.storage import cache_directory, data_directory

N_NAMED = 5  # files of Netflix in the data directory


def examine() -> int:
    """Show where files lie, what is installed, and whether each library can be imported."""
    console = open_console(soft_wrap=True)
    _print_facts(console, _describe_directories())
    _print_facts(console, _describe_machine(describe_environment(threads=1, cells_at_once=1)))

    begun = perf_counter()
    with open_executor(threads=1) as executor:
        executor.wait_until_ready()
    _print_facts(console, {"fork server": f"ready after {perf_counter() - begun:.1f} s"})

    problems = _find_broken_libraries()
    for module, problem in problems.items():
        console.print(f"{'cannot import':<22} {module}: {problem}", style="bold red")
    if problems:
        console.print(
            "Algorithms that need these will be not_installed, or crash; `make install` installs "
            "everything."
        )
        return INCOMPLETE
    absent = _list_absent_options()
    n_usable = len(available()) - len(absent)
    _print_facts(console, {"algorithms": f"all {n_usable} of the usual installation can run"})
    _print_facts(console, {f"optional {name}": f"absent: {how}" for name, how in absent.items()})
    return FINE


def _print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """One line a fact, the values below each other."""
    for name, value in facts.items():
        console.print(f"{name:<22} {value}")


def _describe_directories() -> dict[str, str]:
    """Where data and cache lie, whether they can be written, and what is placed for Netflix."""
    data = data_directory()
    cache = cache_directory()
    return {
        "data directory": f"{data} ({_probe_directory(data)}; set RECBENCH_DATA to change it)",
        "cache directory": f"{cache} ({_probe_directory(cache)}; set RECBENCH_CACHE to change it)",
        "Netflix files": _name_files(data / "netflix"),
    }


def _name_files(directory: Path) -> str:
    """The files that somebody has placed there; which of them can be read, their loader says."""
    names = sorted(path.name for path in directory.glob("*"))
    if not names:
        return f"none in {directory}, so they are simulated"

    listed = ", ".join(names[:N_NAMED])
    if len(names) > N_NAMED:
        listed += f" and {len(names) - N_NAMED:,} more"
    return f"{listed} in {directory}"


def _probe_directory(directory: Path) -> str:
    """Whether files can be written there, in words; the directory is made if there is none."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return "writable"
    except OSError as error:
        return f"NOT WRITABLE: {error.strerror}"


def _describe_machine(environment: Environment) -> dict[str, str]:
    """Processor, memory, platform, and the versions of Python and the libraries."""
    can_measure = Path("/proc/self/clear_refs").exists()
    return {
        "machine": (
            f"{environment.cpu}, {environment.cores} cores, {environment.memory_mb:.0f} MB"
        ),
        "platform": environment.platform,
        "python": environment.python,
        **environment.versions,
        "memory measured": "yes" if can_measure else "no: only on Linux",
    }


def _find_broken_libraries() -> dict[str, str]:
    """Why modules that adapters require cannot be imported, by module; empty if all can."""
    absent = _list_absent_options()
    usual = [adapter for name, adapter in available().items() if name not in absent]
    required = {module for adapter in usual for module in adapter.requires}
    problems = {}
    for module in sorted(required):
        problem = explain_broken_library(module)
        if problem is not None:
            problems[module] = problem
    return problems


def _list_absent_options() -> dict[str, str]:
    """How to install what optional rows need and have not, by the row's name."""
    absent = {}
    for name, adapter in available().items():
        if adapter.install is not None and not all(map(find_spec, adapter.requires)):
            absent[name] = adapter.install
    return absent


if __name__ == "__main__":
    serve(examine)
