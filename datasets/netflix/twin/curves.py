"""The shape of the simulated Netflix: how many ratings users give and movies have, and what rates make it so."""

import functools

import numpy as np
from numpy.typing import NDArray

N_MOVIES = 4_499  # of the real combined_data_1.txt, whose counts these are
TASTE_SD, SELECTION = 0.465, 1.16  # of the tastes, and how much they decide who rates what

# Ratings a movie has and a user gives at these quantiles: the published histograms, filters and skews.
MOVIE_QUANTILES = (
    np.array([0, 255, 1185, 1635, 1940, 2155, 2330, 2470, 2690, 2755, 3149, 3599, 4008]) / N_MOVIES
)
MOVIE_COUNTS = [20, 100, 200, 300, 400, 500, 600, 700, 900, 1000, 1799, 3884, 10250]
MOST_RATED, TAIL_SLOPE, TAIL_SHAPE = 194_000, 0.38, 3.6  # the curve above the last quantile
USER_QUANTILES = np.array([0, 0.3, 0.5, 0.62, 0.72, 0.84, 0.93, 0.98, 0.998, 0.999999])
USER_COUNTS = [0.6, 0.7, 1.0, 3.4, 28, 94, 130, 267, 1090, 4400]
TILT_FROM, TILT = 60, 0.93  # a user with ten times TILT_FROM ratings has a tilt of 1 - TILT

Doubles = NDArray[np.float64]


def midpoints(n: int) -> Doubles:
    """The quantiles of n equally likely values."""
    return (np.arange(n) + 0.5) / n


def user_counts(quantiles: Doubles) -> Doubles:
    """How many ratings the user at each of `quantiles` is expected to give."""
    tail = -np.log1p(-quantiles)
    return np.asarray(np.exp(np.interp(tail, -np.log1p(-USER_QUANTILES), np.log(USER_COUNTS))))


def movie_counts(quantiles: Doubles) -> Doubles:
    """How many ratings the movie at each of `quantiles` has when all users are there."""
    body = np.interp(quantiles, MOVIE_QUANTILES, np.log(MOVIE_COUNTS))
    hits = np.clip((quantiles - MOVIE_QUANTILES[-1]) / (1 - MOVIE_QUANTILES[-1]), 0, 1)
    rise = TAIL_SLOPE * hits + (1 - TAIL_SLOPE) * hits**TAIL_SHAPE
    return np.asarray(np.exp(body + np.log(MOST_RATED / MOVIE_COUNTS[-1]) * rise))


def tilts(counts: Doubles) -> Doubles:
    """How much the reach of movies counts for users who give so many ratings."""
    return 1 - TILT * np.clip(np.log10(counts / TILT_FROM), -1, 1)


@functools.cache
def propensities(n_points: int = 300) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Log user counts with their appetites, log movie counts with their reaches: four columns to interpolate in.

    Balances rows and columns of 1 - exp(-exp(appetite + tilt * reach)) until both have the counts of the curves.
    """
    place = midpoints(n_points)
    quantiles, weights = (
        1 - (1 - place) ** 4,
        4 * (1 - place) ** 3 / n_points,
    )  # dense where counts are extreme
    users, movies = user_counts(quantiles), movie_counts(quantiles)
    per_user = users / N_MOVIES  # the share of the movies that a user rates
    per_movie = (
        movies * (weights @ per_user) / (weights @ movies)
    )  # the share of the users that rate a movie
    appetite, reach, tilt = (
        np.log(per_user),
        np.log(per_movie / per_movie.mean()),
        tilts(users)[:, None],
    )

    sd = SELECTION * TASTE_SD  # three Gauss-Hermite points stand for all tastes
    tastes = [
        (sd * x - sd**2 / 2, weight)
        for x, weight in ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
    ]

    def chances() -> Doubles:
        eager = np.exp(appetite[:, None] + tilt * reach)
        return np.asarray(
            1 - sum(weight * np.exp(-eager * np.exp(taste)) for taste, weight in tastes)
        )

    for _ in range(30):
        appetite += np.log(per_user / (chances() @ weights))
        reach += np.log(per_movie / (weights @ chances()))
    return np.log(users), appetite, np.log(movies), reach
