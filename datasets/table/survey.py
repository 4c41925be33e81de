"""A look at every byte of a text table before it is parsed: how many records, how they are written.

It decides whether a fast parser may be trusted with the file. Nothing here knows about ratings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily, longest_line, refuse_long_line
from recbench.datasets.table.dialect import Dialect

BLOCK_BYTES = 1 << 21  # small enough to stay in the processor's cache
COMPILE_FROM_BYTES = 100_000  # shorter tables are done before a compiler is loaded
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Bytes that mean something
LINE_FEED = 10
CARRIAGE_RETURN = 13
BLANK = 32
QUOTE = 34
PLUS = 43
MINUS = 45
ZERO = 48
NINE = 57
NO_QUOTE = -1  # stands for the quote where nothing is quoted

# Where the state between two blocks keeps what: of the field and the record that are being read
QUOTED = 0  # 1 inside quotes
CLOSED = 1  # 1 right after the quote that ends a field
PLACE = 2  # bytes of the field so far
FIRST = 3  # the field's first byte
SIGNS = 4  # separator bytes of the record so far
LENGTH = 5  # bytes of the record so far
LAST = 6  # the byte before
# and of the whole file
ROWS = 7
FEWEST = 8
MOST = 9
IRREGULAR = 10
MIXED = 11
MULTILINE = 12
STATE_SIZE = 13

Bytes = NDArray[np.uint8]
State = NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """What the bytes of a text table say before it is parsed."""

    rows: int  # records that are not blank, the header among them
    fewest: int  # separator bytes in a record: "::" counts twice
    most: int
    regular: bool  # no fast parser mistakes it: only whole fields quoted, no bare carriage return
    plain: bool  # nothing quoted, no blanks, no number with a leading zero or plus
    multiline: bool  # a line ends within quotes


def survey_file(file: Path, dialect: Dialect) -> Survey:
    """Look at every byte of `file` once.

    UsageError, with its line, for a byte that no text in this encoding has, and for a record that
    is longer than a line may be. A table that is `plain`
    may have its numbers read as numbers without changing what it says.
    """
    is_short = file.stat().st_size < COMPILE_FROM_BYTES
    follow = follow_bytes if is_short else follow_bytes_compiled

    state = np.zeros(STATE_SIZE, np.int64)
    state[FEWEST] = np.iinfo(np.int64).max
    separator = ord(dialect.separator[0])
    quote = QUOTE if dialect.is_quoted else NO_QUOTE
    with file.open("rb") as binary:
        n_lines = dialect.n_comments
        for block in _blocks_of_lines(binary, dialect.n_comments):
            _refuse_bad_bytes(block, binary, dialect)
            follow(np.frombuffer(block, np.uint8), separator, quote, state)
            n_lines += block.count(b"\n")
            if state[LENGTH] > longest_line():
                raise refuse_long_line(str(dialect.origin), n_lines + 1)

    unfinished = state[QUOTED] or state[LAST] == CARRIAGE_RETURN
    if state[LENGTH]:  # the last line may lack its end
        follow(np.array([LINE_FEED], np.uint8), separator, quote, state)

    return Survey(
        rows=int(state[ROWS]),
        fewest=int(state[FEWEST]),
        most=int(state[MOST]),
        regular=not (unfinished or state[IRREGULAR]),
        plain=not state[MIXED],
        multiline=bool(state[MULTILINE]),
    )


def follow_bytes(block: Bytes, separator: int, quote: int, state: State) -> None:
    """Go through the bytes of `block`, updating `state`, in which the constants above are places.

    The state says where in a record, field or quotes the block begins. One loop over plain numbers,
    so that it can be compiled.
    """
    quoted = state[QUOTED]
    closed = state[CLOSED]
    place = state[PLACE]
    first = state[FIRST]
    signs = state[SIGNS]
    length = state[LENGTH]
    last = state[LAST]

    for byte in block:
        if last == CARRIAGE_RETURN and byte != LINE_FEED:
            state[IRREGULAR] = 1

        if quoted:
            if byte == quote:
                quoted = 0
                closed = 1
            elif byte == LINE_FEED:
                state[MULTILINE] = 1

        # A doubled quote stands for one: the field goes on
        elif closed and byte == quote:
            quoted = 1
            closed = 0

        # The end of a record, unless the line is blank
        elif byte == LINE_FEED:
            if length > 1 or (length == 1 and last != CARRIAGE_RETURN):
                state[ROWS] += 1
                state[FEWEST] = min(state[FEWEST], signs)
                state[MOST] = max(state[MOST], signs)
            closed = 0
            place = 0
            first = 0
            signs = 0
            length = -1

        # The end of a field
        elif byte == separator:
            closed = 0
            place = 0
            first = 0
            signs += 1

        # Within a field
        else:
            if byte == quote:
                state[MIXED] = 1
                if place:
                    state[IRREGULAR] = 1
                else:
                    quoted = 1
            elif byte != CARRIAGE_RETURN and (closed or byte <= BLANK or byte == PLUS):
                state[MIXED] = 1
                state[IRREGULAR] |= closed
            elif place == 1:
                zero_first = first == ZERO and ZERO <= byte <= NINE
                minus_zero_first = first == MINUS and byte == ZERO
                if zero_first or minus_zero_first:
                    state[MIXED] = 1
            if not place:
                first = byte
            place += 1
            closed = 0

        length += 1
        last = byte

    state[QUOTED] = quoted
    state[CLOSED] = closed
    state[PLACE] = place
    state[FIRST] = first
    state[SIGNS] = signs
    state[LENGTH] = length
    state[LAST] = last


follow_bytes_compiled = compile_lazily()(follow_bytes)


def _blocks_of_lines(binary: BinaryIO, n_comments: int) -> Iterator[bytes]:
    """The file in blocks that end where a line ends, without its byte order mark and comments.

    A line that is longer than any may be is not read to its end.
    """
    if binary.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        binary.seek(0)
    for _ in range(n_comments):
        binary.readline(longest_line())
    while block := binary.read(BLOCK_BYTES):
        yield block + binary.readline(longest_line())


def _refuse_bad_bytes(block: bytes, binary: BinaryIO, dialect: Dialect) -> None:
    """UsageError for the first byte of `block`, just read from `binary`, that cannot be text."""
    position = block.find(b"\0")
    problem = "a NUL byte"
    advice = "It is no text file, or UTF-16: convert it to UTF-8."

    if position < 0 and not block.isascii():
        try:
            block.decode(dialect.encoding)
        except UnicodeDecodeError as error:
            position = error.start
            encoding = "UTF-8" if dialect.encoding == "utf-8" else dialect.encoding
            problem = f"byte 0x{block[error.start]:02x} is not {encoding}"
            advice = _advise_encoding(block)
    if position < 0:
        return

    end = binary.tell() - len(block) + position
    binary.seek(0)
    line = binary.read(end).count(b"\n") + 1
    raise UsageError(f"{dialect.origin}, line {line}: {problem}. {advice}")


def _advise_encoding(block: bytes) -> str:
    """What to say about the encoding of a file that has the bytes of `block`, and is not UTF-8."""
    # Bytes that are letters and quotes of Windows, and nothing that one types in latin-1
    is_of_windows = any(0x80 <= byte < 0xA0 for byte in block)
    likeliest = "cp1252" if is_of_windows else "latin-1"
    other = "latin-1" if is_of_windows else "cp1252"
    return (
        f"If the file is {likeliest}, say so: encoding={likeliest} (or encoding={other}). "
        "Else convert it to UTF-8."
    )
