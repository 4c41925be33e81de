"""Ratings as likes, for algorithms that learn from interactions; and item-item models on them."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.adapters.shared.likeness import list_most_similar
from recbench.adapters.shared.parameters import Share
from recbench.datasets.foundation import compile_lazily
from recbench.datasets.ratings import Catalogue, Ratings, share_of_scale

SCORES_AT_ONCE = 1 << 22  # whole rows of scores held while pairs are taken from them
MIRRORED_AT_ONCE = 1024  # rows of a symmetric matrix
COLUMNS_AT_ONCE = 4096  # of dense item weights and scores, so that the scores stay in a cache


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

    The items of each row of `X` ascend, and none is there twice. It is exact for likes by fewer
    than 2^24 users. Each pair of items is added up once, since the sparse product of likes is dense
    and would take four times as long.
    """
    assert X.has_canonical_format, "the items of a row ascend, each once"
    n_items = X.shape[1]
    by_item = X.tocsc()
    products = np.zeros((n_items, n_items), np.float32)
    _add_pairs_of_items(
        by_item.indptr, by_item.indices, X.indptr, X.indices, X.data, X.indptr[:-1].copy(), products
    )
    mirror_upper_triangle(products)
    return products


def mirror_upper_triangle(matrix: NDArray[Any]) -> None:
    """Make a square matrix symmetric, in place: what is above its diagonal comes below it, too."""
    for start in range(0, len(matrix), MIRRORED_AT_ONCE):
        stop = start + MIRRORED_AT_ONCE
        above = np.triu(matrix[start:stop, start:stop], 1)
        diagonal = np.diag(matrix.diagonal()[start:stop])
        matrix[start:stop, start:stop] = above + above.T + diagonal
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T


@compile_lazily()
def _add_pairs_of_items(
    users_from: Any,
    users_of_items: Any,
    items_from: Any,
    items_of_users: Any,
    values: Any,
    next_place: Any,
    products: Any,
) -> None:
    """Add up the upper triangle of X'X, from the columns and the rows of X.

    Items come in ascending order, so each user's `next_place` moves on by one whenever the user has
    the item, and what stands there and behind is the rest of the pairs.
    """
    for item in range(len(users_from) - 1):
        row = products[item]
        for column_place in range(users_from[item], users_from[item + 1]):
            user = users_of_items[column_place]
            first = next_place[user]
            next_place[user] = first + 1
            value = values[first]
            for place in range(first, items_from[user + 1]):
                row[items_of_users[place]] += value * values[place]


def dense_product(left: csr_matrix, right: csr_matrix) -> Floats:
    """`left @ right` as a dense matrix, both float32 and stored by rows (csr).

    The same sums in the same order as in SciPy's sparse product, for products with few zeros: SciPy
    keeps a list of the places that are none.
    """
    product = np.zeros((left.shape[0], right.shape[1]), np.float32)
    _add_products(
        left.indptr,
        left.indices,
        left.data,
        right.indptr,
        right.indices,
        right.data,
        product,
    )
    return product


@compile_lazily()
def _add_products(
    left_from: Any,
    left_columns: Any,
    left_values: Any,
    right_from: Any,
    right_columns: Any,
    right_values: Any,
    product: Any,
) -> None:
    """Add the product of two matrices, given by their rows, to `product`."""
    for row in range(len(product)):
        own = product[row]
        for left_place in range(left_from[row], left_from[row + 1]):
            value = left_values[left_place]
            middle = left_columns[left_place]
            for place in range(right_from[middle], right_from[middle + 1]):
                own[right_columns[place]] += value * right_values[place]


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
    W_: csr_matrix | NDArray[np.float32]  # (n_items, n_items), float32; dense in C order, or csr

    def score_items(self, users: Indices) -> Floats:
        """The rows X[users] @ W."""
        return self._score_profiles(self.X_[users])

    def score(self, users: Indices, items: Indices) -> Floats:
        """The score of each pair as `score_items` gives it, to the bit; indices are not checked.

        Dense weights are read for the asked items alone, which in a test part are few beside all.
        """
        if not isinstance(self.W_, np.ndarray):
            return super().score(users, items)
        X = self.X_
        scores = np.zeros(len(users), np.float32)
        _add_weights_of_pairs(X.indptr, X.indices, X.data, self.W_, users, items, scores)
        return scores

    def fold_in(self, ratings: Ratings) -> Floats:
        """History times matrix: the profile of what is told, times the item weights of the fit."""
        return self._score_profiles(self.profiles_of(ratings))

    @abstractmethod
    def profiles_of(self, ratings: Ratings) -> csr_matrix:
        """The rows that X would have for the users of `ratings`, (ratings.n_users, n_items)."""

    def _score_profiles(self, profiles: csr_matrix) -> Floats:
        if isinstance(self.W_, np.ndarray):
            scores = np.zeros((profiles.shape[0], self.W_.shape[1]), np.float32)
            _add_weights(profiles.indptr, profiles.indices, profiles.data, self.W_, scores)
            return scores
        return dense_product(profiles, self.W_)

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


@compile_lazily()
def _add_weights(items_from: Any, items: Any, values: Any, W: Any, scores: Any) -> None:
    """Add `profiles @ W` to `scores`, some columns at a time.

    The rows of W of four of a user's items are added in one go, so that the scores are read and
    written a fourth as often as in SciPy's product; each is the same sum in the same order.
    """
    n_users, n_items = scores.shape
    for first in range(0, n_items, COLUMNS_AT_ONCE):
        end = first + COLUMNS_AT_ONCE
        for user in range(n_users):
            own = scores[user, first:end]
            start = items_from[user]
            stop = items_from[user + 1]
            stop_of_fours = start + (stop - start) // 4 * 4

            for place in range(start, stop_of_fours, 4):
                value_0 = values[place]
                value_1 = values[place + 1]
                value_2 = values[place + 2]
                value_3 = values[place + 3]
                weights_0 = W[items[place], first:end]
                weights_1 = W[items[place + 1], first:end]
                weights_2 = W[items[place + 2], first:end]
                weights_3 = W[items[place + 3], first:end]
                for column in range(len(own)):
                    score = own[column]
                    score += value_0 * weights_0[column]
                    score += value_1 * weights_1[column]
                    score += value_2 * weights_2[column]
                    score += value_3 * weights_3[column]
                    own[column] = score

            for place in range(stop_of_fours, stop):
                value = values[place]
                weights = W[items[place], first:end]
                for column in range(len(own)):
                    own[column] += value * weights[column]


@compile_lazily()
def _add_weights_of_pairs(
    items_from: Any, items: Any, values: Any, W: Any, users: Any, targets: Any, scores: Any
) -> None:
    """Add to the score of each user and target item what the user's items add in `_add_weights`."""
    for pair in range(len(users)):
        user = users[pair]
        target = targets[pair]
        score = scores[pair]
        for place in range(items_from[user], items_from[user + 1]):
            score += values[place] * W[items[place], target]
        scores[pair] = score
