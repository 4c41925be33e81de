"""One cell fitted again and compared with its record.

It takes its usual path, but into a directory that is thrown away.
"""

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
from recbench.benchmarks.planning import hyperparameters_of, library_versions
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

# Numbers are promised to be the same where these are.
SAME_MACHINE = ("cpu", "platform", "python")

# Of the memory of the machine the part that the cell may have.
MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class SecondFit:
    """What came out again: differences in words, and how many numbers are the same to the last bit.

    `excuse` is why differences are no failure, empty if they are one.
    """

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
        f"--rerun {key}: no planned cell has this key; "
        "keys are in results.csv and in the records' names"
    )


def refit_cell(
    run: Run, cell: Cell, about: RunDescription, dataset: Dataset, plugins: list[str]
) -> SecondFit:
    """Fit `cell` again and compare its status, metrics and raw answers with its record.

    UsageError if it has no record, or its algorithm is unknown.
    """
    old = run.read(cell)
    if old is None:
        raise UsageError(f"--rerun {cell.key}: it has no record to compare with")
    if cell.algorithm not in available():
        raise UsageError(
            f"--rerun {cell.key}: unknown algorithm {cell.algorithm}: name its module with --plugin"
        )

    memory_mb = MEMORY_SHARE * psutil.virtual_memory().total / 2**20
    limits = Limits(seconds=None, memory_mb=memory_mb)
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

        # A cell that is not ok has no answers to compare.
        if old.status == new.status == "ok":
            differences, n_same = _compare_metrics(old, new)
            more, n_more = _compare_arrays(run.answers(cell), again.answers(cell))
            differences += more
            n_same += n_more
        elif old.status == new.status:
            differences, n_same = _compare_metrics(old, new)
        else:
            reason = new.reason or "no reason"
            differences = [f"status: {old.status} in the record, {new.status} again: {reason}"]
            n_same = 0

    return SecondFit(differences, n_same, excuse(old, new))


def _compare_metrics(old: Record, new: Record) -> tuple[list[str], int]:
    """The metrics that differ, in words, and how many are the same."""
    differences = []
    n_same = 0
    for column in {**old.metrics, **new.metrics}:
        was = old.metrics.get(column)
        now = new.metrics.get(column)
        if was == now:
            n_same += 1
            continue
        by = "" if was is None or now is None else f", a difference of {now - was:+.3g}"
        differences.append(f"metrics.{column}: {was} in the record, {now} again{by}")
    return differences, n_same


def _compare_arrays(
    before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]
) -> tuple[list[str], int]:
    """The raw answers that differ, in words, and how many of their entries are the same."""
    differences = []
    n_same = 0
    for name in {**before, **after}:
        old = before.get(name)
        new = after.get(name)
        if old is None or new is None or old.shape != new.shape:
            differences.append(f"{name}: another shape")
            continue

        # NaN stands for "nothing here", which is the same on both sides.
        is_float = old.dtype.kind == "f"
        differs = old != new
        if is_float:
            are_both_nan = np.isnan(old) & np.isnan(new)
            differs &= ~are_both_nan

        n_different = int(differs.sum())
        n_same += differs.size - n_different
        if n_different == 0:
            continue

        largest = ""
        if is_float:
            distances = np.abs(old - new)
            largest = f", by up to {np.nanmax(distances):.3g}"
        differences.append(f"{name}: {n_different} of {differs.size} entries differ{largest}")
    return differences, n_same


def excuse(old: Record, new: Record) -> str:
    """Why other numbers would be no failure, in a sentence; empty if they have to be the same.

    They have to be the same where the record's certificate does not say that they vary, where the
    code, the hyperparameters and the libraries of the cell are those that are here now, and where
    the machine is of the same kind: `SAME_MACHINE`.
    """
    certificate = old.determinism
    if certificate and certificate.repeatability == "not deterministic":
        return (
            f"the record says that its numbers vary: {certificate.reason or certificate.checked_on}"
        )

    cell = old.cell
    adapter = available()[cell.algorithm]
    parameters_now = hyperparameters_of(create(cell.algorithm, cell.arguments))
    source_now = answers_source(adapter) if cell.source else ""
    circumstances: list[tuple[str, object, object]] = [
        ("revision", cell.revision, adapter.revision),
        ("hyperparameters", cell.parameters, parameters_now),
        ("libraries", cell.libraries, library_versions(adapter)),
        ("source", cell.source, source_now),
    ]
    for name in SAME_MACHINE:
        was = getattr(old.environment, name)
        now = getattr(new.environment, name)
        circumstances.append((name, was, now))

    for name, was, now in circumstances:
        if was != now:
            return f"it was measured under other circumstances: {name} was {was} and is {now}"
    return ""
