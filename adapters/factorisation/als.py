"""Explicit matrix factorisation by alternating least squares: each half step is an exact solution."""

from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Indices
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import Count, Positive
from recbench.datasets.foundation import compile_lazily
from recbench.datasets.ratings import Ratings

Doubles = NDArray[np.float64]


class _Side(NamedTuple):
    """The ratings grouped by user (or by item), and where in `order` the group of each begins."""

    starts: NDArray[np.int64]  # (n + 1,)
    order: NDArray[np.int64]
    others: Indices  # the item (user) of each rating, in that order


def _side(own: Indices, others: Indices, size: int) -> _Side:
    order = np.argsort(own, kind="stable")
    return _Side(
        np.concatenate([[0], np.cumsum(np.bincount(own, minlength=size))]), order, others[order]
    )


@dataclass(eq=False)
class ALS(Factorised):
    """r(u, i) = mu + b_u + b_i + p_u . q_i, or p_u . q_i alone with `biased` false.

    Minimises sum (r - r(u, i))^2 + regularisation * (sum n_u (|p_u|^2 + b_u^2) + sum n_i (|q_i|^2 + b_i^2)) by
    solving for all users, then for all items, each exactly. n_u and n_i are the numbers of ratings, or 1 with
    `weighted` false. Weighted is ALS-WR (Zhou, Wilkinson, Schreiber and Pan 2008, "Large-Scale Parallel Collaborative
    Filtering for the Netflix Prize"), and what Spark's ALS does: without biases, and with 20 epochs and a
    regularisation of .05, this is the configuration of the Microsoft Recommenders benchmark. A bias is one more
    factor that the other side holds at 1, and is regularised as factors are (Koren, Bell and Volinsky 2009).

    Defaults: Spark's rank and regularisation with that benchmark's epochs, and biases, which lower the error.
    Item factors start as in Zhou et al.: the item's mean as its bias (or first factor), the others small and random.
    A user or item without ratings has a bias and factors of 0, or without biases the mean factors of the others.
    `trace_` has the training RMSE at the end of each epoch.
    """

    name = "als"
    family = "factors"
    predicts = "ratings"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 10
    n_epochs: Count = 20
    regularisation: Positive = 0.1
    biased: bool = True
    weighted: bool = True
    init_deviation: Positive = 0.1

    def fit(self, data: Ratings, seed: int) -> None:
        """Alternate users and items `n_epochs` times."""
        sides = (
            _side(data.users, data.items, data.n_users),
            _side(data.items, data.users, data.n_items),
        )
        self.mean_ = np.float32(data.mean if self.biased else 0)
        centred = data.values - np.float64(self.mean_)
        users = np.zeros((data.n_users, self.n_factors + 1))
        items = self._first_items(data, centred, np.random.default_rng(seed))
        self.trace_ = []
        begun = perf_counter()
        for epoch in range(1, self.n_epochs + 1):
            self._solve(sides[0], centred, users, items)
            squared = self._solve(sides[1], centred, items, users)
            rmse = float(np.sqrt(squared / len(data)))
            self.trace_.append(
                {"epoch": epoch, "seconds": perf_counter() - begun, "train_rmse": rmse}
            )
        self._keep(data, users, items)

    def _first_items(self, data: Ratings, centred: Doubles, rng: np.random.Generator) -> Doubles:
        """Small random factors and, as the bias or else as the first factor, the item's mean."""
        items = rng.normal(0, self.init_deviation, (data.n_items, self.n_factors + 1))
        counts = np.bincount(data.items, minlength=data.n_items)
        items[:, -1 if self.biased else 0] = np.bincount(
            data.items, centred, data.n_items
        ) / np.maximum(counts, 1)
        return items

    def _solve(self, side: _Side, centred: Doubles, own: Doubles, other: Doubles) -> float:
        """Set the rows of `own` (factors, then the bias) to their best; returns the sum of squared errors."""
        features, targets = other.copy(), centred[side.order]
        width = self.n_factors + self.biased
        if self.biased:
            targets -= other[side.others, -1]
            features[:, -1] = 1
        solution = own[:, :width].copy()
        weight = self.regularisation
        squared = _least_squares(
            solution,
            np.ascontiguousarray(features[:, :width]),
            side.starts,
            side.others,
            targets,
            weight,
            self.weighted,
        )
        own[:, :width] = solution
        return float(squared)

    def _keep(self, data: Ratings, users: Doubles, items: Doubles) -> None:
        if not self.biased:  # a score of 0 would be below most scales
            for factors, indices in ((users, data.users), (items, data.items)):
                rated = np.bincount(indices, minlength=len(factors)) > 0
                factors[~rated] = factors[rated].mean(axis=0)
        self.P_, self.Q_ = (
            np.ascontiguousarray(factors[:, :-1], np.float32) for factors in (users, items)
        )
        if self.biased:
            self.user_biases_, self.item_biases_ = (
                factors[:, -1].astype(np.float32) for factors in (users, items)
            )


@compile_lazily()
def _least_squares(
    solution: Doubles,
    features: Doubles,
    starts: NDArray[np.int64],
    others: Indices,
    targets: Doubles,
    regularisation: float,
    weighted: bool,
) -> float:
    """Solve the regularised normal equations of each row of `solution`; returns the sum of squared errors.

    Rows without ratings are set to zeros.
    """
    squared = 0.0
    for row in range(len(solution)):
        begin, end = starts[row], starts[row + 1]
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
        squared += np.sum(errors**2)
    return squared
