"""When ratings were given: seconds since 1970 from numbers and dates in whatever usual form."""

import re
from collections.abc import Callable, Iterable
from itertools import product
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import Columns
from recbench.datasets.table.options import NONE, TableRequest
from recbench.datasets.table.values import (
    DistinctTexts,
    distinct_texts,
    floats_of_texts,
    refuse_other_types,
)

LAST_SECOND = 4_102_444_800  # the year 2100
FIRST_YEAR_ENDS = 31_536_000  # seconds: 1971 begins
SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400
EXCEL_EPOCH = 25_569  # the day 1970-01-01 as Excel counts
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EXCEL = "excel"  # time_format=excel: days since 1899-12-30
YEARS = (1900, 2100)
YEAR_1900 = -2_208_988_800  # in seconds: dates before it are years without their century
DAY_NUMBER = r"^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"  # 20041129
MOMENT_NUMBER = DAY_NUMBER[:-1] + r"([01]\d|2[0-3])[0-5]\d[0-5]\d$"  # 20041129123431
N_TRIED = 200  # texts with which forms of dates are tried before all are

ISO_DATE = (
    r"^(?<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?"
    r" ?(?:Z|UTC|(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?)?)?$"
)
# Days and times of day, as strptime writes them; a form is one of each
DAY_FORMS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y",
    "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%B-%Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
    "%B %d %Y", "%m %d, %Y", "%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%d.%m.%y",
    "%m-%d-%y", "%d-%m-%y", "%d-%b-%y", "%a, %d %b %Y", "%a %d %b %Y", "%A, %B %d, %Y",
)  # fmt: skip
CLOCK_FORMS = (
    "", " %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S%.f", "T%H:%M:%S%.fZ",
    " %H:%M:%S GMT", " %H:%M:%S UTC", " %H:%M:%S %z", " %H",
)  # fmt: skip
OTHER_FORMS = (
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S UTC %Y", "%a %b %d %H:%M:%S GMT %Y",
    "%a %b %d %H:%M:%S PST %Y", "%a %b %d %H:%M:%S PDT %Y", "%a %b %d %H:%M:%S %z %Y",
)  # fmt: skip
ZONES_BY_NAME = {" PST ": 8, " PDT ": 7}  # hours behind UTC
EXPECTED = "seconds since 1970 or an ISO date"


Advice = str | Callable[[], str]  # what to type where times cannot be read


class Times(NamedTuple):
    """Seconds since 1970, and remarks on how they were written."""

    seconds: NDArray[np.int64]
    remarks: list[str]


def read_times(columns: Columns, request: TableRequest) -> Times:
    """When each rating was given: seconds, their parts, dates in any usual form, or as it was said.

    Dates are UTC unless they name a zone. Fractions of a second are dropped. UsageError for
    anything else, for what could be read in two ways, and for what lies before 1970 or after 2099.
    """
    series = columns.series["time"]

    def advise() -> str:
        """What to type where times cannot be read."""
        return _advise(request)

    if series.dtype in (pl.Date, pl.Datetime):
        missing = series.is_null()
        columns.refuse_rows("time", missing, EXPECTED, advise)
        dates = series.cast(pl.Datetime("ms")).dt.epoch("s")
        return _checked(columns, dates, "ISO dates, in UTC where they name no other zone", advise)

    columns.refuse_rows("time", series.is_null(), EXPECTED, advise)
    if request.options.time_format:
        return _read_as_given(columns, request)
    if series.dtype.is_numeric():
        return _read_numbers(columns, request, _as_numbers(series))

    refuse_other_types(columns, "time")
    distinct = distinct_texts(series)
    numbers = floats_of_texts(distinct.texts)
    if not numbers.is_null().all():
        return _read_numbers(columns, request, numbers.gather(distinct.indices))

    seconds = _seconds_of_dates(distinct.texts)
    if not seconds.is_null().any():
        rows = seconds.gather(distinct.indices)
        return _checked(columns, rows, "ISO dates, in UTC where they name no other zone", advise)
    return _read_other_dates(columns, request, distinct, seconds)


def _advise(request: TableRequest) -> str:
    """What to type where times cannot be read."""
    return (
        f"Correct them, leave times out: {request.spell(time=NONE, time_format='')}; or, if all "
        "are there, say how they are written, as in time_format=%d/%m/%Y (s, ms, us, ns or "
        f"{EXCEL} for numbers)."
    )


def _as_numbers(series: pl.Series) -> pl.Series:
    """Integers as they are, as doubles do not hold all of them, or doubles."""
    return series.cast(pl.Int64 if series.dtype.is_integer() else pl.Float64, strict=False)


def _checked(
    columns: Columns, seconds: pl.Series, form: str, advice: Advice, *, expected: str = ""
) -> Times:
    """These times, called by their `form`; UsageError for those before 1970 or after 2099."""
    numbers = seconds.to_numpy()
    outside = ~((numbers >= 0) & (numbers <= LAST_SECOND))
    expected = expected or f"{EXPECTED}, from 1970 to 2099"
    columns.refuse_rows("time", pl.Series(outside), expected, advice)
    return Times(np.floor(numbers).astype(np.int64), [f"Times are {form}."])


def _read_numbers(columns: Columns, request: TableRequest, numbers: pl.Series) -> Times:
    """Times that are numbers: seconds or parts of them, days written 20041129, or a refusal."""

    def advise() -> str:
        """What to type where times cannot be read."""
        return _advise(request)

    finite = numbers.is_finite().fill_null(value=False)
    columns.refuse_rows("time", ~finite, EXPECTED, advise)
    values = numbers.to_numpy()
    lowest = float(values.min())
    highest = float(values.max())

    as_dates = _read_written_numbers(columns, numbers, lowest, highest)
    if as_dates is not None:
        return as_dates
    _refuse_years(columns, request, lowest, highest, values)

    unit = "s"
    for name, per_second in UNITS.items():
        if lowest >= 0 and highest > LAST_SECOND * per_second:
            unit = {"s": "ms", "ms": "us", "us": "ns", "ns": "ns"}[name]
    per_second = UNITS[unit]
    if unit != "s":
        least = LAST_SECOND * per_second // 1000
        other = (values <= least) | (values > LAST_SECOND * per_second)
        expected = f"{UNIT_NAMES[unit]} from 1970 to 2099"
        if not other.all() and other.any():
            expected += " as elsewhere"
        columns.refuse_rows("time", pl.Series(other), expected, advise)
        seconds = pl.Series((values // per_second).astype(np.int64))
        form = f"{UNIT_NAMES[unit]} since 1970, now seconds"
        return _remark_on_digits(_checked(columns, seconds, form, advise))
    return _remark_on_digits(
        _remark_on_1970(columns, request, _checked(columns, numbers, "seconds since 1970", advise))
    )


def _read_written_numbers(
    columns: Columns, numbers: pl.Series, lowest: float, highest: float
) -> Times | None:
    """Days written 20041129, or moments written 20041129123431; None if they are not so."""
    is_day = lowest >= 1900_01_01 and highest <= 2100_12_31
    is_moment = lowest >= 1900_01_01_00_00_00 and highest <= 2100_12_31_23_59_59
    if not is_day and not is_moment:
        return None
    texts = numbers.cast(pl.Int64).cast(pl.String)
    distinct = distinct_texts(texts)
    pattern = DAY_NUMBER if is_day else MOMENT_NUMBER
    if not distinct.texts.str.contains(pattern).all():
        return None
    form = "%Y%m%d" if is_day else "%Y%m%d%H%M%S"
    seconds = _seconds_by_form(distinct.texts, form)
    if seconds.is_null().any():
        return None

    written = "20041129" if is_day else "20041129123431"
    rows = seconds.gather(distinct.indices)
    form = f"dates written as {written}; time_format=s says seconds"
    return _checked(columns, rows, form, "", expected="dates from 1970 to 2099")


def _refuse_years(
    columns: Columns,
    request: TableRequest,
    lowest: float,
    highest: float,
    values: NDArray[np.generic],
) -> None:
    """UsageError for years, and for days as Excel counts them: no seconds since 1970."""
    leaves_out = f"leaves times out: {request.spell(time=NONE)}"
    name = columns.names["time"]
    first, last = YEARS
    is_whole = bool(np.all(np.mod(values, 1) == 0))
    shown = f"{columns.file}, all {len(values):,} times in column {name!r}, {lowest:.10g} to "
    shown += f"{highest:.10g},"
    if first <= lowest and highest <= last and is_whole and len(values) > 1:
        raise UsageError(
            f"{shown} look like years. To take them as such: {request.spell(time_format='%Y')}; "
            f"this {leaves_out}; this takes them for seconds: {request.spell(time_format='s')}"
        )
    is_excel = lowest >= EXCEL_EPOCH and highest <= EXCEL_EPOCH + 365.25 * 130
    if is_excel and len(values) > 1:
        raise UsageError(
            f"{shown} look like days as Excel counts them (38320 is 2004-11-29). To take them as "
            f"such: {request.spell(time_format=EXCEL)}; this {leaves_out}; this takes them for "
            f"seconds: {request.spell(time_format='s')}"
        )


def _remark_on_1970(columns: Columns, request: TableRequest, times: Times) -> Times:
    """The same, with a remark if all are before 1971, or few are, as where 0 stands for none."""
    n_early = int(np.count_nonzero(times.seconds < FIRST_YEAR_ENDS))
    if 0 < n_early < len(times.seconds) / 2:
        first = int(times.seconds[times.seconds < FIRST_YEAR_ENDS][0])
        where = f"{columns.names['time']}!={first}"
        remark = (
            f"{n_early:,} of {len(times.seconds):,} times are before 1971, such as {first}, where "
            f"most are not: it may stand for no time. This leaves such lines out: "
            f"{request.spell(where=where)}; this leaves times out: {request.spell(time=NONE)}"
        )
        return Times(times.seconds, [*times.remarks, remark])
    if len(times.seconds) and int(times.seconds.max()) < FIRST_YEAR_ENDS:
        remark = (
            f"All {len(times.seconds):,} times are before 1971: they may be numbers of steps, or "
            "written in another way; time_format= says how, time=none leaves them out."
        )
        return Times(times.seconds, [*times.remarks, remark])
    return times


def _remark_on_digits(times: Times) -> Times:
    """The same, with a remark if all end in zeros, as when their last digits were lost."""
    seconds = times.seconds
    is_long = len(seconds) > 1 and int(seconds.min()) > FIRST_YEAR_ENDS
    if is_long and np.all(seconds % 1000 == 0) and not np.all(seconds % SECONDS_PER_HOUR == 0):
        remark = (
            f"All {len(seconds):,} times end in 000: they seem to have lost digits, as when they "
            "are written as 1.10173e+09; time=none leaves them out."
        )
        return Times(seconds, [*times.remarks, remark])
    return times


def _read_as_given(columns: Columns, request: TableRequest) -> Times:
    """Times as `time_format` says: a unit, days of Excel, or a form of strptime."""
    given = request.options.time_format
    series = columns.series["time"]
    advice = (
        f"Say it in another way, or leave times out: {request.spell(time=NONE, time_format='')}"
    )
    if given in UNITS or given == EXCEL:
        numbers = _as_numbers(series) if series.dtype.is_numeric() else None
        if numbers is None:
            distinct = distinct_texts(series)
            numbers = floats_of_texts(distinct.texts).gather(distinct.indices)
        finite = numbers.is_finite().fill_null(value=False)
        columns.refuse_rows("time", ~finite, f"a number, as time_format={given} says,", advice)
        if given == EXCEL:
            seconds = (numbers.cast(pl.Float64) - EXCEL_EPOCH) * SECONDS_PER_DAY
            form = "days as Excel counts them"
        else:
            seconds = pl.Series(numbers.to_numpy() // UNITS[given])
            form = f"{UNIT_NAMES[given]} since 1970"
        return _checked(columns, seconds, form, advice, expected=f"{form}, from 1970 to 2099")

    if series.dtype.is_float():
        series = series.cast(pl.Int64, strict=False)
    distinct = distinct_texts(series)
    seconds = _seconds_by_form(distinct.texts, given)
    rows = seconds.gather(distinct.indices)
    columns.refuse_rows("time", rows.is_null(), f"a time written as {given}", advice)
    expected = f"dates written as {given}, from 1970 to 2099"
    return _checked(columns, rows, f"dates written as {given}", advice, expected=expected)


def _read_other_dates(
    columns: Columns, request: TableRequest, distinct: DistinctTexts, iso: pl.Series
) -> Times:
    """Dates that are not ISO, in the one form that all of them have.

    `iso` are the seconds of those that are. UsageError if none fits, or two with other results.
    """
    sample = distinct.texts.head(N_TRIED)
    fitting: dict[str, pl.Series] = {}
    for form in _forms_that_may_fit(sample[0]):
        if not _seconds_by_form(sample, form).is_null().any():
            seconds = _seconds_by_form(distinct.texts, form)
            is_whole = not seconds.is_null().any()
            if is_whole and bool((seconds >= YEAR_1900).all()):
                fitting[form] = seconds

    def advise() -> str:
        """What to type where times cannot be read."""
        return _advise(request)

    if not fitting:
        columns.refuse_rows("time", iso.is_null().gather(distinct.indices), EXPECTED, advise)
    forms = list(fitting)
    chosen = fitting[forms[0]]
    others = [form for form in forms[1:] if not fitting[form].equals(chosen)]
    if others:
        choices = " or ".join(request.spell(time_format=form) for form in (forms[0], *others))
        raise UsageError(
            f"{columns.file}: all {len(distinct.indices):,} times in column "
            f"{columns.names['time']!r}, such as {distinct.texts[0]!r}, could be written as "
            f"{forms[0]} or as {', '.join(others)}. Say which: {choices}; or leave them out: "
            f"{request.spell(time=NONE)}"
        )
    rows = chosen.gather(distinct.indices)
    return _checked(columns, rows, f"dates written as {forms[0]}, in UTC", advise)


def _forms_that_may_fit(text: str) -> Iterable[str]:
    """The forms of dates that have the same marks as `text`, at which others need not be tried."""
    marks = re.sub(r"[\w.]", "", text.replace(" AM", "").replace(" PM", ""))
    has_century = re.search(r"\d{4}", text) is not None
    has_hour_alone = re.search(r" \d{1,2}$", text) is not None
    for day, clock in product(DAY_FORMS, CLOCK_FORMS):
        form = day + clock
        if ("%y" in form and has_century) or (clock == " %H" and not has_hour_alone):
            continue
        if "%z" in form or re.sub(r"%\.f|%p|%\w|[\w.]", "", form).strip() == marks.strip():
            yield form
    yield from OTHER_FORMS


def _seconds_by_form(texts: pl.Series, form: str) -> pl.Series:
    """Seconds since 1970 of dates in a form of strptime, as doubles; null where a text is none.

    A form that is no such form fits nothing.
    """
    has_clock = any(part in form for part in ("%H", "%I", "%T", "%R", "%s", "%X", "%c"))
    if form == "%Y":  # a year alone is no date to polars
        texts = texts + "-01-01"
        form = "%Y-%m-%d"
    elif form == "%Y-%m":
        texts = texts + "-01"
        form = "%Y-%m-%d"
    elif form.endswith(" %H"):  # nor is an hour without minutes a time
        texts = texts + ":00"
        form = f"{form}:%M"
    try:
        if has_clock:
            dates = texts.str.to_datetime(form, strict=False, time_unit="ms")
        else:
            dates = texts.str.to_date(form, strict=False).cast(pl.Datetime("ms"))
    except pl.exceptions.PolarsError:
        return pl.Series([None] * len(texts), dtype=pl.Float64)
    behind = sum(hours for zone, hours in ZONES_BY_NAME.items() if zone in form)
    return dates.dt.epoch("ms").cast(pl.Float64) // 1000 + behind * SECONDS_PER_HOUR


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
