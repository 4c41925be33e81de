"""What the files of a run are called, and what a run killed while it wrote has left of them."""

import re
from pathlib import Path

from recbench.datasets.storage import temporary_pattern

MADE = re.compile(r"(?:plan|profile|examples)\.json|results\.csv|report\.(?:md|html|sha256)")
NAMES_BELOW = {
    "records": re.compile(r"[^/]+-[0-9a-f]{12}\.(?:json|npz)"),
    "figures": re.compile(r"[\w.@-]+\.(?:svg|png)", re.ASCII),
    "tables": re.compile(r"[\w.@-]+\.tex", re.ASCII),
}


def find_leftovers(directory: Path) -> list[Path]:
    """Temporary files that a run killed while it wrote has left in its results directory.

    They are called like a file of a run, with what `write_atomically` adds; anything else is somebody else's.
    """
    found = _temporary_files(directory, MADE)
    for name, made in NAMES_BELOW.items():
        if not (directory / name).is_symlink():
            found += _temporary_files(directory / name, made)
    return found


def _temporary_files(folder: Path, made: re.Pattern[str]) -> list[Path]:
    half = temporary_pattern(made)
    inside = [path for path in folder.glob(".*.tmp") if half.fullmatch(path.name)]
    return [path for path in inside if path.is_file() and not path.is_symlink()]
