"""Whether what was read can be what was meant: codes for "not rated", counts, damaged ids.

What is only odd is counted and stated; where numbers would be computed on something that nobody
meant, the table is refused, with what to type in either case.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import RELEVANT_SHARE, Ratings, share_of_scale
from recbench.datasets.table.columns import Columns
from recbench.datasets.table.options import COUNT, NONE, TableRequest

# Codes for "not rated"
HIGH_CODES = (77, 88, 97, 98, 99, 255, 999, 9999)
HIGHEST_CODES = (255, 999, 9999)  # which may stand beside ratings up to 100
SURVEY_CODES = (8, 9)  # beside answers from 1 to 5 or 6, in steps of 1
SURVEY_GAP = 3  # between them and the answers
LOW_CODES = (-1, -9, -99, -999, -9999)
HIGHEST_BESIDE_CODE = 20  # rating that may stand beside a high code
HIGHEST_BESIDE_HIGHEST = 100
FARTHEST = 2.5  # times the largest rating: a high code is farther away
HIGHEST_BESIDE_LOW = 3  # -1 beside 0 and 1 is a scale, -1 beside 3 is none
FEWEST_LEVELS = 4  # ratings that differ, beside a zero that may be a code
FEWEST_ZEROS = 5
FAR_GAP = 2  # times the widest gap between others: a zero is farther away from them
LEAST_SHARE_OF_ZEROS = 0.02
ZEROS_TO_NEXT = 3  # how many times as many zeros there are as ratings of the level next to them

# A typing error
MOST_ERRORS = 0.005  # of the ratings
FEWEST_RATINGS = 20  # in which one is told from the others
HIGHEST_USUAL = 10
FEWEST_IN_SCALE = 100  # ratings that show a whole scale, beside which a single one is told
SCALES_OF_ALL = ((1, 5), (1, 10), (0, 10))
SCALES_WITH_STEP = ((0.5, 5, 0.5), (1, 5, 1), (0, 5, 1), (1, 10, 1), (0, 10, 1))
MOST_ABOVE = 0.02  # of the ratings, just above a scale all of which the others use
TOO_HIGH = 2  # times the highest of the others

# Ratings that are something else
EARLIEST_TIME = 600_000_000  # 1989
MANY_LEVELS = 20
SKEW = 10  # times their median is the highest of counts
FEWEST_COUNTS = 5  # levels, of which the first ones show that the higher a count is, the rarer
SURELY_FALLING = 3
SHARE_OF_ONES = 0.5  # of counts

# Ids that a spreadsheet has damaged
SCIENTIFIC = r"^\d([.,]\d+)?[eE]\+?\d+$"
ERRORS = ("#NAME?", "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!")
NO_IDS = ("nan", "NaN", "NAN", "None", "null", "NULL", "NA", "N/A", "<NA>", "undefined")
ISBN_LENGTH = 10
SHARE_OF_ISBNS = 0.9  # of the ids, where they are ISBNs
SHORT_SHARE = 0.05  # of the ISBNs that lack a digit


@dataclass(frozen=True)
class Levels:
    """The different ratings of a table, ascending, and how often each is given."""

    values: NDArray[np.float32]
    counts: NDArray[np.int64]

    @property
    def n_ratings(self) -> int:
        """How many ratings there are."""
        return int(self.counts.sum())

    def without(self, value: float) -> "Levels":
        """The same without one rating."""
        others = self.values != np.float32(value)
        return Levels(self.values[others], self.counts[others])


def count_levels(ratings: NDArray[np.float32]) -> Levels:
    """How often each rating is given."""
    counted = pl.Series("rating", ratings).value_counts().sort("rating")
    return Levels(counted["rating"].to_numpy(), counted["count"].to_numpy().astype(np.int64))


def refuse_implausible_ratings(
    columns: Columns, request: TableRequest, ratings: NDArray[np.float32], levels: Levels
) -> None:
    """UsageError for ratings that cannot be what was meant, unless the user has said they are.

    That is codes for "not rated", unless `missing` is given; times, and typing errors, unless
    the scale is given.
    """
    options = request.options
    if not options.missing and not options.scale:
        _refuse_codes(columns, request, ratings, levels)
    if options.scale:
        return
    _refuse_times(columns, request, levels)
    if options.missing != NONE:
        _refuse_errors(columns, request, ratings, levels)


def refuse_outside_scale(
    columns: Columns,
    request: TableRequest,
    ratings: NDArray[np.float32],
    scale: tuple[float, float],
    levels: Levels,
) -> None:
    """UsageError if ratings lie outside the `scale` that was given, with what leaves them out."""
    lowest, highest = scale
    is_outside = (levels.values < np.float32(lowest)) | (levels.values > np.float32(highest))
    if not is_outside.any():
        return

    outside = levels.values[is_outside]
    codes = "|".join(f"{value:g}" for value in outside[:4])
    advice = "Correct them, or give another scale."
    if len(outside) <= 4:
        advice = f"If they mean not rated: {request.spell(missing=codes)}. {advice}"
    bad = (ratings < np.float32(lowest)) | (ratings > np.float32(highest))
    expected = f"a rating from {lowest:g} to {highest:g}, the scale given,"
    columns.refuse_rows("rating", pl.Series(bad), expected, advice)


def find_codes(levels: Levels) -> list[float]:
    """The ratings that look like codes for "not rated", cut off from the others.

    >>> find_codes(Levels(np.float32([-1, 1, 2, 3, 4, 5]), np.array([9, 1, 2, 3, 2, 1])))
    [-1.0]
    """
    codes = []
    rest = levels
    while (code := _find_code(rest)) is not None:
        codes.append(code)
        rest = rest.without(code)
    return codes


def _find_code(levels: Levels) -> float | None:
    """A rating at either end that looks like a code for "not rated"; None if none does."""
    values = levels.values.astype(np.float64)
    if len(values) < 3:
        return None

    highest = values[-1]
    others = values[~np.isin(values, HIGH_CODES)]  # several codes may stand together
    farthest = np.abs(others).max(initial=0)
    beside = HIGHEST_BESIDE_HIGHEST if highest in HIGHEST_CODES else HIGHEST_BESIDE_CODE
    is_far = 0 < farthest <= beside and highest >= FARTHEST * farthest
    if highest in HIGH_CODES and is_far and levels.counts[-1] > 1:
        return float(highest)

    gaps = np.diff(values)
    is_cut_off = gaps[-1] >= SURVEY_GAP and np.all(gaps[:-1] == 1) and len(values) > FEWEST_LEVELS
    if highest in SURVEY_CODES and is_cut_off and levels.counts[-1] >= FEWEST_ZEROS:
        return float(highest)

    lowest = values[0]
    second = values[1]
    is_alone = second >= 0 and highest >= HIGHEST_BESIDE_LOW
    if lowest in LOW_CODES and is_alone and levels.counts[0] > 1:
        return float(lowest)
    if lowest == 0 and _is_code_zero(levels):
        return 0.0
    return None


def _is_code_zero(levels: Levels) -> bool:
    """Whether the zeros of a table are cut off from its other ratings: a peak beside a valley."""
    n_zeros = int(levels.counts[0])
    others = levels.counts[1:]

    # Far from all others
    gaps = np.diff(levels.values.astype(np.float64))
    if len(gaps) > 2 and n_zeros >= FEWEST_ZEROS:
        widest_other = gaps[1:].max()
        if gaps[0] >= FAR_GAP * widest_other:
            return True
    if len(others) < FEWEST_LEVELS or levels.values[1] < 0.5:
        return False

    # A slider from end to end, which many leave at either end
    is_slider = len(others) > MANY_LEVELS
    if is_slider and int(others[-1]) >= ZEROS_TO_NEXT * int(others[-2]):
        return False

    fewest = max(FEWEST_ZEROS, LEAST_SHARE_OF_ZEROS * levels.n_ratings)
    lowest_other = int(others[0])
    is_peak = n_zeros >= max(fewest, ZEROS_TO_NEXT * lowest_other)
    rises_again = int(others[1:].max()) > lowest_other
    return is_peak and rises_again


def _refuse_codes(
    columns: Columns, request: TableRequest, ratings: NDArray[np.float32], levels: Levels
) -> None:
    """UsageError, with both things to type, if some ratings look like codes for "not rated"."""
    codes = find_codes(levels)
    if 0 in codes and 0 not in find_codes(_levels_of_who_rates(columns, ratings)):
        codes.remove(0)
    if not codes:
        return
    coded = pl.Series(np.isin(ratings, np.array(codes, np.float32)))
    rest = levels.values[~np.isin(levels.values, np.array(codes, np.float32))]
    spelled = "|".join(f"{code:g}" for code in codes)
    raise UsageError(
        f"{columns.file}, {columns.count(coded)}: {' and '.join(f'{code:g}' for code in codes)} "
        f"in column {columns.names['rating']!r} looks like a code for not rated, as the others "
        f"are from {rest.min():g} to {rest.max():g}. If it is: "
        f"{request.spell(missing=spelled)} leaves such lines out and counts them. If it is a "
        f"rating: {request.spell(missing=NONE)}"
    )


def _levels_of_who_rates(columns: Columns, ratings: NDArray[np.float32]) -> Levels:
    """How often each rating is given by users who have given another than zero.

    Who gives nothing but zeros may dislike everything: that alone makes zeros no code.
    """
    frame = pl.DataFrame({"user": columns.series["user"], "rating": ratings})
    has_rated = (pl.col("rating") != 0).any().over("user")
    return count_levels(frame.filter(has_rated)["rating"].to_numpy())


def _refuse_times(columns: Columns, request: TableRequest, levels: Levels) -> None:
    """UsageError if the ratings look like times."""
    values = levels.values
    if values[0] >= EARLIEST_TIME and len(values) > 1:
        name = columns.names["rating"]
        named = {"rating": NONE}
        if "time" not in columns.names:
            named["time"] = name
        raise UsageError(
            f"{columns.file}: all {levels.n_ratings:,} ratings in column {name!r} look like times, "
            f"from {values[0]:.10g} to {values[-1]:.10g}. If there is no rating and every line is "
            f"a positive: {request.spell(**named)}. If they are ratings: "
            f"{request.spell(scale=f'{values[0]:.10g}:{values[-1]:.10g}')}"
        )


def _refuse_errors(
    columns: Columns, request: TableRequest, ratings: NDArray[np.float32], levels: Levels
) -> None:
    """UsageError, with the line, if very few ratings lie far from a usual scale of the others."""
    n_ratings = levels.n_ratings
    if n_ratings < FEWEST_RATINGS:
        return
    most = max(1, int(MOST_ERRORS * n_ratings))
    values = levels.values.astype(np.float64)
    inside = np.ones(len(values), np.bool_)
    n_left = most
    while inside.sum() > 2:
        kept = values[inside]
        count = int(levels.counts[values == kept[-1]][0])
        is_far = kept[-1] > max(HIGHEST_USUAL, TOO_HIGH * kept[-2])
        if not is_far or count > n_left:
            break
        inside[values == kept[-1]] = False
        n_left -= count
    kept = values[inside]
    if len(kept) > 3 and kept[0] < 0 <= kept[1] and levels.counts[0] == 1 and kept[-1] >= 3:
        inside[0] = False
    if inside.all() or np.abs(values[inside]).max() > HIGHEST_USUAL:
        return

    errors = levels.values[~inside]
    bad = pl.Series(np.isin(ratings, errors))
    spelled = "|".join(f"{value:g}" for value in errors)
    rest = values[inside]
    raise UsageError(
        f"{columns.file}, {columns.count(bad)}: {' and '.join(f'{value:g}' for value in errors)} "
        f"in column {columns.names['rating']!r}, where all other ratings are from {rest[0]:g} to "
        f"{rest[-1]:g}: a typing error? Correct it, leave it out: "
        f"{request.spell(missing=spelled)}, or say that it is a rating: "
        f"{request.spell(scale=f'{values[0]:g}:{values[-1]:g}')}"
    )


def remark_on_ratings(ratings: Ratings, column: str, request: TableRequest) -> list[str]:
    """What is odd about ratings that were taken as they are, and the share that is relevant.

    They stand in the `column` so called.
    """
    levels = count_levels(ratings.values)
    remarks = []
    if len(levels.values) == 1:
        remarks.append(
            f"All {len(ratings):,} ratings are {levels.values[0]:g}: errors of predicted ratings "
            f"say nothing. If every line is a positive: {request.spell(rating=NONE, scale='')}"
        )
        return remarks

    if _look_like_counts(levels):
        remarks.append(
            f"Column {column!r} looks like counts, not ratings: whole numbers from "
            f"{levels.values[0]:g} to {levels.values[-1]:g}, most of them low. If they are: "
            f"{request.spell(rating=COUNT, count=column, scale='')}"
        )
    remarks += _remark_on_lone_ends(levels, request) or _remark_on_few_above(levels, request)
    threshold = share_of_scale(ratings.scale, RELEVANT_SHARE)
    n_relevant = int(levels.counts[levels.values >= np.float32(threshold)].sum())
    lowest = ratings.scale[0]
    if n_relevant == 0:
        remarks.append(
            f"No rating is relevant, as none is at least {threshold:g}, three quarters of the "
            f"scale: lists cannot be judged. Another scale moves it: "
            f"{request.spell(scale=f'{lowest:g}:{levels.values[-1]:g}')}"
        )
    elif n_relevant == len(ratings):
        remarks.append(
            f"All {len(ratings):,} ratings are relevant, as all are at least {threshold:g}, three "
            "quarters of the scale: what users dislike is not told from what they like. If every "
            f"line is a positive: {request.spell(rating=NONE, scale='')}"
        )
    return remarks


def _remark_on_lone_ends(levels: Levels, request: TableRequest) -> list[str]:
    """A remark on a single rating that lies beyond a usual scale, all of which the others use."""
    if request.options.scale or levels.n_ratings < FEWEST_IN_SCALE:
        return []
    remarks = []
    for end in (0, -1):
        if levels.counts[end] != 1:
            continue
        value = float(levels.values[end])
        rest = levels.without(value).values.astype(np.float64)
        lowest = rest[0]
        highest = rest[-1]
        has_all_steps = bool(np.all(np.diff(rest) == 1))
        if has_all_steps and (lowest, highest) in SCALES_OF_ALL:
            leave_out = request.spell(missing=f"{value:g}")
            remarks.append(
                f"1 of {levels.n_ratings:,} ratings is {value:g}, all others are from {lowest:g} "
                f"to {highest:g}. If it is a typing error: {leave_out}"
            )
    return remarks


def _remark_on_few_above(levels: Levels, request: TableRequest) -> list[str]:
    """A remark on a few ratings above a usual scale, all of which the others use."""
    if request.options.scale or levels.n_ratings < FEWEST_IN_SCALE:
        return []
    values = levels.values.astype(np.float64)
    for lowest, highest, step in SCALES_WITH_STEP:
        is_above = values > highest
        n_above = int(levels.counts[is_above].sum())
        all_steps = np.arange(lowest, highest + step / 2, step)
        is_full = np.array_equal(values[~is_above], all_steps)
        if is_full and 0 < n_above <= MOST_ABOVE * levels.n_ratings:
            above = [f"{value:g}" for value in values[is_above]]
            listed = " or ".join(above[:4]) + (" ..." if len(above) > 4 else "")
            leave_out = request.spell(missing="|".join(above))
            return [
                f"{n_above:,} of {levels.n_ratings:,} ratings are {listed}, all others are from "
                f"{lowest:g} to {highest:g}. If they are typing errors: {leave_out}"
            ]
    return []


def _look_like_counts(levels: Levels) -> bool:
    """Whether ratings are whole numbers of many values, most of which are very low.

    Or of few values, where 1 is given more often than all others, and the higher the rarer.
    """
    values = levels.values
    is_whole = bool(np.all(np.mod(values, 1) == 0))
    if not is_whole or values[0] < 0:
        return False

    from_one = np.arange(1, FEWEST_COUNTS + 1)
    has_steps = np.array_equal(values[:FEWEST_COUNTS], from_one)
    changes = np.diff(levels.counts[:SURELY_FALLING])
    is_falling = bool(np.all(changes < 0))
    are_mostly_ones = levels.counts[0] > SHARE_OF_ONES * levels.n_ratings
    if has_steps and is_falling and are_mostly_ones:
        return True

    if len(values) < MANY_LEVELS:
        return False
    n_up_to = np.cumsum(levels.counts)
    middle = int(np.searchsorted(n_up_to, levels.n_ratings / 2))
    median = values[middle]
    return bool(values[-1] >= SKEW * max(median, 1))


def remark_on_ids(
    role: str, column: str, raw_ids: NDArray[Any], indices: NDArray[np.int32], request: TableRequest
) -> list[str]:
    """What looks damaged about the ids of a role; `indices` are those of the rows."""
    if raw_ids.dtype.kind != "U" and "isbn" not in column.lower():
        return []
    texts = pl.Series([str(raw_id) for raw_id in raw_ids.tolist()], dtype=pl.String)
    remarks = []

    def count_rows(is_bad: pl.Series) -> str:
        """How many rows have such an id."""
        n_rows = int(is_bad.to_numpy()[indices].sum())
        return f"{n_rows:,} of {len(indices):,} lines"

    leaves_out = f"{request.spell(where=f'{column}!=VALUE')} leaves lines with one of them out"
    scientific = texts.str.contains(SCIENTIFIC)
    if scientific.any():
        example = texts.filter(scientific)[0]
        leaves_out = f"this leaves them out: {request.spell(where=f'{column}!={example}')}"
        remarks.append(
            f"{count_rows(scientific)} have an id of the {role} like {example}, damaged by a "
            f"spreadsheet: many ids have become one. Export the column as text; {leaves_out}"
        )
    for known, kind in ((ERRORS, "an error of a spreadsheet"), (NO_IDS, "no id but a missing one")):
        is_bad = texts.is_in(list(known))
        if is_bad.any():
            example = texts.filter(is_bad)[0]
            remarks.append(
                f"{count_rows(is_bad)} have {example!r} as id of the {role}: {kind}? This leaves "
                f"them out: {request.spell(where=f'{column}!={example}')}"
            )
    if _have_lost_zeros(texts, is_isbn="isbn" in column.lower()):
        short = texts.str.len_chars() < ISBN_LENGTH
        remarks.append(
            f"{count_rows(short)} have an id of the {role} of fewer than {ISBN_LENGTH} characters "
            "and none begins with 0: a spreadsheet seems to have taken leading zeros away. Export "
            "the column as text, or the ids will match no other file."
        )
    return remarks


def _have_lost_zeros(texts: pl.Series, *, is_isbn: bool) -> bool:
    """Whether ids look like ISBNs without their leading zeros; `is_isbn` if they are called so."""
    has_check_letters = texts.str.contains(r"^\d+[Xx]$").any()
    if not (is_isbn or has_check_letters):
        return False

    n_fitting = int(texts.str.contains(r"^(\d{7,9}[\dXx]|\d{13})$").sum())
    has_zeros = texts.str.starts_with("0").any()
    if has_zeros or n_fitting < SHARE_OF_ISBNS * len(texts):
        return False
    n_short = int((texts.str.len_chars() < ISBN_LENGTH).sum())
    return n_short >= SHORT_SHARE * len(texts)
