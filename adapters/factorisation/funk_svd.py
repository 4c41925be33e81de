"""Descent on likes and on drawn pairs that are none, with a step of its own for each factor."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import LearnsFromLikes
from recbench.adapters.shared.parameters import (
    TOIS_2021,
    Count,
    NonNegative,
    Positive,
    Search,
    Share,
)
from recbench.datasets.foundation import compile_lazily

TO_SAVE_TIME = f"here: {TOIS_2021} go up to 500 and stop early"


@dataclass(eq=False)
class FunkSVD(LearnsFromLikes, Factorised):
    """score(u, i) = p_u . q_i, near 1 for likes and near 0 for pairs that are drawn against them.

    One step a draw, as many an epoch as there are likes: a user, each with the same chance, then
    with the chance `liked_share` one of its likes, else an item that it does not like. A step goes
    down (x_ui - p_u . q_i)^2 + user_regularisation |p_u|^2 + item_regularisation |q_i|^2 at a rate
    that adagrad sets for each factor (Duchi, Hazan and Singer 2011). It is the "FunkSVD" of Ferrari
    Dacrema et al. 2021, "A troubling analysis of reproducibility and progress in recommender
    systems research", for interactions instead of ratings. What they call the negative quota is
    `liked_share`: their program draws a like as often as it says. Their item regularisation is
    read and never used, hence the 0.

    Defaults: theirs for MovieLens 100k; optimiser and epochs, which they do not give, are what
    their rule, early stopping on a tenth of each user's training ratings, leads to here. A user or
    item without likes scores 0.
    """

    name = "funk-svd"
    family = "factors"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "paper",
        "Ferrari Dacrema et al. 2021; rate and epochs by their rule, early stopping",
        ("movielens-100k",),
        (
            "n_factors",
            "n_epochs",
            "learning_rate",
            "user_regularisation",
            "liked_share",
        ),
    )
    n_factors: Annotated[Count, Search(1, 200, TOIS_2021, log=True)] = 16
    n_epochs: Annotated[Count, Search(5, 200, TO_SAVE_TIME, log=True)] = 100
    learning_rate: Annotated[Positive, Search(1e-4, 0.1, TOIS_2021, log=True)] = 0.1
    user_regularisation: Annotated[NonNegative, Search(1e-5, 0.01, TOIS_2021, log=True)] = 0.01
    item_regularisation: Annotated[NonNegative, Search(1e-5, 0.01, TOIS_2021, log=True)] = 0.0
    liked_share: Annotated[Share, Search(0, 0.5, TOIS_2021)] = 0.0782
    init_deviation: Positive = 0.1
    relevant_share: Share = 0.75

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Descend from small random factors; users who like everything or nothing are not drawn."""
        n_users, n_items = data.shape
        rng = np.random.default_rng(seed)
        self.P_ = rng.normal(0, self.init_deviation, (n_users, self.n_factors))
        self.Q_ = rng.normal(0, self.init_deviation, (n_items, self.n_factors))

        likes_of_user = np.diff(data.indptr)
        drawn = np.flatnonzero((likes_of_user > 0) & (likes_of_user < n_items))
        if len(drawn):
            _descend(
                drawn,
                data.indptr,
                data.indices,
                self.P_,
                self.Q_,
                self.n_epochs,
                self.learning_rate,
                self.user_regularisation,
                self.item_regularisation,
                self.liked_share,
                seed,
            )

        self.P_[likes_of_user == 0] = 0
        self.Q_[np.bincount(data.indices, minlength=n_items) == 0] = 0


@compile_lazily(fastmath={"reassoc", "contract", "nsz", "arcp"})  # NaN stays NaN
def _descend(
    drawn: Any,
    starts: Any,
    likes: Any,
    P: Any,
    Q: Any,
    n_epochs: int,
    rate: float,
    user_decay: float,
    item_decay: float,
    liked_share: float,
    seed: int,
) -> None:
    """Move P and Q in place, one draw after the other.

    likes[starts[u]:starts[u + 1]] are the items that u likes, ascending; `drawn` are the users.
    """
    np.random.seed(seed)
    n_factors = P.shape[1]
    P_squares = np.zeros_like(P)  # the sums of squared slopes, which shorten the steps
    Q_squares = np.zeros_like(Q)
    for _ in range(n_epochs * len(likes)):
        u = drawn[np.random.randint(0, len(drawn))]
        own = likes[starts[u] : starts[u + 1]]
        if np.random.random() <= liked_share:
            i = own[np.random.randint(0, len(own))]
            error = 1.0
        else:
            error = 0.0
            i = np.random.randint(0, len(Q))
            place = np.searchsorted(own, i)
            while place < len(own) and own[place] == i:
                i = np.random.randint(0, len(Q))
                place = np.searchsorted(own, i)

        for f in range(n_factors):
            error -= P[u, f] * Q[i, f]
        for f in range(n_factors):
            p_slope = error * Q[i, f] - user_decay * P[u, f]
            q_slope = error * P[u, f] - item_decay * Q[i, f]
            P_squares[u, f] += p_slope * p_slope
            Q_squares[i, f] += q_slope * q_slope
            P[u, f] += rate * p_slope / (np.sqrt(P_squares[u, f]) + 1e-8)
            Q[i, f] += rate * q_slope / (np.sqrt(Q_squares[i, f]) + 1e-8)
