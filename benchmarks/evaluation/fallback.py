"""What the bench recommends to cold-start users itself: the items with the most training ratings.

It never stands in for an algorithm in silence: metrics with these lists have columns of their own,
such as `fallback_ndcg@10`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.evaluation.questions import Lists, collect_answers
from recbench.benchmarks.metrics import Evaluation
from recbench.datasets.ratings import Ratings

SEED = 0  # of ties between equally popular items, whatever the seed of the cell


class _Popularity:
    """The number of training ratings of each item, for everybody."""

    name = "popularity"
    abstains = False

    def __init__(self, train: Ratings) -> None:
        counts = np.bincount(train.items, minlength=train.n_items)
        self._counts = counts.astype(np.float32)

    def score_items(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """The same row for every user."""
        return np.tile(self._counts, (len(users), 1))

    def score(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        """The item's number."""
        return self._counts[items]

    def fold_in(self, ratings: Ratings) -> NDArray[np.float32]:
        """The same row for every user, whatever the ratings."""
        return np.tile(self._counts, (ratings.n_users, 1))


def recommend_popular(
    train: Ratings, test: Ratings, is_cold_user: NDArray[np.bool_], evaluation: Evaluation
) -> dict[str, Lists]:
    """The lists of the cold-start users with a relevant test item, by protocol.

    Nothing where the test part has no cold-start user, or nobody is asked for a list.
    """
    rows_of_cold_users = np.flatnonzero(is_cold_user[test.users])
    if len(rows_of_cold_users) == 0 or not evaluation.protocols:
        return {}

    of_cold_users = test.take(rows_of_cold_users)
    # They have no training ratings, so no item is barred
    known_of_them = train.take(np.empty(0, np.int64))
    popularity = _Popularity(train)
    answers = collect_answers(
        popularity, known_of_them, of_cold_users, evaluation, SEED, _call_directly
    )
    return answers.lists


def _call_directly(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Nobody wants to know what this costs."""
    return function(*arguments)


def replace_lists(lists: Lists, others: Lists) -> Lists:
    """`lists` with those of `others` for the users that have one there; as many places each."""
    is_replaced = np.isin(lists.users, others.users)
    places = np.searchsorted(others.users, lists.users[is_replaced])

    top_items = lists.top_items.copy()
    top_items[is_replaced] = others.top_items[places]
    ranks = lists.ranks.copy()
    ranks[is_replaced] = others.ranks[places]
    auc = lists.auc.copy()
    auc[is_replaced] = others.auc[places]
    return replace(lists, top_items=top_items, ranks=ranks, auc=auc)
