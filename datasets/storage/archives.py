"""Files inside zip and tar archives, read in place: nothing is unpacked to disk, and nothing dangerous is read."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from recbench.datasets.foundation import UsageError

LARGEST_RATIO = 100  # unpacked to packed; the text of ratings compresses to a third or a sixth
ALWAYS_FINE = 8 << 20  # bytes that an archive may unpack to, whatever the ratio
LARGEST_READ = 256 << 20  # bytes that a member may have to be read as a whole
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    UnicodeError,  # in the names
    NotImplementedError,  # an unknown compression
)


class _Member(NamedTuple):
    name: str
    size: int
    problem: str  # why it may not be read, or ""
    open: Callable[[], IO[bytes] | None] | None  # None for folders


class Archive:
    """The files of a zip, tar, tar.gz or wheel, by their names inside it.

    UsageError, with file, member and what to do, if it is no such archive, is damaged or encrypted, holds a link, a
    path that is absolute or climbs with "..", a name twice, or unpacks to more than `LARGEST_RATIO` times its size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}  # bytes by name
        self._openers: dict[str, Callable[[], IO[bytes] | None]] = {}
        with self._translated(""):
            packed_bytes = path.stat().st_size
            is_tar = path.name.endswith((".tar", ".tar.gz", ".tgz"))
            self._file = tarfile.open(path) if is_tar else zipfile.ZipFile(path)  # noqa: SIM115
        try:
            with self._translated(""):
                self._list(max(ALWAYS_FINE, LARGEST_RATIO * packed_bytes))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def find(self, file: str) -> str | None:
        """The name of the one member that is called `file`, in whichever folder; None if there is none."""
        found = [name for name in self.sizes if name.rpartition("/")[2] == file]
        if len(found) > 1:
            raise self._refusal("", f"holds more than one {file}: {', '.join(found[:3])}. Keep one")
        return found[0] if found else None

    def need(self, file: str) -> str:
        """Like `find`, but UsageError if there is none."""
        name = self.find(file)
        if name is None:
            inside = ", ".join(list(self.sizes)[:8]) or "nothing"
            raise self._refusal(
                "", f"has no file {file} inside, only {inside}. Fetch the archive again"
            )
        return name

    def where(self, name: str) -> str:
        """How messages call the member `name`: "path!name"."""
        return f"{self.path}!{name}" if name else str(self.path)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The member `name` as a stream of bytes; damage that is met while reading becomes a UsageError."""
        with self._translated(name):
            file = self._openers[name]()
            assert file is not None, "only regular files are listed"
            with file:
                yield file

    def read(self, name: str) -> bytes:
        """The member `name` as a whole; meant for the small ones."""
        if self.sizes[name] > LARGEST_READ:
            size = f"has {self.sizes[name]:,} bytes, {LARGEST_READ:,} were expected at most"
            raise self._refusal(name, f"{size}. Use the original archive")
        with self.open(name) as file:
            return file.read()

    def _list(self, largest: int) -> None:
        total, seen = 0, set()
        for name, size, problem, opener in _members(self._file):
            total += size
            if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
                problem = "is a path that leads out of the archive"
            elif name in seen:
                problem = "is in the archive twice"
            elif total > largest:
                problem = f"makes the archive unpack to {total:,} bytes or more; its size allows for {largest:,}"
            if problem:
                raise self._refusal(name, f"{problem}. Use the original archive")
            seen.add(name)
            if opener:
                self.sizes[name], self._openers[name] = size, opener
        for n_bytes in _rest(self._file):
            total += n_bytes
            if total > largest:
                raise self._refusal(
                    "", f"unpacks to more than {largest:,} bytes. Use the original archive"
                )

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            problem = f"cannot be read: {error or type(error).__name__}"
            raise self._refusal(name, f"{problem}. Delete the archive and fetch it again") from None

    def _refusal(self, name: str, problem: str) -> UsageError:
        return UsageError(f"{self.where(name)} {problem}.")


def _members(file: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Member]:
    """What is inside, as it is met: in a compressed tar, what lies before a member must be unpacked to get there."""
    link = "is a link or a device, no file"
    if isinstance(file, tarfile.TarFile):
        for member in file:
            problem = "" if member.isreg() or member.isdir() else link
            opener = partial(file.extractfile, member) if member.isreg() else None
            yield _Member(member.name, member.size, problem, opener)
    else:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            problem = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else link
            problem = "is encrypted" if info.flag_bits & 1 else problem
            yield _Member(
                info.filename,
                info.file_size,
                problem,
                None if info.is_dir() else partial(file.open, info),
            )


def _rest(file: zipfile.ZipFile | tarfile.TarFile) -> Iterator[int]:
    """Read a tar to its very end, where gzip keeps the checksum of the whole; the sizes of what was read."""
    if isinstance(file, tarfile.TarFile) and file.fileobj is not None:
        while block := file.fileobj.read(1 << 20):
            yield len(block)
