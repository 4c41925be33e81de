"""What the cache holds, and how it is emptied."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recbench.datasets.storage.cache import Damaged, discard_entry, hold_lock, reopen_entry
from recbench.datasets.storage.fetch import cache_directory
from recbench.datasets.storage.kept_frames import (
    list_frames,
    list_strange_files,
    name_of_frame,
    remove_frames,
)
from recbench.datasets.storage.markers import is_cache_entry, temporary_pattern

NOTE = re.compile(r"[0-9a-f]{24}")  # what a remembered checksum is called
CHECKSUM = re.compile(rb"[0-9a-f]{64}")
HALF_A_NOTE = temporary_pattern(NOTE)


@dataclass(frozen=True)
class CacheEntry:
    """A parsed data set or a kept DataFrame, as it is listed."""

    path: Path
    # Of the data set, or "(damaged)", or "(unfinished)" while it is written or after a crash.
    name: str
    n_ratings: int | None  # None for a DataFrame, which is not read to be listed
    n_bytes: int


@dataclass(frozen=True)
class Cleared:
    """What clearing the cache has done.

    The bytes that it freed, and what it left because it is not the bench's.
    """

    n_bytes: int
    left: list[Path]


def list_entries() -> list[CacheEntry]:
    """What the cache holds, sorted by name: parsed data sets, damaged ones too, and DataFrames.

    Nothing that is not the bench's own.
    """
    entries = _list_parsed()
    for path in list_frames():
        name = f"{name_of_frame(path)} (DataFrame)"
        entries.append(CacheEntry(path, name, None, path.stat().st_size))
    return sorted(entries, key=lambda entry: entry.name)


def _list_parsed() -> list[CacheEntry]:
    """The parsed data sets of the cache, in whatever state each is."""
    directories = sorted((cache_directory() / "datasets").glob("*/"))
    return [_describe_entry(path) for path in directories if is_cache_entry(path)]


def _describe_entry(path: Path) -> CacheEntry:
    """The entry in the directory `path`, in whatever state it is."""
    n_bytes = sum(file.stat().st_size for file in path.iterdir())
    try:
        dataset = reopen_entry(path, is_checked=True)  # its columns are not read for a list
    except (Damaged, FileNotFoundError):
        name = "(unfinished)" if path.suffix == ".tmp" else "(damaged)"
        return CacheEntry(path, name, 0, n_bytes)
    return CacheEntry(path, dataset.name, len(dataset.ratings), n_bytes)


def clear_cache() -> Cleared:
    """Remove all entries but those that are being written, DataFrames, and remembered checksums.

    Nothing goes that is not the bench's own by name and mark, or by the exact form that earlier
    versions wrote. Processes that have an entry open keep it until they end.
    """
    freed_bytes = 0
    for entry in _list_parsed():
        # KEY is a finished entry, .KEY.abc123.tmp an unfinished one: KEY.lock is that of both.
        key = entry.path.name.removeprefix(".").partition(".")[0]
        lock = entry.path.with_name(f"{key}.lock")

        # Whoever writes an entry holds its lock, and then it stays.
        with suppress(BlockingIOError), hold_lock(lock, wait=False):
            # Between listing and locking, somebody may have removed it or put something there.
            if is_cache_entry(entry.path):
                discard_entry(entry.path)
                freed_bytes += entry.n_bytes

    freed_bytes += remove_frames()
    _forget_checksums()
    return Cleared(freed_bytes, list_strangers())


def list_strangers() -> list[Path]:
    """What lies in the cache and the bench has not written.

    That is directories among the entries, and anything among the checksums and the DataFrames.
    """
    directories = (cache_directory() / "datasets").glob("*/")
    among_entries = [path for path in directories if not is_cache_entry(path)]

    notes = (cache_directory() / "digests").glob("*")
    among_notes = [path for path in notes if not _is_note(path)]
    return sorted([*among_entries, *among_notes, *list_strange_files()])


def _forget_checksums() -> None:
    """Remove the remembered checksums, and their directory if nothing else is in it."""
    directory = cache_directory() / "digests"
    for path in directory.glob("*"):
        if _is_note(path):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # it holds something else, is a link, or is not there
        directory.rmdir()


def _is_note(path: Path) -> bool:
    """Whether `path` is a remembered checksum: so called, with a checksum or nothing in it."""
    is_named_so = NOTE.fullmatch(path.name) or HALF_A_NOTE.fullmatch(path.name)
    if not is_named_so or path.is_symlink() or not path.is_file():
        return False

    # One byte more than a checksum has, so that anything longer is told from it.
    with path.open("rb") as file:
        start = file.read(65)
    is_empty = not start
    return is_empty or CHECKSUM.fullmatch(start) is not None
