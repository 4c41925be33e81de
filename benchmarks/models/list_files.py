"""The lists of all users as a file, written while they are made: a few users at a time."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from recbench.adapters.base import Indices
from recbench.benchmarks.models.model import Model, RecommendedLists
from recbench.datasets.foundation import pick_name

ENDINGS = (".csv", ".parquet")


def write_all_lists(
    model: Model,
    out: Path,
    n: int,
    *,
    barred: NDArray[np.bool_] | None = None,
    include_rated: bool = False,
) -> int:
    """Write the lists of all users to `out`, a CSV or Parquet file; how many lines there are.

    A line is a recommendation: user, rank (from 1), item, title, score, and rating where the model
    predicts ratings. Users stand in the order of their index. The file takes its place at once.
    UsageError for another ending.
    """
    users = np.arange(len(model.user_ids), dtype=np.int32)
    blocks = model.rank_in_blocks(users, n, barred=barred, include_rated=include_rated)
    return _write_blocks(model, model.user_ids, blocks, out)


def write_lists(model: Model, user_ids: NDArray[Any], lists: RecommendedLists, out: Path) -> int:
    """Write lists that are made already, those of `user_ids`, as `write_all_lists` does."""
    users = np.arange(len(user_ids), dtype=np.int32)
    return _write_blocks(model, user_ids, iter([(users, lists)]), out)


def _write_blocks(
    model: Model,
    user_ids: NDArray[Any],
    blocks: Iterator[tuple[Indices, RecommendedLists]],
    out: Path,
) -> int:
    """Write blocks of lists as they come, and put the file in its place; how many lines it has."""
    pick_name("ending of --out", out.suffix.lower(), ENDINGS)
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = _ListWriter(model, user_ids)
    frames = (writer.make_frame(block, lists) for block, lists in blocks)

    descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        if out.suffix.lower() == ".csv":
            _write_csv(temporary, frames)
        else:
            _write_parquet(temporary, frames, writer.schema)
        temporary.chmod(0o644)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return writer.n_lines


class _ListWriter:
    """Makes frames of lists; ids and titles are looked up in columns that are held once."""

    def __init__(self, model: Model, user_ids: NDArray[Any]) -> None:
        self._users = pl.Series("user", user_ids)
        self._items = pl.Series("item", model.items.ids)
        self._titles = pl.Series("title", model.items.names, dtype=pl.String)
        self.schema: dict[str, pl.DataType] = {
            "user": self._users.dtype,
            "rank": pl.Int32(),
            "item": self._items.dtype,
            "title": pl.String(),
            "score": pl.Float32(),
        }
        if model.predicts_ratings:
            self.schema["rating"] = pl.Float32()
        self.n_lines = 0

    def make_frame(self, users: Indices, lists: RecommendedLists) -> pl.DataFrame:
        """A line for each place of each list that has an item."""
        is_item = lists.items >= 0
        rows, places = np.nonzero(is_item)
        items = lists.items[is_item]
        columns = {
            "user": self._users.gather(users[rows]),
            "rank": pl.Series((places + 1).astype(np.int32)),
            "item": self._items.gather(items),
            "title": self._titles.gather(items),
            "score": pl.Series(lists.scores[is_item]),
        }
        if lists.ratings is not None:
            columns["rating"] = pl.Series(lists.ratings[is_item])
        self.n_lines += len(items)
        return pl.DataFrame(columns)


def _write_csv(path: Path, frames: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)


def _write_parquet(
    path: Path, frames: Iterator[pl.DataFrame], schema: dict[str, pl.DataType]
) -> None:
    """Write the frames one after the other, so that never more than some are held."""

    def produce(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        yield from frames

    source = register_io_source(produce, schema=pl.Schema(schema))
    source.sink_parquet(path)
