"""How close the simulated Netflix comes to the real one: each published quantity beside the simulated one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.filters import dense, more_than
from datasets.netflix_files import read_ratings
from datasets.twin import Twin

Doubles = NDArray[np.float64]
Pairs = tuple[NDArray[np.int32], NDArray[np.int32], Doubles]  # users, items, stars


@dataclass(frozen=True)
class Quantity:
    """A published number, how far from it the twin may be (None: shown, not promised), and what the twin has."""

    name: str
    target: float
    tolerance: float | None
    simulated: float


def calibration(directory: Path, share: float) -> list[Quantity]:
    """The table for the twin in `directory`, which has `share` of the users; counts are scaled up to all users.

    Targets: REFERENCE sections 5.2 to 5.5. Scores are RMSE on a seeded random tenth of the filtered ratings; the
    weighted mean's m = 1000 is scaled with the share, as movies have that much fewer ratings.
    """
    raw = read_ratings([directory / "combined_data_1.txt"])
    everything = raw.select(raw.user_counts >= 0, raw.movie_counts >= 0)
    stars, counts = everything[2], raw.user_counts[raw.user_counts > 0]
    movies, users = more_than(raw.movie_counts, round(10_000 * share, 6)), more_than(raw.user_counts, 200)
    kept = raw.select(users, movies)
    histogram = 100 * np.bincount(stars, minlength=6)[1:] / len(stars)
    published = (4.6, 10.1, 28.7, 33.6, 23.1)
    rows = [Quantity(f"{k + 1} stars, %", published[k], 1.5, float(histogram[k])) for k in range(5)]
    rows += [
        Quantity("mean", 3.60, 0.05, float(stars.mean())),
        Quantity("deviation", 1.085, 0.03, float(stars.std())),
        Quantity("ratings, all users", 24_053_764, None, len(stars) / share),
        Quantity("users", 470_758, None, len(counts) / share),
        Quantity("Gini of ratings per user", 0.79, 0.05, gini(counts)),
        Quantity("movies over the threshold", 491, 50, float(movies.sum())),
        Quantity("filtered ratings", 4_178_032, None, len(kept[0]) / share),
        Quantity("filtered users", 20_828, None, len(np.unique(kept[0])) / share),
    ]
    return rows + _scores(kept, Twin.load(directory), 1000 * share)


def gini(counts: NDArray[Any]) -> float:
    """Gini coefficient: 0 when all counts are equal, near 1 when one has everything."""
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, len(ordered) + 1)
    return float(2 * (ranks @ ordered) / (len(ordered) * ordered.sum()) - (len(ordered) + 1) / len(ordered))


def _scores(kept: tuple[NDArray[Any], ...], twin: Twin, weight: float) -> list[Quantity]:
    users, movies = dense(kept[0])[0], dense(kept[1])[0]
    stars, test = kept[2].astype(np.float64), np.random.default_rng(0).random(len(kept[2])) < 0.1
    train: Pairs = users[~test], movies[~test], stars[~test]
    mean = float(train[2].mean())
    zeros = np.zeros(users.max() + 1)
    by_movie = shrunk_means(train[1], train[2] - mean, 0)
    weighted = shrunk_means(train[1], train[2] - mean, weight)
    user_biases, movie_biases = zeros, by_movie
    for _ in range(5):
        user_biases = shrunk_means(train[0], train[2] - mean - movie_biases[train[1]], 5)
        movie_biases = shrunk_means(train[1], train[2] - mean - user_biases[train[0]], 2)
    additive = mean + user_biases[users] + movie_biases[movies]
    factors = factorise((train[0], train[1], train[2] - additive[~test]))
    factored = additive + np.einsum("jk,jk->j", factors[0][users], factors[1][movies])

    def rmse(predicted: Doubles) -> float:
        return float(np.sqrt(np.mean((predicted.clip(1, 5) - stars)[test] ** 2)))

    return [
        Quantity("RMSE of the movie mean", 0.987, 0.015, rmse(mean + by_movie[movies])),
        Quantity("RMSE of the weighted mean", 0.988, 0.015, rmse(mean + weighted[movies])),
        Quantity("RMSE of the additive biases", 0.907, 0.015, rmse(additive)),
        Quantity("RMSE of a factorisation", 0.845, 0.02, rmse(factored)),
        Quantity("RMSE of the truth (oracle)", 0.80, None, rmse(twin.expected(kept[0], kept[1]).astype(np.float64))),
    ]


def shrunk_means(indices: NDArray[np.int32], values: Doubles, damping: float) -> Doubles:
    """Sum / (count + damping) of `values` by index."""
    return np.asarray(np.bincount(indices, values) / np.maximum(np.bincount(indices) + damping, 1e-9))


def factorise(train: Pairs, n_factors: int = 8, damping: float = 8.0, n_rounds: int = 8) -> tuple[Doubles, Doubles]:
    """User and item factors of the residuals `train` by alternating ridge regressions, each solved exactly.

    The matrix is kept dense, which suits filtered data: 41 % of its cells are ratings.
    """
    users, items, values = train
    known = np.zeros((users.max() + 1, items.max() + 1), np.float32)
    residuals = known.copy()
    known[users, items], residuals[users, items] = 1, values
    q = np.random.default_rng(0).normal(0, 0.1, (known.shape[1], n_factors))
    for _ in range(n_rounds):
        p = _ridge(known, residuals, q, damping)
        q = _ridge(known.T, residuals.T, p, damping)
    return p, q


def _ridge(known: NDArray[np.float32], residuals: NDArray[np.float32], fixed: Doubles, damping: float) -> Doubles:
    k = fixed.shape[1]
    squares = (fixed[:, :, None] * fixed[:, None, :]).reshape(-1, k * k).astype(np.float32)
    left = (known @ squares).reshape(-1, k, k) + damping * np.eye(k)
    right = residuals @ fixed.astype(np.float32)
    return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0])
