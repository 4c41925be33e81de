"""One cell from data to record: the one path that every number takes.

Runs in a process of its own, or, to be debugged, in the one of the command.
"""

import importlib
import math
import os
import random
import traceback
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from recbench.adapters import Recommender, available, create
from recbench.adapters.base import Floats
from recbench.adapters.shared.units import Units
from recbench.benchmarks.evaluation import (
    DivergedError,
    collect_answers,
    evaluate_answers,
    suggest_remedy,
)
from recbench.benchmarks.execution.determinism import certify_fits, make_toy, sample_scores
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.measure import Meter, Surroundings, kernel_seconds
from recbench.benchmarks.execution.outcome import WITHOUT_LOG
from recbench.benchmarks.execution.sealing import sealed
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD, Evaluation
from recbench.benchmarks.records import Cell, Certificate, ColdStart, FoldFacts, Record
from recbench.benchmarks.splits import divide, fingerprint_rows
from recbench.datasets.ratings import Catalogue, Dataset, Ratings, Rows
from recbench.datasets.storage import reopen_entry

REPEAT_BELOW_SECONDS = 0.5  # as long as all fits together took less, it is measured again
REPEATS = 3
LAST_FRAMES = 3

Truth = Floats | None  # `Dataset.truth`, for an algorithm that sees it
Timed = Callable[..., Any]  # like a Meter: `timed(phase, function, *arguments)`


class MissingLibrary(Exception):
    """A module that the adapter needs is not installed, or is broken."""


@dataclass(frozen=True)
class Fold:
    """One fold of a data set, ready to be learned from."""

    dataset: Dataset
    train: Ratings
    test: Ratings
    facts: FoldFacts


def measure_cell(job: Job) -> None:
    """Measure the cell of `job` and write its record. Any exception of the algorithm becomes a
    status.

    BdbQuit, and no record, if somebody leaves the debugger at a terminal.
    """
    requested = datetime.fromisoformat(job.started)
    outline = Record(
        cell=job.cell,
        status="failed",
        reason=None,
        started=job.started,
        data=job.data,
        environment=job.environment,
        start_seconds=(datetime.now(UTC) - requested).total_seconds(),
    )
    with chdir(Path.cwd()):
        for module in job.plugins:
            importlib.import_module(module)

    try:
        algorithm = create(job.cell.algorithm, job.cell.given)
        begun = perf_counter()
        for module in algorithm.requires:
            _require_library(module)
        job = replace(job, import_seconds=job.import_seconds + perf_counter() - begun)
        fold = _read_fold(job)
        outline = replace(outline, fold=fold.facts)
        record, answers = _measure_algorithm(job, algorithm, fold, outline)
        record.to_json()  # what cannot be written is the algorithm's failure too
    except Exception as error:  # the one place where an algorithm's failure becomes a status
        if isinstance(error, BdbQuit) and job.is_attended:
            raise
        traceback.print_exc()
        status, reason = _explain_error(error, job.cell.parameters)
        record = replace(outline, status=status, reason=reason)
        answers = None

    if record.status == "ok":
        record = replace(record, evaluation=job.evaluation)
    if job.log is not None and record.status not in WITHOUT_LOG:
        record = replace(record, log=job.log.name)
    job.run.write(record, answers)


def _read_fold(job: Job) -> Fold:
    """The data of the cell, divided as it says."""
    cell = job.cell
    dataset = reopen_entry(job.dataset, is_checked=True)

    train_rows, test_rows = divide(dataset, cell.split, cell.n_folds, cell.fold, cell.split_seed)
    train = dataset.ratings.take(train_rows)
    test = dataset.ratings.take(test_rows)
    return Fold(dataset, train, test, describe_fold(train, train_rows, test, test_rows))


def _measure_algorithm(
    job: Job, algorithm: Recommender, fold: Fold, outline: Record
) -> tuple[Record, Mapping[str, Any] | None]:
    """The `outline` filled in for a cell that does not fail, and its raw answers unless the
    algorithm is skipped.
    """
    cell = job.cell
    dataset = fold.dataset
    train = fold.train
    test = fold.test
    evaluation = Evaluation.from_json(cell.protocol)
    units = Units.choose(algorithm, train.scale)
    given = units.convert_ratings(train)
    meter = Meter()
    if algorithm.sees_truth:
        algorithm.truth_ = dataset.truth

    closed_files = (source.file for source in dataset.provenance.sources)
    with (
        sealed(job.dataset.parent, closed_files),
        # an adapter may leave it; whatever comes later begins where the cell began
        chdir(Path.cwd()),
    ):
        reason = algorithm.skip(given, dataset.catalogue, job.limits.memory_mb)
        if dataset.feedback == "implicit" and algorithm.predicts == "ratings":
            reason = "predicts ratings, and these data have none: every line is a positive"
        if reason:
            return replace(outline, status="skipped", reason=reason), None

        toy_scores: list[Floats] = []
        if job.is_timed:
            begun = perf_counter()
            toy_scores = _score_toy(cell, given.scale, warm_up=True)
            cold = ColdStart(
                import_seconds=job.import_seconds, warm_up_seconds=perf_counter() - begun
            )
            outline = replace(outline, cold=cold)
        surroundings = Surroundings.look()
        speed_seconds = kernel_seconds()
        algorithm, samples = _fit_repeatedly(job, given, dataset.catalogue, dataset.truth, meter)
        answers = collect_answers(algorithm, train, test, evaluation, cell.seed, meter)
        samples.append(sample_scores(algorithm, given))
        outline = replace(outline, environment=surroundings.describe(outline.environment))

    predicts = available()[cell.algorithm].predicts
    outline = replace(outline, units="scale" if units.differ else "data")
    if predicts == "ratings":
        answers = replace(answers, scores=units.restore_scores(answers.scores))

    certificate = None
    if job.is_timed:
        reason = algorithm.nondeterminism()
        certificate = _certify_cell(cell, reason, samples, toy_scores, given.scale)
    numbers = evaluate_answers(answers, train, test, dataset.catalogue, evaluation, predicts)
    outline = replace(outline, raw_scores=numbers.raw_scores)
    if numbers.raw_scores.are_no_ratings:
        reason = f"{numbers.raw_scores.describe(train.scale)}: {suggest_remedy(cell.parameters)}"
        return replace(outline, status="diverged", reason=reason), None
    record = replace(
        outline,
        status="ok",
        costs=meter.costs(),
        metrics=numbers.scored.values,
        slices=numbers.slices,
        trace=_read_trace(algorithm, units),
        determinism=certificate,
        kernel_seconds=speed_seconds,
    )
    return record, answers.to_arrays() | numbers.scored.to_arrays()


def describe_fold(train: Ratings, train_rows: Rows, test: Ratings, test_rows: Rows) -> FoldFacts:
    """The rows and sizes of both parts, the threshold of relevance, and how much of the test part
    is cold-start.

    That is how many users, items and ratings have a user or an item without any training rating.
    """
    cold_user = np.bincount(train.users, minlength=train.n_users)[test.users] == 0
    cold_item = np.bincount(train.items, minlength=train.n_items)[test.items] == 0
    return FoldFacts(
        train_rows=fingerprint_rows(train_rows),
        test_rows=fingerprint_rows(test_rows),
        train=len(train),
        test=len(test),
        threshold=PROTOCOLS[STANDARD].threshold(train.scale),
        cold_users=len(np.unique(test.users[cold_user])),
        cold_items=len(np.unique(test.items[cold_item])),
        cold_ratings=int((cold_user | cold_item).sum()),
    )


def _require_library(module: str) -> None:
    """Import a library that the adapter wraps. MissingLibrary, with what to do, if that fails."""
    try:
        with chdir(Path.cwd()):
            importlib.import_module(module)
    except ImportError as error:
        raise MissingLibrary(
            f"cannot import {module}: {error}. Install it, for example with `make install`."
        ) from error


def _fit_repeatedly(
    job: Job, train: Ratings, catalogue: Catalogue, truth: Truth, meter: Meter
) -> tuple[Recommender, list[Floats]]:
    """A fitted algorithm, and the sampled scores of those fitted before it.

    Short fits are repeated on fresh instances, and every time is kept, unless nobody asks for
    times.
    """
    samples: list[Floats] = []
    working_directory = Path.cwd()
    n_fits = REPEATS if job.is_timed else 1
    while True:
        os.chdir(working_directory)  # each instance begins where the first one did
        meter.repeat("convert", "fit")
        algorithm = _fit_once(job.cell, train, catalogue, truth, meter)
        seconds = meter.seconds("convert") + meter.seconds("fit")
        if seconds > REPEAT_BELOW_SECONDS or len(samples) == n_fits - 1:
            return algorithm, samples
        samples.append(sample_scores(algorithm, train))


def _fit_once(
    cell: Cell, train: Ratings, catalogue: Catalogue, truth: Truth, timed: Timed
) -> Recommender:
    """A fresh instance, fitted; `timed` makes the calls of its phases."""
    algorithm = create(cell.algorithm, cell.given)
    if algorithm.sees_truth:
        algorithm.truth_ = truth
    algorithm.prepare(train, cell.threads)

    random.seed(cell.seed)  # for libraries that draw from the global generators
    np.random.seed(cell.seed)

    data = timed("convert", algorithm.convert, train, catalogue)
    timed("fit", algorithm.fit, data, cell.seed)
    return algorithm


def _read_trace(algorithm: Recommender, units: Units) -> list[dict[str, float | None]]:
    """What the algorithm has noted of its epochs, if it notes anything; None stands for what is not
    finite, and errors are in the unit of the data.
    """
    trace = []
    for point in getattr(algorithm, "trace_", []):
        entry = {name: _finite_or_none(value) for name, value in point.items()}
        for name, value in entry.items():
            if units.differ and value is not None and name.endswith("rmse"):
                entry[name] = value * units.points
        trace.append(entry)
    return trace


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _score_toy(cell: Cell, scale: tuple[float, float], *, warm_up: bool = False) -> list[Floats]:
    """The scores of a toy after the algorithm was fitted to it; none if that failed.

    To `warm_up`, it is asked all that it will be asked, so that imports, compilation and first-use
    set-up are not timed. What fails on a toy need not fail on the data, so it is only noted in the
    log.
    """
    ratings, catalogue, truth = make_toy(scale)
    short = replace(cell, given=cell.given | _limit_epochs(cell))
    try:
        with chdir(Path.cwd()):  # the data themselves are fitted where the toy was
            algorithm = _fit_once(short, ratings, catalogue, truth, _call_untimed)
            if warm_up:
                evaluation = Evaluation.from_json(cell.protocol)
                collect_answers(algorithm, ratings, ratings, evaluation, cell.seed, _call_untimed)
            return [sample_scores(algorithm, ratings)]
    except Exception:
        traceback.print_exc()
        return []


def _limit_epochs(cell: Cell) -> dict[str, int]:
    """The hyperparameter with which an algorithm goes over a toy twice at most.

    All there is to warm up happens in two epochs. Empty if the adapter declares no such
    hyperparameter, or if it is None.
    """
    name = available()[cell.algorithm].epochs_hyperparameter
    if name is None:
        return {}
    n_epochs = cell.parameters.get(name)
    if not isinstance(n_epochs, int):
        return {}
    return {name: min(2, n_epochs)}


def _certify_cell(
    cell: Cell,
    reason: str | None,
    samples: list[Floats],
    toy_scores: list[Floats],
    scale: tuple[float, float],
) -> Certificate | None:
    """From the fits that were repeated anyway; where one fit took long, from a second fit to the
    toy, in one fold.
    """
    if len(samples) > 1:
        return certify_fits(
            reason, samples, f"{len(samples)} fits, {len(samples[0]):,} training pairs"
        )
    if cell.fold > 0:  # the toy is the same in all folds
        return certify_fits(reason, [], "no second fit")
    return certify_fits(reason, toy_scores + _score_toy(cell, scale), "2 fits to a toy")


def _call_untimed(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _explain_error(error: Exception, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """The status and the reason that an exception stands for; a failure's reason ends with its last
    frames, that of a divergence with what may help, given the hyperparameters.
    """
    if isinstance(error, MissingLibrary):
        return "not_installed", str(error)
    if isinstance(error, MemoryError):
        return "out_of_memory", f"MemoryError: {error}"
    if isinstance(error, DivergedError):
        return "diverged", f"{error}: {suggest_remedy(parameters)}"

    if isinstance(error, BdbQuit):
        text = "a breakpoint, where nobody can type: run it with --debug"
    else:
        text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)[-LAST_FRAMES:]
    places = "; ".join(
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames
    )
    return "failed", f"{text} (at {places})"
