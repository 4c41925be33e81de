"""Surprise's matrix factorisations: fitted by the library, scored as a product of matrices."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from recbench.adapters.base import Indices
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import (
    DECADE,
    RECOMMENDERS,
    Count,
    NonNegative,
    Positive,
    Search,
)
from recbench.adapters.surprise.base import Converted, Doubles, SurpriseModel, group_by_row
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Ratings

# Of a normal distribution around which the factors start.
StartingMean = Annotated[float, Field(ge=-10, le=10)]


class _Factors(SurpriseModel, Factorised):
    """The models whose personal part is q_i . p_u.

    The product is that of `Factorised`; biases, and what is unknown, are Surprise's.
    """

    # Both bases know them; here they are always there.
    mean_: np.float64
    user_biases_: Doubles
    item_biases_: Doubles

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        self._keep_biases(algorithm.bu, algorithm.bi, data)
        self._keep_factors(algorithm.pu, algorithm.qi, data)
        if not getattr(algorithm, "biased", True):
            self.base_ = 0.0
            self.mean_if_unknown_ = True

    def _keep_factors(self, user_factors: Doubles, item_factors: Doubles, data: Converted) -> None:
        """Keep the factors in the bench's index space; those of unknown users and items are 0."""
        self.P_ = np.zeros((data.ratings.n_users, user_factors.shape[1]))
        self.P_[data.known_users] = user_factors
        self.Q_ = np.zeros((data.ratings.n_items, item_factors.shape[1]))
        self.Q_[data.known_items] = item_factors

    def _personal_of_pairs(self, users: Indices, items: Indices) -> Doubles:
        return self.products_of_pairs(users, items)

    def _personal_of_items(self, users: Indices) -> Doubles:
        return self.products_with_items(users)


@dataclass(eq=False)
class SVD(_Factors):
    """mu + b_u + b_i + q_i . p_u by stochastic gradient descent (Koren, Bell and Volinsky 2009).

    Their equation 5. Without biases q_i . p_u, which is probabilistic matrix factorisation
    (Salakhutdinov & Mnih 2008); an unknown user or item then gets the training mean, and else only
    its part drops out. Defaults: Surprise's.
    """

    name = "surprise-svd"
    epochs_hyperparameter = "n_epochs"
    n_factors: Annotated[Count, Search(2, 200, RECOMMENDERS, log=True)] = 100
    n_epochs: Annotated[Count, Search(5, 100, DECADE, log=True)] = 20
    biased: bool = True
    init_mean: StartingMean = 0.0
    init_std_dev: NonNegative = 0.1
    lr_all: Annotated[Positive, Search(5e-4, 0.1, RECOMMENDERS, log=True)] = 0.005
    reg_all: Annotated[NonNegative, Search(0.002, 1, RECOMMENDERS, log=True)] = 0.02

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's SVD."""
        from surprise import SVD

        return SVD(**asdict(self), random_state=seed)


@dataclass(eq=False)
class SVDpp(_Factors):
    """mu + b_u + b_i + q_i . (p_u + |I_u|^-1/2 sum of y_j over the items I_u that u rated).

    Koren 2008, section 4. Defaults: Surprise's, but for `cache_ratings`, which changes no number:
    without it the library allocates memory for every user and never frees it.
    """

    name = "surprise-svdpp"
    epochs_hyperparameter = "n_epochs"
    n_factors: Annotated[Count, Search(2, 200, RECOMMENDERS, log=True)] = 20
    n_epochs: Annotated[Count, Search(5, 50, DECADE, log=True)] = 20
    init_mean: StartingMean = 0.0
    init_std_dev: NonNegative = 0.1
    lr_all: Annotated[Positive, Search(5e-4, 0.1, RECOMMENDERS, log=True)] = 0.007
    reg_all: Annotated[NonNegative, Search(0.002, 1, RECOMMENDERS, log=True)] = 0.02

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's SVDpp."""
        from surprise import SVDpp

        return SVDpp(**asdict(self), random_state=seed, cache_ratings=True)

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        """Keep p_u and the implicit part as one vector a user."""
        ones = np.ones(len(data.users))
        shape = (len(algorithm.pu), len(algorithm.qi))
        rated = group_by_row(data.users, data.items, ones, shape)
        n_rated = np.diff(rated.indptr)
        sums = rated @ algorithm.yj
        implicit = sums / np.sqrt(n_rated)[:, None]
        user_vectors = algorithm.pu + implicit

        self._keep_biases(algorithm.bu, algorithm.bi, data)
        self._keep_factors(user_vectors, algorithm.qi, data)


@dataclass(eq=False)
class NMF(_Factors):
    """q_i . p_u with factors that stay non-negative, or with mu + b_u + b_i if biased.

    Luo, Zhou, Xia and Zhu 2014. Unknown users and items as in `surprise-svd`. Defaults: Surprise's.
    """

    name = "surprise-nmf"
    epochs_hyperparameter = "n_epochs"
    n_factors: Annotated[Count, Search(2, 200, RECOMMENDERS, log=True)] = 15
    n_epochs: Annotated[Count, Search(10, 200, DECADE, log=True)] = 50
    biased: bool = False
    reg_pu: Annotated[NonNegative, Search(0.005, 1, DECADE, log=True)] = 0.06
    reg_qi: Annotated[NonNegative, Search(0.005, 1, DECADE, log=True)] = 0.06
    reg_bu: NonNegative = 0.02
    reg_bi: NonNegative = 0.02
    lr_bu: Positive = 0.005
    lr_bi: Positive = 0.005
    init_low: NonNegative = 0.0
    init_high: Positive = 1.0

    def __post_init__(self) -> None:
        """UsageError if the interval in which factors start is upside down."""
        if self.init_low > self.init_high:
            raise UsageError(
                f"{self.name}: factors start between init_low={self.init_low:g} and "
                f"init_high={self.init_high:g}: give an init_high that is no lower"
            )

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Products of factors that are never negative are no model of negative ratings."""
        lowest = train.values.min(initial=0)
        if lowest >= 0:
            return None
        return (
            f"needs ratings of at least 0, got {lowest:g}: its factors are never negative; "
            "surprise-svd takes any"
        )

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's NMF."""
        from surprise import NMF

        return NMF(**asdict(self), random_state=seed)
