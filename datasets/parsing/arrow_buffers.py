"""How much an Arrow file unpacks to, found from its footer and buffers without unpacking them.

Format: https://arrow.apache.org/docs/format/Columnar.html, its metadata in flatbuffers.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from recbench.datasets.foundation import Expansion, UsageError

ARROW_MAGIC = b"ARROW1"
LENGTH_BYTES = 4  # of the footer's length, which stands before the second ARROW_MAGIC
BLOCK_BYTES = 24  # of a footer's entry about a batch: offset, length of its head, of its body
BUFFER_BYTES = 16  # of a head's entry about a buffer: offset, length
NUMBER_BYTES = 8  # in memory, of a value
LARGEST_HEAD = 64 << 20  # bytes
DICTIONARY_BATCH = 2  # kinds of messages

# Fields of flatbuffers, by their numbers
FOOTER_DICTIONARIES = 2
FOOTER_BATCHES = 3
MESSAGE_KIND = 1
MESSAGE_HEAD = 2
DICTIONARY_DATA = 1
BATCH_LENGTH = 0
BATCH_BUFFERS = 2
BATCH_COMPRESSION = 3


def refuse_arrow_expansion(path: Path, where: str) -> None:
    """UsageError if the batches of the Arrow file at `path`, which is `where` in errors, are too
    large.

    That is if they unpack to more than the file's size allows, or if the file is damaged.
    """
    expansion = Expansion(where, path.stat().st_size)
    try:
        with path.open("rb") as file:
            for offset, head_bytes in _read_blocks(file):
                _add_batch(file, offset, head_bytes, expansion)
    except (struct.error, IndexError, OverflowError) as error:
        raise UsageError(
            f"{where} cannot be read as Arrow: {error}. Write or fetch it again."
        ) from None


def _read_blocks(file: BinaryIO) -> list[tuple[int, int]]:
    """Offset, and length of the head, of each batch of the file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - LENGTH_BYTES - len(ARROW_MAGIC)))
    (length,) = struct.unpack("<i", file.read(LENGTH_BYTES))
    start = size - LENGTH_BYTES - len(ARROW_MAGIC) - length
    if file.read() != ARROW_MAGIC or not 0 <= start < size or length > LARGEST_HEAD:
        raise IndexError("its end is missing")

    file.seek(start)
    footer = _Flatbuffer(file.read(length))
    root = footer.root()
    blocks = []
    for field in (FOOTER_DICTIONARIES, FOOTER_BATCHES):
        for position in footer.items(root, field, BLOCK_BYTES):
            offset, head_bytes = struct.unpack_from("<qi", footer.content, position)
            blocks.append((offset, head_bytes))
    return blocks


def _add_batch(file: BinaryIO, offset: int, head_bytes: int, expansion: Expansion) -> None:
    """Count what the batch at `offset` unpacks to."""
    if not 0 <= head_bytes <= LARGEST_HEAD:
        raise IndexError("a head of impossible length")
    file.seek(offset)
    prefix = file.read(2 * LENGTH_BYTES)
    head = _Flatbuffer(file.read(head_bytes - len(prefix)))
    message = head.root()
    batch = head.table(message, MESSAGE_HEAD)
    if head.content[head.field(message, MESSAGE_KIND) or 0] == DICTIONARY_BATCH:
        batch = head.table(batch, DICTIONARY_DATA)

    n_rows_at = head.field(batch, BATCH_LENGTH)
    if n_rows_at is not None:
        (n_rows,) = struct.unpack_from("<q", head.content, n_rows_at)
        expansion.add(max(0, n_rows) * NUMBER_BYTES)

    is_packed = head.field(batch, BATCH_COMPRESSION) is not None
    body = offset + head_bytes
    for position in head.items(batch, BATCH_BUFFERS, BUFFER_BYTES):
        start, length = struct.unpack_from("<qq", head.content, position)
        n_bytes = length
        if is_packed and length > 0:
            file.seek(body + start)
            (unpacked,) = struct.unpack("<q", file.read(8))
            n_bytes = max(length, unpacked)
        expansion.add(max(0, n_bytes))


class _Flatbuffer:
    """The tables of a flatbuffer; struct.error or IndexError where one is damaged."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def root(self) -> int:
        """The position of the first table."""
        (position,) = struct.unpack_from("<I", self.content, 0)
        return int(position)

    def field(self, table: int, number: int) -> int | None:
        """The position of a field of a table; None if it is left out."""
        (back,) = struct.unpack_from("<i", self.content, table)
        fields = table - back
        (n_bytes,) = struct.unpack_from("<H", self.content, fields)
        at = 4 + 2 * number
        if at >= n_bytes:
            return None
        (offset,) = struct.unpack_from("<H", self.content, fields + at)
        return table + offset if offset else None

    def table(self, table: int, number: int) -> int:
        """The position of the table in a field."""
        at = self.field(table, number)
        if at is None:
            raise IndexError("a batch without a head")
        (offset,) = struct.unpack_from("<I", self.content, at)
        return at + int(offset)

    def items(self, table: int, number: int, item_bytes: int) -> range:
        """The positions of the entries of the list in a field."""
        at = self.field(table, number)
        if at is None:
            return range(0)
        (offset,) = struct.unpack_from("<I", self.content, at)
        start = at + int(offset)
        (length,) = struct.unpack_from("<I", self.content, start)
        if start + 4 + length * item_bytes > len(self.content):
            raise IndexError("a list beyond its end")
        return range(start + 4, start + 4 + length * item_bytes, item_bytes)
