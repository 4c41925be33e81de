"""How close the simulated Netflix comes to the real one: each published quantity beside the simulated one.

Where the targets come from: stars, mean, deviation and counts of the complete data from the Netflix Prize README and
KONECT's statistics; those of file 1, of the filter and the RMSE of means and of the cosine from the notebook "How To
Recommend Anything / Deep Recommender" on Kaggle; the additive biases and the factorisation from the ladder of Bell
and Koren's Netflix Prize papers, carried over to popular films.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.netflix.ratings_files import read_ratings
from recbench.datasets.netflix.twin import Twin
from recbench.datasets.ratings import Quantity
from recbench.datasets.storage import write_atomically
from recbench.datasets.transforms import index_ids, more_than

SMALLEST_SHARE = (
    0.05  # of the users: below it chance alone moves the numbers out of their tolerances
)
COSINE_USERS, NEIGHBOURS = (
    2_000,
    100,
)  # users whose ratings the cosine predicts; raters it averages over

Doubles = NDArray[np.float64]
Pairs = tuple[NDArray[np.int32], NDArray[np.int32], Doubles]  # users, items, stars


def calibrated(directory: Path, share: float) -> tuple[Quantity, ...]:
    """`calibration` of the twin in `directory`, from `calibration.json` beside its files if it is there."""
    stored = directory / "calibration.json"
    if not stored.exists():
        rows = [asdict(quantity) for quantity in calibration(directory, share)]
        write_atomically(stored, json.dumps(rows, indent=1).encode())
    return tuple(Quantity(**row) for row in json.loads(stored.read_text()))


def calibration(directory: Path, share: float) -> list[Quantity]:
    """The table for file 1 of the twin in `directory`, which has `share` of the users; counts are scaled up.

    Scores are RMSE on a seeded random tenth of the filtered ratings; the weighted mean's m = 1000 is scaled with the
    share, as movies have that much fewer ratings. A share below SMALLEST_SHARE promises nothing: no tolerances.
    """
    raw = read_ratings([directory / "combined_data_1.txt"])
    everything = raw.select(raw.user_counts >= 0, raw.movie_counts >= 0)
    stars, counts = everything[2], raw.user_counts[raw.user_counts > 0]
    movies, users = (
        more_than(raw.movie_counts, round(10_000 * share, 6)),
        more_than(raw.user_counts, 200),
    )
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
    if len(kept[0]) > 100:
        rows += _scores(kept, Twin.load(directory), 1000 * share)
    promised = share >= SMALLEST_SHARE
    return [
        row if promised else Quantity(row.name, row.target, None, row.simulated) for row in rows
    ]


def gini(counts: NDArray[Any]) -> float:
    """Gini coefficient: 0 when all counts are equal, near 1 when one has everything."""
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, len(ordered) + 1)
    return float(
        2 * (ranks @ ordered) / (len(ordered) * ordered.sum()) - (len(ordered) + 1) / len(ordered)
    )


def _scores(kept: tuple[NDArray[Any], ...], twin: Twin, weight: float) -> list[Quantity]:
    users, movies = index_ids(kept[0])[0], index_ids(kept[1])[0]
    stars, test = kept[2].astype(np.float64), np.random.default_rng(0).random(len(kept[2])) < 0.1
    train: Pairs = users[~test], movies[~test], stars[~test]
    asked, actual = (users[test], movies[test]), stars[test]
    shape = int(users.max()) + 1, int(movies.max()) + 1
    mean = float(train[2].mean())
    by_movie = shrunk_means(train[1], train[2] - mean, 0, shape[1])
    weighted = shrunk_means(train[1], train[2] - mean, weight, shape[1])
    user_biases, movie_biases = np.zeros(shape[0]), by_movie
    for _ in range(5):
        user_biases = shrunk_means(train[0], train[2] - mean - movie_biases[train[1]], 5, shape[0])
        movie_biases = shrunk_means(train[1], train[2] - mean - user_biases[train[0]], 2, shape[1])

    def additive(users: NDArray[np.int32], movies: NDArray[np.int32]) -> Doubles:
        return np.asarray(mean + user_biases[users] + movie_biases[movies])

    p, q = factorise((train[0], train[1], train[2] - additive(train[0], train[1])), shape)
    truth = twin.expected(kept[0][test], kept[1][test]).astype(np.float64)

    def rmse(predicted: NDArray[Any], rows: Any = slice(None)) -> float:
        return float(np.sqrt(np.mean((predicted.clip(1, 5) - actual[rows]) ** 2)))

    chosen = np.sort(np.random.default_rng(0).permutation(shape[0])[:COSINE_USERS])
    some = np.flatnonzero(np.isin(asked[0], chosen))
    neighbours = cosine(train, shape, chosen)[
        np.searchsorted(chosen, asked[0][some]), asked[1][some]
    ]
    factored = additive(*asked) + np.einsum("jk,jk->j", p[asked[0]], q[asked[1]])
    return [
        Quantity("RMSE of the movie mean", 0.987, 0.015, rmse(mean + by_movie[asked[1]])),
        Quantity("RMSE of the weighted mean", 0.988, 0.015, rmse(mean + weighted[asked[1]])),
        Quantity("RMSE of the notebook's cosine", 1.327, None, rmse(neighbours, some)),
        Quantity("RMSE of the additive biases", 0.907, 0.015, rmse(additive(*asked))),
        Quantity("RMSE of a factorisation", 0.845, 0.02, rmse(factored)),
        Quantity("RMSE of the truth (oracle)", 0.80, None, rmse(truth)),
    ]


def shrunk_means(indices: NDArray[np.int32], values: Doubles, damping: float, size: int) -> Doubles:
    """Sum / (count + damping) of `values` by index below `size`."""
    counts = np.bincount(indices, minlength=size) + damping
    return np.asarray(np.bincount(indices, values, size) / np.maximum(counts, 1e-9))


def cosine(train: Pairs, shape: tuple[int, int], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the notebook's user-user cosine predicts for the `chosen` users: one row each, one column for each movie.

    Missing ratings become the user's mean; the similarity is the cosine of these rows as they are, 0 with oneself;
    the prediction is the mean of the NEIGHBOURS most similar users' rows, own means included, weighted by similarity.
    """
    filled = np.repeat(
        shrunk_means(train[0], train[2], 0, shape[0])[:, None], shape[1], axis=1
    ).astype(np.float32)
    filled[train[0], train[1]] = train[2]
    unit = filled / np.maximum(np.linalg.norm(filled, axis=1, keepdims=True), 1e-9)
    nearest = min(NEIGHBOURS, shape[0])
    predicted = np.empty((len(chosen), shape[1]), np.float32)
    for first in range(0, len(chosen), 100):
        block = chosen[first : first + 100]
        similar = unit[block] @ unit.T
        similar[np.arange(len(block)), block] = 0
        top = np.argpartition(-similar, nearest - 1, axis=1)[:, :nearest]
        weights = np.take_along_axis(similar, top, axis=1)
        sums = weights[:, None, :] @ filled[top]
        predicted[first : first + 100] = sums[:, 0] / np.maximum(
            weights.sum(axis=1, keepdims=True), 1e-9
        )
    return predicted


def factorise(
    train: Pairs,
    shape: tuple[int, int],
    n_factors: int = 8,
    damping: float = 8.0,
    n_rounds: int = 8,
) -> tuple[Doubles, Doubles]:
    """User and item factors of the residuals `train` by alternating ridge regressions, each solved exactly.

    The matrix is kept dense, which suits filtered data: 41 % of its cells are ratings.
    """
    users, items, values = train
    known = np.zeros(shape, np.float32)
    residuals = known.copy()
    known[users, items], residuals[users, items] = 1, values
    q = np.random.default_rng(0).normal(0, 0.1, (known.shape[1], n_factors))
    for _ in range(n_rounds):
        p = _ridge(known, residuals, q, damping)
        q = _ridge(known.T, residuals.T, p, damping)
    return p, q


def _ridge(
    known: NDArray[np.float32], residuals: NDArray[np.float32], fixed: Doubles, damping: float
) -> Doubles:
    k = fixed.shape[1]
    squares = (fixed[:, :, None] * fixed[:, None, :]).reshape(-1, k * k).astype(np.float32)
    left = (known @ squares).reshape(-1, k, k) + damping * np.eye(k)
    right = residuals @ fixed.astype(np.float32)
    return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0])
