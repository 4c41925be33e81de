"""Boards: ratings in which every other pair is loved and the rest hated, so the answer is known."""

from typing import Any

import numpy as np

from recbench.adapters.base import Floats, Recommender
from recbench.adapters.shared.fitting import fit_algorithm
from recbench.adapters.shared.units import Units
from recbench.datasets.ratings import Catalogue, Ratings

SCALES = [(1.0, 5.0), (0.5, 5.0), (-10.0, 10.0)]
LARGE = (120, 80)  # users and items: more than anybody learns by heart
UNSEEN = 2  # users, and items, at the end of each index space that have no ratings
MEMORY_MB = 4096


def checkerboard(
    n_users: int = 60, n_items: int = 40, scale: tuple[float, float] = SCALES[0]
) -> Ratings:
    """Half of all pairs, shuffled; users of parity p love items of parity p and hate all others.

    All columns are read-only.
    """
    rng = np.random.default_rng(5)
    pairs = rng.permutation(n_users * n_items)[: max(1, n_users * n_items // 2)]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_items))
    values = np.where(loved(users, items), scale[1], scale[0]).astype(np.float32)
    times = np.arange(len(pairs), dtype=np.int64)
    for column in (users, items, values, times):
        column.flags.writeable = False
    return Ratings(users, items, values, n_users + UNSEEN, n_items + UNSEEN, scale, times)


def loved(users: Any, items: Any) -> Any:
    """Whether each pair is one of love, by index."""
    return (users + items) % 2 == 0


def describe_items(n_items: int) -> Catalogue:
    """A catalogue in which items of one parity share their genre, for algorithms that read it."""
    genres = (("Comedy",), ("War",))
    titles = tuple(f"The film of item {item}" for item in range(n_items))
    return Catalogue(titles, (None,) * n_items, tuple(genres[item % 2] for item in range(n_items)))


def plant_truth(train: Ratings) -> Floats:
    """`Dataset.truth` of a board, for the algorithm that sees it."""
    love = loved(np.arange(train.n_users)[:, None], np.arange(train.n_items)).astype(np.float32)
    lowest, highest = train.scale
    expected = lowest + love * (highest - lowest)
    rated = np.full_like(love, 0.5)
    return np.stack([expected, rated, love]).astype(np.float32)


def fit_to_board(algorithm: Recommender, train: Ratings, seed: int = 0) -> str | None:
    """Fit as the bench fits; why the algorithm declines the data instead, or None."""
    if algorithm.sees_truth:
        algorithm.truth_ = plant_truth(train)
    given = Units.choose(algorithm, train.scale).convert_ratings(train)
    catalogue = describe_items(train.n_items)
    reason = algorithm.skip(given, catalogue, MEMORY_MB)
    if reason is not None:
        return reason
    fit_algorithm(algorithm, given, catalogue, seed)
    return None


def draw_new_users(train: Ratings, n: int = 7) -> Ratings:
    """Some ratings of `n` new users with tastes of both parities; the last has none."""
    rng = np.random.default_rng(9)
    n_rated_items = train.n_items - UNSEEN
    pairs = rng.permutation((n - 1) * n_rated_items)[: 8 * n]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_rated_items))
    values = np.where(loved(users, items), train.scale[1], train.scale[0]).astype(np.float32)
    times = np.arange(len(pairs), dtype=np.int64)
    return Ratings(users, items, values, n, train.n_items, train.scale, times)


def take_users(ratings: Ratings, users: Any) -> Ratings:
    """The ratings of some users, who are numbered anew in this order."""
    place = np.full(ratings.n_users, -1, np.int32)
    place[users] = np.arange(len(users))
    part = ratings.take(place[ratings.users] >= 0)
    return Ratings(
        place[part.users],
        part.items,
        part.values,
        len(users),
        part.n_items,
        part.scale,
        part.times,
    )


def area_under_curve(ranked: Floats, train: Ratings) -> float:
    """The chance that a loved item ranks before a hated one of the same user, neither in `train`.

    The mean over the users of a board, without those that have no ratings.
    """
    ranked = ranked[:-UNSEEN, :-UNSEEN]
    unseen = np.ones(ranked.shape, np.bool_)
    unseen[train.users, train.items] = False
    love = loved(*np.indices(ranked.shape))
    wins = []
    for row, new, good in zip(ranked, unseen, love, strict=True):
        better = row[new & good, None]
        worse = row[new & ~good]
        wins.append(((better > worse) + (better == worse) / 2).mean())
    return float(np.mean(wins))
