"""What the recommendations are like beyond being right: how varied, how well known, how evenly shown."""

import numpy as np
from scipy.sparse import csr_matrix

from recbench.benchmarks.metrics.registry import (
    Doubles,
    RecommendationLists,
    list_metric,
    set_metric,
)


def _shown(listed: RecommendationLists, k: int) -> csr_matrix:
    """The lists x items matrix of the first k recommendations, float64 ones."""
    top = listed.top_items[:, :k]
    rows = np.repeat(np.arange(len(top)), listed.lengths(k))
    items = top[top >= 0]
    return csr_matrix((np.ones(len(items)), (rows, items)), (len(top), len(listed.n_ratings)))


@set_metric("higher", "share")
def catalogue_coverage(listed: RecommendationLists, k: int) -> float:
    """Share of the items of the catalogue that stand in at least one user's first k."""
    return float((_shown(listed, k).getnnz(axis=0) > 0).mean())


@set_metric("lower", "share")
def gini(listed: RecommendationLists, k: int) -> float:
    """Gini coefficient of exposure: how unevenly the places in all users' first k are spread over the items of the
    catalogue; 0 if every item is shown equally often, near 1 if few items get all places (Fleder and Hosanagar 2009).
    """
    exposure = np.sort(np.asarray(_shown(listed, k).sum(axis=0)).ravel())
    n, total = len(exposure), exposure.sum()
    return (
        float(((2 * np.arange(1, n + 1) - n - 1) @ exposure) / (n * total))
        if total
        else float("nan")
    )


@list_metric("higher", "bits")
def novelty(listed: RecommendationLists, k: int) -> Doubles:
    """Mean self-information of the first k: -log2 of the share of training users who rated the item, one user who
    rated everything being added, so that it is finite for items nobody rated (Zhou et al. 2010).
    """
    return listed.mean(-np.log2((listed.n_ratings + 1) / (listed.n_users + 1)), k)


@list_metric("zero", "ratio")
def popularity_bias(listed: RecommendationLists, k: int) -> Doubles:
    """Popularity lift: by which part the first k have on average more training ratings than the items the user rated
    in training; 0 if the recommendations are as popular as the user's own taste (Abdollahpouri et al. 2020).
    """
    return listed.mean(listed.n_ratings.astype(np.float64), k) / listed.profile - 1


@list_metric("higher", "share")
def diversity(listed: RecommendationLists, k: int) -> Doubles:
    """Intra-list diversity: 1 - the mean cosine between all pairs of the first k, by genres, or by the TF-IDF of the
    overviews where there are no genres (Ziegler et al. 2005). A list of fewer than two items is left out.
    """
    if listed.features is None:
        return np.full(len(listed.top_items), np.nan)
    shown, n = _shown(listed, k), listed.lengths(k).astype(np.float64)
    sums = (shown @ listed.features).power(2).sum(axis=1)
    own = shown @ np.asarray(listed.features.power(2).sum(axis=1)).ravel()
    similar = np.asarray(sums).ravel() - own
    pairs = n * (n - 1)
    return np.asarray(1 - np.divide(similar, pairs, out=np.full(len(n), np.nan), where=pairs > 0))
