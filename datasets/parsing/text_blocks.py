"""What all parsers of rating files share: pieces of a file, numbers in digits, refusals by line."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from recbench.datasets.foundation import UsageError, compile_lazily

BLOCK_BYTES = 1 << 22  # small enough for the processor's cache
LONGEST_LINE = 1 << 16  # bytes; a file that is one endless line must not fill the memory
SHOWN_BYTES = 60  # of a line in a message


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    r"""The rest of `file` in pieces of some 4 MB that end where a line ends.

    A last line without an end gets one. A line that goes on for more than `LONGEST_LINE` bytes
    beyond its piece is cut, and gets a byte 0xFF, which no parser accepts: what follows is lost.
    """
    while block := file.read(BLOCK_BYTES):
        if not block.endswith(b"\n"):
            block += file.readline(LONGEST_LINE)

        is_whole = block.endswith(b"\n")
        if is_whole:
            yield block
        elif file.read(1):  # the line goes on
            yield block + b"\xff\n"
        else:  # the file ends
            yield block + b"\n"


@compile_lazily(forceinline=True)
def read_digits(text: Any, start: int, highest: int) -> tuple[Any, int]:
    """The number (uint64) in the decimal digits from the offset `start` of `text` (uint8) on, and
    the offset of what follows it.

    Where there is no digit these are 0 and `start`. It stops after the first
    digit that takes the number above `highest`. The text must end in something else than a digit.
    """
    zero = np.uint8(48)
    ten = np.uint64(10)
    number = np.uint64(0)
    end = start
    # Unsigned: what lies below the digit 0 wraps around and is found above 9.
    while np.uint8(text[end] - zero) <= 9 and number <= np.uint64(highest):
        number = number * ten + np.uint64(text[end] - zero)
        end += 1
    return number, end


def refusal_of_line(where: str, line: int, text: bytes, problem: str) -> UsageError:
    """The error to raise about the `line` (from 1) of the file that messages call `where`."""
    beginning = repr(text[:SHOWN_BYTES].decode("latin-1"))
    dots = "..." if len(text) > SHOWN_BYTES else ""
    return UsageError(
        f"{where}, line {line}: {beginning}{dots}: {problem}. "
        "Mend the line or fetch the file again."
    )
