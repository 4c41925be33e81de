"""Ways to divide the ratings into a training and a test part: functions from ratings to row numbers, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Ratings

Rows = NDArray[np.int64]
DivideFunction = Callable[..., tuple[Rows, Rows]]
Folds = Literal["parts", "draws", "one"]
Order = Literal["none", "user", "all"]
Part = Annotated[float, Field(gt=0)]  # a share below 1, or a number of ratings


@dataclass(frozen=True)
class Split:
    """A function (ratings, n_folds, fold, seed, **parameters) -> (training rows, test rows), and what its folds are.

    Folds are "parts": every rating is tested once over all folds; "draws": each fold is drawn anew; "one": the
    ratings themselves decide, whatever the seed, so there is one fold. Of the order in time the split respects
    "none", "user": no user's own future is trained on, or "all": nobody's is. `even` parts are of one size, give or
    take a rating, so none is empty where there are as many ratings as folds.
    """

    divide: DivideFunction
    folds: Folds
    order: Order = "none"
    even: bool = False


SPLITS: dict[str, Split] = {}


def register_split(
    name: str, folds: Folds, order: Order = "none", *, even: bool = False
) -> Callable[[DivideFunction], DivideFunction]:
    """Register a function under `name`; its parameters after `seed` are what may stand in brackets."""

    def register(function: DivideFunction) -> DivideFunction:
        SPLITS[name] = Split(function, folds, order, even)
        return function

    return register


@register_split("kfold", "parts", even=True)
def kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed and cut them into `n_folds` blocks; block `fold` is the test part.

    Row for row the same as Surprise's `KFold(n_folds, random_state=seed)`, the order inside the training part
    included, so that seeded models give the published numbers.
    """
    rows = _shuffled(len(ratings), seed)
    sizes = np.full(n_folds, len(rows) // n_folds)
    sizes[: len(rows) % n_folds] += 1
    start = int(sizes[:fold].sum())
    stop = start + int(sizes[fold])
    return np.concatenate([rows[:start], rows[stop:]]), rows[start:stop]


@register_split("user-kfold", "parts")
def user_kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """K-fold inside each user: a user's ratings are shuffled and dealt out evenly, from a random fold onwards."""
    rows = _shuffled(len(ratings), seed)
    rank, order = _ranks(ratings.users, rows)
    first = np.random.default_rng([seed, 1]).integers(0, n_folds, ratings.n_users)
    is_test = (rank + first[ratings.users[order]]) % n_folds == fold
    return rows_without(np.sort(order[is_test]), len(ratings))


@register_split("holdout", "draws")
def holdout(
    ratings: Ratings, n_folds: int, fold: int, seed: int, test: Part = 0.2
) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed; the last `test` of them, a share or a number, are the test part."""
    if test >= 1 and test != int(test):
        raise UsageError(
            f"holdout[test={test:g}]: expected a share below 1 or a whole number of ratings"
        )
    rows = _shuffled(len(ratings), _draw(seed, fold))
    n_test = round(test * len(rows)) if test < 1 else int(test)
    n_train = max(len(rows) - n_test, 0)
    return rows[:n_train], rows[n_train:]


@register_split("last-out", "one", order="user")
def last_out(
    ratings: Ratings, n_folds: int, fold: int, seed: int, n: Annotated[int, Field(ge=1)] = 1
) -> tuple[Rows, Rows]:
    """The latest `n` ratings of each user are the test part; who has no more than `n` is in training only.

    Of ratings at the same second the later row is the later one.
    """
    order = np.lexsort((np.asarray(ratings.times), ratings.users))
    n_ratings = np.bincount(ratings.users, minlength=ratings.n_users)
    from_end = np.repeat(np.cumsum(n_ratings), n_ratings) - np.arange(len(order))
    is_test = (from_end <= n) & (n_ratings[ratings.users[order]] > n)
    return rows_without(np.sort(order[is_test]), len(ratings))


@register_split("time", "one", order="all")
def time(
    ratings: Ratings, n_folds: int, fold: int, seed: int, at: str = "0.8"
) -> tuple[Rows, Rows]:
    """Everything before a moment is the training part, everything from it on the test part.

    `at` is a share of the ratings, counted in the order of time, or a date such as 2005-06-30 (its midnight, UTC).
    Ratings of one second are never divided.
    """
    times = np.asarray(ratings.times)
    moment = parse_moment(at)
    if moment is None:
        moment = int(np.partition(times, int(float(at) * len(times)))[int(float(at) * len(times))])
    test = np.flatnonzero(times >= moment)
    if not 0 < len(test) < len(times):
        days = (
            datetime.fromtimestamp(int(t), UTC).date().isoformat()
            for t in (times.min(), times.max())
        )
        raise UsageError(
            f"time[at={at}] leaves no rating in one of its parts: ratings are from {' to '.join(days)}"
        )
    return rows_without(test, len(ratings))


@register_split("recommenders", "draws")
def recommenders(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    train: Annotated[float, Field(gt=0, lt=1)] = 0.75,
) -> tuple[Rows, Rows]:
    """Of each item's ratings a random share `train` is the training part, rounded to whole ratings, half to even.

    Row for row the `python_stratified_split(ratio=train, filter_by="item", seed=seed)` of Microsoft Recommenders.
    """
    draws = np.random.RandomState(_draw(seed, fold)).rand(len(ratings))
    rank, order = _ranks(ratings.items, np.argsort(draws, kind="stable"))
    n_train = np.round(train * np.bincount(ratings.items, minlength=ratings.n_items))
    is_train = rank + 1 <= n_train[ratings.items[order]]
    return order[is_train], order[~is_train]


def _shuffled(n: int, seed: int) -> Rows:
    rows = np.arange(n)
    np.random.RandomState(seed).shuffle(rows)
    return rows


def _draw(seed: int, fold: int) -> int:
    """The seed of a draw: `seed` for the first; for others one that no neighbouring seed has for any of its draws."""
    return seed if fold == 0 else int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def _ranks(indices: NDArray[np.int32], rows: Rows) -> tuple[Rows, Rows]:
    """Each row's place in the group of its index, and the rows group by group, in their order in `rows`."""
    order = rows[np.argsort(indices[rows], kind="stable")]
    sizes = np.bincount(indices)
    starts = np.cumsum(sizes) - sizes
    return np.arange(len(order)) - starts[indices[order]], order


def rows_without(test: Rows, n: int) -> tuple[Rows, Rows]:
    """All `n` rows without those of `test`, in their order, and those of `test`."""
    in_training = np.ones(n, bool)
    in_training[test] = False
    return np.flatnonzero(in_training), test


def parse_moment(at: str) -> int | None:
    """The date `at` in seconds since 1970, or None if it is a share. UsageError if it is neither."""
    try:
        if 0 < float(at) < 1:
            return None
    except ValueError:
        try:
            return int(
                datetime.combine(date.fromisoformat(at), datetime.min.time(), UTC).timestamp()
            )
        except ValueError:
            pass
    raise UsageError(
        f"time[at={at}]: expected a share between 0 and 1, or a date such as 2005-06-30"
    )
