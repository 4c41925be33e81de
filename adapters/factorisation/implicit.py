"""The library implicit (Frederickson): likes factorised by it, scored from plain arrays."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.factors import Factorised, solve_likes
from recbench.adapters.shared.interactions import LearnsFromLikes
from recbench.adapters.shared.parameters import (
    LENSKIT,
    TOIS_2021,
    Count,
    NonNegative,
    Positive,
    Search,
    Share,
)
from recbench.datasets.ratings import Ratings

OF_SUMS = "here: from the default of implicit to beyond what was best here, 40"
CONFIDENCE = f"{TOIS_2021} and {LENSKIT}"


class _Implicit(LearnsFromLikes, Factorised):
    """What the two share: likes go in, factors come out."""

    family = "implicit"
    requires: ClassVar[tuple[str, ...]] = ("implicit",)
    epochs_hyperparameter = "iterations"
    factors: int

    @abstractmethod
    def model(self, seed: int) -> Any:
        """The library's own model with these hyperparameters, not yet fitted."""

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Let the library fit and keep its factors; without any like all scores are 0."""
        from threadpoolctl import threadpool_limits

        if not data.nnz:
            n_users, n_items = data.shape
            self.P_ = np.zeros((n_users, 1), np.float32)
            self.Q_ = np.zeros((n_items, 1), np.float32)
            return

        # The library's threads each call BLAS, which must not start threads of its own: the library
        # warns of it, also when a model is made.
        with threadpool_limits(1, "blas"):
            model = self.model(seed)
            model.fit(data, show_progress=False)
        self.P_ = model.user_factors
        self.Q_ = model.item_factors


@dataclass(eq=False)
class ImplicitALS(_Implicit):
    """score(u, i) = p_u . q_i, the weighted factorisation of likes (Hu, Koren and Volinsky 2008).

    Minimises sum over all pairs of c_ui (x_ui - p_u . q_i)^2 + regularization * (sum |p_u|^2 +
    sum |q_i|^2), where x_ui is 1 for likes and 0 for all other pairs, and the confidence c_ui is
    `alpha` for likes and 1 for others. Solved by alternating least squares with three steps of
    conjugate gradients each (Takács, Pilászy and Tikk 2011), or exactly with `use_cg` false.

    The defaults are the best of 36 settings inside the training part of one fold of MovieLens 100k
    (`tests/proof/choose_defaults.py`), around what an earlier grid had found by a test part: the
    library's own (100 factors, regularization .01, alpha 1) learn the likes by heart there, at
    little more than half the nDCG@10. Limit: the regularization is a sum, not a share of the likes,
    so more data want a larger one.
    """

    name = "implicit-als"
    origin = Origin(
        "tuned here",
        "implicit",
        ("movielens-100k",),
        ("factors", "regularization", "alpha"),
        "validation part",
        "36 settings",
    )
    factors: Annotated[Count, Search(1, 200, TOIS_2021, log=True)] = 64
    regularization: Annotated[NonNegative, Search(0.01, 1000, OF_SUMS, log=True)] = 40.0
    alpha: Annotated[Positive, Search(0.001, 100, CONFIDENCE, log=True)] = 5.0
    iterations: Annotated[Count, Search(1, 50, TOIS_2021)] = 15
    use_cg: bool = True
    relevant_share: Share = 0.75

    def fit(self, data: csr_matrix, seed: int) -> None:
        """As both do, and keep what a half step needs of the items."""
        super().fit(data, seed)
        items = self.Q_.astype(np.float64)
        self.products_ = items.T @ items

    def fold_in(self, ratings: Ratings) -> Floats:
        """One half step in closed form: the user's factors, those of the items fixed.

        Exact also with `use_cg`; it is what the library's `recalculate_user` computes, in double
        precision.
        """
        likes = self.profiles_of(ratings)
        items = self.Q_.astype(np.float64)
        extra = self.alpha - 1
        factors = solve_likes(likes, items, self.products_, extra, self.regularization)
        return np.asarray(factors @ items.T, np.float32)

    def model(self, seed: int) -> Any:
        """implicit's AlternatingLeastSquares, not yet fitted.

        Each row is solved by one thread, so the number of threads does not change its numbers.
        """
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.regularization,
            alpha=self.alpha,
            iterations=self.iterations,
            use_cg=self.use_cg,
            num_threads=self.threads,
            random_state=seed,
        )


@dataclass(eq=False)
class ImplicitBPR(_Implicit):
    """score(u, i) = b_i + p_u . q_i, learned to rank a like above an item that is none.

    Bayesian personalised ranking (Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009): gradient
    descent on -log sigmoid(score(u, i) - score(u, j)) + regularization * |parameters|^2 for likes
    (u, i) and items j drawn, in this library, by popularity. The library keeps b_i as the last item
    factor, beside a user factor of 1.

    Defaults: the library's, but 32 factors and 50 iterations instead of 100 and 100, which ranked
    better within the training part of one fold of MovieLens 100k. Limit: with negatives drawn by
    popularity it ranks popular items too low.
    """

    name = "implicit-bpr"
    origin = Origin(
        "tuned here",
        "implicit",
        ("movielens-100k",),
        ("factors", "iterations"),
        "validation part",
        "budget not recorded",
    )
    factors: Annotated[Count, Search(4, 512, LENSKIT, log=True)] = 32
    learning_rate: Annotated[Positive, Search(1e-5, 0.1, LENSKIT, log=True)] = 0.01
    regularization: Annotated[NonNegative, Search(1e-5, 1, LENSKIT, log=True)] = 0.01
    iterations: Annotated[Count, Search(5, 200, LENSKIT, log=True)] = 50
    verify_negative_samples: bool = True
    relevant_share: Share = 0.75

    def nondeterminism(self) -> str | None:
        """With more than one thread: they update the same factors without locks."""
        if self.threads == 1:
            return None
        return "implicit's BPR threads race for the same factors (Hogwild)"

    def model(self, seed: int) -> Any:
        """implicit's BayesianPersonalizedRanking, not yet fitted."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        return BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            verify_negative_samples=self.verify_negative_samples,
            num_threads=self.threads,
            random_state=seed,
        )
