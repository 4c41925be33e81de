"""The algorithm of a cell, as the bench deals with it: told to learn, asked questions, and timed.

Whatever of a cell calls an adapter stands here, and nothing here knows a test rating: what comes in
is the training part, and users and items that are asked for. `worker` asks. It does so directly
where all happens in one process, and through `keeper` where the algorithm has a process of its own.
"""

import importlib
import os
import shutil
import traceback
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from contextlib import ExitStack, chdir
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import Recommender, available, create
from recbench.adapters.base import Floats, Indices
from recbench.adapters.shared.fitting import fit_algorithm, read_trace
from recbench.adapters.shared.units import Units
from recbench.benchmarks.evaluation import (
    DivergedError,
    collect_answers,
    suggest_remedy,
    time_questions,
)
from recbench.benchmarks.execution.determinism import (
    TWO_TOY_FITS,
    certify_fits,
    keep_programs,
    make_toy,
    sample_scores,
)
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.measure import Meter, kernel_seconds
from recbench.benchmarks.execution.sealing import Seal, sealed
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import (
    Cell,
    Certificate,
    ColdStart,
    FoldInCost,
    PhaseCost,
    Serving,
)
from recbench.benchmarks.splits import asks_new_users
from recbench.datasets.ratings import Catalogue, Ratings, Rows

REPEAT_BELOW_SECONDS = 0.5  # as long as all fits together took less, it is measured again
REPEATS = 3
LAST_FRAMES = 3
MOST_ALONE = 1000  # new users who are also folded in one by one
SECONDS_ALONE = 10.0  # how long at most, but for the last of them
TRUTH = "truth.npy"  # of a cache entry, see `Dataset.truth`

Truth = Floats | None  # `Dataset.truth`, for an algorithm that sees it
Ids = NDArray[Any]  # of users or items, as the user wrote them
Timed = Callable[..., Any]  # like a Meter: `timed(phase, function, *arguments)`


class MissingLibrary(Exception):
    """A module that the adapter needs is not installed, or is broken."""


class SubjectEnded(Exception):
    """An algorithm in another process has failed, or its process has; already in words."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Observations:
    """What there is to say about an algorithm that has answered everything."""

    costs: dict[str, PhaseCost]
    trace: list[dict[str, float | None]]
    determinism: Certificate | None
    kernel_seconds: float | None
    cold: ColdStart | None  # None: there was no warm-up
    fold_in: FoldInCost | None = None  # None: no user was new


class Subject(Protocol):
    """An algorithm that is measured, wherever it runs. The methods are called in this order.

    Whatever an algorithm raises comes out of them.
    """

    @property
    def name(self) -> str:
        """Of the algorithm."""

    @property
    def abstains(self) -> bool:
        """Whether a NaN score means that it has no opinion."""

    def open(self) -> None:
        """Import the plug-ins and libraries, and make the algorithm; it has seen no data yet."""

    def take(self, ratings: Ratings, rows: Rows) -> Ratings:
        """The training part, put where the algorithm will find it."""

    def learn(self, train: Ratings, catalogue: Catalogue) -> str | None:
        """Fit the algorithm to `train`; why it declines the data instead, or None."""

    def score_items(self, users: Indices) -> Floats:
        """The scores of all items for each of `users`; valid until the next question."""

    def score(self, users: Indices, items: Indices) -> Floats:
        """One score for each pair; valid until the next question."""

    def fold_in(self, ratings: Ratings) -> Floats:
        """The scores of all items for new users of whom `ratings` are told, in the unit of the
        data; valid until the next question.
        """

    def observe(self) -> Observations:
        """What was measured. Only `serve` may come after this."""

    def serve(self, user_ids: Ids, item_ids: Ids) -> Serving:
        """What serving the fitted algorithm would cost, or why nobody knows; it never fails.

        Users and items are called so in the model that is saved for it.
        """

    def close(self) -> None:
        """Let go of the algorithm, also when it has failed."""


class LocalSubject:
    """An algorithm in this process."""

    def __init__(
        self,
        job: Job,
        on_phase: Callable[[str], None] = lambda phase: None,
        known: Certificate | None = None,
    ) -> None:
        """`on_phase` hears what begins, such as `fit`, just before its clock starts; `known` is
        what two fits to a toy have shown before.
        """
        self._job = job
        self._on_phase = on_phase
        self._known = known
        self._meter = Meter(on_phase)
        self._truth = _read_truth(job)
        self._closed_files = job.closed_files  # read here, since they are closed later on
        self._samples: list[Floats] = []
        self._toy_scores: list[Floats] = []
        self._kernel_seconds: float | None = None
        self._cold: ColdStart | None = None
        self._told: Ratings | None = None  # of the first block of new users
        self._stack = ExitStack()

    @property
    def name(self) -> str:
        """Of the algorithm."""
        return self._job.cell.algorithm

    @property
    def abstains(self) -> bool:
        """As the adapter's class says."""
        return self._job.abstains

    def take(self, ratings: Ratings, rows: Rows) -> Ratings:
        """A copy of these rows."""
        return ratings.take(rows)

    def open(self) -> None:
        """MissingLibrary, with what to do, if a library cannot be imported."""
        self._on_phase("import")
        with chdir(Path.cwd()):
            for module in self._job.plugins:
                importlib.import_module(module)

        self._algorithm = create(self._job.cell.algorithm, self._job.cell.arguments)
        begun = perf_counter()
        for module in self._algorithm.requires:
            require_library(module, self._algorithm.install)
        self._import_seconds = self._job.import_seconds + perf_counter() - begun

    def learn(self, train: Ratings, catalogue: Catalogue) -> str | None:
        """Short fits are repeated, and a toy is fitted before, if the job is timed.

        The algorithm is given the ratings in the unit that it asks for; scores come as it gives
        them.
        """
        cell = self._job.cell
        self._units = Units.choose(self._algorithm, train.scale)
        given = self._units.convert_ratings(train)
        self._given = given
        self._train = train
        self._catalogue = catalogue
        self._stack.enter_context(sealed(Seal(self._job.dataset, self._closed_files)))
        # an adapter may leave it; whatever comes later begins where the cell began
        self._stack.enter_context(chdir(Path.cwd()))

        self._on_phase("skip")
        if self._algorithm.sees_truth:
            self._algorithm.truth_ = self._truth
        reason = self._algorithm.skip(given, catalogue, self._job.limits.memory_mb)
        if reason:
            return reason

        if self._job.is_timed:
            begun = perf_counter()
            with keep_programs(cell) as programs:
                self._toy_scores = _score_toy(cell, given.scale, self._call_on_toy, warm_up=True)
            self._cold = ColdStart(
                import_seconds=self._import_seconds,
                warm_up_seconds=perf_counter() - begun,
                code_was_kept=programs.are_complete,
            )
        self._kernel_seconds = kernel_seconds()
        self._algorithm, self._samples = _fit_repeatedly(
            self._job, given, catalogue, self._truth, self._meter
        )
        return None

    def score_items(self, users: Indices) -> Floats:
        """Timed as `rank`."""
        scores: Floats = self._meter("rank", self._algorithm.score_items, users)
        return scores

    def score(self, users: Indices, items: Indices) -> Floats:
        """Timed as `rate`."""
        scores: Floats = self._meter("rate", self._algorithm.score, users, items)
        return scores

    def fold_in(self, ratings: Ratings) -> Floats:
        """Timed as `rank`."""
        given = self._units.convert_ratings(ratings)
        if self._told is None:
            self._told = given
        scores: Floats = self._meter("rank", self._algorithm.fold_in, given)
        return scores

    def observe(self) -> Observations:
        """Where one fit took long, a toy is fitted again, to see whether it does the same, unless
        that is known.
        """
        self._on_phase("certify")
        self._samples.append(sample_scores(self._algorithm, self._given))
        certificate = None
        if self._job.is_timed:
            reason = self._algorithm.nondeterminism()
            certificate = _certify_cell(
                self._job.cell,
                reason,
                self._samples,
                self._toy_scores,
                self._known,
                lambda: _score_toy(self._job.cell, self._given.scale, self._call_on_toy),
            )
        return Observations(
            costs=self._meter.costs(),
            trace=read_trace(self._algorithm, self._units),
            determinism=certificate,
            kernel_seconds=self._kernel_seconds,
            cold=self._cold,
            fold_in=self._time_users_alone(),
        )

    def _time_users_alone(self) -> FoldInCost | None:
        """What it costs to fold in one user: the first `MOST_ALONE` of the first block, one by one.

        None if no user was new, or nobody asks for times.
        """
        if self._told is None or not self._job.is_timed:
            return None
        self._on_phase("fold_in of users one by one")
        told = split_users(self._told, MOST_ALONE)
        seconds = time_questions(self._algorithm.fold_in, told, SECONDS_ALONE)
        return FoldInCost(
            users=len(seconds),
            p50_seconds=float(np.percentile(seconds, 50)),
            p99_seconds=float(np.percentile(seconds, 99)),
        )

    def serve(self, user_ids: Ids, item_ids: Ids) -> Serving:
        """The model stands in the directory of the run meanwhile."""
        from recbench.benchmarks.models import FittedRow, measure_serving

        self._on_phase("serve")
        directory = self._job.model_directory
        fitted = FittedRow(
            algorithm=self._algorithm,
            cell=self._job.cell,
            costs=self._meter.costs(),
            train=self._train,
            data=self._job.data,
            catalogue=self._catalogue,
            user_ids=user_ids,
            item_ids=item_ids,
        )
        try:
            return measure_serving(fitted, directory / "model")
        except Exception as error:  # what the cell has measured before is none the worse for it
            traceback.print_exc()
            status, reason = explain_error(error, self._job.cell.parameters)
            return Serving(reason=f"{status}: {reason}")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def close(self) -> None:
        """Open the data again, and be where the cell began."""
        self._stack.close()

    def _call_on_toy(self, phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`, untimed."""
        self._on_phase(f"{phase} of the toy")
        return function(*arguments)


def split_users(ratings: Ratings, most: int) -> list[Ratings]:
    """The ratings of each of the first users, at most so many, who is user 0 there."""
    by_user = np.argsort(ratings.users, kind="stable")
    n_users = min(most, ratings.n_users)
    ends = np.searchsorted(ratings.users[by_user], np.arange(n_users), side="right")

    alone = []
    for user, end in enumerate(ends):
        start = ends[user - 1] if user else 0
        part = ratings.take(by_user[start:end])
        alone.append(
            Ratings(
                np.zeros(len(part), np.int32),
                part.items,
                part.values,
                1,
                part.n_items,
                part.scale,
                part.times,
            )
        )
    return alone


def _read_truth(job: Job) -> Truth:
    """What a simulation knows, if the algorithm may see it; it holds no rating."""
    path = job.dataset / TRUTH
    if not job.sees_truth or not path.exists():
        return None
    truth: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    return truth


def require_library(module: str, install: str | None) -> None:
    """Import a library that the adapter wraps. MissingLibrary, with what to do, if that fails."""
    advice = install or "Install it, for example with `make install`"
    try:
        with chdir(Path.cwd()):
            importlib.import_module(module)
    except (Exception, SystemExit) as error:  # it is somebody else's code: anything can happen
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, ImportError):
            text = str(error)
        raise MissingLibrary(f"cannot import {module}: {text}. {advice}.") from error


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
    algorithm = create(cell.algorithm, cell.arguments)
    if algorithm.sees_truth:
        algorithm.truth_ = truth
    fit_algorithm(algorithm, train, catalogue, cell.seed, threads=cell.threads, call=timed)
    return algorithm


def _score_toy(
    cell: Cell, scale: tuple[float, float], call: Timed, *, warm_up: bool = False
) -> list[Floats]:
    """The scores of a toy after the algorithm was fitted to it; none if that failed.

    `call` makes the calls of its phases. To `warm_up`, it is asked all that it will be asked, so
    that imports, compilation and first-use set-up are not timed. What fails on a toy need not fail
    on the data, so it is only noted in the log.
    """
    ratings, catalogue, truth = make_toy(scale)
    short = replace(cell, given=cell.arguments | _limit_epochs(cell), tuning=None)
    try:
        with chdir(Path.cwd()):  # the data themselves are fitted where the toy was
            algorithm = _fit_once(short, ratings, catalogue, truth, call)
            if warm_up:
                evaluation = Evaluation.from_json(cell.protocol)
                histories = ratings if asks_new_users(cell.inner or cell.split) else None
                collect_answers(algorithm, ratings, ratings, evaluation, cell.seed, call, histories)
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
    known: Certificate | None,
    score_toy_again: Callable[[], list[Floats]],
) -> Certificate | None:
    """From the fits that were repeated anyway; where one fit took long, from a second fit to the
    toy, in one fold, unless it is `known` what that shows.
    """
    if len(samples) > 1:
        return certify_fits(
            reason, samples, f"{len(samples)} fits, {len(samples[0]):,} training pairs"
        )
    if cell.fold > 0:  # the toy is the same in all folds
        return certify_fits(reason, [], "no second fit")
    if known is not None and known.reason == reason:
        return known
    with keep_programs(cell):  # the first fit's machine code: JAX would compile all of it again
        scored_again = score_toy_again()
    return certify_fits(reason, toy_scores + scored_again, TWO_TOY_FITS)


def explain_error(error: Exception, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """The status and the reason that an exception stands for; a failure's reason ends with its last
    frames, that of a divergence with what may help, given the hyperparameters.
    """
    if isinstance(error, SubjectEnded):
        return error.status, error.reason
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
