"""Surprise's nearest neighbours: similarities by the library, neighbourhoods by a compiled loop."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Indices
from recbench.adapters.shared.memory import megabytes, reason_to_skip
from recbench.adapters.shared.parameters import Count, NonNegative
from recbench.adapters.surprise.base import Converted, Doubles, SurpriseModel, by_row
from recbench.adapters.surprise.loops import near_grid, near_pairs
from recbench.datasets.ratings import Catalogue, Ratings

_MATRICES = {
    "msd": 3,
    "cosine": 5,
    "pearson": 7,
    "pearson_baseline": 5,
}  # that Surprise holds at once, 8 bytes a pair


def _columns(rows: Any) -> tuple[NDArray[np.uint32], NDArray[np.uint32], Doubles]:
    """The three arrays of a csr_array; an unsigned index spares numba the test for a negative one."""
    return rows.indptr.astype(np.uint32), rows.indices.astype(np.uint32), rows.data


@dataclass(eq=False)
class _Neighbours(SurpriseModel):
    """What the four share: score = base + b_u + b_i + s_x * the mean residual of the nearest raters."""

    requires = ("surprise", "numba")
    k: Count = 40
    min_k: Count = 1
    similarity: Literal["msd", "cosine", "pearson", "pearson_baseline"] = "msd"
    user_based: bool = True
    min_support: Count = 1
    shrinkage: NonNegative = 100.0

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Surprise holds 3 to 7 dense matrices over all pairs of users (or items) while it fits."""
        n_rated = {"users": len(np.unique(train.users)), "items": len(np.unique(train.items))}
        side, other = ("users", "items") if self.user_based else ("items", "users")
        bytes_per_pair = _MATRICES[self.similarity] * 8

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

    def _parameters(self) -> dict[str, Any]:
        names = ("user_based", "min_support", "shrinkage")
        options = {"name": self.similarity} | {name: getattr(self, name) for name in names}
        return {"k": self.k, "min_k": self.min_k, "sim_options": options, "verbose": False}

    def _take(self, algorithm: Any, data: Converted) -> None:
        """Keep the similarities, and the residuals of all ratings to the additive part of the scores."""
        n_x, n_y = algorithm.n_x, algorithm.n_y
        self.scale_ = np.ones(n_x)
        self.mean_if_unknown_ = True
        self._take_centres(algorithm, data)
        self.similarities_ = algorithm.sim
        self.order_: NDArray[Any] | None = None
        self.known_ = data.known_users, data.known_items
        self.inner_ = (
            np.zeros(data.ratings.n_users, np.int32),
            np.zeros(data.ratings.n_items, np.int32),
        )
        for inner, known in zip(self.inner_, self.known_, strict=True):
            inner[known] = np.arange(len(known), dtype=np.int32)
        centres = (
            self.base_
            + self.user_biases_[data.ratings.users]
            + self.item_biases_[data.ratings.items]
        )
        xs, ys = (data.users, data.items) if self.user_based else (data.items, data.users)
        residuals = data.ratings.values - centres
        np.divide(residuals, self.scale_[xs], out=residuals, where=self.scale_[xs] > 0)
        self.residuals_ = by_row(ys, xs, residuals, (n_y, n_x))

    @abstractmethod
    def _take_centres(self, algorithm: Any, data: Converted) -> None:
        """Set the biases, and the scale of each x, to which the neighbours' ratings are compared."""

    def _take_means(self, means: Doubles, data: Converted) -> None:
        """The mean of each x as its bias."""
        of_users, of_items = (means - self.mean_, 0) if self.user_based else (0, means - self.mean_)
        self._take_biases(of_users, of_items, data)

    def _personal(self, users: Indices, items: Indices) -> Doubles:
        u, i = self.inner_[0][users], self.inner_[1][items]
        xs, ys = (u, i) if self.user_based else (i, u)
        means = near_pairs(
            xs, ys, self.similarities_, _columns(self.residuals_), self.k, self.min_k
        )
        means *= self.scale_[xs]
        means[~(self.known_users_[users] & self.known_items_[items])] = 0.0
        return np.asarray(means)

    def _personal_items(self, users: Indices) -> Doubles:
        inner_users = self.inner_[0][users]
        if self.user_based:
            xs, by_y, order = inner_users, self.residuals_, self._nearest_first(inner_users)
        else:
            xs, by_y = np.arange(len(self.known_[1]), dtype=np.int32), self.residuals_[inner_users]
            if self.order_ is None:  # every block of users asks for the neighbours of all items
                self.order_ = self._nearest_first(xs)
            order = self.order_
        busiest = np.argsort(-np.diff(by_y.indptr), kind="stable")  # the loop's wish
        by_y = by_y[busiest]
        halves = _columns(by_y.tocsc()), _columns(by_y)
        means = near_grid(xs, order, self.similarities_, *halves, self.k, self.min_k)
        means *= self.scale_[xs][:, None]
        personal = np.zeros((len(users), self.n_items_))
        if self.user_based:
            personal[:, self.known_[1][busiest]] = means
        else:
            personal[busiest[:, None], self.known_[1]] = means.T
        personal[~self.known_users_[users]] = 0.0
        return personal

    def _nearest_first(self, xs: Indices) -> NDArray[np.uint32]:
        """For each of `xs` all of its kind, the most similar first."""
        order = np.empty((len(xs), len(self.similarities_)), np.uint32)
        for start in range(
            0, len(xs), 256
        ):  # argsort answers in 8 bytes and needs a copy of what it sorts
            order[start : start + 256] = np.argsort(
                -self.similarities_[xs[start : start + 256]], axis=1
            )
        return order


@dataclass(eq=False)
class KNNBasic(_Neighbours):
    """The mean rating of i by the `k` users most like u, weighted by their similarity sim(u, v).

    Or, with `user_based` false, that of the items most like i by u. Fewer than `min_k` neighbours of positive
    similarity, or an unknown user or item, give the training mean. Without centring, as in Surprise's KNNBasic
    (Hug 2020), whose defaults these are.
    """

    name = "surprise-knn-basic"

    def algorithm(self, seed: int) -> Any:
        """Surprise's KNNBasic; nothing in it is random."""
        from surprise import KNNBasic

        return KNNBasic(**self._parameters())

    def _take_centres(self, algorithm: Any, data: Converted) -> None:
        pass  # residuals to the training mean: it cancels out, and is left where there are no neighbours


@dataclass(eq=False)
class KNNWithMeans(_Neighbours):
    """mu_u + the weighted mean of r_vi - mu_v over the neighbours v; mu_i and mu_j with `user_based` false.

    Too few neighbours give mu_u alone, an unknown user or item the training mean. Centred on each user's mean as in
    Resnick et al. 1994, "GroupLens". Defaults: Surprise's.
    """

    name = "surprise-knn-with-means"

    def algorithm(self, seed: int) -> Any:
        """Surprise's KNNWithMeans; nothing in it is random."""
        from surprise import KNNWithMeans

        return KNNWithMeans(**self._parameters())

    def _take_centres(self, algorithm: Any, data: Converted) -> None:
        self._take_means(algorithm.means, data)


@dataclass(eq=False)
class KNNWithZScore(_Neighbours):
    """mu_u + sigma_u * the weighted mean of (r_vi - mu_v) / sigma_v over the neighbours v.

    A deviation of 0 counts as that of all ratings. Otherwise as `surprise-knn-with-means`, but if all ratings are
    equal, where Surprise's prediction is not a number. Defaults: Surprise's (Hug 2020).
    """

    name = "surprise-knn-with-zscore"

    def algorithm(self, seed: int) -> Any:
        """Surprise's KNNWithZScore; nothing in it is random."""
        from surprise import KNNWithZScore

        return KNNWithZScore(**self._parameters())

    def _take_centres(self, algorithm: Any, data: Converted) -> None:
        self._take_means(algorithm.means, data)
        self.scale_ = algorithm.sigmas


@dataclass(eq=False)
class KNNBaseline(_Neighbours):
    """b_ui + the weighted mean of r_vi - b_vi over the neighbours v, b = mu + b_u + b_i (Koren 2010, formula 3).

    The biases are those of `surprise-baseline-only` with its defaults; Surprise recommends `pearson_baseline`.
    Without neighbours b_ui is left, in which an unknown user or item has a bias of 0. Defaults: Surprise's.
    """

    name = "surprise-knn-baseline"

    def algorithm(self, seed: int) -> Any:
        """Surprise's KNNBaseline; nothing in it is random."""
        from surprise import KNNBaseline

        return KNNBaseline(**self._parameters())

    def _take_centres(self, algorithm: Any, data: Converted) -> None:
        self.mean_if_unknown_ = False
        self._take_biases(algorithm.bu, algorithm.bi, data)
