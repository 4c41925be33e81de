"""The Netflix Prize's two lists: the titles of the movies, and the probe, which says what to hold out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily
from recbench.datasets.parsing import LAST_MOVIE, LAST_USER

Titles = dict[int, tuple[str, int | None]]
Rows = NDArray[np.int64]


def read_titles(content: bytes, name: str) -> Titles:
    """Title and year (None for NULL) by raw movie id from `movie_titles.csv`: lines id,year,title, latin-1.

    Titles are unquoted and may hold commas. UsageError, with file and line, for any other line or an id given twice.
    """
    titles: Titles = {}
    for number, line in enumerate(content.rstrip(b"\r\n").split(b"\n"), start=1):
        text = line.decode("latin-1").removesuffix("\r")
        found = re.fullmatch(r"([0-9]{1,9}),(NULL|[0-9]{4}),(.+)", text)
        if found is None or int(found[1]) in titles:
            problem = (
                "this id came before"
                if found
                else "expected id,year,title with a year of 4 digits or NULL"
            )
            raise UsageError(
                f"{name}, line {number}: {text[:60]!r}: {problem}. Mend the line or fetch the file again."
            )
        titles[int(found[1])] = found[3], None if found[2] == "NULL" else int(found[2])
    return titles


@dataclass(frozen=True, eq=False)
class Probe:
    """The pairs of `probe.txt` in its order: raw movie id, raw user id, and the line each stands on."""

    name: str
    movies: NDArray[np.int32]
    users: NDArray[np.int32]
    lines: NDArray[np.int32]


def read_probe(content: bytes, name: str) -> Probe:
    """The pairs of lines "movie:", below each its lines "user"; ends of lines as in the rating files.

    UsageError, with file and line, for any other line, a movie or a pair that comes twice, and for no pairs at all.
    """
    movie, seen, movies, users, lines = 0, set(), [], [], []
    for number, line in enumerate(content.rstrip(b"\r\n").split(b"\n"), start=1):
        text = line.removesuffix(b"\r")
        digits = text.removesuffix(b":")
        value = int(digits) if digits.isdigit() and len(digits) <= 7 else 0
        if len(digits) < len(text) and 0 < value <= LAST_MOVIE and value not in seen:
            movie = value
            seen.add(movie)
        elif digits is text and movie and 0 < value <= LAST_USER:
            movies.append(movie)
            users.append(value)
            lines.append(number)
        else:
            _refuse(name, number, text, "expected a user id below a line movie:, each movie once")
    if not users:
        raise UsageError(
            f"{name}: no pairs; expected lines movie:, below each its user ids. Fetch it again."
        )
    probe = Probe(name, *(np.array(column, np.int32) for column in (movies, users, lines)))
    keys = probe.movies.astype(np.int64) * (LAST_USER + 1) + probe.users
    first = np.unique(keys, return_index=True)[1]
    if len(first) < len(keys):
        again = np.setdiff1d(np.arange(len(keys)), first)[0]
        _refuse(
            name,
            int(probe.lines[again]),
            b"%d" % users[again],
            f"this user came before for movie {movies[again]}",
        )
    return probe


def _refuse(name: str, number: int, text: bytes, problem: str) -> None:
    shown = text[:60].decode("latin-1")
    raise UsageError(
        f"{name}, line {number}: {shown!r}: {problem}. Mend the line or fetch the file again."
    )


def rows_of(
    pairs: tuple[NDArray[Any], NDArray[Any]],
    blocks: Iterable[tuple[NDArray[Any], ...]],
    n_users: int,
    n_movies: int,
) -> Rows:
    """Where each pair (users, movies) stands in `blocks` of users and movies, counted through; -1 if nowhere.

    All ids lie below `n_users` and `n_movies`, and a movie's ratings follow each other.
    """
    users, movies = pairs
    order = np.argsort(movies, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(movies, minlength=n_movies))])
    found, stamps, last = np.full(len(users), -1), np.zeros(n_users, np.int32), np.full(1, -1)
    first, ordered = 0, users[order]
    for block in blocks:
        _find(block[0], block[1], first, ordered, starts, stamps, last, found)
        first += len(block[0])
    rows = np.empty_like(found)
    rows[order] = found
    return rows


@compile_lazily()
def _find(
    users: Any,
    movies: Any,
    first: int,
    wanted: Any,
    starts: Any,
    stamps: Any,
    last: Any,
    found: Any,
) -> None:
    """One pass: at each new movie its wanted users get a stamp, their pair's index + 1; rows look for theirs."""
    for row in range(len(users)):
        movie = movies[row]
        if movie != last[0]:
            last[0] = movie
            for pair in range(starts[movie], starts[movie + 1]):
                stamps[wanted[pair]] = pair + 1
        pair = stamps[users[row]] - 1
        if starts[movie] <= pair < starts[movie + 1]:  # otherwise the stamp is of another movie
            found[pair] = first + row
