"""Parsed data sets as read-only, memory-mapped columns on disk, keyed by what made them."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Source
from recbench.datasets.storage import overviews
from recbench.datasets.storage.fetch import cache_directory
from recbench.datasets.storage.markers import (
    COLUMN,
    ENTRY_FILES,
    is_cache_entry,
    mark_directory,
    remove_own_files,
)

ENTRY_FORMAT = 4  # raise it when the files below a cache entry change
# A file that changed less than this ago may change again without its time showing it.
SETTLED_NS = 2_000_000_000
DIGEST_LENGTH = 64  # hexadecimal digits of a sha256
BLOCK_BYTES = 1 << 22  # small enough for the processor's cache
CHECKSUM = "sha256"  # the entry of a description that holds the sum of all its others

# From a file of overviews and what was parsed: the same with overviews, or itself.
JoinOverviews = Callable[[Path, Dataset], Dataset]

# Whoever runs a command is told on standard error; a program may listen or not.
LOGGER = logging.getLogger(__name__)

# Entries that this process has checked, with what changes when one of their files does.
_checked_entries: set[tuple[Path, tuple[tuple[int, ...], ...]]] = set()


class Damaged(UsageError):
    """A cache entry whose files are missing, truncated or no longer what they were."""

    def __init__(self, entry: Path, error: Exception) -> None:
        self.problem = f"{entry} is damaged, or is not what the bench wrote there ({error})"
        super().__init__(
            f"{self.problem}. Run the command again, or: {command_to_type('datasets')} cache "
            "--clear"
        )


def describe_source(path: Path) -> Source:
    """The name, sha256 and size of the file at `path`.

    The sha256 is remembered in the cache until the file's size, times or inode change. The change
    time (ctime) cannot be set back by hand, so restoring size and modification time deceives
    nobody.
    """
    # What changes when the file does.
    status = path.stat()
    signature = [
        str(path.resolve()),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ]
    name = hashlib.sha256(json.dumps(signature).encode()).hexdigest()[:24]

    # A note of another length was cut off, and counts as none.
    remembered = cache_directory() / "digests" / name
    digest = remembered.read_text() if remembered.exists() else ""
    if len(digest) == DIGEST_LENGTH:
        return Source(path.name, digest, status.st_size)

    # Asked before the file is read: it may change while that goes on.
    is_settled = time.time_ns() - status.st_ctime_ns > SETTLED_NS
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if is_settled:
        write_atomically(remembered, digest.encode())
    return Source(path.name, digest, status.st_size)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, so that nobody ever reads a half-written file.

    It goes to a temporary file beside `path`, which is synced and renamed. OSError if it cannot
    be written; then nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                # The system names no file, or the temporary one, which nobody knows.
                error.filename = str(path)
                error.filename2 = None
            raise


@contextmanager
def hold_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the advisory lock `path`; whoever else wants it waits. The lock dies with its process.

    BlockingIOError if another process holds it and this one does not want to `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = fcntl.LOCK_EX
    if not wait:
        mode |= fcntl.LOCK_NB

    # Closing the file gives the lock back.
    with path.open("a") as file:
        fcntl.flock(file, mode)
        yield


def load_cached(
    name: str,
    sources: list[Path],
    parameters: Mapping[str, Any],
    parse: Callable[[], Dataset],
    join_overviews: JoinOverviews | None = None,
) -> Dataset:
    """The data set `parse()` makes from `sources`; from the cache if it was made from them before.

    `join_overviews`, such as `attach_overviews`, joins the film overviews in the data directory, if
    there are any, to what was parsed. The key covers names and sha256 of all of these files,
    `parameters` (which must name the parser's version) and `ENTRY_FORMAT`. A failed parse leaves
    nothing behind. An entry that is damaged, or is not what was saved there, is made again, and a
    warning says so. UsageError if a source changes while it is read, or if something that the bench
    has not written lies where the entry belongs.
    """
    files = list(sources)
    overviews_file = overviews.find_overviews_file() if join_overviews else None
    if overviews_file:
        files.append(overviews_file)
    digests = [describe_source(path) for path in files]

    # Everything that fixes what is parsed; the entry's name is a hash of it.
    about_files = [(digest.file, digest.sha256) for digest in digests]
    fixed = [
        ENTRY_FORMAT,
        overviews.PARSER,
        name,
        sorted(parameters.items()),
        len(sources),
        about_files,
    ]
    key = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:16]
    entry = cache_directory() / "datasets" / key

    with suppress(FileNotFoundError, Damaged):
        return reopen_entry(entry)
    with hold_lock(entry.with_suffix(".lock")):
        # Somebody else may have made it in the meantime.
        try:
            return reopen_entry(entry)
        except FileNotFoundError:
            pass
        except Damaged as damage:
            names = ", ".join(map(str, sources))
            LOGGER.warning("%s: it is made again from %s", damage.problem, names)
        _clear_way(entry)
        _make_entry(entry, files, digests, len(sources), parse, join_overviews)
        return reopen_entry(entry)


def _clear_way(entry: Path) -> None:
    """Discard what is left of `entry`, whose lock is held. UsageError if it is not the bench's."""
    unfinished = entry.parent.glob(f".{entry.name}.*.tmp")
    for leftover in (entry, *unfinished):
        if is_cache_entry(leftover):
            discard_entry(leftover)

    if entry.exists() or entry.is_symlink():
        raise UsageError(
            f"{entry} is in the way: it holds files that this bench has not written. Move it away, "
            "or keep parsed data elsewhere (RECBENCH_CACHE)."
        )


def _make_entry(
    entry: Path,
    files: list[Path],
    digests: list[Source],
    n_sources: int,
    parse: Callable[[], Dataset],
    join_overviews: JoinOverviews | None,
) -> None:
    """Parse and save the data set; its memory is free again afterwards.

    `files` are its `n_sources` sources, and behind them the overviews if there are any; `digests`
    is what they were before. UsageError if one has changed.
    """
    parsed = parse()
    dataset = parsed
    if join_overviews is not None and len(files) > n_sources:
        dataset = join_overviews(files[-1], parsed)
    has_overviews = dataset is not parsed
    used = digests if has_overviews else digests[:n_sources]

    # What was parsed must be what the entry's name says.
    for path, digest in zip(files, digests, strict=True):
        if describe_source(path) != digest:
            raise UsageError(
                f"{path} changed while it was read. Run the same command again when it is complete."
            )

    provenance = replace(dataset.provenance, sources=tuple(used))
    save_entry(replace(dataset, provenance=provenance), entry)


def discard_entry(directory: Path) -> None:
    """Remove an entry of the bench's own; who is opening it finds all of it or nothing."""
    with suppress(FileNotFoundError):  # somebody else was faster
        # Renamed first, which is done at once; then its files go one after the other.
        if not directory.name.endswith(".tmp"):
            unfinished = directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
            directory = directory.rename(unfinished)
        remove_own_files(directory, ENTRY_FILES)


def save_entry(dataset: Dataset, entry: Path) -> None:
    """Write `dataset` to the new directory `entry`, all at once or not at all."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=entry.parent, prefix=f".{entry.name}.", suffix=".tmp"))
    try:
        mark_directory(temporary)

        # Sizes are kept, so that a column that was cut off is known when it is opened.
        bytes_by_column = {
            column: _write_column(temporary / f"{column}.npy", values)
            for column, values in _columns_of(dataset).items()
        }
        checksums = {column: _sum_up(temporary / f"{column}.npy") for column in bytes_by_column}
        about = {
            "columns": bytes_by_column,
            "checksums": checksums,
            "name": dataset.name,
            "shape": [dataset.ratings.n_users, dataset.ratings.n_items],
            "scale": dataset.ratings.scale,
            "digest": dataset.digest,
            "catalogue": asdict(dataset.catalogue),
            "splits": {name: len(folds) for name, folds in dataset.splits.items()},
            "user_facts": list(dataset.user_facts),
            "provenance": asdict(dataset.provenance),
            "feedback": dataset.feedback,
        }
        # Read again, since JSON knows no tuples.
        about[CHECKSUM] = sum_up_description(json.loads(json.dumps(about)))
        write_atomically(temporary / "about.json", json.dumps(about).encode())

        # mkdtemp made it for its owner only, and others may share the cache.
        temporary.chmod(0o755)
        temporary.replace(entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_column(path: Path, values: NDArray[Any]) -> int:
    """Write a column to the disk itself; its size in bytes.

    So a power cut cannot leave a hole in an entry.
    """
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _columns_of(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """The arrays of `dataset` by the names of their files; those that it does not have left out."""
    columns = {
        "users": dataset.ratings.users,
        "items": dataset.ratings.items,
        "values": dataset.ratings.values,
        "times": dataset.ratings.times,
        "user_ids": dataset.user_ids,
        "item_ids": dataset.item_ids,
        "truth": dataset.truth,
    }
    for name, folds in dataset.splits.items():
        for fold, rows in enumerate(folds):
            columns[f"split {name} {fold}"] = rows

    for name, facts in dataset.user_facts.items():
        columns[f"user {name}"] = facts

    return {name: column for name, column in columns.items() if column is not None}


def reopen_entry(entry: Path, *, is_checked: bool = False) -> Dataset:
    """The data set saved in `entry`; its columns are memory-mapped, so processes share their pages.

    FileNotFoundError if there is no such entry; Damaged if it is not, to the bit, what was saved.
    Columns are read for that when a process first opens an entry, and when a file of it has changed
    since, unless `is_checked` says that the process that names the entry has done it.
    """
    if not entry.is_dir():
        raise FileNotFoundError(entry)
    try:
        dataset = _read_entry(entry)
        if not is_checked:
            _check_columns(entry)
        return dataset
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(entry, error) from None


def check_entry(entry: Path) -> None:
    """Damaged unless the columns in `entry` are what was saved, whoever has looked before."""
    _checked_entries.clear()
    reopen_entry(entry)


def _check_columns(entry: Path) -> None:
    """ValueError, with its name, for a column that is not what was saved.

    The sums are fast. They find accidents and edits, and no forger who writes new sums too.
    """
    about = _read_description(entry)
    paths = {name: entry / f"{name}.npy" for name in sorted(about["columns"])}
    statuses = [path.stat() for path in (entry / "about.json", *paths.values())]
    signature = tuple(
        (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for status in statuses
    )
    if (entry, signature) in _checked_entries:
        return

    for name, path in paths.items():
        if _sum_up(path) != about["checksums"][name]:
            raise ValueError(f"the values in {path.name} have changed since they were parsed")
    _checked_entries.add((entry, signature))


def _sum_up(path: Path) -> str:
    """The CRC-32 of a file, in hexadecimal digits; half a gigabyte takes some .2 s."""
    total = 0
    block = bytearray(BLOCK_BYTES)
    view = memoryview(block)
    with path.open("rb", buffering=0) as file:
        while n_read := file.readinto(block):
            total = zlib.crc32(view[:n_read], total)
    return f"{total:08x}"


def sum_up_description(about: Mapping[str, Any]) -> str:
    """The sha256 of what a description says, but for the sum itself."""
    others = {name: value for name, value in about.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def _read_description(entry: Path) -> dict[str, Any]:
    """What about.json in `entry` says. ValueError if it is not what was saved."""
    about = parse_json((entry / "about.json").read_bytes())
    if not isinstance(about, dict) or about.get(CHECKSUM) != sum_up_description(about):
        raise ValueError("about.json has changed since it was written")
    return about


def _read_entry(entry: Path) -> Dataset:
    """As `reopen_entry`, with whatever error a damaged entry causes."""
    about = _read_description(entry)
    columns = {
        name: _map_column(entry, name, n_bytes) for name, n_bytes in about["columns"].items()
    }

    n_users, n_items = about["shape"]
    ratings = Ratings(
        columns["users"],
        columns["items"],
        columns["values"],
        n_users,
        n_items,
        tuple(about["scale"]),
        columns.get("times"),
    )
    catalogue = Catalogue(
        tuple(about["catalogue"]["titles"]),
        tuple(about["catalogue"]["years"]),
        tuple(map(tuple, about["catalogue"]["genres"])),
        tuple(about["catalogue"]["overviews"]),
    )
    splits = {
        name: tuple(columns[f"split {name} {fold}"] for fold in range(n_folds))
        for name, n_folds in about["splits"].items()
    }
    user_facts = {name: columns[f"user {name}"] for name in about["user_facts"]}
    dataset = Dataset(
        about["name"],
        ratings,
        catalogue,
        columns["user_ids"],
        columns["item_ids"],
        Provenance.from_json(about["provenance"]),
        splits,
        user_facts,
        columns.get("truth"),
        entry,
        about.get("feedback", "explicit"),  # entries that earlier versions wrote do not say it
    )
    # It was computed when the entry was saved, and the columns are read-only.
    dataset.__dict__["digest"] = about["digest"]
    return dataset


def _map_column(entry: Path, name: str, n_bytes: int) -> NDArray[Any]:
    """The column `name` of an entry. ValueError if it cannot be one, or has another size."""
    # The name comes from a file, and must not lead elsewhere.
    if not (isinstance(name, str) and COLUMN.fullmatch(name)):
        raise ValueError(f"{name!r} is no column")

    path = entry / f"{name}.npy"
    actual_bytes = path.stat().st_size
    if actual_bytes != n_bytes:
        raise ValueError(f"expected {n_bytes:,} bytes in {path.name}, got {actual_bytes:,}")

    column: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return column
