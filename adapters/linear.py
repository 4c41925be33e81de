"""Linear item-item models: the weights with which likes predict each other."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.interactions import (
    ItemItem,
    LearnsFromLikes,
    gram_matrix,
    mirror_upper_triangle,
)
from recbench.adapters.shared.memory import reason_to_skip_item_pairs
from recbench.adapters.shared.parameters import (
    TOIS_2021,
    Count,
    NonNegative,
    Positive,
    Search,
    Share,
)
from recbench.datasets.foundation import compile_lazily
from recbench.datasets.ratings import Catalogue, Ratings

# Of scikit-learn's alpha from .001 to 1 and l1_ratio from 1e-5 to 1, here for a thousand users
PENALTIES = f"{TOIS_2021}, alpha and l1_ratio times 1000 users"


@dataclass(eq=False)
class EASE(LearnsFromLikes, ItemItem):
    """score(u, .) = x_u B; B minimises |X - X B|^2 + regularisation * |B|^2, its diagonal 0.

    In closed form b_ij = -p_ij / p_jj with P = (X'X + regularisation * I)^-1 (Steck 2019,
    "Embarrassingly Shallow Autoencoders for Sparse Data"); X has ones where the rating is at least
    `relevant_share` of the scale. The inverse is taken in double precision: in single precision its
    error grows with the largest eigenvalue of X'X, which grows with the number of users. Default
    regularisation: between the 458 and 750 that Ferrari Dacrema et al. (TOIS 2021) found by tuning
    on MovieLens 100k and 1M, and Steck's own 500 for MovieLens 20M. Limit: time grows with the
    third power of the number of items, memory with the second. A user without likes scores 0
    everywhere.
    """

    name = "ease"
    family = "linear"
    requires = ("numba",)
    origin = Origin(
        "paper",
        "between those of Ferrari Dacrema et al. 2021 and Steck 2019",
        ("movielens-100k", "movielens-1m", "movielens-20m"),
        ("regularisation",),
    )
    regularisation: Annotated[Positive, Search(1, 1e7, TOIS_2021, log=True)] = 500.0
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """X'X in single and double precision, later its inverse and the weights."""
        return reason_to_skip_item_pairs(train.n_items, 4 + 8, memory_mb)

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Invert by Cholesky, in place; nothing is random.

        ArithmeticError if X'X + regularisation is singular in double precision.
        """
        inverse = gram_matrix(data).astype(np.float64)
        inverse[np.diag_indices_from(inverse)] += self.regularisation
        _invert_in_place(inverse)

        # b_ij = -p_ij / p_jj, in single precision from here on.
        diagonal = inverse.diagonal().astype(np.float32)
        weights = inverse.astype(np.float32)
        del inverse
        weights /= -diagonal
        np.fill_diagonal(weights, 0)

        self.X_ = data
        self.W_ = weights


def _invert_in_place(matrix: NDArray[np.float64]) -> None:
    """Replace a symmetric positive definite matrix by its inverse, without another of its size.

    ArithmeticError if it is singular in double precision.
    """
    from scipy.linalg import lapack

    by_columns = matrix.T  # LAPACK's order, and the same matrix
    _, factorisation_failed = lapack.dpotrf(by_columns, lower=1, clean=0, overwrite_a=1)
    _, inversion_failed = lapack.dpotri(by_columns, lower=1, overwrite_c=1)
    if factorisation_failed or inversion_failed:
        raise ArithmeticError(
            "X'X + regularisation is singular in double precision: raise the regularisation"
        )

    mirror_upper_triangle(matrix)  # which is what LAPACK leaves


@dataclass(eq=False)
class SLIM(LearnsFromLikes, ItemItem):
    """score(u, .) = x_u W; each column of W is a non-negative elastic net without an intercept.

    Column w_j minimises 1/2 |x_j - X w|^2 + l2/2 |w|^2 + l1 |w|_1 with w >= 0 and w_jj = 0 (Ning
    and Karypis 2011, "SLIM: Sparse Linear Methods for Top-N Recommender Systems"). Solved by
    coordinate descent on X'X: sweeps over the weights that are not zero, until none changes by
    `tolerance`, between sweeps over all of them. scikit-learn's ElasticNet(alpha, l1_ratio) divides
    the first term by the n users: l1 = n alpha l1_ratio, l2 = n alpha (1 - l1_ratio). The defaults
    are what Ferrari Dacrema et al. (TOIS 2021) tuned for MovieLens 100k, alpha = .2225 and l1_ratio
    = .000113 with 943 users, rounded; their values for MovieLens 1M give an l2 of 300 to 480.
    `n_neighbours` keeps only the largest weights of each item, None all of them. Limits as for
    `ease`.
    """

    name = "slim"
    family = "linear"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "paper", "Ferrari Dacrema et al. 2021, rounded", ("movielens-100k",), ("l1", "l2")
    )
    l1: Annotated[NonNegative, Search(1e-6, 1000, PENALTIES, log=True)] = 0.02
    l2: Annotated[NonNegative, Search(0.1, 10_000, PENALTIES, log=True)] = 200.0
    n_neighbours: Annotated[Count | None, Search(5, 1000, TOIS_2021, log=True)] = None
    n_epochs: Count = 100
    tolerance: Positive = 1e-4
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """X'X and the weights, both dense."""
        return reason_to_skip_item_pairs(train.n_items, 4 + 4, memory_mb)

    def fit(self, data: csr_matrix, seed: int) -> None:
        """One elastic net an item; nothing is random."""
        products = gram_matrix(data)
        by_target = _fit_elastic_nets(products, self.l1, self.l2, self.n_epochs, self.tolerance)

        if self.n_neighbours is not None and self.n_neighbours < len(by_target):
            smallest_first = np.argpartition(by_target, -self.n_neighbours)
            dropped = smallest_first[:, : -self.n_neighbours]
            np.put_along_axis(by_target, dropped, 0, axis=1)

        self.X_ = data
        self.W_ = np.ascontiguousarray(by_target.T)


@compile_lazily()
def _fit_elastic_nets(
    products: Floats, l1: float, l2: float, n_epochs: int, tolerance: float
) -> Floats:
    """The weights that predict each item, as rows of (n_items, n_items), from the matrix X'X.

    `slopes` holds x_k'(x_j - X w) for each k. No product of likes is negative, so slopes only fall
    from x_k'x_j on: who starts at or below `l1` never gets a weight.
    """
    n_items = len(products)
    by_target = np.zeros((n_items, n_items), np.float32)
    for target in range(n_items):
        candidates = np.flatnonzero(products[target] > l1)
        candidates = candidates[candidates != target]
        slopes = products[target].astype(np.float64)
        weights = np.zeros(n_items)

        for _ in range(n_epochs):
            if _sweep_weights(weights, slopes, candidates, products, l1, l2) < tolerance:
                break

            # The weights that are not zero, and what they need of X'X, close together.
            support = np.flatnonzero(weights)
            among = np.empty((len(support), len(support)), np.float32)
            for place, other in enumerate(support):
                among[place] = products[other][support]
            inner = weights[support]
            inner_slopes = slopes[support]
            places = np.arange(len(support))

            for _ in range(n_epochs):
                if _sweep_weights(inner, inner_slopes, places, among, l1, l2) < tolerance:
                    break

            for place, other in enumerate(support):
                _shift_slopes(slopes, inner[place] - weights[other], products[other])
                weights[other] = inner[place]
        by_target[target] = weights
    return by_target


@compile_lazily()
def _sweep_weights(
    weights: NDArray[np.float64],
    slopes: NDArray[np.float64],
    places: Any,
    products: Floats,
    l1: float,
    l2: float,
) -> float:
    """Set the weights at `places`, each to its best value given the others.

    Returns the largest change. `slopes` are changed along with them.
    """
    largest = 0.0
    for place in places:
        own = products[place, place]
        best = max(0.0, (slopes[place] + own * weights[place] - l1) / (own + l2))
        change = best - weights[place]
        if change != 0.0:
            weights[place] = best
            _shift_slopes(slopes, change, products[place])
            largest = max(largest, abs(change))
    return largest


@compile_lazily()
def _shift_slopes(slopes: NDArray[np.float64], change: float, row: Floats) -> None:
    """slopes -= change * row, in one pass; as an array expression numba would make two."""
    for place in range(len(slopes)):
        slopes[place] -= change * row[place]
