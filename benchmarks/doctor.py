"""Whether the bench can work here: directories, versions, libraries, memory, the fork server.

With `--compile` it makes all machine code that the first run would otherwise wait for.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Annotated

from rich.console import Console
from typer import Option

from recbench import datasets
from recbench.adapters import available, create
from recbench.benchmarks.console import FINE, INCOMPLETE, serve
from recbench.benchmarks.evaluation import collect_answers
from recbench.benchmarks.execution import (
    describe_environment,
    explain_broken_library,
    make_toy,
    open_executor,
)
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import Environment
from recbench.datasets.foundation import format_seconds, open_console
from recbench.datasets.storage import cache_directory, data_directory

N_NAMED = 5  # files of Netflix in the data directory
STARS = (1.0, 5.0)
SMALL_TWIN = "netflix-filtered[simulated_users=0.005]"
XLA = "keras"  # who needs it compiles for the shapes of its data, which are not yet known


def examine(
    compiles: Annotated[
        bool, Option("--compile", help="only compile all loops, so that no run waits for that")
    ] = False,
) -> int:
    """Show where files lie, what is installed, and whether each library can be imported."""
    console = open_console(soft_wrap=True)
    if compiles:
        begun = perf_counter()
        n_compiled = compile_loops()
        seconds = format_seconds(perf_counter() - begun)
        _print_facts(console, {"compiled": f"{n_compiled} algorithms, in {seconds} s"})
        return FINE

    _print_facts(console, _describe_directories())
    _print_facts(console, _describe_machine(describe_environment(threads=1, cells_at_once=1)))

    begun = perf_counter()
    with open_executor(threads=1) as executor:
        executor.wait_until_ready()
    seconds = format_seconds(perf_counter() - begun)
    _print_facts(console, {"fork server": f"ready after {seconds} s"})

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


def compile_loops() -> int:
    """Have all loops compiled, on all processors, by those who call them: how many algorithms did.

    What fails, for want of a library perhaps, is left to its cells.
    """
    tasks: list[Callable[[], bool]] = [_load_small_twin]
    for name, adapter in available().items():
        is_optional = adapter.install is not None
        if XLA not in adapter.requires and not is_optional:
            tasks.append(partial(_fit_toy, name))

    # Forked, so that what one task imports or sets is nobody else's
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        done = [pool.submit(task) for task in tasks]
    return sum(future.exception() is None and future.result() for future in done)


def _load_small_twin() -> bool:
    """Make simulated data and read them, in a directory that goes again; it is no algorithm."""
    with tempfile.TemporaryDirectory() as directory:
        # Of this process, which afterwards fits toys only: they read no data
        os.environ |= {"RECBENCH_DATA": directory, "RECBENCH_CACHE": directory}
        datasets.load(SMALL_TWIN)
    return False


def _fit_toy(name: str) -> bool:
    """Fit an algorithm to a toy and ask it all that a cell asks."""
    ratings, catalogue, truth = make_toy(STARS)
    algorithm = create(name, {})
    if algorithm.sees_truth:
        algorithm.truth_ = truth
    algorithm.prepare(ratings, 1)
    algorithm.fit(algorithm.convert(ratings, catalogue), 0)
    collect_answers(algorithm, ratings, ratings, Evaluation(), 0, _call_directly)
    return True


def _call_directly(phase: str, function: Callable[..., object], *arguments: object) -> object:
    """Nobody wants to know what this takes."""
    return function(*arguments)


if __name__ == "__main__":
    serve(examine)
