"""Non-negative factorisation of likes, by scikit-learn."""

import warnings
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import LearnsFromLikes
from recbench.adapters.shared.parameters import TOIS_2021, Choose, Count, Search, Share


@dataclass(eq=False)
class NMFOnLikes(LearnsFromLikes, Factorised):
    """score(u, i) = p_u . q_i with no factor below 0, nearest to the matrix of likes.

    Minimises |X - P Q'|^2 over non-negative P and Q by coordinate descent (Cichocki and Phan 2009,
    "Fast local algorithms for large scale nonnegative matrix and tensor factorizations"), which is
    scikit-learn's NMF. X has ones for likes and zeros for all other pairs. `start` "random" draws
    the factors, "nndsvda" takes them from singular vectors.

    Defaults: the factors and iterations of Ferrari Dacrema et al. 2021 (TOIS) for MovieLens 100k.
    Known limits: it is slow on large data, and what it ends in depends on the start.
    """

    name = "nmf"
    family = "factors"
    requires = ("sklearn",)
    epochs_hyperparameter = "n_iter"
    origin = Origin(
        "paper", "Ferrari Dacrema et al. 2021", ("movielens-100k",), ("n_factors", "n_iter")
    )
    n_factors: Annotated[Count, Search(1, 350, TOIS_2021)] = 30
    n_iter: Count = 500
    start: Annotated[Literal["random", "nndsvda"], Choose(TOIS_2021)] = "random"
    relevant_share: Share = 0.75

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Let scikit-learn fit; without any like all scores are 0."""
        from sklearn import decomposition
        from sklearn.exceptions import ConvergenceWarning

        n_users, n_items = data.shape
        if not data.nnz:
            self.P_ = np.zeros((n_users, 1), np.float32)
            self.Q_ = np.zeros((n_items, 1), np.float32)
            return

        n_factors = self.n_factors
        if self.start == "nndsvda":  # there are no more singular vectors
            n_factors = min(n_factors, n_users, n_items)
        solver = decomposition.NMF(
            n_components=n_factors,
            init=self.start,
            solver="cd",
            shuffle=True,
            random_state=seed,
            max_iter=self.n_iter,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # `n_iter` is what was asked for
            self.P_ = solver.fit_transform(data)
        self.Q_ = np.ascontiguousarray(solver.components_.T)
