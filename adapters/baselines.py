"""Predictors without personal taste: what every learned model has to beat."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import NOTHING_TO_CHOOSE, Floats, Indices, Origin, Recommender
from recbench.adapters.shared.parameters import LENSKIT, Count, NonNegative, Search
from recbench.datasets.foundation import GOLDEN_GAMMA, mix_bits
from recbench.datasets.ratings import Ratings

OF_M = "here: from next to no weight to beyond the 25,000 votes of IMDb's list of films"


def _hash_to_uniform(seed: int, users: Indices, items: Indices) -> Floats:
    """A number in [0, 1) for each pair, float32, that depends on (seed, user, item) only.

    It is the 24 highest bits of what SplitMix64's mixing function makes of the three.
    """
    with np.errstate(over="ignore"):
        state = (users.astype(np.uint64) << np.uint64(32)) + items.astype(np.uint64)
        mixed = mix_bits((state + np.uint64(seed) + np.uint64(1)) * GOLDEN_GAMMA)
    return (mixed >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


@dataclass(eq=False)
class Random(Recommender):
    """A uniform draw from the scale for each pair, fixed by the seed: the floor of every table."""

    name = "random"
    family = "baseline"
    predicts = "ratings"
    origin = NOTHING_TO_CHOOSE

    def fit(self, data: Ratings, seed: int) -> None:
        """Remember the scale and the seed; nothing is learned."""
        self.seed_ = seed
        self.scale_ = data.scale

    def score(self, users: Indices, items: Indices) -> Floats:
        """lowest + (highest - lowest) * uniform(seed, user, item)."""
        lowest, highest = self.scale_
        shares = _hash_to_uniform(self.seed_, users, items)
        return np.float32(lowest) + np.float32(highest - lowest) * shares

    def fold_in(self, ratings: Ratings) -> Floats:
        """Random numbers, with a hash of the told items in place of the user's index."""
        bits = mix_bits(ratings.items.astype(np.uint64) + np.uint64(1)) >> np.uint64(33)
        hashes = np.zeros(ratings.n_users, np.uint64)
        np.bitwise_xor.at(hashes, ratings.users, bits)

        n_items = ratings.n_items
        users = np.repeat(hashes.astype(np.int32), n_items)
        items = np.tile(np.arange(n_items, dtype=np.int32), ratings.n_users)
        return self.score(users, items).reshape(ratings.n_users, n_items)


@dataclass(eq=False)
class GlobalMean(Recommender):
    """The mean of all training ratings, for every pair."""

    name = "global-mean"
    family = "baseline"
    predicts = "ratings"
    origin = NOTHING_TO_CHOOSE

    def fit(self, data: Ratings, seed: int) -> None:
        """Take the mean."""
        self.mean_ = np.float32(data.mean)

    def score(self, users: Indices, items: Indices) -> Floats:
        """The same number for every pair."""
        return np.full(len(users), self.mean_, np.float32)

    def fold_in(self, ratings: Ratings) -> Floats:
        """The same number for everybody, whatever is told."""
        return np.full((ratings.n_users, ratings.n_items), self.mean_, np.float32)


class _ByItem(Recommender):
    """One score per item, the same for every user; `fit` of the subclasses sets `scores_`."""

    scores_: Floats

    def score(self, users: Indices, items: Indices) -> Floats:
        """The item's score."""
        return self.scores_[items]

    def score_items(self, users: Indices) -> Floats:
        """The same row for every user."""
        return np.tile(self.scores_, (len(users), 1))

    def fold_in(self, ratings: Ratings) -> Floats:
        """The same scores for everybody, whatever is told."""
        return np.tile(self.scores_, (ratings.n_users, 1))


def _count_by_index(indices: Indices, size: int) -> NDArray[np.float64]:
    """How often each index below `size` occurs, of shape (size,)."""
    return np.bincount(indices, minlength=size).astype(np.float64)


def _shrink_means(
    residuals: NDArray[np.floating[Any]], indices: Indices, size: int, damping: float
) -> NDArray[np.float64]:
    """For each index: sum of its residuals / (their number + damping); 0 where both are 0.

    Of shape (size,); `indices` says whose each residual is.
    """
    damped_counts = _count_by_index(indices, size) + damping
    totals = np.bincount(indices, residuals, size)
    return np.divide(totals, damped_counts, out=np.zeros(size), where=damped_counts > 0)


@dataclass(eq=False)
class ItemMean(_ByItem):
    """The item's mean rating, shrunk towards the global mean by `damping` pseudo-ratings.

    score(u, i) = mu + sum of (r - mu) over the item's ratings / (number of them + damping); mu for
    unknown items.
    """

    name = "item-mean"
    family = "baseline"
    predicts = "ratings"
    origin = NOTHING_TO_CHOOSE
    damping: Annotated[NonNegative, Search(0, 100, LENSKIT)] = 0.0

    def fit(self, data: Ratings, seed: int) -> None:
        """One pass over the ratings."""
        offset = _shrink_means(data.values - data.mean, data.items, data.n_items, self.damping)
        self.scores_ = (data.mean + offset).astype(np.float32)


@dataclass(eq=False)
class UserMean(Recommender):
    """The user's mean rating, shrunk towards the global mean: `item-mean` mirrored.

    score(u, i) = mu + sum of (r - mu) over the user's ratings / (number of them + damping); mu for
    unknown users. All items of a user are tied, so as a ranking it is chance. No damping by
    default, as in the source notebooks.
    """

    name = "user-mean"
    family = "baseline"
    predicts = "ratings"
    origin = NOTHING_TO_CHOOSE
    damping: Annotated[NonNegative, Search(0, 100, LENSKIT)] = 0.0

    def fit(self, data: Ratings, seed: int) -> None:
        """One pass over the ratings."""
        self.mean_ = data.mean
        self.scores_ = self._means_of(data)

    def _means_of(self, ratings: Ratings) -> Floats:
        """The mean of each user of `ratings`, shrunk towards that of the training part."""
        residuals = ratings.values - self.mean_
        offset = _shrink_means(residuals, ratings.users, ratings.n_users, self.damping)
        return (self.mean_ + offset).astype(np.float32)

    def fold_in(self, ratings: Ratings) -> Floats:
        """The mean of what is told, once for each item."""
        return np.repeat(self._means_of(ratings)[:, None], ratings.n_items, axis=1)

    def score(self, users: Indices, items: Indices) -> Floats:
        """The user's mean."""
        return np.asarray(self.scores_[users])

    def score_items(self, users: Indices) -> Floats:
        """The user's mean, once for each item."""
        return np.repeat(self.scores_[users][:, None], self.n_items_, axis=1)


@dataclass(eq=False)
class WeightedMean(_ByItem):
    """IMDb's weighted rating: (v / (v + m)) R + (m / (v + m)) C.

    R is the item's mean, v its number of ratings, C the mean of all ratings; m = 1000 as in the
    source notebook. Algebraically it is `item-mean` with a damping of m; it has a row of its own
    because readers know its formula.
    """

    name = "weighted-mean"
    family = "baseline"
    predicts = "ratings"
    origin = Origin("notebook", "source notebook (m = 1000)")
    m: Annotated[NonNegative, Search(1, 100_000, OF_M, log=True)] = 1000.0

    def fit(self, data: Ratings, seed: int) -> None:
        """One pass over the ratings."""
        v = _count_by_index(data.items, data.n_items)
        values = data.values.astype(np.float64)
        R = _shrink_means(values, data.items, data.n_items, damping=0.0)
        weight = np.divide(v, v + self.m, out=np.zeros_like(v), where=v > 0)
        self.scores_ = (weight * R + (1 - weight) * data.mean).astype(np.float32)


@dataclass(eq=False)
class Popularity(_ByItem):
    """The number of training ratings of the item: everybody gets what most people rated."""

    name = "popularity"
    family = "baseline"
    predicts = "order"
    origin = NOTHING_TO_CHOOSE

    def fit(self, data: Ratings, seed: int) -> None:
        """Count."""
        self.scores_ = _count_by_index(data.items, data.n_items).astype(np.float32)


@dataclass(eq=False)
class UserItemBias(Recommender):
    """mu + b_u + b_i, the additive model that every factorisation has to beat.

    Minimises sum (r - mu - b_u - b_i)^2 + damping_users * sum b_u^2 + damping_items * sum b_i^2 by
    alternating its two closed-form solutions (Koren 2010, "Factor in the Neighbors", section 2.1,
    with the defaults of Surprise's BaselineOnly). An unknown user or item has a bias of 0.
    """

    name = "user-item-bias"
    family = "baseline"
    predicts = "ratings"
    epochs_hyperparameter = "n_epochs"
    origin = Origin("library", "Surprise's BaselineOnly")
    damping_users: Annotated[NonNegative, Search(0.1, 100, LENSKIT, log=True)] = 15.0
    damping_items: Annotated[NonNegative, Search(0.1, 100, LENSKIT, log=True)] = 10.0
    n_epochs: Count = 10

    def fit(self, data: Ratings, seed: int) -> None:
        """Alternate items and users `n_epochs` times; each half step is exact."""
        self.mean_ = data.mean
        centred = data.values - data.mean

        self.user_biases_ = np.zeros(data.n_users)
        for _ in range(self.n_epochs):
            without_users = centred - self.user_biases_[data.users]
            self.item_biases_ = _shrink_means(
                without_users, data.items, data.n_items, self.damping_items
            )
            self.user_biases_ = self._solve_users(data, centred)

    def _solve_users(self, ratings: Ratings, centred: Floats) -> NDArray[np.float64]:
        """The biases of the users of `ratings` that are best beside those of the items."""
        without_items = centred - self.item_biases_[ratings.items]
        return _shrink_means(without_items, ratings.users, ratings.n_users, self.damping_users)

    def fold_in(self, ratings: Ratings) -> Floats:
        """The user's bias in closed form, that of the last half step, the items' fixed."""
        user_biases = self._solve_users(ratings, ratings.values - self.mean_)
        scores = self.mean_ + user_biases[:, None] + self.item_biases_
        return scores.astype(np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """mu + b_u + b_i."""
        scores = self.mean_ + self.user_biases_[users] + self.item_biases_[items]
        return scores.astype(np.float32)

    def score_items(self, users: Indices) -> Floats:
        """mu + b_u + b_i for every item."""
        scores = self.mean_ + self.user_biases_[users][:, None] + self.item_biases_[None, :]
        return scores.astype(np.float32)
