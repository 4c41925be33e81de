"""Files that an algorithm may not open, because they hold the answers to what it will be asked.

This stops what happens by mistake or for convenience, such as an adapter that loads its data set by
name. Python tells of every file that is opened through it: by open, pathlib, numpy, pandas, mmap or
sqlite3. Of files that native code opens it knows nothing, so polars, pyarrow, duckdb or another
process can still read them. To hide the files from those too would take a sandbox of the operating
system, or changing files that belong to the user; to replace such libraries' readers would stop
only the readers that are known. It is no prison in any case: an adapter that means harm shares the
process with the bench.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Of Python's audit events those whose first argument is a file to be read.
EVENTS = ("open", "sqlite3.connect")

_directories: list[str] = []
_names: set[str] = set()
_hooks: list[Any] = []  # Python never removes an audit hook, so there is at most one


class SealedError(RuntimeError):
    """An algorithm opens a file that holds test ratings. Not an OSError, lest the cache take it for
    damage.
    """


@contextmanager
def sealed(directory: Path, names: Iterable[str]) -> Iterator[None]:
    """While this lasts, Python opens no file below `directory`, and none of these `names` anywhere.

    Who tries gets a SealedError.
    """
    if not _hooks:
        _hooks.append(_refuse_sealed_file)
        sys.addaudithook(_refuse_sealed_file)
    _directories.append(f"{os.path.realpath(directory)}{os.sep}")
    _names.update(names)
    try:
        yield
    finally:
        _directories.clear()
        _names.clear()


def _refuse_sealed_file(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: SealedError if a sealed file is about to be opened."""
    if event not in EVENTS or not _directories:
        return
    file = arguments[0]
    if not isinstance(file, str | bytes | os.PathLike):
        return  # a descriptor: the file was opened before

    path = os.path.realpath(os.fsdecode(file))
    name = path.rpartition(os.sep)[2]
    if path.startswith(tuple(_directories)) or name in _names:
        raise SealedError(f"{path} holds test ratings, so no algorithm may open it")
