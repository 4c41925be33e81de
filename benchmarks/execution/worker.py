"""One cell from data to record: the one path that every number takes. Runs in a process of its own."""

import importlib
import math
import os
import random
import traceback
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters import Recommender, available, create
from recbench.adapters.base import Floats
from recbench.benchmarks.evaluation import DivergedError, collect_answers
from recbench.benchmarks.execution.determinism import certify, sample, toy
from recbench.benchmarks.execution.measure import Meter, kernel_seconds
from recbench.benchmarks.execution.sealing import sealed
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD, Evaluation
from recbench.benchmarks.planning import evaluate_answers
from recbench.benchmarks.records import (
    Cell,
    Certificate,
    DataDescription,
    Environment,
    FoldFacts,
    Record,
    Run,
)
from recbench.benchmarks.splits import divide, fingerprint_rows
from recbench.datasets.ratings import Catalogue, Ratings, Rows
from recbench.datasets.storage import reopen_entry

REPEAT_BELOW_SECONDS = 0.5  # as long as all fits together took less, it is measured again
REPEATS = 3
LAST_FRAMES = 3

Truth = Floats | None  # `Dataset.truth`, for an algorithm that sees it


def run(job: dict[str, Any]) -> None:
    """Measure the cell of `job` and write its record. Any exception of the algorithm becomes a status."""
    start_seconds = (datetime.now(UTC) - datetime.fromisoformat(job["started"])).total_seconds()
    with chdir(Path.cwd()):
        for module in job["plugins"]:
            importlib.import_module(module)
    cell = Cell(**job["cell"])
    arguments: dict[str, Any] = {
        "cell": cell,
        "started": job["started"],
        "data": DataDescription.model_validate(job["data"]),
        "environment": Environment.model_validate(job["environment"]),
    }
    directory = Run(Path(job["directory"]))
    try:
        record, answers = _measured(cell, Path(job["dataset"]), job["memory_mb"], arguments)
        record.to_json()  # what cannot be written is the algorithm's failure too
    except Exception as error:  # the one place where an algorithm's failure becomes a status
        traceback.print_exc()
        status, reason = _status(error)
        record, answers = Record(status=status, reason=reason, **arguments), None
    if record.status == "ok":
        record = replace(record, evaluation=job["evaluation"])
    directory.write(replace(record, start_seconds=start_seconds), answers)


def _measured(
    cell: Cell, entry: Path, memory_mb: float, arguments: dict[str, Any]
) -> tuple[Record, dict[str, Any] | None]:
    """The record of a cell that does not fail, with its raw answers unless the algorithm is skipped."""
    algorithm = create(cell.algorithm, cell.given)
    for module in algorithm.requires:
        _require(module)
    dataset, evaluation = reopen_entry(entry), Evaluation.from_json(cell.protocol)
    train_rows, test_rows = divide(dataset, cell.split, cell.n_folds, cell.fold, cell.split_seed)
    train, test = dataset.ratings.take(train_rows), dataset.ratings.take(test_rows)
    arguments["fold"] = describe_fold(train, train_rows, test, test_rows)
    truth, meter = dataset.truth, Meter()
    if algorithm.sees_truth:
        algorithm.truth_ = truth
    with (
        sealed(entry.parent, (source.file for source in dataset.provenance.sources)),
        chdir(
            Path.cwd()
        ),  # an adapter may leave it; whatever comes later begins where the cell began
    ):
        reason = algorithm.skip(train, dataset.catalogue, memory_mb)
        if reason:
            return Record(status="skipped", reason=reason, **arguments), None
        on_toy = _on_toy(cell, train.scale, warm_up=True)
        speed = kernel_seconds()
        algorithm, samples = _fitted(cell, train, dataset.catalogue, truth, meter)
        answers = collect_answers(algorithm, train, test, evaluation, cell.seed, meter)
        samples.append(sample(algorithm, train))
    numbers = evaluate_answers(cell, answers, train, test, dataset.catalogue)
    record = Record(
        status="ok",
        reason=None,
        costs=meter.costs(),
        metrics=numbers.scored.values,
        slices=numbers.slices,
        trace=[
            {name: _finite(value) for name, value in point.items()}
            for point in getattr(algorithm, "trace_", [])
        ],
        determinism=_certificate(cell, algorithm.nondeterminism(), samples, on_toy, train.scale),
        kernel_seconds=speed,
        **arguments,
    )
    return record, answers.to_arrays() | numbers.scored.to_arrays()


def describe_fold(train: Ratings, train_rows: Rows, test: Ratings, test_rows: Rows) -> FoldFacts:
    """The rows and sizes of both parts, the threshold of relevance, and how much of the test part is cold: how many
    users, items and ratings have a user or an item without any training rating.
    """
    users = np.bincount(train.users, minlength=train.n_users)[test.users] == 0
    items = np.bincount(train.items, minlength=train.n_items)[test.items] == 0
    return FoldFacts(
        train_rows=fingerprint_rows(train_rows),
        test_rows=fingerprint_rows(test_rows),
        train=len(train),
        test=len(test),
        threshold=PROTOCOLS[STANDARD].threshold(train.scale),
        cold_users=len(np.unique(test.users[users])),
        cold_items=len(np.unique(test.items[items])),
        cold_ratings=int((users | items).sum()),
    )


def _require(module: str) -> None:
    try:
        with chdir(Path.cwd()):
            importlib.import_module(module)
    except ImportError as error:
        raise MissingLibrary(
            f"cannot import {module}: {error}. Install it, for example with `make install`."
        ) from error


class MissingLibrary(Exception):
    """A module that the adapter needs is not installed, or is broken."""


def _fitted(
    cell: Cell, train: Ratings, catalogue: Catalogue, truth: Truth, meter: Meter
) -> tuple[Recommender, list[Floats]]:
    """A fitted algorithm. Short fits are repeated on fresh instances; every time is kept, and a sample of scores."""
    samples: list[Floats] = []
    working_directory = Path.cwd()
    for _ in range(REPEATS):
        os.chdir(working_directory)  # each instance begins where the first one did
        meter.repeat("convert", "fit")
        algorithm = _fit(cell, train, catalogue, truth, meter)
        if (
            meter.seconds("convert") + meter.seconds("fit") > REPEAT_BELOW_SECONDS
            or len(samples) == REPEATS - 1
        ):
            break
        samples.append(sample(algorithm, train))
    return algorithm, samples


def _fit(
    cell: Cell, train: Ratings, catalogue: Catalogue, truth: Truth, timed: Callable[..., Any]
) -> Recommender:
    algorithm = create(cell.algorithm, cell.given)
    if algorithm.sees_truth:
        algorithm.truth_ = truth
    algorithm.prepare(train, cell.threads)
    random.seed(cell.seed)  # for libraries that draw from the global generators
    np.random.seed(cell.seed)
    data = timed("convert", algorithm.convert, train, catalogue)
    timed("fit", algorithm.fit, data, cell.seed)
    return algorithm


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _on_toy(cell: Cell, scale: tuple[float, float], *, warm_up: bool = False) -> list[Floats]:
    """The scores of a toy after the algorithm was fitted to it; none if that failed.

    To `warm_up`, it is asked all that it will be asked, so that imports, compilation and first-use set-up are not
    timed. What fails on a toy need not fail on the data, so it is only noted in the log.
    """
    ratings, catalogue, truth = toy(scale)
    try:
        with chdir(Path.cwd()):  # the data themselves are fitted where the toy was
            algorithm = _fit(
                replace(cell, given=cell.given | _few_epochs(cell)),
                ratings,
                catalogue,
                truth,
                _untimed,
            )
            if warm_up:
                collect_answers(
                    algorithm,
                    ratings,
                    ratings,
                    Evaluation.from_json(cell.protocol),
                    cell.seed,
                    _untimed,
                )
            return [sample(algorithm, ratings)]
    except Exception:
        traceback.print_exc()
        return []


def _few_epochs(cell: Cell) -> dict[str, int]:
    """The hyperparameter with which an algorithm goes over a toy twice at most.

    All there is to warm up happens in two epochs. Empty if the adapter declares no such
    hyperparameter, or if it is None.
    """
    name = available()[cell.algorithm].epochs_hyperparameter
    n_epochs = cell.parameters.get(name) if name else None
    if name is None or not isinstance(n_epochs, int):
        return {}
    return {name: min(2, n_epochs)}


def _certificate(
    cell: Cell,
    reason: str | None,
    samples: list[Floats],
    on_toy: list[Floats],
    scale: tuple[float, float],
) -> Certificate | None:
    """From the fits that were repeated anyway; where one fit took long, from a second fit to the toy, in one fold."""
    if len(samples) > 1:
        return certify(reason, samples, f"{len(samples)} fits, {len(samples[0]):,} training pairs")
    if cell.fold > 0:  # the toy is the same in all folds
        return certify(reason, [], "no second fit")
    return certify(reason, on_toy + _on_toy(cell, scale), "2 fits to a toy")


def _untimed(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _status(error: Exception) -> tuple[str, str]:
    """The status and the reason that an exception stands for; a failure's reason ends with its last frames."""
    if isinstance(error, MissingLibrary):
        return "not_installed", str(error)
    if isinstance(error, MemoryError):
        return "out_of_memory", f"MemoryError: {error}"
    if isinstance(error, DivergedError):
        return "diverged", str(error)
    frames = traceback.extract_tb(error.__traceback__)[-LAST_FRAMES:]
    where = "; ".join(
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames
    )
    return "failed", f"{type(error).__name__}: {error} (at {where})"
