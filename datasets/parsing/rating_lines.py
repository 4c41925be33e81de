"""Text with one rating a line, user SEPARATOR item SEPARATOR rating [SEPARATOR time], as columns: all or nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily
from recbench.datasets.transforms import index_ids

LAST_ID, LAST_TIME = 2**31 - 1, 2**32 - 1  # int32; a second in the year 2106
BLOCK_BYTES = 1 << 22  # small enough for the processor's cache
LARGEST_TABLE = 1 << 24  # of ids: a table is ten times as fast as sorting
LONGEST_LINE = 1 << 12  # far longer than any that can be accepted


@dataclass(frozen=True)
class Layout:
    """How a file's lines look: `header` holds the lines that come before the first rating."""

    separator: str
    header: tuple[str, ...] = ()
    scale: tuple[float, float] = (1.0, 5.0)
    halves: bool = False  # ratings in steps of a half
    timed: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of a line's columns."""
        return ("user", "item", "rating", "time") if self.timed else ("user", "item", "rating")


@dataclass(frozen=True, eq=False)
class Lines:
    """What the lines say, in file order, with raw ids. Row 0 is line `first` of the file that errors call `where`."""

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
        """A function that says where a row stands, file and line; it does not keep the columns in memory."""
        where, first = self.where, self.first
        return lambda row: f"{where}, line {row + first}"


def read_lines(file: IO[bytes], where: str, layout: Layout) -> Lines:
    """The ratings of `file`; `where` names it in errors.

    An id is a whole number from 1 to 2,147,483,647 without leading zeros, a rating a number of the layout's scale
    such as 4, 4.0 or 3.5, a time whole seconds since 1970. Lines may end in LF or CRLF, the last one in nothing, and
    blank lines may follow it. UsageError, with file, line and what to do, for anything else or if there is no rating.
    """
    for number, expected in enumerate(layout.header, start=1):
        text = file.readline(LONGEST_LINE).rstrip(b"\r\n")
        if text != expected.encode():
            _refuse(where, number, text, f"expected the header line {expected!r}")
    blocks: list[tuple[NDArray[Any], ...]] = []
    first = len(layout.header) + 1
    n_lines, ended = 0, False
    for text in _blocks(file):
        columns, stop = _parse(text, layout) if not ended else ((), 0)
        blocks.extend([columns] if columns else [])
        n_lines += len(columns[0]) if columns else 0
        rest = text[stop:]
        if rest.strip(b"\r\n"):
            line = rest.partition(b"\n")[0].removesuffix(b"\r")
            _refuse(where, first + n_lines, line, _diagnose(line, layout))
        ended = ended or bool(rest)
    if not n_lines:
        raise UsageError(
            f"{where}: no ratings; expected lines {layout.separator.join(layout.fields)}"
        )
    users, items, values, times = _joined(blocks)
    return Lines(users, items, values, times, where, first)


def dense_ids(ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """An index for every entry of `ids`, and the sorted distinct ids that the indices stand for."""
    last = int(ids.max())
    if last > LARGEST_TABLE:
        indices, distinct = index_ids(ids)
        return indices, distinct.astype(np.int64)
    present = np.zeros(last + 1, np.bool_)
    present[ids] = True
    return (np.cumsum(present, dtype=np.int32) - 1)[ids], np.flatnonzero(present)


def _joined(blocks: list[tuple[NDArray[Any], ...]]) -> Iterator[NDArray[Any]]:
    """The columns of all blocks, one after the other, letting go of each column's pieces."""
    columns = [list(pieces) for pieces in zip(*blocks, strict=True)]
    blocks.clear()
    while columns:
        yield np.concatenate(columns.pop(0))


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces that end where a line ends; a last line without an end gets one.

    A line that is longer than any valid one may be cut, which keeps a file without line ends from filling the memory.
    """
    while text := file.read(BLOCK_BYTES) + file.readline(LONGEST_LINE):
        yield text if text.endswith(b"\n") else text + b"\n"


def _parse(text: bytes, layout: Layout) -> tuple[tuple[NDArray[Any], ...], int]:
    """The columns of `text` up to the offset of its first unacceptable line, and that offset, else len(text)."""
    shortest = len("1,1,1,1\n") if layout.timed else len("1,1,1\n")
    size = len(text) // shortest + 1
    users, items = np.empty(size, np.int32), np.empty(size, np.int32)
    halves, times = np.empty(size, np.uint8), np.empty(size if layout.timed else 0, np.uint32)
    rules = round(2 * layout.scale[0]), round(2 * layout.scale[1]), layout.halves
    separator = np.frombuffer(layout.separator.encode(), np.uint8)
    n, stop = _parse_lines(
        np.frombuffer(text, np.uint8), separator, rules, (users, items, halves, times)
    )
    values = halves[:n].astype(np.float32) / np.float32(2)
    return (users[:n].copy(), items[:n].copy(), values, times[:n].copy()), stop


@compile_lazily()
def _parse_lines(
    text: Any, separator: Any, rules: tuple[int, int, bool], columns: Any
) -> tuple[int, int]:
    """Fill the columns from `text`: how many rows, and the offset of the first unacceptable line, else len(text).

    The text ends in a newline, which no field accepts, so `at` stays inside. Ratings are stored times two.
    """
    lowest, highest, halves = rules
    users, items, doubled, times = columns
    row, start, size, width = 0, 0, len(text), len(separator)
    timed = len(times) > 0
    while start < size:
        at, star, wrong = start, 0, False
        for field in range(4 if timed else 3):
            if field > 0:
                for k in range(width):
                    wrong |= text[at] != separator[k]
                    at += 0 if wrong else 1
            begin, number = at, 0
            while 48 <= text[at] <= 57 and at - begin < 10:
                number, at = number * 10 + (text[at] - 48), at + 1
            wrong |= at == begin or (text[begin] == 48 and (at > begin + 1 or field < 2))
            if field == 2:
                star = 2 * number
                if text[at] == 46:  # a point
                    star += 1 if text[at + 1] == 53 else 0
                    wrong |= text[at + 1] != 48 and not (halves and text[at + 1] == 53)
                    at += 0 if wrong else 2
                wrong |= star < lowest or star > highest
            elif field == 3:
                wrong |= number > LAST_TIME
                times[row] = number
            elif number > LAST_ID:
                wrong = True
            elif field == 0:
                users[row] = number
            else:
                items[row] = number
        at += 1 if text[at] == 13 else 0
        if wrong or at >= size or text[at] != 10:
            break
        doubled[row] = star
        row, start = row + 1, at + 1
    return row, start


def _refuse(where: str, line: int, text: bytes, problem: str) -> NoReturn:
    shown = repr(text[:60].decode("latin-1")) + ("..." if len(text) > 60 else "")
    raise UsageError(
        f"{where}, line {line}: {shown}: {problem}. Mend the line or fetch the file again."
    )


def _diagnose(line: bytes, layout: Layout) -> str:
    """Why `line` is no rating."""
    columns = line.decode("latin-1").split(layout.separator)
    if not line:
        return "a blank line between ratings"
    if len(columns) != len(layout.fields):
        return (
            f"expected {len(layout.fields)} columns {layout.separator.join(layout.fields)}, got {len(columns)}; "
            "the file may be cut off"
        )
    for role, text in zip(layout.fields[:2], columns[:2], strict=True):
        if not (re.fullmatch("[1-9][0-9]{0,9}", text) and int(text) <= LAST_ID):
            return f"expected the id of the {role}, from 1 to {LAST_ID}, got {text[:20]!r}"
    lowest, highest = layout.scale
    step = "half stars" if layout.halves else "whole stars"
    if (
        not re.fullmatch(r"0|[1-9]|[0-9]\.[05]", columns[2])
        or not lowest <= float(columns[2]) <= highest
    ):
        return (
            f"expected a rating from {lowest:g} to {highest:g} in {step}, got {columns[2][:20]!r}"
        )
    if not layout.halves and float(columns[2]) % 1:
        return (
            f"expected a rating from {lowest:g} to {highest:g} in {step}, got {columns[2][:20]!r}"
        )
    return f"expected whole seconds since 1970, below {LAST_TIME + 1}, got {columns[-1][:20]!r}"
