"""The members of zip and tar archives as open streams: never unpacked to disk, and refused when they look unsafe."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from recbench.datasets.foundation import UsageError

MOST_MEMBERS, MOST_BYTES = 100_000, 1 << 33  # four times what the whole Netflix Prize unpacks to
NESTED = "training_set.tar"  # nf_prize_dataset.tar.gz has it inside
BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)

Member = tuple[
    str, BinaryIO
]  # its name without directories, and its content; to be read before the next is asked for


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Turn what a damaged archive raises while it is read into a UsageError that names `path`."""
    try:
        yield
    except BROKEN as error:
        raise UsageError(
            f"{path}: the archive is damaged or cut short: {error}. Fetch it again."
        ) from None


def zip_names(path: Path) -> list[str]:
    """The names of the files in a zip, without directories. UsageError if it is none, or unsafe."""
    with intact(path), zipfile.ZipFile(path) as archive:
        return [PurePosixPath(entry.filename).name for entry in _safe_entries(path, archive)]


def zip_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The `wanted` files of a zip, by name without directories, in the order of these names."""
    with intact(path), zipfile.ZipFile(path) as archive:
        entries = [
            (PurePosixPath(entry.filename).name, entry) for entry in _safe_entries(path, archive)
        ]
        for name, entry in sorted(
            (found for found in entries if wanted(found[0])), key=lambda found: found[0]
        ):
            with archive.open(entry) as stream:
                yield name, cast(BinaryIO, stream)


def _safe_entries(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    limits = _Limits(path)
    for entry in entries:
        limits.check(
            entry.filename, entry.file_size, is_link=stat.S_ISLNK(entry.external_attr >> 16)
        )
        if entry.flag_bits & 1:
            raise UsageError(f"{path}: {entry.filename} is encrypted. Unpack it here yourself.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UsageError(
                f"{path}: {entry.filename} is packed in an unusual way. Unpack it here yourself."
            )
    return entries


def tar_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The `wanted` files of a tar or tar.gz, and of a NESTED tar in it, in the order they are stored."""
    with intact(path), path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
        yield from _members(path, stream, wanted, _Limits(path))


def _members(
    path: Path, stream: BinaryIO, wanted: Callable[[str], bool], limits: "_Limits"
) -> Iterator[Member]:
    ending = _Ending(stream)
    with tarfile.open(fileobj=cast(IO[bytes], ending), mode="r|") as archive:
        for member in archive:
            limits.check(member.name, member.size, is_link=not (member.isfile() or member.isdir()))
            name = PurePosixPath(member.name).name
            content = cast(BinaryIO, archive.extractfile(member)) if member.isfile() else None
            if content is not None and name == NESTED:
                yield from _members(path, content, wanted, limits)
            elif content is not None and wanted(name):
                yield name, content
    ending.check()


class _Limits:
    """What an archive may hold, member by member."""

    def __init__(self, path: Path) -> None:
        self.path, self.n_members, self.n_bytes = path, 0, 0

    def check(self, name: str, size: int, *, is_link: bool) -> None:
        """UsageError if the member leads out of the archive, or is one too many or too large."""
        self.n_members, self.n_bytes = self.n_members + 1, self.n_bytes + size
        parts = PurePosixPath(name.replace("\\", "/"))
        if is_link or parts.is_absolute() or ".." in parts.parts or ":" in name.partition("/")[0]:
            raise UsageError(
                f"{self.path}: {name!r} is a link, or leads out of the archive; nothing is read from it. "
                "Fetch it again from where the data are published."
            )
        if self.n_members > MOST_MEMBERS or self.n_bytes > MOST_BYTES:
            raise UsageError(
                f"{self.path}: unpacks to more than {MOST_MEMBERS:,} files or {MOST_BYTES:,} bytes, far more "
                "than the Netflix Prize has. Fetch it again from where the data are published."
            )


class _Ending:
    """A stream that knows how it ended: tarfile takes an archive that is cut between two members for a whole one."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.last = stream, b""

    def read(self, size: int) -> bytes:
        """Pass on what the stream gives."""
        content = self.stream.read(size)
        self.last = (self.last + content)[-1024:]
        return content

    def check(self) -> None:
        """Read to the end, which also checks gzip's sum. ReadError if there is no mark of the archive's end."""
        while self.read(1 << 16):
            pass
        if self.last.strip(b"\0") or len(self.last) < 1024:
            raise tarfile.ReadError("its end is missing")
