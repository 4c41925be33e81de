"""The rating files of the Netflix Prize as arrays, read in pieces; whatever is not understood is refused."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import (
    LAST_MOVIE,
    LAST_USER,
    SHORTEST_LINE,
    count_netflix_ratings,
    day_numbers,
    explain_netflix_line,
    keep_netflix_ratings,
    parse_netflix_lines,
)
from recbench.datasets.ratings import Ratings

PARSER = 2  # raise it when the same file should give other arrays
BLOCK_BYTES = 1 << 22  # small enough for the processor's cache
CHUNK_ROWS = 1 << 23  # ratings that are stored together: 75 MB, enough to be mapped on its own
LONGEST_LINE = 1 << 16  # a file that is one endless line must not fill the memory
SECONDS_PER_DAY = 86_400

Columns = tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint16]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Text:
    """An open text file, what messages call it, and the only movie it may be about (0: any)."""

    name: str
    file: BinaryIO
    movie: int = 0


@dataclass
class RawRatings:
    """Ratings in file order, and how many there are by raw id.

    `blocks` are tuples of parallel columns: raw user id, raw movie id, stars, days since 1970; 9 bytes a rating.
    `seen` are the movies that have a line of their own, with or without ratings.
    """

    user_counts: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(LAST_USER + 1, np.int32)
    )
    movie_counts: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(LAST_MOVIE + 1, np.int32)
    )
    seen: Mask = field(default_factory=lambda: np.zeros(LAST_MOVIE + 1, np.bool_))
    blocks: list[Columns] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(block[0]) for block in self.blocks)

    def select(self, users: Mask, movies: Mask) -> Columns:
        """The ratings by `users` of `movies` (masks over raw ids) as one tuple of columns, in file order."""
        selected = []
        for block in self.blocks:
            rows = np.flatnonzero(movies[block[1]] & users[block[0]])
            selected.append([column[rows] for column in block])
        u, m, s, d = (np.concatenate(parts) for parts in zip(*selected, strict=True))
        return u, m, s, d

    def keep(self, users: Mask, movies: Mask) -> tuple[Mask, Mask]:
        """Drop all ratings but those by `users` of `movies` (masks over raw ids): which of both have any left."""
        kept = np.zeros_like(users), np.zeros_like(movies)
        for index, (u, m, s, d) in enumerate(self.blocks):
            n = keep_netflix_ratings(u, m, s, d, (users, movies), kept)
            self.blocks[index] = u[:n], m[:n], s[:n], d[:n]
        return kept

    def drain(self, users: Mask, movies: Mask) -> Ratings:
        """All ratings, which are by `users` of `movies`, as Ratings indexed by ascending raw id, in file order.

        Every block is let go when it is copied, so that a hundred million ratings are never here twice.
        """
        user_index, item_index = (
            np.cumsum(users, dtype=np.int32) - 1,
            np.cumsum(movies, dtype=np.int32) - 1,
        )
        size = end = len(self)
        columns = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.float32)
        times = np.empty(size, np.int64)
        while self.blocks:
            u, m, s, d = self.blocks.pop()
            rows = slice(end - len(u), end)
            end -= len(u)
            columns[0][rows], columns[1][rows], columns[2][rows], times[rows] = (
                user_index[u],
                item_index[m],
                s,
                d,
            )
        times *= SECONDS_PER_DAY
        return Ratings(*columns, int(users.sum()), int(movies.sum()), (1.0, 5.0), times)


def read_ratings(paths: Sequence[Path]) -> RawRatings:
    """The ratings of files like `combined_data_1.txt`; `Reader` says what is refused, and so is a lack of ratings."""
    reader = Reader()
    for path in paths:
        with path.open("rb") as file:
            reader.read(Text(str(path), file))
    return reader.finish(", ".join(map(str, paths)))


class Reader:
    """Reads texts one after the other: lines "movie:", below each its lines "user,stars,YYYY-MM-DD".

    Lines may end in LF or CRLF, the last one in nothing, and blank lines may follow it. UsageError, with file and
    line, for anything else: other columns, ids, stars or dates, a movie that comes twice (in one file or in two),
    two ratings of one pair. A text is never in memory as a whole.
    """

    def __init__(self) -> None:
        self.raw = RawRatings()
        self._movie = np.zeros(1, np.int64)  # the movie whose ratings come next; 0 before the first
        self._last_movies = np.zeros(
            LAST_USER + 1, np.uint16
        )  # by user: finds a pair's second rating at once
        self._room: Columns = _columns(0)

    def read(self, text: Text) -> None:
        """Append the ratings of one open file."""
        self._movie[0], lines, blank = (
            0,
            0,
            0,
        )  # lines: accepted so far; blank: the first of the trailing ones
        for piece in _pieces(text):
            if blank and piece.strip(b"\r\n"):
                self._refuse(text, blank, b"")
            if blank:
                continue
            before = np.count_nonzero(self.raw.seen)
            columns, stop = self._parse(piece, text.movie)
            if stop < len(piece):
                line, rest = lines + piece.count(b"\n", 0, stop) + 1, piece[stop:]
                if rest.strip(b"\r\n") or (text.movie and not self.raw.seen[text.movie]):
                    self._refuse(text, line, rest.partition(b"\n")[0].rstrip(b"\r"))
                blank = line
            self.raw.blocks.append(columns)
            lines += len(columns[0]) + int(np.count_nonzero(self.raw.seen) - before)
        if text.movie and not self.raw.seen[text.movie]:
            self._refuse(text, 1, b"")

    def finish(self, names: str, *, by_movie: bool = False) -> RawRatings:
        """All ratings, if wanted ordered by movie where texts came in any order; UsageError if there are none."""
        if not len(self.raw):
            raise UsageError(
                f"{names}: no ratings; expected lines user,stars,YYYY-MM-DD. Fetch the data again."
            )
        if (
            by_movie
        ):  # a block holds one movie; sorting is stable, so a movie's blocks keep their order
            self.raw.blocks.sort(key=lambda block: int(block[1][0]) if len(block[1]) else 0)
        return self.raw

    def _parse(self, piece: bytes, only: int) -> tuple[Columns, int]:
        """The ratings of `piece`, up to the offset of the first line that cannot be accepted (or the end)."""
        size = len(piece) // SHORTEST_LINE + 1
        if size > len(self._room[0]):
            self._room = _columns(max(size, CHUNK_ROWS))
        n, stop = parse_netflix_lines(
            np.frombuffer(piece, np.uint8),
            day_numbers(),
            only,
            self._movie,
            self.raw.seen,
            *self._room,
        )
        u, m, s, d = self._room
        users, movies, stars, days = u[:n], m[:n], s[:n], d[:n]
        self._room = u[n:], m[n:], s[n:], d[n:]
        row = count_netflix_ratings(
            users, movies, self._last_movies, self.raw.user_counts, self.raw.movie_counts
        )
        if row < n:
            ratings = [line.start() for line in re.finditer(rb"^[^:\n]+$", piece, re.MULTILINE)]
            self._movie[0], stop = movies[row], ratings[row]
        return (users, movies, stars, days), stop

    def _refuse(self, text: Text, line: int, content: bytes) -> NoReturn:
        shown = repr(content[:60].decode("latin-1")) + ("..." if len(content) > 60 else "")
        problem = explain_netflix_line(content, int(self._movie[0]), self.raw.seen, text.movie)
        raise UsageError(
            f"{text.name}, line {line}: {shown}: {problem}. Mend the line or fetch the file again."
        )


def _columns(size: int) -> Columns:
    """Empty columns in one piece of memory, which goes back to the system when nothing refers to it any more."""
    memory = np.empty(9 * size, np.uint8)
    users, movies, days, stars = np.split(memory, [4 * size, 6 * size, 8 * size])
    return users.view(np.int32), movies.view(np.uint16), stars, days.view(np.uint16)


def _pieces(text: Text) -> Iterator[bytes]:
    """The file in pieces that end where a line ends; a last line without an end gets one."""
    while piece := text.file.read(BLOCK_BYTES):
        if not piece.endswith(b"\n"):
            piece += text.file.readline(LONGEST_LINE)
        ended = piece.endswith(b"\n")
        endless = not ended and bool(
            text.file.read(1)
        )  # no line may hold \xff, so this one is going to be refused
        yield piece if ended else piece + (b"\xff\n" if endless else b"\n")
