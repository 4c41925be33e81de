"""Which directories are the bench's own, so that nothing of anybody else's is ever removed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recbench.datasets.foundation import parse_json

MARK = "RECBENCH.TAG"
SIGNATURE = (
    b"recbench made this directory and may remove it. "
    b"Whoever puts a file of their own here keeps it.\n"
)
COLUMN = re.compile(
    r"users|items|values|times|user_ids|item_ids|truth|split [^/\\]+ \d+|user [^/\\]+"
)
ENTRY_FILES = re.compile(rf"about\.json|(?:{COLUMN.pattern})\.npy")  # of a cache entry
EARLY_KEYS = {"columns", "provenance", "digest"}  # of an entry's description, in all versions
# What cache entries are called, and unfinished ones.
ENTRY = re.compile(r"[0-9a-f]{16}|\.[0-9a-f]{16}\.[a-z0-9_]+\.tmp")


def temporary_pattern(ours: re.Pattern[str]) -> re.Pattern[str]:
    """What `write_atomically` calls the temporary files of those that are called `ours`."""
    return re.compile(rf"\.(?:{ours.pattern})\.[a-z0-9_]{{8}}\.tmp", ours.flags)


def mark_directory(directory: Path) -> None:
    """Say in the new `directory` that it is the bench's own, before anything else is written
    there.
    """
    (directory / MARK).write_bytes(SIGNATURE)


def is_marked(directory: Path) -> bool:
    """Whether `directory` itself, and not what a link leads to, carries the mark."""
    tag = directory / MARK
    if directory.is_symlink() or tag.is_symlink() or not tag.is_file():
        return False
    return tag.read_bytes() == SIGNATURE


def list_strangers(directory: Path, ours: re.Pattern[str]) -> Iterator[Path]:
    """What in `directory` is not the bench's: no plain file, or called by none of its names.

    Those are the mark, `ours`, and the temporary files of `ours`.
    """
    temporary = temporary_pattern(ours)
    for path in directory.iterdir():
        name = path.name
        is_named_so = name == MARK or ours.fullmatch(name) or temporary.fullmatch(name)
        is_plain_file = path.is_file() and not path.is_symlink()
        if not (is_named_so and is_plain_file):
            yield path


def remove_own_files(directory: Path, ours: re.Pattern[str]) -> None:
    """Remove the files of `directory` that are `ours`, and the directory if that is all.

    The mark goes last, and stays if something else is there.
    """
    strangers = set(list_strangers(directory, ours))
    for path in directory.iterdir():
        if path not in strangers and path.name != MARK:
            path.unlink(missing_ok=True)

    # Were the mark to go first, a crash would leave files that nobody may remove any more.
    if not strangers:
        (directory / MARK).unlink(missing_ok=True)
        with suppress(OSError):  # somebody has put something there in the meantime
            directory.rmdir()


def is_cache_entry(directory: Path) -> bool:
    """Whether `directory` is an entry of the cache, whole, damaged or unfinished, and holds nothing
    else.

    It is called like one and carries the bench's mark. One without a mark is either just begun, and
    empty, or made by an earlier version: then its description has the form that was written, and
    names exactly the columns there.
    """
    is_named_so = ENTRY.fullmatch(directory.name) is not None
    is_plain_directory = directory.is_dir() and not directory.is_symlink()
    if not (is_named_so and is_plain_directory):
        return False
    if any(list_strangers(directory, ENTRY_FILES)):
        return False

    if is_marked(directory):
        return True
    is_empty = not any(directory.iterdir())
    if is_empty:
        return directory.suffix == ".tmp"
    return _is_early_entry(directory)


def _is_early_entry(entry: Path) -> bool:
    """Whether `entry` is what versions without a mark have written.

    Then its `about.json` has the keys that they wrote, and names every column that is there.
    """
    try:
        about = parse_json((entry / "about.json").read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(about, dict) or not about.keys() >= EARLY_KEYS:
        return False

    described_columns = about["columns"]
    if not isinstance(described_columns, dict):
        return False
    columns = {path.stem for path in entry.glob("*.npy")}
    return columns <= described_columns.keys()
