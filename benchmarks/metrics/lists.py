"""What the recommendations are like beyond being right.

How varied they are, how well known, and how evenly they are spread over the catalogue.
"""

import numpy as np
from scipy.sparse import csr_matrix

from recbench.benchmarks.metrics.registry import (
    Doubles,
    RecommendationLists,
    list_metric,
    set_metric,
)


def _recommendation_matrix(lists: RecommendationLists, k: int) -> csr_matrix:
    """The lists x items matrix of the first k recommendations, float64 ones."""
    top = lists.top_items[:, :k]
    rows = np.repeat(np.arange(len(top)), lists.lengths(k))
    items = top[top >= 0]
    return csr_matrix((np.ones(len(items)), (rows, items)), (len(top), len(lists.n_ratings)))


@set_metric("higher", "share")
def catalogue_coverage(lists: RecommendationLists, k: int) -> float:
    """Share of the items of the catalogue that appear in at least one user's first k."""
    return float((_recommendation_matrix(lists, k).getnnz(axis=0) > 0).mean())


@set_metric("lower", "share")
def gini(lists: RecommendationLists, k: int) -> float:
    """Gini coefficient of exposure: how unevenly the places in all users' first k are spread over
    the items of the catalogue; 0 if every item is shown equally often, near 1 if few items get all
    places (Fleder and Hosanagar 2009).
    """
    n_places_of_item = np.asarray(_recommendation_matrix(lists, k).sum(axis=0)).ravel()
    exposure = np.sort(n_places_of_item)
    n_items = len(exposure)
    n_places = exposure.sum()
    if not n_places:
        return float("nan")
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((weights @ exposure) / (n_items * n_places))


@list_metric("higher", "bits")
def novelty(lists: RecommendationLists, k: int) -> Doubles:
    """Mean self-information of the first k: -log2 of the share of training users who rated the
    item, one user who rated everything being added, so that it is finite for items nobody rated
    (Zhou et al. 2010).
    """
    share_of_users = (lists.n_ratings + 1) / (lists.n_users + 1)
    return lists.mean(-np.log2(share_of_users), k)


@list_metric("zero", "ratio")
def popularity_bias(lists: RecommendationLists, k: int) -> Doubles:
    """Popularity lift: the mean number of training ratings of the first k items, divided by that
    of the items the user rated in training (of a new user, the items that are told), minus 1; 0 if
    both are equally popular (Abdollahpouri et al. 2020).
    """
    popularity = lists.mean(lists.n_ratings.astype(np.float64), k)
    return popularity / lists.profile - 1


@list_metric("higher", "share")
def diversity(lists: RecommendationLists, k: int) -> Doubles:
    """Intra-list diversity: 1 - the mean cosine between all pairs of the first k, by genres, or by
    the TF-IDF of the overviews where there are no genres (Ziegler et al. 2005). A list of fewer
    than two items is left out.
    """
    if lists.features is None:
        return np.full(len(lists.top_items), np.nan)
    recommended = _recommendation_matrix(lists, k)
    lengths = lists.lengths(k).astype(np.float64)

    # The cosines of all ordered pairs of a list add up to |sum of its features|^2, in which each
    # item
    # is also paired with itself.
    with_themselves = np.asarray((recommended @ lists.features).power(2).sum(axis=1)).ravel()
    themselves = recommended @ np.asarray(lists.features.power(2).sum(axis=1)).ravel()
    similarity = with_themselves - themselves

    n_pairs = lengths * (lengths - 1)
    undefined = np.full(len(lengths), np.nan)
    mean_similarity = np.divide(similarity, n_pairs, out=undefined, where=n_pairs > 0)
    return np.asarray(1 - mean_similarity)
