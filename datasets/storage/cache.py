"""Parsed data sets as read-only, memory-mapped columns on disk, keyed by what they were made from."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
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

LAYOUT = 3  # raise it when the files below a cache entry change
SETTLED_NS = 2_000_000_000  # a file that changed less than this ago may change again without its time showing it


class Damaged(UsageError):
    """A cache entry whose files are missing, truncated or no longer what they were."""


def describe_source(path: Path) -> Source:
    """`path` as a Source. Its sha256 is remembered in the cache until the file's size, times or inode change.

    The change time (ctime) cannot be set back by hand, so restoring size and modification time deceives nobody.
    """
    status = path.stat()
    signature = [
        str(path.resolve()),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ]
    name = hashlib.sha256(json.dumps(signature).encode()).hexdigest()[:24]
    remembered = cache_directory() / "digests" / name
    digest = remembered.read_text() if remembered.exists() else ""
    if len(digest) != 64:
        settled = time.time_ns() - status.st_ctime_ns > SETTLED_NS
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if settled:
            write_atomically(remembered, digest.encode())
    return Source(path.name, digest, status.st_size)


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, sync and rename, so that nobody ever reads a half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def hold_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the advisory lock `path`; whoever else wants it waits. The lock dies with its process.

    BlockingIOError if another process holds it and this one does not want to `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def load_cached(
    name: str, sources: list[Path], parameters: Mapping[str, Any], parse: Callable[[], Dataset]
) -> Dataset:
    """The data set `parse()` makes from `sources`, from the cache if the same bytes were parsed before.

    Film overviews in the data directory are attached to every data set that wants them. The key covers names and
    sha256 of all of these files, `parameters` (which must name the parser's version) and this layout. A failed
    parse leaves nothing behind, a damaged entry is made again, and a source that changes while it is read is a
    UsageError.
    """
    extra = overviews.find_overviews_file()
    files = [*sources, *([extra] if extra else [])]
    digests = [describe_source(path) for path in files]
    about_files = [(digest.file, digest.sha256) for digest in digests]
    fixed = [LAYOUT, overviews.PARSER, name, sorted(parameters.items()), len(sources), about_files]
    key = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:16]
    entry = cache_directory() / "datasets" / key
    with suppress(FileNotFoundError, Damaged):
        return reopen_entry(entry)
    with hold_lock(entry.with_suffix(".lock")):
        with suppress(FileNotFoundError, Damaged):
            return reopen_entry(entry)  # somebody else made it in the meantime
        for leftover in (
            entry,
            *entry.parent.glob(f".{key}.*.tmp"),
        ):  # nobody else writes here under this lock
            if is_cache_entry(leftover):
                discard_entry(leftover)
        if entry.exists() or entry.is_symlink():
            raise UsageError(
                f"{entry} is in the way: it holds files that this bench has not written. Move it away, or keep "
                "parsed data elsewhere (RECBENCH_CACHE)."
            )
        parsed = parse()
        dataset = overviews.attach_overviews(parsed)
        used = digests if dataset is not parsed else digests[: len(sources)]
        changed = [
            path
            for path, digest in zip(files, digests, strict=True)
            if describe_source(path) != digest
        ]
        if changed:
            raise UsageError(
                f"{changed[0]} changed while it was read. Run the same command again when it is complete."
            )
        save_entry(
            replace(dataset, provenance=replace(dataset.provenance, sources=tuple(used))), entry
        )
        del parsed, dataset  # their memory, before the same is mapped again
        return reopen_entry(entry)


def discard_entry(directory: Path) -> None:
    """Remove an entry that is the bench's own; others who may be opening it find all of it or nothing."""
    with suppress(FileNotFoundError):
        if not directory.name.endswith(".tmp"):
            directory = directory.rename(
                directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
            )
        remove_own_files(directory, ENTRY_FILES)


def save_entry(dataset: Dataset, entry: Path) -> None:
    """Write `dataset` to the new directory `entry`, all at once or not at all."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=entry.parent, prefix=f".{entry.name}.", suffix=".tmp"))
    try:
        mark_directory(temporary)
        sizes = {}
        for column, values in _columns(dataset).items():
            sizes[column] = _write_column(temporary / f"{column}.npy", values)
        about = {
            "columns": sizes,
            "name": dataset.name,
            "shape": [dataset.ratings.n_users, dataset.ratings.n_items],
            "scale": dataset.ratings.scale,
            "digest": dataset.digest,
            "catalogue": asdict(dataset.catalogue),
            "splits": {name: len(folds) for name, folds in dataset.splits.items()},
            "user_facts": list(dataset.user_facts),
            "provenance": asdict(dataset.provenance),
        }
        write_atomically(temporary / "about.json", json.dumps(about).encode())
        temporary.chmod(0o755)
        temporary.replace(entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_column(path: Path, values: NDArray[Any]) -> int:
    """Write a column to the disk itself, so that a power cut cannot leave a hole in an entry; its size in bytes."""
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _columns(dataset: Dataset) -> dict[str, NDArray[Any]]:
    ratings = dataset.ratings
    columns = {
        "users": ratings.users,
        "items": ratings.items,
        "values": ratings.values,
        "times": ratings.times,
    }
    columns |= {"user_ids": dataset.user_ids, "item_ids": dataset.item_ids, "truth": dataset.truth}
    for name, folds in dataset.splits.items():
        columns |= {f"split {name} {fold}": rows for fold, rows in enumerate(folds)}
    columns |= {f"user {name}": column for name, column in dataset.user_facts.items()}
    return {name: column for name, column in columns.items() if column is not None}


def reopen_entry(entry: Path) -> Dataset:
    """The data set saved in `entry`; its columns are memory-mapped, so processes share their pages.

    FileNotFoundError if there is no such entry; Damaged if it is not what was saved.
    """
    if not entry.is_dir():
        raise FileNotFoundError(entry)
    try:
        return _reopen(entry)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{entry} is damaged ({error!r}). Run the command again, or: "
            f"{command_to_type('datasets')} cache --clear"
        ) from None


def _reopen(entry: Path) -> Dataset:
    about = json.loads((entry / "about.json").read_text())
    columns = {}
    for name, n_bytes in about["columns"].items():
        if not (isinstance(name, str) and COLUMN.fullmatch(name)):
            raise ValueError(f"{name!r} is no column")
        path = entry / f"{name}.npy"
        if path.stat().st_size != n_bytes:
            raise ValueError(
                f"expected {n_bytes:,} bytes in {path.name}, got {path.stat().st_size:,}"
            )
        columns[name] = np.load(path, mmap_mode="r", allow_pickle=False)
    n_users, n_items = about["shape"]
    catalogue = about["catalogue"]
    dataset = Dataset(
        about["name"],
        Ratings(
            columns["users"],
            columns["items"],
            columns["values"],
            n_users,
            n_items,
            tuple(about["scale"]),
            columns.get("times"),
        ),
        Catalogue(
            tuple(catalogue["titles"]),
            tuple(catalogue["years"]),
            tuple(map(tuple, catalogue["genres"])),
            tuple(catalogue["overviews"]),
        ),
        columns["user_ids"],
        columns["item_ids"],
        Provenance.from_json(about["provenance"]),
        {
            name: tuple(columns[f"split {name} {k}"] for k in range(n))
            for name, n in about["splits"].items()
        },
        {name: columns[f"user {name}"] for name in about["user_facts"]},
        columns.get("truth"),
        entry,
    )
    dataset.__dict__["digest"] = about[
        "digest"
    ]  # computed when it was saved; the columns are read-only
    return dataset
