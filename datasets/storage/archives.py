"""Files inside zip and tar archives, read in place: nothing is unpacked, nothing dangerous is read.

The one reader for archives that anybody may have made; `movielens.dslabs` opens by itself a package
that is known by its hash. `Archive` lists what is inside before anything is read, and gives any
member; `stream_members` passes over an archive once, which suits a large compressed tar. Both
refuse the same.
"""

import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

from recbench.datasets.foundation import Expansion, UsageError

MOST_MEMBERS = 100_000  # the Netflix Prize has 17,770 and some
# Bytes of what an archive says of a member before its content: long names, notes of any kind.
LONGEST_HEADER = 64 << 10
# Bytes of what it says of all of them; it stays in memory, at several times its size.
LONGEST_LISTING = 16 << 20
USUAL_HEADER = 3 * tarfile.BLOCKSIZE  # bytes of a tar's header with a long name

# The one archive that is read inside another: nf_prize_dataset.tar.gz has it.
NESTED = "training_set.tar"
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
END_MARK = 2 * tarfile.BLOCKSIZE  # bytes of zeros that end every tar
BLOCK_BYTES = 1 << 20
LONGEST_SHOWN = 100  # characters of a member's name in a message
SLACK = tarfile.RECORDSIZE  # bytes; tarfile reads streams in such pieces
GZIP_MAGIC = b"\x1f\x8b"  # how every gzip begins
ZIP_ENCRYPTED = 1  # the bit of a zip's member that is encrypted

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # gzip's too
    UnicodeError,  # in the names
    NotImplementedError,  # an unknown compression
)

# What zipfile and tarfile raise besides while they read what the archive says about its members.
DAMAGED_HEADERS = (*DAMAGE, ArithmeticError, LookupError, RecursionError, ValueError, struct.error)

Opener = Callable[[], IO[bytes] | None]


class Archive:
    """The files of a zip, tar, tar.gz or wheel, by their names inside it.

    UsageError, with file, member and what to do, if it is no such archive, is damaged, cut short or
    encrypted, or holds a link, a device, a path that is absolute or climbs with "..", or a name
    twice. So is one that unpacks to more than its size allows, see `Expansion`, has more than
    `MOST_MEMBERS` members, or says more about them than fits `LONGEST_LISTING`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}  # bytes by name
        self._openers: dict[str, Opener] = {}
        self._files = ExitStack()

        # It stays open for those who read members; only a refusal closes it here.
        try:
            with _translate_damage(str(path)):
                inspection = _Inspection(path)
                if _is_tar(path):
                    self._list_tar(inspection)
                else:
                    self._list_zip(inspection)
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def find(self, file: str) -> str | None:
        """The name of the one member that is called `file`, in whichever folder.

        None if there is none, UsageError if there are several.
        """
        names = [name for name in self.sizes if _base_name(name) == file]
        if len(names) > 1:
            raise UsageError(
                f"{self.path} holds more than one {file}: {', '.join(names[:3])}. Keep one."
            )
        if not names:
            return None
        return names[0]

    def need(self, file: str) -> str:
        """The name of the one member that is called `file`; UsageError if there is not one."""
        name = self.find(file)
        if name is None:
            inside = ", ".join(list(self.sizes)[:8]) or "nothing"
            raise UsageError(
                f"{self.path} has no file {file} inside, only {inside}. Fetch the archive again."
            )
        return name

    def where(self, name: str) -> str:
        """How messages call the member `name`: "path!name"."""
        return _describe_member(self.path, name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The member `name` as a stream of bytes; damage met while reading becomes a UsageError."""
        with _translate_damage(self.where(name)):
            file = self._openers[name]()
            assert file is not None, "only regular files are listed"
            with file:
                yield file

    def read(self, name: str) -> bytes:
        """The member `name` as a whole."""
        with self.open(name) as file:
            return file.read()

    def _list_zip(self, inspection: "_Inspection") -> None:
        """Open the zip; fill `sizes` and the openers. UsageError for a member that is refused."""
        # Its directory is read in one piece, whose length it says itself.
        file = self._files.enter_context(self.path.open("rb"))
        stream = _Watch(file, f"{self.path}: the list of its files")
        stream.largest_read = LONGEST_LISTING
        with _translate_damage(str(self.path), DAMAGED_HEADERS):
            packed = self._files.enter_context(zipfile.ZipFile(cast(IO[bytes], stream)))
        stream.largest_read = None

        for info in packed.infolist():
            inspection.check_member(_describe_zip_member(info))
            if not info.is_dir():
                self.sizes[info.filename] = info.file_size
                self._openers[info.filename] = partial(packed.open, info)

    def _list_tar(self, inspection: "_Inspection") -> None:
        """Open the tar; fill `sizes` and the openers. A compressed one is unpacked once for that.

        UsageError for a member that is refused, ReadError for a tar that does not end as it should.
        """
        file = self._files.enter_context(_open_tar_file(self.path))
        stream = _Watch(file, str(self.path))
        tar = self._files.enter_context(_open_tar(stream, "r:"))
        for member in _iterate_members(tar, stream, inspection):
            if member.isreg():
                self.sizes[member.name] = member.size
                self._openers[member.name] = partial(tar.extractfile, member)

        # Where the members end, the mark of the end must stand; and the very end has to be read,
        # because gzip keeps the sum of the whole there.
        stream.seek(tar.offset)
        stream.check_end(tar.offset, inspection)
        stream.n_zeros = 0


def list_file_names(path: Path) -> list[str]:
    """The names of the files in an archive, without the folders that they are in.

    UsageError as for `Archive`.
    """
    with Archive(path) as archive:
        return [_base_name(name) for name in archive.sizes]


def stream_members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, BinaryIO]]:
    """The wanted files of an archive in one pass: name without folders, and content.

    Those of a zip come by name, those of a tar in the order in which they are stored, and in the
    place of a member `NESTED` the files of that tar. Each must be read before the next one is asked
    for. UsageError as for `Archive`; in a tar it may come late, when members before the bad one
    have been given.
    """
    if _is_tar(path):
        yield from _stream_tar_file(path, is_wanted)
        return

    with Archive(path) as archive:
        names = [name for name in archive.sizes if is_wanted(_base_name(name))]

        for name in sorted(names, key=_base_name):
            with archive.open(name) as stream:
                yield _base_name(name), _guard(stream, archive.where(name))


def _stream_tar_file(
    path: Path, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, BinaryIO]]:
    """The wanted files of the tar or tar.gz at `path`, as `stream_members` gives them."""
    with _translate_damage(str(path)), _open_tar_file(path) as stream:
        yield from _stream_tar(path, stream, is_wanted, _Inspection(path))


@contextmanager
def _open_tar_file(path: Path) -> Iterator[IO[bytes]]:
    """The content of the tar at `path`, without the compression that it may have."""
    with path.open("rb") as file:
        # By its first bytes, because a tar that is called .tar may be compressed all the same.
        is_zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_zipped else file


def _stream_tar(
    path: Path,
    stream: IO[bytes],
    is_wanted: Callable[[str], bool],
    inspection: "_Inspection",
    outer: str = "",
) -> Iterator[tuple[str, BinaryIO]]:
    """The wanted files of the tar in `stream`; `outer` is the member that it is, "" for none."""
    watch = _Watch(stream, _describe_member(path, outer))
    with _open_tar(watch, "r|") as tar:
        for member in _iterate_members(tar, watch, inspection, outer):
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:  # a folder
                continue

            # A tar inside a tar is followed once, so that nobody can nest them without end.
            name = _base_name(member.name)
            if name == NESTED and not outer:
                yield from _stream_tar(path, content, is_wanted, inspection, member.name)
            elif is_wanted(name):
                yield name, _guard(content, _describe_member(path, outer, member.name))

        # tarfile is content with an end that is cut off.
        watch.check_end(tar.offset, inspection)


def _open_tar(watch: "_Watch", mode: Literal["r:", "r|"]) -> tarfile.TarFile:
    """The tar in the stream that is watched; its first header is read, and must not be long."""
    watch.last_position = LONGEST_HEADER
    with _translate_damage(watch.where, DAMAGED_HEADERS):
        return tarfile.open(fileobj=cast(IO[bytes], watch), mode=mode)


def _iterate_members(
    tar: tarfile.TarFile, watch: "_Watch", inspection: "_Inspection", outer: str = ""
) -> Iterator[tarfile.TarInfo]:
    """The members of `tar`, each inspected; `outer` as in `_Inspection.check_member`.

    UsageError for one that is refused. tarfile reads what stands before a member's content as a
    whole, so that it must not be long.
    """
    start = 0
    while True:
        watch.last_position = start + LONGEST_HEADER
        with _translate_damage(watch.where, DAMAGED_HEADERS):
            member = tar.next()
        watch.last_position = None
        if member is None:
            return

        inspection.check_member(_describe_tar_member(member), outer)
        inspection.count_header(member.offset_data - start - USUAL_HEADER)
        start = tar.offset
        yield member


@dataclass(frozen=True)
class _Member:
    """What an archive says about one of its members, and what is wrong with its kind ("":
    nothing).
    """

    name: str
    n_bytes: int
    problem: str


def _describe_zip_member(info: zipfile.ZipInfo) -> _Member:
    """The member of a zip; its problem is to be a link, encrypted, or packed unusually."""
    # The upper half holds the mode that Unix gave the file; 0 from systems that have none.
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device, no file"
    elif info.flag_bits & ZIP_ENCRYPTED:
        problem = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = "is packed in an unusual way"
    return _Member(info.filename, info.file_size, problem)


def _describe_tar_member(member: tarfile.TarInfo) -> _Member:
    """The member of a tar; its problem is to be neither a file nor a folder."""
    is_plain = member.isreg() or member.isdir()
    problem = "" if is_plain else "is a link or a device, no file"
    return _Member(member.name, member.size, problem)


class _Inspection:
    """Refuses members one by one, as they are met, and adds up what they unpack to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.expansion = Expansion("the archive", path.stat().st_size)
        self.n_header_bytes = 0
        self.names: set[tuple[str, str]] = set()  # of the tar inside ("": none), and of the member

    def check_member(self, member: _Member, outer: str = "") -> None:
        """UsageError, with archive and member, if the member must not be read or is one too many.

        `outer` is the member that is itself a tar and has this one inside, "" if there is none.
        """
        # Of several problems, one that lies in the member's place comes before that of its kind.
        problem = member.problem
        if _leads_out(member.name):
            problem = "is a path that leads out of the archive"
        elif (outer, member.name) in self.names:
            problem = "is in the archive twice"
        elif len(self.names) >= MOST_MEMBERS:
            problem = f"is one more than the {MOST_MEMBERS:,} members that an archive may have"

        where = _describe_member(self.path, outer, member.name)
        if problem:
            raise UsageError(f"{where} {problem}. Use the original archive.")
        self.expansion.add(member.n_bytes, where)
        self.names.add((outer, member.name))

    def count_bytes(self, n_bytes: int) -> None:
        """Add bytes that belong to no member. UsageError if the archive unpacks to too much."""
        self.expansion.add(n_bytes, f"what follows the last file of {self.path}")

    def count_header(self, n_bytes: int) -> None:
        """Add bytes beyond a usual header. UsageError if they are too many in all."""
        self.n_header_bytes += max(n_bytes, 0)
        if self.n_header_bytes > LONGEST_LISTING:
            raise _refuse_long_header(str(self.path), LONGEST_LISTING)


def _refuse_long_header(where: str, allowed_bytes: int) -> UsageError:
    """The error to raise about an archive that says too much about its members."""
    return UsageError(
        f"{where}: names and notes of more than {allowed_bytes:,} bytes. No archive of ratings has "
        "that: unpack it by hand, pack the files again, and use that."
    )


class _Watch:
    """A stream that reads no more than it may, and knows how many zeros its bytes so far end with.

    zipfile and tarfile read as much at once as the archive says: a list of files, a long name.
    And tarfile takes an archive that is cut between two members, or damaged in a member's header,
    for a whole one.
    """

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self.stream = stream
        self.where = where
        self.position = 0
        self.n_zeros = 0
        self.largest_read: int | None = None  # bytes that may be read at once
        self.last_position: int | None = None  # that may be read up to

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes of the stream, fewer at its end. UsageError if it may not."""
        if self.largest_read is not None and size < 0:
            size = self.largest_read + 1
        if self.largest_read is not None and size > self.largest_read + 1:
            raise _refuse_long_header(self.where, self.largest_read)
        if self.last_position is not None and self.position + size > self.last_position + SLACK:
            raise _refuse_long_header(self.where, LONGEST_HEADER)
        content = self.stream.read(size)

        # Zeros go on from the last piece if this one has nothing else.
        n_before_zeros = len(content.rstrip(b"\0"))
        if n_before_zeros:
            self.n_zeros = 0
        self.n_zeros += len(content) - n_before_zeros

        self.position += len(content)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to another place of the stream; which that is."""
        self.n_zeros = 0
        self.position = self.stream.seek(offset, whence)
        return self.position

    def tell(self) -> int:
        """The place in the stream."""
        return self.stream.tell()

    def seekable(self) -> bool:
        """As files say."""
        return True

    def check_end(self, end_of_members: int, inspection: _Inspection) -> None:
        """Read to the end. ReadError unless zeros, and enough of them, are all that follows the
        last member.

        UsageError if what follows is more than the archive may unpack to.
        """
        while block := self.read(BLOCK_BYTES):
            inspection.count_bytes(len(block))

        if self.position - end_of_members < END_MARK:
            raise tarfile.ReadError("its end is missing")
        if self.position - self.n_zeros > end_of_members:
            raise tarfile.ReadError(f"byte {end_of_members:,} should begin a member, or the end")


class _GuardedStream(io.BufferedIOBase):
    """A member's content, whose damage becomes a UsageError when it is read."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self.stream = stream
        self.where = where

    def readable(self) -> bool:
        """As every stream that can be read says."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, or all the rest."""
        with _translate_damage(self.where):
            return self.stream.read(-1 if size is None else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """The rest of the line, `size` bytes at most."""
        with _translate_damage(self.where):
            return self.stream.readline(-1 if size is None else size)


def _guard(stream: IO[bytes], where: str) -> BinaryIO:
    """The `stream` of a member, whose damage becomes a UsageError about `where` when it is read."""
    return cast(BinaryIO, _GuardedStream(stream, where))


@contextmanager
def _translate_damage(where: str, damage: tuple[type[Exception], ...] = DAMAGE) -> Iterator[None]:
    """What a damaged archive raises while it is read becomes a UsageError about `where`."""
    try:
        yield
    except UsageError:
        raise
    except damage as error:
        raise UsageError(
            f"{where} cannot be read: {error or type(error).__name__}. "
            "Delete the archive and fetch it again."
        ) from None


def _is_tar(path: Path) -> bool:
    """Whether the file is called like a tar, compressed or not."""
    return path.name.endswith(TAR_ENDINGS)


def _base_name(name: str) -> str:
    """A member's name without its folders."""
    return name.rpartition("/")[2]


def _describe_member(path: Path, *names: str) -> str:
    """path!name, or path!outer!name for a member of a tar inside; empty names are left out.

    A long name is cut.
    """
    shown = []
    for name in filter(None, names):
        is_long = len(name) > LONGEST_SHOWN
        shown.append(f"{name[:LONGEST_SHOWN]}..." if is_long else name)
    return "!".join([str(path), *shown])


def _leads_out(name: str) -> bool:
    """Whether a member's name is absolute, on whichever system, or climbs out of its folder."""
    parts = re.split(r"[/\\]", name)
    is_absolute = parts[0] == "" or ":" in parts[0]
    climbs = ".." in parts
    return is_absolute or climbs
