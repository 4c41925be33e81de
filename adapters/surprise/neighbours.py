"""Surprise's nearest neighbours: similarities by the library, neighbourhoods by a compiled loop."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Floats, Indices
from recbench.adapters.shared.likeness import attribute_to_own_items, list_most_similar
from recbench.adapters.shared.memory import megabytes, reason_to_skip
from recbench.adapters.shared.parameters import DECADE, LENSKIT, Choose, Count, NonNegative, Search
from recbench.adapters.surprise.base import Converted, Doubles, SurpriseModel, group_by_row
from recbench.adapters.surprise.loops import near_grid, near_pairs
from recbench.datasets.ratings import Catalogue, Ratings

# How many dense matrices Surprise holds at once while it fits, of 8 bytes a pair.
_MATRICES = {"msd": 3, "cosine": 5, "pearson": 7, "pearson_baseline": 5}
_BYTES_PER_NUMBER = 8

_LARGEST_SIMILARITY = 1 + 1e-6  # anything beyond is left of rounding

_SORTED_AT_ONCE = 256  # argsort answers in 8 bytes and needs a copy of what it sorts

SURPRISE = "Surprise's documentation"
LENSKIT_MORE = f"{LENSKIT}, further"

Similarity = Literal["msd", "cosine", "pearson", "pearson_baseline"]
CompressedRows = tuple[NDArray[np.uint32], NDArray[np.uint32], Doubles]


@dataclass(eq=False)
class _Neighbours(SurpriseModel):
    """What the four share: base + b_u + b_i + s_x * the mean residual of the nearest raters.

    A similarity for which Surprise would divide by zero is 0.

    x is the user and y the item, or, with `user_based` false, the other way round: x is what has
    neighbours, y is what these have rated.
    """

    requires = ("surprise", "numba")
    k: Annotated[Count, Search(2, 500, LENSKIT_MORE, log=True)] = 40
    min_k: Annotated[Count, Search(1, 20, LENSKIT_MORE)] = 1
    similarity: Annotated[Similarity, Choose(SURPRISE)] = "msd"
    user_based: Annotated[bool, Choose(SURPRISE)] = True
    min_support: Annotated[Count, Search(1, 10, SURPRISE)] = 1
    shrinkage: Annotated[NonNegative, Search(1, 1000, DECADE, log=True)] = 100.0

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Surprise holds 3 to 7 dense matrices over all pairs of users (or items) while it fits."""
        n_rated = {"users": len(np.unique(train.users)), "items": len(np.unique(train.items))}
        side, other = ("users", "items") if self.user_based else ("items", "users")
        bytes_per_pair = _MATRICES[self.similarity] * _BYTES_PER_NUMBER

        advice = "raise the memory limit or filter the data"
        other_mb = megabytes(bytes_per_pair * n_rated[other] ** 2)
        if other_mb <= memory_mb:
            flag = str(not self.user_based).lower()
            advice = (
                f"user_based={flag} would need {other_mb:,.0f} MB for {n_rated[other]:,} {other}"
            )

        n = n_rated[side]
        return reason_to_skip(
            bytes_per_pair * n**2,
            memory_mb,
            purpose=f"the {self.similarity} similarities of {n:,} x {n:,} {side}",
            advice=advice,
        )

    def _library_arguments(self) -> dict[str, Any]:
        """The keyword arguments of Surprise's constructor."""
        similarity = {
            "name": self.similarity,
            "user_based": self.user_based,
            "min_support": self.min_support,
            "shrinkage": self.shrinkage,
        }
        return {"k": self.k, "min_k": self.min_k, "sim_options": similarity, "verbose": False}

    def _fit_library(self, data: Converted, seed: int) -> Any:
        """As Surprise, but similarities that the library cannot compute are 0."""
        algorithm = self.make_algorithm(seed)
        by_library = algorithm.compute_similarities

        def compute_similarities() -> Doubles:
            try:
                similarities: Doubles = by_library()
            except ZeroDivisionError:
                return self._similarities_of_overlaps(algorithm, data)

            # Pearson's of constant ratings, where rounding is left of what cancels out
            similarities[~(np.abs(similarities) < _LARGEST_SIMILARITY)] = 0
            return similarities

        algorithm.compute_similarities = compute_similarities
        return algorithm.fit(data.trainset)

    def _similarities_of_overlaps(self, algorithm: Any, data: Converted) -> Doubles:
        """Surprise's cosine or Pearson-baseline similarities, 0 where one of two has no length.

        Of a pair that has only zeros (or only what its baseline says) for what both have rated,
        Surprise divides by zero.
        """
        xs, ys = self._order_sides(data.users, data.items)
        shape = (algorithm.n_x, algorithm.n_y)
        values = data.ratings.values.astype(np.float64)
        least_support = self.min_support
        shrinkage = 0.0
        if self.similarity == "pearson_baseline":
            user_biases, item_biases = algorithm.compute_baselines()
            biases = user_biases[data.users] + item_biases[data.items]
            values -= data.trainset.global_mean + biases
            least_support = max(2, least_support)
            shrinkage = self.shrinkage

        by_x = group_by_row(xs, ys, values, shape)
        squares = group_by_row(xs, ys, values**2, shape)
        counts = group_by_row(xs, ys, np.ones(len(values)), shape)
        n_common = (counts @ counts.T).toarray()
        squared_lengths = (squares @ counts.T).toarray()  # of each row, over what both have rated
        lengths = np.sqrt(squared_lengths * squared_lengths.T)

        products = (by_x @ by_x.T).toarray()
        has_length = (lengths > 0) & (n_common >= least_support)
        similarities: Doubles = np.zeros(lengths.shape)
        np.divide(products, lengths, out=similarities, where=has_length)
        if shrinkage > 0:
            similarities *= (n_common - 1) / np.maximum(n_common - 1 + shrinkage, 1)
        np.fill_diagonal(similarities, 1)
        return similarities

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        """Keep the similarities, and each rating's residual to the additive part of its score."""
        self.scale_ = np.ones(algorithm.n_x)
        self.mean_if_unknown_ = True
        self._keep_centres(algorithm, data)

        self.similarities_ = algorithm.sim
        self.order_: NDArray[np.uint32] | None = None

        # The inner id of each user and item; 0 for the unknown, whose answers are replaced.
        self.inner_users_ = np.zeros(data.ratings.n_users, np.int32)
        self.inner_users_[data.known_users] = np.arange(len(data.known_users), dtype=np.int32)
        self.inner_items_ = np.zeros(data.ratings.n_items, np.int32)
        self.inner_items_[data.known_items] = np.arange(len(data.known_items), dtype=np.int32)
        self.items_by_inner_id_ = data.known_items

        user_biases = self.user_biases_[data.ratings.users]
        item_biases = self.item_biases_[data.ratings.items]
        residuals = data.ratings.values - (self.base_ + user_biases + item_biases)

        xs, ys = self._order_sides(data.users, data.items)
        scales = self.scale_[xs]
        np.divide(residuals, scales, out=residuals, where=scales > 0)
        self.residuals_ = group_by_row(ys, xs, residuals, (algorithm.n_y, algorithm.n_x))

    @abstractmethod
    def _keep_centres(self, algorithm: Any, data: Converted) -> None:
        """Set the biases, and the scale of each x, to which neighbours' ratings are compared."""

    def _keep_means(self, means: Doubles, data: Converted) -> None:
        """The mean of each x as its bias."""
        offsets = means - self.mean_
        if self.user_based:
            self._keep_biases(offsets, 0, data)
        else:
            self._keep_biases(0, offsets, data)

    def _order_sides(self, users: Indices, items: Indices) -> tuple[Indices, Indices]:
        """The two as x and y: x is the side that has neighbours."""
        if self.user_based:
            return users, items
        return items, users

    def _personal_of_pairs(self, users: Indices, items: Indices) -> Doubles:
        xs, ys = self._order_sides(self.inner_users_[users], self.inner_items_[items])
        by_y = _compressed_rows(self.residuals_)
        means = near_pairs(xs, ys, self.similarities_, by_y, self.k, self.min_k)
        means *= self.scale_[xs]

        both_known = self.known_users_[users] & self.known_items_[items]
        means[~both_known] = 0.0
        return np.asarray(means)

    def _personal_of_items(self, users: Indices) -> Doubles:
        inner_users = self.inner_users_[users]
        if self.user_based:
            xs = inner_users
            by_y = self.residuals_
            order = self._nearest_first(inner_users)
        else:
            xs = np.arange(len(self.items_by_inner_id_), dtype=np.int32)
            by_y = self.residuals_[inner_users]
            order = self._nearest_items()

        # The loop is fast where the ys with the most ratings come first.
        busiest = np.argsort(-np.diff(by_y.indptr), kind="stable")
        by_y = by_y[busiest]
        by_x = by_y.tocsc()
        means = near_grid(
            xs,
            order,
            self.similarities_,
            _compressed_rows(by_x),
            _compressed_rows(by_y),
            self.k,
            self.min_k,
        )
        means *= self.scale_[xs][:, None]

        personal = np.zeros((len(users), self.n_items_))
        if self.user_based:
            personal[:, self.items_by_inner_id_[busiest]] = means
        else:
            personal[busiest[:, None], self.items_by_inner_id_] = means.T
        personal[~self.known_users_[users]] = 0.0
        return personal

    def explain(self, user: int, item: int) -> tuple[Indices, Floats]:
        """What each of the user's items adds to the sum over the nearest neighbours.

        If these are items, similarity times the rating less its centre. If they are users, for each
        of the user's items the sum of that over those neighbours who have rated it, too.
        """
        own_items = self._own_items(user)
        if not (self.known_users_[user] and self.known_items_[item]):
            return own_items, np.zeros(len(own_items), np.float32)

        x, y = self.inner_users_[user], self.inner_items_[item]
        if not self.user_based:
            x, y = y, x
        of_y = self.residuals_[[int(y)]]
        similarities = self.similarities_[x, of_y.indices]
        nearest = np.argsort(-similarities, kind="stable")[: self.k]
        nearest = nearest[similarities[nearest] > 0]
        votes = similarities[nearest] * of_y.data[nearest]
        if not self.user_based:
            items = self.items_by_inner_id_[of_y.indices[nearest]]
            return items, np.asarray(votes, np.float32)

        from scipy.sparse import csr_matrix

        of_voters = np.zeros(self.residuals_.shape[1])
        of_voters[of_y.indices[nearest]] = votes
        ratings_of_users = csr_matrix(self.residuals_.T)
        inner_items = self.inner_items_[own_items]
        _, contributions = attribute_to_own_items(inner_items, of_voters, ratings_of_users)
        return own_items, contributions

    def _own_items(self, user: int) -> Indices:
        """The items that a user has rated."""
        if not self.known_users_[user]:
            return np.empty(0, np.int32)
        inner_user = int(self.inner_users_[user])
        if self.user_based:
            inner_items = self.residuals_[:, [inner_user]].tocoo().coords[0]
        else:
            inner_items = self.residuals_[[inner_user]].indices
        own_items: Indices = self.items_by_inner_id_[inner_items]
        return own_items

    def similar(self, item: int, n: int = 10) -> tuple[Indices, Floats] | None:
        """By the similarities of items, which there are with `user_based` false only."""
        if self.user_based:
            return None
        similarities = np.zeros(self.n_items_)
        if self.known_items_[item]:
            similarities[self.items_by_inner_id_] = self.similarities_[self.inner_items_[item]]
        return list_most_similar(similarities, item, n)

    def _nearest_items(self) -> NDArray[np.uint32]:
        """The neighbours of all items, sorted once: every block of users asks for them."""
        if self.order_ is None:
            self.order_ = self._nearest_first(np.arange(len(self.similarities_), dtype=np.int32))
        return self.order_

    def _nearest_first(self, xs: Indices) -> NDArray[np.uint32]:
        """For each of `xs` all of its kind, the most similar first: (len(xs), n_x) inner ids."""
        order = np.empty((len(xs), len(self.similarities_)), np.uint32)
        for start in range(0, len(xs), _SORTED_AT_ONCE):
            rows = slice(start, start + _SORTED_AT_ONCE)
            order[rows] = np.argsort(-self.similarities_[xs[rows]], axis=1)
        return order


def _compressed_rows(rows: Any) -> CompressedRows:
    """Starts, columns and values of a csr_array, or of the columns of a csc_array.

    An unsigned index spares numba the test for a negative one.
    """
    return rows.indptr.astype(np.uint32), rows.indices.astype(np.uint32), rows.data


@dataclass(eq=False)
class KNNBasic(_Neighbours):
    """The mean rating of i by the `k` users most like u, weighted by their similarity sim(u, v).

    Or, with `user_based` false, that of the items most like i by u. Fewer than `min_k` neighbours
    of positive similarity, or an unknown user or item, give the training mean. Without centring, as
    in Surprise's KNNBasic (Hug 2020), whose defaults these are.
    """

    name = "surprise-knn-basic"

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's KNNBasic; nothing in it is random."""
        from surprise import KNNBasic

        return KNNBasic(**self._library_arguments())

    def _keep_centres(self, algorithm: Any, data: Converted) -> None:
        """Residuals to the training mean: it cancels out, and is left without neighbours."""


@dataclass(eq=False)
class KNNWithMeans(_Neighbours):
    """mu_u + the weighted mean of r_vi - mu_v over the neighbours v of u.

    With `user_based` false mu_i + the weighted mean of r_uj - mu_j over the neighbours j of i. Too
    few neighbours give mu_u (or mu_i) alone, an unknown user or item the training mean. Centred on
    each user's mean as in Resnick et al. 1994, "GroupLens". Defaults: Surprise's.
    """

    name = "surprise-knn-with-means"

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's KNNWithMeans; nothing in it is random."""
        from surprise import KNNWithMeans

        return KNNWithMeans(**self._library_arguments())

    def _keep_centres(self, algorithm: Any, data: Converted) -> None:
        self._keep_means(algorithm.means, data)


@dataclass(eq=False)
class KNNWithZScore(_Neighbours):
    """mu_u + sigma_u * the weighted mean of (r_vi - mu_v) / sigma_v over the neighbours v.

    A deviation of 0 counts as that of all ratings. Otherwise as `surprise-knn-with-means`, but if
    all ratings are equal, where Surprise's prediction is not a number. Defaults: Surprise's
    (Hug 2020).
    """

    name = "surprise-knn-with-zscore"

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's KNNWithZScore; nothing in it is random."""
        from surprise import KNNWithZScore

        return KNNWithZScore(**self._library_arguments())

    def _keep_centres(self, algorithm: Any, data: Converted) -> None:
        self._keep_means(algorithm.means, data)
        self.scale_ = algorithm.sigmas


@dataclass(eq=False)
class KNNBaseline(_Neighbours):
    """b_ui + the weighted mean of r_vi - b_vi over the neighbours v, where b = mu + b_u + b_i.

    Koren 2010, formula 3. The biases are those of `surprise-baseline-only` with its defaults;
    Surprise recommends `pearson_baseline`. Without neighbours b_ui is left, in which an unknown
    user or item has a bias of 0. Defaults: Surprise's.
    """

    name = "surprise-knn-baseline"

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's KNNBaseline; nothing in it is random."""
        from surprise import KNNBaseline

        return KNNBaseline(**self._library_arguments())

    def _keep_centres(self, algorithm: Any, data: Converted) -> None:
        self.mean_if_unknown_ = False
        self._keep_biases(algorithm.bu, algorithm.bi, data)
