"""Ways to divide the ratings into a training and a test part: functions from ratings to row numbers, by name."""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets.ratings import Dataset, Ratings
from datasets.spec import UsageError, pick

Rows = NDArray[np.int64]
Split = Callable[[Ratings, int, int, int], tuple[Rows, Rows]]

SPLITS: dict[str, Split] = {}


def split(name: str) -> Callable[[Split], Split]:
    """Register a function (ratings, n_folds, fold, seed) -> (training rows, test rows) under `name`."""

    def register(function: Split) -> Split:
        SPLITS[name] = function
        return function

    return register


@split("kfold")
def kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed and cut them into `n_folds` blocks; block `fold` is the test part.

    Row for row the same as Surprise's `KFold(n_folds, random_state=seed)`, the order inside the training part
    included, so that seeded models give the published numbers.
    """
    rows = np.arange(len(ratings))
    np.random.RandomState(seed).shuffle(rows)
    sizes = np.full(n_folds, len(rows) // n_folds)
    sizes[: len(rows) % n_folds] += 1
    start = int(sizes[:fold].sum())
    stop = start + int(sizes[fold])
    return np.concatenate([rows[:start], rows[stop:]]), rows[start:stop]


def n_folds_of(dataset: Dataset, name: str, wanted: int | None, default: int) -> int:
    """How many folds split `name` of `dataset` has: the `wanted` number, or what an official split comes with.

    UsageError for a split that neither this file nor the data set has, a number that an official split does not
    have, and more folds than ratings.
    """
    pick("split", name, [*SPLITS, *dataset.splits])
    if name not in SPLITS:
        n_folds = len(dataset.splits[name])
        if wanted not in (None, n_folds):
            raise UsageError(
                f"--folds {wanted}: the split {name!r} of {dataset.name} has {n_folds}; leave --folds out"
            )
        return n_folds
    n_folds = wanted or default
    if n_folds > len(dataset.ratings):
        raise UsageError(f"--folds {n_folds}: {dataset.name} has only {len(dataset.ratings)} ratings")
    return n_folds


def divide(dataset: Dataset, name: str, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """The training and the test rows of a fold; those of an official split are in the order of the data set."""
    if name in SPLITS:
        return SPLITS[name](dataset.ratings, n_folds, fold, seed)
    test = dataset.splits[name][fold]
    in_training = np.ones(len(dataset.ratings), bool)
    in_training[test] = False
    return np.flatnonzero(in_training), test


def digest(dataset: Dataset, name: str) -> str:
    """sha256 of all that fixes the folds but their number and the seed: the data, and an official split's rows."""
    if name in SPLITS:
        return dataset.digest
    seen = hashlib.sha256(dataset.digest.encode())
    for rows in dataset.splits[name]:
        seen.update(np.ascontiguousarray(rows).data)
    return seen.hexdigest()
