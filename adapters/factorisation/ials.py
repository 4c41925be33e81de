"""Alternating least squares on likes, each half step exact, with the confidence of two papers."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.factors import Factorised, solve_likes
from recbench.adapters.shared.interactions import LearnsFromLikes
from recbench.adapters.shared.parameters import (
    TOIS_2021,
    Choose,
    Count,
    NonNegative,
    Positive,
    Search,
    Share,
)
from recbench.datasets.foundation import compile_lazily
from recbench.datasets.ratings import Ratings

Doubles = NDArray[np.float64]

TO_SAVE_TIME = f"here: {TOIS_2021} stop early"
# `implicit-als` has the same penalty, and was best with 40 here
OF_PENALTY = f"{TOIS_2021} up to .01, further here"


@dataclass(eq=False)
class IALS(LearnsFromLikes, Factorised):
    """score(u, i) = p_u . q_i, the weighted factorisation of likes (Hu, Koren and Volinsky 2008).

    Minimises sum over all pairs of c_ui (x_ui - p_u . q_i)^2 + regularisation * (sum |p_u|^2 +
    sum |q_i|^2), where x_ui is 1 for likes and 0 for all other pairs. c_ui is 1 for other pairs;
    for likes it is 1 + alpha with `confidence` "linear" and 1 + alpha log(1 + 1 / epsilon) with
    "log". As `implicit-als`, but for three things: every row is solved exactly, confidence is
    written as in Ferrari Dacrema et al. 2021, "A troubling analysis of reproducibility and progress
    in recommender systems research", and items start as there, uniformly between 0 and
    1 / sqrt(n_factors).

    Defaults: what they tuned for MovieLens 1M cut at random. A user or item without likes scores 0.
    """

    name = "ials"
    family = "factors"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "paper",
        "Ferrari Dacrema et al. 2021",
        ("movielens-1m",),
        ("n_factors", "n_epochs", "confidence", "alpha", "epsilon", "regularisation"),
    )
    n_factors: Annotated[Count, Search(1, 200, TOIS_2021, log=True)] = 24
    n_epochs: Annotated[Count, Search(1, 50, TO_SAVE_TIME)] = 20
    confidence: Annotated[Literal["linear", "log"], Choose(TOIS_2021)] = "log"
    alpha: Annotated[NonNegative, Search(0.001, 50, TOIS_2021, log=True)] = 50.0
    epsilon: Annotated[Positive, Search(0.001, 10, TOIS_2021, log=True)] = 10.0
    regularisation: Annotated[Positive, Search(1e-5, 100, OF_PENALTY, log=True)] = 1.2e-4
    relevant_share: Share = 0.75

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Solve for all users, then for all items, `n_epochs` times; only the start is random."""
        n_users, n_items = data.shape
        rng = np.random.default_rng(seed)
        users = np.zeros((n_users, self.n_factors))
        items = rng.random((n_items, self.n_factors)) / np.sqrt(self.n_factors)
        by_item = data.T.tocsr()
        items[np.diff(by_item.indptr) == 0] = 0

        extra = self._extra_confidence()
        for _ in range(self.n_epochs):
            _solve_rows(users, items, data.indptr, data.indices, extra, self.regularisation)
            _solve_rows(items, users, by_item.indptr, by_item.indices, extra, self.regularisation)
        self.P_ = users
        self.Q_ = items
        self.products_ = items.T @ items

    def fold_in(self, ratings: Ratings) -> Floats:
        """One half step in closed form: the user's factors, those of the items fixed.

        It is not the last one that `fit` makes, which is that of the items.
        """
        likes = self.profiles_of(ratings)
        extra = self._extra_confidence()
        factors = solve_likes(likes, self.Q_, self.products_, extra, self.regularisation)
        return np.asarray(factors @ self.Q_.T, np.float32)

    def _extra_confidence(self) -> float:
        """How much more a like counts than another pair, which counts 1."""
        if self.confidence == "linear":
            return self.alpha
        return float(self.alpha * np.log1p(1 / self.epsilon))


@compile_lazily()
def _solve_rows(
    own: Doubles, other: Doubles, starts: Any, others: Any, extra: float, regularisation: float
) -> None:
    """Set each row of `own` to its best given the rows of `other`; who likes nothing is left as is.

    others[starts[row]:starts[row + 1]] are the likes of a row.
    """
    of_all_pairs = other.T @ other
    for factor in range(len(of_all_pairs)):
        of_all_pairs[factor, factor] += regularisation

    for row in range(len(own)):
        begin = starts[row]
        end = starts[row + 1]
        if begin == end:
            continue
        liked = other[others[begin:end]]
        normal = of_all_pairs + extra * (liked.T @ liked)
        target = (1 + extra) * liked.sum(axis=0)
        own[row] = np.linalg.solve(normal, target)
