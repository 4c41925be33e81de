"""Ways to divide the ratings into a training and a test part: functions from ratings to row numbers, by name."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets.ratings import Ratings

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
