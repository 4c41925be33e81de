"""Small ratings with a planted taste, and algorithms fitted to them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import create
from recbench.datasets.ratings import Catalogue, Ratings

EMPTY = Catalogue((), (), ())


def taste(n_users: int = 60, n_items: int = 25, n_rows: int = 700, times: bool = False) -> Ratings:
    """Ratings with a planted taste, each pair once; the last user and the last item have none."""
    rng = np.random.default_rng(3)
    pairs = rng.choice((n_users - 1) * (n_items - 1), n_rows, replace=False)
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_items - 1))
    taste = rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items))
    stars = np.clip(np.rint(3.5 + taste[users, items] + rng.normal(0, 0.3, n_rows)), 1, 5).astype(
        np.float32
    )
    clock = rng.integers(0, 400 * 86400, n_rows) if times else None
    return Ratings(users, items, stars, n_users, n_items, (1.0, 5.0), clock)


def fitted(name: str, train: Ratings, **parameters: Any) -> Any:
    algorithm = create(name, parameters)
    algorithm.prepare(train)
    algorithm.fit(algorithm.convert(train, EMPTY), 0)
    return algorithm


def direct(phase: str, function: Any, *arguments: Any) -> Any:
    """What stands in for the meter when nothing is timed."""
    return function(*arguments)


def everybody(train: Ratings) -> NDArray[np.int32]:
    return np.arange(train.n_users, dtype=np.int32)


def dense_likes(train: Ratings, lowest: float = 4.0) -> NDArray[np.float64]:
    X = np.zeros((train.n_users, train.n_items))
    liked = train.values >= lowest
    X[train.users[liked], train.items[liked]] = 1
    return X
