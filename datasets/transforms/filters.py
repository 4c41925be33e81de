"""Which users and items are kept, what is said of that, and dense indices for what is left."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.ratings import Ratings


def more_than(counts: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """Where `counts` exceeds `threshold`; exactly `threshold` is not enough."""
    return np.asarray(counts > threshold)


def filter_rule(per_item: float, per_user: float) -> str:
    """What `more_than` did to items and users, in words."""
    return (
        f"items with more than {per_item:,.10g} and users with more than {per_user:,.10g} "
        "ratings, counted before"
    )


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
