"""The planted truth of the simulated Netflix: who rates much, what is popular, who likes what.

User u rates movie i if a unit exponential draw lies below
exp(appetite_u + tilt_u * reach_i + SELECTION * taste_ui): people rate what they expect to like. The
latent opinion is user bias + movie bias + taste_ui + level + drift + mood + noise; THRESHOLDS cut
it into stars. The constants are fitted to published figures: see `netflix/calibration.py`.
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
    balance_propensities,
    midpoints,
    movie_counts,
    tilts,
    user_counts,
)

VERSION = 2  # raise it when the same seed should give other files
TRUTH = "truth.npz"

# The real files, in the order of their ids
FILE_MOVIES = (4_499, 4_711, 4_157, 4_403)
FILE_RATINGS = (24_053_764, 26_977_591, 22_601_629, 26_847_523)
N_RATERS = 470_758  # of the first file
ALL_RATERS = 480_189  # of all four
LAST_USER = 2_649_429

CANDIDATES = 1.34  # users in the model for each who rates at least once
N_FACTORS = 10
FACTOR_DECAY = -0.6  # the k-th factor is as strong as this power of k
USER_SD = 0.405
MOVIE_SD = 0.42
QUALITY_REACH = 0.45  # correlation of a movie's quality with its fame
NOISE_SD = 0.757
MOOD_SD = 0.2
SLOPE_SD = 0.15
LEVEL_JUMP = 0.12
CONSTANT_RATERS = 0.002  # share of the users who only ever give one rating
CONSTANT_STARS = np.array([1, 2, 3, 4, 5], np.int8)
CONSTANT_CHANCES = (0.15, 0.02, 0.08, 0.15, 0.6)  # which one it is
ONE_DAY_RATERS = 0.003  # share of the users
STEADY = -0.06  # heavy raters are less noisy: deviations grow with this power of the count
STEADY_FROM = 5  # ratings: below, users are alike
REACH_FOR_RATINGS = 1.5  # a hit cannot be rated twice: more ratings take still more reach
THRESHOLDS = np.array([-1.24, -0.577, 0.342, 1.305])
RELEVANT = 4  # stars: three quarters of the scale

BLOCK_PAIRS = 1 << 20  # of users and movies whose truth is computed at a time


def _day_number(text: str) -> int:
    """Days from 1970 to an ISO date."""
    return int(np.datetime64(text).astype(np.int64))


FIRST_DAY = _day_number("1999-11-11")
JUMP_DAY = _day_number("2004-03-01")
LAST_DAY = _day_number("2005-12-31")
JUMP_DAYS = 20.0  # how long the jump takes

# How many users join on these days, relative to each other
JOIN_DAYS = [
    FIRST_DAY,
    _day_number("2002-01-01"),
    _day_number("2003-01-01"),
    _day_number("2004-01-01"),
    _day_number("2005-01-15"),
    LAST_DAY,
]
JOIN_RATES = [0.005, 0.05, 0.12, 0.5, 1.0, 0.15]
MEAN_SPAN = 500  # days from a user's first session to the last, before the end cuts it
RATINGS_PER_SESSION = 10
MEAN_AGE = 9 * 365  # days of a movie at the end
YOUNGEST = 30

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class UserTraits:
    """What users are like: one row per user."""

    user_ids: NDArray[np.int32]
    appetite: Floats
    tilt: Floats  # below 1 for heavy raters, who look beyond the hits
    user_bias: Floats
    noise: Floats  # deviation of the user's latent opinions
    user_factors: Floats
    constant: NDArray[np.int8]  # the one rating this user ever gives, or 0


@dataclass(frozen=True, eq=False)
class UserCalendar:
    """When users rate: one row per user. Days count from 1970."""

    first_day: NDArray[np.int32]
    span: Floats  # days from the first session to the last
    sessions: NDArray[np.int32]
    slope: Floats  # how much the user's mean drifts over the span
    level: Floats  # the site's level as this user met it, on average


@dataclass(frozen=True, eq=False)
class MovieTraits:
    """What movies are like: one row per movie, in the order of their ids from 1."""

    reach: Floats
    movie_bias: Floats
    movie_factors: Floats
    release: NDArray[np.int32]  # days since 1970


@dataclass(frozen=True, eq=False)
class Twin(MovieTraits, UserCalendar, UserTraits):
    """The truth: what users and movies are like, and who rates at all."""

    active: NDArray[np.bool_]  # who is among the raters of all four files

    @staticmethod
    def load(directory: Path) -> "Twin":
        """The truth behind the simulated files in `directory`."""
        with np.load(directory / TRUTH, allow_pickle=False) as arrays:
            return Twin(**arrays)

    def expected_stars(self, user_ids: NDArray[Any], movie_ids: NDArray[Any]) -> Floats:
        """The expected stars of each pair (user_ids[j], movie_ids[j]) of raw ids.

        Over noise, mood and time; float32 of shape (len(user_ids),). What is predicted from user
        and movie alone has no lower expected error.
        """
        users = self._indices_of_users(user_ids)
        movies = np.asarray(movie_ids) - 1
        taste = np.einsum("jk,jk->j", self.user_factors[users], self.movie_factors[movies])
        return self._expected_stars(users, taste + self.movie_bias[movies])

    def log_rates(self, movies: Indices, taste: Floats, users: Any = slice(None)) -> Floats:
        """Log of the rates at which `users` come to rate `movies`: (movies, users).

        `taste` is how much they like them, of the same shape.
        """
        # Taste decides who rates a movie, not how many: on average exp(selection) is 1
        squares = self.movie_factors[movies] ** 2
        centre = SELECTION * np.sum(squares, axis=1) / 2
        selection = SELECTION * (taste - centre[:, None])

        # How far a movie reaches counts less for heavy raters
        movie_reach = self.reach[movies][:, None]
        reach = movie_reach * self.tilt[users]
        log_rates = selection + self.appetite[users] + reach
        return np.asarray(log_rates)

    def truth_of_pairs(self, user_ids: NDArray[Any], movie_ids: NDArray[Any]) -> Floats:
        """What `Dataset.truth` holds, for all pairs of these users and movies: (3, users, movies).

        Expected rating, chance that it is rated, chance that the rating is relevant. Computed in
        blocks of users.
        """
        users = self._indices_of_users(user_ids)
        movies = np.asarray(movie_ids) - 1
        truth = np.empty((3, len(users), len(movies)), np.float32)

        step = max(BLOCK_PAIRS // max(len(movies), 1), 1)
        for first in range(0, len(users), step):
            rows = slice(first, first + step)
            truth[:, rows] = self._truth_of_block(users[rows], movies)
        return truth

    def keep_users(self, chosen: NDArray[np.bool_]) -> "Twin":
        """The twin with the `chosen` of its users only, and all its movies."""
        movie_columns = MovieTraits.__dataclass_fields__
        user_columns = {
            name: column[chosen] for name, column in vars(self).items() if name not in movie_columns
        }
        return replace(self, **user_columns)

    def _truth_of_block(self, users: Indices, movies: Indices) -> Floats:
        """What `truth_of_pairs` gives for all pairs of these indices: (3, users, movies).

        Expected stars, the chance that it is rated, the chance that the rating is relevant.
        """
        taste = self.user_factors[users] @ self.movie_factors[movies].T
        liking = taste + self.movie_bias[movies]
        rows = users[:, None]
        expected_stars = self._expected_stars(rows, liking)
        chance_of_relevant = self._chance_of_at_least(RELEVANT, rows, liking)

        # Rated if the first event of a process with this rate comes within a unit of time
        rates = np.exp(self.log_rates(movies, taste.T, users))
        chance_of_rating = -np.expm1(-rates).T
        return np.stack([expected_stars, chance_of_rating, chance_of_relevant])

    def _indices_of_users(self, user_ids: NDArray[Any]) -> Indices:
        """The row of each of these raw ids, which all must be there."""
        order = np.argsort(self.user_ids)
        places = np.searchsorted(self.user_ids, user_ids, sorter=order)
        return np.asarray(order[places])

    def _expected_stars(self, users: Indices, liking: Floats) -> Floats:
        """The expected stars of users who like movies by `liking`, on top of their own bias.

        `users` are indices; they and `liking` are broadcast against each other.
        """
        chances = [self._chance_of_at_least(stars, users, liking) for stars in (2, 3, 4, 5)]
        return np.asarray(1 + sum(chances), np.float32)

    def _chance_of_at_least(self, stars: int, users: Indices, liking: Floats) -> Floats:
        """The chance that a rating has at least `stars` (2 to 5), over noise, mood and drift.

        `users` (indices) and `liking` as in `_expected_stars`.
        """
        opinion = self.user_bias[users] + self.level[users] + liking

        # Noise, mood, and the drift, as the rating may be anywhere in the user's span
        noise_variance = self.noise[users] ** 2
        drift_variance = self.slope[users] ** 2 / 12
        spread = np.sqrt(noise_variance + MOOD_SD**2 + drift_variance)

        threshold = np.float32(THRESHOLDS[stars - 2])
        chance = ndtr((opinion - threshold) / spread)

        # Who only ever gives one rating leaves nothing to chance
        constant = self.constant[users]
        is_enough = constant >= stars
        return np.where(constant > 0, is_enough, chance).astype(np.float32)


def plant_twin(share: float, seed: int) -> Twin:
    """Draw what `share` of the users and all movies are like; all users are active.

    The movies of each file are as mixed, but reach as far as the file has ratings.
    """
    rng = np.random.default_rng([VERSION, seed])
    n_users = max(round(N_RATERS * CANDIDATES * share), 2)
    activity = rng.permutation(midpoints(n_users))

    movies = _draw_movies_of_all_files(rng)
    users = _draw_users(rng, activity)
    calendar = _draw_calendar(rng, user_counts(activity))
    everybody = np.ones(n_users, np.bool_)
    return Twin(**vars(movies), **vars(users), **vars(calendar), active=everybody)


def site_level(days: NDArray[Any]) -> Doubles:
    """What all opinions gain with the calendar: a jump in early 2004, as in the real data."""
    jumps_away = (JUMP_DAY - days) / JUMP_DAYS
    return np.asarray(LEVEL_JUMP / (1 + np.exp(jumps_away)))


def _draw_movies_of_all_files(rng: np.random.Generator) -> MovieTraits:
    """The movies of the four files, one file after the other, in the order of their ids.

    Their reach grows with how many ratings a movie of their file has, compared with the first file.
    """
    files = [_draw_movies(rng, n_movies) for n_movies in FILE_MOVIES]
    reaches = []
    for file, n_ratings, n_movies in zip(files, FILE_RATINGS, FILE_MOVIES, strict=True):
        relative_density = n_ratings / n_movies / FILE_RATINGS[0] * FILE_MOVIES[0]
        gain = np.float32(REACH_FOR_RATINGS * np.log(relative_density))
        reaches.append(file.reach + gain)

    return MovieTraits(
        reach=np.concatenate(reaches),
        movie_bias=np.concatenate([file.movie_bias for file in files]),
        movie_factors=np.concatenate([file.movie_factors for file in files]),
        release=np.concatenate([file.release for file in files]),
    )


def _draw_movies(rng: np.random.Generator, n_movies: int) -> MovieTraits:
    """Movies whose counts follow the curve; the well-known ones are better on average."""
    propensities = balance_propensities()
    quantiles = rng.permutation(midpoints(n_movies))
    counts = movie_counts(quantiles)
    reach = np.interp(np.log(counts), propensities.log_movie_counts, propensities.reaches)

    fame = (reach - reach.mean()) / reach.std()
    luck = rng.standard_normal(n_movies)
    luck -= counts @ luck / counts.sum()  # a few hits must not move the mean of all ratings
    weight_of_luck = np.sqrt(1 - QUALITY_REACH**2)
    quality = QUALITY_REACH * fame + weight_of_luck * luck

    # The first factors are the strongest, and together they make the tastes' deviation
    strengths = np.arange(1, N_FACTORS + 1) ** FACTOR_DECAY
    length = np.sqrt(np.sum(strengths**2))
    strengths *= TASTE_SD / length

    # Before the last day; what predates the site is always there
    age = rng.exponential(MEAN_AGE, n_movies).astype(np.int64)
    factors = rng.standard_normal((n_movies, N_FACTORS)) * strengths
    return MovieTraits(
        reach=reach.astype(np.float32),
        movie_bias=(MOVIE_SD * quality).astype(np.float32),
        movie_factors=factors.astype(np.float32),
        release=(LAST_DAY - YOUNGEST - age).astype(np.int32),
    )


def _draw_users(rng: np.random.Generator, activity: Doubles) -> UserTraits:
    """Users with different raw ids, each at its quantile of `activity`."""
    n_users = len(activity)
    counts = user_counts(activity)
    propensities = balance_propensities()
    appetite = np.interp(np.log(counts), propensities.log_user_counts, propensities.appetites)

    # A few users only ever give one rating; for all others stands 0
    constant = rng.choice(CONSTANT_STARS, n_users, p=CONSTANT_CHANCES)
    gives_all_stars = rng.random(n_users) >= CONSTANT_RATERS
    constant[gives_all_stars] = 0

    # Who rates much varies less
    hundreds = np.maximum(counts, STEADY_FROM) / 100
    steadiness = hundreds**STEADY
    user_ids = rng.choice(LAST_USER, n_users, replace=False) + 1
    user_bias = rng.normal(0, USER_SD, n_users) * steadiness
    return UserTraits(
        user_ids=user_ids.astype(np.int32),
        appetite=appetite.astype(np.float32),
        tilt=tilts(counts).astype(np.float32),
        user_bias=user_bias.astype(np.float32),
        noise=(NOISE_SD * steadiness).astype(np.float32),
        user_factors=rng.standard_normal((n_users, N_FACTORS), np.float32),
        constant=constant,
    )


def _draw_calendar(rng: np.random.Generator, counts: Doubles) -> UserCalendar:
    """When users rate who give so many ratings: more and more join, and stay for a while."""
    n_users = len(counts)
    # The day on which each joins is where its chance meets the share that has joined
    days = np.arange(FIRST_DAY, LAST_DAY + 1)
    join_rates = np.interp(days, JOIN_DAYS, JOIN_RATES)
    joined = np.cumsum(join_rates)
    share_joined = joined / joined[-1]
    chances = rng.random(n_users)
    first_day = np.interp(chances, share_joined, days).astype(np.int64)

    wanted_span = rng.exponential(MEAN_SPAN, n_users)
    span = np.minimum(wanted_span, LAST_DAY - first_day)

    n_sessions = counts / RATINGS_PER_SESSION
    sessions = np.maximum(n_sessions, 1).astype(np.int32)
    rates_on_one_day = rng.random(n_users) < ONE_DAY_RATERS
    sessions[rates_on_one_day] = 1

    # The site's level for a user is that of the days on which it may rate
    slope = rng.normal(0, SLOPE_SD, n_users)
    days_met = first_day[:, None] + span[:, None] * midpoints(16)
    level = site_level(days_met).mean(axis=1)
    return UserCalendar(
        first_day=first_day.astype(np.int32),
        span=span.astype(np.float32),
        sessions=sessions,
        slope=slope.astype(np.float32),
        level=level.astype(np.float32),
    )
