"""Ratings as likes: what algorithms learn from that know interactions, not ratings; and item-item models on top."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Ratings, share_of_scale

PAIRS_BLOCK = 1 << 22  # scores held at a time while pairs are picked from whole rows
GRAM_BLOCK = 1 << 24  # entries of X'X held twice while it is made


def matrix_of_likes(train: Ratings, relevant_share: float) -> csr_matrix:
    """The users x items matrix of ones, float32, where the rating is at least `relevant_share` of the scale.

    0.75 means 4 on a scale from 1 to 5; 0 takes every rating for a like. A pair rated twice is one entry.
    """
    liked = train.values >= share_of_scale(train.scale, relevant_share)
    users, items = train.users[liked], train.items[liked]
    matrix = csr_matrix(
        (np.ones(len(users), np.float32), (users, items)), (train.n_users, train.n_items)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def gram_matrix(X: csr_matrix) -> Floats:
    """X'X as a dense matrix, float32 of shape (n_items, n_items): exact for likes by fewer than 2^24 users.

    Made in blocks of rows, because the sparse product of likes is dense and would take three times the memory.
    """
    n_items = X.shape[1]
    columns = X.T.tocsr()
    products = np.empty((n_items, n_items), np.float32)
    block = max(1, GRAM_BLOCK // n_items)
    for start in range(0, n_items, block):
        rows = slice(start, start + block)
        products[rows] = (columns[rows] @ X).toarray()
    return products


class ItemItem(Recommender):
    """score(u, i) = sum over the user's items j of x_uj * w_ji, from the two matrices that `fit` leaves."""

    X_: csr_matrix  # (n_users, n_items): the users' profiles
    W_: csr_matrix | NDArray[np.float32]  # (n_items, n_items), dense or sparse

    def score_items(self, users: Indices) -> Floats:
        """The rows X[users] @ W."""
        scores = self.X_[users] @ self.W_
        dense = scores.toarray() if hasattr(scores, "toarray") else scores
        return np.ascontiguousarray(dense, np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """The same numbers, picked from the rows of the users that are asked about."""
        return pick_scores(self, users, items)


def pick_scores(algorithm: Recommender, users: Indices, items: Indices) -> Floats:
    """One score a pair, taken from `score_items` of each user once, some users at a time."""
    unique, row_of = np.unique(users, return_inverse=True)
    order = np.argsort(row_of, kind="stable")
    scores = np.empty(len(users), np.float32)
    block = max(1, PAIRS_BLOCK // algorithm.n_items_)
    for start in range(0, len(unique), block):
        first, last = np.searchsorted(row_of, (start, start + block), sorter=order)
        pairs = order[first:last]
        rows = algorithm.score_items(unique[start : start + block])
        scores[pairs] = rows[row_of[pairs] - start, items[pairs]]
    return scores
