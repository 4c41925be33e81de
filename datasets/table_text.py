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

from datasets.spec import UsageError

SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "double-colon": "::", "pipe": "|", "\\t": "\t"}
BLANKS = " \t\u00a0"  # what is ignored around names and values
BLOCK_BYTES = 1 << 21  # small enough to stay in the processor's cache
MOST_TIMES_SMALLER = 200  # ratings shrink five- to tenfold under gzip; a file that grows more is a trap

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """`file`, or a temporary copy without its compression, gone with the context. UsageError if damaged."""
    with file.open("rb") as raw:
        start = raw.read(4)
    for magic, kind in ((b"PK\3\4", "a zip archive"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if start.startswith(magic):
            raise UsageError(f"{file} is {kind}: expected text, gzip or Parquet. Unpack or convert it to UTF-8 text.")
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
            raise UsageError(f"{file} is a damaged gzip file: {error}. Fetch or pack it again.") from None
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
            raise UsageError(f"sep={given} is no separator: expected {', '.join(SEPARATORS)} or the sign itself")
        return found
    with file.open(newline="", encoding=encoding, errors="replace") as text:
        first = next((line for line in text if line.strip()), "").strip("\r\n")
    usual = [",", "\t", ";", "::", "|"]
    if re.search(r"\.(tsv|tab)(\.gz)?$", shown.name.lower()):
        usual = ["\t", *usual]
    return max(usual, key=lambda sign: len(first.split(sign) if sign == "::" else _fields(first, sign)))


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


@dataclass(frozen=True)
class Shape:
    """What the bytes of a text table say before it is parsed."""

    rows: int  # records that are not blank, the header among them
    separators: int  # outside quotes
    regular: bool  # a fast parser cannot mistake it: quotes only around whole fields, no bare carriage return
    plain: bool  # nothing quoted, no blanks, no number with a leading zero or plus: numbers may be read as numbers


def shape(file: Path, form: Form) -> Shape:
    """Look at every byte of `file` once. UsageError, with its line, for one that no text in this encoding has."""
    rows = separators = lines = 0
    regular = plain = True
    quoted = False
    with file.open("rb") as binary:
        for block in _whole_lines(binary):
            _check_encoding(block, lines, form)
            found = _look(np.frombuffer(block, np.uint8), form.separator, quoted)
            rows, separators, quoted = rows + found.rows, separators + found.separators, found.quoted
            regular, plain = regular and found.regular, plain and found.plain
            lines += found.lines
    return Shape(rows, separators, regular and not quoted, plain and not quoted)


def _whole_lines(binary: BinaryIO) -> Iterator[bytes]:
    """The file in blocks that end with a line, without its byte order mark."""
    if binary.read(3) != b"\xef\xbb\xbf":
        binary.seek(0)
    while block := binary.read(BLOCK_BYTES):
        yield block + binary.readline()


def _check_encoding(block: bytes, lines_before: int, form: Form) -> None:
    where, problem, advice = block.find(b"\0"), "a NUL byte", "It is no text file, or UTF-16: convert it to UTF-8."
    if where < 0 and form.encoding == "utf-8" and not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError as error:
            where, problem = error.start, f"byte 0x{block[error.start]:02x} is not UTF-8"
            advice = "If the file is latin-1, say so: encoding=latin-1. Else convert it to UTF-8."
    if where >= 0:
        line = lines_before + block.count(b"\n", 0, where) + 1
        raise UsageError(f"{form.shown}, line {line}: {problem}. {advice}")


@dataclass(frozen=True)
class _Look:
    rows: int
    separators: int
    lines: int
    regular: bool
    plain: bool
    quoted: bool  # the block ends inside quotes


def _look(block: Bytes, separator: str, quoted: bool) -> _Look:
    """What `Shape` says, of one block of whole lines that begins inside quotes if `quoted`."""
    sign = ord(separator[0])
    ends, signs, returns = block == 10, block == sign, block == 13
    before = np.concatenate([np.array([10], np.uint8), block[:-1]])
    after = np.concatenate([block[1:], np.array([10], np.uint8)])
    lines, has_returns = int(np.count_nonzero(ends)), bool(returns.any())
    regular = not has_returns or not np.any(returns & (after != 10))
    regular = regular and (not has_returns or block[-1] != 13)
    quotes = block == 34 if separator != "::" else np.zeros(0, np.bool_)
    if quoted or quotes.any():
        inside = np.logical_xor.accumulate(quotes) ^ quoted
        regular = regular and _quotes_fit(quotes, inside, before, after, sign)
        quoted = bool(inside[-1])
        ends, signs = ends & ~inside, signs & ~inside
        plain = False
    else:
        small = np.count_nonzero(block < 33)  # blanks and control characters
        expected = lines + np.count_nonzero(returns) + (np.count_nonzero(signs) if sign < 33 else 0)
        plain = (
            bool(small == expected) and not np.any(block == ord("+")) and not _odd_numbers(before, block, after, sign)
        )
    blank = ends & (before == 10)
    n_blank = int(np.count_nonzero(blank))
    if has_returns:  # a carriage return alone on its line
        n_blank += int(np.count_nonzero(returns[:-1] & (before[:-1] == 10) & ends[1:]))
    rows = int(np.count_nonzero(ends)) - n_blank + int(block[-1] != 10)
    return _Look(rows, int(np.count_nonzero(signs)), lines, bool(regular), plain, quoted)


def _quotes_fit(quotes: Flags, inside: Flags, before: Bytes, after: Bytes, sign: int) -> bool:
    """Whether every quote opens or closes a whole field, or is one of a doubled pair inside one."""
    opening, closing = quotes & inside, quotes & ~inside
    opens = (before == sign) | (before == 10) | (before == 34)
    closes = (after == sign) | (after == 10) | (after == 13) | (after == 34)
    return not np.any(opening & ~opens) and not np.any(closing & ~closes)


def _odd_numbers(before: Bytes, block: Bytes, after: Bytes, sign: int) -> bool:
    """Whether a field begins with a superfluous zero or sign, as 007 or -0 do: as numbers they would lose it."""
    first = (before == sign) | (before == 10)
    digits = after - ord("0") < 10  # unsigned, so that what is less than "0" is far more than 9
    odd = (first & (block == ord("0")) & digits) | (first & (block == ord("-")) & (after == ord("0")))
    return bool(odd.any())
