"""How much a file may become when it is read: the one limit for whatever unpacks.

Archives, gzip, Parquet, stored arrays and single lines are all held to it, before any memory is
spent on them.
"""

import math
import os
from collections.abc import Iterator
from typing import TextIO

from recbench.datasets.foundation.amounts import parse_megabytes
from recbench.datasets.foundation.spec import UsageError

LIFTED_BY = "RECBENCH_UNPACK_LIMIT"  # an environment variable, such as 20G
LARGEST_RATIO = 200  # unpacked to packed; the text of ratings compresses to a third or a tenth
ALWAYS_FINE = 32 << 20  # bytes that a file may unpack to, whatever the ratio
# Bytes that any file may unpack to; four times what the Netflix Prize unpacks to.
MOST_BYTES = 8 << 30
LONGEST_LINE = 1 << 20  # bytes of a line, or of a record of several lines
MEGABYTE = 1 << 20


class Expansion:
    """What the file that messages call `where` unpacks to, added up before it does.

    `allowed_bytes` are `LARGEST_RATIO` times its `packed_bytes`, at least `ALWAYS_FINE` and at most
    `MOST_BYTES`; or what the variable `LIFTED_BY` says, for files that the user trusts. UsageError
    if that is no amount of memory.

    >>> Expansion("ratings.gz", 1_000_000).add(150_000_000)
    >>> Expansion("bomb.gz", 1_000).add(5 << 30)
    Traceback (most recent call last):
        ...
    recbench.datasets.foundation.spec.UsageError: bomb.gz unpacks to 5,368,709,120 bytes or more, \
33,554,432 are allowed for its size. If you trust it, allow more: RECBENCH_UNPACK_LIMIT=5G
    """

    def __init__(self, where: str, packed_bytes: int) -> None:
        self.where = where
        self.allowed_bytes = min(MOST_BYTES, max(ALWAYS_FINE, LARGEST_RATIO * packed_bytes))
        self.n_bytes = 0

        lifted_to = _read_lifted_limit()
        if lifted_to is not None:
            self.allowed_bytes = lifted_to

    def add(self, n_bytes: int, part: str = "") -> None:
        """Count bytes that are about to be unpacked, of the `part` that messages name.

        UsageError, with what lifts the limit, if that is too much.
        """
        self.n_bytes += n_bytes
        if self.n_bytes <= self.allowed_bytes:
            return

        what = f"{part} makes {self.where} unpack" if part else f"{self.where} unpacks"
        raise UsageError(
            f"{what} to {self.n_bytes:,} bytes or more, {self.allowed_bytes:,} are allowed for its "
            f"size. If you trust it, allow more: {_advise_lifting(self.n_bytes)}"
        )


def longest_line() -> int:
    """How many bytes a line of text may have, or a record of several lines.

    UsageError if the variable `LIFTED_BY` is set and is no amount of memory.
    """
    lifted_to = _read_lifted_limit()
    if lifted_to is None:
        return LONGEST_LINE
    return max(LONGEST_LINE, lifted_to)


def read_bounded_lines(text: TextIO, where: str) -> Iterator[str]:
    """The lines of `text`, each with its end; UsageError for one that is longer than any may be.

    It is refused before it is read to its end. `where` names the file.
    """
    longest = longest_line()
    number = 1
    while line := text.readline(longest + 1):
        if len(line) > longest:
            raise refuse_long_line(where, number)
        yield line
        number += 1


def refuse_long_line(where: str, line: int) -> UsageError:
    """The error to raise about the `line` (from 1) of the file `where`, which is too long."""
    allowed_bytes = longest_line()
    return UsageError(
        f"{where}, line {line}: more than {allowed_bytes:,} bytes without an end. Is it a table "
        "with one rating a line? If you trust it, allow more: "
        f"{_advise_lifting(2 * max(allowed_bytes, 512 * MEGABYTE))}"
    )


def _read_lifted_limit() -> int | None:
    """The bytes that the user allows anything to unpack to; None if they have not said so."""
    text = os.environ.get(LIFTED_BY)
    if not text:
        return None
    return int(parse_megabytes(LIFTED_BY, text) * MEGABYTE)


def _advise_lifting(n_bytes: int) -> str:
    """The variable with a value that is enough for `n_bytes`, in whole gigabytes."""
    gigabytes = math.ceil(n_bytes / (1024 * MEGABYTE))
    return f"{LIFTED_BY}={gigabytes}G"
