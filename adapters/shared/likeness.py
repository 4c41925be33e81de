"""What several algorithms say of their own answers: which items are alike, and what a score is made
of.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.base import Floats, Indices

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def list_most_similar(similarities: NDArray[Any], item: int, n: int) -> tuple[Indices, Floats]:
    """The `n` items with the largest of `similarities`, (n_items,), and these; without `item`.

    The most similar first, ties by index; fewer where there are no more items.
    """
    largest_first = np.argsort(-similarities, kind="stable")
    others = largest_first[largest_first != item][:n]
    return others.astype(np.int32), np.asarray(similarities[others], np.float32)


def attribute_to_own_items(
    own_items: Indices, votes: NDArray[Any], ratings: "csr_matrix"
) -> tuple[Indices, Floats]:
    """What each of a user's own items stands for in the votes of other users for an item.

    `votes` has one for each user, 0 for who has none, and `ratings` a row for each. An item gets
    the votes of those who have rated it, too: they are why these users are near. The items are
    `own_items` themselves.
    """
    from scipy.sparse import csr_matrix

    voters = np.flatnonzero(votes)
    rated = ratings[voters]
    ones = csr_matrix((np.ones(rated.nnz), rated.indices, rated.indptr), rated.shape)
    by_item = np.asarray(votes[voters] @ ones).ravel()
    return own_items, by_item[own_items].astype(np.float32)
