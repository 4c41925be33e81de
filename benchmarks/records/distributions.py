"""Which installed distribution a module comes from, and in which version."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

N_ENTRIES = 64  # of Python's path that are remembered


def distributions_by_module() -> Mapping[str, list[str]]:
    """The names of the distributions that have installed each top-level module.

    As `importlib.metadata.packages_distributions`, which reads all metadata on each call: here a
    directory on Python's path is read again only when it has changed.
    """
    owners: dict[str, list[str]] = {}
    for installed in _list_installed():
        for module in installed.modules:
            owners.setdefault(module, []).append(installed.name)
    return owners


def version_of(distribution: str) -> str:
    """The version of the distribution of this name; "" if it is not installed."""
    wanted = _normalise(distribution)
    for installed in _list_installed():
        if _normalise(installed.name) == wanted:
            return installed.version
    return ""


@dataclass(frozen=True)
class Installed:
    """A distribution: its name, its version, and the top-level modules that it has installed."""

    name: str
    version: str
    modules: tuple[str, ...]


def _list_installed() -> Iterator[Installed]:
    """What is installed, in the order of Python's path."""
    for entry in sys.path:
        yield from _read_entry(entry, _time_of_change(entry))


@lru_cache(maxsize=N_ENTRIES)
def _read_entry(entry: str, changed: int) -> tuple[Installed, ...]:
    """The distributions in a directory on Python's path, which has changed last at `changed`."""
    found = []
    for distribution in metadata.distributions(path=[entry]):
        described = distribution.metadata  # parsed again on each access
        name = described["Name"]
        if name is not None:  # else only a rest of what was removed
            found.append(Installed(name, described["Version"] or "", _list_modules(distribution)))
    return tuple(found)


def _list_modules(distribution: metadata.Distribution) -> tuple[str, ...]:
    """The top-level modules, as declared or, without a declaration, by the files in Python."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    if declared:
        return tuple(declared)

    files = [file for file in distribution.files or () if file.suffix == ".py"]
    names = [file.parts[0] if len(file.parts) > 1 else file.stem for file in files]
    return tuple(dict.fromkeys(names))


def _normalise(name: str) -> str:
    """As packages are compared: `scikit_learn` and `Scikit-Learn` are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _time_of_change(entry: str) -> int:
    """When something was last installed into a directory, or removed, in nanoseconds; else 0."""
    try:
        return Path(entry).stat().st_mtime_ns
    except OSError:
        return 0
