"""The contract suite for authors: whether an adapter keeps every law, and how to mend what it does
not keep.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
from rich.console import Console
from typer import Argument, Option

import recbench
from recbench.adapters import available
from recbench.adapters.conformance import (
    LAWS,
    Law,
    Ruling,
    Student,
    checkerboard,
    describe_items,
    judge_adapter,
    plant_truth,
)
from recbench.benchmarks.console import FAILED, FINE, import_plugin, print_lines, serve
from recbench.benchmarks.models import Recipe, probe_scores, save_model, train_model
from recbench.command import command_to_type
from recbench.datasets.foundation import (
    UsageError,
    format_seconds,
    make_legible,
    open_console,
    pick_name,
)
from recbench.datasets.ratings import Dataset, Provenance

# What a process does that has fitted nothing: it loads the model, and says what it answers
ASKER = (
    "import json, sys; root, path, module, directory = json.loads(sys.argv[1]); "
    "sys.path.insert(0, root); import recbench; sys.path[:] = path; "  # this recbench, no other
    "from recbench.benchmarks.console import import_plugin; import_plugin(module); "
    "from recbench.benchmarks.models import load_model, probe_scores; "
    "print(probe_scores(load_model(directory)))"
)


def check(
    module: Annotated[str, Argument(metavar="MODULE", help="the module of the adapters")],
    algorithm: Annotated[
        list[str] | None, Option(help="only this one of the module; repeatable")
    ] = None,
) -> int:
    """Ask every adapter of MODULE what the bench relies on: law by law, and how to mend it.

    Exit code 1 if a law is broken. Nothing is measured, and nothing is written.
    """
    console = open_console(soft_wrap=True)
    names = _find_adapters(module)
    chosen = [pick_name("algorithm of the module", name, names) for name in algorithm or names]
    n_broken = 0
    begun = perf_counter()
    for name in chosen:
        console.print(f"{name}", style="bold", markup=False)
        n_broken += _check_adapter(console, module, name)

    seconds = perf_counter() - begun
    if n_broken:
        broken = "1 law is broken" if n_broken == 1 else f"{n_broken} laws are broken"
        print_lines(console, [f"{broken} ({format_seconds(seconds)} s)"])
        return FAILED
    run = command_to_type("run")
    print_lines(
        console,
        [
            f"All laws are kept ({format_seconds(seconds)} s). To compare it: {run} "
            f"--dataset movielens-100k --plugin {module} --algorithm {chosen[0]} "
            "--algorithm item-mean"
        ],
    )
    return FINE


def _find_adapters(module: str) -> list[str]:
    """The algorithms that a module defines, by name, which may lie in the working directory.

    UsageError if it cannot be imported, or defines none.
    """
    import_plugin(module)
    names = [
        name
        for name, adapter in available().items()
        if adapter.__module__ == module or adapter.__module__.startswith(f"{module}.")
    ]
    if not names:
        raise UsageError(
            f"{module} defines no algorithm: expected a dataclass below "
            "recbench.adapters.base.Recommender with a name of its own. "
            f"`{command_to_type('new-adapter')} NAME` writes one"
        )
    return names


def _check_adapter(console: Console, module: str, name: str) -> int:
    """Print what came of each law, and how to mend what is broken; how many laws are."""
    student = Student(name)
    saved = Law(
        "saved as a model and loaded in a fresh process, it gives the same scores to the last bit",
        "keep arrays, sparse matrices, numbers and texts in attributes that end in _; for the "
        "object of a library override `state` and `restore`, or say in `unsaved` why it cannot be",
        lambda student: _save_and_ask(module, student.name),
    )
    n_broken = 0
    for law in [*LAWS, saved]:
        ruling = judge_adapter(student, law)
        print_lines(console, [make_legible(line) for line in _describe_ruling(ruling)])
        n_broken += ruling.is_broken
    return n_broken


def _describe_ruling(ruling: Ruling) -> list[str]:
    """The law with what came of it, as lines."""
    lines = [f"  {ruling.status:9}  {ruling.law.sentence}"]
    if ruling.reason:
        lines.append(f"             {ruling.reason}")
    if ruling.is_broken:
        lines.append(f"             to mend it: {ruling.law.mend}")
    return lines


def _save_and_ask(module: str, name: str) -> None:
    """UsageError or AssertionError unless a fresh process answers as the fitted algorithm."""
    train = checkerboard()
    board = Dataset(
        name="a board",
        ratings=train,
        catalogue=describe_items(train.n_items),
        user_ids=np.arange(train.n_users),
        item_ids=np.arange(train.n_items),
        provenance=Provenance((), "made up", "nobody"),
        truth=plant_truth(train),
    )
    model = train_model(board, Recipe(name, name, {}, "the defaults"))
    with tempfile.TemporaryDirectory(prefix="recbench-check-") as scratch:
        directory = Path(scratch, "model")
        saved = save_model(model, directory)
        path = [*(str(Path(entry).resolve()) for entry in sys.path), str(recbench.ROOT)]
        told = json.dumps([str(recbench.ROOT), path, module, str(directory)])
        result = subprocess.run(
            [sys.executable, "-c", ASKER, told], capture_output=True, text=True, check=False
        )
    if result.returncode:
        raise RuntimeError(f"a fresh process failed: {result.stderr.strip().splitlines()[-1]}")
    if result.stdout.strip() != probe_scores(saved):
        raise RuntimeError("a fresh process gives other scores")


if __name__ == "__main__":
    serve(check)
