"""Files that an algorithm may not open, because they hold the answers to what it will be asked.

This stops what happens by mistake or for convenience, such as an adapter that loads its data set by name. It is no
prison: an adapter that means harm shares the process with the bench.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_directories: list[str] = []
_names: set[str] = set()
_hooks: list[Any] = []  # Python never removes an audit hook, so there is at most one


class SealedError(RuntimeError):
    """An algorithm opens a file that holds test ratings. Not an OSError, lest the cache take it for damage."""


@contextmanager
def sealed(directory: Path, names: Iterable[str]) -> Iterator[None]:
    """While this lasts, opening a file below `directory`, or one of these `names` anywhere, is a SealedError."""
    if not _hooks:
        _hooks.append(_refuse)
        sys.addaudithook(_refuse)
    _directories.append(f"{os.path.realpath(directory)}{os.sep}")
    _names.update(names)
    try:
        yield
    finally:
        _directories.clear()
        _names.clear()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _directories or not isinstance(arguments[0], str | bytes):
        return
    path = os.path.realpath(os.fsdecode(arguments[0]))
    if path.startswith(tuple(_directories)) or path.rpartition(os.sep)[2] in _names:
        raise SealedError(f"{path} holds test ratings, so no algorithm may open it")
