"""How well recommendations hit what the user liked in the test part; k is how many of them are
looked at.
"""

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.metrics.registry import Doubles, RankedHits, ranking_metric


@ranking_metric("higher", "share", headline=True)
def precision(lists: RankedHits, k: int) -> Doubles:
    """Relevant items among the first k, divided by k, even if fewer items were relevant."""
    return lists.n_hits(k) / k


@ranking_metric("higher", "share", headline=True)
def recall(lists: RankedHits, k: int) -> Doubles:
    """Relevant items among the first k, divided by the number of the user's relevant test items."""
    return lists.n_hits(k) / lists.n_relevant


@ranking_metric("higher", "share")
def capped_recall(lists: RankedHits, k: int) -> Doubles:
    """Relevant items among the first k, divided by as many as could be there: the smaller of k and
    the number of the user's relevant test items (Liang et al. 2018).
    """
    return lists.n_hits(k) / np.minimum(k, lists.n_relevant)


@ranking_metric("higher", "share", headline=True)
def ndcg(lists: RankedHits, k: int) -> Doubles:
    """Normalised discounted cumulative gain with binary relevance: the sum of 1 / log2(1 + rank)
    over the hits in the first k, divided by its value for a perfect list, sum of 1 / log2(1 + rank)
    for rank = 1 .. min(k, number of relevant test items) (Järvelin and Kekäläinen 2002).
    """
    return _share_of_ideal(lists, k, np.minimum(k, lists.n_relevant))


@ranking_metric("higher", "share")
def full_ndcg(lists: RankedHits, k: int) -> Doubles:
    """As nDCG, but divided by the value of a perfect list of all relevant test items, however many
    places the list has: with more than k of them even a perfect list stays below 1 (Ferrari Dacrema
    et al. 2021 evaluate so).
    """
    return _share_of_ideal(lists, k, lists.n_relevant)


def _share_of_ideal(lists: RankedHits, k: int, n_ideal: NDArray[np.int64]) -> Doubles:
    """The discounted hits in the first k, divided by those of a list of `n_ideal` hits."""
    hits = lists.hits[:, :k].astype(np.float64)
    n_ranks = max(hits.shape[1], int(n_ideal.max(initial=0)))
    discounts = 1 / np.log2(np.arange(2, n_ranks + 2))

    # What a perfect list of n hits has, for n = 0, 1, 2, ...
    ideal_by_hits = np.concatenate([[0.0], np.cumsum(discounts)])
    ideal = ideal_by_hits[n_ideal]

    discounts_of_list = discounts[: hits.shape[1]]
    gained = hits @ discounts_of_list
    return np.asarray(gained / ideal)


@ranking_metric("higher", "share", name="map")
def average_precision(lists: RankedHits, k: int) -> Doubles:
    """Mean average precision: the precision of the list up to each hit in the first k, summed over
    the hits and divided by the smaller of k and the number of the user's relevant test items.
    """
    hits = lists.hits[:, :k].astype(np.float64)
    ranks = np.arange(1, hits.shape[1] + 1)
    precisions = np.cumsum(hits, axis=1) / ranks
    at_hits = (precisions * hits).sum(axis=1)
    return np.asarray(at_hits / np.minimum(k, lists.n_relevant))


@ranking_metric("higher", "share")
def mrr(lists: RankedHits, k: int) -> Doubles:
    """Mean reciprocal rank: 1 / rank of the first hit in the first k; 0 without one."""
    is_hit = lists.hits[:, :k] > 0
    first_rank = 1 + is_hit.argmax(axis=1)
    return np.where(is_hit.any(axis=1), 1 / first_rank, 0.0)


@ranking_metric("higher", "share")
def hit_rate(lists: RankedHits, k: int) -> Doubles:
    """Share of the users with at least one relevant item among the first k."""
    return (lists.n_hits(k) > 0).astype(np.float64)


@ranking_metric("higher", "share", has_cutoff=False)
def auc(lists: RankedHits, k: int) -> Doubles:
    """Area under the ROC curve: the share of pairs of a relevant and another candidate in which the
    relevant one has the higher score, a tie counting a half; a user all of whose candidates are
    relevant is left out (Rendle et al. 2009).
    """
    return lists.auc
