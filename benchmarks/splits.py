"""Ways to divide the ratings into a training and a test part: functions from ratings to row numbers, by name.

A split is written `name` or `name[key=value,...]`, such as `holdout[test=0.1]`; data sets bring official ones.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from datasets.ratings import Dataset, Ratings
from datasets.spec import UsageError, format_spec, parse_spec, pick, validated

Rows = NDArray[np.int64]
Division = Callable[..., tuple[Rows, Rows]]
Part = Annotated[float, Field(gt=0)]  # a share below 1, or a number of ratings


@dataclass(frozen=True)
class Split:
    """A function (ratings, n_folds, fold, seed, **parameters) -> (training rows, test rows), and what its folds are.

    "parts": every rating is tested once over all folds; "draws": each fold is drawn anew;
    "one": the ratings themselves decide, so there is one fold.
    """

    divide: Division
    folds: Literal["parts", "draws", "one"]
    needs_times: bool = False


SPLITS: dict[str, Split] = {}


def split(
    name: str, folds: Literal["parts", "draws", "one"], *, needs_times: bool = False
) -> Callable[[Division], Division]:
    """Register a function under `name`; its parameters after `seed` are what may stand in brackets."""

    def register(function: Division) -> Division:
        SPLITS[name] = Split(function, folds, needs_times)
        return function

    return register


@split("kfold", "parts")
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


@split("user-kfold", "parts")
def user_kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """K-fold inside each user: a user's ratings are shuffled and dealt out evenly, from a random fold onwards."""
    rows = _shuffled(len(ratings), seed)
    rank, order = _ranks(ratings.users, rows)
    first = np.random.default_rng([seed, 1]).integers(0, n_folds, ratings.n_users)
    is_test = (rank + first[ratings.users[order]]) % n_folds == fold
    return _divided(np.sort(order[is_test]), len(ratings))


@split("holdout", "draws")
def holdout(ratings: Ratings, n_folds: int, fold: int, seed: int, test: Part = 0.2) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed; the last `test` of them, a share or a number, are the test part."""
    if test >= 1 and test != int(test):
        raise UsageError(f"holdout[test={test:g}]: expected a share below 1 or a whole number of ratings")
    rows = _shuffled(len(ratings), _draw(seed, fold))
    n_test = round(test * len(rows)) if test < 1 else int(test)
    if not 0 < n_test < len(rows):
        raise UsageError(f"holdout[test={test:g}] of {len(rows)} ratings leaves no rating in one of its parts")
    return rows[:-n_test], rows[-n_test:]


@split("last-out", "one", needs_times=True)
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
    return _divided(np.sort(order[is_test]), len(ratings))


@split("time", "one", needs_times=True)
def time(ratings: Ratings, n_folds: int, fold: int, seed: int, at: str = "0.8") -> tuple[Rows, Rows]:
    """Everything before a moment is the training part, everything from it on the test part.

    `at` is a share of the ratings, counted in the order of time, or a date such as 2005-06-30 (its midnight, UTC).
    Ratings of one second are never divided.
    """
    times = np.asarray(ratings.times)
    moment = _moment(at)
    if moment is None:
        moment = int(np.partition(times, int(float(at) * len(times)))[int(float(at) * len(times))])
    test = np.flatnonzero(times >= moment)
    if not 0 < len(test) < len(times):
        days = (datetime.fromtimestamp(int(t), UTC).date().isoformat() for t in (times.min(), times.max()))
        raise UsageError(f"time[at={at}] leaves no rating in one of its parts: ratings are from {' to '.join(days)}")
    return _divided(test, len(ratings))


@split("recommenders", "draws")
def recommenders(
    ratings: Ratings, n_folds: int, fold: int, seed: int, train: Annotated[float, Field(gt=0, lt=1)] = 0.75
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


def _divided(test: Rows, n: int) -> tuple[Rows, Rows]:
    in_training = np.ones(n, bool)
    in_training[test] = False
    return np.flatnonzero(in_training), test


def _moment(at: str) -> int | None:
    """The date `at` in seconds since 1970, or None if it is a share. UsageError if it is neither."""
    try:
        if 0 < float(at) < 1:
            return None
    except ValueError:
        try:
            return int(datetime.combine(date.fromisoformat(at), datetime.min.time(), UTC).timestamp())
        except ValueError:
            pass
    raise UsageError(f"time[at={at}]: expected a share between 0 and 1, or a date such as 2005-06-30")


def _find(spec: str) -> tuple[Split | None, str, dict[str, Any]]:
    """The split of this file that `spec` names, or None; its name; its parameters, converted and checked."""
    name, given = parse_spec(spec)
    found = SPLITS.get(name)
    if found is None:
        return None, spec, {}
    ours = validated(f"split {name}", found.divide, given)
    if fixed := sorted({"ratings", "n_folds", "fold", "seed"} & set(ours)):
        raise UsageError(f"split {name} takes no parameter {fixed[0]}: use --folds and --seed")
    if name == "time" and "at" in ours:
        _moment(ours["at"])
    return found, name, ours


def normal(spec: str) -> str:
    """`spec` as it stands in a cell. UsageError for a malformed one; official names pass as they are."""
    _, name, parameters = _find(spec)
    return format_spec(name, parameters)


def n_folds_of(dataset: Dataset, spec: str, wanted: int | None, default: int | None = None) -> int:
    """How many folds the split has: the `wanted` number, or the `default`, or what it comes with.

    UsageError for a split that neither this file nor the data set has, a number of folds that it cannot have, and
    ratings that it cannot divide.
    """
    found, name, parameters = _find(spec)
    if found is None:
        pick("split", name, [*SPLITS, *dataset.splits])
    elif found.needs_times and dataset.ratings.times is None:
        raise UsageError(f"--split {spec}: the ratings of {dataset.name} have no times; use kfold or holdout")
    only = len(dataset.splits[name]) if found is None else 1 if found.folds == "one" else None
    if only is not None and wanted not in (None, only):
        raise UsageError(f"--folds {wanted}: the split {spec!r} of {dataset.name} has {only}; leave --folds out")
    is_parts = found is not None and found.folds == "parts"
    n_folds = only or wanted or default or (5 if is_parts else 1)
    if is_parts and not 2 <= n_folds <= len(dataset.ratings):
        raise UsageError(f"--folds {n_folds}: expected 2 to {len(dataset.ratings)}, the ratings of {dataset.name}")
    if found is not None and not is_parts:
        found.divide(dataset.ratings, n_folds, 0, 0, **parameters)  # refuses what leaves a part empty
    return n_folds


def divide(dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """The training and the test rows of a fold; those of an official split are in the order of the data set.

    RuntimeError if a row is in both parts: then the split is wrong, and no number would be worth anything.
    """
    found, name, parameters = _find(spec)
    if found is not None:
        train, test = found.divide(dataset.ratings, n_folds, fold, seed, **parameters)
    else:
        train, test = _divided(dataset.splits[name][fold], len(dataset.ratings))
    in_training = np.zeros(len(dataset.ratings), bool)
    in_training[train] = True
    if n_both := int(in_training[test].sum()):
        raise RuntimeError(f"split {spec}, fold {fold}: {n_both:,} ratings are in the training and in the test part")
    return train, test


def fingerprint(rows: Rows) -> str:
    """Twelve hexadecimal digits over row numbers and their order: the same for all algorithms of a fold."""
    return hashlib.sha256(np.ascontiguousarray(rows, np.int64).data).hexdigest()[:12]


def digest(dataset: Dataset, spec: str) -> str:
    """sha256 of all that fixes the folds but their number and the seed: the data, and an official split's rows."""
    found, name, _ = _find(spec)
    if found is not None:
        return dataset.digest
    seen = hashlib.sha256(dataset.digest.encode())
    for rows in dataset.splits[name]:
        seen.update(np.ascontiguousarray(rows).data)
    return seen.hexdigest()
