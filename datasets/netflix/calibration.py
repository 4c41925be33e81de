"""How close the simulated Netflix comes to the real one: published quantities beside its own.

Where the targets come from: stars, mean, deviation and counts of the complete data from the Netflix
Prize README and KONECT's statistics; those of file 1, of the filter and the RMSE of means and of
the cosine from the notebook "How To Recommend Anything / Deep Recommender" on Kaggle; the additive
biases and the factorisation from the ladder of Bell and Koren's Netflix Prize papers, carried over
to popular films.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.netflix.ratings_files import RatingColumns, read_ratings
from recbench.datasets.netflix.reference_models import (
    Triples,
    additive_biases,
    cosine_predictions,
    factorise_residuals,
    shrunk_means,
)
from recbench.datasets.netflix.twin import Twin
from recbench.datasets.ratings import Quantity
from recbench.datasets.storage import write_atomically
from recbench.datasets.transforms import index_ids, more_than

FILE = "calibration.json"  # beside the twin's files
SMALLEST_SHARE = 0.05  # of the users: below it chance alone moves the numbers out of tolerance
FEWEST_RATINGS = 100  # after the filter: with fewer nothing is predicted
TEST_SHARE = 0.1
COSINE_USERS = 2_000  # users whose ratings the cosine predicts

# The filter of the notebook, and the damping of its weighted mean
MOVIE_THRESHOLD = 10_000
USER_THRESHOLD = 200
WEIGHTED_MEAN_DAMPING = 1000

PERCENT_BY_STARS = (4.6, 10.1, 28.7, 33.6, 23.1)  # of the ratings have 1, 2, ... 5 stars
STARS_TOLERANCE = 1.5


def load_calibration(directory: Path, share: float) -> tuple[Quantity, ...]:
    """The calibration of the twin in `directory`, which has `share` of the users.

    From `calibration.json` beside its files; it is computed and written there first if need be.
    """
    stored = directory / FILE
    if not stored.exists():
        rows = [asdict(quantity) for quantity in compute_calibration(directory, share)]
        write_atomically(stored, json.dumps(rows, indent=1).encode())
    return tuple(Quantity(**row) for row in json.loads(stored.read_text()))


def compute_calibration(directory: Path, share: float) -> list[Quantity]:
    """Each published quantity beside that of file 1 of the twin; counts are scaled up by `share`.

    Scores are RMSE on a seeded random tenth of the filtered ratings; the weighted mean's m = 1000
    is scaled with the share, as movies have that much fewer ratings. A share below SMALLEST_SHARE
    promises nothing: no tolerances.
    """
    raw = read_ratings([directory / "combined_data_1.txt"])
    everything = raw.select(raw.user_counts >= 0, raw.movie_counts >= 0)
    user_counts = raw.user_counts[raw.user_counts > 0]
    quantities = _describe_ratings(everything, user_counts, share)

    movies = more_than(raw.movie_counts, round(MOVIE_THRESHOLD * share, 6))
    users = more_than(raw.user_counts, USER_THRESHOLD)
    kept = raw.select(users, movies)
    n_users = len(np.unique(kept.users))
    quantities += [
        Quantity("movies over the threshold", 491, 50, float(movies.sum())),
        Quantity("filtered ratings", 4_178_032, None, len(kept.users) / share),
        Quantity("filtered users", 20_828, None, n_users / share),
    ]
    if len(kept.users) > FEWEST_RATINGS:
        damping = WEIGHTED_MEAN_DAMPING * share
        quantities += _score_models(kept, Twin.load(directory), damping)

    if share < SMALLEST_SHARE:
        return [replace(quantity, tolerance=None) for quantity in quantities]
    return quantities


def gini(counts: NDArray[Any]) -> float:
    """Gini coefficient: 0 when all counts are equal, near 1 when one has everything."""
    n = len(counts)
    ordered = np.sort(counts).astype(np.float64)
    ranks = np.arange(1, n + 1)
    return float(2 * (ranks @ ordered) / (n * ordered.sum()) - (n + 1) / n)


def _describe_ratings(
    ratings: RatingColumns, user_counts: NDArray[np.int32], share: float
) -> list[Quantity]:
    """The quantities of all ratings: stars, mean, deviation, counts and who gives how many."""
    stars = ratings.stars
    counts_by_stars = np.bincount(stars, minlength=6)[1:]
    percent_by_stars = 100 * counts_by_stars / len(stars)
    quantities = [
        Quantity(f"{k + 1} stars, %", target, STARS_TOLERANCE, float(percent_by_stars[k]))
        for k, target in enumerate(PERCENT_BY_STARS)
    ]
    return [
        *quantities,
        Quantity("mean", 3.60, 0.05, float(stars.mean())),
        Quantity("deviation", 1.085, 0.03, float(stars.std())),
        Quantity("ratings, all users", 24_053_764, None, len(stars) / share),
        Quantity("users", 470_758, None, len(user_counts) / share),
        Quantity("Gini of ratings per user", 0.79, 0.05, gini(user_counts)),
    ]


def _score_models(kept: RatingColumns, twin: Twin, damping: float) -> list[Quantity]:
    """The RMSE of each reference model, and of the truth, on a seeded random tenth of `kept`.

    `damping` is that of the weighted mean.
    """
    users, _ = index_ids(kept.users)
    movies, _ = index_ids(kept.movies)
    n_users = int(users.max()) + 1
    n_movies = int(movies.max()) + 1
    ratings = Triples(users, movies, kept.stars.astype(np.float64))
    is_test = np.random.default_rng(0).random(len(users)) < TEST_SHARE
    train = _take_rows(ratings, ~is_test)
    test = _take_rows(ratings, is_test)

    # Means of the movies, as they are and drawn to the mean of all
    mean = float(train.values.mean())
    deviations = train.values - mean
    movie_means = mean + shrunk_means(train.movies, deviations, 0, n_movies)
    weighted_means = mean + shrunk_means(train.movies, deviations, damping, n_movies)

    # Additive biases, and factors of what these leave
    biases = additive_biases(train, n_users, n_movies)
    additive = biases.predict(test.users, test.movies)
    residual_values = train.values - biases.predict(train.users, train.movies)
    residuals = train._replace(values=residual_values)
    user_factors, movie_factors = factorise_residuals(residuals, n_users, n_movies)
    factors_of_users = user_factors[test.users]
    factors_of_movies = movie_factors[test.movies]
    interactions = np.einsum("jk,jk->j", factors_of_users, factors_of_movies)
    factored = additive + interactions

    truth = twin.expected_stars(kept.users[is_test], kept.movies[is_test]).astype(np.float64)
    rmse_of_means = _rmse(movie_means[test.movies], test.values)
    rmse_of_weighted_means = _rmse(weighted_means[test.movies], test.values)
    rmse_of_cosine = _score_cosine(train, test, n_users, n_movies)
    return [
        Quantity("RMSE of the movie mean", 0.987, 0.015, rmse_of_means),
        Quantity("RMSE of the weighted mean", 0.988, 0.015, rmse_of_weighted_means),
        Quantity("RMSE of the notebook's cosine", 1.327, None, rmse_of_cosine),
        Quantity("RMSE of the additive biases", 0.907, 0.015, _rmse(additive, test.values)),
        Quantity("RMSE of a factorisation", 0.845, 0.02, _rmse(factored, test.values)),
        Quantity("RMSE of the truth (oracle)", 0.80, None, _rmse(truth, test.values)),
    ]


def _take_rows(ratings: Triples, chosen: NDArray[np.bool_]) -> Triples:
    """The `chosen` ratings, a mask, in their order."""
    return Triples(ratings.users[chosen], ratings.movies[chosen], ratings.values[chosen])


def _score_cosine(train: Triples, test: Triples, n_users: int, n_movies: int) -> float:
    """The RMSE of the notebook's cosine on the test ratings of COSINE_USERS seeded random users.

    On all of them it would take too long.
    """
    rng = np.random.default_rng(0)
    shuffled_users = rng.permutation(n_users)
    chosen_users = np.sort(shuffled_users[:COSINE_USERS])
    predictions = cosine_predictions(train, n_users, n_movies, chosen_users)

    is_asked = np.isin(test.users, chosen_users)
    asked = _take_rows(test, is_asked)
    rows = np.searchsorted(chosen_users, asked.users)
    predicted = predictions[rows, asked.movies]
    return _rmse(predicted, asked.values)


def _rmse(predicted: NDArray[Any], actual: NDArray[np.float64]) -> float:
    """Root mean squared error of predictions, which are clipped to 1 to 5 stars first."""
    errors = predicted.clip(1, 5) - actual
    return float(np.sqrt(np.mean(errors**2)))
