"""Parsed data sets as read-only, memory-mapped columns on disk, keyed by what they were made from."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.fetch import cache_directory
from datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Source

LAYOUT = 2  # raise it when the files below a cache entry change


def source(path: Path) -> Source:
    """`path` as a Source. Its sha256 is remembered in the cache until the file's size, time or inode changes."""
    status = path.stat()
    signature = [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    name = hashlib.sha256(json.dumps(signature).encode()).hexdigest()[:24]
    remembered = cache_directory() / "digests" / name
    if not remembered.exists():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        write_atomically(remembered, digest.encode())
    return Source(path.name, remembered.read_text(), status.st_size)


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, sync and rename, so that nobody ever reads a half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
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
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock `path`; whoever else wants it waits. The lock dies with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(name: str, sources: list[Path], parameters: Mapping[str, Any], parse: Callable[[], Dataset]) -> Dataset:
    """The data set `parse()` makes from `sources`, from the cache if the same bytes were parsed before.

    The key covers the sources' sha256, `parameters` (which must name the parser's version) and this layout; a
    failed parse leaves nothing behind.
    """
    digests = [source(path) for path in sources]
    fixed = [LAYOUT, name, sorted(parameters.items()), [digest.sha256 for digest in digests]]
    key = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:16]
    entry = cache_directory() / "datasets" / key
    if not entry.exists():
        with locked(entry.with_suffix(".lock")):
            if not entry.exists():
                dataset = parse()
                provenance = replace(dataset.provenance, sources=tuple(digests))
                save(replace(dataset, provenance=provenance), entry)
    return reopen(entry)


def save(dataset: Dataset, entry: Path) -> None:
    """Write `dataset` to the new directory `entry`, all at once or not at all."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".", suffix=".tmp"))
    try:
        for column, values in _columns(dataset).items():
            np.save(temporary / f"{column}.npy", values, allow_pickle=False)
        about = {
            "name": dataset.name,
            "shape": [dataset.ratings.n_users, dataset.ratings.n_items],
            "scale": dataset.ratings.scale,
            "digest": dataset.digest,
            "catalogue": asdict(dataset.catalogue),
            "splits": {name: len(folds) for name, folds in dataset.splits.items()},
            "user_facts": list(dataset.user_facts),
            "provenance": asdict(dataset.provenance),
        }
        (temporary / "about.json").write_text(json.dumps(about))
        temporary.replace(entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


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


def reopen(entry: Path) -> Dataset:
    """The data set saved in `entry`; its columns are memory-mapped, so processes share their pages."""
    about = json.loads((entry / "about.json").read_text())
    columns = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in entry.glob("*.npy")}
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
        {name: tuple(columns[f"split {name} {k}"] for k in range(n)) for name, n in about["splits"].items()},
        {name: columns[f"user {name}"] for name in about["user_facts"]},
        columns.get("truth"),
        entry,
    )
    dataset.__dict__["digest"] = about["digest"]  # computed when it was saved; the columns are read-only
    return dataset
