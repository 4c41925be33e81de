"""The Netflix Prize's probe, which says what to hold out, and where its pairs stand in the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily
from recbench.datasets.parsing import LAST_MOVIE, LAST_USER
from recbench.datasets.ratings import Rows

LONGEST_ID = 7  # digits of the longest user id
LONGEST_SHOWN = 60  # characters of a line in a message

Pairs = tuple[NDArray[Any], NDArray[Any]]  # a column of users, and one of movies


@dataclass(frozen=True, eq=False)
class Probe:
    """The pairs of `probe.txt` in its order: raw movie id, raw user id, and the line of each."""

    name: str
    movies: NDArray[np.int32]
    users: NDArray[np.int32]
    lines: NDArray[np.int32]


def read_probe(content: bytes, name: str) -> Probe:
    """The pairs of lines "movie:", below each its lines "user"; ends of lines as in rating files.

    UsageError, with the file's `name` and line, for any other line, a movie or a pair that comes
    twice, and for no pairs at all.
    """
    movie = 0  # the one whose users come next; 0 before the first
    seen_movies = set()
    movies = []
    users = []
    lines = []
    for number, line in enumerate(content.rstrip(b"\r\n").split(b"\n"), start=1):
        text = line.removesuffix(b"\r")
        digits = text.removesuffix(b":")
        is_movie = len(digits) < len(text)
        raw_id = int(digits) if digits.isdigit() and len(digits) <= LONGEST_ID else 0

        if is_movie and 0 < raw_id <= LAST_MOVIE and raw_id not in seen_movies:
            movie = raw_id
            seen_movies.add(movie)
        elif not is_movie and movie and 0 < raw_id <= LAST_USER:
            movies.append(movie)
            users.append(raw_id)
            lines.append(number)
        else:
            problem = "expected a user id below a line movie:, each movie once"
            raise _refusal(name, number, text, problem)

    if not users:
        problem = "no pairs; expected lines movie:, below each its user ids. Fetch it again."
        raise UsageError(f"{name}: {problem}")
    probe = Probe(
        name=name,
        movies=np.array(movies, np.int32),
        users=np.array(users, np.int32),
        lines=np.array(lines, np.int32),
    )
    _refuse_repeated_pairs(probe)
    return probe


def _refuse_repeated_pairs(probe: Probe) -> None:
    """UsageError, with its line, for the first pair that came before."""
    keys = probe.movies.astype(np.int64) * (LAST_USER + 1) + probe.users
    _, first_places = np.unique(keys, return_index=True)
    if len(first_places) == len(keys):
        return

    all_places = np.arange(len(keys))
    repeated = np.setdiff1d(all_places, first_places)[0]
    line = int(probe.lines[repeated])
    user = probe.users[repeated]
    movie = probe.movies[repeated]
    problem = f"this user came before for movie {movie}"
    raise _refusal(probe.name, line, b"%d" % user, problem)


def _refusal(name: str, number: int, text: bytes, problem: str) -> UsageError:
    """The error to raise for line `number` of the file `name`, with the start of the line."""
    shown = text[:LONGEST_SHOWN].decode("latin-1")
    advice = "Mend the line or fetch the file again."
    return UsageError(f"{name}, line {number}: {shown!r}: {problem}. {advice}")


def find_rows_of_pairs(pairs: Pairs, blocks: Iterable[Pairs], n_users: int, n_movies: int) -> Rows:
    """The row of each pair in `blocks`, whose rows are counted through; -1 where it has none.

    All ids lie below `n_users` and `n_movies`, and in `blocks` a movie's ratings follow each other.
    One pass, so a hundred million ratings need no sorting.
    """
    users, movies = pairs
    order = np.argsort(movies, kind="stable")
    wanted_users = users[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(movies, minlength=n_movies))])

    rows_in_order = np.full(len(users), -1)
    stamps = np.zeros(n_users, np.int32)
    last_movie = np.full(1, -1)
    n_before = 0
    for block_users, block_movies in blocks:
        _find_rows_in_block(
            block_users,
            block_movies,
            n_before,
            wanted_users,
            starts,
            stamps,
            last_movie,
            rows_in_order,
        )
        n_before += len(block_users)

    rows = np.empty_like(rows_in_order)
    rows[order] = rows_in_order
    return rows


@compile_lazily()
def _find_rows_in_block(
    users: Any,
    movies: Any,
    n_before: int,
    wanted_users: Any,
    starts: Any,
    stamps: Any,
    last_movie: Any,
    rows: Any,
) -> None:
    """Fill `rows`, one for each wanted pair, from a block that has `n_before` rows before it.

    The wanted pairs are ordered by movie: those of a movie begin at starts[movie]. At each new
    movie of the block its wanted users get a stamp, their pair's index + 1; rows look for theirs.
    `stamps` and `last_movie` go on from block to block.
    """
    for row in range(len(users)):
        movie = movies[row]
        if movie != last_movie[0]:
            last_movie[0] = movie
            for pair in range(starts[movie], starts[movie + 1]):
                stamps[wanted_users[pair]] = pair + 1

        pair = stamps[users[row]] - 1
        if starts[movie] <= pair < starts[movie + 1]:  # otherwise the stamp is of another movie
            rows[pair] = n_before + row
