"""PureSVD: what is left of the user-item matrix when its largest singular values are kept."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import matrix_of_likes
from recbench.adapters.shared.parameters import TOIS_2021, Count, Search, Share
from recbench.datasets.ratings import Catalogue, Ratings


@dataclass(eq=False)
class PureSVD(Factorised):
    """score(u, i) = r_u Q q_i', where Q holds the right singular vectors of the ratings' matrix R.

    R is users x items, and its missing entries are zeros (Cremonesi, Koren and Turrin 2010,
    "Performance of Recommender Algorithms on Top-N Recommendation Tasks"). As in the paper R has
    the ratings themselves, as stars from 1 on, so that a missing rating is below the lowest; with a
    `relevant_share` it has ones for likes. Default: 15 factors, among the 13 to 24 that Ferrari
    Dacrema et al. (TOIS 2021) tuned for MovieLens 100k; larger data want about 50. The seed is that
    of Lanczos' starting vector, and shows in the last digits only.
    """

    name = "pure-svd"
    family = "factors"
    predicts = "order"
    units = "scale"
    origin = Origin(
        "paper", "among those of Ferrari Dacrema et al. 2021", ("movielens-100k",), ("n_factors",)
    )
    n_factors: Annotated[Count, Search(1, 350, TOIS_2021)] = 15
    relevant_share: Share | None = None

    def convert(self, train: Ratings, catalogue: Catalogue) -> csr_matrix:
        """The users x items matrix of ratings or, with a `relevant_share`, of likes.

        A pair rated twice has the mean of its ratings.
        """
        return self._matrix_of(train)

    def _matrix_of(self, ratings: Ratings) -> csr_matrix:
        if self.relevant_share is not None:
            return matrix_of_likes(ratings, self.relevant_share)

        pairs = (ratings.users, ratings.items)
        shape = (ratings.n_users, ratings.n_items)
        matrix = csr_matrix((ratings.values, pairs), shape)
        times_rated = csr_matrix((np.ones_like(ratings.values), pairs), shape)
        matrix.data /= times_rated.data  # both have summed what was rated twice
        return matrix

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Take the right singular vectors of the largest singular values."""
        self.Q_ = _right_singular_vectors(data, self.n_factors, seed)
        self.P_ = np.asarray(data @ self.Q_, np.float32)

    def fold_in(self, ratings: Ratings) -> Floats:
        """Projection: r_u Q Q' of the row of what is told, as for the users in training."""
        factors = np.asarray(self._matrix_of(ratings) @ self.Q_, np.float32)
        return np.asarray(factors @ self.Q_.T, np.float32)


def _right_singular_vectors(matrix: csr_matrix, n: int, seed: int) -> Floats:
    """Those of the `n` largest singular values, float32 of shape (n_columns, n).

    Fewer if the matrix has fewer, and one column of zeros if it has nothing but zeros.
    """
    if not matrix.count_nonzero():  # zeros may be stored
        return np.zeros((matrix.shape[1], 1), np.float32)

    n_singular = min(matrix.shape)
    if n < n_singular:  # Lanczos' method needs something to leave out
        start = np.random.default_rng(seed).uniform(0.5, 1.5, n_singular)
        _, _, rows = svds(matrix.astype(np.float64), k=n, v0=start)
    else:
        _, _, all_rows = np.linalg.svd(matrix.toarray(), full_matrices=False)
        rows = all_rows[:n]
    return np.ascontiguousarray(rows.T, np.float32)
