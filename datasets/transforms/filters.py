"""Which ratings to keep: counts are taken before any is dropped, the order of the rest stays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.ratings import Ratings, Step


def more_than(counts: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """Where `counts` exceeds `threshold`; exactly `threshold` is not enough."""
    return np.asarray(counts > threshold)


def filter_rule(per_item: float, per_user: float) -> str:
    """What `more_than` did to items and users, in words."""
    return (
        f"items with more than {per_item:,.10g} and users with more than {per_user:,.10g} "
        "ratings, counted before"
    )


def min_ratings(
    ratings: Ratings, *, per_item: float = 0, per_user: float = 0
) -> tuple[Ratings, Step]:
    """The ratings whose item has more than `per_item` and whose user more than `per_user` of them.

    And the step that says how many were dropped. What is kept stays in its index space: `compact`
    makes it dense again.
    """
    # Both are counted before any rating is dropped, so the order of the two filters is no matter.
    item_counts = np.bincount(ratings.items, minlength=ratings.n_items)
    user_counts = np.bincount(ratings.users, minlength=ratings.n_users)
    item_passes = more_than(item_counts, per_item)
    user_passes = more_than(user_counts, per_user)

    is_kept = item_passes[ratings.items] & user_passes[ratings.users]
    rows = np.flatnonzero(is_kept)
    kept = ratings.take(rows)
    rule = filter_rule(per_item, per_user)
    return kept, Step(rule, count_sizes(ratings), count_sizes(kept))


def count_sizes(ratings: Ratings) -> dict[str, int]:
    """How many "users" and "items" have a rating, and how many "ratings" there are."""
    return {
        "users": len(np.unique(ratings.users)),
        "items": len(np.unique(ratings.items)),
        "ratings": len(ratings),
    }


def index_ids(ids: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """An index for every entry of `ids`, and the sorted distinct ids that the indices stand for.

    >>> indices, distinct = index_ids(np.array([30, 10, 30]))
    >>> indices.tolist(), distinct.tolist()
    ([1, 0, 1], [10, 30])
    """
    distinct, indices = np.unique(ids, return_inverse=True)
    return indices.astype(np.int32), distinct


def compact(
    ratings: Ratings, user_ids: NDArray[Any], item_ids: NDArray[Any]
) -> tuple[Ratings, NDArray[Any], NDArray[Any]]:
    """`ratings` without the users and items that have none, and the raw ids of those that remain.

    Indices keep their order, so raw ids that ascended still do.
    """
    # The distinct old indices, ascending: the place of each is its new index.
    users, kept_users = index_ids(ratings.users)
    items, kept_items = index_ids(ratings.items)

    compacted = Ratings(
        users,
        items,
        ratings.values,
        len(kept_users),
        len(kept_items),
        ratings.scale,
        ratings.times,
    )
    return compacted, user_ids[kept_users], item_ids[kept_items]
