"""One cell fitted again, on its usual path but into a directory that is thrown away, and compared with its record."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from recbench.adapters import available, create
from recbench.benchmarks.execution import Limits, make_jobs, open_executor
from recbench.benchmarks.planning import hyperparameters, library_versions
from recbench.benchmarks.records import (
    Cell,
    Record,
    Run,
    RunDescription,
    answers_source,
    evaluation_source,
)
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset

SAME_MACHINE = ("cpu", "platform", "python")  # numbers are promised to be the same where these are


@dataclass(frozen=True)
class Comparison:
    """What came out again: differences in words, how much was the same, and why differences are excused, if so."""

    differences: list[str]
    n_same: int
    excuse: str


def find_cell(cells: list[Cell], key: str) -> Cell:
    """The planned cell with this key, or whose record is so called; UsageError if there is none."""
    wanted = Path(key).name.removesuffix(".json")
    for cell in cells:
        if wanted in (cell.key, cell.name):
            return cell
    raise UsageError(
        f"--rerun {key}: no planned cell has this key; keys are in results.csv and in the records' names"
    )


def refit_cell(
    run: Run, cell: Cell, about: RunDescription, dataset: Dataset, plugins: list[str]
) -> Comparison:
    """Fit `cell` again and compare its status, metrics and raw answers with its record."""
    old = run.read(cell)
    if old is None:
        raise UsageError(f"--rerun {cell.key}: it has no record to compare with")
    if cell.algorithm not in available():
        raise UsageError(
            f"--rerun {cell.key}: unknown algorithm {cell.algorithm}: name its module with --plugin"
        )
    limits = Limits(seconds=None, memory_mb=0.8 * psutil.virtual_memory().total / 2**20)
    with tempfile.TemporaryDirectory() as directory, open_executor(cell.threads) as executor:
        again = Run(Path(directory))
        jobs = make_jobs(
            [cell],
            again,
            dataset,
            environment=executor.environment,
            evaluation=evaluation_source(),
            limits=limits,
            plugins=plugins,
        )
        (new,) = executor.execute(jobs)
        both_ok = old.status == new.status == "ok"
        answers = (run.answers(cell), again.answers(cell)) if both_ok else ({}, {})
    differences, n_same = _compared(old, new, *answers)
    return Comparison(differences, n_same, excuse(old, new))


def _compared(
    old: Record, new: Record, before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]
) -> tuple[list[str], int]:
    """Differences in words, and how many numbers are the same to the last bit."""
    if old.status != new.status:
        return [
            f"status: {old.status} in the record, {new.status} again: {new.reason or 'no reason'}"
        ], 0
    differences, n_same = [], 0
    for column in {**old.metrics, **new.metrics}:
        was, now = old.metrics.get(column), new.metrics.get(column)
        n_same += was == now
        if was != now:
            by = "" if was is None or now is None else f", a difference of {now - was:+.3g}"
            differences.append(f"metrics.{column}: {was} in the record, {now} again{by}")
    for name in {**before, **after}:
        if name not in before or name not in after or before[name].shape != after[name].shape:
            differences.append(f"{name}: another shape")
            continue
        one, other = before[name], after[name]
        unlike = one != other
        if one.dtype.kind == "f":
            unlike &= ~(np.isnan(one) & np.isnan(other))
        n_same += int(unlike.size - unlike.sum())
        if unlike.any():
            largest = (
                f", by up to {np.nanmax(np.abs(one - other)):.3g}" if one.dtype.kind == "f" else ""
            )
            differences.append(f"{name}: {unlike.sum()} of {unlike.size} entries differ{largest}")
    return differences, n_same


def excuse(old: Record, new: Record) -> str:
    """Why other numbers would be no failure; empty if the record's key promises the same ones."""
    cell, adapter = old.cell, available()[old.cell.algorithm]
    if old.determinism and old.determinism.verdict == "not deterministic":
        return f"the record says that its numbers vary: {old.determinism.reason or old.determinism.checked_on}"
    for what, was, now in (
        ("revision", cell.revision, adapter.revision),
        ("hyperparameters", cell.parameters, hyperparameters(create(cell.algorithm, cell.given))),
        ("libraries", cell.libraries, library_versions(adapter)),
        ("source", cell.source, answers_source(adapter) if cell.source else ""),
        *(
            (name, getattr(old.environment, name), getattr(new.environment, name))
            for name in SAME_MACHINE
        ),
    ):
        if was != now:
            return f"it was measured under other circumstances: {what} was {was} and is {now}"
    return ""
