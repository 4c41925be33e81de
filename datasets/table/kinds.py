"""What kind of file the user has named: text, packed text or Parquet; anything else is refused."""

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from recbench.datasets.foundation import Expansion, UsageError

BLOCK_BYTES = 1 << 21

GZIP_START = b"\x1f\x8b"
PARQUET_START = b"PAR1"
REFUSED_STARTS = {
    b"PK\3\4": "a zip archive",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """`file` itself, or a temporary copy without its compression, gone with the context.

    UsageError for a zip archive, UTF-16, a damaged gzip file, and one that unpacks to far too much.
    """
    with file.open("rb") as binary:
        start = binary.read(4)
    for refused_start, kind in REFUSED_STARTS.items():
        if start.startswith(refused_start):
            raise UsageError(
                f"{file} is {kind}: expected text, gzip or Parquet. "
                "Unpack or convert it to UTF-8 text."
            )

    if not start.startswith(GZIP_START):
        yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".txt") as target:
        _unpack_gzip(file, target)
        target.flush()
        yield Path(target.name)


def is_parquet(file: Path, plain: Path) -> bool:
    """Whether `plain`, the content of `file` without compression, is Parquet by start or name."""
    with plain.open("rb") as binary:
        start = binary.read(4)
    return start == PARQUET_START or file.suffix.lower() == ".parquet"


def _unpack_gzip(file: Path, target: IO[bytes]) -> None:
    """Write the content of the gzip file `file` to `target`.

    UsageError if it is damaged, or unpacks to more than its size allows.
    """
    expansion = Expansion(str(file), file.stat().st_size)
    try:
        with gzip.open(file) as source:
            while block := source.read(BLOCK_BYTES):
                expansion.add(len(block))
                target.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = f"{file} is a damaged gzip file: {error}. Fetch or pack it again."
        raise UsageError(problem) from None
