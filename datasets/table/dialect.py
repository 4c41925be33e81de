"""Text tables byte by byte: which separator, which lines, which characters. Nothing here knows about ratings."""

import csv
import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, compile_lazily

SEPARATORS = {
    "comma": ",",
    "tab": "\t",
    "semicolon": ";",
    "double-colon": "::",
    "pipe": "|",
    "\\t": "\t",
}
BLANKS = " \t\u00a0"  # what is ignored around names and values
BLOCK_BYTES = 1 << 21  # small enough to stay in the processor's cache
MOST_TIMES_SMALLER = (
    200  # ratings shrink five- to tenfold under gzip; a file that grows more is a trap
)

COMPILE_FROM_BYTES = 100_000  # shorter tables are done before a compiler is loaded

Bytes = NDArray[np.uint8]
FIELDS = QUOTED, CLOSED, PLACE, FIRST, SIGNS, LENGTH, LAST, ROWS, FEWEST, MOST, IRREGULAR, MIXED = (
    range(12)
)


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """`file`, or a temporary copy without its compression, gone with the context. UsageError if damaged."""
    with file.open("rb") as raw:
        start = raw.read(4)
    for magic, kind in (
        (b"PK\3\4", "a zip archive"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if start.startswith(magic):
            raise UsageError(
                f"{file} is {kind}: expected text, gzip or Parquet. Unpack or convert it to UTF-8 text."
            )
    if not start.startswith(b"\x1f\x8b"):
        yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".txt") as target:
        most = max(file.stat().st_size * MOST_TIMES_SMALLER, 1 << 27)
        try:
            with gzip.open(file) as source:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    if target.tell() > most:
                        raise UsageError(
                            f"{file} unpacks to more than {most:,} bytes: unpack it by hand if you trust it"
                        )
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UsageError(
                f"{file} is a damaged gzip file: {error}. Fetch or pack it again."
            ) from None
        target.flush()
        yield Path(target.name)


@dataclass(frozen=True)
class Form:
    """How a text table is written."""

    separator: str
    encoding: str
    shown: Path  # what errors call the file

    def records(self, file: Path) -> Iterator[tuple[int, list[str]]]:
        """First line and fields of every record that is not blank, one by one: slow, obvious, and the last word.

        UsageError for quotes that do not fit. Between "::" nothing is quoted.
        """
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        with file.open(newline="", encoding=encoding) as text:
            if self.separator == "::":
                for number, line in enumerate(text, 1):
                    if line.strip():
                        yield number, line.rstrip("\r\n").split("::")
                return
            reader, line_before = csv.reader(text, delimiter=self.separator, strict=True), 0
            try:
                for fields in reader:
                    if len(fields) > 1 or "".join(fields).strip():
                        yield line_before + 1, fields
                    line_before = reader.line_num
            except csv.Error as error:
                raise UsageError(
                    f"{self.shown}, line {line_before + 1}: {error}. A field that holds a quote, a separator or a "
                    f'line break must be "quoted", with every quote inside it doubled.'
                ) from None


def separator_of(file: Path, shown: Path, given: str, encoding: str) -> str:
    """The separator that was given by name or sign, or else the one that splits the first line into most fields."""
    if given:
        found = SEPARATORS.get(given, given)
        if found not in SEPARATORS.values():
            raise UsageError(
                f"sep={given} is no separator: expected {', '.join(SEPARATORS)} or the sign itself"
            )
        return found
    with file.open(newline="", encoding=encoding, errors="replace") as text:
        first = next((line for line in text if line.strip()), "").strip("\r\n")
    usual = [",", "\t", ";", "::", "|"]
    if re.search(r"\.(tsv|tab)(\.gz)?$", shown.name.lower()):
        usual = ["\t", *usual]
    return max(
        usual, key=lambda sign: len(first.split(sign) if sign == "::" else _fields(first, sign))
    )


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


@dataclass(frozen=True)
class Shape:
    """What the bytes of a text table say before it is parsed."""

    rows: int  # records that are not blank, the header among them
    fewest: int  # separators in a record
    most: int
    regular: bool  # a fast parser cannot mistake it: quotes only around whole fields, no bare carriage return
    plain: bool  # nothing quoted, no blanks, no number with a leading zero or plus: numbers may be read as numbers


def shape(file: Path, form: Form) -> Shape:
    """Look at every byte of `file` once. UsageError, with its line, for one that no text in this encoding has."""
    follow = _follow if file.stat().st_size < COMPILE_FROM_BYTES else _follow_compiled
    state = np.zeros(len(FIELDS), np.int64)
    state[FEWEST] = np.iinfo(np.int64).max
    sign, quote = ord(form.separator[0]), ord('"') if form.separator != "::" else -1
    with file.open("rb") as binary:
        for block in _whole_lines(binary):
            _check_encoding(block, binary, form)
            follow(np.frombuffer(block, np.uint8), sign, quote, state)
    stray = state[QUOTED] or state[LAST] == 13
    if state[LENGTH]:
        follow(np.array([10], np.uint8), sign, quote, state)  # the last line may lack its end
    rows, fewest, most = (int(state[k]) for k in (ROWS, FEWEST, MOST))
    return Shape(rows, fewest, most, not (stray or state[IRREGULAR]), not state[MIXED])


def _follow(block: Bytes, sign: int, quote: int, state: NDArray[np.int64]) -> None:
    """Go through the bytes of `block`, updating `state`, which says where in a record, field or quotes they begin."""
    quoted, closed, place, first, signs, length, last = state[:7]
    for byte in block:
        if last == 13 and byte != 10:
            state[IRREGULAR] = 1
        if quoted:
            if byte == quote:
                quoted, closed = 0, 1
        elif closed and byte == quote:  # doubled: it stands for one
            quoted, closed = 1, 0
        elif byte == 10:
            if length > 1 or (length == 1 and last != 13):
                state[ROWS] += 1
                state[FEWEST], state[MOST] = min(state[FEWEST], signs), max(state[MOST], signs)
            closed = place = first = signs = 0
            length = -1
        elif byte == sign:
            closed = place = first = 0
            signs += 1
        else:
            if byte == quote:
                state[MIXED] = 1
                if place:
                    state[IRREGULAR] = 1
                else:
                    quoted = 1
            elif (closed and byte != 13) or (byte <= 32 and byte != 13) or byte == 43:
                state[MIXED] = 1
                state[IRREGULAR] |= closed
            elif place == 1 and (
                (first == 48 and 48 <= byte <= 57) or (first == 45 and byte == 48)
            ):
                state[MIXED] = 1
            first = first if place else byte
            place += 1
            closed = 0
        length, last = length + 1, byte
    state[:7] = quoted, closed, place, first, signs, length, last


_follow_compiled = compile_lazily()(_follow)


def _whole_lines(binary: BinaryIO) -> Iterator[bytes]:
    """The file in blocks that end with a line, without its byte order mark."""
    if binary.read(3) != b"\xef\xbb\xbf":
        binary.seek(0)
    while block := binary.read(BLOCK_BYTES):
        yield block + binary.readline()


def _check_encoding(block: bytes, binary: BinaryIO, form: Form) -> None:
    where, problem, advice = (
        block.find(b"\0"),
        "a NUL byte",
        "It is no text file, or UTF-16: convert it to UTF-8.",
    )
    if where < 0 and form.encoding == "utf-8" and not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError as error:
            where, problem = error.start, f"byte 0x{block[error.start]:02x} is not UTF-8"
            advice = "If the file is latin-1, say so: encoding=latin-1. Else convert it to UTF-8."
    if where >= 0:
        end = binary.tell() - len(block) + where
        binary.seek(0)
        line = binary.read(end).count(b"\n") + 1
        raise UsageError(f"{form.shown}, line {line}: {problem}. {advice}")
