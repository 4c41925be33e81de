"""What the files of a run are called, and what a run killed while it wrote has left of them."""

import re
from pathlib import Path

from recbench.datasets.storage import temporary_pattern

NAMES = re.compile(
    r"(?:plan|profile|examples|tuning)\.json|results\.csv|report\.(?:md|html|sha256)"
)
# By folder, in the results directory
NAMES_BELOW = {
    "records": re.compile(r"[^/]+-[0-9a-f]{12}\.(?:json|npz)"),
    "tuning": re.compile(r"plan\.json"),
    "tuning/records": re.compile(r"[^/]+-[0-9a-f]{12}\.(?:json|npz)"),
    "figures": re.compile(r"[\w.@-]+\.(?:svg|png)", re.ASCII),
    "tables": re.compile(r"[\w.@-]+\.tex", re.ASCII),
}


def find_leftovers(directory: Path) -> list[Path]:
    """Temporary files that a run killed while it wrote has left in its results directory.

    They are called like a file of a run, with what `write_atomically` adds; anything else is
    somebody else's.
    """
    leftovers = _find_temporary_files(directory, NAMES)
    for name, names in NAMES_BELOW.items():
        folder = directory / name
        if not folder.is_symlink():
            leftovers += _find_temporary_files(folder, names)
    return leftovers


def _find_temporary_files(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """The temporary files in `folder` of files whose names match; links are left out."""
    temporary_name = temporary_pattern(names)
    candidates = [path for path in folder.glob(".*.tmp") if temporary_name.fullmatch(path.name)]
    return [path for path in candidates if path.is_file() and not path.is_symlink()]
