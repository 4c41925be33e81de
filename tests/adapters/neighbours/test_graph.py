"""Walks, singular vectors and SAR against slow versions of their definitions."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recbench.datasets import Dataset
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY, dense_likes, everybody, fitted, taste


def walked(train: Ratings, alpha: float, beta: float) -> Any:
    """w_ij by its definition, one path at a time."""
    X = dense_likes(train)
    by_user = X.sum(axis=1)
    by_item = X.sum(axis=0)
    W = np.zeros((train.n_items, train.n_items))
    for i in range(train.n_items):
        for v in np.flatnonzero(X[:, i]):
            for j in np.flatnonzero(X[v]):
                if i != j:
                    W[i, j] += (
                        (1 / by_item[i]) ** alpha * (1 / by_user[v]) ** alpha / by_item[j] ** beta
                    )
    return W


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.85, 0.65), (0.0, 0.4), (1.3, 1.2)])
def test_rp3beta_is_its_definition(
    alpha: float, beta: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "recbench.adapters.neighbours.graph.WALK_BLOCK", 100
    )  # four items at a time
    train = taste()
    W = walked(train, alpha, beta)
    plain = fitted("rp3beta", train, alpha=alpha, beta=beta, n_neighbours=1000, normalise=False)
    np.testing.assert_allclose(plain.W_.toarray(), W, rtol=1e-5, atol=1e-7)


def test_rp3beta_keeps_and_scales_the_best_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbench.adapters.neighbours.graph.WALK_BLOCK", 100)
    train = taste()
    W = walked(train, 0.85, 0.65)
    few = fitted("rp3beta", train, alpha=0.85, beta=0.65, n_neighbours=4)
    W[np.sort(W, axis=1)[:, [-4]] > W] = 0
    W /= np.maximum(W.sum(axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(few.W_.toarray(), W, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        few.score_items(everybody(train)), dense_likes(train) @ W, rtol=1e-4, atol=1e-6
    )


def test_p3_rows_are_the_chances_of_a_walk() -> None:
    """With alpha 1 and beta 0 a walk from an item ends somewhere: back where it began, or with the
    chance w_ij.
    """
    train = taste()
    X = dense_likes(train)
    weights = fitted(
        "rp3beta", train, alpha=1.0, beta=0.0, n_neighbours=1000, normalise=False
    ).W_.toarray()
    known = X.any(axis=0)
    back = (X / np.maximum(X.sum(axis=1, keepdims=True), 1)).sum(axis=0)[known] / X.sum(axis=0)[
        known
    ]
    np.testing.assert_allclose(weights[known].sum(axis=1) + back, 1, rtol=1e-5)


@pytest.mark.parametrize("relevant_share", [None, 0.0, 0.75])
@pytest.mark.parametrize("n_factors", [1, 5, 23, 500])
def test_pure_svd_is_numpys(n_factors: int, relevant_share: float | None) -> None:
    train = taste()
    R = np.zeros((train.n_users, train.n_items))
    R[train.users, train.items] = train.values
    if relevant_share is not None:
        R = (1 + 4 * relevant_share <= R).astype(float)
    U, s, V = np.linalg.svd(R, full_matrices=False)
    expected = (U[:, :n_factors] * s[:n_factors]) @ V[:n_factors]
    svd = fitted("pure-svd", train, n_factors=n_factors, relevant_share=relevant_share)
    np.testing.assert_allclose(svd.score_items(everybody(train)), expected, rtol=0, atol=1e-5)


def test_pure_svd_does_not_depend_on_the_start() -> None:
    train = taste()
    scores = []
    for seed in (1, 1, 2):
        svd = fitted("pure-svd", train, n_factors=5)
        svd.fit(svd.convert(train, EMPTY), seed)
        scores.append(svd.score_items(everybody(train)))
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_allclose(scores[0], scores[2], rtol=0, atol=1e-5)


def test_stored_zeros_are_nothing_to_decompose() -> None:
    """ARPACK refuses to start with zeros."""
    train = taste()
    zeros = replace(train, values=np.zeros_like(train.values), scale=(0.0, 5.0))
    assert not fitted("pure-svd", zeros).score_items(everybody(zeros)).any()


def test_a_pair_rated_twice_has_the_mean_in_pure_svd() -> None:
    users = np.array([0, 0, 1], np.int32)
    items = np.array([0, 0, 1], np.int32)
    train = Ratings(users, items, np.array([2, 5, 4], np.float32), 2, 2, (1.0, 5.0))
    scores = fitted("pure-svd", train, n_factors=2).score_items(everybody(train))
    np.testing.assert_allclose(scores, np.diag([3.5, 4.0]), atol=1e-6)


def sar_scores(train: Ratings, kind: str, days: float | None) -> Any:
    """SAR as its authors describe it, with dictionaries; time runs to the last rating of all."""
    rated: dict[int, dict[int, float]] = defaultdict(dict)
    times = np.zeros(len(train)) if train.times is None else train.times
    for user, item, stars, time in zip(train.users, train.items, train.values, times, strict=True):
        age = (times.max() - time) / 86400
        rated[int(user)][int(item)] = float(stars) * (1 if days is None else 2 ** (-age / days))
    seen = {i: {u for u in rated if i in rated[u]} for i in range(train.n_items)}
    scores = np.zeros((train.n_users, train.n_items))
    for user, own in rated.items():
        for j in range(train.n_items):
            for i, affinity in own.items():
                both = len(seen[i] & seen[j])
                either = len(seen[i] | seen[j])
                product = len(seen[i]) * len(seen[j])
                similarity = {
                    "jaccard": both / either,
                    "lift": product and both / product,
                    "cooccurrence": both,
                }[kind]
                scores[user, j] += affinity * similarity
    return scores


@pytest.mark.parametrize("kind", ["jaccard", "lift", "cooccurrence"])
@pytest.mark.parametrize("days", [None, 30.0])
@pytest.mark.parametrize("times", [True, False])
def test_sar_is_its_definition(kind: str, days: float | None, times: bool) -> None:
    train = taste(20, 12, 120, times=times)
    sar = fitted("sar", train, similarity_type=kind, time_decay_coefficient=days)
    scores = sar.score_items(everybody(train))
    expected = sar_scores(train, kind, days)
    for user in everybody(train):
        largest = expected[user].max()
        unit = scores[user].max() / largest if largest else 1.0  # the user's own clock is a factor
        np.testing.assert_allclose(scores[user], expected[user] * unit, rtol=1e-4, atol=1e-6)
        assert (days is not None and times) or unit == pytest.approx(1)


def test_sar_of_users_long_gone_does_not_vanish() -> None:
    train = taste(20, 12, 120, times=True)
    assert train.times is not None
    years = np.where(train.users == 0, 0, 30 * 365 * 86400)
    old = Ratings(train.users, train.items, train.values, 20, 12, train.scale, train.times + years)
    user = np.array([0], np.int32)
    np.testing.assert_array_equal(
        fitted("sar", old).score_items(user), fitted("sar", train).score_items(user)
    )


def test_sar_is_microsofts_on_microsofts_split(movielens: Dataset) -> None:
    """nDCG@10 .393819, precision@10 .3406, recall@10 .1854, as published for their split in July
    2025.

    Three quarters of each item's ratings for training, drawn by numpy's generator with seed 42,
    items in the order of their ids; every test item counts as relevant.
    """
    ratings = movielens.ratings
    np.random.seed(42)
    order = np.lexsort((np.random.rand(len(ratings)), movielens.item_ids[ratings.items]))
    counts = np.bincount(ratings.items)
    _, first, sizes = np.unique(
        movielens.item_ids[ratings.items[order]], return_index=True, return_counts=True
    )
    place = np.arange(len(order)) - np.repeat(first, sizes)
    is_train = place < np.rint(0.75 * counts[ratings.items[order]])
    train = ratings.take(np.sort(order[is_train]))
    test = ratings.take(np.sort(order[~is_train]))
    assert (len(train), len(test)) == (75066, 24934)
    scores = fitted("sar", train).score_items(everybody(train))
    scores[train.users, train.items] = -np.inf
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    relevant = np.zeros(scores.shape, bool)
    relevant[test.users, test.items] = True
    n_relevant = relevant.sum(axis=1)
    hits = np.take_along_axis(relevant, top, axis=1)[n_relevant > 0]
    n_relevant = n_relevant[n_relevant > 0]
    discounts = 1 / np.log2(np.arange(2, 12))
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, 10) - 1]
    assert np.mean(hits @ discounts / ideal) == pytest.approx(0.393819, abs=5e-5)
    assert hits.mean() == pytest.approx(0.3406, abs=1e-4)
    assert np.mean(hits.sum(axis=1) / n_relevant) == pytest.approx(0.1854, abs=1e-4)


def test_rp3beta_keeps_the_best_of_each_column_after_scaling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recbench.adapters.neighbours.graph.WALK_BLOCK", 100)
    train = taste()
    rows = fitted("rp3beta", train, n_neighbours=4).W_.toarray()
    both = fitted("rp3beta", train, n_neighbours=4, trim_columns=True).W_.toarray()
    rows[np.sort(rows, axis=0)[[-4]] > rows] = 0
    assert (np.count_nonzero(both, axis=0) <= 4).all()
    np.testing.assert_allclose(both, rows, rtol=1e-6)
