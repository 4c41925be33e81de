"""The text files of the Netflix Prize as arrays: a compiled parser that refuses whatever it does not understand."""

import datetime
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from datasets.spec import UsageError

PARSER = 1  # raise it when the same file should give other arrays
LAST_USER, LAST_MOVIE = 2_649_429, 17_770  # the Netflix Prize README
FIRST_YEAR, LAST_YEAR = 1970, 2099  # what 16 bits of days can hold, in whole years
SHORTEST_LINE = len("1,1,2000-01-01\n")
BLOCK_BYTES = 1 << 22  # small enough for the processor's cache

Columns = tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint16]]


@dataclass
class RawRatings:
    """Ratings in file order, and how many there are by raw id.

    `blocks` are tuples of parallel columns: raw user id, raw movie id, stars, days since 1970; 9 bytes a rating.
    """

    user_counts: NDArray[np.int32] = field(default_factory=lambda: np.zeros(LAST_USER + 1, np.int32))
    movie_counts: NDArray[np.int32] = field(default_factory=lambda: np.zeros(LAST_MOVIE + 1, np.int32))
    blocks: list[Columns] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(block[0]) for block in self.blocks)

    def select(self, users: NDArray[np.bool_], movies: NDArray[np.bool_]) -> Columns:
        """The ratings by `users` of `movies` (masks over raw ids) as one tuple of columns, in file order."""
        selected = []
        for block in self.blocks:
            rows = np.flatnonzero(movies[block[1]] & users[block[0]])
            selected.append([column[rows] for column in block])
        u, m, s, d = (np.concatenate(parts) for parts in zip(*selected, strict=True))
        return u, m, s, d


def read_ratings(paths: Sequence[Path]) -> RawRatings:
    """The ratings of files like `combined_data_1.txt`: lines "movie:", below each its lines "user,stars,YYYY-MM-DD".

    Lines may end in LF or CRLF, the last one in nothing, and blank lines may follow it. UsageError, with file and
    line, for anything else: other columns, ids, stars or dates, a movie that comes twice, two ratings of one pair.
    """
    reader = _Reader()
    for path in paths:
        with path.open("rb") as file:
            reader.read(file, path)
    if not len(reader.raw):
        raise UsageError(f"{', '.join(map(str, paths))}: no ratings; expected lines user,stars,YYYY-MM-DD")
    return reader.raw


class _Reader:
    """What must be remembered from block to block, so that a file is never in memory as a whole."""

    def __init__(self) -> None:
        self.raw = RawRatings()
        self.movie = np.zeros(1, np.int64)  # the movie whose ratings come next; 0 before the first
        self.seen = np.zeros(LAST_MOVIE + 1, np.bool_)
        self.last_movies = np.zeros(LAST_USER + 1, np.uint16)  # by user: finds a pair's second rating at once

    def read(self, file: BinaryIO, path: Path) -> None:
        """Append the ratings of one open file."""
        self.movie[0], offset, blank = 0, 0, -1  # blank: where the trailing blank lines begin
        for text in _blocks(file):
            columns, stop = self._parse(text)
            self.raw.blocks.append(columns)
            if stop < len(text) and blank < 0 and text[stop] in b"\r\n":
                blank = offset + stop
            if blank >= 0 and text[max(blank - offset, 0) :].strip(b"\r\n"):
                self._refuse(path, blank)
            if stop < len(text) and blank < 0:
                self._refuse(path, offset + stop)
            offset += len(text)

    def _parse(self, text: bytes) -> tuple[Columns, int]:
        """The ratings of `text`, up to the offset of the first line that cannot be accepted (or the end)."""
        size = len(text) // SHORTEST_LINE + 1
        users, movies = np.empty(size, np.int32), np.empty(size, np.uint16)
        stars, days = np.empty(size, np.uint8), np.empty(size, np.uint16)
        parse, count = _compiled()
        n, stop = parse(
            np.frombuffer(text, np.uint8), _day_numbers(), self.movie, self.seen, users, movies, stars, days
        )
        users, movies, stars, days = users[:n].copy(), movies[:n].copy(), stars[:n].copy(), days[:n].copy()
        row = count(users, movies, self.last_movies, self.raw.user_counts, self.raw.movie_counts)
        if row < n:
            ratings = [line.start() for line in re.finditer(rb"^[^:\n]+$", text, re.MULTILINE)]
            self.movie[0], stop = movies[row], ratings[row]
        return (users, movies, stars, days), stop

    def _refuse(self, path: Path, offset: int) -> NoReturn:
        with path.open("rb") as file:
            line = file.read(offset).count(b"\n") + 1
            text = file.readline().rstrip(b"\r\n")
        shown = repr(text[:60].decode("latin-1")) + ("..." if len(text) > 60 else "")
        problem = _diagnose(text, int(self.movie[0]), self.seen)
        raise UsageError(f"{path}, line {line}: {shown}: {problem}. Mend the line or fetch the file again.")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end where a line ends; a last line without an end gets one."""
    while text := file.read(BLOCK_BYTES) + file.readline():
        yield text if text.endswith(b"\n") else text + b"\n"


@functools.cache
def _day_numbers() -> NDArray[np.int32]:
    """Days since 1970 at ((year - FIRST_YEAR) * 13 + month) * 32 + day; -1 where there is no such day."""
    table = np.full((LAST_YEAR - FIRST_YEAR + 1, 13, 32), -1, np.int32)
    dates = np.arange(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR + 1}-01-01", dtype="datetime64[D]")
    years, months = dates.astype("datetime64[Y]"), dates.astype("datetime64[M]")
    month_numbers = (months - years.astype("datetime64[M]")).astype(np.int64) + 1
    day_numbers = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    table[years.astype(np.int64) + 1970 - FIRST_YEAR, month_numbers, day_numbers] = dates.astype(np.int32)
    return table.ravel()


@functools.cache
def _compiled() -> tuple[Callable[..., tuple[int, int]], Callable[..., int]]:
    import numba  # a second that only those who parse should wait for

    return numba.njit(cache=True)(_parse_lines), numba.njit(cache=True)(_count)


def _parse_lines(
    text: Any, day_numbers: Any, movie: Any, seen: Any, users: Any, movies: Any, stars: Any, days: Any
) -> tuple[int, int]:
    """Fill the columns from `text`: how many rows, and the offset of the first unacceptable line, else len(text).

    Unsigned arithmetic throughout: what lies below the valid range wraps around and is found above it.
    """
    row, start, size = 0, 0, len(text)
    zero, ten, hundred = np.uint8(48), np.uint64(10), np.uint64(100)
    while start < size:
        at, number, date = start, np.uint64(0), np.uint64(0)
        while np.uint8(text[at] - zero) <= 9 and number <= LAST_USER:  # the text ends in a newline: `at` stays inside
            number, at = number * ten + np.uint64(text[at] - zero), at + 1
        header = text[at] == 58  # "123:", otherwise "123,4,2005-12-31": 13 bytes follow the user
        end = at + 1 if header else at + 13
        if number == 0 or end >= size or not (text[end] == 10 or (text[end] == 13 and text[end + 1] == 10)):
            break
        if header:
            if number > LAST_MOVIE or seen[number]:
                break
            seen[number], movie[0] = True, number
        else:
            wrong = (text[at] != 44) | (text[at + 2] != 44) | (text[at + 7] != 45) | (text[at + 10] != 45)
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
            wrong |= (number > LAST_USER) | (movie[0] == 0) | (np.uint8(text[at + 1] - np.uint8(49)) > 4)
            if wrong or month > 12 or day > 31 or cell >= len(day_numbers) or day_numbers[cell] < 0:
                break
            users[row], movies[row], stars[row], days[row] = number, movie[0], text[at + 1] - zero, day_numbers[cell]
            row += 1
        start = end + (1 if text[end] == 10 else 2)
    return row, start


def _count(users: Any, movies: Any, last_movies: Any, user_counts: Any, movie_counts: Any) -> int:
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


def _diagnose(line: bytes, movie: int, seen: NDArray[np.bool_]) -> str:
    """Why the parser stopped at `line`, below the header of `movie`; `seen` are the movies that had one."""
    text = line.decode("latin-1")
    if not text:
        return "a blank line between ratings"
    if re.fullmatch(r"[0-9]+:", text):
        known = re.fullmatch(r"0*[1-9][0-9]{0,6}:", text) and int(text[:-1]) <= LAST_MOVIE
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
    return f"a second rating by user {user} of movie {movie}" if movie else "a rating before the first movie line N:"


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"[0-9-]{10}", text)) and datetime.date.fromisoformat(text).year in range(
            FIRST_YEAR, LAST_YEAR + 1
        )
    except ValueError:
        return False


def read_titles(path: Path) -> dict[int, tuple[str, int | None]]:
    """Title and year (None for NULL) by raw movie id from `movie_titles.csv`: lines id,year,title, latin-1.

    Titles are unquoted and may hold commas. UsageError, with file and line, for any other line or an id given twice.
    """
    titles: dict[int, tuple[str, int | None]] = {}
    for number, line in enumerate(path.read_bytes().rstrip(b"\r\n").split(b"\n"), start=1):
        text = line.decode("latin-1").removesuffix("\r")
        found = re.fullmatch(r"([0-9]{1,9}),(NULL|[0-9]{4}),(.+)", text)
        if found is None or int(found[1]) in titles:
            problem = "this id came before" if found else "expected id,year,title with a year of 4 digits or NULL"
            raise UsageError(
                f"{path}, line {number}: {text[:60]!r}: {problem}. Mend the line or fetch the file again."
            )
        titles[int(found[1])] = found[3], None if found[2] == "NULL" else int(found[2])
    return titles
