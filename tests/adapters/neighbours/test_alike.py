"""Neighbours by what users like, against the formulas written out pair by pair."""

from typing import Any

import numpy as np
import pytest

from recbench.datasets.ratings import Ratings
from tests.adapters.planted import dense_likes, everybody, fitted, taste


def similarity_of(kind: str, a: Any, b: Any, shrink: float) -> float:
    both = float(a @ b)
    if kind == "cosine":
        return both / (float(np.linalg.norm(a) * np.linalg.norm(b)) + shrink)
    size = float((a > 0).sum() + (b > 0).sum())
    return both / (size - (both if kind == "jaccard" else 0) + shrink)


def nearest(kind: str, rows: Any, k: int, shrink: float) -> Any:
    """Row r: the similarities of r to its k nearest others, all others 0."""
    n = len(rows)
    similarities = np.zeros((n, n))
    for r in range(n):
        for other in range(n):
            if r != other and rows[r].any() and rows[other].any():
                similarities[r, other] = similarity_of(kind, rows[r], rows[other], shrink)
    for row in similarities:
        row[np.argsort(-row, kind="stable")[k:]] = 0
    return similarities


def bm25(X: Any) -> Any:
    """The likes weighed by the formula of `item-knn`."""
    n_users, n_items = X.shape
    by_user = X.sum(axis=1)
    by_item = X.sum(axis=0)
    weights = np.zeros_like(X)
    for u in range(n_users):
        for i in range(n_items):
            length = 0.25 + 0.75 * by_item[i] / by_item.mean()
            idf = np.log((1 + n_items) / (1 + by_user[u]))
            weights[u, i] = X[u, i] * 2.2 / (1.2 * length + 1) * idf
    return weights


@pytest.mark.parametrize("kind", ["cosine", "dice", "jaccard"])
@pytest.mark.parametrize("shrink", [0.0, 3.0])
def test_users_count_for_whom_they_are_near_to(kind: str, shrink: float) -> None:
    train = taste()
    X = dense_likes(train)
    everyone = train.n_users  # ties at the last neighbour are cut in any order, so nobody is cut
    W = nearest(kind, X, everyone, shrink)
    rows = fitted(
        "user-knn", train, k=everyone, similarity=kind, shrink=shrink, weighting="none"
    ).score_items(everybody(train))
    np.testing.assert_allclose(rows, W.T @ X, rtol=1e-4, atol=1e-5)


def test_a_user_gets_the_likes_of_those_who_have_it_among_their_own_nearest() -> None:
    """User 2 is nearest to 1, who is nearer to 0: with one neighbour, 1 says nothing to 2."""
    likes = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (2, 3), (2, 4)]
    users, items = np.array(likes, np.int32).T.copy()
    train = Ratings(users, items, np.full(len(likes), 5, np.float32), 3, 5, (1.0, 5.0))
    rows = fitted("user-knn", train, k=1, weighting="none", shrink=0).score_items(everybody(train))
    assert not rows[2].any()
    assert rows[1, 4] > 0  # 2 has 1 as its nearest


def test_weights_choose_neighbours_and_likes_are_summed_up() -> None:
    train = taste()
    X = dense_likes(train)
    weights = bm25(X)
    users = fitted("user-knn", train, k=60, weighting="bm25", shrink=2.0)
    W = nearest("cosine", weights, 60, 2.0)
    np.testing.assert_allclose(users.score_items(everybody(train)), W.T @ X, rtol=1e-4, atol=1e-5)

    by_item = nearest("cosine", weights.T, 25, 4.0)
    for profiles, profile in (("likes", X), ("weighed", weights)):
        items = fitted(
            "item-knn", train, k=25, weighting="bm25", shrink=4.0, profiles=profiles
        ).score_items(everybody(train))
        np.testing.assert_allclose(items, profile @ by_item.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["dice", "jaccard"])
def test_sets_of_users_know_no_weights(kind: str) -> None:
    train = taste()
    X = dense_likes(train)
    W = nearest(kind, X.T, 25, 1.0)
    rows = fitted(
        "item-knn", train, k=25, similarity=kind, shrink=1.0, profiles="likes"
    ).score_items(everybody(train))
    np.testing.assert_allclose(rows, X @ W.T, rtol=1e-4, atol=1e-5)
