"""Matrix factorisation by stochastic gradient descent, by hand: rating by rating, compiled, or in NumPy's batches."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices
from recbench.adapters.sgd.loops import LANES, aligned, compiled_descent, compiled_grouping
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import Count, NonNegative, Positive
from recbench.datasets.ratings import Ratings, Rows

Reals = NDArray[Any]  # float32; with order=file float64
PAIRS_AT_ONCE = 2048  # whose factors NumPy gathers at a time, so that they stay in the cache
LARGEST_STEP = np.float32(64)  # of a user or an item in one batch, in steps of a single rating


@dataclass(eq=False)
class _Descent(Factorised):
    """What both have in common: hyperparameters, where the descent begins, its trace, and whom nobody rated."""

    family: ClassVar[str] = "sgd"
    predicts = "ratings"
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 100
    n_epochs: Count = 20
    learning_rate: Positive = 0.005
    regularisation: NonNegative = 0.02
    init_deviation: Positive = 0.05
    biased: bool = True
    order: Literal["shuffled", "file"] = "shuffled"

    @abstractmethod
    def _epochs(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        """Descend, and yield after each epoch the sum of the squared errors met on the way."""

    def fit(self, data: Ratings, seed: int) -> None:
        """Descend for `n_epochs`; `trace_` gets each epoch's training RMSE."""
        begun, self.trace_ = perf_counter(), []
        rng = np.random.default_rng(seed)
        self._begin(data, rng, seed)
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # the bench sees for itself whether a descent diverged
            for epoch, on_the_way in enumerate(self._epochs(data, rng), 1):
                squared = self._squared_error(data) if self.order == "file" else on_the_way
                rmse = float(np.sqrt(squared / len(data)))
                self.trace_.append(
                    {"epoch": epoch, "seconds": perf_counter() - begun, "train_rmse": rmse}
                )
            self._give_the_mean_to_the_unseen(data)

    def _begin(self, data: Ratings, rng: np.random.Generator, seed: int) -> None:
        """Factors drawn uniformly around 0, and no biases; with order=file, factors drawn as the notebook did."""
        users, items = (data.n_users, self.n_factors), (data.n_items, self.n_factors)
        if self.order == "file":
            self.P_, self.Q_, legacy = np.zeros(users), np.zeros(items), np.random.RandomState(seed)
            for factors, column in ((self.P_, data.users), (self.Q_, data.items)):
                distinct, first = np.unique(column, return_index=True)
                drawn = legacy.normal(0, self.init_deviation, (len(distinct), self.n_factors))
                factors[distinct[np.argsort(first)]] = drawn
        else:
            width = np.float32(self.init_deviation * 12**0.5)
            self.P_, self.Q_ = (
                (rng.random(shape, np.float32) - np.float32(0.5)) * width
                for shape in (users, items)
            )
        real = self.P_.dtype.type
        self.mean_ = real(data.mean if self.biased else 0)
        self.biases_ = np.zeros(data.n_users, real), np.zeros(data.n_items, real)
        self.user_biases_, self.item_biases_ = self.biases_
        self.rate_ = real(self.learning_rate)
        self.keep_ = real(
            1 - self.learning_rate * self.regularisation
        )  # what regularisation leaves of a parameter

    def _squared_error(self, data: Ratings) -> float:
        """The sum of squared errors on `data`, with predictions clipped to its scale."""
        predicted = np.clip(self.score(data.users, data.items), *data.scale)
        return float(np.square(predicted - data.values, dtype=np.float64).sum())

    def _give_the_mean_to_the_unseen(self, data: Ratings) -> None:
        """Who has no ratings gets the mean of the others' factors and biases, so that its scores are average ones."""
        columns, factors_of = (data.users, data.items), (self.P_, self.Q_)
        for column, factors, biases in zip(columns, factors_of, self.biases_, strict=True):
            seen = np.zeros(len(factors), bool)
            seen[column] = True
            if not seen.all():
                share = seen.astype(factors.dtype) / factors.dtype.type(np.count_nonzero(seen))
                factors[~seen], biases[~seen] = share @ factors, share @ biases


@dataclass(eq=False)
class NumbaSGD(_Descent):
    """r(u, i) = mu + b_u + b_i + p_u . q_i, learned by stochastic gradient descent, one rating after the other.

    Minimises sum (r - r(u, i))^2 + regularisation * (b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2) over the training ratings,
    the sum being over ratings, so that frequent users and items are regularised more often (Funk 2006; Koren, Bell
    and Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems"). A rating with the error
    e = r - r(u, i) moves b_u by learning_rate * (e - regularisation * b_u), p_u by learning_rate * (e q_i -
    regularisation * p_u), and b_i and q_i likewise. Without `biased` r(u, i) = p_u . q_i. Who has no training ratings
    gets the mean factors and bias of the others.

    Defaults: those of Surprise's SVD, but factors begin uniform with a deviation of .05 instead of normal with .1; of
    four deviations it had the lowest test error on a split of MovieLens 100k. Factors are float32. The ratings of a
    block of `BLOCK` users, whose factors fit into the fastest cache, are taken in an order shuffled once; the order
    of the blocks changes per epoch. One thread whatever is allowed, so the same seed gives the same numbers.

    order=file is the literal procedure of the third source notebook: ratings in the order they come in; the
    prediction clipped to the scale before the error is taken; q_i moved with the already moved p_u; float64; factors
    drawn from numpy's legacy generator, users before items, by first appearance; `trace_` measured after each epoch
    on all training ratings. Its model had biased=false, n_factors=15, init_deviation=1/15, learning_rate=.01,
    regularisation=.1 and the seed 0.
    """

    name = "numba-sgd"
    requires = ("numba",)
    BLOCK: ClassVar[int] = 32

    def _epochs(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        # an unsigned index spares numba the test for a negative one
        columns: list[Any] = [data.users.view(np.uint32), data.items.view(np.uint32), data.values]
        bounds = np.array([[0, len(data)]])
        if self.order == "shuffled":
            bounds = _bounds(data.users // self.BLOCK)
            columns = compiled_grouping()(*columns, np.uint32(self.BLOCK), bounds, rng)
        P, Q = aligned(self.P_), aligned(self.Q_)
        self.P_, self.Q_ = P[:, : self.n_factors], Q[:, : self.n_factors]
        model = (P, Q, *self.biases_, self.mean_, self.rate_, self.keep_)
        descend = compiled_descent(P.shape[1] // LANES, self.biased, self.order == "file")
        for _ in range(self.n_epochs):
            yield descend(rng.permutation(bounds), *columns, *model, *data.scale)


def _bounds(groups: Indices) -> Rows:
    """Where each group begins and ends once rows are sorted by group."""
    stops = np.cumsum(np.bincount(groups))
    return np.column_stack([np.append(0, stops[:-1]), stops])


class _Batch(NamedTuple):
    """Some ratings grouped by user; their users and items are numbered anew, from 0."""

    users: Indices  # of each new number
    items: Indices
    owners: Indices  # the new number of each rating's user
    values: Reals  # the ratings minus the mean
    errors: csr_matrix  # users x items; its data are filled in by each step
    by_item: Any  # the transpose of `errors`, which shares its data

    @staticmethod
    def of(users: Indices, items: Indices, values: Reals) -> "_Batch":
        """The batch of these ratings."""
        order = np.argsort(users, kind="stable")
        distinct, starts, counts = np.unique(users[order], return_index=True, return_counts=True)
        rated, places = np.unique(items[order], return_inverse=True)
        owners = np.repeat(np.arange(len(distinct), dtype=np.int32), counts)
        grid = (
            np.zeros_like(values),
            places.astype(np.int32),
            np.append(starts, len(users)).astype(np.int32),
        )
        errors = csr_matrix(grid, (len(distinct), len(rated)))
        return _Batch(distinct, rated, owners, values[order], errors, errors.T)


@dataclass(eq=False)
class NumpySGD(_Descent):
    """The model of `numba-sgd`, r(u, i) = mu + b_u + b_i + p_u . q_i, learned by mini-batch descent in NumPy.

    With the errors of a batch as a sparse matrix E, the steps of its users are E Q - regularisation * n_u p_u, and
    those of its items E' P - regularisation * n_i q_i: sums of the steps that `numba-sgd` takes rating by rating, so
    that the parameters mean the same, as long as nobody has more than 64 ratings in a batch; from there on the step
    stays the same. A batch is drawn at random from the ratings of `BLOCK` neighbouring users; which ratings it has
    stays, the order of the batches changes per epoch. Papers (Funk 2006, Koren 2009) and defaults as in `numba-sgd`.

    order=file gives what it gives there, in steps of many ratings: a rating's level is one more than the levels of
    its user's and its item's previous ratings. Ratings of one level share no user and no item, so that a whole level
    can move at once. There are at least as many levels as the most frequent item has ratings, so it is slow where
    that is much of the data, and quick where many ratings are spread over many.
    """

    name = "numpy-sgd"
    revision = 2
    batch_size: Count = 8192
    BLOCK: ClassVar[int] = 1024

    def _epochs(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        if self.order == "file":
            levels = list(_levels(data))
            for _ in range(self.n_epochs):
                yield sum(self._level_step(*level, data.scale) for level in levels)
            return
        batches = list(self._batches(data, rng))
        for _ in range(self.n_epochs):
            yield sum(self._step(batches[b]) for b in rng.permutation(len(batches)))

    def _batches(self, data: Ratings, rng: np.random.Generator) -> Iterator[_Batch]:
        """The ratings of each block of users, shuffled and cut."""
        blocks = data.users // self.BLOCK
        rows = np.argsort(blocks, kind="stable")
        for start, stop in _bounds(blocks):
            rng.shuffle(rows[start:stop])
            for cut in range(start, stop, self.batch_size):
                part = rows[cut : min(cut + self.batch_size, stop)]
                yield _Batch.of(data.users[part], data.items[part], data.values[part] - self.mean_)

    def _step(self, batch: _Batch) -> float:
        """One step of all ratings of a batch; returns the sum of squared errors before it."""
        P, Q = self.P_[batch.users], self.Q_[batch.items]
        owners, places, errors = batch.owners, batch.errors.indices, batch.errors.data
        for start in range(0, len(errors), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            np.einsum("jf,jf->j", P[owners[part]], Q[places[part]], out=errors[part])
        user_biases, item_biases = self.biases_
        errors += user_biases[batch.users][owners]
        errors += item_biases[batch.items][places]
        np.subtract(batch.values, errors, out=errors)
        to_users, to_items = batch.errors @ Q, batch.by_item @ P
        for who, own, steps, factors, biases, numbers in (
            (batch.users, P, to_users, self.P_, user_biases, owners),
            (batch.items, Q, to_items, self.Q_, item_biases, places),
        ):
            counts = np.bincount(numbers).astype(np.float32)
            damping = np.minimum(1, LARGEST_STEP / counts)
            keep, rate = 1 - (1 - self.keep_) * counts * damping, self.rate_ * damping
            own *= keep[:, None]
            steps *= rate[:, None]
            own += steps
            factors[who] = own
            if self.biased:
                biases[who] = keep * biases[who] + rate * np.bincount(numbers, errors)
        return float(errors @ errors)

    def _level_step(
        self, users: Indices, items: Indices, values: Floats, scale: tuple[float, float]
    ) -> float:
        """What numba-sgd does for each of these ratings, none of which shares a user or an item with another."""
        P, Q, (user_biases, item_biases) = self.P_[users], self.Q_[items], self.biases_
        predicted = (
            self.mean_ + user_biases[users] + item_biases[items] + np.einsum("jf,jf->j", P, Q)
        )
        errors = values - np.clip(predicted, *scale)
        steps = self.rate_ * errors
        if self.biased:
            user_biases[users] = self.keep_ * user_biases[users] + steps
            item_biases[items] = self.keep_ * item_biases[items] + steps
        self.P_[users] = P = self.keep_ * P + steps[:, None] * Q
        self.Q_[items] = self.keep_ * Q + steps[:, None] * P
        return float(errors @ errors)


def _levels(data: Ratings) -> Iterator[tuple[Indices, Indices, Floats]]:
    """The ratings by level: users, items and values of those that wait for equally many others."""
    reached_by_users, reached_by_items = [0] * data.n_users, [0] * data.n_items
    levels = np.empty(len(data), np.int64)
    for row, (user, item) in enumerate(zip(data.users.tolist(), data.items.tolist(), strict=True)):
        level = max(reached_by_users[user], reached_by_items[item])
        reached_by_users[user] = reached_by_items[item] = level + 1
        levels[row] = level
    for rows in np.split(np.argsort(levels, kind="stable"), np.cumsum(np.bincount(levels))[:-1]):
        yield data.users[rows], data.items[rows], data.values[rows]
