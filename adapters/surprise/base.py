"""Surprise's algorithms (Hug 2020, JOSS 5(52), 2174), fitted by the library and scored in bulk.

The library estimates one pair at a time in Python. Here its fitted arrays are taken over, and every
score is base + b_u + b_i + a personal part, with the library's own fallback for users and items
without training ratings.
"""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import NOTHING_TO_CHOOSE, Floats, Indices, Origin, Recommender
from recbench.adapters.shared.parameters import LENSKIT, Count, NonNegative, Positive, Search
from recbench.datasets.ratings import Catalogue, Ratings

Doubles = NDArray[np.float64]

# Into how many parts a rating point may be divided; Surprise's own data have halves and tenths.
COARSE_PARTS = (1, 2, 10, 100)
FINEST_PARTS = 1000


class Converted(NamedTuple):
    """The training ratings as Surprise's Trainset, and the same as columns of the bench.

    The columns are for what is computed around the library.
    """

    trainset: Any
    ratings: Ratings
    users: Indices  # Surprise's inner user id of each rating
    items: Indices
    known_users: Indices  # the bench's index of each inner user id
    known_items: Indices
    unit: float  # rating points per unit of the Trainset; 1 unless ratings had to become whole


class SurpriseModel(Recommender):
    """What the eleven share: conversion, index spaces, and the additive score.

    score(u, i) = base + b_u + b_i + a personal part, which subclasses define.
    """

    family = "surprise"
    predicts = "ratings"
    units = "library"
    requires: ClassVar[tuple[str, ...]] = ("surprise",)
    origin = Origin("library", "Surprise")
    truncates: ClassVar[bool] = False  # Surprise keeps the ratings of this algorithm in C integers

    def convert(self, train: Ratings, catalogue: Catalogue) -> Converted:
        """The Trainset that Surprise's `construct_trainset` would build from these rows.

        Same ids, same order. Where the library truncates ratings, they are multiplied before, so
        that they are whole numbers.
        """
        from surprise import Trainset

        known_users, users = _inner_ids(train.users, train.n_users)
        known_items, items = _inner_ids(train.items, train.n_items)

        parts = _parts_per_point(train.values) if self.truncates else 1
        values = train.values.astype(np.float64)
        if self.truncates:
            values = np.rint(values * parts)
        lowest, highest = train.scale

        trainset = Trainset(
            _rating_lists(users, items, values, len(known_users)),
            _rating_lists(items, users, values, len(known_items)),
            len(known_users),
            len(known_items),
            len(train),
            (lowest * parts, highest * parts),
            {raw: inner for inner, raw in enumerate(known_users.tolist())},
            {raw: inner for inner, raw in enumerate(known_items.tolist())},
        )
        return Converted(trainset, train, users, items, known_users, known_items, 1 / parts)

    @abstractmethod
    def make_algorithm(self, seed: int) -> Any:
        """Surprise's own algorithm with these hyperparameters, not yet fitted."""

    def fit(self, data: Converted, seed: int) -> None:
        """Let Surprise fit, then take its arrays over into the bench's index space."""
        algorithm = self._fit_library(data, seed)

        n_users = data.ratings.n_users
        n_items = data.ratings.n_items
        self.known_users_ = np.bincount(data.known_users, minlength=n_users) > 0
        self.known_items_ = np.bincount(data.known_items, minlength=n_items) > 0
        self.mean_ = np.float64(data.trainset.global_mean) * data.unit
        self.mean_if_unknown_ = False  # True where Surprise raises PredictionImpossible

        # What subclasses do not set stays as it is here.
        self.base_ = float(self.mean_)
        self.user_biases_ = np.zeros(n_users)
        self.item_biases_ = np.zeros(n_items)
        self._keep_arrays(algorithm, data)

    def score(self, users: Indices, items: Indices) -> Floats:
        """What `predict(user, item, clip=False)` estimates, for each pair."""
        scores = self._personal_of_pairs(users, items)
        scores += self.base_ + self.user_biases_[users] + self.item_biases_[items]

        if self.mean_if_unknown_:
            both_known = self.known_users_[users] & self.known_items_[items]
            scores[~both_known] = self.mean_
        return scores.astype(np.float32)

    def score_items(self, users: Indices) -> Floats:
        """What `predict(user, item, clip=False)` estimates, for every item of each user."""
        scores = self._personal_of_items(users)
        scores += (self.base_ + self.user_biases_[users])[:, None]
        scores += self.item_biases_

        if self.mean_if_unknown_:
            scores[~self.known_users_[users]] = self.mean_
            scores[:, ~self.known_items_] = self.mean_
        return scores.astype(np.float32)

    def _fit_library(self, data: Converted, seed: int) -> Any:
        """Surprise's own algorithm, fitted."""
        return self.make_algorithm(seed).fit(data.trainset)

    @abstractmethod
    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        """Keep what scoring needs of the fitted `algorithm`; what is unknown keeps a bias of 0."""

    def _keep_biases(self, user_biases: Any, item_biases: Any, data: Converted) -> None:
        """Put biases by inner id, or one number for all that are known, into the bench's order."""
        self.user_biases_[data.known_users] = user_biases
        self.item_biases_[data.known_items] = item_biases

    def _personal_of_pairs(self, users: Indices, items: Indices) -> Doubles:
        """What each pair adds to its biases, float64 of shape (len(users),)."""
        return np.zeros(len(users))

    def _personal_of_items(self, users: Indices) -> Doubles:
        """The same for all items of each of `users`, float64 of shape (len(users), n_items)."""
        return np.zeros((len(users), self.n_items_))


def _inner_ids(column: Indices, size: int) -> tuple[Indices, Indices]:
    """The index behind each inner id, and the inner id of each row of `column`.

    Inner ids count the indices below `size` by their first appearance, as Surprise does.
    """
    n_rows = len(column)
    rows = np.arange(n_rows)

    # Of repeated assignments the last one stays: backwards, that is the first appearance.
    first_row = np.full(size, n_rows)
    first_row[column[::-1]] = rows[::-1]

    n_known = np.count_nonzero(first_row < n_rows)
    known = np.argsort(first_row, kind="stable")[:n_known].astype(np.int32)
    inner = np.zeros(size, np.int32)
    inner[known] = np.arange(n_known, dtype=np.int32)
    return known, inner[column]


def group_by_row(
    rows: Indices, columns: Indices, values: NDArray[Any], shape: tuple[int, int]
) -> Any:
    """A scipy csr_array whose rows keep the order of the ratings and whatever is rated twice."""
    from scipy.sparse import csr_array

    # One entry for each rating, and the change of format is a stable sort in linear time.
    n_ratings = len(rows)
    by_rating = csr_array((values, rows, np.arange(n_ratings + 1)), (n_ratings, shape[0]))
    grouped = by_rating.tocsc()
    return csr_array((grouped.data, columns[grouped.indices], grouped.indptr), shape)


def _rating_lists(
    rows: Indices, columns: Indices, values: Doubles, n_rows: int
) -> dict[int, list[tuple[int, float]]]:
    """For each row its (column, value) tuples in the order of the ratings.

    That is how Trainset.ur and .ir hold them.
    """
    grouped = group_by_row(rows, columns, values, (n_rows, int(columns.max()) + 1))
    n_columns = grouped.shape[1]
    distinct_values = np.unique(values)
    n_distinct = n_columns * len(distinct_values)

    if n_distinct < len(rows):
        # Equal tuples as one object take half the time and a tenth of the memory.
        distinct = product(range(n_columns), distinct_values.tolist())
        tuples = np.fromiter(distinct, object, n_distinct)
        first_of_column = grouped.indices * len(distinct_values)
        value_places = np.searchsorted(distinct_values, grouped.data)
        pairs = tuples[first_of_column + value_places].tolist()
    else:
        pairs = list(zip(grouped.indices.tolist(), grouped.data.tolist(), strict=True))

    bounds = grouped.indptr.tolist()
    return {row: pairs[bounds[row] : bounds[row + 1]] for row in range(n_rows)}


def _parts_per_point(values: NDArray[np.float32]) -> int:
    """By what to multiply `values` to make whole numbers of them.

    A thousandth is the finest step that is told apart.
    """
    distinct = np.unique(values).astype(np.float64)
    for parts in COARSE_PARTS:
        multiples = distinct * parts
        if np.allclose(multiples, np.rint(multiples), 0, 1e-4):
            return parts
    return FINEST_PARTS


@dataclass(eq=False)
class BaselineOnly(SurpriseModel):
    """mu + b_u + b_i (Koren 2010, section 2.1); an unknown user or item has a bias of 0.

    `als` alternates the closed forms with `reg_u` and `reg_i`, `sgd` descends with `reg` and
    `learning_rate`. Defaults: Surprise's; `n_epochs` None is its 10 for als and 20 for sgd.
    """

    name = "surprise-baseline-only"
    epochs_hyperparameter = "n_epochs"
    personal = False
    method: Literal["als", "sgd"] = "als"
    n_epochs: Count | None = None
    reg_u: Annotated[NonNegative, Search(0.1, 100, LENSKIT, log=True)] = 15.0
    reg_i: Annotated[NonNegative, Search(0.1, 100, LENSKIT, log=True)] = 10.0
    reg: NonNegative = 0.02
    learning_rate: Positive = 0.005

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's BaselineOnly; nothing in it is random."""
        from surprise import BaselineOnly

        options = {name: value for name, value in asdict(self).items() if value is not None}
        return BaselineOnly(bsl_options=options, verbose=False)

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        self._keep_biases(algorithm.bu, algorithm.bi, data)


@dataclass(eq=False)
class NormalPredictor(SurpriseModel):
    """A draw from N(mu, sigma^2) with the mean and the deviation of the training ratings.

    Surprise draws from numpy's global generator while it predicts. Every call here starts a fresh
    stream of the same generator at the seed of `fit`: it equals `np.random.seed(seed)` followed by
    `predict` of its pairs in turn. Surprise's own baseline (Hug 2020).
    """

    name = "surprise-normal-predictor"
    personal = False
    origin = NOTHING_TO_CHOOSE

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's NormalPredictor, which is random only when it predicts."""
        from surprise import NormalPredictor

        return NormalPredictor()

    def fit(self, data: Converted, seed: int) -> None:
        """Take the mean and the deviation, and remember the seed."""
        super().fit(data, seed)
        self.seed_ = seed

    def score(self, users: Indices, items: Indices) -> Floats:
        """The first draws of the stream, one a pair; the ids play no part."""
        return self._draw(len(users))

    def score_items(self, users: Indices) -> Floats:
        """The first draws of the stream, user by user, as `score` of the same pairs."""
        return self._draw(len(users), self.n_items_)

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        self.sigma_ = float(algorithm.sigma)

    def _draw(self, *shape: int) -> Floats:
        """The first numbers of the stream that the seed starts, float32 of this shape."""
        generator = np.random.RandomState(self.seed_)
        return generator.normal(self.mean_, self.sigma_, shape).astype(np.float32)
