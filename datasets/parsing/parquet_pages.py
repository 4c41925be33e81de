"""How much a Parquet file unpacks to, found from its footer and page headers without unpacking it.

A column of equal values takes a few bytes for any number of rows, and a page may be packed besides.
Format: https://github.com/apache/parquet-format, in Thrift's compact protocol.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recbench.datasets.foundation import Expansion

PARQUET_MAGIC = b"PAR1"
LENGTH_BYTES = 4  # of the footer's length, which stands before the second PARQUET_MAGIC
FOOTER_GROWTH = 32  # bytes in memory for a byte of the footer
NUMBER_BYTES = 8  # in memory, of a number
TEXT_BYTES = 16  # in memory, of a text beside its letters
BYTE_ARRAYS = (6, 7)  # types of columns that hold texts
MOST_DEPTH = 16  # of structures in each other

# Types of Thrift's compact protocol
STOP = 0
BOOLEANS = (1, 2)
BYTE = 3
WHOLE_NUMBERS = (4, 5, 6)
DOUBLE = 7
BINARY = 8
LISTS = (9, 10)
STRUCT = 12


class DamagedParquet(ValueError):
    """A footer or page header that is not what Parquet has there."""


@dataclass(frozen=True)
class Chunk:
    """A column's part of a row group, as the footer describes it."""

    column: str
    is_text: bool
    n_values: int
    start: int  # offset in the file of its first page
    n_bytes: int  # of its pages in the file


@dataclass(frozen=True)
class Outline:
    """What the footer of a Parquet file says."""

    path: Path
    expansion: Expansion
    n_rows: int  # the most that it claims
    chunks: tuple[Chunk, ...]

    def refuse_expansion(self, columns: Collection[str]) -> None:
        """UsageError if the `columns` unpack to more than the file's size allows.

        DamagedParquet if there is no page header where one must be.
        """
        wanted = [chunk for chunk in self.chunks if chunk.column in columns]
        with self.path.open("rb") as file:
            for chunk in wanted:
                width = TEXT_BYTES if chunk.is_text else NUMBER_BYTES
                claimed = chunk.n_values * width
                self.expansion.add(claimed)

                # The pages say it again, and readers believe them.
                n_in_pages = 0
                for n_bytes, n_values in _walk_pages(file, chunk):
                    n_in_pages += n_values
                    beyond_claim = max(0, n_in_pages - chunk.n_values) * width
                    self.expansion.add(n_bytes + beyond_claim)


def read_outline(path: Path) -> Outline:
    """The outline of the Parquet file at `path`.

    DamagedParquet if it has none, UsageError if the outline or the number of rows alone is more
    than its size allows.
    """
    size = path.stat().st_size
    expansion = Expansion(str(path), size)
    with path.open("rb") as file:
        file.seek(max(0, size - LENGTH_BYTES - len(PARQUET_MAGIC)))
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        start = size - LENGTH_BYTES - len(PARQUET_MAGIC) - length
        if file.read() != PARQUET_MAGIC or start < 0:
            raise DamagedParquet("its end is missing")

        expansion.add(FOOTER_GROWTH * length)
        file.seek(start)
        footer = Compact(file.read(length))

    n_rows = 0
    chunks: list[Chunk] = []
    for field, kind in footer.fields():
        if field == 3:
            n_rows = max(n_rows, footer.read_number())
        elif field == 4:
            for _ in footer.items():
                n_in_group, of_group = _read_row_group(footer)
                n_rows = max(n_rows, n_in_group)
                chunks += of_group
        else:
            footer.skip(kind)

    # Readers make room for all rows before they read one.
    Expansion(str(path), size).add(n_rows * NUMBER_BYTES)
    return Outline(path, expansion, n_rows, tuple(chunks))


def _read_row_group(footer: "Compact") -> tuple[int, list[Chunk]]:
    """The number of rows and the chunks of the row group at which `footer` stands."""
    n_rows = 0
    chunks = []
    for field, kind in footer.fields():
        if field == 1:
            chunks += [chunk for _ in footer.items() for chunk in _read_chunk(footer)]
        elif field == 3:
            n_rows = footer.read_number()
        else:
            footer.skip(kind)
    return n_rows, chunks


def _read_chunk(footer: "Compact") -> Iterator[Chunk]:
    """The chunk at which `footer` stands, if it is described there."""
    for field, kind in footer.fields():
        if field == 3:
            yield _read_description(footer)
        else:
            footer.skip(kind)


def _read_description(footer: "Compact") -> Chunk:
    """The chunk whose metadata are where `footer` stands."""
    numbers = {1: 0, 5: 0, 7: 0, 9: 0}  # type, values, bytes in the file, first data page
    column = ""
    for field, kind in footer.fields():
        if field == 3:
            path = [footer.read_bytes() for _ in footer.items()]
            column = path[0].decode(errors="replace") if path else ""
        elif field in (*numbers, 11):
            numbers[field] = footer.read_number()
        else:
            footer.skip(kind)

    start = numbers.get(11, numbers[9])  # of the dictionary, where there is one
    return Chunk(
        column=column,
        is_text=numbers[1] in BYTE_ARRAYS,
        n_values=max(0, numbers[5]),
        start=start,
        n_bytes=numbers[7],
    )


def _walk_pages(file: BinaryIO, chunk: Chunk) -> Iterator[tuple[int, int]]:
    """For each page of the chunk: the bytes that it unpacks to, and how many values it holds."""
    position = chunk.start
    end = chunk.start + chunk.n_bytes
    while position < end:
        # A header holds a few numbers, and perhaps a lowest and a highest text.
        header_bytes = 1 << 10
        while True:
            file.seek(position)
            header = Compact(file.read(header_bytes))
            try:
                packed_bytes, unpacked_bytes, n_values = _read_page_header(header)
                break
            except EndOfText:
                if header_bytes >= min(end - position, 1 << 24):
                    raise
                header_bytes *= 16

        if packed_bytes < 0 or unpacked_bytes < 0 or n_values < 0:
            raise DamagedParquet("a page of negative size")
        yield unpacked_bytes, n_values
        position += header.position + packed_bytes


def _read_page_header(header: "Compact") -> tuple[int, int, int]:
    """Packed bytes, unpacked bytes and number of values of a page; a dictionary has no values."""
    sizes = {2: 0, 3: 0}
    n_values = 0
    for field, kind in header.fields():
        if field in sizes:
            sizes[field] = header.read_number()
        elif field in (5, 8):  # a page of data, in the first or the second version
            for inner, inner_kind in header.fields():
                if inner == 1:
                    n_values = header.read_number()
                else:
                    header.skip(inner_kind)
        else:
            header.skip(kind)
    return sizes[3], sizes[2], n_values


class EndOfText(DamagedParquet):
    """The text ended in the middle of something."""


class Compact:
    """Thrift's compact protocol, read piece by piece; what is not wanted is skipped.

    DamagedParquet for what it does not have.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of the structure here; read or skip it before the next."""
        field = 0
        while True:
            head = self._read_byte()
            kind = head & 0x0F
            if kind == STOP:
                return
            step = head >> 4
            field = field + step if step else self.read_number()
            yield field, kind

    def items(self) -> Iterator[int]:
        """The type of each item of the list here; read or skip it before the next."""
        head = self._read_byte()
        size = head >> 4
        if size == 0x0F:
            size = self._read_varint()
        for _ in range(size):
            yield head & 0x0F

    def read_number(self) -> int:
        """The signed whole number here."""
        coded = self._read_varint()
        return (coded >> 1) ^ -(coded & 1)

    def read_bytes(self) -> bytes:
        """The text here."""
        length = self._read_varint()
        start = self.position
        self._advance(length)
        return self.content[start : self.position]

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over what is here, a field of the type `kind`."""
        if depth > MOST_DEPTH:
            raise DamagedParquet("too many structures in each other")
        if kind in BOOLEANS:
            return
        if kind == BYTE:
            self._advance(1)
        elif kind in WHOLE_NUMBERS:
            self._read_varint()
        elif kind == DOUBLE:
            self._advance(8)
        elif kind == BINARY:
            self._advance(self._read_varint())
        elif kind in LISTS:
            for item in self.items():
                # In a list a truth value takes a byte.
                self.skip(BYTE if item in BOOLEANS else item, depth + 1)
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise DamagedParquet(f"type {kind}")

    def _read_varint(self) -> int:
        """The number here, in pieces of seven bits, the lowest first."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self._read_byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise DamagedParquet("a number of more than 64 bits")

    def _read_byte(self) -> int:
        """The byte here."""
        self._advance(1)
        return self.content[self.position - 1]

    def _advance(self, n_bytes: int) -> None:
        """Go on by `n_bytes`."""
        self.position += n_bytes
        if self.position > len(self.content):
            raise EndOfText("it breaks off")
