"""Matrix factorisation by stochastic gradient descent, written out.

Rating by rating, compiled, or in NumPy's batches.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.sgd.loops import LANES, align_rows, make_descent, make_grouping
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import (
    DECADE,
    RECOMMENDERS,
    Count,
    NonNegative,
    Positive,
    Search,
)
from recbench.datasets.ratings import Ratings, Rows

Reals = NDArray[Any]  # float32; with order=file float64
PAIRS_AT_ONCE = 2048  # whose factors NumPy gathers at a time, so that they stay in the cache
LARGEST_STEP = np.float32(64)  # of a user or an item in one batch, in steps of a single rating
DENSE = 32  # pairs of a batch's users and items per rating, up to which computing all pays


@dataclass(eq=False)
class _Descent(Factorised):
    """What both share: hyperparameters, where they begin, their trace, and who has no ratings."""

    family: ClassVar[str] = "sgd"
    predicts = "ratings"
    units = "scale"
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "tuned here",
        "Surprise's SVD",
        ("movielens-100k",),
        ("init_deviation",),
        "validation part",
        "5 values",
    )
    n_factors: Annotated[Count, Search(2, 200, RECOMMENDERS, log=True)] = 100
    n_epochs: Annotated[Count, Search(5, 100, DECADE, log=True)] = 20
    learning_rate: Annotated[Positive, Search(5e-4, 0.1, RECOMMENDERS, log=True)] = 0.005
    regularisation: Annotated[NonNegative, Search(0.002, 1, RECOMMENDERS, log=True)] = 0.02
    init_deviation: Annotated[Positive, Search(0.005, 0.5, RECOMMENDERS, log=True)] = 0.05
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
            self.P_ = self._draw_uniform(data.n_users, rng)
            self.Q_ = self._draw_uniform(data.n_items, rng)

        real = self.P_.dtype.type
        mean = data.mean if self.biased else 0
        self.mean_ = real(mean)
        self.user_biases_ = np.zeros(data.n_users, real)
        self.item_biases_ = np.zeros(data.n_items, real)
        self.biases_ = (self.user_biases_, self.item_biases_)

        # How far a step goes, and what regularisation leaves of a parameter in it.
        self.rate_ = real(self.learning_rate)
        decay = self.learning_rate * self.regularisation
        self.keep_ = real(1 - decay)

    def _draw_uniform(self, n_rows: int, rng: np.random.Generator) -> Floats:
        """Factors drawn uniformly around 0, with the deviation that is asked for."""
        drawn = rng.random((n_rows, self.n_factors), np.float32)

        # A uniform distribution of width 1 has the variance 1 / 12.
        width = np.float32(self.init_deviation * 12**0.5)
        return (drawn - np.float32(0.5)) * width

    def _draw_as_notebook(self, data: Ratings, seed: int) -> tuple[Reals, Reals]:
        """The factors of users and of items, float64, drawn as the third source notebook did.

        That is from NumPy's legacy generator, users before items, by first appearance; who has no
        ratings gets zeros.
        """
        legacy = np.random.RandomState(seed)

        def draw_side(column: Indices, n_rows: int) -> Reals:
            distinct, first_rows = np.unique(column, return_index=True)
            by_appearance = distinct[np.argsort(first_rows)]

            shape = (len(distinct), self.n_factors)
            factors = np.zeros((n_rows, self.n_factors))
            factors[by_appearance] = legacy.normal(0, self.init_deviation, shape)
            return factors

        P = draw_side(data.users, data.n_users)
        Q = draw_side(data.items, data.n_items)
        return P, Q

    def _squared_error_on(self, data: Ratings) -> float:
        """The sum of squared errors on `data`, with predictions clipped to its scale."""
        scores = self.score(data.users, data.items)
        predicted = np.clip(scores, *data.scale)
        squares = np.square(predicted - data.values, dtype=np.float64)
        return float(squares.sum())

    def _give_mean_to_unrated(self, data: Ratings) -> None:
        """Users and items without ratings get the mean factors and bias of the others.

        Their scores are average ones then.
        """
        columns = (data.users, data.items)
        factors_of = (self.P_, self.Q_)
        for column, factors, biases in zip(columns, factors_of, self.biases_, strict=True):
            is_rated = np.bincount(column, minlength=len(factors)) > 0
            if is_rated.all():
                continue

            # Each of those with ratings has the same share in the mean, the others none.
            real = factors.dtype.type
            n_rated = real(np.count_nonzero(is_rated))
            share = is_rated.astype(factors.dtype) / n_rated
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
    normal with .1; of five deviations it had the lowest error on a validation part of a training
    part of MovieLens 100k (`tests/proof/choose_defaults.py`). Factors are float32. The ratings of a
    block of `BLOCK` users, whose factors fit into the fastest cache, are taken in an order shuffled
    once; the order of the blocks changes per epoch. One thread whatever is allowed, so the same
    seed gives the same numbers.

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
        # An unsigned index spares numba the test for a negative one.
        users = data.users.view(np.uint32)
        items = data.items.view(np.uint32)
        columns: list[Any] = [users, items, data.values]
        is_literal = self.order == "file"
        if is_literal:
            bounds = np.array([[0, len(data)]])
        else:
            bounds = _bounds_of_groups(data.users // self.BLOCK)
            group_by_block = make_grouping()
            columns = group_by_block(*columns, np.uint32(self.BLOCK), bounds, rng)

        # The loops move aligned copies, of which the model shows all but the filling.
        P = align_rows(self.P_)
        Q = align_rows(self.Q_)
        self.P_ = P[:, : self.n_factors]
        self.Q_ = Q[:, : self.n_factors]
        model = (P, Q, *self.biases_, self.mean_, self.rate_, self.keep_)

        n_lines = P.shape[1] // LANES
        descend = make_descent(n_lines, self.biased, is_literal)
        for _ in range(self.n_epochs):
            blocks = rng.permutation(bounds)
            yield descend(blocks, *columns, *model, *data.scale)


def _bounds_of_groups(groups: Indices) -> Rows:
    """Where each group begins and ends once rows are sorted by group, shape (n_groups, 2)."""
    stops = np.cumsum(np.bincount(groups))
    starts = np.append(0, stops[:-1])
    return np.column_stack([starts, stops])


class _Side(NamedTuple):
    """The users of a batch, or its items, numbered anew, from 0; and how a step moves them."""

    who: Indices  # the user or item behind each new number
    numbers: Indices  # the new number of each rating's
    keep: Floats  # what regularisation leaves of each one's parameters in a step
    rate: Floats  # how far a step goes


class _AllPairs(NamedTuple):
    """The pairs of a dense batch: matrix products of all of its users and items are quickest."""

    shape: tuple[int, int]  # users, items
    cells: Rows  # each rating's cell in a matrix of this shape, counted row by row

    def multiply_factors(self, P: Reals, Q: Reals) -> Reals:
        """p_u . q_i of each rating, from the factors of the batch's users and items."""
        products = P @ Q.T
        return products.take(self.cells)

    def multiply_errors(self, errors: Reals, P: Reals, Q: Reals) -> tuple[Reals, Reals]:
        """E Q and E' P, with these errors of the ratings."""
        E = np.zeros(self.shape, errors.dtype)
        E.put(self.cells, errors)
        return E @ Q, E.T @ P


class _RatedPairs(NamedTuple):
    """The pairs of a batch that are rated, of which alone something is computed."""

    users: Indices
    items: Indices
    errors: csr_matrix  # E, users x items; its data are filled in by each step
    by_item: Any  # the transpose of `errors`, which shares its data

    def multiply_factors(self, P: Reals, Q: Reals) -> Reals:
        """p_u . q_i of each rating, from the factors of the batch's users and items."""
        products = np.empty(len(self.users), P.dtype)
        for start in range(0, len(products), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            user_factors = P.take(self.users[part], axis=0)  # a third faster than P[users[part]]
            item_factors = Q.take(self.items[part], axis=0)
            np.einsum("jf,jf->j", user_factors, item_factors, out=products[part])
        return products

    def multiply_errors(self, errors: Reals, P: Reals, Q: Reals) -> tuple[Reals, Reals]:
        """E Q and E' P, with these errors of the ratings."""
        self.errors.data[:] = errors
        return self.errors @ Q, self.by_item @ P


class _Batch(NamedTuple):
    """Some ratings grouped by user."""

    users: _Side
    items: _Side
    values: Reals  # the ratings minus the mean
    pairs: _AllPairs | _RatedPairs


def _make_side(who: Indices, numbers: Indices, keep: np.float32, rate: np.float32) -> _Side:
    """Users or items whose step is the sum of those of their ratings, which go so far each."""
    counts = np.bincount(numbers).astype(np.float32)
    damping = np.minimum(1, LARGEST_STEP / counts)
    return _Side(who, numbers, 1 - (1 - keep) * counts * damping, rate * damping)


def _make_batch(
    users: Indices, items: Indices, values: Reals, keep: np.float32, rate: np.float32
) -> _Batch:
    """The batch of these ratings, whose `values` are centred; `keep` and `rate` are those of the
    step of a single rating.
    """
    by_user = np.argsort(users, kind="stable")
    sorted_users = users[by_user]
    distinct_users, counts = np.unique(sorted_users, return_counts=True)
    distinct_items, item_numbers = np.unique(items[by_user], return_inverse=True)
    user_numbers = np.arange(len(distinct_users), dtype=np.int32)
    owners = np.repeat(user_numbers, counts)

    places = item_numbers.astype(np.int32)
    return _Batch(
        users=_make_side(distinct_users, owners, keep, rate),
        items=_make_side(distinct_items, places, keep, rate),
        values=values[by_user],
        pairs=_make_pairs(owners, places, (len(distinct_users), len(distinct_items))),
    )


def _make_pairs(users: Indices, items: Indices, shape: tuple[int, int]) -> _AllPairs | _RatedPairs:
    """The pairs of ratings grouped by user; a batch in which a pair occurs twice is not dense."""
    n_pairs = shape[0] * shape[1]
    if n_pairs <= DENSE * len(users):
        cells = users.astype(np.int64) * shape[1] + items
        if np.bincount(cells).max() == 1:
            return _AllPairs(shape, cells)

    no_errors = np.zeros(len(users), np.float32)
    bounds = np.searchsorted(users, np.arange(shape[0] + 1)).astype(np.int32)
    errors = csr_matrix((no_errors, items, bounds), shape)
    return _RatedPairs(users, errors.indices, errors, errors.T)


class _Level(NamedTuple):
    """Ratings of which no two share a user or an item, so that they can move at once."""

    users: Indices
    items: Indices
    values: Floats


@dataclass(eq=False)
class NumpySGD(_Descent):
    """The model of `numba-sgd`, learned in batches: r(u, i) = mu + b_u + b_i + p_u . q_i.

    With the errors of a batch as a matrix E, the steps of its users are
    E Q - regularisation * n_u p_u, and those of its items E' P - regularisation * n_i q_i: sums of
    the steps that `numba-sgd` takes rating by rating, so that the hyperparameters mean the same.
    Who has more than 64 ratings in a batch moves as far as with 64, lest the sum go too far: on
    MovieLens 100k that damps a quarter of the ratings' steps of items and a tenth of users'.

    A batch has the ratings of `BLOCK` neighbouring users on some items drawn at random, at most
    `batch_size`, as in the blocks of Gemulla et al. (2011); which ratings it has stays, the order
    of the batches changes per epoch. So they are many of the pairs of its users and items, and
    where they are at least one in `DENSE`, P Q' and E are computed whole, which is quicker; in
    sparser data and where a pair occurs twice, only what is rated. A matrix product's last bits
    may differ between processors and numbers of threads.

    Papers (Funk 2006, Koren 2009) and defaults as in `numba-sgd`; of ten pairs of `BLOCK` (64 to
    1024) and `batch_size` (2048 to 8192) these were the quickest on 4 million ratings whose error
    on a validation part of a training part of MovieLens 100k is within .001 of the lowest.

    order=file gives what it gives there, in steps of many ratings: a rating's level is one more
    than the levels of its user's and its item's previous ratings. Ratings of one level share no
    user and no item, so that a whole level can move at once. There are at least as many levels as
    the most frequent item has ratings, so it is slow where that is much of the data, and quick
    where many ratings are spread over many.
    """

    name = "numpy-sgd"
    revision = 3
    batch_size: Count = 4096
    BLOCK: ClassVar[int] = 256

    def _descend(self, data: Ratings, rng: np.random.Generator) -> Iterator[float]:
        if self.order == "file":
            levels = list(_split_into_levels(data))
            for _ in range(self.n_epochs):
                yield sum(self._move_level(level, data.scale) for level in levels)
            return

        batches = list(self._draw_batches(data, rng))
        for _ in range(self.n_epochs):
            order = rng.permutation(len(batches))
            yield sum(self._move_batch(batches[number]) for number in order)

    def _draw_batches(self, data: Ratings, rng: np.random.Generator) -> Iterator[_Batch]:
        """The ratings of each block of users, by items in random order, cut into batches."""
        blocks = data.users // self.BLOCK
        by_block = np.argsort(blocks, kind="stable")
        for start, stop in _bounds_of_groups(blocks):
            rows = by_block[start:stop]
            distinct_items, numbers = np.unique(data.items[rows], return_inverse=True)
            places = rng.permutation(len(distinct_items))[numbers]
            in_block = rows[np.argsort(places, kind="stable")]
            for first in range(0, len(in_block), self.batch_size):
                part = in_block[first : first + self.batch_size]
                users = data.users[part]
                items = data.items[part]
                centred = data.values[part] - self.mean_
                yield _make_batch(users, items, centred, self.keep_, self.rate_)

    def _move_batch(self, batch: _Batch) -> float:
        """One step of all ratings of a batch; returns the sum of squared errors before it."""
        P = self.P_.take(batch.users.who, axis=0)
        Q = self.Q_.take(batch.items.who, axis=0)
        user_biases, item_biases = self.biases_

        predicted = batch.pairs.multiply_factors(P, Q)
        predicted += user_biases[batch.users.who].take(batch.users.numbers)
        predicted += item_biases[batch.items.who].take(batch.items.numbers)
        errors = batch.values - predicted

        # both from the values before the step
        user_steps, item_steps = batch.pairs.multiply_errors(errors, P, Q)

        for side, own, steps, factors, biases in (
            (batch.users, P, user_steps, self.P_, user_biases),
            (batch.items, Q, item_steps, self.Q_, item_biases),
        ):
            own *= side.keep[:, None]
            steps *= side.rate[:, None]
            own += steps
            factors[side.who] = own

            if self.biased:
                sums_of_errors = np.bincount(side.numbers, errors)
                biases[side.who] = side.keep * biases[side.who] + side.rate * sums_of_errors
        return float(errors @ errors)

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

        # Items move with the already moved factors of the users, as the notebook had it.
        steps_of_factors = steps[:, None]
        moved_P = self.keep_ * P + steps_of_factors * Q
        moved_Q = self.keep_ * Q + steps_of_factors * moved_P
        self.P_[users] = moved_P
        self.Q_[items] = moved_Q
        return float(errors @ errors)


def _split_into_levels(data: Ratings) -> Iterator[_Level]:
    """The ratings by level, in the order in which levels have to move.

    A rating's level is how many others have to move before it, one after the other.
    """
    reached_by_users = [0] * data.n_users
    reached_by_items = [0] * data.n_items
    levels = np.empty(len(data), np.int64)
    pairs = zip(data.users.tolist(), data.items.tolist(), strict=True)
    for row, (user, item) in enumerate(pairs):
        level = max(reached_by_users[user], reached_by_items[item])
        reached_by_users[user] = level + 1
        reached_by_items[item] = level + 1
        levels[row] = level

    rows_by_level = np.argsort(levels, kind="stable")
    stops = np.cumsum(np.bincount(levels))
    for rows in np.split(rows_by_level, stops[:-1]):
        users = data.users[rows]
        items = data.items[rows]
        values = data.values[rows]
        yield _Level(users, items, values)
