"""PureSVD: what is left of the user-item matrix when only its largest singular values are kept."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from recbench.adapters.base import Floats
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import matrix_of_likes
from recbench.adapters.shared.parameters import Count, Share
from recbench.datasets.ratings import Catalogue, Ratings


@dataclass(eq=False)
class PureSVD(Factorised):
    """score(u, i) = r_u Q q_i', where Q holds the right singular vectors of the users x items matrix R.

    Missing entries are zeros (Cremonesi, Koren and Turrin 2010, "Performance of Recommender Algorithms on Top-N
    Recommendation Tasks"). As in the paper R has the ratings themselves, so that on a scale around zero a missing
    rating is a middling one; with a `relevant_share` it has ones for likes. Default: 15 factors, among the 13 to 24
    that Ferrari Dacrema et al. (TOIS 2021) tuned for MovieLens 100k; larger data want about 50. The seed is that of
    Lanczos' starting vector, and shows in the last digits only.
    """

    name = "pure-svd"
    family = "factors"
    predicts = "order"
    n_factors: Count = 15
    relevant_share: Share | None = None

    def convert(self, train: Ratings, catalogue: Catalogue) -> csr_matrix:
        """The users x items matrix, missing entries being zeros."""
        if self.relevant_share is not None:
            return matrix_of_likes(train, self.relevant_share)
        pairs, shape = (train.users, train.items), (train.n_users, train.n_items)
        ratings, counts = (
            csr_matrix((column, pairs), shape)
            for column in (train.values, np.ones_like(train.values))
        )
        ratings.data /= counts.data  # a pair rated twice has been summed
        return ratings

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Take the largest singular vectors."""
        self.Q_ = _right_singular_vectors(data, self.n_factors, seed)
        self.P_ = np.asarray(data @ self.Q_, np.float32)


def _right_singular_vectors(matrix: csr_matrix, n: int, seed: int) -> Floats:
    """Those of the `n` largest singular values, as columns; fewer if the matrix has fewer."""
    smaller = min(matrix.shape)
    if not matrix.nnz:
        return np.zeros((matrix.shape[1], 1), np.float32)
    if n < smaller:  # Lanczos' method needs something to leave out
        start = np.random.default_rng(seed).uniform(0.5, 1.5, smaller)
        _, _, rows = svds(matrix.astype(np.float64), k=n, v0=start)
    else:
        rows = np.linalg.svd(matrix.toarray(), full_matrices=False)[2][:n]
    return np.ascontiguousarray(rows.T, np.float32)
