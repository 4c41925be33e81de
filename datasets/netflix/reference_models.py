"""The models that the simulated Netflix is measured with, small and exact."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 100  # raters that the cosine averages over
BLOCK_USERS = 100  # users whose neighbours are in memory at a time
ALMOST_ZERO = 1e-9  # instead of dividing by 0
BIAS_ROUNDS = 5
USER_BIAS_DAMPING = 5
MOVIE_BIAS_DAMPING = 2

Doubles = NDArray[np.float64]


class Triples(NamedTuple):
    """Ratings or residuals as parallel columns of dense indices."""

    users: NDArray[np.int32]
    movies: NDArray[np.int32]
    values: Doubles


@dataclass(frozen=True, eq=False)
class Biases:
    """The additive model: a mean, and what each user and each movie adds to it."""

    mean: float
    of_users: Doubles
    of_movies: Doubles

    def predict(self, users: NDArray[np.int32], movies: NDArray[np.int32]) -> Doubles:
        """The expected stars of each pair (users[j], movies[j])."""
        return np.asarray(self.mean + self.of_users[users] + self.of_movies[movies])


def shrunk_means(
    indices: NDArray[np.int32], values: Doubles, damping: float, n_indices: int
) -> Doubles:
    """Sum / (count + damping) of the `values` of each index below `n_indices`.

    >>> shrunk_means(np.array([0, 0, 2], np.int32), np.array([1.0, 3.0, 4.0]), 0, 3)
    array([2., 0., 4.])
    """
    sums = np.bincount(indices, values, n_indices)
    counts = np.bincount(indices, minlength=n_indices) + damping
    return np.asarray(sums / np.maximum(counts, ALMOST_ZERO))


def additive_biases(train: Triples, n_users: int, n_movies: int) -> Biases:
    """Biases fitted to `train` in turn, each drawn to 0; those of movies begin with their means."""
    mean = float(train.values.mean())
    deviations = train.values - mean
    of_users = np.zeros(n_users)
    of_movies = shrunk_means(train.movies, deviations, 0, n_movies)

    # Each half step explains what the other leaves
    for _ in range(BIAS_ROUNDS):
        without_movies = deviations - of_movies[train.movies]
        of_users = shrunk_means(train.users, without_movies, USER_BIAS_DAMPING, n_users)

        without_users = deviations - of_users[train.users]
        of_movies = shrunk_means(train.movies, without_users, MOVIE_BIAS_DAMPING, n_movies)
    return Biases(mean, of_users, of_movies)


def cosine_predictions(
    train: Triples, n_users: int, n_movies: int, chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What the notebook's user-user cosine predicts: (chosen users, movies), float32.

    Missing ratings become the user's mean; the similarity is the cosine of these rows as they are,
    0 with oneself; the prediction is the mean of the NEIGHBOURS most similar users' rows, own means
    included, weighted by similarity.
    """
    # All ratings, and the same with rows of length 1, whose products are cosines
    user_means = shrunk_means(train.users, train.values, 0, n_users)
    filled = np.repeat(user_means[:, None], n_movies, axis=1).astype(np.float32)
    filled[train.users, train.movies] = train.values
    lengths = np.linalg.norm(filled, axis=1, keepdims=True)
    unit = filled / np.maximum(lengths, ALMOST_ZERO)

    n_nearest = min(NEIGHBOURS, n_users)
    predicted = np.empty((len(chosen), n_movies), np.float32)
    for first in range(0, len(chosen), BLOCK_USERS):
        rows = slice(first, first + BLOCK_USERS)
        block = chosen[rows]
        similarities = unit[block] @ unit.T
        places = np.arange(len(block))
        similarities[places, block] = 0

        by_similarity = np.argpartition(-similarities, n_nearest - 1, axis=1)
        nearest = by_similarity[:, :n_nearest]
        weights = np.take_along_axis(similarities, nearest, axis=1)
        weighted_rows = weights[:, None, :] @ filled[nearest]
        sums = weighted_rows[:, 0]

        total_weights = weights.sum(axis=1, keepdims=True)
        divisors = np.maximum(total_weights, ALMOST_ZERO)
        predicted[rows] = sums / divisors
    return predicted


def factorise_residuals(
    residuals: Triples,
    n_users: int,
    n_movies: int,
    n_factors: int = 8,
    damping: float = 8.0,
    n_rounds: int = 8,
) -> tuple[Doubles, Doubles]:
    """User and movie factors, (n, n_factors), by alternating ridge regressions, each exact.

    The matrix is kept dense, which suits filtered data: 41 % of its cells are ratings.
    """
    is_known = np.zeros((n_users, n_movies), np.float32)
    is_known[residuals.users, residuals.movies] = 1
    matrix = np.zeros((n_users, n_movies), np.float32)
    matrix[residuals.users, residuals.movies] = residuals.values

    rng = np.random.default_rng(0)
    movie_factors = rng.normal(0, 0.1, (n_movies, n_factors))
    for _ in range(n_rounds):
        user_factors = _solve_ridge(is_known, matrix, movie_factors, damping)
        movie_factors = _solve_ridge(is_known.T, matrix.T, user_factors, damping)
    return user_factors, movie_factors


def _solve_ridge(
    is_known: NDArray[np.float32], matrix: NDArray[np.float32], fixed: Doubles, damping: float
) -> Doubles:
    """The factors of the rows of `matrix`, given those of its columns, `fixed`.

    Each row's are the ridge regression of its known values on the factors of their columns.
    """
    # For each column the products of its factors, and for each row their sum over what is known
    n_factors = fixed.shape[1]
    products = fixed[:, :, None] * fixed[:, None, :]
    flat_products = products.reshape(-1, n_factors * n_factors).astype(np.float32)
    sums = (is_known @ flat_products).reshape(-1, n_factors, n_factors)

    # One small system of equations for each row
    penalty = damping * np.eye(n_factors)
    left = sums + penalty
    right = matrix @ fixed.astype(np.float32)
    solutions = np.linalg.solve(left, right[:, :, None])
    return np.asarray(solutions[:, :, 0])
