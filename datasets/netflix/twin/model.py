"""The planted parameters of the simulated Netflix: who rates much, what is popular, and who likes what.

User u rates movie i if a unit exponential draw lies below exp(appetite_u + tilt_u * reach_i + SELECTION * taste_ui):
people rate what they expect to like. The latent opinion is user bias + movie bias + taste_ui + level + drift + mood +
noise; THRESHOLDS cut it into stars. The constants are fitted to published figures: see `calibration.py`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from recbench.datasets.netflix.twin.curves import (
    SELECTION,
    TASTE_SD,
    midpoints,
    movie_counts,
    propensities,
    tilts,
    user_counts,
)

VERSION = 2  # raise it when the same seed should give other files
FILE_MOVIES = (
    4_499,
    4_711,
    4_157,
    4_403,
)  # movies in each of the real files, in the order of their ids
FILE_RATINGS = 24_053_764, 26_977_591, 22_601_629, 26_847_523
N_RATERS = 470_758  # of the real combined_data_1.txt
ALL_RATERS, LAST_USER = 480_189, 2_649_429  # of all four files
CANDIDATES = 1.34  # users in the model for each who rates at least once
N_FACTORS = 10
USER_SD, MOVIE_SD, QUALITY_REACH, NOISE_SD = 0.405, 0.42, 0.45, 0.757
MOOD_SD, SLOPE_SD, LEVEL_JUMP = 0.2, 0.15, 0.12
CONSTANT_RATERS, ONE_DAY_RATERS = 0.002, 0.003  # shares of the users
THRESHOLDS = np.array([-1.24, -0.577, 0.342, 1.305])


def _day(text: str) -> int:
    return int(np.datetime64(text).astype(np.int64))


FIRST_DAY, JUMP_DAY, LAST_DAY = _day("1999-11-11"), _day("2004-03-01"), _day("2005-12-31")
JOIN_DAYS = [
    _day(day)
    for day in ("1999-11-11", "2002-01-01", "2003-01-01", "2004-01-01", "2005-01-15", "2005-12-31")
]
JOIN_RATES = [0.005, 0.05, 0.12, 0.5, 1.0, 0.15]

TABLE_BLOCK = 1 << 20  # pairs
REACH_FOR_RATINGS = 1.5  # a hit cannot be rated twice: it takes more reach to have more ratings
RELEVANT = 4  # stars: three quarters of the scale
STEADY = -0.06  # heavy raters are less noisy: deviations grow with this power of the count

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Twin:
    """The truth: one row per user or per movie, movies in the order of their ids from 1. Days count from 1970."""

    user_ids: NDArray[np.int32]
    appetite: Floats
    tilt: Floats  # below 1 for heavy raters, who look beyond the hits
    user_bias: Floats
    noise: Floats  # deviation of the user's latent opinions
    user_factors: Floats
    constant: NDArray[np.int8]  # the one rating this user ever gives, or 0
    first_day: NDArray[np.int32]
    span: Floats  # days from the first session to the last
    sessions: NDArray[np.int32]
    slope: Floats  # how much the user's mean drifts over the span
    level: Floats  # the site's level as this user met it, on average
    reach: Floats
    movie_bias: Floats
    movie_factors: Floats
    release: NDArray[np.int32]
    active: NDArray[np.bool_]  # who is among the raters of all four files

    @staticmethod
    def load(directory: Path) -> "Twin":
        """The truth behind the simulated files in `directory`."""
        with np.load(directory / "truth.npz", allow_pickle=False) as arrays:
            return Twin(**arrays)

    def expected(self, user_ids: NDArray[Any], movie_ids: NDArray[Any]) -> Floats:
        """The expected stars of each pair (user_ids[j], movie_ids[j]) of raw ids, over noise, mood and time.

        float32 of shape (len(user_ids),). What is predicted from user and movie alone has no lower expected error.
        """
        users, movies = self._users(user_ids), np.asarray(movie_ids) - 1
        taste = np.einsum("jk,jk->j", self.user_factors[users], self.movie_factors[movies])
        return self._stars(users, taste + self.movie_bias[movies])

    def eagerness(self, movies: NDArray[Any], taste: Floats, users: Any = slice(None)) -> Floats:
        """Log of the rates at which `users` come to rate `movies`, whose `taste` is (movies, users); same shape."""
        centre = (
            SELECTION * np.sum(self.movie_factors[movies] ** 2, axis=1) / 2
        )  # makes exp(SELECTION * taste) 1
        reach = self.reach[movies][:, None] * self.tilt[users]
        return np.asarray(SELECTION * (taste - centre[:, None]) + self.appetite[users] + reach)

    def truth(self, user_ids: NDArray[Any], movie_ids: NDArray[Any]) -> Floats:
        """What `Dataset.truth` holds, for all pairs of these users and movies, computed in blocks of users."""
        users, movies = self._users(user_ids), np.asarray(movie_ids) - 1
        truth = np.empty((3, len(users), len(movies)), np.float32)
        step = max(TABLE_BLOCK // max(len(movies), 1), 1)
        for first in range(0, len(users), step):
            block, rows = users[first : first + step], slice(first, first + step)
            taste = self.user_factors[block] @ self.movie_factors[movies].T
            liking = taste + self.movie_bias[movies]
            truth[0, rows] = self._stars(block[:, None], liking)
            truth[1, rows] = -np.expm1(-np.exp(self.eagerness(movies, taste.T, block))).T
            truth[2, rows] = self._at_least(RELEVANT, block[:, None], liking)
        return truth

    def of_users(self, chosen: NDArray[np.bool_]) -> "Twin":
        """The twin with some of its users only."""
        of_movies = ("reach", "movie_bias", "movie_factors", "release")
        return replace(
            self,
            **{name: value[chosen] for name, value in vars(self).items() if name not in of_movies},
        )

    def _users(self, user_ids: NDArray[Any]) -> NDArray[np.int64]:
        order = np.argsort(self.user_ids)
        return np.asarray(order[np.searchsorted(self.user_ids, user_ids, sorter=order)])

    def _stars(self, users: NDArray[np.int64], liking: Floats) -> Floats:
        """The expected stars where `users` like movies that much on top of their own bias."""
        return np.asarray(
            1 + sum(self._at_least(stars, users, liking) for stars in (2, 3, 4, 5)), np.float32
        )

    def _at_least(self, stars: int, users: NDArray[np.int64], liking: Floats) -> Floats:
        """The chance of a rating of `stars` or more."""
        opinion = self.user_bias[users] + self.level[users] + liking
        spread = np.sqrt(self.noise[users] ** 2 + MOOD_SD**2 + self.slope[users] ** 2 / 12)
        chance = ndtr((opinion - np.float32(THRESHOLDS[stars - 2])) / spread)
        constant = self.constant[users]
        return np.where(constant > 0, constant >= stars, chance).astype(np.float32)


def plant(share: float, seed: int) -> Twin:
    """Draw the parameters of `share` of the users and of all movies, each file's as mixed but not as popular."""
    rng = np.random.default_rng([VERSION, seed])
    n_users = max(round(N_RATERS * CANDIDATES * share), 2)
    activity = rng.permutation(midpoints(n_users))
    files = [_movies(rng, n_movies) for n_movies in FILE_MOVIES]
    for file, n_ratings, n_movies in zip(files, FILE_RATINGS, FILE_MOVIES, strict=True):
        file["reach"] += np.float32(
            REACH_FOR_RATINGS * np.log(n_ratings / n_movies / FILE_RATINGS[0] * FILE_MOVIES[0])
        )
    movies = {name: np.concatenate([file[name] for file in files]) for name in files[0]}
    everybody = np.ones(n_users, np.bool_)
    return Twin(
        **movies, **_users(rng, activity), **_calendar(rng, user_counts(activity)), active=everybody
    )


def _movies(rng: np.random.Generator, n_movies: int) -> dict[str, NDArray[Any]]:
    _, _, log_counts, reaches = propensities()
    counts = movie_counts(rng.permutation(midpoints(n_movies)))
    reach = np.interp(np.log(counts), log_counts, reaches)
    fame = (reach - reach.mean()) / reach.std()
    luck = rng.standard_normal(n_movies)
    luck -= counts @ luck / counts.sum()  # a few hits must not move the mean of all ratings
    quality = QUALITY_REACH * fame + np.sqrt(1 - QUALITY_REACH**2) * luck
    strengths = np.arange(1, N_FACTORS + 1) ** -0.6
    strengths *= TASTE_SD / np.sqrt(np.sum(strengths**2))
    age = rng.exponential(9 * 365, n_movies).astype(
        np.int64
    )  # before the last day; what predates the site is always there
    return {
        "reach": reach.astype(np.float32),
        "movie_bias": (MOVIE_SD * quality).astype(np.float32),
        "movie_factors": (rng.standard_normal((n_movies, N_FACTORS)) * strengths).astype(
            np.float32
        ),
        "release": (LAST_DAY - 30 - age).astype(np.int32),
    }


def _users(rng: np.random.Generator, activity: Doubles) -> dict[str, NDArray[Any]]:
    log_counts, appetites, _, _ = propensities()
    n_users, counts = len(activity), user_counts(activity)
    constant = rng.choice(
        np.array([1, 2, 3, 4, 5], np.int8), n_users, p=[0.15, 0.02, 0.08, 0.15, 0.6]
    )
    constant[rng.random(n_users) >= CONSTANT_RATERS] = 0
    steadiness = (np.maximum(counts, 5) / 100) ** STEADY
    return {
        "user_ids": (rng.choice(LAST_USER, n_users, replace=False) + 1).astype(np.int32),
        "appetite": np.interp(np.log(counts), log_counts, appetites).astype(np.float32),
        "tilt": tilts(counts).astype(np.float32),
        "user_bias": (rng.normal(0, USER_SD, n_users) * steadiness).astype(np.float32),
        "noise": (NOISE_SD * steadiness).astype(np.float32),
        "user_factors": rng.standard_normal((n_users, N_FACTORS), np.float32),
        "constant": constant,
    }


def site_level(days: NDArray[Any]) -> Doubles:
    """What everybody's opinions gain with the calendar: a jump in early 2004, as in the real data."""
    return np.asarray(LEVEL_JUMP / (1 + np.exp((JUMP_DAY - days) / 20.0)))


def _calendar(rng: np.random.Generator, counts: Doubles) -> dict[str, NDArray[Any]]:
    n_users = len(counts)
    days = np.arange(FIRST_DAY, LAST_DAY + 1)
    joined = np.cumsum(np.interp(days, JOIN_DAYS, JOIN_RATES))
    first_day = np.interp(rng.random(n_users), joined / joined[-1], days).astype(np.int64)
    span = np.minimum(rng.exponential(500, n_users), LAST_DAY - first_day)
    sessions = np.maximum(counts / 10, 1).astype(np.int32)
    sessions[rng.random(n_users) < ONE_DAY_RATERS] = 1
    return {
        "first_day": first_day.astype(np.int32),
        "span": span.astype(np.float32),
        "sessions": sessions,
        "slope": rng.normal(0, SLOPE_SD, n_users).astype(np.float32),
        "level": site_level(first_day[:, None] + span[:, None] * midpoints(16))
        .mean(axis=1)
        .astype(np.float32),
    }
