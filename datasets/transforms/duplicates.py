"""One rating for each pair of user and item: what to do where there are more."""

from collections.abc import Callable
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Ratings, Step

Policy = Literal["last", "mean", "error"]
Rule = Literal["last", "mean", "error", "sum"]  # "sum" is for counts


def resolve_duplicates(
    ratings: Ratings, policy: Rule, describe_row: Callable[[int], str]
) -> tuple[Ratings, Step | None]:
    """`ratings` with one rating for each pair of user and item, and what was dropped.

    The step is None if there was nothing to drop. Of several ratings of a pair, the latest stays,
    or without times (and of those with the same) the last in the order of the rows, in its place;
    under "mean" its value becomes the mean of them all, under "sum" their sum. The order of what
    stays is kept. Under "error", a second rating of a pair is a UsageError that names both rows
    with `describe_row`.
    """
    # A number for each pair; 64 bits, because users times items can be above 2^31.
    pairs = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    if not _has_duplicates(pairs):
        return ratings, None

    # Rows of one pair side by side, in their own order; `firsts` are where each pair begins.
    order = np.argsort(pairs, kind="stable")
    is_first = np.append(True, np.diff(pairs[order]) != 0)
    if ratings.times is not None and policy != "error":
        # Only the few that are repeated are sorted by time: sorting all takes as long as reading
        is_repeated = ~is_first | np.append(~is_first[1:], False)
        rows = order[is_repeated]
        order[is_repeated] = rows[np.lexsort((ratings.times[rows], pairs[rows]))]
    firsts = np.flatnonzero(is_first)
    if policy == "error":
        _refuse_duplicate(order, is_first, describe_row)

    # The last row of a pair stands before the place where the next pair begins.
    ends = np.append(firsts[1:], len(pairs))
    lasts = order[ends - 1]
    values = ratings.values[lasts]
    if policy == "mean":
        values = _mean_by_pair(ratings.values[order], firsts)
    elif policy == "sum":
        sums = np.add.reduceat(ratings.values[order].astype(np.float64), firsts)
        values = np.asarray(sums).astype(np.float32)

    # Back from the order of pairs to that of rows.
    by_row = np.argsort(lasts)
    kept = ratings.take(lasts[by_row])
    resolved = Ratings(
        kept.users,
        kept.items,
        values[by_row],
        kept.n_users,
        kept.n_items,
        kept.scale,
        kept.times,
    )
    return resolved, _describe_step(ratings, resolved, policy)


def _has_duplicates(pairs: NDArray[np.int64]) -> bool:
    """Whether a number comes twice."""
    ordered = np.sort(pairs)
    equals_next = ordered[1:] == ordered[:-1]
    return bool(np.any(equals_next))


def _mean_by_pair(values: NDArray[np.float32], firsts: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of each run of `values` that begins at one of `firsts`."""
    starts_and_end = np.append(firsts, len(values))
    counts = np.diff(starts_and_end)

    # Summed in double precision; only the mean is rounded to that of ratings.
    sums = np.add.reduceat(values.astype(np.float64), firsts)
    means = np.asarray(sums / counts)
    return means.astype(np.float32)


def _refuse_duplicate(
    order: NDArray[np.int64], is_first: NDArray[np.bool_], describe_row: Callable[[int], str]
) -> NoReturn:
    """UsageError for the first row that rates a pair a second time.

    `order` are the rows by pair, `is_first` marks those in it with which a pair begins.
    """
    # Of the places in `order` that repeat a pair, the one whose row comes first in the file.
    repeated = np.flatnonzero(~is_first)
    earliest = repeated[np.argmin(order[repeated])]

    # Rows of a pair stand side by side in `order`, so the row before is there too.
    row = int(order[earliest])
    row_before = int(order[earliest - 1])
    raise UsageError(
        f"{describe_row(row)}: this user has rated this item before, in "
        f"{describe_row(row_before)}, and duplicates=error. Delete one of the two, or choose "
        "duplicates=last or duplicates=mean."
    )


def _describe_step(before: Ratings, after: Ratings, policy: Rule) -> Step:
    """The step from `before` to `after`, which differ only in the number of ratings.

    No user or item has lost its last rating, so those that have one are as many as before.
    """
    ratings_by_user = np.bincount(before.users, minlength=before.n_users)
    ratings_by_item = np.bincount(before.items, minlength=before.n_items)
    n_users = int(np.count_nonzero(ratings_by_user))
    n_items = int(np.count_nonzero(ratings_by_item))

    kept = f"the {policy} of several"
    if policy == "last":
        kept = "the last line of several, as there are no times"
        if before.times is not None:
            kept = "the latest of several, by their times"
    return Step(
        f"one rating for each pair of user and item: {kept}",
        {"users": n_users, "items": n_items, "ratings": len(before)},
        {"users": n_users, "items": n_items, "ratings": len(after)},
    )
