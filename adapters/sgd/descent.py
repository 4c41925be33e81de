"""Matrix factorisation by stochastic gradient descent, written out.

Rating by rating, compiled, or in NumPy's batches.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices
from recbench.adapters.sgd.loops import LANES, align_rows, make_descent, make_grouping
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import Count, NonNegative, Positive
from recbench.datasets.ratings import Ratings, Rows

Reals = NDArray[Any]  # float32; with order=file float64
PAIRS_AT_ONCE = 2048  # whose factors NumPy gathers at a time, so that they stay in the cache
LARGEST_STEP = np.float32(64)  # of a user or an item in one batch, in steps of a single rating


@dataclass(eq=False)
class _Descent(Factorised):
    """What both share: hyperparameters, where they begin, their trace, and who has no ratings."""

    family: ClassVar[str] = "sgd"
    predicts = "ratings"
    units = "scale"
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 100
    n_epochs: Count = 20
    learning_rate: Positive = 0.005
    regularisation: NonNegative = 0.02
    init_deviation: Positive = 0.05
    biased: bool = True
    order: Literal["shuffled", "file"] = "shuffled"

    @abstractmethod
    def _descend(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        """Descend, and yield after each epoch the sum of the squared errors met on the way."""

    def fit(self, data: Ratings, seed: int) -> None:
        """Descend for `n_epochs`; `trace_` gets each epoch's training RMSE."""
        begun = perf_counter()
        rng = np.random.default_rng(seed)
        self._initialise(data, rng, seed)

        self.trace_ = []
        # The bench sees for itself whether a descent diverged.
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch, met_on_the_way in enumerate(self._descend(data, rng), 1):
                squared_error = met_on_the_way
                if self.order == "file":
                    squared_error = self._squared_error_on(data)
                rmse = float(np.sqrt(squared_error / len(data)))
                seconds = perf_counter() - begun
                self.trace_.append({"epoch": epoch, "seconds": seconds, "train_rmse": rmse})
            self._give_mean_to_unrated(data)

    def _initialise(self, data: Ratings, rng: np.random.Generator, seed: int) -> None:
        """Set all parameters to where the descent begins: random factors and biases of 0.

        With order=file the factors, and with them everything, are float64, else float32.
        """
        if self.order == "file":
            self.P_, self.Q_ = self._draw_as_notebook(data, seed)
        else:
            width = np.float32(self.init_deviation * 12**0.5)
            half = np.float32(0.5)
            self.P_ = (rng.random((data.n_users, self.n_factors), np.float32) - half) * width
            self.Q_ = (rng.random((data.n_items, self.n_factors), np.float32) - half) * width

        real = self.P_.dtype.type
        self.mean_ = real(data.mean if self.biased else 0)
        self.biases_ = (np.zeros(data.n_users, real), np.zeros(data.n_items, real))
        self.user_biases_, self.item_biases_ = self.biases_
        self.rate_ = real(self.learning_rate)
        # what regularisation leaves of a parameter in one step
        self.keep_ = real(1 - self.learning_rate * self.regularisation)

    def _draw_as_notebook(self, data: Ratings, seed: int) -> tuple[Reals, Reals]:
        """The factors of users and of items, float64, drawn as the third source notebook did.

        That is from NumPy's legacy generator, users before items, by first appearance; who has no
        ratings gets zeros.
        """
        legacy = np.random.RandomState(seed)
        P = np.zeros((data.n_users, self.n_factors))
        Q = np.zeros((data.n_items, self.n_factors))
        for factors, column in ((P, data.users), (Q, data.items)):
            distinct, first_rows = np.unique(column, return_index=True)
            drawn = legacy.normal(0, self.init_deviation, (len(distinct), self.n_factors))
            factors[distinct[np.argsort(first_rows)]] = drawn
        return P, Q

    def _squared_error_on(self, data: Ratings) -> float:
        """The sum of squared errors on `data`, with predictions clipped to its scale."""
        predicted = np.clip(self.score(data.users, data.items), *data.scale)
        return float(np.square(predicted - data.values, dtype=np.float64).sum())

    def _give_mean_to_unrated(self, data: Ratings) -> None:
        """Users and items without ratings get the mean factors and bias of the others.

        Their scores are average ones then.
        """
        columns = (data.users, data.items)
        factors_of = (self.P_, self.Q_)
        for column, factors, biases in zip(columns, factors_of, self.biases_, strict=True):
            is_rated = np.zeros(len(factors), bool)
            is_rated[column] = True
            if is_rated.all():
                continue
            real = factors.dtype.type
            share = is_rated.astype(factors.dtype) / real(np.count_nonzero(is_rated))
            factors[~is_rated] = share @ factors
            biases[~is_rated] = share @ biases


@dataclass(eq=False)
class NumbaSGD(_Descent):
    """r(u, i) = mu + b_u + b_i + p_u . q_i, learned by gradient descent, rating by rating.

    Minimises sum (r - r(u, i))^2 + regularisation * (b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2) over the
    training ratings, the sum being over ratings, so that frequent users and items are regularised
    more often (Funk 2006; Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for
    Recommender Systems"). A rating with the error e = r - r(u, i) moves b_u by
    learning_rate * (e - regularisation * b_u), p_u by learning_rate * (e q_i - regularisation *
    p_u), and b_i and q_i likewise. Without `biased` r(u, i) = p_u . q_i. Users and items without
    training ratings get the mean factors and bias of the others.

    Defaults: those of Surprise's SVD, but factors begin uniform with a deviation of .05 instead of
    normal with .1; of four deviations it had the lowest test error on a split of MovieLens 100k.
    Factors are float32. The ratings of a block of `BLOCK` users, whose factors fit into the fastest
    cache, are taken in an order shuffled once; the order of the blocks changes per epoch. One
    thread whatever is allowed, so the same seed gives the same numbers.

    order=file is the literal procedure of the third source notebook: ratings in the order they come
    in; the prediction clipped to the scale before the error is taken; q_i moved with the already
    moved p_u; float64; factors drawn from numpy's legacy generator, users before items, by first
    appearance; `trace_` measured after each epoch on all training ratings. Its model had
    biased=false, n_factors=15, init_deviation=1/15, learning_rate=.01, regularisation=.1 and the
    seed 0.
    """

    name = "numba-sgd"
    requires = ("numba",)
    BLOCK: ClassVar[int] = 32

    def _descend(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        # an unsigned index spares numba the test for a negative one
        columns: list[Any] = [data.users.view(np.uint32), data.items.view(np.uint32), data.values]
        if self.order == "file":
            bounds = np.array([[0, len(data)]])
        else:
            bounds = _bounds_of_groups(data.users // self.BLOCK)
            columns = make_grouping()(*columns, np.uint32(self.BLOCK), bounds, rng)

        P = align_rows(self.P_)
        Q = align_rows(self.Q_)
        self.P_ = P[:, : self.n_factors]
        self.Q_ = Q[:, : self.n_factors]
        model = (P, Q, *self.biases_, self.mean_, self.rate_, self.keep_)
        descend = make_descent(P.shape[1] // LANES, self.biased, self.order == "file")
        for _ in range(self.n_epochs):
            yield descend(rng.permutation(bounds), *columns, *model, *data.scale)


def _bounds_of_groups(groups: Indices) -> Rows:
    """Where each group begins and ends once rows are sorted by group, shape (n_groups, 2)."""
    stops = np.cumsum(np.bincount(groups))
    starts = np.append(0, stops[:-1])
    return np.column_stack([starts, stops])


class _Batch(NamedTuple):
    """Some ratings grouped by user; their users and items are numbered anew, from 0."""

    users: Indices  # the user behind each new number
    items: Indices  # the item behind each new number
    owners: Indices  # the new number of each rating's user
    values: Reals  # the ratings minus the mean
    errors: csr_matrix  # users x items; its data are filled in by each step
    by_item: Any  # the transpose of `errors`, which shares its data


def _make_batch(users: Indices, items: Indices, values: Reals) -> _Batch:
    """The batch of these ratings, whose `values` are centred."""
    order = np.argsort(users, kind="stable")
    distinct_users, starts, counts = np.unique(users[order], return_index=True, return_counts=True)
    distinct_items, places = np.unique(items[order], return_inverse=True)
    owners = np.repeat(np.arange(len(distinct_users), dtype=np.int32), counts)

    bounds = np.append(starts, len(users)).astype(np.int32)
    errors = csr_matrix(
        (np.zeros_like(values), places.astype(np.int32), bounds),
        (len(distinct_users), len(distinct_items)),
    )
    return _Batch(distinct_users, distinct_items, owners, values[order], errors, errors.T)


class _Level(NamedTuple):
    """Ratings of which no two share a user or an item, so that they can move at once."""

    users: Indices
    items: Indices
    values: Floats


@dataclass(eq=False)
class NumpySGD(_Descent):
    """The model of `numba-sgd`, learned in batches: r(u, i) = mu + b_u + b_i + p_u . q_i.

    With the errors of a batch as a sparse matrix E, the steps of its users are
    E Q - regularisation * n_u p_u, and those of its items E' P - regularisation * n_i q_i: sums of
    the steps that `numba-sgd` takes rating by rating, so that the hyperparameters mean the same, as
    long as nobody has more than 64 ratings in a batch; from there on the step stays the same. A
    batch is drawn at random from the ratings of `BLOCK` neighbouring users; which ratings it has
    stays, the order of the batches changes per epoch. Papers (Funk 2006, Koren 2009) and defaults
    as in `numba-sgd`.

    order=file gives what it gives there, in steps of many ratings: a rating's level is one more
    than the levels of its user's and its item's previous ratings. Ratings of one level share no
    user and no item, so that a whole level can move at once. There are at least as many levels as
    the most frequent item has ratings, so it is slow where that is much of the data, and quick
    where many ratings are spread over many.
    """

    name = "numpy-sgd"
    revision = 2
    batch_size: Count = 8192
    BLOCK: ClassVar[int] = 1024

    def _descend(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        if self.order == "file":
            levels = list(_split_into_levels(data))
            for _ in range(self.n_epochs):
                yield sum(self._move_level(level, data.scale) for level in levels)
            return

        batches = list(self._draw_batches(data, rng))
        for _ in range(self.n_epochs):
            yield sum(self._move_batch(batches[b]) for b in rng.permutation(len(batches)))

    def _draw_batches(self, data: Ratings, rng: np.random.Generator) -> Iterator[_Batch]:
        """The ratings of each block of users, shuffled and cut into batches."""
        blocks = data.users // self.BLOCK
        rows = np.argsort(blocks, kind="stable")
        for start, stop in _bounds_of_groups(blocks):
            rng.shuffle(rows[start:stop])
            for cut in range(start, stop, self.batch_size):
                part = rows[cut : min(cut + self.batch_size, stop)]
                centred = data.values[part] - self.mean_
                yield _make_batch(data.users[part], data.items[part], centred)

    def _move_batch(self, batch: _Batch) -> float:
        """One step of all ratings of a batch; returns the sum of squared errors before it."""
        P = self.P_[batch.users]
        Q = self.Q_[batch.items]
        errors = self._fill_in_errors(batch, P, Q)

        # both from the values before the step
        user_steps = batch.errors @ Q
        item_steps = batch.by_item @ P

        user_biases, item_biases = self.biases_
        places = batch.errors.indices
        for who, own, steps, factors, biases, numbers in (
            (batch.users, P, user_steps, self.P_, user_biases, batch.owners),
            (batch.items, Q, item_steps, self.Q_, item_biases, places),
        ):
            counts = np.bincount(numbers).astype(np.float32)
            damping = np.minimum(1, LARGEST_STEP / counts)
            keep = 1 - (1 - self.keep_) * counts * damping
            rate = self.rate_ * damping
            own *= keep[:, None]
            steps *= rate[:, None]
            own += steps
            factors[who] = own
            if self.biased:
                biases[who] = keep * biases[who] + rate * np.bincount(numbers, errors)
        return float(errors @ errors)

    def _fill_in_errors(self, batch: _Batch, P: Reals, Q: Reals) -> Reals:
        """The errors of the batch's ratings, which are also the data of `batch.errors` afterwards.

        P and Q are the factors of its users and items.
        """
        owners = batch.owners
        places = batch.errors.indices
        errors: Reals = batch.errors.data
        for start in range(0, len(errors), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            np.einsum("jf,jf->j", P[owners[part]], Q[places[part]], out=errors[part])

        user_biases, item_biases = self.biases_
        errors += user_biases[batch.users][owners]
        errors += item_biases[batch.items][places]
        np.subtract(batch.values, errors, out=errors)
        return errors

    def _move_level(self, level: _Level, scale: tuple[float, float]) -> float:
        """What numba-sgd does for each of these ratings; returns the sum of squared errors met."""
        users = level.users
        items = level.items
        P = self.P_[users]
        Q = self.Q_[items]
        user_biases, item_biases = self.biases_

        products = np.einsum("jf,jf->j", P, Q)
        predicted = self.mean_ + user_biases[users] + item_biases[items] + products
        errors = level.values - np.clip(predicted, *scale)

        steps = self.rate_ * errors
        if self.biased:
            user_biases[users] = self.keep_ * user_biases[users] + steps
            item_biases[items] = self.keep_ * item_biases[items] + steps
        moved = self.keep_ * P + steps[:, None] * Q
        self.P_[users] = moved
        self.Q_[items] = self.keep_ * Q + steps[:, None] * moved
        return float(errors @ errors)


def _split_into_levels(data: Ratings) -> Iterator[_Level]:
    """The ratings by level, in the order in which levels have to move.

    A rating's level is how many others have to move before it, one after the other.
    """
    reached_by_users = [0] * data.n_users
    reached_by_items = [0] * data.n_items
    levels = np.empty(len(data), np.int64)
    for row, (user, item) in enumerate(zip(data.users.tolist(), data.items.tolist(), strict=True)):
        level = max(reached_by_users[user], reached_by_items[item])
        reached_by_users[user] = level + 1
        reached_by_items[item] = level + 1
        levels[row] = level

    by_level = np.argsort(levels, kind="stable")
    stops = np.cumsum(np.bincount(levels))
    for rows in np.split(by_level, stops[:-1]):
        yield _Level(data.users[rows], data.items[rows], data.values[rows])
