"""What a data set looks like, in few numbers: its stars, days, users, items, years and gaps, for a
report to draw.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, make_legible, parse_json
from recbench.datasets.ratings import Catalogue, Dataset, Ratings
from recbench.datasets.storage import write_atomically

SCHEMA = 1
VALUES = 50  # up to so many different ratings are counted one by one
BINS = 40  # more are counted in so many bins
DAYS = 732  # up to two years are counted by day
MONTHS = 600  # up to fifty years are counted by month
BLOCKS = 60  # of users, and of items, in the grid
YEARS = 150  # that many bars at most
POINTS = 60  # of the curve "n have at least x ratings"
TOP = 10  # items in a list
PRIOR = 1000  # that of the source notebooks, where items have many ratings
LONGEST = 200  # characters of a title
SECONDS = 86_400  # of a day
DIGITS_SHOWN = 12  # of a digest in a message

Counts = NDArray[np.int64]
Period = Literal["day", "month", "year"]


class Stars(TypedDict):
    """How often each rating is given: by value, or in bins where there are too many values."""

    mean: float
    median: float
    deviation: float  # the standard deviation
    values: list[float] | None  # ascending, one for each count; None where there are bins
    edges: list[float] | None  # of the bins, one more than counts; None where there are values
    counts: list[int]


class TimeRange(TypedDict):
    """Ratings in each day, month or year, from that of the first rating to that of the last."""

    first: str  # the day of the first rating as YYYY-MM-DD, in UTC
    last: str
    step: Period
    counts: list[int]


class Activity(TypedDict):
    """How many ratings each user gives, or each item has."""

    lowest: int
    lower_quartile: float
    median: float
    mean: float
    upper_quartile: float
    highest: int
    without: int  # users or items that have no rating
    gini: float  # 0 where all have equally many
    levels: list[int]  # ascending numbers of ratings
    at_least: list[int]  # how many users or items have at least so many, one for each level


class Years(TypedDict):
    """Items by their year of release."""

    first: int  # where the first bar begins
    step: int  # years of a bar
    counts: list[int]
    unknown: int  # items without a year


class Grid(TypedDict):
    """Ratings in blocks of users by blocks of items, the most active and the most rated first."""

    users: list[int]  # how many users each block has
    items: list[int]
    counts: list[list[int]]  # a list for each block of users, with a number for each of items


class TopItem(TypedDict):
    """An item of a list of the best."""

    title: str
    mean: float
    weighted: float  # the mean of its n ratings and of `prior` more at the mean of all
    n: int


class Profile(TypedDict):
    """What a data set holds, in the form that `profile.json` has."""

    schema: int
    digest: str  # of the data set
    users: int
    items: int
    ratings: int
    density: float  # the share of all pairs of a user and an item that is rated
    stars: Stars
    times: TimeRange | None  # None without times
    per_user: Activity
    per_item: Activity
    years: Years | None  # None if no item has one
    grid: Grid
    prior: int
    top_by_mean: list[TopItem]
    top_by_weighted_mean: list[TopItem]


def profile_dataset(dataset: Dataset) -> Profile:
    """What `dataset` holds, as plain numbers, lists and texts for JSON; below 60 KB however many
    ratings there are.

    The two lists of the best are of all items with a rating, ten at most.
    """
    ratings = dataset.ratings
    per_user = np.bincount(ratings.users, minlength=ratings.n_users)
    per_item = np.bincount(ratings.items, minlength=ratings.n_items)

    prior = _choose_prior(ratings)
    rated = _average_items(ratings, per_item, prior)
    return {
        "schema": SCHEMA,
        "digest": dataset.digest,
        "users": ratings.n_users,
        "items": ratings.n_items,
        "ratings": len(ratings),
        "density": len(ratings) / (ratings.n_users * ratings.n_items),
        "stars": _count_values(ratings),
        "times": _count_times(ratings),
        "per_user": _describe_activity(per_user),
        "per_item": _describe_activity(per_item),
        "years": _count_years(dataset.catalogue),
        "grid": _count_blocks(ratings, per_user, per_item),
        "prior": prior,
        "top_by_mean": _list_best(dataset, rated, rated.means),
        "top_by_weighted_mean": _list_best(dataset, rated, rated.weighted_means),
    }


def write_profile(path: Path, dataset: Dataset) -> None:
    """Keep the profile of `dataset` as JSON at `path`. UsageError if that cannot be written."""
    text = json.dumps(profile_dataset(dataset), sort_keys=True, allow_nan=False)
    try:
        write_atomically(path, f"{text}\n".encode())
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; name another directory with --out"
        ) from None


def read_profile(path: Path, digest: str) -> Profile | None:
    """The profile at `path`, None if there is none.

    UsageError if it is damaged, of another schema, or of data with another digest. What else
    stands in it is taken as `write_profile` wrote it.
    """
    advice = (
        f"Run `{command_to_type('run')}` again, or delete the file to do without charts of the "
        "data."
    )
    try:
        content = parse_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}. {advice}") from None

    expected = {"schema": SCHEMA, "digest": digest}
    for key, value in expected.items():
        actual = content.get(key) if isinstance(content, dict) else content
        if actual != value:
            wanted_text = str(value)[:DIGITS_SHOWN]
            actual_text = str(actual)[:DIGITS_SHOWN]
            raise UsageError(
                f"{path} is not about this run's data: expected {key} {wanted_text}, "
                f"got {actual_text}. {advice}"
            )
    return cast(Profile, content)


def _count_values(ratings: Ratings) -> Stars:
    """How often each rating is given; in bins of the scale if more than `VALUES` differ."""
    values, counts = np.unique(ratings.values, return_counts=True)

    # The middle rating, or the mean of the two in the middle if their number is even.
    n_up_to = np.cumsum(counts)
    middle_rows = [(len(ratings) - 1) // 2, len(ratings) // 2]
    middle_values = values[np.searchsorted(n_up_to, middle_rows, side="right")]
    stars: Stars = {
        "mean": ratings.mean,
        "median": float(middle_values.mean()),
        "deviation": float(ratings.values.std(dtype=np.float64)),
        "values": values.tolist(),
        "edges": None,
        "counts": counts.tolist(),
    }
    if len(values) <= VALUES:
        return stars

    lowest, highest = ratings.scale
    edges = np.linspace(lowest, highest, BINS + 1)
    # Only inner edges divide, so that the last bin holds the highest rating too.
    bins = np.searchsorted(edges[1:-1], values, side="right")
    counts_by_bin = np.bincount(bins, counts, BINS).astype(np.int64)
    stars["values"] = None
    stars["edges"] = edges.tolist()
    stars["counts"] = counts_by_bin.tolist()
    return stars


def _count_times(ratings: Ratings) -> TimeRange | None:
    """Ratings by day, or by month or year where the days or the months would be too many.

    None if the ratings have no times. Days are those of UTC.
    """
    if ratings.times is None:
        return None

    days = ratings.times // SECONDS
    first_day = days.min()
    by_day = np.bincount(days - first_day)
    dates = np.arange(first_day, first_day + len(by_day)).astype("M8[D]")

    by_month = _add_up(by_day, dates.astype("M8[M]").astype(np.int64))
    period: Period
    if len(by_day) <= DAYS:
        period = "day"
        counts = by_day
    elif len(by_month) <= MONTHS:
        period = "month"
        counts = by_month
    else:
        period = "year"
        counts = _add_up(by_day, dates.astype("M8[Y]").astype(np.int64))
    return {
        "first": str(dates[0]),
        "last": str(dates[-1]),
        "step": period,
        "counts": counts.tolist(),
    }


def _add_up(by_day: Counts, periods: Counts) -> Counts:
    """The sum of `by_day` in each period from the first to the last.

    `periods` are the numbers of the days' months or years, ascending.
    """
    return np.bincount(periods - periods[0], by_day).astype(np.int64)


def _describe_activity(counts: Counts) -> Activity:
    """How ratings are shared among users, or among items.

    `counts` has an entry for each user or item, 0 for those without; at least one has a rating.
    """
    ordered = np.sort(counts)
    n_members = len(ordered)
    n_ratings = int(ordered.sum())
    quantiles = np.quantile(ordered, [0, 0.25, 0.5, 0.75, 1])
    lowest, lower_quartile, median, upper_quartile, highest = quantiles.tolist()

    # Levels are spread evenly on a logarithmic axis; where they are dense, rounding unites some.
    active = ordered[ordered > 0]
    spread = np.geomspace(active[0], active[-1], POINTS)
    levels = np.unique(np.rint(spread).astype(np.int64))
    at_least = n_members - np.searchsorted(ordered, levels)

    ranks = np.arange(1, n_members + 1)
    weighted_sum = (ranks * ordered).sum()
    gini = 2 * weighted_sum / (n_members * n_ratings) - (n_members + 1) / n_members
    return {
        "lowest": int(lowest),
        "lower_quartile": lower_quartile,
        "median": median,
        "mean": n_ratings / n_members,
        "upper_quartile": upper_quartile,
        "highest": int(highest),
        "without": n_members - len(active),
        "gini": float(gini),
        "levels": levels.tolist(),
        "at_least": at_least.tolist(),
    }


def _count_years(catalogue: Catalogue) -> Years | None:
    """Items by year of release, in bars of 1, 10, 100 ... years, so that there are at most `YEARS`.

    None if no item has a year.
    """
    known = []
    for title, catalogue_year in zip(catalogue.titles, catalogue.years, strict=True):
        year = _release_year(title, catalogue_year)
        if year is not None:
            known.append(year)
    if not known:
        return None

    years = np.array(known)
    step = 1
    while years.max() // step - years.min() // step >= YEARS:
        step *= 10

    bars = years // step
    first_bar = bars.min()
    return {
        "first": int(first_bar * step),
        "step": step,
        "counts": np.bincount(bars - first_bar).tolist(),
        "unknown": len(catalogue.titles) - len(known),
    }


def _release_year(title: str, year: int | None) -> int | None:
    """`year`, or if it is None what the title ends with, as in "Alien (1979)"; else None."""
    if year is not None:
        return year
    match = re.search(r"\((\d{4})\)\s*$", title)
    return int(match[1]) if match else None


def _count_blocks(ratings: Ratings, per_user: Counts, per_item: Counts) -> Grid:
    """The ratings of each block of users and items; the counts are those of each user and item."""
    user_blocks, user_sizes = _assign_blocks(per_user)
    item_blocks, item_sizes = _assign_blocks(per_item)
    shape = (len(user_sizes), len(item_sizes))

    cells = user_blocks[ratings.users] * np.int16(len(item_sizes)) + item_blocks[ratings.items]
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    return {
        "users": user_sizes.tolist(),
        "items": item_sizes.tolist(),
        "counts": counts.tolist(),
    }


def _assign_blocks(counts: Counts) -> tuple[NDArray[np.int16], Counts]:
    """The block of each user or item, and the size of each block.

    There are at most `BLOCKS`, as equal in size as can be; those with most ratings are in the
    first.
    """
    n_members = len(counts)
    n_blocks = min(BLOCKS, n_members)
    most_first = np.argsort(-counts, kind="stable")

    blocks = np.empty(n_members, np.int16)
    blocks[most_first] = np.arange(n_members) * n_blocks // n_members
    return blocks, np.bincount(blocks)


@dataclass(frozen=True, eq=False)
class _RatedItems:
    """The items that have a rating, ascending, with their numbers of ratings and means."""

    items: NDArray[np.int64]
    counts: Counts
    means: NDArray[np.float64]
    weighted_means: NDArray[np.float64]


def _choose_prior(ratings: Ratings) -> int:
    """How many ratings at the overall mean a weighted mean adds to those of an item.

    As many as an item has on average, but at least 1 and at most `PRIOR`.
    """
    mean_count = round(len(ratings) / ratings.n_items)
    return min(PRIOR, max(mean_count, 1))


def _average_items(ratings: Ratings, per_item: Counts, prior: int) -> _RatedItems:
    """The means of the items that have a rating; `per_item` are the ratings of every item."""
    rated = np.flatnonzero(per_item)
    counts = per_item[rated]
    sums = np.bincount(ratings.items, ratings.values, ratings.n_items)[rated]
    weighted_means = (sums + prior * ratings.mean) / (counts + prior)
    return _RatedItems(rated, counts, sums / counts, weighted_means)


def _list_best(dataset: Dataset, rated: _RatedItems, scores: NDArray[np.float64]) -> list[TopItem]:
    """The `TOP` items with the highest of `scores`, which has one for each of the `rated` items.

    Of equal ones those with more ratings come first, then those with the lower index.
    """
    best_first = np.lexsort((rated.items, -rated.counts, -scores))
    best: list[TopItem] = []
    for place in best_first[:TOP].tolist():
        best.append(
            {
                "title": title_with_year(dataset, int(rated.items[place])),
                "mean": float(rated.means[place]),
                "weighted": float(rated.weighted_means[place]),
                "n": int(rated.counts[place]),
            }
        )
    return best


def title_with_year(dataset: Dataset, item: int) -> str:
    """The title of `item` and its year if that is known; "item" and its raw id without a title.

    A long title is cut, and what cannot be seen in it is written out, so that the text can be
    written anywhere.
    """
    catalogue = dataset.catalogue
    title = " ".join(catalogue.titles[item].split())
    if not title:
        title = f"item {dataset.item_ids[item]}"
    if len(title) > LONGEST:
        title = f"{title[:LONGEST]} ..."

    year = catalogue.years[item]
    if year is not None and not title.endswith(f"({year})"):
        title = f"{title} ({year})"

    return make_legible(title, keeps_lines=False)
