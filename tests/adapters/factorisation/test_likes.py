"""Factorisations of likes: the exact alternation, the descent and scikit-learn's, by what they
minimise.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recbench.datasets.ratings import Ratings
from tests.adapters.planted import dense_likes, everybody, fitted, taste


def without_ratings(train: Ratings, user: int, item: int) -> Ratings:
    return train.take(np.flatnonzero((train.users != user) & (train.items != item)))


@pytest.mark.parametrize(("confidence", "extra"), [("linear", 2.0), ("log", 2 * np.log(5))])
def test_no_row_of_items_could_be_better_than_ials_has_it(confidence: str, extra: float) -> None:
    """The items were solved last: each minimises its part of the objective, by the formula."""
    train = taste()
    X = dense_likes(train)
    als = fitted(
        "ials", train, n_factors=3, n_epochs=4, confidence=confidence, alpha=2.0, epsilon=0.25,
        regularisation=0.5,
    )  # fmt: skip
    for item in range(train.n_items - 1):  # nobody likes the last
        C = np.diag(1 + extra * X[:, item])
        normal = als.P_.T @ C @ als.P_ + 0.5 * np.eye(3)
        expected = np.linalg.solve(normal, als.P_.T @ C @ X[:, item])
        np.testing.assert_allclose(als.Q_[item], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["ials", "funk-svd", "nmf"])
def test_who_likes_nothing_and_what_nobody_likes_scores_0(name: str) -> None:
    train = without_ratings(taste(), user=3, item=4)
    rows = fitted(name, train).score_items(everybody(train))
    np.testing.assert_allclose(rows[3], 0, atol=1e-6)
    np.testing.assert_allclose(rows[:, 4], 0, atol=1e-6)
    nothing = replace(train, values=np.ones_like(train.values))
    assert not fitted(name, nothing).score_items(everybody(nothing)).any()


@pytest.mark.parametrize("start", ["random", "nndsvda"])
def test_nmf_has_no_negative_factor_and_comes_near_the_likes(start: str) -> None:
    train = taste()
    X = dense_likes(train)
    few, many = (fitted("nmf", train, n_factors=n, start=start) for n in (2, 20))
    assert many.P_.min() >= 0
    assert many.Q_.min() >= 0
    errors = [
        float(((X - model.score_items(everybody(train))) ** 2).sum()) for model in (few, many)
    ]
    assert errors[1] < errors[0] / 4 < (X**2).sum() / 4


def test_funk_svd_draws_likes_as_often_as_it_says() -> None:
    """With nothing but likes all scores go to 1; with no likes at all they go to 0."""
    train = taste()
    X = dense_likes(train)
    liked = X > 0

    def scores(share: float) -> Any:
        model = fitted("funk-svd", train, liked_share=share, n_epochs=200, user_regularisation=0.0)
        return model.score_items(everybody(train))

    assert abs(scores(1.0)[liked].mean() - 1) < 0.05
    assert abs(scores(0.0)[:-1, :-1][~liked[:-1, :-1]].mean()) < 0.05
    half = scores(0.5)
    assert half[liked].mean() > half[:-1, :-1][~liked[:-1, :-1]].mean() + 0.5
