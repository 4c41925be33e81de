"""How many ratings users give and movies have in the simulated Netflix, and what makes it so."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_MOVIES = 4_499  # of the real combined_data_1.txt, whose counts these are
TASTE_SD = 0.465  # of the tastes
SELECTION = 1.16  # how much the tastes decide who rates what

# Ratings a movie has at these quantiles: the published histograms, filters and skews
MOVIE_RANKS = [0, 255, 1185, 1635, 1940, 2155, 2330, 2470, 2690, 2755, 3149, 3599, 4008]
MOVIE_QUANTILES = np.array(MOVIE_RANKS) / N_MOVIES
MOVIE_COUNTS = [20, 100, 200, 300, 400, 500, 600, 700, 900, 1000, 1799, 3884, 10250]

# The curve above the last quantile of the movies
MOST_RATED = 194_000
TAIL_SLOPE = 0.38
TAIL_SHAPE = 3.6

# Ratings a user gives at these quantiles
USER_QUANTILES = np.array([0, 0.3, 0.5, 0.62, 0.72, 0.84, 0.93, 0.98, 0.998, 0.999999])
USER_COUNTS = [0.6, 0.7, 1.0, 3.4, 28, 94, 130, 267, 1090, 4400]

# A user with ten times TILT_FROM ratings has a tilt of 1 - TILT
TILT_FROM = 60
TILT = 0.93

# Three Gauss-Hermite points stand for all tastes: their places in deviations, and their weights
TASTE_POINTS = ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
BALANCING_ROUNDS = 30

Doubles = NDArray[np.float64]


class Propensities(NamedTuple):
    """What makes users and movies have their counts: four columns to interpolate in, ascending."""

    log_user_counts: Doubles
    appetites: Doubles  # of users with these counts
    log_movie_counts: Doubles
    reaches: Doubles  # of movies with these counts


def midpoints(n: int) -> Doubles:
    """The quantiles of n equally likely values.

    >>> midpoints(4)
    array([0.125, 0.375, 0.625, 0.875])
    """
    return (np.arange(n) + 0.5) / n


def user_counts(quantiles: Doubles) -> Doubles:
    """How many ratings the user at each of `quantiles` is expected to give."""
    # On these scales the curve is made of nearly straight pieces
    tails = -np.log1p(-quantiles)
    known_tails = -np.log1p(-USER_QUANTILES)
    log_counts = np.interp(tails, known_tails, np.log(USER_COUNTS))
    return np.asarray(np.exp(log_counts))


def movie_counts(quantiles: Doubles) -> Doubles:
    """How many ratings the movie at each of `quantiles` has when all users are there."""
    log_body = np.interp(quantiles, MOVIE_QUANTILES, np.log(MOVIE_COUNTS))

    # Above the last known quantile the curve rises steeply to the most rated movie
    last_quantile = MOVIE_QUANTILES[-1]
    places = (quantiles - last_quantile) / (1 - last_quantile)
    hits = np.clip(places, 0, 1)
    rise = TAIL_SLOPE * hits + (1 - TAIL_SLOPE) * hits**TAIL_SHAPE
    log_factor = np.log(MOST_RATED / MOVIE_COUNTS[-1])
    log_counts = log_body + log_factor * rise
    return np.asarray(np.exp(log_counts))


def tilts(counts: Doubles) -> Doubles:
    """How much the reach of movies counts for users who give so many ratings."""
    powers_of_ten = np.log10(counts / TILT_FROM)
    return 1 - TILT * np.clip(powers_of_ten, -1, 1)


@functools.cache
def balance_propensities(n_points: int = 300) -> Propensities:
    """The appetites of users and the reaches of movies that give both the counts of the curves
    `user_counts` and `movie_counts`, with the logarithms of these, at `n_points` quantiles of each.

    The chance that a user rates a movie is 1 - exp(-exp(appetite + tilt * reach)), averaged over
    tastes. Its rows and columns are balanced in turn, `BALANCING_ROUNDS` times, as in iterative
    proportional fitting.
    """
    # Quantiles are dense where counts are extreme; the weights are the shares they stand for
    places = midpoints(n_points)
    quantiles = 1 - (1 - places) ** 4
    weights = 4 * (1 - places) ** 3 / n_points

    # The share of the movies that a user rates, and of the users that rate a movie
    counts_of_users = user_counts(quantiles)
    counts_of_movies = movie_counts(quantiles)
    per_user = counts_of_users / N_MOVIES
    per_movie = counts_of_movies * (weights @ per_user) / (weights @ counts_of_movies)

    appetites = np.log(per_user)
    reaches = np.log(per_movie / per_movie.mean())
    tilt = tilts(counts_of_users)[:, None]
    for _ in range(BALANCING_ROUNDS):
        chances = _mean_chances(appetites, reaches, tilt)
        given_by_user = chances @ weights
        appetites += np.log(per_user / given_by_user)

        chances = _mean_chances(appetites, reaches, tilt)
        given_to_movie = weights @ chances
        reaches += np.log(per_movie / given_to_movie)

    return Propensities(
        log_user_counts=np.log(counts_of_users),
        appetites=appetites,
        log_movie_counts=np.log(counts_of_movies),
        reaches=reaches,
    )


def _mean_chances(appetites: Doubles, reaches: Doubles, tilt: Doubles) -> Doubles:
    """The chance, averaged over tastes, that a user rates a movie: (users, movies)."""
    log_rates = appetites[:, None] + tilt * reaches
    rates = np.exp(log_rates)
    spread = SELECTION * TASTE_SD
    missed: Doubles | float = 0.0
    for place, weight in TASTE_POINTS:
        eagerness = np.exp(spread * place - spread**2 / 2)  # 1 on average
        missed_by_these = np.exp(-rates * eagerness)
        missed = missed + weight * missed_by_these
    return np.asarray(1 - missed)
