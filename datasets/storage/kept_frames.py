"""Copies of DataFrames in the cache: files that are loaded like any other, named by their content.

A file is the bench's own if its name ends with the digest of what it holds: nobody else's file does
by chance, so none is ever removed.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recbench.datasets.storage.cache import write_atomically
from recbench.datasets.storage.fetch import cache_directory

FOLDER = "frames"  # below the cache directory
DIGITS = 12  # of the sha256 in a file's name
KEPT_FRAME = re.compile(rf"(?P<name>.+)-(?P<digest>[0-9a-f]{{{DIGITS}}})\.parquet")


def keep_parquet(name: str, content: bytes) -> Path:
    """The file in the cache that holds `content`, written unless it is there.

    It is called `name` with a digest of the content, so the same content has the same path.
    """
    digest = hashlib.sha256(content).hexdigest()[:DIGITS]
    path = cache_directory() / FOLDER / f"{name}-{digest}.parquet"
    if not path.is_file():
        write_atomically(path, content)
    return path


def name_of_frame(path: Path) -> str:
    """The name under which the frame at `path`, one of `list_frames`, was kept."""
    match = KEPT_FRAME.fullmatch(path.name)
    assert match is not None, "only kept frames are asked for their names"
    return match["name"]


def list_frames() -> list[Path]:
    """The kept frames, sorted by name. Nothing that is not the bench's own."""
    return [path for path in _list_folder() if _is_kept_frame(path)]


def list_strange_files() -> list[Path]:
    """What lies among the kept frames and is none, sorted."""
    return [path for path in _list_folder() if not _is_kept_frame(path)]


def remove_frames() -> int:
    """Remove the kept frames, and their folder if nothing else is in it; the bytes that it freed.

    Who keeps the same DataFrame again gets the same file back.
    """
    freed_bytes = 0
    for path in list_frames():
        n_bytes = path.stat().st_size
        path.unlink(missing_ok=True)
        freed_bytes += n_bytes

    with suppress(OSError):  # it holds something else, is a link, or is not there
        (cache_directory() / FOLDER).rmdir()
    return freed_bytes


def _list_folder() -> Iterator[Path]:
    """Whatever lies in the folder of the frames, sorted; nothing if a link leads elsewhere."""
    folder = cache_directory() / FOLDER
    if folder.is_dir() and not folder.is_symlink():
        yield from sorted(folder.iterdir())


def _is_kept_frame(path: Path) -> bool:
    """Whether `path` is a plain file whose name carries the digest of its content."""
    match = KEPT_FRAME.fullmatch(path.name)
    if match is None or path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest[:DIGITS] == match["digest"]
