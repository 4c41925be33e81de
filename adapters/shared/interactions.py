"""Ratings as likes, for algorithms that learn from interactions; and item-item models on them."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.adapters.shared.likeness import list_most_similar
from recbench.adapters.shared.parameters import Share
from recbench.datasets.ratings import Catalogue, Ratings, share_of_scale

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


class LearnsFromLikes(Recommender):
    """An algorithm that is given which user likes which items, and not how much; it ranks only."""

    predicts = "order"
    relevant_share: Share  # of the scale: a rating from there on is a like

    def convert(self, train: Ratings, catalogue: Catalogue) -> csr_matrix:
        """The likes as a users x items matrix of ones, items ascending in each row."""
        return matrix_of_likes(train, self.relevant_share)

    def profiles_of(self, ratings: Ratings) -> csr_matrix:
        """What `ratings` say of users whom training has not seen: their likes."""
        return matrix_of_likes(ratings, self.relevant_share)


class ScoresWholeRows(Recommender):
    """An algorithm that computes a user's scores of all items at once; pairs are picked of them."""

    @abstractmethod
    def score_items(self, users: Indices) -> Floats:
        """The scores of all items for each of `users`, float32 of shape (len(users), n_items)."""

    def score(self, users: Indices, items: Indices) -> Floats:
        """The score of each pair, float32 of shape (len(users),), as `score_items` gives it.

        Each user's row is computed once, and of some users at a time.
        """
        distinct_users, row_of_pair = np.unique(users, return_inverse=True)
        order = np.argsort(row_of_pair, kind="stable")
        scores = np.empty(len(users), np.float32)

        block = max(1, SCORES_AT_ONCE // self.n_items_)
        for first_row in range(0, len(distinct_users), block):
            end_row = first_row + block
            rows = self.score_items(distinct_users[first_row:end_row])

            first, end = np.searchsorted(row_of_pair, (first_row, end_row), sorter=order)
            pairs = order[first:end]
            row_numbers = row_of_pair[pairs] - first_row
            scores[pairs] = rows[row_numbers, items[pairs]]
        return scores


class ItemItem(ScoresWholeRows):
    """score(u, i) = sum over the user's items j of x_uj * w_ji, from what `fit` leaves."""

    X_: csr_matrix  # (n_users, n_items): the users' profiles
    W_: csr_matrix | NDArray[np.float32]  # (n_items, n_items), dense or sparse

    def score_items(self, users: Indices) -> Floats:
        """The rows X[users] @ W."""
        return self._score_profiles(self.X_[users])

    def fold_in(self, ratings: Ratings) -> Floats:
        """History times matrix: the profile of what is told, times the item weights of the fit."""
        return self._score_profiles(self.profiles_of(ratings))

    @abstractmethod
    def profiles_of(self, ratings: Ratings) -> csr_matrix:
        """The rows that X would have for the users of `ratings`, (ratings.n_users, n_items)."""

    def _score_profiles(self, profiles: csr_matrix) -> Floats:
        scores = profiles @ self.W_
        if hasattr(scores, "toarray"):  # sparse times sparse
            scores = scores.toarray()
        return np.ascontiguousarray(scores, np.float32)

    def explain(self, user: int, item: int) -> tuple[Indices, Floats]:
        """x_uj * w_ji for each of the user's items j: they add up to the score."""
        profile = self.X_[[user]]
        weights = self.W_[profile.indices][:, [item]]
        if hasattr(weights, "toarray"):
            weights = weights.toarray()
        return profile.indices, np.asarray(profile.data * weights[:, 0], np.float32)

    def similar(self, item: int, n: int = 10) -> tuple[Indices, Floats]:
        """The items that a like of `item` weighs most for, and the weights w_ij."""
        weights = self.W_[[item]]
        if hasattr(weights, "toarray"):
            weights = weights.toarray()
        return list_most_similar(weights[0], item, n)
