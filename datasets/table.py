"""Anybody's own ratings: a text table with a header line."""

import contextlib
import csv
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from datasets import dataset
from datasets.cache import cached
from datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Step
from datasets.spec import UsageError

PARSER = 1  # raise it when what is parsed from the same bytes changes
USUAL_NAMES = {
    "user": ("user", "user_id", "userid", "users", "customer", "customer_id", "reviewer"),
    "item": ("item", "item_id", "itemid", "items", "movie", "movie_id", "movieid", "book", "product", "product_id"),
    "rating": ("rating", "ratings", "stars", "score", "value"),
    "time": ("timestamp", "time", "date"),
}
USUAL_SCALES = ((1, 5), (0.5, 5), (0, 5), (1, 10), (0, 10), (0, 100), (-10, 10))


@dataset("table:PATH")
def table(
    path: str,
    *,
    user: str = "",
    item: str = "",
    rating: str = "",
    time: str = "",
    sep: str = ",",
    duplicates: Literal["last", "error"] = "last",
) -> Dataset:
    """A CSV file with a header line and one rating a line.

    Columns are recognised by their usual names (user, item, rating, optionally timestamp) or named by `user`, `item`,
    `rating` and `time`. The scale is the narrowest usual one that holds all ratings. Of several ratings of one pair
    the last counts, unless `duplicates=error`. UsageError, naming file and line, for anything that does not fit.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"table:{path}: there is no file {file.absolute()}")
    names = {"user": user, "item": item, "rating": rating, "time": time}
    parameters = {**names, "sep": sep, "duplicates": duplicates, "parser": PARSER}
    name = f"table:{file.name}"
    return cached(name, [file], parameters, lambda: _parse(file, name, names, sep, duplicates == "last"))


def _parse(file: Path, name: str, names: dict[str, str], separator: str, keep_last: bool) -> Dataset:
    frame = _read(file, separator)
    chosen = {role: _column(file, frame.columns, role, given) for role, given in names.items()}
    if not len(frame):
        raise UsageError(f"{file}: expected ratings below the header line, found none")
    for role in ("user", "item"):
        _refuse(file, frame, chosen[role], frame[chosen[role]].fill_null("").str.len_chars() == 0, "a non-empty id")
    values = frame[chosen["rating"]].str.strip_chars().cast(pl.Float64, strict=False)
    _refuse(file, frame, chosen["rating"], ~values.is_finite().fill_null(value=False), "a number")
    times = _times(file, frame, chosen["time"]) if chosen["time"] else None
    users, user_ids = _index(frame[chosen["user"]])
    items, item_ids = _index(frame[chosen["item"]])
    rows = _last_of_each_pair(file, users, items, keep_last)
    ratings = Ratings(
        users,
        items,
        values.to_numpy().astype(np.float32),
        len(user_ids),
        len(item_ids),
        _scale(values.to_numpy()),
        times,
    )
    counts = {"users": len(user_ids), "items": len(item_ids)}
    step = Step("the last rating of each pair", counts | {"ratings": len(ratings)}, counts | {"ratings": len(rows)})
    provenance = Provenance((), "as its owner says", str(file), steps=(step,) if len(rows) < len(ratings) else ())
    catalogue = Catalogue(tuple(map(str, item_ids)), (None,) * len(item_ids), ((),) * len(item_ids))
    return Dataset(name, ratings.take(rows), catalogue, user_ids, item_ids, provenance)


def _read(file: Path, separator: str) -> pl.DataFrame:
    """The table as text, with blanks around its column names removed."""
    try:
        frame = pl.read_csv(file, separator=separator, infer_schema=False, encoding="utf8")
    except pl.exceptions.NoDataError:
        raise UsageError(f"{file} is empty: expected a header line and one rating a line") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(
            _first_ragged_line(file, separator) or f"{file} cannot be read as a table: {error}"
        ) from None
    return frame.rename({column: column.strip() for column in frame.columns})


def _first_ragged_line(file: Path, separator: str) -> str | None:
    """In words, the first line whose number of fields is not the header's."""
    with file.open(newline="", encoding="utf-8", errors="replace") as text:
        reader = csv.reader(text, delimiter=separator)
        expected = len(next(reader, []))
        for fields in reader:
            if fields and len(fields) != expected:
                return f"{file}, line {reader.line_num}: expected {expected} fields, got {len(fields)}: {fields}"
    return None


def _column(file: Path, columns: list[str], role: str, given: str) -> str:
    """The name of the column that plays `role`; "" for a time that is not there."""
    if given and given in columns:
        return given
    found = [column for column in columns if column.lower().replace(" ", "_") in USUAL_NAMES[role]]
    if not given and found:
        return found[0]
    if not given and role == "time":
        return ""
    expected = repr(given) if given else f"one of {', '.join(USUAL_NAMES[role])}"
    raise UsageError(
        f"{file}, line 1: expected a {role} column, {expected}; the columns are {', '.join(columns)}. "
        f"Name it: table:{file}[{role}=COLUMN]"
    )


def _refuse(file: Path, frame: pl.DataFrame, column: str, bad: pl.Series, expected: str) -> None:
    """UsageError for the first row that is `bad`."""
    if bad.any():
        row = int(bad.arg_max() or 0)
        came = frame[column][row]
        raise UsageError(f"{file}, line {row + 2}: expected {expected} in column {column!r}, got {came or ''!r}")


def _times(file: Path, frame: pl.DataFrame, column: str) -> NDArray[np.int64]:
    """Unix seconds, from numbers or from ISO dates."""
    text = frame[column].str.strip_chars()
    seconds = text.cast(pl.Float64, strict=False)
    if seconds.is_null().all():
        with contextlib.suppress(pl.exceptions.ComputeError):  # no date format fits any value: all are refused below
            seconds = text.str.to_datetime(strict=False, time_unit="us").dt.epoch("s").cast(pl.Float64)
    _refuse(file, frame, column, ~seconds.is_finite().fill_null(value=False), "seconds since 1970 or an ISO date")
    return seconds.to_numpy().astype(np.int64)


def _index(ids: pl.Series) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Dense indices in order of first appearance, and the raw id of each."""
    unique = ids.unique(maintain_order=True)
    lookup = pl.DataFrame({"id": unique, "index": np.arange(len(unique), dtype=np.int32)})
    indices = ids.to_frame("id").join(lookup, on="id", how="left", maintain_order="left")["index"]
    return indices.to_numpy().astype(np.int32), unique.to_numpy().astype(str)


def _last_of_each_pair(
    file: Path, users: NDArray[np.int32], items: NDArray[np.int32], keep_last: bool
) -> NDArray[np.int64]:
    """The rows to keep, in file order."""
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    _, from_the_end = np.unique(pairs[::-1], return_index=True)
    rows = np.sort(len(pairs) - 1 - from_the_end)
    if len(rows) < len(pairs) and not keep_last:
        dropped = int(np.setdiff1d(np.arange(len(pairs)), rows)[0])
        raise UsageError(f"{file}, line {dropped + 2}: this pair is rated again further down, and duplicates=error")
    return rows


def _scale(values: NDArray[np.float64]) -> tuple[float, float]:
    """The narrowest usual scale that holds all values; else from the lowest to the highest of them."""
    lowest, highest = float(values.min()), float(values.max())
    for low, high in USUAL_SCALES:
        if low <= lowest and highest <= high:
            return float(low), float(high)
    return lowest, max(highest, lowest + 1)
