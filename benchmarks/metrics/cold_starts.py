"""What a cold start is: a user, an item, or a pair of them, without history.

A user or an item is cold if the training part has no rating of it, and a pair if its user or its
item is; all others are warm.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ColdStarts:
    """Whether each user, (n_users,), and each item, (n_items,), has no training rating."""

    users: NDArray[np.bool_]
    items: NDArray[np.bool_]

    def are_cold(self, users: NDArray[Any], items: NDArray[Any]) -> NDArray[np.bool_]:
        """Of each pair of `users` and `items` whether its user or its item is cold."""
        return np.asarray(self.users[users] | self.items[items])


def find_cold_starts(
    users: NDArray[Any], items: NDArray[Any], n_users: int, n_items: int
) -> ColdStarts:
    """Who is cold where the training ratings are of these `users` and `items`.

    >>> cold = find_cold_starts(np.array([0, 0, 2]), np.array([0, 1, 1]), n_users=3, n_items=3)
    >>> cold.users.tolist(), cold.items.tolist()
    ([False, True, False], [False, False, True])
    >>> cold.are_cold(np.array([0, 0, 1]), np.array([0, 2, 0])).tolist()
    [False, True, True]
    """
    is_cold_user = np.ones(n_users, np.bool_)
    is_cold_user[users] = False
    is_cold_item = np.ones(n_items, np.bool_)
    is_cold_item[items] = False
    return ColdStarts(is_cold_user, is_cold_item)
