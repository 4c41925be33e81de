"""What every factorisation shares: its scores are biases plus a product of two factor matrices."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.adapters.shared.likeness import list_most_similar

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PAIRS_AT_ONCE = 1 << 16  # bounds the memory of gathered factors: 52 MB for 100 of them


class Factorised(Recommender):
    """score(u, i) = mean + b_u + b_i + p_u . q_i, from the arrays that `fit` leaves.

    Biases may be left out. The arrays may be of any precision; scores are float32.
    """

    P_: NDArray[Any]  # (n_users, n_factors)
    Q_: NDArray[Any]  # (n_items, n_factors)
    mean_: np.floating[Any] = np.float32(0)
    user_biases_: NDArray[Any] | None = None  # (n_users,)
    item_biases_: NDArray[Any] | None = None  # (n_items,)

    def score(self, users: Indices, items: Indices) -> Floats:
        """mean + b_u + b_i + p_u . q_i for each pair."""
        scores = self.products_of_pairs(users, items)

        scores += self.mean_
        if self.user_biases_ is not None:
            scores += self.user_biases_[users]
        if self.item_biases_ is not None:
            scores += self.item_biases_[items]
        return np.asarray(scores, np.float32)

    def score_items(self, users: Indices) -> Floats:
        """The same for every item, as one matrix product."""
        scores = self.products_with_items(users)

        scores += self.mean_
        if self.user_biases_ is not None:
            scores += self.user_biases_[users][:, None]
        if self.item_biases_ is not None:
            scores += self.item_biases_
        return np.asarray(scores, np.float32)

    def products_of_pairs(self, users: Indices, items: Indices) -> NDArray[Any]:
        """p_u . q_i for each pair, of shape (len(users),), in the precision of the factors."""
        products = np.empty(len(users), self.P_.dtype)
        for start in range(0, len(users), PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            users_here = users[pairs]
            items_here = items[pairs]
            user_factors = self.P_[users_here]
            item_factors = self.Q_[items_here]
            np.einsum("jf,jf->j", user_factors, item_factors, out=products[pairs])
        return products

    def products_with_items(self, users: Indices) -> NDArray[Any]:
        """p_u . q_i for every item, of shape (len(users), n_items), in the factors' precision."""
        products: NDArray[Any] = self.P_[users] @ self.Q_.T
        return products

    def similar(self, item: int, n: int = 10) -> tuple[Indices, Floats]:
        """The items with the largest cosine between their factors and those of `item`."""
        products = self.Q_ @ self.Q_[item]
        lengths = np.linalg.norm(self.Q_, axis=1)
        has_length = lengths * lengths[item] > 0
        cosines = np.zeros(len(lengths))
        np.divide(products, lengths * lengths[item], out=cosines, where=has_length)
        return list_most_similar(cosines, item, n)


def solve_likes(
    likes: "csr_matrix",
    items: NDArray[np.float64],
    products: NDArray[np.float64],
    extra: float,
    regularisation: float,
) -> NDArray[np.float64]:
    """Half a step of weighted alternating least squares: the factors p of each row of `likes`.

    Each minimises sum over all items of c_i (x_i - p . q_i)^2 + regularisation * |p|^2, where q_i
    are the rows of `items`, x_i is 1 and c_i is 1 + `extra` for likes, and x_i is 0 and c_i is 1
    for the rest (Hu, Koren and Volinsky 2008). `products` are items' items. Zeros without likes.
    """
    of_all_items = products + regularisation * np.eye(items.shape[1])
    factors = np.zeros((likes.shape[0], items.shape[1]))
    for row in range(likes.shape[0]):
        liked = items[likes.indices[likes.indptr[row] : likes.indptr[row + 1]]]
        if len(liked):
            normal = of_all_items + extra * (liked.T @ liked)
            factors[row] = np.linalg.solve(normal, (1 + extra) * liked.sum(axis=0))
    return factors
