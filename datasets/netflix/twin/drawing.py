"""The ratings of the simulated Netflix as text: who rates which movie, when, and how."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.netflix.twin.model import (
    FILE_MOVIES,
    FIRST_DAY,
    LAST_DAY,
    MOOD_SD,
    THRESHOLDS,
    VERSION,
    Doubles,
    Indices,
    Twin,
    site_level,
)

BLOCK_PAIRS = 4_000_000  # pairs of user and movie in memory at a time: about 100 MB
EVENINGS = 1 << 16  # different moods that there are
GOLDEN_RATIO = 0.6180339887498949  # its multiples fill a span evenly, however many there are

# Where what stands in the line of a rating: 7 digits, comma, star, comma, date, newline
LINE_BYTES = 21
USER_DIGITS = 7
STAR_AT = 8
DATE_AT = 10
DATE_BYTES = 10


class Block(NamedTuple):
    """The ratings of some movies, movie by movie."""

    users: Indices  # indices into the twin's users
    rows: Indices  # positions of the movies among those asked for, ascending
    stars: Indices
    days: Indices  # since 1970


def draw_ratings_text(
    twin: Twin, seed: int, number: int = 1, raters: NDArray[np.bool_] | None = None
) -> Iterator[bytes]:
    """`combined_data_N.txt` in pieces, in order, for N = `number`.

    The users who rate in it are marked in `raters`, a mask over the twin's users.
    """
    movies_at_once = max(BLOCK_PAIRS // len(twin.user_ids), 1)
    start = sum(FILE_MOVIES[: number - 1])
    end = sum(FILE_MOVIES[:number])
    for first in range(start, end, movies_at_once):
        last = min(first + movies_at_once, end)
        movies = np.arange(first, last)

        # A generator for each block: the files do not depend on each other
        rng = np.random.default_rng([VERSION, seed, 2, first])
        block = _draw_block(twin, movies, rng)
        if raters is not None:
            raters[block.users] = True

        user_ids = twin.user_ids[block.users].astype(np.int64)
        yield _write_lines(block, user_ids, movies)


def _draw_block(twin: Twin, movies: Indices, rng: np.random.Generator) -> Block:
    """Who rates `movies` (indices), when, and with how many stars."""
    # Who comes to rate what: (movies, users)
    taste = twin.movie_factors[movies] @ twin.user_factors.T
    rates = np.exp(twin.log_rates(movies, taste))
    is_rated = rates > rng.standard_exponential(taste.shape, np.float32)

    rated = np.flatnonzero(is_rated)
    rows, users = np.divmod(rated, len(twin.user_ids))
    rated_movies = movies[rows]
    days, sessions = _draw_days(twin, users, rated_movies, rng)

    # The latent opinion: biases and taste, the site's level, drift, mood, noise
    opinion = twin.user_bias[users] + twin.movie_bias[rated_movies] + taste.ravel()[rated]
    drift = twin.slope[users] * _place_in_span(twin, users, days)
    mood = _draw_moods(twin, users, sessions)
    noise = rng.standard_normal(len(users)) * twin.noise[users]
    opinion += site_level(days) + drift + mood
    opinion += noise

    constant = twin.constant[users]
    stars_of_opinion = 1 + np.searchsorted(THRESHOLDS, opinion)
    stars = np.where(constant > 0, constant, stars_of_opinion)
    return Block(users, rows, stars, days)


def _draw_days(
    twin: Twin, users: Indices, movies: Indices, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Day and session of each rating. Early sessions are the fullest; none before the release."""
    chance = rng.random(len(users))
    n_sessions = twin.sessions[users]
    sessions = (n_sessions * chance**2).astype(np.int64)

    # Sessions lie evenly in the span, in no order
    places = np.mod(sessions * GOLDEN_RATIO, 1)
    offsets = twin.span[users] * places
    days = twin.first_day[users] + offsets.astype(np.int64)

    # Who would have been too early rates on some day after the release
    releases = np.maximum(twin.release[movies], FIRST_DAY)
    delays = (LAST_DAY - releases) * chance
    late_days = releases + delays.astype(np.int64)
    is_too_early = days < releases
    return np.where(is_too_early, late_days, days), sessions


def _place_in_span(twin: Twin, users: Indices, days: Indices) -> Doubles:
    """Where in the user's span each day lies, from -.5 to .5."""
    days_since_first = days - twin.first_day[users]
    lengths = np.maximum(twin.span[users], 1)
    places = days_since_first / lengths - 0.5
    return np.asarray(places.clip(-0.5, 0.5))


def _draw_moods(twin: Twin, users: Indices, sessions: Indices) -> Doubles:
    """What the user's mood adds to the opinion of each rating, one for each of `users`.

    The same for all ratings of a user's session, and the same in every file.
    """
    user_ids = twin.user_ids[users].astype(np.int64)
    evenings = (user_ids * 7919 + sessions * 104_729) % EVENINGS
    moods: Doubles = np.random.default_rng(VERSION).normal(0, MOOD_SD, EVENINGS)
    return np.asarray(moods[evenings])


def _write_lines(block: Block, user_ids: Indices, movies: Indices) -> bytes:
    """The text of a block: each movie's header, then a line for each of its ratings."""
    # All lines as rows of bytes of one length
    text = np.full((len(user_ids), LINE_BYTES), ord(","), np.uint8)
    powers = 10 ** np.arange(USER_DIGITS - 1, -1, -1)
    digits = user_ids[:, None] // powers % 10
    text[:, :USER_DIGITS] = digits + ord("0")
    text[:, STAR_AT] = block.stars + ord("0")

    dates = _calendar_bytes()[block.days - FIRST_DAY]
    text[:, DATE_AT : DATE_AT + DATE_BYTES] = dates
    text[:, -1] = ord("\n")

    # The same without leading zeros
    is_written = np.ones(text.shape, np.bool_)
    is_written[:, :USER_DIGITS] = user_ids[:, None] >= powers
    lines = text[is_written].tobytes()

    # Where in it the lines of each movie begin and end
    line_lengths = is_written.sum(axis=1)
    line_ends = np.concatenate([[0], np.cumsum(line_lengths)])
    first_lines = np.searchsorted(block.rows, np.arange(len(movies) + 1))
    bounds = line_ends[first_lines]

    pieces = []
    for position, movie in enumerate(movies):
        start = bounds[position]
        end = bounds[position + 1]
        pieces.append(b"%d:\n" % (movie + 1))
        pieces.append(lines[start:end])
    return b"".join(pieces)


def _calendar_bytes() -> NDArray[np.uint8]:
    """The ISO dates from FIRST_DAY to LAST_DAY as bytes: (days, 10)."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1).astype("datetime64[D]")
    return days.astype("S10").view(np.uint8).reshape(-1, DATE_BYTES)
