"""Nearest neighbours by the cosine: users alike as in the source notebook, the same done right, and items alike."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.adapters.shared.interactions import ItemItem, matrix_of_likes, pick_scores
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import Count, NonNegative, Share
from recbench.datasets.ratings import Catalogue, Ratings

BLOCK = 1 << 22  # similarities held at a time
DENSE_FROM = 0.05

Cosines = Callable[[Floats, slice], Floats]  # from the scalar products of some rows with all rows


def nearest(matrix: csr_matrix, k: int, cosines: Cosines, usable: NDArray[np.bool_]) -> csr_matrix:
    """For each row of `matrix` its similarities to its k nearest other `usable` rows; what is 0 is no neighbour.

    Similarities exist for a block of rows at a time, so memory grows with rows x k, not with rows squared.
    """
    n_rows, n_columns = matrix.shape
    k, usable = min(k, n_rows), usable.astype(np.float32)
    dense = matrix.nnz > DENSE_FROM * n_rows * n_columns
    left = matrix.toarray() if dense else matrix
    right = left.T if dense else matrix.T.tocsr()
    block, columns, values = max(1, BLOCK // n_rows), [], []
    for start in range(0, n_rows, block):
        rows = slice(start, min(start + block, n_rows))
        products = left[rows] @ right
        similar = cosines(products if dense else products.toarray(), rows) * usable
        similar[np.arange(rows.stop - start), np.arange(start, rows.stop)] = 0
        top = np.argpartition(similar, n_rows - k, axis=1)[:, n_rows - k :]
        columns.append(top.ravel().astype(np.int32))
        values.append(np.take_along_axis(similar, top, axis=1).ravel())
    bounds = np.arange(0, n_rows * k + 1, k)
    found = csr_matrix((np.concatenate(values), np.concatenate(columns), bounds), (n_rows, n_rows))
    found.eliminate_zeros()
    found.sort_indices()
    return found


def _inverse(values: NDArray[np.floating[Any]]) -> Floats:
    """1 / values, and 0 for what is not positive."""
    inverse = np.zeros(len(values), np.float32)
    inverse[values > 0] = 1 / values[values > 0]
    return inverse


def bytes_of_nearest(n_rows: int, n_columns: int, n_ratings: int, k: int) -> int:
    """The bytes that `nearest` takes for a matrix of `n_ratings` entries.

    Twice the neighbours, some blocks of similarities, and the matrix: dense if that is faster.
    """
    neighbours = 12 * 2 * n_rows * min(k, n_rows)
    blocks = 4 * 6 * max(BLOCK, n_rows)
    is_dense = n_ratings > DENSE_FROM * n_rows * n_columns
    n_entries = n_rows * n_columns if is_dense else 4 * n_ratings
    return neighbours + blocks + 4 * n_entries + 24 * n_ratings


class _AlikeUsers(Recommender):
    """What the two cosines of users share: means, residuals to them, and neighbours in bounded memory."""

    family = "neighbours"
    predicts = "ratings"
    k: Count

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The k nearest of every user are kept, beside a block of similarities."""
        return reason_to_skip(
            bytes_of_nearest(train.n_users, train.n_items, len(train), self.k),
            memory_mb,
            purpose=f"the {self.k:,} nearest of {train.n_users:,} users",
            advice="lower k or filter the data",
        )

    def fit(self, data: Ratings, seed: int) -> None:
        """Means of users, residuals to them, then all neighbours; a pair rated twice counts with its mean."""
        shape = data.n_users, data.n_items
        self.residuals_ = csr_matrix(
            (data.values.astype(np.float64), (data.users, data.items)), shape
        )
        self.residuals_.data /= csr_matrix(
            (np.ones(len(data)), (data.users, data.items)), shape
        ).data
        counts = np.diff(self.residuals_.indptr)
        totals = np.asarray(self.residuals_.sum(axis=1)).ravel()
        means = np.divide(totals, counts, out=np.full(data.n_users, data.mean), where=counts > 0)
        self.residuals_.data -= np.repeat(means, counts)
        self.residuals_ = self.residuals_.astype(np.float32)
        self.means_ = means.astype(np.float32)
        self.known_ = counts > 0
        squares = np.asarray(
            self.residuals_.multiply(self.residuals_).sum(axis=1), np.float64
        ).ravel()
        self.neighbours_ = self._nearest(squares)

    @abstractmethod
    def _nearest(self, squares: NDArray[np.float64]) -> csr_matrix:
        """The neighbours, given the squared length of each user's residuals."""

    def score(self, users: Indices, items: Indices) -> Floats:
        """The same numbers as `score_items`, picked."""
        return pick_scores(self, users, items)


@dataclass(eq=False)
class CosineUser(_AlikeUsers):
    """The source notebook's user-user cosine, kept as it is because readers know it: worse than the film's mean.

    r(u, i) = sum over N(u) of s_uv * f_vi / sum over N(u) of |s_uv|, where f_vi is v's rating of i or, where v has
    none, v's mean rating; s_uv = f_u . f_v / (|f_u| |f_v|); and N(u) are the k = 100 most similar others.

    Its flaw: rows that are filled up and not centred all point the same way, so every cosine is near 1, and a cosine
    does not see a row's level. Nearest to everybody are the same users: those whose ratings vary least in proportion
    to their mean, that is, who love everything. Their level becomes the prediction, which is far too high; u's taste
    and even u's own mean are lost. `cosine-user-centred` is the same done right.

    Nothing is really filled up here: v's residuals c_v to v's mean m_v sum to zero, therefore
    f_u . f_v = n_items m_u m_v + c_u . c_v, n_items being those with ratings. Users without ratings are rows of the
    global mean, and nobody's neighbours.
    """

    name = "cosine-user"
    k: Count = 100

    def _nearest(self, squares: NDArray[np.float64]) -> csr_matrix:
        n_rated = len(np.unique(self.residuals_.indices))
        levels = np.sqrt(n_rated) * self.means_.astype(np.float64)
        inverse = _inverse(np.sqrt(levels**2 + squares))
        levels = (levels * inverse).astype(np.float32)

        def cosines(products: Floats, rows: slice) -> Floats:
            products *= inverse
            products *= inverse[rows][:, None]
            products += levels[rows][:, None] * levels
            return products

        return nearest(self.residuals_, self.k, cosines, self.known_)

    def score_items(self, users: Indices) -> Floats:
        """The neighbours' filled-up rows, weighted; the user's own mean for who has no neighbours."""
        weights = self.neighbours_[users]
        sizes = np.asarray(abs(weights).sum(axis=1)).ravel()
        levels = np.where(sizes > 0, weights @ self.means_, self.means_[users])
        scores = (weights @ self.residuals_).toarray() + levels[:, None]
        return np.asarray(scores / np.where(sizes > 0, sizes, 1)[:, None], np.float32)


@dataclass(eq=False)
class CosineUserCentred(_AlikeUsers):
    """User-user cosine done right: ratings are compared, and averaged, as deviations from each user's mean.

    r(u, i) = m_u + sum of s_uv * (r_vi - m_v) / (sum of |s_uv| + shrink), both over those of the k nearest users who
    rated i; s_uv is the cosine of the residuals r - m, 0 where there is no rating (Resnick et al. 1994, "GroupLens";
    Herlocker et al. 1999, "An algorithmic framework for performing collaborative filtering"). Defaults: k of
    `cosine-user`, and no shrinkage. The k nearest are chosen once a user, not once a film, which is what makes it
    fast; where none of them rated a film, the prediction is m_u.
    """

    name = "cosine-user-centred"
    k: Count = 100
    shrink: NonNegative = 0.0

    def _nearest(self, squares: NDArray[np.float64]) -> csr_matrix:
        inverse = _inverse(np.sqrt(squares))

        def cosines(products: Floats, rows: slice) -> Floats:
            products *= inverse
            products *= inverse[rows][:, None]
            return products

        self.rated_ = self.residuals_.copy()
        self.rated_.data[:] = 1
        return nearest(self.residuals_, self.k, cosines, self.known_)

    def score_items(self, users: Indices) -> Floats:
        """The user's mean plus the neighbours' weighted residuals."""
        weights = self.neighbours_[users]
        sums = (weights @ self.residuals_).toarray()
        sizes = (abs(weights) @ self.rated_).toarray() + np.float32(self.shrink)
        offsets = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
        return np.asarray(self.means_[users][:, None] + offsets, np.float32)


@dataclass(eq=False)
class ItemKNN(ItemItem):
    """Items that the same users like: score(u, i) = sum over u's likes j among the k nearest of i of x_uj * s_ij.

    s_ij = x_i . x_j / (|x_i| |x_j| + shrink), x_i being the column of item i (Sarwar et al. 2001, "Item-based
    collaborative filtering recommendation algorithms"); without `normalise` the scalar product alone, where `shrink`
    plays no part. x_ui = 1 for a rating of at least `relevant_share` of the scale, times, as `weighting` says,

        tf-idf:  idf_u = log((1 + n_items) / (1 + n_u)), so that a like says less the more its user likes;
        bm25:    idf_u * 2.2 / (1 + 1.2 * (.25 + .75 * n_i / mean of n_i)), which damps popular items, too,

    as in Ferrari Dacrema et al. 2021, "A troubling analysis of reproducibility and progress in recommender systems
    research", but with 1 + n_items for n_items, so that no weight is negative. Defaults: theirs for MovieLens 1M cut
    at random. Known limit: only ranks, and knows nothing of an item that nobody likes.
    """

    name = "item-knn"
    family = "neighbours"
    predicts = "order"
    k: Count = 197
    shrink: NonNegative = 0.0
    weighting: Literal["none", "tf-idf", "bm25"] = "tf-idf"
    normalise: bool = True
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The k nearest of every item are kept, beside a block of similarities."""
        return reason_to_skip(
            bytes_of_nearest(train.n_items, train.n_users, len(train), self.k),
            memory_mb,
            purpose=f"the {self.k:,} nearest of {train.n_items:,} items",
            advice="lower k or filter the data",
        )

    def convert(self, train: Ratings, catalogue: Catalogue) -> csr_matrix:
        """The likes."""
        return matrix_of_likes(train, self.relevant_share)

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Weigh the likes, then find each item's neighbours."""
        self.X_ = weighted(data, self.weighting)
        by_item = self.X_.T.tocsr()
        lengths = np.sqrt(
            np.asarray(by_item.multiply(by_item).sum(axis=1), np.float64).ravel()
        ).astype(np.float32)

        def cosines(products: Floats, rows: slice) -> Floats:
            if self.normalise:
                products /= np.maximum(
                    lengths[rows][:, None] * lengths + np.float32(self.shrink), np.float32(1e-12)
                )
            return products

        self.W_ = nearest(by_item, self.k, cosines, lengths > 0).T.tocsr()


def weighted(liked: csr_matrix, weighting: str) -> csr_matrix:
    """Likes weighed as if items were documents and the users who like them their words; see `ItemKNN`."""
    if weighting == "none":
        return liked
    n_items = liked.shape[1]
    per_user, per_item = liked.getnnz(axis=1), liked.getnnz(axis=0)
    weights = np.log(
        (1 + n_items) / (1 + per_user)
    )  # of users: the more they like, the less a like says
    result = (diags_array(weights) @ liked).tocsr()
    if weighting == "bm25":
        lengths = 0.25 + 0.75 * per_item / max(per_item.mean(), 1e-12)
        result = (result @ diags_array(2.2 / (1.2 * lengths + 1))).tocsr()
    return csr_matrix(result, dtype=np.float32)
