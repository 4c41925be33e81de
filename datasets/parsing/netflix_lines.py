"""The lines of the Netflix Prize's ratings as arrays: a compiled parser that stops at what it does not understand."""

import datetime
import functools
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import compile_lazily

LAST_USER, LAST_MOVIE = 2_649_429, 17_770  # the Netflix Prize README
FIRST_YEAR, LAST_YEAR = 1970, 2099  # what 16 bits of days can hold, in whole years
SHORTEST_LINE = len("1,1,2000-01-01\n")


@functools.cache
def day_numbers() -> NDArray[np.int32]:
    """Days since 1970 at ((year - FIRST_YEAR) * 13 + month) * 32 + day; -1 where there is no such day."""
    table = np.full((LAST_YEAR - FIRST_YEAR + 1, 13, 32), -1, np.int32)
    dates = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]")
    years, months = dates.astype("datetime64[Y]"), dates.astype("datetime64[M]")
    month_numbers = (months - years.astype("datetime64[M]")).astype(np.int64) + 1
    day_numbers = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    table[years.astype(np.int64) + 1970 - FIRST_YEAR, month_numbers, day_numbers] = dates.astype(
        np.int32
    )
    return table.ravel()


@compile_lazily()
def parse_netflix_lines(
    text: Any,
    day_numbers: Any,
    only: int,
    movie: Any,
    seen: Any,
    users: Any,
    movies: Any,
    stars: Any,
    days: Any,
) -> tuple[int, int]:
    """Fill the columns from `text`: how many rows, and the offset of the first unacceptable line, else len(text).

    Headers of other movies than `only` are unacceptable, unless it is 0. Unsigned arithmetic throughout: what lies
    below the valid range wraps around and is found above it.
    """
    row, start, size = 0, 0, len(text)
    zero, ten, hundred = np.uint8(48), np.uint64(10), np.uint64(100)
    while start < size:
        at, number, date = start, np.uint64(0), np.uint64(0)
        while (
            np.uint8(text[at] - zero) <= 9 and number <= LAST_USER
        ):  # the text ends in a newline: `at` stays inside
            number, at = number * ten + np.uint64(text[at] - zero), at + 1
        header = text[at] == 58  # "123:", otherwise "123,4,2005-12-31": 13 bytes follow the user
        end = at + 1 if header else at + 13
        if (
            number == 0
            or end >= size
            or not (text[end] == 10 or (text[end] == 13 and text[end + 1] == 10))
        ):
            break
        if header:
            if number > LAST_MOVIE or seen[number] or (only > 0 and number != only):
                break
            seen[number], movie[0] = True, number
        else:
            wrong = (
                (text[at] != 44)
                | (text[at + 2] != 44)
                | (text[at + 7] != 45)
                | (text[at + 10] != 45)
            )
            for k in (3, 4, 5, 6, 8, 9, 11, 12):
                digit = np.uint8(text[at + k] - zero)
                wrong |= digit > 9
                date = date * ten + np.uint64(digit)
            year, month, day = (
                date // hundred // hundred - np.uint64(FIRST_YEAR),
                date // hundred % hundred,
                date % hundred,
            )
            cell = (year * np.uint64(13) + month) * np.uint64(32) + day
            wrong |= (
                (number > LAST_USER) | (movie[0] == 0) | (np.uint8(text[at + 1] - np.uint8(49)) > 4)
            )
            if wrong or month > 12 or day > 31 or cell >= len(day_numbers) or day_numbers[cell] < 0:
                break
            users[row], movies[row], stars[row], days[row] = (
                number,
                movie[0],
                text[at + 1] - zero,
                day_numbers[cell],
            )
            row += 1
        start = end + (1 if text[end] == 10 else 2)
    return row, start


@compile_lazily()
def count_netflix_ratings(
    users: Any, movies: Any, last_movies: Any, user_counts: Any, movie_counts: Any
) -> int:
    """Count the rows; the first one whose user rated its movie before, else len(users).

    Apart from the parser because so short a loop lets the processor overlap its cache misses: six times as fast.
    """
    for row in range(len(users)):
        user, movie = users[row], movies[row]
        if last_movies[user] == movie:
            return row
        last_movies[user] = movie
        user_counts[user] += 1
        movie_counts[movie] += 1
    return len(users)


@compile_lazily()
def keep_netflix_ratings(
    users: Any, movies: Any, stars: Any, days: Any, passing: Any, kept: Any
) -> int:
    """Move the rows whose user and movie pass (masks over raw ids) to the front, and mark both as kept: how many."""
    n = 0
    for row in range(len(users)):
        user, movie = users[row], movies[row]
        if passing[0][user] and passing[1][movie]:
            users[n], movies[n], stars[n], days[n] = user, movie, stars[row], days[row]
            kept[0][user] = kept[1][movie] = True
            n += 1
    return n


def explain_netflix_line(line: bytes, movie: int, seen: NDArray[np.bool_], only: int = 0) -> str:
    """Why the parser stopped at `line`, below the header of `movie`; `seen` are the movies that had one."""
    text = line.decode("latin-1")
    if only and not seen[only]:
        return f"expected the line {only}: of the movie in the file's name"
    if not text:
        return "a blank line between ratings"
    if re.fullmatch(r"[0-9]+:", text):
        known = re.fullmatch(r"0*[1-9][0-9]{0,6}:", text) and int(text[:-1]) <= LAST_MOVIE
        if known and only and int(text[:-1]) != only:
            return f"another movie than {only}, which the file's name promises"
        return "this movie came before" if known else f"expected a movie id from 1 to {LAST_MOVIE}"
    columns = text.split(",")
    if len(columns) != 3:
        return f"expected 3 columns user,stars,YYYY-MM-DD or a movie id with a colon, got {len(columns)} columns"
    user, star, date = columns
    if not (re.fullmatch(r"0*[1-9][0-9]{0,6}", user) and int(user) <= LAST_USER):
        return f"expected a user id from 1 to {LAST_USER}, got {user[:20]!r}"
    if star not in ("1", "2", "3", "4", "5"):
        return f"expected 1 to 5 stars, got {star[:20]!r}"
    if not _is_date(date):
        return f"expected a date YYYY-MM-DD from {FIRST_YEAR} to {LAST_YEAR}, got {date[:20]!r}"
    return (
        f"a second rating by user {user} of movie {movie}"
        if movie
        else "a rating before the first movie line N:"
    )


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"[0-9-]{10}", text)) and datetime.date.fromisoformat(
            text
        ).year in range(FIRST_YEAR, LAST_YEAR + 1)
    except ValueError:
        return False
