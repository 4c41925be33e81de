"""The laws: what the bench relies on in an algorithm, asked one by one, and how to mend each."""

import importlib
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters.base import Floats, Recommender
from recbench.adapters.conformance.boards import (
    LARGE,
    SCALES,
    area_under_curve,
    checkerboard,
    draw_new_users,
    fit_to_board,
    take_users,
)
from recbench.adapters.registry import create
from recbench.adapters.shared.units import Units
from recbench.datasets.ratings import Ratings

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SHORTEST_DOCSTRING = 20  # characters of its first line
TOLERANCE = 1e-5  # of scores that are computed in two ways, relative to the largest
LEAST_AREA = 0.8  # under the curve, of who finds the planted taste; by chance it is .5
LEAST_NEAR = 0.9  # share of predictions around the scale
EDGES = {
    "one user": (1, 12),
    "one item": (12, 1),
    "one rating": (1, 1),
    "nothing liked": (12, 8),
}


class Broken(Exception):
    """An algorithm does not keep a law; the text says what it did."""


class NotAsked(Exception):
    """A law that this algorithm need not keep; the text says why."""


class Student:
    """An adapter with its defaults, and fits of it that several laws look at."""

    def __init__(self, name: str) -> None:
        self.name = name

    def make(self) -> Recommender:
        """A new instance."""
        return create(self.name)

    def fit(self, train: Ratings) -> Recommender:
        """A new instance, fitted. NotAsked if it declines the data."""
        algorithm = self.make()
        self._fit(algorithm, train)
        return algorithm

    def _fit(self, algorithm: Recommender, train: Ratings, seed: int = 0) -> None:
        reason = fit_to_board(algorithm, train, seed)
        if reason is not None:
            raise NotAsked(f"it declines these data: {reason}")

    def fit_again(self, algorithm: Recommender, train: Ratings, seed: int = 0) -> None:
        """The same for an instance that was used before."""
        self._fit(algorithm, train, seed)

    @cached_property
    def train(self) -> Ratings:
        """A board of half stars."""
        return checkerboard(*LARGE, scale=SCALES[1])

    @cached_property
    def learned(self) -> Recommender:
        """Fitted to `train`; nobody changes it."""
        return self.fit(self.train)

    @cached_property
    def wide(self) -> Ratings:
        """A board on a wide scale."""
        return checkerboard(*LARGE, scale=SCALES[2])

    @cached_property
    def first_fit(self) -> "FirstFit":
        """An instance fitted to `wide` with another seed, to be fitted again."""
        algorithm = self.make()
        self._fit(algorithm, self.wide, seed=1)
        scores, _ = check_scores(algorithm, self.wide)
        return FirstFit(algorithm, scores)


@dataclass(frozen=True)
class FirstFit:
    """An instance that was used before, and what it had predicted then."""

    algorithm: Recommender
    scores: Floats  # of every pair, in the unit of the algorithm


@dataclass(frozen=True)
class Law:
    """What is asked, how to mend what breaks it, and who asks."""

    sentence: str
    mend: str
    ask: Callable[[Student], None]


@dataclass(frozen=True)
class Ruling:
    """What came of asking: the law is kept, broken, or was not asked, and why."""

    law: Law
    status: str  # "kept", "BROKEN" or "not asked"
    reason: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether there is something to mend."""
        return self.status == "BROKEN"


LAWS: list[Law] = []


def _law(sentence: str, mend: str) -> Callable[[Callable[[Student], None]], Law]:
    """A decorator: the function below it asks whether a student keeps this law."""

    def register(ask: Callable[[Student], None]) -> Law:
        law = Law(sentence, mend, ask)
        LAWS.append(law)
        return law

    return register


def judge_adapter(student: Student, law: Law) -> Ruling:
    """Whether an adapter keeps a law. Whatever it raises breaks it."""
    try:
        law.ask(student)
    except NotAsked as reason:
        return Ruling(law, "not asked", str(reason))
    except Broken as reason:
        return Ruling(law, "BROKEN", str(reason))
    except Exception as error:  # it is somebody else's code: anything can happen in it
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        return Ruling(law, "BROKEN", f"{type(error).__name__}: {error} (at {place})")
    return Ruling(law, "kept")


def check_scores(algorithm: Recommender, train: Ratings) -> tuple[Floats, Floats]:
    """`score` of every pair and `score_items` of every user, both (n_users, n_items).

    Broken if one has not the form that the contract asks for.
    """
    shape = (train.n_users, train.n_items)
    users, items = (column.astype(np.int32) for column in np.indices(shape).reshape(2, -1))
    everybody = np.arange(train.n_users, dtype=np.int32)
    for column in (users, items, everybody):
        column.flags.writeable = False

    pairs = algorithm.score(users, items)
    _refuse_form("score", pairs, users.shape, algorithm)
    grid = algorithm.score_items(everybody)
    _refuse_form("score_items", grid, shape, algorithm)
    return pairs.reshape(shape).copy(), grid.copy()


def _refuse_form(method: str, scores: Any, shape: tuple[int, ...], algorithm: Recommender) -> None:
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        kind = getattr(scores, "dtype", type(scores).__name__)
        raise Broken(f"{method} gave {kind}, expected a float32 array")
    if scores.shape != shape:
        raise Broken(f"{method} gave the shape {scores.shape}, expected {shape}")
    n_infinite = int(np.isinf(scores).sum())
    n_nan = int(np.isnan(scores).sum())
    if n_infinite or (n_nan and not algorithm.abstains):
        raise Broken(f"{method} gave {n_nan} NaN and {n_infinite} infinite scores")


def refuse_difference(first: Floats, second: Floats, what: str) -> None:
    """Broken if two ways to the same scores differ by more than rounding."""
    tolerance = TOLERANCE * max(1.0, float(np.nanmax(np.abs(first), initial=0)))
    apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
    if np.isnan(first).tolist() != np.isnan(second).tolist():
        raise Broken(f"{what}: NaN stands in one and not in the other")
    largest = float(np.nanmax(apart, initial=0))
    if largest > tolerance:
        raise Broken(f"{what} differ by up to {largest:.3g}")


@_law(
    "it says what it is: a name in small letters, digits and hyphens, and a docstring",
    "write a docstring whose first line says what is computed, by its formula",
)
def _says_what_it_is(student: Student) -> None:
    adapter = type(student.make())
    if not NAME.fullmatch(student.name):
        raise Broken(f"its name is {student.name!r}")
    documented = (adapter.__doc__ or "").strip()
    first_line = documented.partition("\n")[0]
    is_of_dataclass = documented.startswith(f"{adapter.__name__}(")
    if is_of_dataclass or len(first_line) < SHORTEST_DOCSTRING:
        raise Broken(f"its docstring is {first_line!r}")


@_law(
    "the libraries that it names in `requires` can be imported",
    "install them, or correct the import names in `requires`",
)
def _has_its_libraries(student: Student) -> None:
    for module in student.make().requires:
        importlib.import_module(module)


@_law(
    "with its defaults it breaks no law on purpose",
    "make the mistake a value of a hyperparameter that is not its default, see `broken_law`",
)
def _breaks_no_law_by_default(student: Student) -> None:
    broken = student.make().broken_law()
    if broken is not None:
        raise Broken(broken)


@_law(
    "scores are float32, one a pair and one an item, finite, for every user and item",
    "end `score` with np.asarray(scores, np.float32); answer for users and items without ratings "
    "too; `abstains = True` if NaN means that there is no opinion",
)
def _scores_in_form(student: Student) -> None:
    check_scores(student.learned, student.train)


@_law(
    "`score_items` gives what `score` gives for the same pairs",
    "leave `score_items` out, which asks `score`, or compute both by the same formula",
)
def _scores_items_as_pairs(student: Student) -> None:
    if student.learned.sees_truth:
        raise NotAsked("it ranks by other odds than those of the best rating")
    pairs, grid = check_scores(student.learned, student.train)
    refuse_difference(pairs, grid, "score and score_items")


@_law(
    "the same seed gives the same numbers, also from an instance that was fitted before",
    "draw from np.random.default_rng(seed), and set everything anew in `fit`; if threads race, say "
    "so in `nondeterminism`",
)
def _repeats_itself(student: Student) -> None:
    reason = student.make().nondeterminism()
    if reason is not None:
        raise NotAsked(reason)

    used = student.first_fit.algorithm
    student.fit_again(used, student.train)
    again = check_scores(used, student.train)
    once = check_scores(student.learned, student.train)
    for first, second in zip(once, again, strict=True):
        if not np.array_equal(first, second, equal_nan=True):
            raise Broken("a second fit gave other scores")


@_law(
    "what it is given stays as it is",
    "copy what `fit`, `score` or `score_items` writes to: the columns are read-only views",
)
def _leaves_its_inputs_alone(student: Student) -> None:
    check_scores(student.learned, student.train)
    untouched = checkerboard(*LARGE, scale=SCALES[1])
    for column in ("users", "items", "values"):
        if not np.array_equal(getattr(student.train, column), getattr(untouched, column)):
            raise Broken("a column of the ratings has changed")


@_law(
    "who predicts ratings predicts them near the scale, whatever that is",
    'add the mean, or say units = "scale" to be given stars from 1 to 5 on every data set; say '
    'predicts = "order" if scores are no ratings',
)
def _predicts_near_the_scale(student: Student) -> None:
    if student.make().predicts != "ratings":
        raise NotAsked("it ranks only")
    scores_in_stars, _ = check_scores(student.learned, student.train)
    for scale, scores in (
        (student.train.scale, scores_in_stars),
        (student.wide.scale, student.first_fit.scores),
    ):
        predicted = Units.choose(student.make(), scale).restore_scores(scores)
        margin = (scale[1] - scale[0]) / 2
        near = (predicted >= scale[0] - margin) & (predicted <= scale[1] + margin)
        share = float(near[~np.isnan(predicted)].mean())
        if share < LEAST_NEAR:
            raise Broken(
                f"on a scale from {scale[0]:g} to {scale[1]:g} {100 * (1 - share):.0f} % of the "
                "predictions are further away than half its width"
            )


@_law(
    "it answers on next to no data: one user, one item, one rating, nothing liked",
    "look for means of nothing and divisions by zero; decline the data in `skip` if they are "
    "outside of its domain",
)
def _answers_on_next_to_no_data(student: Student) -> None:
    for case, size in EDGES.items():
        board = checkerboard(*size)
        values = board.values
        if case == "nothing liked":
            values = np.full(len(board), 1, np.float32)
        train = Ratings(
            board.users,
            board.items,
            values,
            board.n_users,
            board.n_items,
            board.scale,
            board.times,
        )
        try:
            algorithm = student.fit(train)
            pairs, grid = check_scores(algorithm, train)
            if not algorithm.sees_truth:
                refuse_difference(pairs, grid, "score and score_items")
        except Broken as reason:
            raise Broken(f"{case}: {reason}") from None


@_law(
    "it finds the planted taste: what a user would love ranks before what it would hate",
    "check that users and items are not mixed up; say personal = False if it cannot learn that "
    'tastes differ, or family = "baseline"',
)
def _finds_the_planted_taste(student: Student) -> None:
    algorithm = student.learned
    if not algorithm.personal or algorithm.family == "baseline":
        raise NotAsked("it does not claim to learn that tastes differ")
    _, ranked = check_scores(algorithm, student.train)
    area = area_under_curve(ranked, student.train)
    if area <= LEAST_AREA:
        raise Broken(f"the area under the curve is {area:.2f}; 1 is perfect, .5 chance")


@_law(
    "new users are answered from their own ratings alone, and nothing learned changes by that",
    "let `fold_in` compute from its argument and what `fit` has left, and write to neither; leave "
    "it out if the algorithm cannot",
)
def _folds_in_each_user_alone(student: Student) -> None:
    algorithm = student.learned
    if not algorithm.folds_in():
        raise NotAsked("it has no fold_in")
    new = Units.choose(algorithm, student.train.scale).convert_ratings(
        draw_new_users(student.train)
    )
    before = check_scores(algorithm, student.train)
    together = algorithm.fold_in(new)
    _refuse_form("fold_in", together, (new.n_users, new.n_items), algorithm)
    alone = [algorithm.fold_in(take_users(new, [user])) for user in range(new.n_users)]
    refuse_difference(together, np.concatenate(alone), "users asked together and one by one")
    after = check_scores(algorithm, student.train)
    for first, second in zip(before, after, strict=True):
        if not np.array_equal(first, second, equal_nan=True):
            raise Broken("scores of training users are others after it")
