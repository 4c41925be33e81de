"""The rating files of the Netflix Prize as arrays, read in pieces; anything unclear is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

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
    read_blocks,
    refusal_of_line,
)
from recbench.datasets.ratings import Ratings

PARSER = 2  # raise it when the same file should give other arrays
CHUNK_ROWS = 1 << 23  # ratings that are stored together: 75 MB, enough to be mapped on its own
BYTES_PER_ROW = 9
SECONDS_PER_DAY = 86_400
SCALE = (1.0, 5.0)

Mask = NDArray[np.bool_]


class RatingColumns(NamedTuple):
    """Ratings as parallel columns of raw ids; 9 bytes a rating."""

    users: NDArray[np.int32]
    movies: NDArray[np.uint16]
    stars: NDArray[np.uint8]
    days: NDArray[np.uint16]  # since 1970

    def slice_rows(self, start: int, stop: int | None) -> "RatingColumns":
        """The rows from `start` up to `stop`, in the same memory."""
        rows = slice(start, stop)
        return RatingColumns(
            users=self.users[rows],
            movies=self.movies[rows],
            stars=self.stars[rows],
            days=self.days[rows],
        )


@dataclass(frozen=True)
class Text:
    """An open text file, what messages call it, and the only movie it may be about (0: any)."""

    name: str
    file: BinaryIO
    movie: int = 0


@dataclass
class RawRatings:
    """Ratings in file order, block after block, and how many there are by raw id.

    `seen` are the movies that have a line of their own, with or without ratings.
    """

    user_counts: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(LAST_USER + 1, np.int32)
    )
    movie_counts: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(LAST_MOVIE + 1, np.int32)
    )
    seen: Mask = field(default_factory=lambda: np.zeros(LAST_MOVIE + 1, np.bool_))
    blocks: list[RatingColumns] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(block.users) for block in self.blocks)

    def select(self, users: Mask, movies: Mask) -> RatingColumns:
        """A copy of the ratings by `users` of `movies` (masks over raw ids), in file order."""
        selected = []
        for block in self.blocks:
            is_selected = movies[block.movies] & users[block.users]
            rows = np.flatnonzero(is_selected)
            selected.append([column[rows] for column in block])

        columns = [np.concatenate(parts) for parts in zip(*selected, strict=True)]
        return RatingColumns(*columns)

    def keep_only(self, users: Mask, movies: Mask) -> tuple[Mask, Mask]:
        """Drop all ratings but those by `users` of `movies` (masks over raw ids).

        Returns which users and which movies have any left, as such masks. No memory is freed; the
        counts stay those of before.
        """
        kept_users = np.zeros_like(users)
        kept_movies = np.zeros_like(movies)
        for index, block in enumerate(self.blocks):
            n_kept = keep_netflix_ratings(*block, (users, movies), (kept_users, kept_movies))
            self.blocks[index] = block.slice_rows(0, n_kept)
        return kept_users, kept_movies

    def drain(self, users: Mask, movies: Mask) -> Ratings:
        """All ratings, which are by `users` of `movies`, indexed by raw id and in file order.

        Every block is let go when it is copied, so that a hundred million ratings are never here
        twice; afterwards none is left.
        """
        user_index = np.cumsum(users, dtype=np.int32) - 1
        item_index = np.cumsum(movies, dtype=np.int32) - 1
        n_ratings = len(self)
        dense_users = np.empty(n_ratings, np.int32)
        dense_items = np.empty(n_ratings, np.int32)
        values = np.empty(n_ratings, np.float32)
        times = np.empty(n_ratings, np.int64)

        # From the last block to the first, as the end of a list is where blocks can be let go
        end = n_ratings
        while self.blocks:
            block = self.blocks.pop()
            rows = slice(end - len(block.users), end)
            end -= len(block.users)
            dense_users[rows] = user_index[block.users]
            dense_items[rows] = item_index[block.movies]
            values[rows] = block.stars
            times[rows] = block.days
        times *= SECONDS_PER_DAY

        n_users = int(users.sum())
        n_items = int(movies.sum())
        return Ratings(dense_users, dense_items, values, n_users, n_items, SCALE, times)


def read_ratings(paths: Sequence[Path]) -> RawRatings:
    """The ratings of files like `combined_data_1.txt`, one after the other.

    UsageError for what `Reader` refuses, and if there are no ratings.
    """
    reader = Reader()
    for path in paths:
        with path.open("rb") as file:
            reader.read_text(Text(str(path), file))
    return reader.finish(", ".join(map(str, paths)))


class Reader:
    """Reads texts one after the other: lines "movie:", below each lines "user,stars,YYYY-MM-DD".

    Lines may end in LF or CRLF, the last one in nothing, and blank lines may follow it. UsageError,
    with file and line, for anything else: other columns, ids, stars or dates, a movie that comes
    twice (in one file or in two), two ratings of one pair. A text is never in memory as a whole.
    """

    def __init__(self) -> None:
        self.raw = RawRatings()
        self._movie = np.zeros(1, np.int64)  # the movie whose ratings come next; 0 before the first
        # The last movie that each user rated: finds a pair's second rating at once
        self._last_movies = np.zeros(LAST_USER + 1, np.uint16)
        self._room = _empty_columns(0)  # where the next ratings go

    def read_text(self, text: Text) -> None:
        """Append the ratings of one open file to `raw`; UsageError for a line that is none."""
        self._movie[0] = 0
        n_lines = 0  # accepted so far
        blank_line = 0  # the first of those that may only follow the last rating; 0: none yet
        for piece in read_blocks(text.file):
            if blank_line:
                if piece.strip(b"\r\n"):
                    raise self._refusal(text, blank_line, b"")
                continue

            n_seen = np.count_nonzero(self.raw.seen)
            columns, stop = self._parse_piece(piece, text.movie)
            if stop < len(piece):
                line = n_lines + piece.count(b"\n", 0, stop) + 1
                rest = piece[stop:]
                if rest.strip(b"\r\n") or self._lacks_movie(text):
                    content = rest.partition(b"\n")[0].rstrip(b"\r")
                    raise self._refusal(text, line, content)
                blank_line = line
            self.raw.blocks.append(columns)
            n_lines += len(columns.users) + int(np.count_nonzero(self.raw.seen) - n_seen)

        if self._lacks_movie(text):
            raise self._refusal(text, 1, b"")

    def finish(self, names: str, *, by_movie: bool = False) -> RawRatings:
        """All ratings that were read, ordered `by_movie` where texts came in any order.

        UsageError, with the files' `names`, if there are none.
        """
        if not len(self.raw):
            problem = "no ratings; expected lines user,stars,YYYY-MM-DD. Fetch the data again."
            raise UsageError(f"{names}: {problem}")

        # A block holds one movie; sorting is stable, so a movie's blocks keep their order
        if by_movie:
            self.raw.blocks.sort(key=_movie_of_block)
        return self.raw

    def _lacks_movie(self, text: Text) -> bool:
        """Whether the line of the movie that `text` must be about has not come yet."""
        return text.movie > 0 and not self.raw.seen[text.movie]

    def _parse_piece(self, piece: bytes, only: int) -> tuple[RatingColumns, int]:
        """The ratings of `piece`, and the offset of its first unacceptable line, or its length.

        Headers of other movies than `only` are unacceptable, unless it is 0. Counts the ratings by
        user and movie.
        """
        most_rows = len(piece) // SHORTEST_LINE + 1
        if most_rows > len(self._room.users):
            self._room = _empty_columns(max(most_rows, CHUNK_ROWS))
        n_rows, stop = parse_netflix_lines(
            np.frombuffer(piece, np.uint8),
            day_numbers(),
            only,
            self._movie,
            self.raw.seen,
            *self._room,
        )
        columns = self._room.slice_rows(0, n_rows)
        self._room = self._room.slice_rows(n_rows, None)

        # The first row whose user has rated its movie before; it is left to be refused
        row = count_netflix_ratings(
            columns.users,
            columns.movies,
            self._last_movies,
            self.raw.user_counts,
            self.raw.movie_counts,
        )
        if row < n_rows:
            starts = [line.start() for line in re.finditer(rb"^[^:\n]+$", piece, re.MULTILINE)]
            self._movie[0] = columns.movies[row]
            stop = starts[row]
        return columns, stop

    def _refusal(self, text: Text, line: int, content: bytes) -> UsageError:
        """The error to raise for the line number `line` of `text`, which is `content`."""
        problem = explain_netflix_line(content, int(self._movie[0]), self.raw.seen, text.movie)
        return refusal_of_line(text.name, line, content, problem)


def _movie_of_block(block: RatingColumns) -> int:
    """The movie of a block's first rating; 0 for an empty block."""
    return int(block.movies[0]) if len(block.movies) else 0


def _empty_columns(n_rows: int) -> RatingColumns:
    """Columns without content in one piece of memory.

    It goes back to the system when nothing refers to it any more.
    """
    memory = np.empty(BYTES_PER_ROW * n_rows, np.uint8)
    users, movies, days, stars = np.split(memory, [4 * n_rows, 6 * n_rows, 8 * n_rows])
    return RatingColumns(
        users=users.view(np.int32),
        movies=movies.view(np.uint16),
        stars=stars,
        days=days.view(np.uint16),
    )
