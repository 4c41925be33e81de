"""What every factorisation shares: its scores are biases plus a product of two factor matrices."""

import numpy as np

from adapters.base import Floats, Indices, Recommender


class Factorised(Recommender):
    """score(u, i) = mean + b_u + b_i + p_u . q_i, from the arrays that `fit` leaves; biases may be left out."""

    P_: Floats  # (n_users, n_factors)
    Q_: Floats  # (n_items, n_factors)
    mean_: np.float32 = np.float32(0)
    user_biases_: Floats | None = None  # (n_users,)
    item_biases_: Floats | None = None  # (n_items,)

    def score(self, users: Indices, items: Indices) -> Floats:
        """mean + b_u + b_i + p_u . q_i for each pair."""
        scores = np.einsum("jf,jf->j", self.P_[users], self.Q_[items]) + self.mean_
        if self.user_biases_ is not None:
            scores += self.user_biases_[users]
        if self.item_biases_ is not None:
            scores += self.item_biases_[items]
        return np.asarray(scores, np.float32)

    def score_items(self, users: Indices) -> Floats:
        """The same for every item, as one matrix product."""
        scores = self.P_[users] @ self.Q_.T + self.mean_
        if self.user_biases_ is not None:
            scores += self.user_biases_[users][:, None]
        if self.item_biases_ is not None:
            scores += self.item_biases_
        return np.asarray(scores, np.float32)
