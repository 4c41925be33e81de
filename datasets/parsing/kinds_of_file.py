"""What kind of file the user has named: text, JSON, Parquet and others, packed or not.

What cannot be read is called by its name, with the line that converts it.
"""

import bz2
import gzip
import lzma
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, cast

import polars as pl

from recbench.datasets.foundation import Expansion, UsageError
from recbench.datasets.parsing.arrow_buffers import ARROW_MAGIC
from recbench.datasets.parsing.parquet_pages import PARQUET_MAGIC
from recbench.datasets.storage import GZIP_MAGIC, Archive

BLOCK_BYTES = 1 << 21
START_BYTES = 1 << 12  # of a file that are looked at
DEEPEST = 4  # packings inside each other: .tar.gz has two

ZIP_STARTS = (b"PK\3\4", b"PK\5\6")  # the second if it is empty
TAR_MARK = b"ustar"
TAR_MARK_AT = 257
ZST_START = b"\x28\xb5\x2f\xfd"
UTF_16_STARTS = (b"\xff\xfe", b"\xfe\xff")
UTF_8_MARK = b"\xef\xbb\xbf"
NO_TABLES = re.compile(
    r"(^|/)(\.|__MACOSX|_)|readme|licen[cs]e|\.(md|pdf|html?|docx?|py|ipynb)$", re.I
)
EXCEL_MEMBER = "xl/workbook.xml"

PANDAS = "import pandas as pd; "
TO_CSV = '.to_csv("ratings.csv", index=False)'
# By how they begin: what they are called, and the line that makes of them what can be read
# fmt: off
FOREIGN_STARTS = {
    b"MATLAB 5.0": ("a MATLAB file (.mat)",
        'import scipy.io, numpy; m = scipy.io.loadmat("FILE"); '
        'numpy.savetxt("ratings.csv", m["rating"], "%.10g", ",")'),
    b"\x89HDF": ("an HDF5 file", PANDAS + 'pd.read_hdf("FILE")' + TO_CSV),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook (.xls)",
        PANDAS + 'pd.read_excel("FILE")' + TO_CSV),
    b"SQLite format 3": ("an SQLite database",
        'import sqlite3, pandas as pd; pd.read_sql("select * from TABLE", '
        'sqlite3.connect("FILE"))' + TO_CSV),
    b"\x93NUMPY": ("a NumPy array (.npy)",
        'import numpy; numpy.savetxt("ratings.csv", numpy.load("FILE"), "%.10g", ",")'),
    b"RDX": ("R data (.RData)", 'in R: names <- load("FILE"); '
        'write.csv(get(names[1]), "ratings.csv", row.names = FALSE)'),
    b"RDA": ("R data (.RData)", 'in R: names <- load("FILE"); '
        'write.csv(get(names[1]), "ratings.csv", row.names = FALSE)'),
    b"FEA1": ("Feather of version 1",
        'import pyarrow.feather as f; f.read_table("FILE").to_pandas()' + TO_CSV),
    b"ORC": ("an ORC file", PANDAS + 'pd.read_orc("FILE")' + TO_CSV),
    b"Obj\1": ("an Avro file", 'import polars; polars.read_avro("FILE").write_csv("ratings.csv")'),
    b"%PDF": ("a PDF", "ask for the table itself"),
    b"\xff\xff\xff\xff": ("a stream of Arrow, no file",
        'import polars; polars.read_ipc_stream("FILE").write_parquet("ratings.parquet")'),
    b"7z\xbc\xaf": ("a 7z archive", "7z x FILE"),
    b"Rar!": ("a RAR archive", "unrar x FILE"),
    b"<!DOCTYPE": ("a web page, no table", "fetch the file itself, not the page about it"),
    b"<html": ("a web page, no table", "fetch the file itself, not the page about it"),
    b"<?xml": ("XML", PANDAS + 'pd.read_xml("FILE")' + TO_CSV),
    b"version https://git-lfs": ("a pointer of Git LFS, without the data", "git lfs pull"),
    b"@relation": ("an ARFF file", 'import scipy.io.arff as a, pandas as pd; '
        'pd.DataFrame(a.loadarff("FILE")[0])' + TO_CSV),
    b"%%MatrixMarket": ("a MatrixMarket file", 'import scipy.io, numpy as np; m = '
        'scipy.io.mmread("FILE"); np.savetxt("ratings.csv", np.c_[m.row, m.col, m.data], '
        '"%.10g", ",")'),
}
# fmt: on
# A serialised object of R: as XDR, ASCII or binary, with its version, which is 2 or 3
R_START = re.compile(rb"X\n\0\0\0[\2\3]|A\n[23]\n|B\n[\2\3]\0\0\0")
R_LINE = 'in R: write.csv(readRDS("FILE"), "ratings.csv", row.names = FALSE)'
PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
PICKLE_LINE = PANDAS + 'pd.read_pickle("FILE")' + TO_CSV


class Kind(Enum):
    """What is in a file, once it is unpacked."""

    TEXT = "text"
    JSON = "JSON"
    EXCEL = "an Excel workbook"
    PARQUET = "Parquet"
    ARROW = "Arrow"


@contextmanager
def unpacked(file: Path, member: str = "") -> Iterator[Path]:
    """`file` itself, or a temporary copy without its compression, gone with the context.

    Of an archive the one table inside, or the `member` so called. UTF-16 becomes UTF-8. UsageError
    for what is no table, a damaged file, and one that unpacks to far too much.
    """
    with tempfile.TemporaryDirectory() as directory:
        plain = file
        for depth in range(DEEPEST):
            unpack = _find_packing(file, plain, member)
            if unpack is None:
                break
            target = Path(directory) / f"{depth}.tar"  # called so because that is how tars are told
            unpack(plain, target)
            plain = target
        else:
            raise UsageError(f"{file} is packed more than {DEEPEST} times: unpack it by hand")
        _refuse_foreign(file, plain)
        yield plain


def recognise_kind(file: Path, plain: Path) -> Kind:
    """What `plain`, the content of `file` without compression, is."""
    start = _read_start(plain)
    if start.startswith(PARQUET_MAGIC) or file.suffix.lower() in (".parquet", ".pq"):
        return Kind.PARQUET
    if start.startswith(ARROW_MAGIC):
        return Kind.ARROW
    if start.startswith(ZIP_STARTS):
        return Kind.EXCEL
    if _is_json(start.removeprefix(UTF_8_MARK).lstrip()):
        return Kind.JSON
    return Kind.TEXT


Unpack = Callable[[Path, Path], None]  # from a file to another


def _find_packing(file: Path, plain: Path, member: str) -> Unpack | None:
    """How to unpack `plain`, which came out of `file`; None if nothing packs it."""
    start = _read_start(plain)

    def with_opener(kind: str, opener: Callable[[Path], IO[bytes]]) -> Unpack:
        return lambda source, target: _unpack_stream(file, kind, opener, source, target)

    if start.startswith(GZIP_MAGIC):
        return with_opener("gzip", lambda source: cast(IO[bytes], gzip.open(source)))
    if start.startswith(b"BZh"):
        return with_opener("bzip2", bz2.open)
    if start.startswith((b"\xfd7zXZ", b"]\0\0")):
        return with_opener("xz", lzma.open)
    if start.startswith(ZST_START):
        return lambda source, target: _unpack_zst(file, source, target)
    if start.startswith(UTF_16_STARTS):
        return lambda source, target: _recode_utf_16(file, source, target)
    is_tar = start[TAR_MARK_AT : TAR_MARK_AT + len(TAR_MARK)] == TAR_MARK
    if is_tar or (start.startswith(ZIP_STARTS) and not _is_excel(file, plain)):
        return lambda source, target: _take_member(file, source, target, member)
    return None


def _read_start(plain: Path) -> bytes:
    """The first bytes of a file."""
    with plain.open("rb") as binary:
        return binary.read(START_BYTES)


def _is_json(start: bytes) -> bool:
    """Whether a text begins like a JSON object, or like an array of objects, arrays or numbers."""
    return re.match(rb'\{\s*["\']|\{\s*\}|\[\s*[\[{]', start) is not None


def _refuse_foreign(file: Path, plain: Path) -> None:
    """UsageError, with the line that converts it, for a kind of file that is not read."""
    start = _read_start(plain)
    for foreign_start, (kind, line) in FOREIGN_STARTS.items():
        if start.lower().startswith(foreign_start.lower()):
            _refuse_kind(file, kind, line)
    if R_START.match(start):
        _refuse_kind(file, "an object of R (.rds)", R_LINE)
    if PICKLE_START.match(start) or file.suffix.lower() in (".pkl", ".pickle"):
        _refuse_kind(file, "a pickle, which can run any code when it is opened", PICKLE_LINE)


def _refuse_kind(file: Path, kind: str, line: str) -> None:
    """The UsageError about a kind of file that is not read."""
    converts = line.replace("FILE", file.name)
    raise UsageError(
        f"{file} is {kind}: expected text (CSV and the like), JSON, Excel (.xlsx), Parquet or "
        f"Arrow, packed or not. If you trust it, this converts it: {converts}"
    )


def _unpack_stream(
    file: Path, kind: str, opener: Callable[[Path], IO[bytes]], source: Path, target: Path
) -> None:
    """Write the content of `source`, which `opener` unpacks, to `target`.

    UsageError if it is damaged, or unpacks to more than the one limit allows.
    """
    expansion = Expansion(str(file), source.stat().st_size)
    try:
        with opener(source) as stream, target.open("wb") as binary:
            while block := stream.read(BLOCK_BYTES):
                expansion.add(len(block))
                binary.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        problem = f"{file} is a damaged {kind} file: {error}. Fetch or pack it again."
        raise UsageError(problem) from None


def _unpack_zst(file: Path, source: Path, target: Path) -> None:
    """Write the lines of the Zstandard file `source` to `target`; polars unpacks it.

    What it unpacks to is added up from the heads of its blocks before. UsageError if it is damaged,
    unpacks to too much, or holds no UTF-8.
    """
    packed = source.read_bytes()
    try:
        n_bytes = _count_zst(packed)
        Expansion(str(file), len(packed)).add(n_bytes)
        lines = pl.scan_lines(source, glob=False)
        lines.sink_csv(target, include_header=False, quote_style="never", separator="\x00")
    except (IndexError, pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(
            f"{file} cannot be read as Zstandard: {error or 'it is cut short'}. It must be whole, "
            f"and UTF-8 inside; else unpack it: unzstd {file.name}"
        ) from None


def _count_zst(packed: bytes) -> int:
    """At most how many bytes the frames of a Zstandard file unpack to, by the heads of its blocks.

    RFC 8878: a block that is raw or one byte repeated says its size, a compressed one has at most
    128 KB, and never more than the window. IndexError if it is cut short.
    """
    largest_block = 128 << 10
    n_bytes = 0
    at = 0
    while at < len(packed):
        magic = int.from_bytes(packed[at : at + 4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a frame to be skipped
            at += 8 + int.from_bytes(packed[at + 4 : at + 8], "little")
            continue

        descriptor = packed[at + 4]
        is_single = descriptor >> 5 & 1
        content_size = (is_single, 2, 4, 8)[descriptor >> 6]
        dictionary = (0, 1, 2, 4)[descriptor & 3]
        at += 5 + (not is_single) + dictionary + content_size

        is_last = False
        while not is_last:
            head = packed[at] | packed[at + 1] << 8 | packed[at + 2] << 16
            is_last = bool(head & 1)
            kind = head >> 1 & 3
            size = head >> 3
            n_bytes += largest_block if kind == 2 else size
            at += 3 + (1 if kind == 1 else size)
        at += 4 * (descriptor >> 2 & 1)
    return n_bytes


def _recode_utf_16(file: Path, source: Path, target: Path) -> None:
    """Write the UTF-16 text `source` to `target` as UTF-8. UsageError if it is none."""
    try:
        with (
            source.open(encoding="utf-16", newline="") as text,
            target.open("w", encoding="utf-8", newline="") as recoded,
        ):
            while block := text.read(BLOCK_BYTES):
                recoded.write(block)
    except (UnicodeError, ValueError) as error:
        raise UsageError(f"{file} is UTF-16, and damaged: {error}. Convert it to UTF-8.") from None


def _is_excel(file: Path, plain: Path) -> bool:
    """Whether the zip archive `plain` is a workbook; UsageError if it is none at all."""
    with _open_archive(file, plain) as archive:
        return EXCEL_MEMBER in archive.sizes


@contextmanager
def _open_archive(file: Path, source: Path) -> Iterator[Archive]:
    """The archive `source`, which came out of `file`; errors name that."""
    try:
        archive = Archive(source)
    except UsageError as error:
        problem = str(error).replace(str(source), str(file))
        raise UsageError(f"{problem} ({file.name} is an archive, zip or tar.)") from None
    with archive:
        yield archive


def _take_member(file: Path, source: Path, target: Path, member: str) -> None:
    """Write the one table in an archive, or the `member` so called, to `target`.

    UsageError if there are several, or none.
    """
    with _open_archive(file, source) as archive:
        names = list(archive.sizes)
        tables = [name for name in names if not NO_TABLES.search(name)]
        if member:
            name = archive.need(member)
        elif len(tables) == 1:
            name = tables[0]
        else:
            bases = [name.rpartition("/")[2] for name in tables[:8]]
            choices = ", ".join(f"table:{file}[member={base}]" for base in bases)
            raise UsageError(
                f"{file} holds {len(tables)} files that may be tables, expected one. "
                + (f"Name it: {choices}" if tables else f"It has {', '.join(names[:8])}.")
            )
        with archive.open(name) as stream, target.open("wb") as binary:
            while block := stream.read(BLOCK_BYTES):
                binary.write(block)
