"""Which installed distribution a module comes from."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path


def distributions_by_module() -> Mapping[str, list[str]]:
    """The names of the distributions that have installed each top-level module.

    To find out, the metadata of all that is installed are read, which takes a third of a second: it
    is done again only when Python's path, or a directory on it, has changed.
    """
    return _read_distributions(tuple((entry, _time_of_change(entry)) for entry in sys.path))


@lru_cache(maxsize=1)
def _read_distributions(path: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """The same, read from disk; `path` is Python's, and when each entry has changed last."""
    return packages_distributions()


def _time_of_change(entry: str) -> int:
    """When something was last installed into a directory, or removed, in nanoseconds; else 0."""
    try:
        return Path(entry).stat().st_mtime_ns
    except OSError:
        return 0
