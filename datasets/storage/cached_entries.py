"""What the cache holds, and how it is emptied."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recbench.datasets.storage.cache import Damaged, discard_entry, hold_lock, reopen_entry
from recbench.datasets.storage.fetch import cache_directory
from recbench.datasets.storage.markers import is_cache_entry, temporary_pattern

NOTE = re.compile(r"[0-9a-f]{24}")  # what a remembered checksum is called
CHECKSUM = re.compile(rb"[0-9a-f]{64}")
HALF_A_NOTE = temporary_pattern(NOTE)


@dataclass(frozen=True)
class CacheEntry:
    """A cache entry as it is listed."""

    path: Path
    name: str  # of the data set, or "(damaged)", or "(unfinished)" while it is written or after a crash
    n_ratings: int
    n_bytes: int


@dataclass(frozen=True)
class Cleared:
    """What clearing the cache has done: the bytes that it freed, and what it left because it is not the bench's."""

    n_bytes: int
    left: list[Path]


def list_entries() -> list[CacheEntry]:
    """What is in the cache, by name; nothing that is not the bench's own."""
    found = []
    for path in sorted((cache_directory() / "datasets").glob("*/")):
        if not is_cache_entry(path):
            continue
        n_bytes = sum(file.stat().st_size for file in path.iterdir())
        try:
            dataset = reopen_entry(path)
            found.append(CacheEntry(path, dataset.name, len(dataset.ratings), n_bytes))
        except (Damaged, FileNotFoundError):
            found.append(
                CacheEntry(
                    path, "(unfinished)" if path.suffix == ".tmp" else "(damaged)", 0, n_bytes
                )
            )
    return sorted(found, key=lambda entry: entry.name)


def clear_cache() -> Cleared:
    """Remove all entries but those that are being written, and the remembered checksums.

    Nothing goes that is not the bench's own by name and mark, or by the exact form that earlier versions wrote.
    Processes that have an entry open keep it until they end.
    """
    freed = 0
    for entry in list_entries():
        key = entry.path.name.removeprefix(".").partition(".")[0]
        with suppress(BlockingIOError), hold_lock(entry.path.with_name(f"{key}.lock"), wait=False):
            if is_cache_entry(entry.path):
                discard_entry(entry.path)
                freed += entry.n_bytes
    _forget_checksums()
    return Cleared(freed, list_strangers())


def list_strangers() -> list[Path]:
    """Directories among the cache's entries, and anything among its checksums, that the bench has not written."""
    among_entries = [
        path for path in (cache_directory() / "datasets").glob("*/") if not is_cache_entry(path)
    ]
    among_notes = [path for path in (cache_directory() / "digests").glob("*") if not _is_note(path)]
    return sorted([*among_entries, *among_notes])


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
    named = NOTE.fullmatch(path.name) or HALF_A_NOTE.fullmatch(path.name)
    if not named or path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(65)
    return not start or CHECKSUM.fullmatch(start) is not None
