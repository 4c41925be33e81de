"""Random walks over the graph of users and the items they like."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.interactions import ItemItem, LearnsFromLikes, dense_product
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import TOIS_2021, Choose, Count, NonNegative, Search, Share
from recbench.datasets.ratings import Catalogue, Ratings

WALK_BLOCK = 1 << 22  # entries of the item-item matrix held dense at a time
BYTES_PER_NEIGHBOUR = 8  # its index and its weight


@dataclass(eq=False)
class RP3Beta(LearnsFromLikes, ItemItem):
    """score(u, j) = sum over the user's likes i of w_ij, the weights of walks from i to j.

    w_ij = sum over users v of p_iv^alpha p_vj^alpha / d_j^beta. A walk of three steps from the user
    over an item and another user to an item, with p the transition probabilities (one over the
    degree), and popular items, of degree d_j, held back (Cooper et al. 2014 for alpha; Christoffel,
    Paudel, Newell and Bernstein 2015, Paudel et al. 2016 for beta). Of each item's w_ij the
    `n_neighbours` largest are kept and, with `normalise`, scaled to a sum of 1. With `trim_columns`
    the `n_neighbours` largest that then lead to each item are kept of these, as in the program of
    Ferrari Dacrema et al. The first step from a user is the same for all of its items and left out.
    With a beta of 0 it is P3alpha.

    Defaults: near what Ferrari Dacrema et al. (TOIS 2021) tuned for MovieLens 100k (topK 311 and
    324, alpha .40 and .86, beta .52 and .66 on two splits). A user without likes scores 0
    everywhere.
    """

    name = "rp3beta"
    requires = ("numba",)
    family = "graph"
    origin = Origin(
        "paper",
        "near Ferrari Dacrema et al. 2021",
        ("movielens-100k",),
        ("n_neighbours", "alpha", "beta"),
    )
    n_neighbours: Annotated[Count, Search(5, 1000, TOIS_2021, log=True)] = 300
    alpha: Annotated[NonNegative, Search(0, 2, TOIS_2021)] = 0.85
    beta: Annotated[NonNegative, Search(0, 2, TOIS_2021)] = 0.5
    normalise: Annotated[bool, Choose(TOIS_2021)] = True
    trim_columns: bool = False
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The kept neighbours have to fit twice, since they are put together from blocks."""
        n_kept = train.n_items * min(self.n_neighbours, train.n_items)
        return reason_to_skip(
            2 * BYTES_PER_NEIGHBOUR * n_kept,
            memory_mb,
            purpose="its neighbours",
            advice="fewer n_neighbours",
        )

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Walk from some items at a time and keep their best neighbours; nothing is random."""
        n_items = data.shape[1]
        users_to_items = _divide_by_row_sums(data, self.alpha)
        items_to_users = _divide_by_row_sums(data.T.tocsr(), self.alpha)
        degrees = np.bincount(data.indices, minlength=n_items).astype(np.float32)
        held_back = np.maximum(degrees, 1) ** np.float32(-self.beta)

        block = max(1, WALK_BLOCK // n_items)
        kept_blocks = []
        for start in range(0, n_items, block):
            first_steps = items_to_users[start : start + block]
            chances = dense_product(first_steps, users_to_items)
            walks = chances * held_back
            np.fill_diagonal(walks[:, start:], 0)  # an item is not its own neighbour
            kept_blocks.append(_keep_largest(walks, self.n_neighbours))

        weights = vstack(kept_blocks, format="csr")
        if self.normalise:
            weights = _divide_by_row_sums(weights)
        if self.trim_columns:
            weights = _trim_columns(weights, self.n_neighbours)
        self.X_ = data
        self.W_ = weights


def _divide_by_row_sums(matrix: csr_matrix, power: float = 1.0) -> csr_matrix:
    """Each stored entry divided by the sum of its row, to the power of `power`, float32."""
    sums = np.asarray(matrix.sum(axis=1), np.float32).ravel()
    sum_of_entry = np.repeat(sums, np.diff(matrix.indptr))
    shares = (matrix.data / sum_of_entry) ** np.float32(power)
    return csr_matrix((shares, matrix.indices, matrix.indptr), matrix.shape)


def _keep_largest(rows: Floats, n: int) -> csr_matrix:
    """The `n` largest entries of each row as a sparse matrix, without zeros."""
    if n < rows.shape[1]:
        smallest_first = np.argpartition(rows, -n)
        kept = smallest_first[:, -n:]
        values = np.take_along_axis(rows, kept, axis=1)

        # Whatever is not kept is a zero, and sparse matrices hold none.
        rows = np.zeros_like(rows)
        np.put_along_axis(rows, kept, values, axis=1)
    return csr_matrix(rows)


def _trim_columns(matrix: csr_matrix, n: int) -> csr_matrix:
    """`matrix` with the `n` largest entries of each column, some columns dense at a time."""
    n_rows, n_columns = matrix.shape
    by_column = matrix.T.tocsr()

    block = max(1, WALK_BLOCK // n_rows)
    kept_blocks = []
    for start in range(0, n_columns, block):
        columns = by_column[start : start + block].toarray()
        kept_blocks.append(_keep_largest(columns, n))

    kept = vstack(kept_blocks, format="csr")
    return kept.T.tocsr()
