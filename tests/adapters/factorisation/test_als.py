"""Alternating least squares against a slow version that follows the formulas."""

from typing import Any

import numpy as np
import pytest

from recbench.datasets import Dataset
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import everybody, fitted, taste


def objective(als: Any, train: Ratings) -> float:
    """What a fitted ALS says it minimises, from its arrays."""
    errors = train.values - als.score(train.users, train.items)
    total = float(np.sum(errors.astype(float) ** 2))
    for factors, biases, own in (
        (als.P_, als.user_biases_, train.users),
        (als.Q_, als.item_biases_, train.items),
    ):
        norms = np.sum(factors.astype(float) ** 2, axis=1) + (
            0 if biases is None else biases.astype(float) ** 2
        )
        counts = np.bincount(own, minlength=len(factors))
        total += als.regularisation * float(norms @ (counts if als.weighted else counts > 0))
    return total


def naive(
    train: Ratings, start: Any, n_epochs: int, regularisation: float, biased: bool, weighted: bool
) -> Any:
    """The training loop over dictionaries of ratings; the start is that of the adapter."""
    n_factors = start.shape[1] - 1
    mean = train.mean if biased else 0.0
    users = np.zeros((train.n_users, n_factors + 1))
    items = start.copy()
    for _ in range(n_epochs):
        for own, own_ids, other, other_ids in (
            (users, train.users, items, train.items),
            (items, train.items, users, train.users),
        ):
            for row in range(len(own)):
                mine = own_ids == row
                if not mine.any():
                    own[row] = 0
                    continue
                theirs = other[other_ids[mine]]
                target = train.values[mine] - mean - (theirs[:, -1] if biased else 0)
                A = (
                    np.column_stack([theirs[:, :-1], np.ones(len(theirs))])
                    if biased
                    else theirs[:, :-1]
                )
                weight = regularisation * (len(theirs) if weighted else 1)
                solution = np.linalg.inv(A.T @ A + weight * np.eye(A.shape[1])) @ A.T @ target
                own[row, : len(solution)] = solution
    return users, items


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_every_half_step_is_the_closed_form(biased: bool, weighted: bool) -> None:
    train = taste()
    als = fitted(
        "als", train, n_factors=3, n_epochs=4, regularisation=0.2, biased=biased, weighted=weighted
    )
    centred = train.values - np.float64(np.float32(train.mean) if biased else 0)
    start = als._draw_items(train, centred, np.random.default_rng(0))
    users, items = naive(train, start, 4, 0.2, biased, weighted)
    known_users = np.unique(train.users)
    known_items = np.unique(train.items)
    expected = users[:, :3] @ items[:, :3].T
    if biased:
        expected += train.mean + users[:, [3]] + items[:, 3]
    scores = als.score_items(known_users)[:, known_items]
    np.testing.assert_allclose(
        scores, expected[np.ix_(known_users, known_items)], rtol=0, atol=1e-4
    )
    pairs = als.score(train.users, train.items)
    np.testing.assert_allclose(pairs, expected[train.users, train.items], rtol=0, atol=1e-4)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_objective_never_rises_and_the_trace_is_true(biased: bool, weighted: bool) -> None:
    train = taste()
    totals = []
    for n_epochs in range(1, 8):
        als = fitted("als", train, n_factors=4, n_epochs=n_epochs, biased=biased, weighted=weighted)
        totals.append(objective(als, train))
        errors = train.values - als.score(train.users, train.items)
        assert [point["epoch"] for point in als.trace_] == list(range(1, n_epochs + 1))
        assert als.trace_[-1]["train_rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert (np.diff(totals) <= 1e-3).all()


def test_strangers_get_the_mean_or_the_mean_factors() -> None:
    train = taste()
    user = np.array([train.n_users - 1], np.int32)
    item = np.array([train.n_items - 1], np.int32)
    biased, plain = (fitted("als", train, biased=biased) for biased in (True, False))
    assert biased.score(user, item)[0] == pytest.approx(train.mean, rel=1e-5)
    np.testing.assert_allclose(
        biased.score_items(user)[0, :-1], train.mean + biased.item_biases_[:-1], rtol=1e-5
    )
    np.testing.assert_allclose(plain.P_[-1], plain.P_[:-1].mean(axis=0), rtol=1e-4, atol=1e-6)
    assert 2 < plain.score(user, item)[0] < 5


def test_a_pair_rated_twice_counts_twice() -> None:
    users = np.array([0, 0, 0, 1, 1], np.int32)
    items = np.array([0, 0, 1, 0, 1], np.int32)
    values = np.array([1, 5, 3, 4, 2], np.float32)
    train = Ratings(users, items, values, 2, 2, (1.0, 5.0))
    als = fitted("als", train, regularisation=1e-6, n_epochs=100, weighted=False)
    np.testing.assert_allclose(als.score_items(everybody(train)), [[3, 3], [4, 2]], atol=0.01)


@pytest.mark.slow
def test_sparks_configuration_comes_out_as_published(movielens: Dataset) -> None:
    """Spark's ALS with rank 10, 20 iterations and .05 has an RMSE of .963 and .967 in two runs on
    such a split.
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(movielens.ratings))
    train = movielens.ratings.take(rows[:75000])
    test = movielens.ratings.take(rows[75000:])
    als = fitted("als", train, n_factors=10, n_epochs=20, regularisation=0.05, biased=False)
    errors = test.values - np.clip(als.score(test.users, test.items), 1, 5)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(0.965, abs=0.015)
