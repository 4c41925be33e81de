"""The k-core: what is left when users and items with too few ratings go until all that remain have enough."""

import numpy as np

from recbench.datasets.ratings import Ratings, Step


def k_core(ratings: Ratings, users: int, items: int) -> tuple[Ratings, Step]:
    """The most ratings in which every user has at least `users` and every item at least `items` of them.

    Unlike `filters.min_ratings` it counts again after every drop, until nothing more falls: applying it twice changes
    nothing. The order and the index space stay; there may be nothing left.
    """
    rows = np.arange(len(ratings))
    while True:
        per_user = np.bincount(ratings.users[rows], minlength=ratings.n_users)
        per_item = np.bincount(ratings.items[rows], minlength=ratings.n_items)
        enough = (per_user[ratings.users[rows]] >= users) & (per_item[ratings.items[rows]] >= items)
        if enough.all():
            break
        rows = rows[enough]
    kept = ratings.take(rows)
    rule = f"users with at least {users:,} and items with at least {items:,} ratings, counted again until all have them"
    return kept, Step(rule, _sizes(ratings), _sizes(kept))


def _sizes(ratings: Ratings) -> dict[str, int]:
    users, items = np.bincount(ratings.users), np.bincount(ratings.items)
    return {
        "users": int(np.count_nonzero(users)),
        "items": int(np.count_nonzero(items)),
        "ratings": len(ratings),
    }
