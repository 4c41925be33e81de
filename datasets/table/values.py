"""What the cells of a table mean: ids, ratings on a scale, times. Text is looked at once for each distinct one."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.dialect import BLANKS
from recbench.datasets.table.read import Columns

LONGEST_ID = 256
LAST_SECOND = (
    4_102_444_800  # the year 2100; later "seconds" are milliseconds, earlier "milliseconds" seconds
)
# By the steps that ratings have: 1, .5, or 0 for any. Within a list, the narrowest first.
USUAL_SCALES = {
    1.0: ((0, 1), (1, 5), (0, 5), (1, 10), (0, 10), (-10, 10), (0, 100)),
    0.5: ((0.5, 5), (0, 5), (0.5, 10), (0, 10), (-10, 10), (0, 100)),
    0.0: ((0, 1), (1, 5), (0.5, 5), (0, 5), (1, 10), (0, 10), (-10, 10), (0, 100)),
}
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
ISO = (
    r"^(?<date>\d{4}-\d{2}-\d{2})(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?"
    r" ?(?:Z|UTC|(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?)?)?$"
)

Scale = tuple[float, float]
Places = NDArray[np.int32]


def raw_ids(columns: Columns, role: str, as_text: bool) -> tuple[Places, NDArray[Any]]:
    """Each row's dense index, by first appearance, and the raw ids behind them: int64 if all are integers, else text.

    007 is no integer, as it would lose its zeros. UsageError for an empty id and for integers beyond 64 bits.
    """
    series = columns.series[role]
    columns.refuse(role, series.is_null(), "a non-empty id")
    if series.dtype.is_integer() and not as_text:
        series = series.cast(pl.Int64, strict=False)
        columns.refuse(role, series.is_null(), "an integer of at most 64 bits (ids=text takes any)")
        return by_appearance(series.to_numpy())
    if not (series.dtype.is_integer() or series.dtype in (pl.String, pl.Categorical, pl.Enum)):
        columns.refuse(role, series.is_not_null(), "integers or text")
    places, texts = _distinct(series)
    _refuse_texts(columns, role, places, texts.str.len_chars() == 0, "a non-empty id")
    _refuse_texts(
        columns,
        role,
        places,
        texts.str.len_chars() > LONGEST_ID,
        f"at most {LONGEST_ID} characters",
    )
    if not as_text and texts.str.contains(r"^(0|-?[1-9][0-9]*)$").all():
        numbers = texts.cast(pl.Int64, strict=False)
        expected = "an integer of at most 64 bits (ids=text takes any)"
        _refuse_texts(columns, role, places, numbers.is_null(), expected)
        same, integers = by_appearance(numbers.to_numpy())
        return same[places], integers
    raw = texts.unique(maintain_order=True)  # blanks around them may have been all that differed
    if len(raw) < len(texts):
        same, _ = by_appearance(texts.cast(pl.Categorical).to_physical().to_numpy())
        places = same[places]
    return places, raw.to_numpy().astype(str)


def by_appearance(numbers: NDArray[Any]) -> tuple[Places, NDArray[Any]]:
    """A dense index for each of `numbers`, in order of first appearance, and the number each one stands for."""
    lowest, highest = int(numbers.min()), int(numbers.max())
    if highest - lowest > 4 * len(numbers) + 1_000_000:
        distinct, numbers = np.unique(numbers, return_inverse=True)
        places, kept = by_appearance(numbers)
        return places, distinct[kept]
    shifted = numbers - lowest if lowest else numbers
    first = np.full(highest - lowest + 1, len(numbers), np.int32)
    first[shifted[::-1]] = np.arange(
        len(numbers) - 1, -1, -1, dtype=np.int32
    )  # the last one written is the first
    found = np.flatnonzero(first < len(numbers))
    found = found[np.argsort(first[found])]
    first[found] = np.arange(len(found), dtype=np.int32)
    return first[shifted], (found + lowest).astype(numbers.dtype)


def values(columns: Columns, given: Scale | None) -> tuple[NDArray[np.float32], Scale, str]:
    """The ratings, their scale, and a remark on where it comes from. UsageError for what is no number, or outside."""
    exact, _ = _numbers(columns, "rating", NUMBER)
    with np.errstate(over="ignore"):
        ratings = exact.to_numpy().astype(np.float32)
    columns.refuse("rating", pl.Series(~np.isfinite(ratings)), "a number")
    lowest, highest = float(ratings.min()), float(ratings.max())
    if given:
        outside = (ratings < np.float32(given[0])) | (ratings > np.float32(given[1]))
        columns.refuse(
            "rating",
            pl.Series(outside),
            f"a rating from {given[0]:g} to {given[1]:g}, the scale given,",
        )
        return ratings, given, f"The scale {given[0]:g} to {given[1]:g} was given."
    step = next((step for step in (1.0, 0.5) if np.all(np.mod(ratings, step) == 0)), 0.0)
    usual = (scale for scale in USUAL_SCALES[step] if scale[0] <= lowest and highest <= scale[1])
    scale = next(
        usual, (lowest, highest if highest > lowest else lowest + max(1.0, abs(lowest) / 1e6))
    )
    steps = f"in steps of {step:g}" if step else "in no regular steps"
    remark = (
        f"The scale {scale[0]:g} to {scale[1]:g} is inferred from ratings from {lowest:g} to {highest:g} {steps}; "
        f"scale=LOWEST:HIGHEST sets another."
    )
    return ratings, (float(scale[0]), float(scale[1])), remark


def times(columns: Columns) -> tuple[NDArray[np.int64], str]:
    """Seconds since 1970, and a remark on how they were written: as seconds, milliseconds or ISO dates (UTC).

    UsageError for anything else, and for what lies before 1970 or after 2099. Fractions of a second are dropped.
    """
    series, expected = columns.series["time"], "seconds since 1970 or an ISO date"
    if series.dtype in (pl.Date, pl.Datetime):
        numbers, dates = series.cast(pl.Datetime("ms")).dt.epoch("s"), True
        columns.refuse("time", numbers.is_null(), expected)
    else:
        numbers, dates = _numbers(columns, "time", NUMBER, ISO)
        columns.refuse("time", ~numbers.is_finite().fill_null(value=False), expected)
    seconds = numbers.to_numpy()
    if not dates and seconds.min() >= 0 and seconds.max() > LAST_SECOND:
        odd = (seconds <= LAST_SECOND) | (seconds > 1000 * LAST_SECOND)
        columns.refuse("time", pl.Series(odd), "milliseconds from 1970 to 2099 as elsewhere")
        return (seconds // 1000).astype(np.int64), "Times are milliseconds since 1970, now seconds."
    odd = (seconds < 0) | (seconds > LAST_SECOND)
    columns.refuse("time", pl.Series(odd), f"{expected}, from 1970 to 2099")
    remark = (
        "Times are ISO dates, in UTC where they name no other zone."
        if dates
        else "Times are seconds since 1970."
    )
    return np.floor(seconds).astype(np.int64), remark


def _numbers(columns: Columns, role: str, number: str, iso: str = "") -> tuple[pl.Series, bool]:
    """A float for each row, null where there is none; and whether they were ISO dates."""
    series = columns.series[role]
    columns.refuse(
        role, series.is_null(), "a number" if not iso else "seconds since 1970 or an ISO date"
    )
    if series.dtype.is_numeric():
        return series.cast(
            pl.Int64 if series.dtype.is_integer() and iso else pl.Float64, strict=False
        ), False
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        columns.refuse(role, series.is_not_null(), f"numbers rather than {series.dtype}")
    places, texts = _distinct(series)
    numbers = (
        pl.select(pl.when(texts.str.contains(number)).then(texts))
        .to_series()
        .cast(pl.Float64, strict=False)
    )
    is_iso = bool(iso) and bool(numbers.is_null().all())
    return (_seconds(texts) if is_iso else numbers).gather(places), is_iso


def _seconds(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 of ISO dates, null where there is none."""
    parts = texts.str.extract_groups(ISO).struct.unnest()
    days = parts["date"].str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    hour, minute, second, hours, minutes = (
        parts[name].cast(pl.Int64).fill_null(0)
        for name in ("hour", "minute", "second", "hours", "minutes")
    )
    offset = (hours * 3600 + minutes * 60) * pl.select(
        pl.when(parts["sign"] == "-").then(-1).otherwise(1)
    ).to_series()
    possible = (hour < 24) & (minute < 60) & (second < 60) & (hours < 24) & (minutes < 60)
    seconds = (days.cast(pl.Int64) * 86_400 + hour * 3600 + minute * 60 + second - offset).cast(
        pl.Float64
    )
    return pl.select(pl.when(possible).then(seconds)).to_series()


def _distinct(series: pl.Series) -> tuple[Places, pl.Series]:
    """The index of each row's text, and the distinct texts by first appearance, without the blanks around them."""
    categories = (
        series.cast(pl.String).cast(pl.Categorical) if series.dtype != pl.Categorical else series
    )
    places, codes = by_appearance(categories.to_physical().to_numpy())
    known = pl.DataFrame({"code": categories.to_physical(), "text": categories}).unique("code")
    texts = pl.DataFrame({"code": codes}).join(known, on="code", how="left", maintain_order="left")[
        "text"
    ]
    return places, texts.cast(pl.String).str.strip_chars(BLANKS)


def _refuse_texts(
    columns: Columns, role: str, places: Places, bad: pl.Series, expected: str
) -> None:
    if bad.any():
        columns.refuse(role, bad.gather(places), expected)


def scale_of(text: str) -> Scale | None:
    """`1:5` as (1.0, 5.0); None for nothing at all. UsageError for anything else."""
    if not text:
        return None
    try:
        lowest, highest = map(float, text.split(":"))
    except ValueError:
        lowest = highest = 0.0
    if not (lowest < highest and np.isfinite([lowest, highest]).all()):
        raise UsageError(f"scale={text} does not fit: expected LOWEST:HIGHEST, such as scale=1:5")
    return lowest, highest
