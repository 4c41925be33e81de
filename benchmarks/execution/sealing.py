"""Files that an algorithm may not open, because they hold the answers to what it will be asked.

This stops what happens by mistake or for convenience, such as an adapter that loads its data set by
name. Python tells of every file that is opened by its path through it: by open, pathlib, numpy,
pandas, mmap or sqlite3. Refused are the files below the cache entry, also under another name (a
link, a file that was renamed), and every file with the content of one that the data set was read
from, whatever it is called; a file that only has the same name is nobody's business.

What gets through: a path relative to an open directory (`dir_fd`), a copy of the cache's columns
that another process makes, and whatever native code opens, of which Python knows nothing, so that
polars, pyarrow, duckdb or another process can still read the files. To hide them from those too
would take a sandbox of the operating system, or changing files that belong to the user. It is no
prison in any case: an adapter that means harm can switch off what happens in its own process. What
it cannot do is to find a test rating there, see `keeper`.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbench.datasets.ratings import Source
from recbench.datasets.storage import digest_of

# Of Python's audit events those whose first argument is a file to be read.
EVENTS = ("open", "sqlite3.connect")

Inode = tuple[int, int]  # device and number: what stays when a file is renamed or linked


@dataclass
class Seal:
    """What is closed: a cache entry, and the files that it was made from."""

    entry: Path
    sources: tuple[Source, ...]
    _known: dict[tuple[int, int, int], bool] = field(default_factory=dict)  # by inode and time

    def __post_init__(self) -> None:
        self._directory = f"{os.path.realpath(self.entry)}{os.sep}"
        self._sizes = {source.n_bytes for source in self.sources}
        self._digests = {source.sha256 for source in self.sources}
        self._inodes = set(_inodes_below(self.entry))

    def covers(self, file: str | bytes | os.PathLike[Any]) -> bool:
        """Whether the file at this path is one that holds test ratings."""
        path = os.path.realpath(os.fsdecode(file))
        if path.startswith(self._directory):
            return True
        with suppress(OSError, ValueError):  # whoever opens it will hear of that
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in self._inodes:
                return True
            if stat.S_ISREG(status.st_mode) and status.st_size in self._sizes:
                return self._is_source(path, status)
        return False

    def _is_source(self, path: str, status: os.stat_result) -> bool:
        """Whether the file has the content of a source; each is read once, until it changes."""
        mark = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if mark not in self._known:
            self._known[mark] = _sha256_of(path) in self._digests
        return self._known[mark]


def _inodes_below(entry: Path) -> Iterator[Inode]:
    """Of the files of a cache entry, in which there are no directories."""
    with suppress(FileNotFoundError), os.scandir(entry) as files:
        for file in files:
            status = file.stat()
            yield status.st_dev, status.st_ino


def _sha256_of(path: str) -> str:
    """The digest of a file in hexadecimal digits, read without telling the hook."""
    _hashing.append(path)
    try:
        return digest_of(Path(path), "sha256")
    finally:
        _hashing.pop()


_seals: list[Seal] = []  # that hold at this moment
_hashing: list[str] = []  # files that the seal itself is reading
_hooks: list[Any] = []  # Python never removes an audit hook, so there is at most one


class SealedError(RuntimeError):
    """An algorithm opens a file that holds test ratings. Not an OSError, lest the cache take it for
    damage.
    """


@contextmanager
def sealed(seal: Seal) -> Iterator[None]:
    """While this lasts, Python opens no file that `seal` covers; who tries gets a SealedError."""
    if not _hooks:
        _hooks.append(_refuse_sealed_file)
        sys.addaudithook(_refuse_sealed_file)
    _seals.append(seal)
    try:
        yield
    finally:
        _seals.remove(seal)


def _refuse_sealed_file(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: SealedError if a sealed file is about to be opened."""
    if event not in EVENTS or not _seals or _hashing:
        return
    file = arguments[0]
    if not isinstance(file, str | bytes | os.PathLike):
        return  # a descriptor: the file was opened before
    if any(seal.covers(file) for seal in _seals):
        raise SealedError(f"{os.fsdecode(file)} holds test ratings, so no algorithm may open it")
