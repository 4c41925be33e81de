"""Text with one rating a line: user SEPARATOR item SEPARATOR rating [SEPARATOR time].

It becomes columns, all of it or nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily
from recbench.datasets.parsing.text_blocks import read_blocks, read_digits, refusal_of_line
from recbench.datasets.transforms import index_ids

LAST_ID = 2**31 - 1  # int32
LAST_TIME = 2**32 - 1  # a second in the year 2106
LARGEST_TABLE = 1 << 24  # of ids: a table is ten times as fast as sorting
LONGEST_HEADER = 1 << 12  # bytes of a header line that are read
SHOWN_CHARACTERS = 20  # of a field in a message
Column = TypeVar("Column", NDArray[np.int32], NDArray[np.float32], NDArray[np.uint32])
NO_LINE = -1  # in place of an offset: this is not how a line looks


@dataclass(frozen=True)
class LineFormat:
    """How a file's lines look: `header` holds the lines that come before the first rating."""

    separator: str
    header: tuple[str, ...] = ()
    scale: tuple[float, float] = (1.0, 5.0)
    halves: bool = False  # ratings in steps of a half
    timed: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of a line's columns."""
        if self.timed:
            return ("user", "item", "rating", "time")
        return ("user", "item", "rating")


@dataclass(frozen=True, eq=False)
class Lines:
    """What the lines say, in file order, with raw ids.

    Row 0 is line `first` of the file that errors call `where`. `times` are seconds since 1970;
    empty if the format has none.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    values: NDArray[np.float32]
    times: NDArray[np.uint32]
    where: str
    first: int

    def __len__(self) -> int:
        return len(self.users)

    @property
    def describe(self) -> Callable[[int], str]:
        """A function that says where a row stands, by file and line; it keeps no columns."""
        where = self.where
        first = self.first
        return lambda row: f"{where}, line {row + first}"


@dataclass(eq=False)
class _Pieces:
    """The columns of `Lines` in pieces, one for each block of the file that has been parsed."""

    users: list[NDArray[np.int32]] = field(default_factory=list)
    items: list[NDArray[np.int32]] = field(default_factory=list)
    values: list[NDArray[np.float32]] = field(default_factory=list)
    times: list[NDArray[np.uint32]] = field(default_factory=list)
    n_lines: int = 0


def read_lines(file: IO[bytes], where: str, line_format: LineFormat) -> Lines:
    """The ratings of `file`; `where` names it in errors.

    An id is a whole number from 1 to 2,147,483,647 without leading zeros, a rating a number of the
    format's scale such as 4, 4.0 or 3.5, a time whole seconds since 1970. Lines may end in LF or
    CRLF, the last one in nothing, and blank lines may follow it. UsageError, with file, line and
    what to do, for anything else or if there is no rating.
    """
    _check_header(file, where, line_format)
    first = len(line_format.header) + 1

    pieces = _Pieces()
    has_ended = False  # there was a blank line, so there may be nothing but blank lines
    for text in read_blocks(file):
        stop = 0
        if not has_ended:
            stop = _parse_block(text, line_format, pieces)

        # What the parser has not taken: nothing, the blank lines of the end, or a wrong line.
        rest = text[stop:]
        if rest.strip(b"\r\n"):
            line = rest.partition(b"\n")[0].removesuffix(b"\r")
            number = first + pieces.n_lines
            raise refusal_of_line(where, number, line, _explain_line(line, line_format))
        if rest:
            has_ended = True

    if not pieces.n_lines:
        expected = line_format.separator.join(line_format.fields)
        raise UsageError(f"{where}: no ratings; expected lines {expected}")
    return Lines(
        _join_pieces(pieces.users),
        _join_pieces(pieces.items),
        _join_pieces(pieces.values),
        _join_pieces(pieces.times),
        where,
        first,
    )


def dense_ids(ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """An index for every entry of `ids`, and the sorted distinct ids that the indices stand for.

    What `transforms.index_ids` does, much faster, for positive ids of which there is at least one.
    """
    last = int(ids.max())
    if last > LARGEST_TABLE:
        indices, distinct = index_ids(ids)
        return indices, distinct.astype(np.int64)

    # A table with a place for every id up to the last; each id's index is how many are before it.
    is_present = np.zeros(last + 1, np.bool_)
    is_present[ids] = True
    index_by_id = np.cumsum(is_present, dtype=np.int32) - 1
    return index_by_id[ids], np.flatnonzero(is_present)


def _check_header(file: IO[bytes], where: str, line_format: LineFormat) -> None:
    """Read the header lines of `file`. UsageError if one of them is another."""
    for number, expected in enumerate(line_format.header, start=1):
        text = file.readline(LONGEST_HEADER).rstrip(b"\r\n")
        if text != expected.encode():
            raise refusal_of_line(where, number, text, f"expected the header line {expected!r}")


def _join_pieces(pieces: list[Column]) -> Column:
    """One array of all `pieces`, which are let go: a long column is never here twice for long."""
    joined = np.concatenate(pieces)
    pieces.clear()
    return joined


def _parse_block(text: bytes, line_format: LineFormat, pieces: _Pieces) -> int:
    """Append the ratings of `text` to the `pieces`: the offset of its first unacceptable line.

    The offset is len(text) if all lines are fine. The text ends in a newline.
    """
    # Room for as many rows as a text of that length can have.
    shortest_line = "1,1,1,1\n" if line_format.timed else "1,1,1\n"
    size = len(text) // len(shortest_line) + 1
    users = np.empty(size, np.int32)
    items = np.empty(size, np.int32)
    doubled_ratings = np.empty(size, np.uint8)
    times = np.empty(size if line_format.timed else 0, np.uint32)

    # Ratings times two are whole numbers, also those with halves.
    lowest, highest = line_format.scale
    rules = (round(2 * lowest), round(2 * highest), line_format.halves)
    n_rows, stop = _parse_lines(
        np.frombuffer(text, np.uint8),
        np.frombuffer(line_format.separator.encode(), np.uint8),
        rules,
        (users, items, doubled_ratings, times),
    )

    # Copies, because the arrays are several times as long as what is in them.
    pieces.users.append(users[:n_rows].copy())
    pieces.items.append(items[:n_rows].copy())
    pieces.values.append(doubled_ratings[:n_rows].astype(np.float32) / np.float32(2))
    pieces.times.append(times[:n_rows].copy())
    pieces.n_lines += n_rows
    return stop


@compile_lazily()
def _parse_lines(
    text: Any, separator: Any, rules: tuple[int, int, bool], columns: Any
) -> tuple[int, int]:
    """Fill the columns from `text`: how many rows, and the offset of the first unacceptable line.

    The offset is len(text) if all lines are fine. `rules` are the lowest and the highest rating
    times two, and whether there are halves; ratings are stored times two. The text ends in a
    newline, which no field accepts, so nothing is read beyond its end.
    """
    users, items, doubled_ratings, times = columns
    is_timed = len(times) > 0
    row = 0
    start = 0
    while start < len(text):
        next_start, user, item, doubled_rating, time = _parse_line(
            text, start, separator, rules, is_timed
        )
        if next_start == NO_LINE:
            break

        users[row] = user
        items[row] = item
        doubled_ratings[row] = doubled_rating
        if is_timed:
            times[row] = time
        row += 1
        start = next_start
    return row, start


@compile_lazily(forceinline=True)
def _parse_line(
    text: Any, start: int, separator: Any, rules: tuple[int, int, bool], is_timed: bool
) -> tuple[int, int, int, int, int]:
    """Where the line after the one at `start` begins, and that line's user, item, rating and time.

    The rating is times two; the time is 0 if there is none. NO_LINE and zeros for another line.
    """
    user, end = _read_id(text, start)
    if end == NO_LINE:
        return NO_LINE, 0, 0, 0, 0

    start = _skip_separator(text, end, separator)
    if start == NO_LINE:
        return NO_LINE, 0, 0, 0, 0
    item, end = _read_id(text, start)
    if end == NO_LINE:
        return NO_LINE, 0, 0, 0, 0

    start = _skip_separator(text, end, separator)
    if start == NO_LINE:
        return NO_LINE, 0, 0, 0, 0
    doubled_rating, end = _read_rating(text, start, rules)
    if end == NO_LINE:
        return NO_LINE, 0, 0, 0, 0

    time = 0
    if is_timed:
        start = _skip_separator(text, end, separator)
        if start == NO_LINE:
            return NO_LINE, 0, 0, 0, 0
        time, end = _read_time(text, start)
        if end == NO_LINE:
            return NO_LINE, 0, 0, 0, 0

    if text[end] == 13:  # CR
        end += 1
    if text[end] != 10:  # LF
        return NO_LINE, 0, 0, 0, 0
    return end + 1, user, item, doubled_rating, time


@compile_lazily(forceinline=True)
def _read_id(text: Any, start: int) -> tuple[Any, int]:
    """The id at `start`, and the offset behind it; NO_LINE if it is none, or begins with a 0."""
    number, end = read_digits(text, start, LAST_ID)
    is_missing = end == start
    begins_with_zero = text[start] == 48
    if is_missing or begins_with_zero or number > LAST_ID:
        return 0, NO_LINE
    return np.int64(number), end


@compile_lazily(forceinline=True)
def _read_time(text: Any, start: int) -> tuple[Any, int]:
    """The seconds at `start`, and the offset behind them; NO_LINE if they are none."""
    number, end = read_digits(text, start, LAST_TIME)
    is_missing = end == start
    has_leading_zero = text[start] == 48 and end > start + 1
    if is_missing or has_leading_zero or number > LAST_TIME:
        return 0, NO_LINE
    return np.int64(number), end


@compile_lazily(forceinline=True)
def _skip_separator(text: Any, start: int, separator: Any) -> int:
    """The offset behind the separator at `start`, or NO_LINE if something else stands there."""
    for k in range(len(separator)):
        if text[start + k] != separator[k]:
            return NO_LINE
    return start + len(separator)


@compile_lazily(forceinline=True)
def _read_rating(text: Any, start: int, rules: tuple[int, int, bool]) -> tuple[Any, int]:
    """The rating at `start`, times two, and the offset behind it; NO_LINE if it is none."""
    lowest, highest, halves = rules
    number, end = read_digits(text, start, highest)
    is_missing = end == start
    has_leading_zero = text[start] == 48 and end > start + 1
    if is_missing or has_leading_zero:
        return 0, NO_LINE

    doubled = 2 * np.int64(number)
    if text[end] == 46:  # a point, and behind it the digit 0 or, if there are halves, 5
        digit = text[end + 1]
        if digit == 53:
            doubled += 1
        if digit != 48 and not (halves and digit == 53):
            return 0, NO_LINE
        end += 2

    if doubled < lowest or doubled > highest:
        return 0, NO_LINE
    return doubled, end


def _explain_line(line: bytes, line_format: LineFormat) -> str:
    """Why `line`, without its end, is no rating in the `line_format`."""
    if not line:
        return "a blank line between ratings"

    columns = line.decode("latin-1").split(line_format.separator)
    if len(columns) != len(line_format.fields):
        expected = line_format.separator.join(line_format.fields)
        return (
            f"expected {len(line_format.fields)} columns {expected}, got {len(columns)}; "
            "the file may be cut off"
        )

    # The first column that is wrong, from the left.
    for role, text in zip(line_format.fields[:2], columns[:2], strict=True):
        is_id = re.fullmatch("[1-9][0-9]{0,9}", text) and int(text) <= LAST_ID
        if not is_id:
            shown = text[:SHOWN_CHARACTERS]
            return f"expected the id of the {role}, from 1 to {LAST_ID}, got {shown!r}"

    if not _is_rating(columns[2], line_format):
        lowest, highest = line_format.scale
        step = "half stars" if line_format.halves else "whole stars"
        shown = columns[2][:SHOWN_CHARACTERS]
        return f"expected a rating from {lowest:g} to {highest:g} in {step}, got {shown!r}"

    # All others are fine, so it is the time.
    shown = columns[-1][:SHOWN_CHARACTERS]
    return f"expected whole seconds since 1970, below {LAST_TIME + 1}, got {shown!r}"


def _is_rating(text: str, line_format: LineFormat) -> bool:
    """Whether `text` is a rating as `_read_rating` accepts it."""
    if not re.fullmatch(r"0|[1-9]|[0-9]\.[05]", text):
        return False

    rating = float(text)
    lowest, highest = line_format.scale
    is_step = line_format.halves or rating % 1 == 0
    return is_step and lowest <= rating <= highest
