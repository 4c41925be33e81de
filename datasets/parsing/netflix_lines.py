"""The lines of the Netflix Prize's ratings as arrays, by parsers that stop at other text.

Lines "movie:", and below each the ratings of that movie, "user,stars,YYYY-MM-DD".
"""

import datetime
import functools
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import compile_lazily
from recbench.datasets.parsing.text_blocks import read_digits

LAST_USER = 2_649_429  # the Netflix Prize README
LAST_MOVIE = 17_770
FIRST_YEAR = 1970  # what 16 bits of days can hold, in whole years
LAST_YEAR = 2099
SHORTEST_LINE = len("1,1,2000-01-01\n")
TAIL_BYTES = len(",1,2000-01-01")  # what follows the user
SHOWN_CHARACTERS = 20  # of a field in a message
NO_DAY = -1


@functools.cache
def day_numbers() -> NDArray[np.int32]:
    """Days since 1970 at ((year - FIRST_YEAR) * 13 + month) * 32 + day; NO_DAY for no such day.

    It has a place for months 0 to 12 and days 0 to 31 of each year.
    """
    dates = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]")
    years = dates.astype("datetime64[Y]")
    months = dates.astype("datetime64[M]")

    # Each date as three numbers: NumPy counts years from 1970, months in a year and days in a
    # month from 0.
    january = years.astype("datetime64[M]")
    first_of_month = months.astype("datetime64[D]")
    year = years.astype(np.int64) + 1970
    month = (months - january).astype(np.int64) + 1
    day = (dates - first_of_month).astype(np.int64) + 1

    n_years = LAST_YEAR - FIRST_YEAR + 1
    table = np.full((n_years, 13, 32), NO_DAY, np.int32)
    table[year - FIRST_YEAR, month, day] = dates.astype(np.int32)
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
    """Fill the columns from `text`: how many rows, and the offset of the first unacceptable line.

    The offset is len(text) if all lines are fine. The text (uint8) ends in a newline. `movie[0]`
    is the movie whose ratings come next, 0 before the first, and `seen` the movies that had a
    header, by raw id; both are kept up to date. Headers of other movies than `only` are
    unacceptable, unless it is 0. `days` are since 1970, see `day_numbers`.
    """
    row = 0
    start = 0
    size = len(text)
    while start < size:
        number, end = read_digits(text, start, LAST_USER)
        is_header = text[end] == 58  # a colon
        line_end = end + 1 if is_header else end + TAIL_BYTES
        if number == 0 or not _is_line_end(text, line_end):
            break

        if is_header:
            if number > LAST_MOVIE or seen[number] or (only > 0 and number != only):
                break
            seen[number] = True
            movie[0] = number
        else:
            star = np.uint8(text[end + 1] - np.uint8(48))
            day = _read_day(text, end, day_numbers)
            is_star = star >= 1 and star <= 5
            if number > LAST_USER or movie[0] == 0 or not is_star or day == NO_DAY:
                break
            users[row] = number
            movies[row] = movie[0]
            stars[row] = star
            days[row] = day
            row += 1

        start = line_end + 1
        if text[line_end] == 13:  # CR, and behind it LF
            start += 1
    return row, start


@compile_lazily(forceinline=True)
def _is_line_end(text: Any, end: int) -> bool:
    """Whether LF or CRLF stands at the offset `end`, which may lie beyond the text."""
    if end >= len(text):
        return False
    if text[end] == 13:  # CR: as the text ends in LF, something follows
        return bool(text[end + 1] == 10)
    return bool(text[end] == 10)


@compile_lazily(forceinline=True)
def _read_day(text: Any, end: int, day_numbers: Any) -> int:
    """The day of ",1,2005-12-31" at the offset `end`, or NO_DAY if it looks otherwise.

    Unsigned arithmetic throughout: what lies below the valid range wraps around and is found
    above it. There is no branch until the end, because processors guess dates badly.
    """
    is_wrong = (
        (text[end] != 44)  # commas
        | (text[end + 2] != 44)
        | (text[end + 7] != 45)  # hyphens
        | (text[end + 10] != 45)
    )
    date = np.uint64(0)
    for k in (3, 4, 5, 6, 8, 9, 11, 12):
        digit = np.uint8(text[end + k] - np.uint8(48))
        is_wrong |= digit > 9
        date = date * np.uint64(10) + np.uint64(digit)

    hundred = np.uint64(100)
    day = date % hundred
    month = date // hundred % hundred
    year = date // hundred // hundred - np.uint64(FIRST_YEAR)
    place = (year * np.uint64(13) + month) * np.uint64(32) + day
    if is_wrong or month > 12 or day > 31 or place >= len(day_numbers):
        return NO_DAY
    return int(day_numbers[place])


@compile_lazily()
def count_netflix_ratings(
    users: Any, movies: Any, last_movies: Any, user_counts: Any, movie_counts: Any
) -> int:
    """Count the rows by raw id; the first one whose user rated its movie before, else len(users).

    The rows before that one are added to `user_counts` and `movie_counts`. `last_movies` says which
    movie each user rated last, which is enough to know, because the rows of a movie stand together.
    Apart from the parser because so short a loop lets the processor overlap its cache misses: six
    times as fast.
    """
    for row in range(len(users)):
        user = users[row]
        movie = movies[row]
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
    """Move the rows whose user and movie pass to the front of the columns: how many they are.

    `passing` are two masks over raw ids, of users and of movies. In `kept`, two masks like them,
    the user and the movie of each such row are marked.
    """
    n_kept = 0
    for row in range(len(users)):
        user = users[row]
        movie = movies[row]
        if passing[0][user] and passing[1][movie]:
            # Never ahead of `row`, so nothing is overwritten that has not been read.
            users[n_kept] = user
            movies[n_kept] = movie
            stars[n_kept] = stars[row]
            days[n_kept] = days[row]
            kept[0][user] = True
            kept[1][movie] = True
            n_kept += 1
    return n_kept


def explain_netflix_line(line: bytes, movie: int, seen: NDArray[np.bool_], only: int = 0) -> str:
    """Why the parser stopped at `line`, below the header of `movie` (0: before the first).

    `seen` are the movies that had a header, `only` the one that the file may be about (0: any).
    """
    text = line.decode("latin-1")
    if only and not seen[only]:
        return f"expected the line {only}: of the movie in the file's name"
    if not text:
        return "a blank line between ratings"
    if re.fullmatch(r"[0-9]+:", text):
        return _explain_header(text, only)

    columns = text.split(",")
    if len(columns) != 3:
        return (
            "expected 3 columns user,stars,YYYY-MM-DD or a movie id with a colon, "
            f"got {len(columns)} columns"
        )

    # The first column that is wrong, from the left.
    user, star, date = columns
    if not (_is_number(user) and int(user) <= LAST_USER):
        return f"expected a user id from 1 to {LAST_USER}, got {user[:SHOWN_CHARACTERS]!r}"
    if star not in ("1", "2", "3", "4", "5"):
        return f"expected 1 to 5 stars, got {star[:SHOWN_CHARACTERS]!r}"
    if not _is_date(date):
        return (
            f"expected a date YYYY-MM-DD from {FIRST_YEAR} to {LAST_YEAR}, "
            f"got {date[:SHOWN_CHARACTERS]!r}"
        )

    # The line is fine by itself, so it stands in the wrong place.
    if not movie:
        return "a rating before the first movie line N:"
    return f"a second rating by user {user} of movie {movie}"


def _explain_header(text: str, only: int) -> str:
    """Why the digits and the colon in `text` are no header of a movie that may come here."""
    digits = text.removesuffix(":")
    if not (_is_number(digits) and int(digits) <= LAST_MOVIE):
        return f"expected a movie id from 1 to {LAST_MOVIE}"
    if only and int(digits) != only:
        return f"another movie than {only}, which the file's name promises"
    return "this movie came before"


def _is_number(text: str) -> bool:
    """Whether `text` is a positive whole number of seven digits at most, leading zeros apart."""
    return re.fullmatch(r"0*[1-9][0-9]{0,6}", text) is not None


def _is_date(text: str) -> bool:
    """Whether `text` is a day as YYYY-MM-DD, in the years that are known."""
    if not re.fullmatch(r"[0-9-]{10}", text):
        return False
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return FIRST_YEAR <= date.year <= LAST_YEAR
