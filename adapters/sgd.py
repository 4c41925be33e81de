"""Matrix factorisation by stochastic gradient descent, written out by hand in NumPy."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from adapters.base import Floats, Indices, Recommender
from datasets.ratings import Ratings

LARGEST_STEP = np.float32(64)  # in single steps


class _Side(NamedTuple):
    """How the ratings of one batch belong to its users, or to its items."""

    unique: Indices  # the users (items) of the batch
    counts: Floats  # how many of its ratings each has
    starts: NDArray[np.int64]  # in `order`, where the ratings of each begin
    order: NDArray[np.int64]  # the positions of the ratings, grouped by user (item)

    @property
    def damping(self) -> Floats:
        """1, or less for whoever has so many ratings in the batch that the sum of their steps would overshoot."""
        return np.asarray(np.minimum(1, LARGEST_STEP / self.counts), np.float32)

    def sum(self, errors: Floats, factors: Floats) -> Floats:
        """For each user (item): the sum of errors[j] * factors[j] over its ratings j."""
        shape = (len(self.unique), len(self.order))
        sums = csr_matrix((errors[self.order], self.order, self.starts), shape) @ factors
        return np.asarray(sums, np.float32)


class _Batch(NamedTuple):
    users: Indices
    items: Indices
    values: Floats
    by_user: _Side
    by_item: _Side


def _side(indices: Indices) -> _Side:
    unique, counts = np.unique(indices, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return _Side(unique, counts.astype(np.float32), starts, np.argsort(indices, kind="stable"))


def _batches(data: Ratings, centred: Floats, size: int, rng: np.random.Generator) -> Iterator[_Batch]:
    rows = rng.permutation(len(data))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        users, items = data.users[part], data.items[part]
        yield _Batch(users, items, centred[part], _side(users), _side(items))


@dataclass(eq=False)
class NumpySGD(Recommender):
    """r(u, i) = mu + b_u + b_i + p_u . q_i, learned by mini-batch gradient descent.

    Minimises sum (r - r(u, i))^2 + regularisation * (b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2) over the training ratings,
    the sum being over ratings, so that frequent users and items are regularised more often (Funk 2006; Koren, Bell
    and Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems"). The step of a batch is the sum of
    its ratings' steps, so learning rate and regularisation mean what they mean in rating-by-rating descent, as long
    as nobody has more than 64 ratings in a batch; from there on the step stays the same. The defaults are those of
    Surprise's SVD. Ratings are assigned to batches once; the batches' order changes per epoch.
    """

    name = "numpy-sgd"
    family = "sgd"
    predicts = "ratings"
    n_factors: Annotated[int, Field(ge=1)] = 100
    n_epochs: Annotated[int, Field(ge=1)] = 20
    learning_rate: Annotated[float, Field(gt=0)] = 0.005
    regularisation: Annotated[float, Field(ge=0)] = 0.02
    init_deviation: Annotated[float, Field(gt=0)] = 0.1
    batch_size: Annotated[int, Field(ge=1)] = 2048

    def fit(self, data: Ratings, seed: int) -> None:
        """Descend for `n_epochs`; `trace_` gets each epoch's training RMSE, measured before its steps."""
        rng = np.random.default_rng(seed)
        self.mean_ = np.float32(data.mean)
        self.P_ = rng.normal(0, self.init_deviation, (data.n_users, self.n_factors)).astype(np.float32)
        self.Q_ = rng.normal(0, self.init_deviation, (data.n_items, self.n_factors)).astype(np.float32)
        self.user_biases_ = np.zeros(data.n_users, np.float32)
        self.item_biases_ = np.zeros(data.n_items, np.float32)
        self.trace_ = []
        batches = list(_batches(data, data.values - self.mean_, self.batch_size, rng))
        begun = perf_counter()
        for epoch in range(1, self.n_epochs + 1):
            squared = sum(self._step(batches[b]) for b in rng.permutation(len(batches)))
            rmse = float(np.sqrt(squared / len(data)))
            self.trace_.append({"epoch": epoch, "seconds": perf_counter() - begun, "train_rmse": rmse})

    def _step(self, batch: _Batch) -> float:
        """One descent step; returns the sum of squared errors before it."""
        P, Q = self.P_[batch.users], self.Q_[batch.items]
        predicted = self.user_biases_[batch.users] + self.item_biases_[batch.items] + np.einsum("jf,jf->j", P, Q)
        errors = batch.values - predicted
        rate, decay = np.float32(self.learning_rate), np.float32(self.learning_rate * self.regularisation)
        for side, own, biases, other in (
            (batch.by_user, self.P_, self.user_biases_, Q),
            (batch.by_item, self.Q_, self.item_biases_, P),
        ):
            who, steps, shrink = side.unique, rate * side.damping, 1 - decay * side.counts * side.damping
            own[who] = own[who] * shrink[:, None] + steps[:, None] * side.sum(errors, other)
            biases[who] = biases[who] * shrink + steps * np.add.reduceat(errors[side.order], side.starts[:-1])
        return float(errors @ errors)

    def score(self, users: Indices, items: Indices) -> Floats:
        """mu + b_u + b_i + p_u . q_i."""
        taste = np.einsum("jf,jf->j", self.P_[users], self.Q_[items])
        return np.asarray(self.mean_ + self.user_biases_[users] + self.item_biases_[items] + taste)

    def score_items(self, users: Indices) -> Floats:
        """The same for every item, as one matrix product."""
        taste = self.P_[users] @ self.Q_.T
        return np.asarray(self.mean_ + self.user_biases_[users][:, None] + self.item_biases_ + taste)
