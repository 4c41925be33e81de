"""Nearest neighbours by the cosine: users alike as in the source notebook, the same done right, and
items alike.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.shared.interactions import (
    ItemItem,
    LearnsFromLikes,
    ScoresWholeRows,
    dense_product,
)
from recbench.adapters.shared.likeness import attribute_to_own_items
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import TOIS_2021, Choose, Count, NonNegative, Search, Share
from recbench.datasets.ratings import Catalogue, Ratings

SIMILARITIES_AT_ONCE = 1 << 22
DENSE_FROM = 0.05  # the share of entries from which on dense products are faster than sparse ones

Similarity = Literal["cosine", "dice", "jaccard"]
Weighting = Literal["none", "tf-idf", "bm25"]

# Makes similarities, in place, of the scalar products of some rows (the slice) with all rows.
ToSimilarities = Callable[[Floats, slice], Floats]


def find_nearest(
    matrix: csr_matrix, k: int, to_similarities: ToSimilarities, usable: NDArray[np.bool_]
) -> csr_matrix:
    """For each row of `matrix` its similarities to its k nearest other `usable` rows.

    A sparse matrix of shape (n_rows, n_rows), columns ascending; what has a similarity of 0 is no
    neighbour. Similarities exist for a block of rows at a time, so memory grows with rows x k, not
    with rows squared.
    """
    n_rows, n_columns = matrix.shape
    k = min(k, n_rows)
    is_usable = usable.astype(np.float32)
    is_dense = matrix.nnz > DENSE_FROM * n_rows * n_columns
    left = matrix.toarray() if is_dense else matrix
    right = left.T if is_dense else matrix.T.tocsr()
    # A toy is dense where the data are not: compiled with it, and not in the fit that is timed
    dense_product(matrix[:0], matrix)

    block = max(1, SIMILARITIES_AT_ONCE // n_rows)
    columns_of_blocks = []
    values_of_blocks = []
    for start in range(0, n_rows, block):
        end = min(start + block, n_rows)
        rows = slice(start, end)
        if is_dense:
            products = left[rows] @ right
        else:
            products = dense_product(left[rows], right)

        similarities = to_similarities(products, rows) * is_usable
        places = np.arange(end - start)
        itself = np.arange(start, end)
        similarities[places, itself] = 0  # nobody is a neighbour of itself

        nearest, values = _keep_nearest(similarities, k)
        columns_of_blocks.append(nearest)
        values_of_blocks.append(values)
    return _join_nearest(columns_of_blocks, values_of_blocks, (n_rows, n_rows))


def find_nearest_known(
    new: csr_matrix,
    matrix: csr_matrix,
    k: int,
    to_similarities: ToSimilarities,
    usable: NDArray[np.bool_],
) -> csr_matrix:
    """For each row of `new` its similarities to the k nearest `usable` rows of `matrix`.

    As `find_nearest`, of shape (rows of `new`, rows of `matrix`); `new` are none of these rows.
    """
    n_new = new.shape[0]
    n_rows = matrix.shape[0]
    k = min(k, n_rows)
    is_usable = usable.astype(np.float32)

    block = max(1, SIMILARITIES_AT_ONCE // max(matrix.shape))
    columns_of_blocks = [np.empty((0, k), np.int32)]
    values_of_blocks = [np.empty((0, k), np.float32)]
    for start in range(0, n_new, block):
        rows = slice(start, min(start + block, n_new))
        # The many rows stay sparse, so that a single new one costs no more than they hold.
        products = np.ascontiguousarray((matrix @ new[rows].toarray().T).T)
        similarities = to_similarities(products, rows) * is_usable
        nearest, values = _keep_nearest(similarities, k)
        columns_of_blocks.append(nearest)
        values_of_blocks.append(values)
    return _join_nearest(columns_of_blocks, values_of_blocks, (n_new, n_rows))


def _keep_nearest(similarities: Floats, k: int) -> tuple[Indices, Floats]:
    """The places of the `k` largest of each row, in any order, and these; (n_rows, k) each."""
    n_others = similarities.shape[1] - k
    partitioned = np.argpartition(similarities, n_others, axis=1)
    nearest = partitioned[:, n_others:]
    values = np.take_along_axis(similarities, nearest, axis=1)
    return nearest.astype(np.int32), values


def _join_nearest(
    columns_of_blocks: list[Indices], values_of_blocks: list[Floats], shape: tuple[int, int]
) -> csr_matrix:
    """The neighbours of all rows as a sparse matrix, columns ascending, without zeros."""
    columns = np.concatenate(columns_of_blocks)
    values = np.concatenate(values_of_blocks)
    n_rows, k = columns.shape
    bounds = np.arange(n_rows + 1) * k
    neighbours = csr_matrix((values.ravel(), columns.ravel(), bounds), shape)
    neighbours.eliminate_zeros()
    neighbours.sort_indices()
    return neighbours


def bytes_of_nearest(n_rows: int, n_columns: int, n_ratings: int, k: int) -> int:
    """The bytes that `find_nearest` takes for a matrix of `n_ratings` entries.

    Twice the neighbours, some blocks of similarities, and the matrix: dense if that is faster.
    """
    neighbours = 12 * 2 * n_rows * min(k, n_rows)
    blocks = 4 * 6 * max(SIMILARITIES_AT_ONCE, n_rows)
    is_dense = n_ratings > DENSE_FROM * n_rows * n_columns
    n_entries = n_rows * n_columns if is_dense else 4 * n_ratings
    return neighbours + blocks + 4 * n_entries + 24 * n_ratings


def reason_to_skip_nearest(
    n_bytes: int, n_rows: int, kind: str, k: int, memory_mb: float
) -> str | None:
    """Why the k nearest of `n_rows` rows, which are of this `kind`, do not fit; None if they do."""
    return reason_to_skip(
        n_bytes,
        memory_mb,
        purpose=f"the {k:,} nearest of {n_rows:,} {kind}",
        advice="lower k or filter the data",
    )


def _invert_positive(values: NDArray[np.floating[Any]]) -> Floats:
    """1 / values as float32, and 0 for what is not positive."""
    is_positive = values > 0
    inverse = np.zeros(len(values), np.float32)
    inverse[is_positive] = 1 / values[is_positive]
    return inverse


def find_alike(
    rows: csr_matrix, k: int, similarity: Similarity, shrink: float, normalise: bool = True
) -> csr_matrix:
    """For each row its similarities to its k nearest other rows, as `find_nearest` gives them.

    With a.b the scalar product: a.b / (|a| |b| + shrink) for "cosine". The others are for rows of
    ones, of which |a|^2 counts those of a: a.b / (|a|^2 + |b|^2 + shrink) for "dice", which is
    half of Dice's coefficient, and a.b / (|a|^2 + |b|^2 - a.b + shrink) for "jaccard". Without
    `normalise` the scalar product alone, where `shrink` plays no part.
    """
    squares = rows.multiply(rows)
    squared_lengths = np.asarray(squares.sum(axis=1), np.float64).ravel()
    if similarity == "cosine":
        sizes = np.sqrt(squared_lengths).astype(np.float32)
    else:
        sizes = squared_lengths.astype(np.float32)

    def to_similarities(products: Floats, block: slice) -> Floats:
        if not normalise:
            return products

        sizes_of_block = sizes[block][:, None]
        if similarity == "cosine":
            divisors = sizes_of_block * sizes
        else:
            divisors = sizes_of_block + sizes
        if similarity == "jaccard":
            divisors -= products

        divisors += np.float32(shrink)
        products /= np.maximum(divisors, np.float32(1e-12))
        return products

    return find_nearest(rows, k, to_similarities, sizes > 0)


class _Profiles(NamedTuple):
    """Users by their ratings: what is compared of them, and what is predicted from."""

    residuals: csr_matrix  # (n_users, n_items): ratings minus the user's mean
    means: Floats  # (n_users,): that of the training part for who has no ratings
    known: NDArray[np.bool_]  # (n_users,): who has ratings


class _Lengths(NamedTuple):
    """What makes cosines of scalar products, of some users; (n_users,) each."""

    inverse: Floats  # 1 / the length of the user's row
    unit_levels: Floats | None  # where rows are filled up: the part of the level in a unit row


class _AlikeUsers(ScoresWholeRows):
    """What the two cosines of users share: means, residuals, and neighbours in bounded memory."""

    family = "neighbours"
    predicts = "ratings"
    requires = ("numba",)
    k: Count

    residuals_: csr_matrix  # (n_users, n_items): ratings minus the user's mean
    means_: Floats  # (n_users,): the global mean for who has no ratings
    known_: NDArray[np.bool_]  # (n_users,): who has ratings
    neighbours_: csr_matrix  # (n_users, n_users): similarities to the nearest

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The k nearest of every user are kept, beside a block of similarities."""
        n_rows = train.n_users
        n_bytes = bytes_of_nearest(n_rows, train.n_items, len(train), self.k)
        return reason_to_skip_nearest(n_bytes, n_rows, "users", self.k, memory_mb)

    def fit(self, data: Ratings, seed: int) -> None:
        """Means of users, residuals to them, then all neighbours; nothing is random.

        A pair rated twice counts with its mean.
        """
        self.mean_ = data.mean
        self.residuals_, self.means_, self.known_ = self._profiles_of(data)
        self.n_rated_items_ = len(np.unique(self.residuals_.indices))
        lengths = self._measure_lengths(self.residuals_, self.means_)
        self.inverse_lengths_ = lengths.inverse
        self.unit_levels_ = lengths.unit_levels
        self.neighbours_ = find_nearest(
            self.residuals_, self.k, self._cosines_to_training(lengths), self.known_
        )

    def score_items(self, users: Indices) -> Floats:
        """From the ratings of each user's neighbours."""
        return self._predict_ratings(self.neighbours_[users], self.means_[users])

    def fold_in(self, ratings: Ratings) -> Floats:
        """Neighbours of what is told, by cosine, among the users of the training part.

        Exactly what a fit to the training part and one new user says of that one, as long as
        somebody in training has rated each of the items.
        """
        new = self._profiles_of(ratings)
        lengths = self._measure_lengths(new.residuals, new.means)
        to_cosines = self._cosines_to_training(lengths)
        neighbours = find_nearest_known(
            new.residuals, self.residuals_, self.k, to_cosines, self.known_
        )
        return self._predict_ratings(neighbours, new.means)

    def _profiles_of(self, ratings: Ratings) -> _Profiles:
        shape = (ratings.n_users, ratings.n_items)
        pairs = (ratings.users, ratings.items)
        values = ratings.values.astype(np.float64)
        matrix = csr_matrix((values, pairs), shape)
        times_rated = csr_matrix((np.ones(len(ratings)), pairs), shape)
        matrix.data /= times_rated.data  # both have summed what was rated twice

        n_ratings = np.diff(matrix.indptr)
        has_ratings = n_ratings > 0
        totals = np.asarray(matrix.sum(axis=1)).ravel()
        global_means = np.full(ratings.n_users, self.mean_)
        means = np.divide(totals, n_ratings, out=global_means, where=has_ratings)

        residuals = matrix
        residuals.data -= np.repeat(means, n_ratings)
        return _Profiles(residuals.astype(np.float32), means.astype(np.float32), has_ratings)

    def _cosines_to_training(self, lengths: _Lengths) -> ToSimilarities:
        """What makes cosines of the scalar products of users, whose lengths are given, with those
        of the training part.
        """
        inverse_of_training = self.inverse_lengths_
        levels_of_training = self.unit_levels_

        def to_cosines(products: Floats, rows: slice) -> Floats:
            products *= inverse_of_training
            products *= lengths.inverse[rows][:, None]
            if lengths.unit_levels is not None and levels_of_training is not None:
                products += lengths.unit_levels[rows][:, None] * levels_of_training
            return products

        return to_cosines

    def explain(self, user: int, item: int) -> tuple[Indices, Floats]:
        """For each of the user's items: what those neighbours who rated it too say of `item`.

        That is the sum of similarity times the neighbour's rating less its mean.
        """
        residuals = self.residuals_[:, [item]].toarray().ravel()
        votes = self.neighbours_[[user]].toarray().ravel() * residuals
        return attribute_to_own_items(self.residuals_[[user]].indices, votes, self.residuals_)

    @abstractmethod
    def _measure_lengths(self, residuals: csr_matrix, means: Floats) -> _Lengths:
        """Those of the rows that are compared."""

    @abstractmethod
    def _predict_ratings(self, similarities: csr_matrix, means: Floats) -> Floats:
        """The ratings of all items by users with these neighbours and means."""


def _squared_lengths_of(rows: csr_matrix) -> NDArray[np.float64]:
    """The scalar product of each row with itself."""
    squares = rows.multiply(rows)
    return np.asarray(squares.sum(axis=1), np.float64).ravel()


@dataclass(eq=False)
class CosineUser(_AlikeUsers):
    """The source notebook's user-user cosine, kept because readers know it; worse than means.

    r(u, i) = sum over N(u) of s_uv * f_vi / sum over N(u) of |s_uv|, where f_vi is v's rating of i
    or, where v has none, v's mean rating; s_uv = f_u . f_v / (|f_u| |f_v|); and N(u) are the
    k = 100 most similar others.

    Its flaw: rows that are filled up and not centred all point the same way, so every cosine is
    near 1, and a cosine does not see a row's level. Nearest to everybody are the same users: those
    whose ratings vary least in proportion to their mean, that is, who love everything. Their level
    becomes the prediction, which is far too high; u's taste and even u's own mean are lost.
    `cosine-user-centred` is the same done right.

    Nothing is really filled up here: v's residuals c_v to v's mean m_v sum to zero, therefore f_u .
    f_v = n_items m_u m_v + c_u . c_v, n_items being those with ratings. Users without ratings are
    rows of the global mean, and nobody's neighbours.
    """

    name = "cosine-user"
    units = "scale"
    origin = Origin("notebook", "source notebook (k = 100)")
    k: Annotated[Count, Search(5, 1000, TOIS_2021, log=True)] = 100

    def _measure_lengths(self, residuals: csr_matrix, means: Floats) -> _Lengths:
        """Those of the filled-up rows: of the level, and of the residuals across it."""
        levels = np.sqrt(self.n_rated_items_) * means.astype(np.float64)
        lengths = np.sqrt(levels**2 + _squared_lengths_of(residuals))
        inverse_lengths = _invert_positive(lengths)
        unit_levels = (levels * inverse_lengths).astype(np.float32)
        return _Lengths(inverse_lengths, unit_levels)

    def _predict_ratings(self, similarities: csr_matrix, means: Floats) -> Floats:
        """The neighbours' filled-up rows, weighted; the user's own mean for who has none."""
        sums = np.asarray(abs(similarities).sum(axis=1)).ravel()
        has_neighbours = sums > 0

        # A filled-up row is its user's mean everywhere, plus the residuals.
        weighted_means = similarities @ self.means_
        levels = np.where(has_neighbours, weighted_means, means)
        weighted_residuals = (similarities @ self.residuals_).toarray()
        scores = weighted_residuals + levels[:, None]

        divisors = np.where(has_neighbours, sums, 1)
        return np.asarray(scores / divisors[:, None], np.float32)


@dataclass(eq=False)
class CosineUserCentred(_AlikeUsers):
    """User-user cosine done right: ratings are deviations from each user's mean.

    r(u, i) = m_u + sum of s_uv * (r_vi - m_v) / (sum of |s_uv| + shrink), both over those of the k
    nearest users who rated i; s_uv is the cosine of the residuals r - m, 0 where there is no rating
    (Resnick et al. 1994, "GroupLens"; Herlocker et al. 1999, "An algorithmic framework for
    performing collaborative filtering").

    Defaults: k of `cosine-user`, and no shrinkage. The k nearest are chosen once a user, not once a
    film, which is what makes it fast; where none of them rated a film, the prediction is m_u.
    """

    name = "cosine-user-centred"
    origin = Origin("notebook", "source notebook (k = 100)")
    k: Annotated[Count, Search(5, 1000, TOIS_2021, log=True)] = 100
    shrink: Annotated[NonNegative, Search(0, 1000, TOIS_2021)] = 0.0

    def _measure_lengths(self, residuals: csr_matrix, means: Floats) -> _Lengths:
        """Those of the residuals."""
        return _Lengths(_invert_positive(np.sqrt(_squared_lengths_of(residuals))), None)

    def fit(self, data: Ratings, seed: int) -> None:
        """Neighbours, and who rated what; nothing is random."""
        super().fit(data, seed)
        self.rated_ = self.residuals_.copy()
        self.rated_.data[:] = 1

    def _predict_ratings(self, similarities: csr_matrix, means: Floats) -> Floats:
        """The user's mean plus the neighbours' weighted residuals."""
        sums = (similarities @ self.residuals_).toarray()
        weights = (abs(similarities) @ self.rated_).toarray()
        divisors = weights + np.float32(self.shrink)

        no_offsets = np.zeros_like(sums)
        offsets = np.divide(sums, divisors, out=no_offsets, where=divisors > 0)
        return np.asarray(means[:, None] + offsets, np.float32)


@dataclass(eq=False)
class ItemKNN(LearnsFromLikes, ItemItem):
    """Items that the same users like: score(u, i) = sum of x_uj * s_ij over u's likes j near i.

    j are those of u's likes that are among the k nearest of i. s_ij =
    x_i . x_j / (|x_i| |x_j| + shrink), x_i being the column of item i (Sarwar et al. 2001,
    "Item-based collaborative filtering recommendation algorithms"); without `normalise` the scalar
    product alone, where `shrink` plays no part. x_ui = 1 for a rating of at least `relevant_share`
    of the scale, times, as `weighting` says,

        tf-idf:  idf_u = log((1 + n_items) / (1 + n_u)): the more its user likes, the less a like
                 says;
        bm25:    idf_u * 2.2 / (1 + 1.2 * (.25 + .75 * n_i / mean of n_i)), which damps popular
                 items, too,

    as in Ferrari Dacrema et al. 2021, "A troubling analysis of reproducibility and progress in
    recommender systems research", but with 1 + n_items for n_items, so that no weight is negative.
    With `profiles` "likes" the weights choose neighbours only, and x_uj is 1 for every like: that
    is what gives the numbers of their table 46. `similarity` "dice" and "jaccard" compare the sets
    of users who like i and j, see `find_alike`, and no weights. Defaults: theirs for MovieLens 1M
    cut at random, with weighed profiles. Known limit: ranks only, and knows nothing of an item that
    nobody likes.
    """

    name = "item-knn"
    family = "neighbours"
    requires = ("numba",)
    origin = Origin(
        "paper",
        "Ferrari Dacrema et al. 2021",
        ("movielens-1m",),
        ("k", "shrink", "weighting", "normalise"),
    )
    k: Annotated[Count, Search(5, 1000, TOIS_2021, log=True)] = 197
    shrink: Annotated[NonNegative, Search(0, 1000, TOIS_2021)] = 0.0
    weighting: Annotated[Weighting, Choose(TOIS_2021)] = "tf-idf"
    normalise: Annotated[bool, Choose(TOIS_2021)] = True
    similarity: Annotated[Similarity, Choose(TOIS_2021)] = "cosine"
    profiles: Literal["weighed", "likes"] = "weighed"
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The k nearest of every item are kept, beside a block of similarities."""
        n_rows = train.n_items
        n_bytes = bytes_of_nearest(n_rows, train.n_users, len(train), self.k)
        return reason_to_skip_nearest(n_bytes, n_rows, "items", self.k, memory_mb)

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Weigh the likes, then find each item's neighbours; nothing is random."""
        self.likes_of_item_ = data.getnnz(axis=0)
        weighed = weigh_likes(data, self.weighting, self.likes_of_item_)
        compared = weighed if self.similarity == "cosine" else data
        by_item = compared.T.tocsr()
        nearest_of_items = find_alike(by_item, self.k, self.similarity, self.shrink, self.normalise)

        self.X_ = weighed if self.profiles == "weighed" else data
        self.W_ = nearest_of_items.T.tocsr()

    def profiles_of(self, ratings: Ratings) -> csr_matrix:
        """The likes of new users, weighed by how popular items were in training."""
        likes = super().profiles_of(ratings)
        if self.profiles == "likes":
            return likes
        return weigh_likes(likes, self.weighting, self.likes_of_item_)


@dataclass(eq=False)
class UserKNN(LearnsFromLikes, ScoresWholeRows):
    """Users who like the same items: score(u, i) = sum of s_uv over those v near u who like i.

    v are the users who have u among their own k nearest, as in Ferrari Dacrema et al. 2021, "A
    troubling analysis of reproducibility and progress in recommender systems research"; the usual
    way round would be u's own nearest. s_uv is one of the similarities of `find_alike`. For the
    cosine a like weighs what `weighting` says, with the formulas of `item-knn`: items are the
    documents here, too. The weights choose neighbours only; what is summed up are likes.

    Defaults: theirs for MovieLens 1M cut at random. Known limits: ranks only; memory grows with
    users x k; who is nobody's neighbour scores 0 everywhere.
    """

    name = "user-knn"
    family = "neighbours"
    requires = ("numba",)
    origin = Origin(
        "paper",
        "Ferrari Dacrema et al. 2021",
        ("movielens-1m",),
        ("k", "shrink", "weighting", "similarity"),
    )
    k: Annotated[Count, Search(5, 1000, TOIS_2021, log=True)] = 418
    shrink: Annotated[NonNegative, Search(0, 1000, TOIS_2021)] = 402.0
    weighting: Annotated[Weighting, Choose(TOIS_2021)] = "tf-idf"
    similarity: Annotated[Similarity, Choose(TOIS_2021)] = "cosine"
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The k nearest of every user are kept, beside a block of similarities."""
        n_rows = train.n_users
        n_bytes = bytes_of_nearest(n_rows, train.n_items, len(train), self.k)
        return reason_to_skip_nearest(n_bytes, n_rows, "users", self.k, memory_mb)

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Find each user's neighbours; nothing is random."""
        compared = data
        if self.similarity == "cosine":
            compared = weigh_likes(data, self.weighting, data.getnnz(axis=0))
        nearest_of_users = find_alike(compared, self.k, self.similarity, self.shrink)

        self.X_ = data
        self.W_ = nearest_of_users.T.tocsr()  # row u: those who have u among their nearest

    def score_items(self, users: Indices) -> Floats:
        """The likes of those who have each user among their nearest, weighted."""
        scores = (self.W_[users] @ self.X_).toarray()
        return np.asarray(scores, np.float32)

    def explain(self, user: int, item: int) -> tuple[Indices, Floats]:
        """For each of the user's likes: the similarities to those who like it and `item`."""
        likes = self.X_[:, [item]].toarray().ravel()
        votes = self.W_[[user]].toarray().ravel() * likes
        return attribute_to_own_items(self.X_[[user]].indices, votes, self.X_)


def weigh_likes(
    likes: csr_matrix, weighting: str, likes_of_item: NDArray[np.integer[Any]]
) -> csr_matrix:
    """Likes weighed as if items were documents and the users who like them their words.

    Of the shape of `likes`. `weighting` is "none", which gives `likes` itself, "tf-idf" or "bm25";
    see `ItemKNN` for the formulas. `likes_of_item` counts those of each item in training.
    """
    if weighting == "none":
        return likes

    n_items = likes.shape[1]
    likes_of_user = likes.getnnz(axis=1)
    user_weights = np.log((1 + n_items) / (1 + likes_of_user))
    weighed = (diags_array(user_weights) @ likes).tocsr()

    if weighting == "bm25":
        mean_likes = max(likes_of_item.mean(), 1e-12)
        lengths = 0.25 + 0.75 * likes_of_item / mean_likes
        item_weights = 2.2 / (1.2 * lengths + 1)
        weighed = (weighed @ diags_array(item_weights)).tocsr()
    return csr_matrix(weighed, dtype=np.float32)
