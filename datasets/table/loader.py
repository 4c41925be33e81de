"""The loader of `table:PATH`: anybody's own ratings, in whatever file they have them."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recbench.datasets import dataset
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Step
from recbench.datasets.storage import attach_overviews, load_cached
from recbench.datasets.table.columns import Columns
from recbench.datasets.table.items import read_catalogue
from recbench.datasets.table.matrix import choose_wide_columns, melt_matrix
from recbench.datasets.table.options import (
    NONE,
    Decimal,
    Encoding,
    Header,
    Ids,
    Layout,
    Overviews,
    Quote,
    TableOptions,
    TableRequest,
)
from recbench.datasets.table.plausibility import (
    count_levels,
    refuse_implausible_ratings,
    refuse_outside_scale,
    remark_on_ids,
    remark_on_ratings,
)
from recbench.datasets.table.read import list_parts, read_columns
from recbench.datasets.table.roles import choose_ratings_columns
from recbench.datasets.table.times import read_times
from recbench.datasets.table.values import (
    RatingNumbers,
    Scale,
    describe_mixture,
    infer_scale,
    parse_scale,
    read_ids,
    read_rating_numbers,
)
from recbench.datasets.transforms import Policy, resolve_duplicates

PARSER = 6  # raise it when what is parsed from the same bytes changes
BLANK = "blank"  # missing=blank: lines on which no rating stands
MOST_RETURNS = 0.2  # of the lines, with counts below 0: goods that were sent back
LEAST_WEIGHT = 0.75  # of the scale from 0 to 1: every count is relevant


@dataset("table:PATH")
def table(
    path: str,
    *,
    user: str = "",
    item: str = "",
    rating: str = "",
    time: str = "",
    count: str = "",
    sep: str = "",
    quote: Quote = "auto",
    header: Header = "auto",
    layout: Layout = "long",
    decimal: Decimal = "auto",
    scale: str = "",
    missing: str = "",
    where: str = "",
    time_format: str = "",
    items: str = "",
    items_id: str = "",
    items_title: str = "",
    overviews: Overviews = "none",
    duplicates: Policy = "last",
    encoding: Encoding = "utf-8",
    ids: Ids = "auto",
    member: str = "",
) -> Dataset:
    """Your own ratings: CSV and the like, JSON, Excel, Parquet or Arrow, packed or not.

    Columns are recognised by their usual names (user, item, rating, optionally timestamp), without
    a header line by what they hold, or named by `user`, `item`, `rating` and `time`: a name, or a
    number from 1. `rating=none` takes every line for a positive, `rating=count` counts plays or
    purchases, those of the column `count` if it is named; then only rankers run. The separator is
    recognised, or named by `sep`; `quote=none` takes quotes for characters, `header=none` the first
    line for ratings, `decimal=,` a comma for a point. `layout=wide` is a matrix with a line for
    each user. `missing=0` leaves out ratings that stand for none (several as `0|blank`),
    `where=COLUMN=VALUE` keeps only such lines (`!=` the others); both are counted. `time_format`
    says how times are written. The scale is the narrowest usual one that holds all ratings and
    their steps, unless `scale=1:5` gives it. `items=PATH` names a file with the items' titles,
    years and genres, `items_id` and `items_title` its columns; `overviews=films` says that the
    items are films, which the overviews in the data directory describe. Of several ratings of one
    pair the latest counts, without times the last, or their mean, or they are an error:
    `duplicates`. Ids are integers if all are, unless `ids=text`. `member` names a file in an
    archive. Users and items are indexed by first appearance; ratings keep the file's order.
    UsageError, with file and line, for what does not fit.
    """
    ratings_file = _existing_file("table:", path, may_be_folder=True)
    items_file = _existing_file("items=", items) if items else None
    parse_scale(scale)  # refuses a bad one before anything is read

    options = TableOptions(
        user=user,
        item=item,
        rating=rating,
        time=time,
        count=count,
        sep=sep,
        quote=quote,
        header=header,
        layout=layout,
        decimal=decimal,
        scale=scale,
        missing=missing,
        where=where,
        time_format=time_format,
        items=items,
        items_id=items_id,
        items_title=items_title,
        overviews=overviews,
        duplicates=duplicates,
        encoding=encoding,
        ids=ids,
        member=member,
    )
    sources = list_parts(ratings_file) if ratings_file.is_dir() else [ratings_file]
    if items_file:
        sources.append(items_file)
    given = {**asdict(options), "items": items_file.name if items_file else ""}
    return load_cached(
        f"table:{ratings_file.name}",
        sources,
        {**given, "parser": PARSER},
        partial(parse_table, ratings_file, items_file, TableRequest(path, options)),
        attach_overviews if overviews == "films" else None,
    )


def _existing_file(option: str, path: str, *, may_be_folder: bool = False) -> Path:
    """The file at `path`; UsageError, which begins with `option`, if there is none.

    Also if its name is not UTF-8: neither a record nor a page could hold it.
    """
    shown = path.encode("utf-8", "backslashreplace").decode()
    if shown != path:
        raise UsageError(f"{option}{shown}: the name of the file is not UTF-8. Rename it.")
    file = Path(path).expanduser()
    if not (file.is_file() or (may_be_folder and file.is_dir())):
        hint = " Parameters are written [key=value,...]." if path.endswith("]") else ""
        raise UsageError(f"{option}{path}: there is no file {file.absolute()}.{hint}")
    return file


def parse_table(ratings_file: Path, items_file: Path | None, request: TableRequest) -> Dataset:
    """The data set in `ratings_file`, with the titles of `items_file` if there is one.

    Its remarks say what was inferred. UsageError, with file and line, for what does not fit.
    """
    options = request.options
    columns = _read_roles(ratings_file, request)
    remarks = list(columns.remarks)
    steps: list[Step] = []

    columns = _keep_where(columns, request, steps)
    if options.is_implicit:
        columns, values, scale, rating_remarks = _read_positives(columns, request, steps)
    else:
        columns, values, scale, rating_remarks = _read_explicit(columns, request, steps)

    # Each column is let go as soon as it is understood: 200 MB of 25 million ratings
    columns.series.pop("rating", None)
    users = read_ids(columns, "user", request)
    del columns.series["user"]
    items = read_ids(columns, "item", request)
    del columns.series["item"]
    for role, read in (("user", users), ("item", items)):
        remarks += read.remarks
        name = columns.names[role]
        remarks += remark_on_ids(role, name, read.raw_ids, read.indices, request)

    remarks += rating_remarks
    times = None
    if "time" in columns.series:
        read_as = read_times(columns, request)
        times = read_as.seconds
        remarks += read_as.remarks
    columns.series.clear()

    def describe_row(row: int) -> str:
        """File and line of a row, for messages."""
        return f"{ratings_file}, {columns.place_of_row(row).name}"

    ratings = Ratings(
        users.indices, items.indices, values, len(users.raw_ids), len(items.raw_ids), scale, times
    )
    policy: Literal["last", "mean", "error", "sum"] = options.duplicates
    if options.is_implicit and options.rating != NONE and policy == "last":
        policy = "sum"
    ratings, duplicates_step = resolve_duplicates(ratings, policy, describe_row)
    if duplicates_step:
        steps.append(duplicates_step)
    if options.is_implicit:
        ratings = _weigh_counts(ratings, remarks)
    else:
        remarks += remark_on_ratings(ratings, columns.names["rating"], request)

    if items_file:
        catalogue, items_remarks = read_catalogue(items_file, items.raw_ids, request)
        remarks += items_remarks
    else:
        catalogue = _catalogue_of_ids(items.raw_ids)

    provenance = Provenance(
        sources=(),
        licence="as its owner says",
        citation=f"{ratings_file.name}, given by the user",
        steps=tuple(steps),
        remarks=tuple(remarks),
    )
    name = f"table:{ratings_file.name}"
    return Dataset(
        name,
        ratings,
        catalogue,
        users.raw_ids,
        items.raw_ids,
        provenance,
        feedback="implicit" if options.is_implicit else "explicit",
    )


def _read_roles(ratings_file: Path, request: TableRequest) -> Columns:
    """The columns of the table that play a role, those of a matrix made into one rating a line."""
    options = request.options
    text_roles = frozenset(("user", "item")) if options.ids == "text" else frozenset[str]()
    if options.layout == "wide":
        choose = partial(choose_wide_columns, request, ratings_file)
        return melt_matrix(read_columns(ratings_file, choose, options, text_roles))
    choose = partial(choose_ratings_columns, request, ratings_file)
    return read_columns(ratings_file, choose, options, text_roles)


def _keep_where(columns: Columns, request: TableRequest, steps: list[Step]) -> Columns:
    """The rows that `where` asks for, and the step that counts the others.

    UsageError if there is no such row.
    """
    where = request.options.where
    if not where:
        return columns
    column, _, value = where.partition("=")
    is_negated = column.endswith("!")
    series = columns.series.pop("where")
    texts = series.cast(pl.String).fill_null("").str.strip_chars()
    is_kept = (texts == value).fill_null(value=False)
    if series.dtype.is_numeric():
        is_kept |= (series == _number_or_nan(value)).fill_null(value=False)
    if is_negated:
        is_kept = ~is_kept
    if not is_kept.any():
        found = texts.value_counts(sort=True).head(5)[texts.name].to_list()
        choices = [text for text in found if text not in ("", value)]
        proposed = [request.spell(where=f"{column.rstrip('!')}={text}") for text in choices[:3]]
        advice = f"Without the filter: {request.spell(where='')}"
        if proposed:
            advice = f"For example: {', '.join(proposed)}. {advice}"
        raise UsageError(
            f"{columns.file}: where={where} keeps none of {len(texts):,} lines; the column has "
            f"{', '.join(map(repr, found))}. {advice}"
        )
    relation = "other than" if is_negated else "="
    rule = f"lines with {column.rstrip('!')} {relation} {value or 'nothing'}"
    return _keep_counted(columns, is_kept, rule, steps)


def _number_or_nan(text: str) -> float:
    """The number that is written, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _keep_counted(columns: Columns, is_kept: pl.Series, rule: str, steps: list[Step]) -> Columns:
    """The rows for which `is_kept` is true; the step that counts the others is appended.

    There is no step if all are kept.
    """
    if is_kept.all():
        return columns
    kept = columns.keep(is_kept)
    steps.append(Step(rule, _count(columns), _count(kept)))
    return kept


def _count(columns: Columns) -> dict[str, int]:
    """How many different "users" and "items" the columns have, and how many "ratings"."""
    return {
        "users": columns.series["user"].n_unique(),
        "items": columns.series["item"].n_unique(),
        "ratings": len(columns),
    }


Read = tuple[Columns, NDArray[np.float32], Scale, list[str]]


def _read_explicit(columns: Columns, request: TableRequest, steps: list[Step]) -> Read:
    """The rows that have a rating, the ratings, their scale, and remarks.

    UsageError for what is no number, what looks like something else, and what lies outside the
    scale if it is given.
    """
    options = request.options
    columns, read = _leave_out_missing(columns, request, steps)
    numbers = read.numbers
    with np.errstate(over="ignore"):
        ratings = numbers.to_numpy().astype(np.float32)
    is_bad = pl.Series(~np.isfinite(ratings))
    if is_bad.any():
        columns.refuse_rows(
            "rating", is_bad, "a number", partial(_advise, columns, request, is_bad)
        )

    levels = count_levels(ratings)
    given = parse_scale(options.scale) or read.scale
    if given is None:
        refuse_implausible_ratings(columns, request, ratings, levels)
        try:
            scale, remark = infer_scale(columns, request, levels.values, levels.n_ratings)
        except UsageError as error:
            raise UsageError(" ".join([f"{error}.", *read.remarks])) from None
        return columns, ratings, scale, [*read.remarks, remark]

    refuse_outside_scale(columns, request, ratings, given, levels)
    remarks = list(read.remarks)
    if options.scale:
        remarks.append(f"The scale {given[0]:g} to {given[1]:g} was given.")
    return columns, ratings, given, remarks


def _leave_out_missing(
    columns: Columns, request: TableRequest, steps: list[Step]
) -> tuple[Columns, RatingNumbers]:
    """The rows that have a rating, and the ratings as numbers.

    The step that counts the others is appended: those whose rating is one of `missing`.
    """
    read = read_rating_numbers(columns, request.options.decimal)
    numbers = read.numbers
    given = request.options.missing
    if not given or given == NONE:
        return columns, read

    series = columns.series["rating"]
    is_kept = pl.Series(np.ones(len(numbers), np.bool_))
    for code in given.split("|"):
        if code.strip() == BLANK:
            is_kept &= series.is_not_null()
            if not series.dtype.is_numeric():
                is_kept &= (series.cast(pl.String).str.strip_chars() != "").fill_null(value=False)
            continue
        if not series.dtype.is_numeric():
            texts = series.cast(pl.String).str.strip_chars()
            is_kept &= (texts != code.strip()).fill_null(value=True)
        is_kept &= (numbers != _number_or_nan(code)).fill_null(value=True)
    if not is_kept.any():
        raise UsageError(
            f"{columns.file}: missing={given} leaves none of {len(numbers):,} ratings. "
            f"Without it: {request.spell(missing=NONE)}"
        )
    rule = f"lines that are rated, in column {columns.names['rating']!r} not {given}"
    kept = _keep_counted(columns, is_kept, rule, steps)
    return kept, read._replace(numbers=numbers.filter(is_kept))


def _advise(columns: Columns, request: TableRequest, is_bad: pl.Series) -> str:
    """What to type where ratings are no numbers: what leaves them out, or takes no ratings."""
    all_texts = columns.series["rating"].cast(pl.String).drop_nulls().unique(maintain_order=True)
    mixture = describe_mixture(all_texts.str.strip_chars())
    if mixture:
        return mixture
    series = columns.series["rating"].filter(is_bad)
    texts = series.cast(pl.String).fill_null("").str.strip_chars().value_counts(sort=True)
    spell = request.spell
    if len(series) == len(is_bad):
        return (
            "No form of ratings fits all of them. Name another column: rating=COLUMN; or, if "
            f"every line is a positive: {spell(rating=NONE, missing='', scale='')}"
        )
    codes = [text or BLANK for text in texts[texts.columns[0]].head(4).to_list()]
    before = [request.options.missing] if request.options.missing not in ("", NONE) else []
    if len(texts) <= 4 and not any("," in code or "|" in code for code in codes):
        missing = "|".join([*before, *codes])
        return f"Correct them, or leave such lines out and count them: {spell(missing=missing)}"
    return "Correct them, or leave these lines out."


def _read_positives(columns: Columns, request: TableRequest, steps: list[Step]) -> Read:
    """The rows of a table without ratings, how often each counts, the span of that, and remarks.

    Counts of 0 are left out as a step, and the few below it that goods sent back have. UsageError
    for counts that are no numbers, or of which many are below 0.
    """
    if request.options.rating == NONE and not request.options.count:
        columns.series.pop("rating", None)
    if "rating" not in columns.series:
        ones = np.ones(len(columns), np.float32)
        remark = "There are no ratings: every line is a positive. Rating predictors are skipped."
        return columns, ones, (0.0, 2.0 * len(ones)), [remark]

    name = columns.names["rating"]
    columns, read = _leave_out_missing(columns, request, steps)
    numbers = read.numbers
    remarks = list(read.remarks)
    bad = ~(numbers >= 0).fill_null(value=False)
    are_returns = (numbers < 0).fill_null(value=False)
    if are_returns.sum() <= MOST_RETURNS * len(numbers):
        bad &= ~are_returns
    advice = (
        f"Leave such lines out, or take every line for one: {request.spell(rating=NONE, count='')}"
    )
    columns.refuse_rows("rating", bad, "a count, 0 or more,", advice)
    is_kept = numbers > 0
    if not is_kept.any():
        raise UsageError(f"{columns.file}: all counts in column {name!r} are 0")
    columns = _keep_counted(columns, is_kept, f"lines with a count above 0 in {name!r}", steps)
    counts = numbers.filter(is_kept).to_numpy().astype(np.float32)
    remarks.append(
        f"Column {name!r} has counts, not ratings, from {counts.min():g} to {counts.max():g}: "
        "every line is a positive. Rating predictors are skipped."
    )
    return columns, counts, (0.0, 2 * float(counts.sum(dtype=np.float64))), remarks


def _weigh_counts(ratings: Ratings, remarks: list[str]) -> Ratings:
    """Positives on a scale from 0 to 1: 1 if all count the same, else from .75 by their logarithm.

    So all are relevant, and who plays more weighs more.
    """
    counts = ratings.values.astype(np.float64)
    lowest = counts.min()
    highest = counts.max()
    weights = np.ones(len(counts))
    if highest > lowest:
        share = np.log(counts / lowest) / np.log(highest / lowest)
        weights = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * share
        remarks.append(
            f"Counts from {lowest:g} to {highest:g} became weights from {LEAST_WEIGHT:g} to 1, by "
            "their logarithm."
        )
    return Ratings(
        ratings.users,
        ratings.items,
        weights.astype(np.float32),
        ratings.n_users,
        ratings.n_items,
        (0.0, 1.0),
        ratings.times,
    )


def _catalogue_of_ids(item_ids: NDArray[Any]) -> Catalogue:
    """A catalogue that knows nothing but the items' ids, which are their titles."""
    n_items = len(item_ids)
    return Catalogue(
        titles=tuple(str(item_id) for item_id in item_ids.tolist()),
        years=(None,) * n_items,
        genres=((),) * n_items,
    )
