"""One rating for each pair of user and item: what to do where there are more."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Ratings, Step

Policy = Literal["last", "mean", "error"]


def resolve_duplicates(
    ratings: Ratings, policy: Policy, describe_row: Callable[[int], str]
) -> tuple[Ratings, Step | None]:
    """`ratings` with one rating for each pair of user and item, and what was dropped (None: nothing).

    Of several ratings of a pair, the last in the order of the rows stays, in its place and with its time; under
    "mean" its value becomes the mean of them all. The order of what stays is kept. Under "error", a second rating of
    a pair is a UsageError that names both rows with `describe_row`.
    """
    pairs = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    ordered = np.sort(pairs)
    if not np.any(ordered[1:] == ordered[:-1]):
        return ratings, None
    del ordered
    order = np.argsort(pairs, kind="stable")  # rows of one pair side by side, in their own order
    firsts = np.flatnonzero(np.append(True, np.diff(pairs[order]) != 0))
    if policy == "error":
        _refuse(order, firsts, len(pairs), describe_row)
    lasts = order[np.append(firsts[1:], len(pairs)) - 1]
    values = ratings.values[lasts]
    if policy == "mean":
        values = _means(ratings.values[order], firsts)
    in_order = np.argsort(lasts)
    kept = ratings.take(lasts[in_order])
    resolved = Ratings(
        kept.users, kept.items, values[in_order], kept.n_users, kept.n_items, kept.scale, kept.times
    )
    counts = {
        "users": int(np.count_nonzero(np.bincount(ratings.users, minlength=ratings.n_users))),
        "items": int(np.count_nonzero(np.bincount(ratings.items, minlength=ratings.n_items))),
    }
    rule = f"one rating for each pair of user and item: the {policy} of several"
    return resolved, Step(
        rule, counts | {"ratings": len(ratings)}, counts | {"ratings": len(resolved)}
    )


def _means(values: NDArray[np.float32], firsts: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of each run of `values` that begins at one of `firsts`."""
    counts = np.diff(np.append(firsts, len(values)))
    return np.asarray(np.add.reduceat(values.astype(np.float64), firsts) / counts).astype(
        np.float32
    )


def _refuse(
    order: NDArray[np.int64],
    firsts: NDArray[np.int64],
    n_rows: int,
    describe_row: Callable[[int], str],
) -> None:
    """UsageError for the first row that rates a pair again."""
    again = np.ones(n_rows, np.bool_)
    again[firsts] = False
    repeated = np.flatnonzero(again)
    worst = repeated[np.argmin(order[repeated])]
    before = order[worst - 1]
    raise UsageError(
        f"{describe_row(int(order[worst]))}: this user has rated this item before, in {describe_row(int(before))}, "
        f"and duplicates=error. Delete one of the two, or choose duplicates=last or duplicates=mean."
    )
