"""What the cache holds, and how it is emptied."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datasets.cache import Damaged, discard, locked, reopen
from datasets.fetch import cache_directory


@dataclass(frozen=True)
class Entry:
    """A cache entry as it is listed."""

    path: Path
    name: str  # of the data set, or "(damaged)", or "(unfinished)" while it is written or after a crash
    n_ratings: int
    n_bytes: int


def entries() -> list[Entry]:
    """What is in the cache, by name."""
    found = []
    for path in sorted((cache_directory() / "datasets").glob("*/")):
        n_bytes = sum(file.stat().st_size for file in path.rglob("*"))
        try:
            dataset = reopen(path)
            found.append(Entry(path, dataset.name, len(dataset.ratings), n_bytes))
        except (Damaged, FileNotFoundError):
            found.append(Entry(path, "(unfinished)" if path.suffix == ".tmp" else "(damaged)", 0, n_bytes))
    return sorted(found, key=lambda entry: entry.name)


def clear() -> int:
    """Remove all entries but those that are being written, and the remembered checksums; the bytes that this freed.

    Processes that have an entry open keep it until they end.
    """
    freed = 0
    for entry in entries():
        key = entry.path.name.removeprefix(".").partition(".")[0]
        with suppress(BlockingIOError), locked(entry.path.with_name(f"{key}.lock"), wait=False):
            discard(entry.path)
            freed += entry.n_bytes
    shutil.rmtree(cache_directory() / "digests", ignore_errors=True)
    return freed
