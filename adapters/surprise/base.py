"""Surprise's algorithms (Hug 2020, JOSS 5(52), 2174), fitted by the library and scored in bulk.

The library estimates one pair at a time in Python. Here its fitted arrays are taken over, and every score is
base + b_u + b_i + a personal part, with the library's own fallback for users and items without training ratings.
"""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.adapters.shared.parameters import Count, NonNegative, Positive
from recbench.datasets.ratings import Catalogue, Ratings

Doubles = NDArray[np.float64]


class Converted(NamedTuple):
    """The training ratings as Surprise's Trainset, and the same as columns for what is computed around it."""

    trainset: Any
    ratings: Ratings
    users: Indices  # Surprise's inner user id of each rating
    items: Indices
    known_users: Indices  # the bench's index of each inner user id
    known_items: Indices
    unit: float  # rating points per unit of the Trainset; 1 unless ratings had to become whole numbers


def _inner_ids(column: Indices, size: int) -> tuple[Indices, Indices]:
    """The index behind each inner id, by first appearance as in Surprise, and the inner id of each row."""
    rows = np.arange(len(column))
    first = np.full(size, len(column))
    first[column[::-1]] = rows[
        ::-1
    ]  # of repeated assignments the last one stays: the first appearance
    known = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(column))].astype(
        np.int32
    )
    inner = np.zeros(size, np.int32)
    inner[known] = np.arange(len(known), dtype=np.int32)
    return known, inner[column]


def by_row(rows: Indices, columns: Indices, values: NDArray[Any], shape: tuple[int, int]) -> Any:
    """A scipy csr_array whose rows keep the order of the ratings and whatever is rated twice."""
    from scipy.sparse import csr_array

    n = len(rows)
    grouped = csr_array(
        (values, rows, np.arange(n + 1)), (n, shape[0])
    ).tocsc()  # a stable sort in linear time
    return csr_array((grouped.data, columns[grouped.indices], grouped.indptr), shape)


def _lists(
    rows: Indices, columns: Indices, values: Doubles, n_rows: int
) -> dict[int, list[tuple[int, float]]]:
    """For each row its (column, value) tuples in the order of the ratings, as Trainset.ur and .ir hold them."""
    grouped = by_row(rows, columns, values, (n_rows, int(columns.max()) + 1))
    steps = np.unique(values)
    step = np.searchsorted(steps, grouped.data)
    n_distinct = grouped.shape[1] * len(steps)
    if n_distinct < len(
        rows
    ):  # equal tuples as one object take half the time and a tenth of the memory
        distinct = product(range(grouped.shape[1]), steps.tolist())
        tuples = np.fromiter(distinct, object, n_distinct)
        pairs = tuples[grouped.indices * len(steps) + step].tolist()
    else:
        pairs = list(zip(grouped.indices.tolist(), grouped.data.tolist(), strict=True))
    bounds = grouped.indptr.tolist()
    return {row: pairs[bounds[row] : bounds[row + 1]] for row in range(n_rows)}


def _parts_per_point(values: NDArray[np.float32]) -> int:
    """By what to multiply `values` to make whole numbers of them; a thousandth is the finest step told apart."""
    steps = np.unique(values).astype(np.float64)
    fitting = (
        parts
        for parts in (1, 2, 10, 100)
        if np.allclose(steps * parts, np.rint(steps * parts), 0, 1e-4)
    )
    return next(fitting, 1000)


class SurpriseModel(Recommender):
    """What the eleven share: conversion, index spaces, and score = base + b_u + b_i + personal part."""

    family = "surprise"
    predicts = "ratings"
    requires: ClassVar[tuple[str, ...]] = ("surprise",)
    truncates: ClassVar[bool] = False  # Surprise keeps the ratings of this algorithm in C integers

    def convert(self, train: Ratings, catalogue: Catalogue) -> Converted:
        """The Trainset that Surprise's `construct_trainset` would build from these rows: same ids, same order."""
        from surprise import Trainset

        known_users, users = _inner_ids(train.users, train.n_users)
        known_items, items = _inner_ids(train.items, train.n_items)
        parts = _parts_per_point(train.values) if self.truncates else 1
        values = train.values.astype(np.float64)
        if parts > 1:
            values = np.rint(values * parts)
        trainset = Trainset(
            _lists(users, items, values, len(known_users)),
            _lists(items, users, values, len(known_items)),
            len(known_users),
            len(known_items),
            len(train),
            (train.scale[0] * parts, train.scale[1] * parts),
            {raw: inner for inner, raw in enumerate(known_users.tolist())},
            {raw: inner for inner, raw in enumerate(known_items.tolist())},
        )
        return Converted(trainset, train, users, items, known_users, known_items, 1 / parts)

    @abstractmethod
    def algorithm(self, seed: int) -> Any:
        """Surprise's own algorithm with these parameters, not yet fitted."""

    def fit(self, data: Converted, seed: int) -> None:
        """Let Surprise fit, then take its arrays over into the bench's index space."""
        algorithm = self.algorithm(seed).fit(data.trainset)
        n_users, n_items = data.ratings.n_users, data.ratings.n_items
        self.known_users_ = np.bincount(data.known_users, minlength=n_users) > 0
        self.known_items_ = np.bincount(data.known_items, minlength=n_items) > 0
        self.mean_ = self.base_ = float(data.trainset.global_mean) * data.unit
        self.user_biases_, self.item_biases_ = np.zeros(n_users), np.zeros(n_items)
        self.mean_if_unknown_ = False  # True where Surprise raises PredictionImpossible
        self._take(algorithm, data)

    @abstractmethod
    def _take(self, algorithm: Any, data: Converted) -> None:
        """Keep what scoring needs of the fitted `algorithm`; what is unknown keeps a bias of 0."""

    def _take_biases(self, user_biases: Any, item_biases: Any, data: Converted) -> None:
        self.user_biases_[data.known_users] = user_biases
        self.item_biases_[data.known_items] = item_biases

    def _personal(self, users: Indices, items: Indices) -> Doubles:
        """What a pair adds to its biases."""
        return np.zeros(len(users))

    def _personal_items(self, users: Indices) -> Doubles:
        """The same for all items of each of `users`."""
        return np.zeros((len(users), self.n_items_))

    def score(self, users: Indices, items: Indices) -> Floats:
        """What `predict(user, item, clip=False)` estimates, for each pair."""
        scores = self._personal(users, items)
        scores += self.base_ + self.user_biases_[users] + self.item_biases_[items]
        if self.mean_if_unknown_:
            scores[~(self.known_users_[users] & self.known_items_[items])] = self.mean_
        return scores.astype(np.float32)

    def score_items(self, users: Indices) -> Floats:
        """What `predict(user, item, clip=False)` estimates, for every item of each user."""
        scores = self._personal_items(users)
        scores += (self.base_ + self.user_biases_[users])[:, None]
        scores += self.item_biases_
        if self.mean_if_unknown_:
            scores[~self.known_users_[users]] = self.mean_
            scores[:, ~self.known_items_] = self.mean_
        return scores.astype(np.float32)


@dataclass(eq=False)
class BaselineOnly(SurpriseModel):
    """mu + b_u + b_i (Koren 2010, section 2.1); an unknown user or item has a bias of 0.

    `als` alternates the closed forms with `reg_u` and `reg_i`, `sgd` descends with `reg` and `learning_rate`.
    Defaults: Surprise's; `n_epochs` None is its 10 for als and 20 for sgd.
    """

    name = "surprise-baseline-only"
    epochs_hyperparameter = "n_epochs"
    personal = False
    method: Literal["als", "sgd"] = "als"
    n_epochs: Count | None = None
    reg_u: NonNegative = 15.0
    reg_i: NonNegative = 10.0
    reg: NonNegative = 0.02
    learning_rate: Positive = 0.005

    def algorithm(self, seed: int) -> Any:
        """Surprise's BaselineOnly; nothing in it is random."""
        from surprise import BaselineOnly

        options = {name: value for name, value in asdict(self).items() if value is not None}
        return BaselineOnly(bsl_options=options, verbose=False)

    def _take(self, algorithm: Any, data: Converted) -> None:
        self._take_biases(algorithm.bu, algorithm.bi, data)


@dataclass(eq=False)
class NormalPredictor(SurpriseModel):
    """A draw from N(mu, sigma^2), the normal distribution with the mean and deviation of the training ratings.

    Surprise draws from numpy's global generator while it predicts. Every call here starts a fresh stream of the
    same generator at the seed of `fit`: it equals `np.random.seed(seed)` followed by `predict` of its pairs in turn.
    Surprise's own baseline (Hug 2020).
    """

    name = "surprise-normal-predictor"
    personal = False

    def algorithm(self, seed: int) -> Any:
        """Surprise's NormalPredictor, which is random only when it predicts."""
        from surprise import NormalPredictor

        return NormalPredictor()

    def fit(self, data: Converted, seed: int) -> None:
        """Take the mean and the deviation, and remember the seed."""
        super().fit(data, seed)
        self.seed_ = seed

    def _take(self, algorithm: Any, data: Converted) -> None:
        self.sigma_ = float(algorithm.sigma)

    def _draws(self, *shape: int) -> Floats:
        return (
            np.random.RandomState(self.seed_)
            .normal(self.mean_, self.sigma_, shape)
            .astype(np.float32)
        )

    def score(self, users: Indices, items: Indices) -> Floats:
        """The first draws of the stream, one a pair; the ids play no part."""
        return self._draws(len(users))

    def score_items(self, users: Indices) -> Floats:
        """The first draws of the stream, user by user, as `score` of the same pairs."""
        return self._draws(len(users), self.n_items_)
