"""Surprise's matrix factorisations: fitted by the library, scored as one product of two matrices."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from recbench.adapters.base import Indices
from recbench.adapters.shared.parameters import Count, NonNegative, Positive
from recbench.adapters.surprise.base import Converted, Doubles, SurpriseModel, by_row
from recbench.datasets.foundation import UsageError

Mean = Annotated[float, Field(ge=-10, le=10)]
_PAIRS_AT_ONCE = 1 << 16  # bounds the memory of gathered factors: 105 MB for 100 of them


class _Factors(SurpriseModel):
    """The models whose personal part is q_i . p_u."""

    def _take_factors(self, user_factors: Doubles, item_factors: Doubles, data: Converted) -> None:
        self.user_factors_ = np.zeros((data.ratings.n_users, user_factors.shape[1]))
        self.item_factors_ = np.zeros((data.ratings.n_items, item_factors.shape[1]))
        self.user_factors_[data.known_users] = user_factors
        self.item_factors_[data.known_items] = item_factors

    def _take(self, algorithm: Any, data: Converted) -> None:
        self._take_biases(algorithm.bu, algorithm.bi, data)
        self._take_factors(algorithm.pu, algorithm.qi, data)
        if not getattr(algorithm, "biased", True):
            self.base_, self.mean_if_unknown_ = 0.0, True

    def _personal(self, users: Indices, items: Indices) -> Doubles:
        dots = np.empty(len(users))
        for start in range(0, len(users), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            P, Q = self.user_factors_[users[part]], self.item_factors_[items[part]]
            dots[part] = np.einsum("jf,jf->j", P, Q)
        return dots

    def _personal_items(self, users: Indices) -> Doubles:
        product: Doubles = self.user_factors_[users] @ self.item_factors_.T
        return product


@dataclass(eq=False)
class SVD(_Factors):
    """mu + b_u + b_i + q_i . p_u by stochastic gradient descent (Koren, Bell, Volinsky 2009, equation 5).

    Without biases q_i . p_u, which is probabilistic matrix factorisation (Salakhutdinov & Mnih 2008); an unknown user
    or item then gets the training mean, and else only its part drops out. Defaults: Surprise's.
    """

    name = "surprise-svd"
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 100
    n_epochs: Count = 20
    biased: bool = True
    init_mean: Mean = 0.0
    init_std_dev: NonNegative = 0.1
    lr_all: Positive = 0.005
    reg_all: NonNegative = 0.02

    def algorithm(self, seed: int) -> Any:
        """Surprise's SVD."""
        from surprise import SVD

        return SVD(**asdict(self), random_state=seed)


@dataclass(eq=False)
class SVDpp(_Factors):
    """mu + b_u + b_i + q_i . (p_u + |I_u|^-1/2 sum of y_j over the items I_u that u rated) (Koren 2008, section 4).

    Defaults: Surprise's, but for `cache_ratings`, which changes no number: without it the library allocates memory
    for every user and never frees it.
    """

    name = "surprise-svdpp"
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 20
    n_epochs: Count = 20
    init_mean: Mean = 0.0
    init_std_dev: NonNegative = 0.1
    lr_all: Positive = 0.007
    reg_all: NonNegative = 0.02

    def algorithm(self, seed: int) -> Any:
        """Surprise's SVDpp."""
        from surprise import SVDpp

        return SVDpp(**asdict(self), random_state=seed, cache_ratings=True)

    def _take(self, algorithm: Any, data: Converted) -> None:
        rated = by_row(
            data.users, data.items, np.ones(len(data.users)), (len(algorithm.pu), len(algorithm.qi))
        )
        implicit = (rated @ algorithm.yj) / np.sqrt(np.diff(rated.indptr))[:, None]
        self._take_biases(algorithm.bu, algorithm.bi, data)
        self._take_factors(algorithm.pu + implicit, algorithm.qi, data)


@dataclass(eq=False)
class NMF(_Factors):
    """q_i . p_u with factors that stay non-negative (Luo, Zhou, Xia, Zhu 2014), or with mu + b_u + b_i if biased.

    Unknown users and items as in `surprise-svd`. Defaults: Surprise's.
    """

    name = "surprise-nmf"
    epochs_hyperparameter = "n_epochs"
    n_factors: Count = 15
    n_epochs: Count = 50
    biased: bool = False
    reg_pu: NonNegative = 0.06
    reg_qi: NonNegative = 0.06
    reg_bu: NonNegative = 0.02
    reg_bi: NonNegative = 0.02
    lr_bu: Positive = 0.005
    lr_bi: Positive = 0.005
    init_low: NonNegative = 0.0
    init_high: Positive = 1.0

    def __post_init__(self) -> None:
        if self.init_low > self.init_high:
            raise UsageError(
                f"{self.name}: factors start between init_low={self.init_low:g} and init_high={self.init_high:g}: "
                "give an init_high that is no lower"
            )

    def algorithm(self, seed: int) -> Any:
        """Surprise's NMF."""
        from surprise import NMF

        return NMF(**asdict(self), random_state=seed)
