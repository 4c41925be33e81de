"""Explicit matrix factorisation by alternating least squares: each half step is exact."""

from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.least_squares import Epochs, Factors, Regularisation
from recbench.adapters.shared.parameters import Positive
from recbench.datasets.foundation import compile_lazily
from recbench.datasets.ratings import Ratings

Doubles = NDArray[np.float64]


class _Side(NamedTuple):
    """The ratings grouped by user (or by item), and where the group of each begins."""

    starts: NDArray[np.int64]  # (n + 1,): where in `order` each group begins
    order: NDArray[np.int64]  # (n_ratings,): the rows of the ratings, group by group
    others: Indices  # (n_ratings,): the item (user) of each rating, in that order


def _group_ratings(own: Indices, others: Indices, n_groups: int) -> _Side:
    """The ratings grouped by `own`; within a group they keep their order."""
    order = np.argsort(own, kind="stable")
    counts = np.bincount(own, minlength=n_groups)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return _Side(starts, order, others[order])


@dataclass(eq=False)
class ALS(Factorised):
    """r(u, i) = mu + b_u + b_i + p_u . q_i, or p_u . q_i alone with `biased` false.

    Minimises sum (r - r(u, i))^2 + regularisation * (sum n_u (|p_u|^2 + b_u^2) +
    sum n_i (|q_i|^2 + b_i^2)) by solving for all users, then for all items, each exactly. n_u and
    n_i are the numbers of ratings, or 1 with `weighted` false. Weighted is ALS-WR (Zhou, Wilkinson,
    Schreiber and Pan 2008, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize"),
    and what Spark's ALS does: without biases, and with 20 epochs and a regularisation of .05, this
    is the configuration of the Microsoft Recommenders benchmark. A bias is one more factor that the
    other side holds at 1, and is regularised as factors are (Koren, Bell and Volinsky 2009).

    Defaults: Spark's rank and regularisation with that benchmark's epochs, and biases, which lower
    the error. Item factors start as in Zhou et al.: the item's mean as its bias (or first factor),
    the others small and random. A user or item without ratings has a bias and factors of 0, or
    without biases the mean factors of the others. `trace_` has the training RMSE at the end of each
    epoch.
    """

    name = "als"
    family = "factors"
    predicts = "ratings"
    units = "scale"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "library", "Spark's rank and regularisation, Microsoft Recommenders' epochs; biases added"
    )
    n_factors: Factors = 10
    n_epochs: Epochs = 20
    regularisation: Regularisation = 0.1
    biased: bool = True
    weighted: bool = True
    init_deviation: Positive = 0.1

    def fit(self, data: Ratings, seed: int) -> None:
        """Alternate users and items `n_epochs` times; only the first item factors are random."""
        by_user = _group_ratings(data.users, data.items, data.n_users)
        by_item = _group_ratings(data.items, data.users, data.n_items)
        self.mean_ = np.float32(data.mean if self.biased else 0)
        centred = data.values - np.float64(self.mean_)

        # Each row holds the factors of a user or an item and, as its last entry, the bias.
        users = np.zeros((data.n_users, self.n_factors + 1))
        items = self._draw_items(data, centred, np.random.default_rng(seed))

        self.trace_ = []
        begun = perf_counter()
        for epoch in range(1, self.n_epochs + 1):
            self._solve_side(by_user, centred, users, items)
            squared_error = self._solve_side(by_item, centred, items, users)
            rmse = float(np.sqrt(squared_error / len(data)))
            seconds = perf_counter() - begun
            self.trace_.append({"epoch": epoch, "seconds": seconds, "train_rmse": rmse})

        self._keep_factors(data, users, items)

    def fold_in(self, ratings: Ratings) -> Floats:
        """One half step in closed form: the user's factors and bias, those of the items fixed.

        It is not the last one that `fit` makes, which is that of the items. Without ratings: as a
        user without any in training.
        """
        of_users = _group_ratings(ratings.users, ratings.items, ratings.n_users)
        centred = ratings.values - np.float64(self.mean_)
        items = np.zeros((ratings.n_items, self.n_factors + 1))
        items[:, :-1] = self.Q_
        if self.item_biases_ is not None:
            items[:, -1] = self.item_biases_

        users = np.zeros((ratings.n_users, self.n_factors + 1))
        self._solve_side(of_users, centred, users, items)
        if not self.biased:
            is_unrated = np.diff(of_users.starts) == 0
            users[is_unrated, :-1] = self.P_.mean(axis=0)

        scores = users[:, :-1] @ items[:, :-1].T
        scores += np.float64(self.mean_) + users[:, -1:] + items[:, -1]
        return np.asarray(scores, np.float32)

    def _draw_items(self, data: Ratings, centred: Doubles, rng: np.random.Generator) -> Doubles:
        """Where the items begin, shape (n_items, n_factors + 1).

        Small random factors and, as the bias or else as the first factor, the item's mean.
        """
        shape = (data.n_items, self.n_factors + 1)
        items = rng.normal(0, self.init_deviation, shape)

        n_ratings = np.bincount(data.items, minlength=data.n_items)
        sums = np.bincount(data.items, centred, data.n_items)
        means = sums / np.maximum(n_ratings, 1)

        column_of_means = -1 if self.biased else 0
        items[:, column_of_means] = means
        return items

    def _solve_side(self, side: _Side, centred: Doubles, own: Doubles, other: Doubles) -> float:
        """Set the rows of `own` to their best given `other`; returns the sum of squared errors.

        Both have a row of factors and a last column of biases; `centred` are the ratings in the
        order of the data.
        """
        features = other.copy()
        targets = centred[side.order]
        n_solved = self.n_factors
        if self.biased:
            n_solved += 1
            targets -= other[side.others, -1]
            features[:, -1] = 1

        # The compiled solver wants its matrices in one piece.
        solution = own[:, :n_solved].copy()
        features = np.ascontiguousarray(features[:, :n_solved])
        squared_error = _solve_least_squares(
            solution,
            features,
            side.starts,
            side.others,
            targets,
            self.regularisation,
            self.weighted,
        )
        own[:, :n_solved] = solution
        return float(squared_error)

    def _keep_factors(self, data: Ratings, users: Doubles, items: Doubles) -> None:
        """Leave factors and biases in single precision; without biases fill up the unrated."""
        if not self.biased:  # a score of 0 would be below most scales
            _give_mean_to_unrated(users, data.users)
            _give_mean_to_unrated(items, data.items)

        user_factors = users[:, :-1]
        item_factors = items[:, :-1]
        self.P_ = np.ascontiguousarray(user_factors, np.float32)
        self.Q_ = np.ascontiguousarray(item_factors, np.float32)

        if self.biased:
            user_biases = users[:, -1]
            item_biases = items[:, -1]
            self.user_biases_ = user_biases.astype(np.float32)
            self.item_biases_ = item_biases.astype(np.float32)


def _give_mean_to_unrated(factors: Doubles, rated: Indices) -> None:
    """Set rows of `factors` that do not occur in `rated` to the mean of those that do."""
    n_ratings = np.bincount(rated, minlength=len(factors))
    is_rated = n_ratings > 0
    factors[~is_rated] = factors[is_rated].mean(axis=0)


@compile_lazily()
def _solve_least_squares(
    solution: Doubles,
    features: Doubles,
    starts: NDArray[np.int64],
    others: Indices,
    targets: Doubles,
    regularisation: float,
    weighted: bool,
) -> float:
    """Solve the regularised normal equations of each row of `solution`, in place.

    Row i fits targets[starts[i]:starts[i + 1]] by the features of the `others` there; a row without
    ratings becomes zeros. Returns the sum of squared errors over all ratings.
    """
    squared_error = 0.0
    for row in range(len(solution)):
        begin = starts[row]
        end = starts[row + 1]
        if begin == end:
            solution[row] = 0.0
            continue

        rated = features[others[begin:end]]
        normal = rated.T @ rated
        weight = regularisation * (end - begin) if weighted else regularisation
        for factor in range(len(normal)):
            normal[factor, factor] += weight

        solution[row] = np.linalg.solve(normal, rated.T @ targets[begin:end])
        errors = targets[begin:end] - rated @ solution[row]
        squared_error += np.sum(errors**2)
    return squared_error
