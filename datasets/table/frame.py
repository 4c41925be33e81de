"""Ratings in a DataFrame of pandas or polars: kept as a Parquet file that is loaded like any other.

So a frame is read, checked and described exactly as a file of `table:PATH` is, and the processes
that measure find it again. Columns that are no ratings stay out of the file.
"""

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from recbench.datasets.foundation import UsageError, format_spec, refuse_path
from recbench.datasets.storage import keep_parquet
from recbench.datasets.table.columns import COUNT_NAMES, USUAL_NAMES, plain_name
from recbench.datasets.table.options import COUNT, NONE

if TYPE_CHECKING:
    import pandas

    Frame: TypeAlias = pandas.DataFrame | pl.DataFrame

OPTIONAL = "time"  # the one role that need not have a column, beside a rating of implicit data


def is_frame(data: object) -> bool:
    """Whether `data` is a DataFrame of pandas or polars."""
    return isinstance(data, pl.DataFrame) or _is_of_pandas(data)


def _is_of_pandas(data: object) -> bool:
    """Whether `data` is a DataFrame of pandas, which is not imported to find that out."""
    module = sys.modules.get("pandas")
    return module is not None and isinstance(data, module.DataFrame)


def keep_frame(frame: "Frame", name: str, options: Mapping[str, str]) -> str:
    """The spec, `table:PATH[...]`, of a file in the cache that holds the ratings in `frame`.

    The file is called `name`, with a digest of its content, so that the same ratings have the same
    spec. `options` are those of the data set kind `table`; of them `user`, `item`, `rating` and
    `time` name columns that are not called as usual. UsageError if a column is missing, if several
    could be meant, and if one holds values that are neither numbers, texts nor times.
    """
    refuse_path("data set", name)
    columns = _choose_columns([str(column) for column in frame.columns], options)
    ratings = pl.DataFrame([_series(frame, column) for column in dict.fromkeys(columns.values())])

    buffer = io.BytesIO()
    ratings.write_parquet(buffer)
    path = keep_parquet(name, buffer.getvalue())

    named = {role: columns[role] for role in USUAL_NAMES if options.get(role) and role in columns}
    return format_spec(f"table:{path}", {**options, **named})


def _choose_columns(header: list[str], options: Mapping[str, str]) -> dict[str, str]:
    """Role -> the column that plays it: the one that `options` name, or else the usual one."""
    columns: dict[str, str] = {}
    for role, usual_names in USUAL_NAMES.items():
        given = options.get(role, "")
        if role == "rating" and _is_implicit(options, header):
            columns |= _find_counts(options, header)
            continue
        if role == OPTIONAL and given == NONE and NONE not in header:
            continue
        if given:
            fitting = [column for column in header if column == given]
        else:
            fitting = [column for column in header if plain_name(column) in usual_names]
        if role == OPTIONAL and not given and not fitting:
            continue

        if len(fitting) != 1:
            wanted = repr(given) if given else f"one of {', '.join(usual_names)}"
            problem = "more than one fits" if fitting else "none fits"
            listed = ", ".join(map(repr, header)) or "none"
            raise UsageError(
                f"the DataFrame: expected a column for the {role}, {wanted}, but {problem}; its "
                f"columns are {listed}. Name it: {role}='COLUMN'"
            )
        columns[role] = fitting[0]

    filtered = options.get("where", "").partition("=")[0].removesuffix("!")
    if filtered in header:
        columns["where"] = filtered
    return columns


def _find_counts(options: Mapping[str, str], header: list[str]) -> dict[str, str]:
    """The column with counts, if there is one: as named, or called as counts usually are."""
    if options.get(COUNT):
        return {COUNT: options[COUNT]}
    usual = [column for column in header if plain_name(column) in COUNT_NAMES]
    if options.get("rating") == COUNT and len(usual) == 1:
        return {COUNT: usual[0]}
    return {}


def _is_implicit(options: Mapping[str, str], header: list[str]) -> bool:
    """Whether the options say that the frame has no ratings. UsageError for an unknown count."""
    count = options.get(COUNT, "")
    if count and count not in header:
        raise UsageError(f"the DataFrame: there is no column count={count!r}: name another")
    return count != "" or (
        options.get("rating") in (NONE, COUNT) and options["rating"] not in header
    )


def _series(frame: "Frame", column: str) -> pl.Series:
    """A column of `frame` as polars has it; UsageError for values that no ratings file holds."""
    if isinstance(frame, pl.DataFrame):
        series = frame[column]
    else:
        series = _series_of_pandas(frame, column)
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise UsageError(
            f"the DataFrame: column {column!r} holds neither numbers, texts nor times: its type is "
            f"{series.dtype}"
        )
    return series


def _series_of_pandas(frame: "pandas.DataFrame", column: str) -> pl.Series:
    """A column of a frame of pandas; missing values are null. UsageError for mixed types."""
    (values,) = [frame[name] for name in frame.columns if str(name) == column]
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufM":
        return pl.Series(column, values.to_numpy(), nan_to_null=True)

    cells = values.astype(object).where(values.notna(), None).tolist()
    try:
        return pl.Series(column, cells)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            f"the DataFrame: column {column!r} holds values of several types: {error}"
        ) from None
