"""What the columns of a table mean: ids, and ratings on a scale.

Text is looked at once for each distinct one, however many rows have it.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import BLANKS, Columns
from recbench.datasets.table.options import TableRequest

LONGEST_ID = 256

# By the steps that ratings have: 1, .5, or 0 for any. Within each, the narrowest first.
USUAL_SCALES = {
    1.0: (
        (0, 1), (-1, 1), (1, 5), (0, 5), (-2, 2), (-3, 3), (1, 10), (0, 10), (-5, 5), (-10, 10),
        (0, 100),
    ),
    0.5: (
        (0, 1), (-1, 1), (0.5, 5), (0, 5), (-2, 2), (0.5, 10), (0, 10), (-5, 5), (-10, 10),
        (0, 100),
    ),
    0.0: (
        (0, 1), (-1, 1), (1, 5), (0.5, 5), (0, 5), (-2, 2), (1, 10), (0, 10), (-5, 5), (-10, 10),
        (0, 100),
    ),
}  # fmt: skip
# Scales that are taken if whole ratings reach both ends, and narrower than the usual ones
SCALES_REACHED = ((1, 6), (1, 7), (0, 6), (0, 7), (0, 20), (1, 20))
# And these, if there are many ratings and all are whole: nobody has given more
SHORT_SCALES = ((0, 2), (0, 3), (0, 4))
FEWEST_IN_SHORT = 200  # ratings
SCALES_MEANT = {(1, 20): (0, 20)}  # marks go from 0, which hardly anybody gets
WIDEST_CERTAIN = 20  # span of a usual scale that is taken however little of it is used
LEAST_SHARE_USED = 0.5  # of the span of a wider one
LARGEST_RATING = 100  # up or down, of a scale that nobody has given
NEARLY_ALL = 0.9  # of the ratings are different: then they are ids
MOST_STEPS = 21  # distinct ratings that are few
FEWEST_LEVELS = 4  # distinct ratings that show that a scale ends where they end
SMALLEST_SPAN = 1e-6  # of a scale whose ratings are all equal, as a share of them

INTEGER = r"^(0|-?[1-9][0-9]*)$"  # 007 is none, as it would lose its zeros
WHOLE = r"^(0|-?[1-9][0-9]*)\.0$"
EXPONENT = r"^\d\.(\d+)[eE]\+?(\d+)$"  # as MATLAB writes all numbers
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
EXPECTED_INTEGER = "an integer of at most 64 bits"

# Ratings in other forms: what all must look like, and what they are called
COMMA = r"^[+-]?\d*,\d+$|^[+-]?\d+$"
THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$|^[+-]?\d{1,3}(\.\d+)?$"
THOUSANDS_AND_COMMA = r"^[+-]?\d{1,3}(\.\d{3})*,\d+$|^[+-]?\d{1,3}(\.\d{3})*$"
OF = r"^([+-]?\d+(?:[.,]\d+)?) ?(?:/|out of|of) ?(\d+)$"
PERCENT = r"^([+-]?\d+(?:[.,]\d+)?) ?%$"
EITHER_DECIMAL = r"^[+-]?\d+([.,]\d{1,2})?$"  # 3,5 and 4.5: neither separates thousands
STARS = r"^(★*)(☆*)$"
YES_AND_NO = {
    "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "like": 1.0, "dislike": 0.0, "liked": 1.0,
    "disliked": 0.0, "up": 1.0, "down": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0,
}  # fmt: skip
STARS_IN_WORDS = r"^(\d+(?:[.,]\d+)?) ?(?:stars?|★)$"

Scale = tuple[float, float]
SCALE_OF_PERCENTS: Scale = (0.0, 100.0)
PERCENTS = "Ratings are percents: the scale is 0 to 100."
SOME_PERCENTS = (
    "Some ratings have a percent sign, the others are numbers up to 100 without one: all are taken "
    "for percents, and the scale is 0 to 100."
)
LARGEST_FRACTION = 1  # which would be .8, where others are 80 %
MOST_STARS = 10  # which would be 4 of 5, where others are 80 %
Indices = NDArray[np.int32]


class DistinctTexts(NamedTuple):
    """A column as few texts: `texts[indices[row]]` is what stands in a row, blanks stripped."""

    indices: Indices  # one for each row
    texts: pl.Series  # by first appearance; equal ones only if blanks were all that differed


class Ids(NamedTuple):
    """Each row's dense index, by first appearance, and the raw ids behind the indices."""

    indices: Indices
    raw_ids: NDArray[Any]  # int64, or text
    remarks: list[str]


def read_ids(columns: Columns, role: str, request: TableRequest) -> Ids:
    """The ids of a role: int64 if all are integers and the user wants no text, else text.

    Whole numbers with a point, 1.0, are integers if all are numbers. UsageError for an empty id,
    one that is too long, integers beyond 64 bits, and a column of numbers with fractions or dates.
    """
    as_text = request.options.ids == "text"
    series = _decode_bytes(columns, role)

    def advise() -> str:
        """What to type where ids are missing."""
        if series.is_null().all() or series.n_unique() == 1:
            return f"Name another column: {role}=COLUMN."
        return (
            "Correct them, or leave such lines out and count them: "
            f"{request.spell(where=f'{columns.names[role]}!=')}"
        )

    columns.refuse_rows(role, series.is_null(), "a non-empty id", advise)
    remarks: list[str] = []

    if series.dtype.is_float() and not as_text:
        fractions = ~((series % 1 == 0) & (series.abs() < 2**53)).fill_null(value=False)
        columns.refuse_rows(role, fractions, "integers or text")
        series = series.cast(pl.Int64)
        remarks.append(f"The {role}s' ids are whole numbers with a point, such as 1.0: now 1.")
    if series.dtype.is_integer() and not as_text:
        series = series.cast(pl.Int64, strict=False)
        advice = f"As text they may be anything: {request.spell(ids='text')}"
        columns.refuse_rows(role, series.is_null(), EXPECTED_INTEGER, advice)
        return Ids(*index_by_appearance(series.to_numpy()), remarks)

    if not (series.dtype.is_integer() or is_text(series)):
        columns.refuse_rows(role, series.is_not_null(), "integers or text")

    distinct = distinct_texts(series)
    lengths = distinct.texts.str.len_chars()
    if (lengths == 0).any():
        is_empty = (lengths == 0).gather(distinct.indices)
        columns.refuse_rows(role, is_empty, "a non-empty id", advise)
    too_long = lengths > LONGEST_ID
    _refuse_texts(columns, role, distinct, too_long, f"at most {LONGEST_ID} characters")
    if as_text:
        return Ids(*_text_ids(distinct), remarks)

    integers = distinct.texts.str.contains(INTEGER)
    if not integers.all():
        n_whole = int(distinct.texts.str.contains(WHOLE).sum())
        if n_whole + int(integers.sum()) == len(distinct.texts):
            texts = distinct.texts.str.replace(r"\.0$", "")
            distinct = DistinctTexts(distinct.indices, texts)
            remarks.append(
                f"{n_whole:,} of {len(texts):,} forms of the {role}s' ids end in .0 and count as "
                "the integer; ids=text keeps them apart."
            )
            return Ids(*_integer_ids(columns, role, distinct, request), remarks)
    if integers.all():
        return Ids(*_integer_ids(columns, role, distinct, request), remarks)
    written_out = _write_out_exponents(distinct.texts)
    if written_out is not None:
        remarks.append(
            f"The {role}s' ids are whole numbers such as {distinct.texts[0]}: now "
            f"{written_out[0]}; ids=text keeps them as they are."
        )
        distinct = DistinctTexts(distinct.indices, written_out)
        return Ids(*_integer_ids(columns, role, distinct, request), remarks)
    return Ids(*_text_ids(distinct), remarks)


def _write_out_exponents(texts: pl.Series) -> pl.Series | None:
    """Numbers such as 1.9000000e+01 as 19; None if not all are so, or have lost digits."""
    groups = texts.str.extract_groups(EXPONENT).struct.unnest()
    exponents = groups["2"].cast(pl.Int64, strict=False)
    are_whole = (groups["1"].str.len_chars() >= exponents).fill_null(value=False)
    if not are_whole.all():
        return None
    numbers = texts.cast(pl.Float64, strict=False)
    if not (numbers % 1 == 0).all():
        return None
    return numbers.cast(pl.Int64).cast(pl.String)


def _decode_bytes(columns: Columns, role: str) -> pl.Series:
    """The column of a role, as text if it has bytes; UsageError for bytes that are no UTF-8."""
    series = columns.series[role]
    if series.dtype != pl.Binary:
        return series
    texts = pl.Series([_decode(cell) for cell in series], dtype=pl.String)
    columns.refuse_rows(
        role,
        texts.is_null() & series.is_not_null(),
        "text rather than bytes",
        "The column's type is binary: cast it to text or integers where the file is written.",
    )
    return texts


def _decode(cell: bytes | None) -> str | None:
    """Bytes as text; None for what is none."""
    if cell is None:
        return None
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None


def _integer_ids(
    columns: Columns, role: str, distinct: DistinctTexts, request: TableRequest
) -> tuple[Indices, NDArray[np.int64]]:
    """Each row's dense index, by first appearance, and the integers that the texts stand for.

    UsageError for integers beyond 64 bits.
    """
    numbers = distinct.texts.cast(pl.Int64, strict=False)
    advice = f"As text they may be anything: {request.spell(ids='text')}"
    _refuse_texts(columns, role, distinct, numbers.is_null(), EXPECTED_INTEGER, advice)
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


class RatingNumbers(NamedTuple):
    """A double for each row's rating, null where it is none, and remarks on other forms."""

    numbers: pl.Series
    remarks: list[str]
    scale: Scale | None = None  # if their form says it


def read_rating_numbers(columns: Columns, decimal: str) -> RatingNumbers:
    """The ratings as numbers, null where nothing or something else stands.

    If not all are plain numbers they may all be of one other form: 3,5 or 1,234 or 4/5 or 80 % or
    stars; `decimal` is "," where a comma is one whatever it looks like. UsageError for a column
    that is neither numbers nor text.
    """
    series = _decode_bytes(columns, "rating")
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return RatingNumbers(series.cast(pl.Float64, strict=False), [])

    refuse_other_types(columns, "rating")
    filled = series.drop_nulls()
    if not len(filled):
        return RatingNumbers(pl.Series([None] * len(series), dtype=pl.Float64), [])
    distinct = distinct_texts(filled)
    numbers = floats_of_texts(distinct.texts)
    remark = ""
    has_percents = distinct.texts.str.contains("%", literal=True).any()
    is_other = has_percents or numbers.null_count() == len(numbers) or _has_commas(distinct.texts)
    if decimal == "," or is_other:
        other = _read_other_form(distinct.texts, decimal)
        if other is not None:
            numbers, remark = other

    by_filled_row = numbers.gather(distinct.indices)
    if len(filled) < len(series):
        by_row = np.full(len(series), np.nan)
        by_row[series.is_not_null().to_numpy()] = by_filled_row.to_numpy()
        by_filled_row = pl.Series(by_row, nan_to_null=True)
    scale = SCALE_OF_PERCENTS if remark in (PERCENTS, SOME_PERCENTS) else None
    return RatingNumbers(by_filled_row, [remark] if remark else [], scale)


def _has_commas(texts: pl.Series) -> bool:
    """Whether all of these are numbers, some of them with commas."""
    are_numbers = texts.str.contains(f"{COMMA}|{THOUSANDS}").all()
    return bool(are_numbers) and bool(texts.str.contains(",", literal=True).any())


def _read_other_form(texts: pl.Series, decimal: str) -> tuple[pl.Series, str] | None:
    """The numbers that all `texts` stand for in one other form, and a remark that says which.

    Empty texts stay null. None if no form fits all of the others.
    """
    filled = texts.filter(texts.str.len_chars() > 0)
    if not len(filled):
        return None

    def fits(form: str) -> bool:
        """Whether all texts have this form."""
        return bool(filled.str.contains(form).all())

    if fits(THOUSANDS) and decimal != "," and filled.str.contains(",").any():
        numbers = floats_of_texts(texts.str.replace_all(",", ""))
        return numbers, "Commas in ratings separate thousands; decimal=, makes them decimal."
    if fits(COMMA) and decimal != ".":
        return floats_of_texts(texts.str.replace(",", ".")), "Ratings have a decimal comma."
    if fits(THOUSANDS_AND_COMMA) and decimal != ".":
        numbers = floats_of_texts(
            texts.str.replace_all(".", "", literal=True).str.replace(",", ".")
        )
        return numbers, "Ratings have a decimal comma, and points between thousands."
    if fits(EITHER_DECIMAL) and decimal == "auto":
        numbers = floats_of_texts(texts.str.replace(",", "."))
        return numbers, "Ratings have a decimal comma on some lines and a point on others."
    if fits(PERCENT):
        return _floats_of_group(texts, PERCENT), PERCENTS
    if fits(f"{PERCENT}|{NUMBER}"):
        numbers = _floats_of_group(texts.str.strip_suffix("%").str.strip_chars(), f"({NUMBER})")
        plain = floats_of_texts(filled)
        has_fractions = bool(plain.is_between(0, LARGEST_FRACTION, closed="right").any())
        is_wide = bool((plain > MOST_STARS).any()) and bool((plain <= SCALE_OF_PERCENTS[1]).all())
        return (numbers, SOME_PERCENTS) if is_wide and not has_fractions else None
    if fits(OF):
        wholes = filled.str.extract(OF, 2).unique()
        if len(wholes) == 1:
            return _floats_of_group(texts, OF), f"Ratings are parts of {wholes[0]}, as in 4/5."
    if fits(STARS):
        counts = texts.str.extract(STARS, 1).str.len_chars().cast(pl.Float64)
        return counts, "Ratings are counts of stars."
    lowered = filled.str.to_lowercase()
    if lowered.is_in(list(YES_AND_NO)).all() and lowered.n_unique() == 2:
        numbers = texts.str.to_lowercase().replace_strict(
            YES_AND_NO, default=None, return_dtype=pl.Float64
        )
        return numbers, f"Ratings are {' and '.join(lowered.unique(maintain_order=True))}: 1 and 0."
    if fits(STARS_IN_WORDS):
        return _floats_of_group(texts, STARS_IN_WORDS), "Ratings are numbers of stars, in words."
    return None


def describe_mixture(texts: pl.Series) -> str:
    """Why ratings of which all are numbers in some form cannot be read: a sentence, or ""."""
    filled = texts.filter(texts.str.len_chars() > 0)
    if not filled.str.contains(r"^[+-]?[\d.,]+ ?%?$").all():
        return ""
    percents = filled.filter(filled.str.ends_with("%"))
    plain = filled.filter(~filled.str.ends_with("%"))
    if len(percents) and len(plain):
        return (
            f"Some ratings are percents, as {percents[0]}, and some are not, as {plain[0]}: write "
            "all in one way."
        )
    commas = filled.filter(filled.str.contains(",", literal=True))
    points = filled.filter(filled.str.contains(".", literal=True))
    if not len(commas) or not len(points):
        return ""
    return (
        f"Some ratings have commas, as {commas[0]}, and some points, as {points[0]}: it is not "
        "clear what separates thousands. Write all in one way."
    )


def _floats_of_group(texts: pl.Series, form: str) -> pl.Series:
    """The number in the first group of a form."""
    return floats_of_texts(texts.str.extract(form, 1).str.replace(",", "."))


def infer_scale(
    columns: Columns, request: TableRequest, levels: NDArray[np.float32], n_ratings: int
) -> tuple[Scale, str]:
    """The narrowest usual scale that holds all `levels`, the sorted distinct of all ratings.

    And a remark on it.

    If it is much wider than they are, or none holds them, the scale goes from the lowest to the
    highest (or a little more if all are the same). The remark asks for a scale, or to say that they
    are counts, unless they are few and evenly spaced. UsageError if they look like ids.
    """
    lowest = float(levels[0])
    highest = float(levels[-1])
    step = _step_of_levels(levels)
    usual = _find_usual_scale(levels, step, n_ratings)
    gaps = np.diff(levels.astype(np.float64))
    is_even = len(levels) <= MOST_STEPS and np.allclose(gaps, gaps[:1], rtol=1e-3)
    is_small = float(np.abs(levels).max()) <= LARGEST_RATING or len(levels) <= 2

    if usual is not None:
        scale = usual
    elif highest == lowest:
        scale = (lowest, lowest + max(1.0, abs(lowest) * SMALLEST_SPAN))
    elif is_even and is_small:
        scale = (lowest, highest)
    else:
        name = columns.names["rating"]
        are_ids = len(levels) > NEARLY_ALL * n_ratings and step == 1 and n_ratings > MOST_STEPS
        looks = "ids" if are_ids else "counts of plays or purchases"
        problem = (
            f"{columns.file}: {len(levels):,} different ratings in column {name!r}, from "
            f"{lowest:.6g} to {highest:.6g}, fit no usual scale: they look like {looks}. "
            f"If they are counts: {_spell_counts(request, name)}. If they are ratings, "
            f"give their scale: {request.spell(scale=f'{lowest:.9g}:{highest:.9g}')}"
        )
        if are_ids:
            raise UsageError(problem)
        return (lowest, highest), f"{problem}. Until then they are ratings from end to end."

    steps = f"in steps of {step:g}" if step else "in no regular steps"
    remark = (
        f"The scale {scale[0]:g} to {scale[1]:g} is inferred from ratings from {lowest:g} to "
        f"{highest:g} {steps}; scale=LOWEST:HIGHEST sets another."
    )
    return scale, remark


def _spell_counts(request: TableRequest, name: str) -> str:
    """What to type for a column that holds counts."""
    return request.spell(rating="count", count=name)


def _find_usual_scale(levels: NDArray[np.float32], step: float, n_ratings: int) -> Scale | None:
    """The narrowest usual scale that holds all `levels`; None if that is much wider than they."""
    lowest = float(levels[0])
    highest = float(levels[-1])
    is_whole = step == 1 and len(levels) == highest - lowest + 1
    if is_whole and (lowest, highest) in SHORT_SCALES and n_ratings >= FEWEST_IN_SHORT:
        return lowest, highest
    if step == 1 and len(levels) >= FEWEST_LEVELS:
        for reached in SCALES_REACHED:
            if (lowest, highest) == reached:
                return SCALES_MEANT.get(reached, reached)

    for usual_lowest, usual_highest in USUAL_SCALES[step]:
        is_one_sided = usual_lowest < 0 <= lowest
        if usual_lowest <= lowest and highest <= usual_highest and not is_one_sided:
            span = usual_highest - usual_lowest
            is_used = highest - lowest >= LEAST_SHARE_USED * span or highest == lowest
            if span <= WIDEST_CERTAIN or is_used or len(levels) <= 2:
                return float(usual_lowest), float(usual_highest)
            return None
    return None


def _step_of_levels(levels: NDArray[np.float32]) -> float:
    """1 if all ratings are whole, .5 if they are whole or halves, else 0."""
    for step in (1.0, 0.5):
        if np.all(np.mod(levels, step) == 0):
            return step
    return 0.0


def floats_of_texts(texts: pl.Series) -> pl.Series:
    """A double for each text, null where it is no number in the usual form."""
    numeric = pl.select(pl.when(texts.str.contains(NUMBER)).then(texts)).to_series()
    return numeric.cast(pl.Float64, strict=False)


def is_text(series: pl.Series) -> bool:
    """Whether a column has texts, in any of the forms in which polars keeps them."""
    return series.dtype in (pl.String, pl.Categorical, pl.Enum)


def refuse_other_types(columns: Columns, role: str) -> None:
    """UsageError, for its first row, if the column of `role` is no text either."""
    series = columns.series[role]
    if not is_text(series) and series.dtype != pl.Binary:
        expected = f"numbers rather than {series.dtype}"
        columns.refuse_rows(role, series.is_not_null(), expected)


def distinct_texts(series: pl.Series) -> DistinctTexts:
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
    columns: Columns,
    role: str,
    distinct: DistinctTexts,
    bad: pl.Series,
    expected: str,
    advice: str = "",
) -> None:
    """UsageError for the first row whose text is `bad`; `bad` has a boolean for each text."""
    if bad.any():
        columns.refuse_rows(role, bad.gather(distinct.indices), expected, advice)
