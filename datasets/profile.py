"""What a data set looks like, in few numbers: its stars, days, users, items, years and gaps, for a
report to draw.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
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

Counts = NDArray[np.int64]


def profile_dataset(dataset: Dataset) -> dict[str, Any]:
    """What `dataset` holds, as plain numbers, lists and texts for JSON; below 60 KB however many
    ratings there are.

    `stars`: how often each rating is given. `times`: ratings by day, month or year, None without
    times. `per_user`, `per_item`: quartiles, Gini coefficient, and how many have at least so many
    ratings. `years`: items by year of release, None if no item has one. `grid`: ratings in blocks
    of users by blocks of items, the most active and the most rated first. `top_by_mean`,
    `top_by_weighted_mean`: ten items with title, mean and number of ratings n, of all items with a
    rating; the weighted mean is that of the n ratings and of `prior` more at the mean of all.
    """
    ratings = dataset.ratings
    per_user = np.bincount(ratings.users, minlength=ratings.n_users)
    per_item = np.bincount(ratings.items, minlength=ratings.n_items)
    return {
        "schema": SCHEMA,
        "digest": dataset.digest,
        "users": ratings.n_users,
        "items": ratings.n_items,
        "ratings": len(ratings),
        "density": len(ratings) / (ratings.n_users * ratings.n_items),
        "stars": _stars(ratings),
        "times": _times(ratings),
        "per_user": _activity(per_user),
        "per_item": _activity(per_item),
        "years": _years(dataset.catalogue),
        "grid": _grid(ratings, per_user, per_item),
        **_top(dataset, per_item),
    }


def write_profile(path: Path, dataset: Dataset) -> None:
    """Keep the profile of `dataset` as JSON at `path`. UsageError if that cannot be written."""
    try:
        write_atomically(
            path,
            (json.dumps(profile_dataset(dataset), sort_keys=True, allow_nan=False) + "\n").encode(),
        )
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; name another directory with --out"
        ) from None


def read_profile(path: Path, digest: str) -> dict[str, Any] | None:
    """The profile at `path`, None if there is none. UsageError if it is damaged or of data with
    another digest.
    """
    mend = (
        f"Run `{command_to_type('run')}` again, or delete the file to do without charts of the "
        "data."
    )
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}. {mend}") from None
    expected = {"schema": SCHEMA, "digest": digest}
    for key, value in expected.items():
        if not isinstance(found, dict) or found.get(key) != value:
            got = found.get(key) if isinstance(found, dict) else found
            wanted, came = str(value)[:12], str(got)[:12]
            raise UsageError(
                f"{path} is not about this run's data: expected {key} {wanted}, got {came}. {mend}"
            )
    return dict(found)


def _stars(ratings: Ratings) -> dict[str, Any]:
    """The different ratings and how often each is given; on a fine scale `edges` of bins in their
    place.
    """
    values, counts = np.unique(ratings.values, return_counts=True)
    summed = np.cumsum(counts)
    middle = values[
        np.searchsorted(summed, [(len(ratings) - 1) // 2, len(ratings) // 2], side="right")
    ]
    deviation = ratings.values.std(dtype=np.float64)
    found: dict[str, Any] = {
        "mean": ratings.mean,
        "median": float(middle.mean()),
        "deviation": float(deviation),
    }
    if len(values) <= VALUES:
        return found | {"values": values.tolist(), "edges": None, "counts": counts.tolist()}
    edges = np.linspace(*ratings.scale, BINS + 1)
    places = np.searchsorted(
        edges[1:-1], values, side="right"
    )  # the last bin holds its upper edge too
    binned = np.bincount(places, counts, BINS).astype(np.int64)
    return found | {"values": None, "edges": edges.tolist(), "counts": binned.tolist()}


def _times(ratings: Ratings) -> dict[str, Any] | None:
    """Ratings in each `step` (day, month or year, of UTC) from that of the first rating to that of
    the last.
    """
    if ratings.times is None:
        return None
    days = ratings.times // SECONDS
    start = days.min()
    by_day = np.bincount(days - start)
    dates = np.arange(start, start + len(by_day)).astype("M8[D]")
    found: dict[str, Any] = {"first": str(dates[0]), "last": str(dates[-1])}
    for step, unit, most in (
        ("day", "D", DAYS),
        ("month", "M", MONTHS),
        ("year", "Y", len(by_day)),
    ):
        places = dates.astype(f"M8[{unit}]").astype(np.int64)
        counts = np.bincount(places - places[0], by_day).astype(np.int64).tolist()
        found |= {"step": step, "counts": counts}
        if len(counts) <= most:
            break
    return found


def _activity(counts: Counts) -> dict[str, Any]:
    """How ratings are shared among users, or among items; `counts` has an entry for each, also for
    those without.
    """
    ordered = np.sort(counts)
    n, total = len(ordered), int(ordered.sum())
    lowest, lower, median, upper, highest = np.quantile(ordered, [0, 0.25, 0.5, 0.75, 1]).tolist()
    some = ordered[ordered > 0]
    levels = np.unique(np.rint(np.geomspace(some[0], some[-1], POINTS)).astype(np.int64))
    at_least = n - np.searchsorted(ordered, levels)
    return {
        "lowest": int(lowest),
        "lower_quartile": lower,
        "median": median,
        "mean": total / n,
        "upper_quartile": upper,
        "highest": int(highest),
        "without": n - len(some),
        "gini": float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n),
        "levels": levels.tolist(),
        "at_least": at_least.tolist(),
    }


def _years(catalogue: Catalogue) -> dict[str, Any] | None:
    """Items in each `step` years from the year `first`, and how many have no year; a title's
    "(1995)" counts too.
    """
    described = zip(catalogue.titles, catalogue.years, strict=True)
    known = [found for title, year in described if (found := _year(title, year)) is not None]
    if not known:
        return None
    years = np.array(known)
    step = 1
    while years.max() // step - years.min() // step >= YEARS:
        step *= 10
    places = years // step
    counts = np.bincount(places - places.min())
    unknown = len(catalogue.titles) - len(known)
    return {
        "first": int(places.min() * step),
        "step": step,
        "counts": counts.tolist(),
        "unknown": unknown,
    }


def _year(title: str, year: int | None) -> int | None:
    in_title = re.search(r"\((\d{4})\)\s*$", title) if year is None else None
    return int(in_title[1]) if in_title else year


def _grid(ratings: Ratings, per_user: Counts, per_item: Counts) -> dict[str, Any]:
    """How many users and items each block has, and the ratings of each pair of blocks: a list for
    each of users.
    """
    (user_blocks, users), (item_blocks, items) = _blocks(per_user), _blocks(per_item)
    pairs = user_blocks[ratings.users] * np.int16(len(items)) + item_blocks[ratings.items]
    counts = np.bincount(pairs, minlength=len(users) * len(items)).reshape(len(users), len(items))
    return {"users": users.tolist(), "items": items.tolist(), "counts": counts.tolist()}


def _blocks(counts: Counts) -> tuple[NDArray[np.int16], Counts]:
    """The block of each user or item, those with most ratings in the first; and the size of each
    block.
    """
    n_blocks = min(BLOCKS, len(counts))
    blocks = np.empty(len(counts), np.int16)
    blocks[np.argsort(-counts, kind="stable")] = np.arange(len(counts)) * n_blocks // len(counts)
    return blocks, np.bincount(blocks)


def _top(dataset: Dataset, counts: Counts) -> dict[str, Any]:
    """The best items by mean and by weighted mean; of equal ones those with more ratings first."""
    ratings = dataset.ratings
    sums = np.bincount(ratings.items, ratings.values, ratings.n_items)
    prior = min(PRIOR, round(len(ratings) / ratings.n_items) or 1)
    weighted = (sums + prior * ratings.mean) / (counts + prior)
    rated = np.flatnonzero(counts)

    def best(score: NDArray[np.float64]) -> list[dict[str, Any]]:
        order = rated[np.lexsort((rated, -counts[rated], -score[rated]))][:TOP].tolist()
        return [
            {
                "title": _title(dataset, item),
                "mean": float(sums[item] / counts[item]),
                "weighted": float(weighted[item]),
                "n": int(counts[item]),
            }
            for item in order
        ]

    with np.errstate(invalid="ignore"):  # 0 / 0 where an item has no rating
        return {
            "prior": prior,
            "top_by_mean": best(sums / counts),
            "top_by_weighted_mean": best(weighted),
        }


def _title(dataset: Dataset, item: int) -> str:
    """The title with its year, in characters that can be written anywhere; the item's id if there
    is none.
    """
    catalogue = dataset.catalogue
    title = " ".join(catalogue.titles[item].split()) or f"item {dataset.item_ids[item]}"
    if len(title) > LONGEST:
        title = f"{title[:LONGEST]} ..."
    year = catalogue.years[item]
    known = title if year is None or title.endswith(f"({year})") else f"{title} ({year})"
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d" else "\N{REPLACEMENT CHARACTER}" for c in known
    )
