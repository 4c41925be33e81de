"""Ratings as likes, for algorithms that learn from interactions; and item-item models on them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Ratings, share_of_scale

SCORES_AT_ONCE = 1 << 22  # whole rows of scores held while pairs are taken from them
GRAM_ENTRIES_AT_ONCE = 1 << 24  # entries of X'X held twice while it is made


def matrix_of_likes(train: Ratings, relevant_share: float) -> csr_matrix:
    """The users x items matrix of ones for ratings of at least `relevant_share` of the scale.

    float32, items ascending in each row. 0.75 means 4 on a scale from 1 to 5; 0 takes every rating
    for a like. A pair rated twice is one entry.
    """
    is_like = train.values >= share_of_scale(train.scale, relevant_share)
    users = train.users[is_like]
    items = train.items[is_like]
    ones = np.ones(len(users), np.float32)

    likes = csr_matrix((ones, (users, items)), (train.n_users, train.n_items))
    likes.sum_duplicates()
    likes.data[:] = 1
    return likes


def gram_matrix(X: csr_matrix) -> Floats:
    """X'X as a dense matrix, float32 of shape (n_items, n_items).

    It is exact for likes by fewer than 2^24 users. Made in blocks of rows, because the sparse
    product of likes is dense and would take three times the memory.
    """
    n_items = X.shape[1]
    by_item = X.T.tocsr()
    products = np.empty((n_items, n_items), np.float32)

    block = max(1, GRAM_ENTRIES_AT_ONCE // n_items)
    for start in range(0, n_items, block):
        rows = slice(start, start + block)
        products[rows] = (by_item[rows] @ X).toarray()
    return products


class ItemItem(Recommender):
    """score(u, i) = sum over the user's items j of x_uj * w_ji, from what `fit` leaves."""

    X_: csr_matrix  # (n_users, n_items): the users' profiles
    W_: csr_matrix | NDArray[np.float32]  # (n_items, n_items), dense or sparse

    def score_items(self, users: Indices) -> Floats:
        """The rows X[users] @ W."""
        scores = self.X_[users] @ self.W_
        if hasattr(scores, "toarray"):  # sparse times sparse
            scores = scores.toarray()
        return np.ascontiguousarray(scores, np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """The same numbers, taken from the rows of the users in question."""
        return pick_scores(self, users, items)


def pick_scores(algorithm: Recommender, users: Indices, items: Indices) -> Floats:
    """The score of each pair, float32 of shape (len(users),), taken from `score_items`.

    Each user's row is computed once, those of some users at a time.
    """
    distinct_users, row_of_pair = np.unique(users, return_inverse=True)
    order = np.argsort(row_of_pair, kind="stable")
    scores = np.empty(len(users), np.float32)

    block = max(1, SCORES_AT_ONCE // algorithm.n_items_)
    for start in range(0, len(distinct_users), block):
        first, last = np.searchsorted(row_of_pair, (start, start + block), sorter=order)
        pairs = order[first:last]
        rows = algorithm.score_items(distinct_users[start : start + block])
        scores[pairs] = rows[row_of_pair[pairs] - start, items[pairs]]
    return scores
