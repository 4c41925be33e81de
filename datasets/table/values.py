"""What the columns of a table mean: ids, ratings on a scale, times.

Text is looked at once for each distinct one, however many rows have it.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import Columns
from recbench.datasets.table.dialect import BLANKS

LONGEST_ID = 256
LAST_SECOND = 4_102_444_800  # the year 2100: later "seconds" are milliseconds, and vice versa
SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400

# By the steps that ratings have: 1, .5, or 0 for any. Within each, the narrowest first.
USUAL_SCALES = {
    1.0: ((0, 1), (1, 5), (0, 5), (1, 10), (0, 10), (-10, 10), (0, 100)),
    0.5: ((0.5, 5), (0, 5), (0.5, 10), (0, 10), (-10, 10), (0, 100)),
    0.0: ((0, 1), (1, 5), (0.5, 5), (0, 5), (1, 10), (0, 10), (-10, 10), (0, 100)),
}
SMALLEST_SPAN = 1e-6  # of a scale whose ratings are all equal, as a share of them

INTEGER = r"^(0|-?[1-9][0-9]*)$"  # 007 is none, as it would lose its zeros
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
ISO_DATE = (
    r"^(?<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?"
    r" ?(?:Z|UTC|(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?)?)?$"
)
EXPECTED_INTEGER = "an integer of at most 64 bits (ids=text takes any)"
EXPECTED_TIME = "seconds since 1970 or an ISO date"

Scale = tuple[float, float]
Indices = NDArray[np.int32]


class DistinctTexts(NamedTuple):
    """A column as few texts: `texts[indices[row]]` is what stands in a row, blanks stripped."""

    indices: Indices  # one for each row
    texts: pl.Series  # by first appearance; equal ones only if blanks were all that differed


def read_ids(columns: Columns, role: str, as_text: bool) -> tuple[Indices, NDArray[Any]]:
    """Each row's dense index, by first appearance, and the raw ids behind the indices.

    Raw ids are int64 if all are integers and not `as_text`, else text. UsageError for an empty id,
    one that is too long, integers beyond 64 bits, and a column of numbers with fractions or dates.
    """
    series = columns.series[role]
    columns.refuse_rows(role, series.is_null(), "a non-empty id")

    if series.dtype.is_integer() and not as_text:
        series = series.cast(pl.Int64, strict=False)
        columns.refuse_rows(role, series.is_null(), EXPECTED_INTEGER)
        return index_by_appearance(series.to_numpy())

    if not (series.dtype.is_integer() or _is_text(series)):
        columns.refuse_rows(role, series.is_not_null(), "integers or text")

    distinct = _distinct_texts(series)
    lengths = distinct.texts.str.len_chars()
    _refuse_texts(columns, role, distinct, lengths == 0, "a non-empty id")
    too_long = lengths > LONGEST_ID
    _refuse_texts(columns, role, distinct, too_long, f"at most {LONGEST_ID} characters")
    if not as_text and distinct.texts.str.contains(INTEGER).all():
        return _integer_ids(columns, role, distinct)
    return _text_ids(distinct)


def _integer_ids(
    columns: Columns, role: str, distinct: DistinctTexts
) -> tuple[Indices, NDArray[np.int64]]:
    """Each row's dense index, by first appearance, and the integers that the texts stand for.

    UsageError for integers beyond 64 bits.
    """
    numbers = distinct.texts.cast(pl.Int64, strict=False)
    _refuse_texts(columns, role, distinct, numbers.is_null(), EXPECTED_INTEGER)
    index_of_text, integers = index_by_appearance(numbers.to_numpy())
    return index_of_text[distinct.indices], integers


def _text_ids(distinct: DistinctTexts) -> tuple[Indices, NDArray[np.str_]]:
    """Each row's dense index, by first appearance, and the texts, each once."""
    indices = distinct.indices
    raw_ids = distinct.texts.unique(maintain_order=True)
    if len(raw_ids) < len(distinct.texts):  # blanks around them were all that differed
        codes = distinct.texts.cast(pl.Categorical).to_physical().to_numpy()
        index_of_text, _ = index_by_appearance(codes)
        indices = index_of_text[indices]
    return indices, raw_ids.to_numpy().astype(str)


def index_by_appearance(numbers: NDArray[Any]) -> tuple[Indices, NDArray[Any]]:
    """A dense index for each of `numbers`, by first appearance, and the number behind each index.

    >>> index_by_appearance(np.array([70, 30, 70, 10]))
    (array([0, 1, 0, 2], dtype=int32), array([70, 30, 10]))
    """
    lowest = int(numbers.min())
    highest = int(numbers.max())
    if highest - lowest > 4 * len(numbers) + 1_000_000:
        sorted_numbers, ranks = np.unique(numbers, return_inverse=True)
        indices, ranks_by_appearance = index_by_appearance(ranks)
        return indices, sorted_numbers[ranks_by_appearance]

    # Where each number stands first: written from the end, so the first one is what remains
    shifted = numbers - lowest if lowest else numbers
    never = len(numbers)
    first_row = np.full(highest - lowest + 1, never, np.int32)
    first_row[shifted[::-1]] = np.arange(len(numbers) - 1, -1, -1, dtype=np.int32)

    present = np.flatnonzero(first_row < never)
    present = present[np.argsort(first_row[present])]
    index_of_number = first_row  # the same memory, no longer needed as what it was
    index_of_number[present] = np.arange(len(present), dtype=np.int32)
    return index_of_number[shifted], (present + lowest).astype(numbers.dtype)


def parse_scale(text: str) -> Scale | None:
    """Lowest and highest of a scale; None for no text at all. UsageError for anything else.

    >>> parse_scale("1:5")
    (1.0, 5.0)
    """
    if not text:
        return None

    try:
        lowest, highest = map(float, text.split(":"))
    except ValueError:
        lowest = highest = 0.0
    if not (lowest < highest and np.isfinite([lowest, highest]).all()):
        raise UsageError(f"scale={text} does not fit: expected LOWEST:HIGHEST, such as scale=1:5")
    return lowest, highest


def read_ratings(columns: Columns, given: Scale | None) -> tuple[NDArray[np.float32], Scale, str]:
    """The ratings, their scale, and a remark on where the scale comes from.

    UsageError for what is no number, or outside the scale if it is `given`.
    """
    exact = _floats_of_ratings(columns)
    with np.errstate(over="ignore"):
        ratings = exact.to_numpy().astype(np.float32)
    columns.refuse_rows("rating", pl.Series(~np.isfinite(ratings)), "a number")
    if given is None:
        return ratings, *_infer_scale(ratings)

    lowest, highest = given
    outside = (ratings < np.float32(lowest)) | (ratings > np.float32(highest))
    expected = f"a rating from {lowest:g} to {highest:g}, the scale given,"
    columns.refuse_rows("rating", pl.Series(outside), expected)
    return ratings, given, f"The scale {lowest:g} to {highest:g} was given."


def _floats_of_ratings(columns: Columns) -> pl.Series:
    """A double for each row's rating, null where it is no number.

    UsageError where nothing stands, and for a column that is neither numbers nor text.
    """
    series = columns.series["rating"]
    columns.refuse_rows("rating", series.is_null(), "a number")
    if series.dtype.is_numeric():
        return series.cast(pl.Float64, strict=False)

    _refuse_other_types(columns, "rating")
    distinct = _distinct_texts(series)
    return _floats_of_texts(distinct.texts).gather(distinct.indices)


def _infer_scale(ratings: NDArray[np.float32]) -> tuple[Scale, str]:
    """The narrowest usual scale that holds all `ratings` and their steps, and a remark on it.

    If none does, the scale goes from the lowest rating to the highest, or a little more if these
    are the same.
    """
    lowest = float(ratings.min())
    highest = float(ratings.max())
    step = _step_of_ratings(ratings)

    scale: Scale = (lowest, highest)
    if highest == lowest:
        scale = (lowest, lowest + max(1.0, abs(lowest) * SMALLEST_SPAN))
    for usual_lowest, usual_highest in USUAL_SCALES[step]:
        if usual_lowest <= lowest and highest <= usual_highest:
            scale = (float(usual_lowest), float(usual_highest))
            break

    steps = f"in steps of {step:g}" if step else "in no regular steps"
    remark = (
        f"The scale {scale[0]:g} to {scale[1]:g} is inferred from ratings from {lowest:g} to "
        f"{highest:g} {steps}; scale=LOWEST:HIGHEST sets another."
    )
    return scale, remark


def _step_of_ratings(ratings: NDArray[np.float32]) -> float:
    """1 if all ratings are whole, .5 if they are whole or halves, else 0."""
    for step in (1.0, 0.5):
        if np.all(np.mod(ratings, step) == 0):
            return step
    return 0.0


def read_times(columns: Columns) -> tuple[NDArray[np.int64], str]:
    """Seconds since 1970, and a remark on how they were written: seconds, milliseconds, ISO dates.

    Dates are UTC unless they name a zone. Fractions of a second are dropped. UsageError for
    anything else, and for what lies before 1970 or after 2099.
    """
    numbers, are_dates = _numbers_of_times(columns)
    columns.refuse_rows("time", ~numbers.is_finite().fill_null(value=False), EXPECTED_TIME)
    seconds = numbers.to_numpy()

    if not are_dates and seconds.min() >= 0 and seconds.max() > LAST_SECOND:
        not_milliseconds = (seconds <= LAST_SECOND) | (seconds > 1000 * LAST_SECOND)
        expected = "milliseconds from 1970 to 2099 as elsewhere"
        columns.refuse_rows("time", pl.Series(not_milliseconds), expected)
        remark = "Times are milliseconds since 1970, now seconds."
        return (seconds // 1000).astype(np.int64), remark

    outside = (seconds < 0) | (seconds > LAST_SECOND)
    columns.refuse_rows("time", pl.Series(outside), f"{EXPECTED_TIME}, from 1970 to 2099")
    if are_dates:
        remark = "Times are ISO dates, in UTC where they name no other zone."
    else:
        remark = "Times are seconds since 1970."
    return np.floor(seconds).astype(np.int64), remark


def _numbers_of_times(columns: Columns) -> tuple[pl.Series, bool]:
    """A number for each row's time, null where it is none, and whether all were dates.

    Dates become seconds; numbers stay what they are: integers, as doubles do not hold all of them,
    or doubles. UsageError where nothing stands, and for a column of another type.
    """
    series = columns.series["time"]
    if series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("ms")).dt.epoch("s"), True

    columns.refuse_rows("time", series.is_null(), EXPECTED_TIME)
    if series.dtype.is_integer():
        return series.cast(pl.Int64, strict=False), False
    if series.dtype.is_numeric():
        return series.cast(pl.Float64, strict=False), False

    _refuse_other_types(columns, "time")
    distinct = _distinct_texts(series)
    numbers = _floats_of_texts(distinct.texts)
    are_dates = bool(numbers.is_null().all())
    if are_dates:
        numbers = _seconds_of_dates(distinct.texts)
    return numbers.gather(distinct.indices), are_dates


def _floats_of_texts(texts: pl.Series) -> pl.Series:
    """A double for each text, null where it is no number in the usual form."""
    numeric = pl.select(pl.when(texts.str.contains(NUMBER)).then(texts)).to_series()
    return numeric.cast(pl.Float64, strict=False)


def _seconds_of_dates(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 of ISO dates as doubles, null where a text is none."""
    parts = texts.str.extract_groups(ISO_DATE).struct.unnest()
    days = parts["date"].str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    hour = _integers_or_zero(parts["hour"])
    minute = _integers_or_zero(parts["minute"])
    second = _integers_or_zero(parts["second"])

    # What the zone is ahead of UTC
    zone_hours = _integers_or_zero(parts["hours"])
    zone_minutes = _integers_or_zero(parts["minutes"])
    sign = pl.select(pl.when(parts["sign"] == "-").then(-1).otherwise(1)).to_series()
    offset = (zone_hours * SECONDS_PER_HOUR + zone_minutes * SECONDS_PER_MINUTE) * sign

    midnight = days.cast(pl.Int64) * SECONDS_PER_DAY
    time_of_day = hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE + second
    seconds = (midnight + time_of_day - offset).cast(pl.Float64)

    # 24:00 and the like are well written, but there is no such time
    is_time = (hour < 24) & (minute < 60) & (second < 60)
    is_zone = (zone_hours < 24) & (zone_minutes < 60)
    possible = pl.when(is_time & is_zone).then(seconds)
    return pl.select(possible).to_series()


def _integers_or_zero(digits: pl.Series) -> pl.Series:
    """The integers that are written, and 0 where a part of a date is left out."""
    return digits.cast(pl.Int64).fill_null(0)


def _is_text(series: pl.Series) -> bool:
    """Whether a column has texts, in any of the forms in which polars keeps them."""
    return series.dtype in (pl.String, pl.Categorical, pl.Enum)


def _refuse_other_types(columns: Columns, role: str) -> None:
    """UsageError, for its first row, if the column of `role` is no text either."""
    series = columns.series[role]
    if not _is_text(series):
        expected = f"numbers rather than {series.dtype}"
        columns.refuse_rows(role, series.is_not_null(), expected)


def _distinct_texts(series: pl.Series) -> DistinctTexts:
    """A column of texts or integers as the distinct texts that stand in it, without nulls."""
    categories = series
    if series.dtype != pl.Categorical:
        categories = series.cast(pl.String).cast(pl.Categorical)

    codes = categories.to_physical()
    indices, codes_by_appearance = index_by_appearance(codes.to_numpy())
    text_of_code = pl.DataFrame({"code": codes, "text": categories}).unique("code")
    by_appearance = pl.DataFrame({"code": codes_by_appearance}).join(
        text_of_code, on="code", how="left", maintain_order="left"
    )
    texts = by_appearance["text"].cast(pl.String).str.strip_chars(BLANKS)
    return DistinctTexts(indices, texts)


def _refuse_texts(
    columns: Columns, role: str, distinct: DistinctTexts, bad: pl.Series, expected: str
) -> None:
    """UsageError for the first row whose text is `bad`; `bad` has a boolean for each text."""
    if bad.any():
        columns.refuse_rows(role, bad.gather(distinct.indices), expected)
