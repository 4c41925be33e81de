"""The mean of the Gibbs samples, as one product of factors, must be what the library predicts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack

from recbench.adapters import create
from recbench.datasets import Dataset
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY, everybody, fitted, taste

CASES = [("myfm-mf", {}), ("myfm-fm", {}), ("myfm-fm", {"flipped": False})]
SHORT = {"rank": 3, "n_iter": 12, "n_kept_samples": 7}


def predicted(name: str, train: Ratings, parameters: dict[str, Any]) -> Any:
    """What the library predicts for every pair from plain sparse rows, without relation blocks."""
    algorithm: Any = create(name, parameters)
    design = algorithm.convert(train, EMPTY)
    model = algorithm.model(0)
    model.fit(
        None,
        train.values.astype(np.float64) - train.mean,
        design.blocks(),
        n_iter=parameters["n_iter"],
        n_kept_samples=parameters["n_kept_samples"],
        group_shapes=design.group_shapes,
    )
    users, items = np.divmod(np.arange(train.n_users * train.n_items), train.n_items)
    rows = csr_matrix(hstack([design.of_users[users], design.of_items[items]]))
    return train.mean + model.predict(rows).reshape(train.n_users, train.n_items)


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_scores_are_the_librarys_predictions(name: str, parameters: dict[str, Any]) -> None:
    train = taste()
    algorithm = fitted(name, train, **parameters, **SHORT)
    expected = predicted(name, train, parameters | SHORT)
    np.testing.assert_allclose(algorithm.score_items(everybody(train)), expected, rtol=0, atol=1e-5)
    pairs = algorithm.score(train.users, train.items)
    np.testing.assert_allclose(pairs, expected[train.users, train.items], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_same_seed_same_numbers_and_a_silent_console(
    name: str, parameters: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    train = taste()
    algorithm: Any = create(name, parameters | SHORT)
    algorithm.prepare(train)
    scores = []
    for seed in (1, 1, 2):
        algorithm.fit(algorithm.convert(train, EMPTY), seed)
        scores.append(algorithm.score_items(everybody(train)))
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    assert capfd.readouterr() == ("", "")


def test_ratings_far_from_zero_are_learned() -> None:
    """The priors shrink towards 0: wine points from 80 to 100 had an error of 8.87, the constant
    one of 3.53.
    """
    train = taste()
    scale = (train.scale[0] + 500, train.scale[1] + 500)
    far = replace(train, values=train.values + np.float32(500), scale=scale)
    errors = []
    for ratings in (train, far):
        predicted_ratings = fitted("myfm-mf", ratings).score(ratings.users, ratings.items)
        errors.append(float(np.sqrt(np.mean((predicted_ratings - ratings.values) ** 2))))
    assert errors[1] == pytest.approx(errors[0], rel=1e-3)


def test_features_are_ids_and_what_was_rated() -> None:
    train = taste()
    design = create("myfm-fm").convert(train, EMPTY)
    assert design.group_shapes == [60, 25, 25, 60]
    assert design.of_users.shape == (60, 85)
    user = int(train.users[0])
    rated = np.unique(train.items[train.users == user])
    row = design.of_users[[user]].toarray()[0]
    np.testing.assert_array_equal(np.flatnonzero(row), [user, *(60 + rated)])
    np.testing.assert_allclose(row[60 + rated], 1 / np.sqrt(len(rated)))
    assert design.of_users[[59]].nnz == 1  # nothing rated, so the id alone
    assert create("myfm-fm", {"flipped": False}).convert(train, EMPTY).group_shapes == [60, 25, 25]


def test_more_samples_than_iterations_are_all_there_are() -> None:
    train = taste()
    assert fitted("myfm-mf", train, rank=2, n_iter=3, n_kept_samples=80).P_.shape == (60, 6)


def test_pairs_are_scored_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    train = taste()
    algorithm = fitted("myfm-mf", train, **SHORT)
    at_once = algorithm.score(train.users, train.items)
    monkeypatch.setattr("recbench.adapters.factorisation.myfm.SCORE_BLOCK", 1000)
    np.testing.assert_array_equal(algorithm.score(train.users, train.items), at_once)
    assert algorithm.score(train.users[:0], train.items[:0]).shape == (0,)


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_too_many_samples_are_a_reason_to_skip(name: str, parameters: dict[str, Any]) -> None:
    train = taste()
    algorithm = create(name, parameters)
    assert algorithm.skip(train, EMPTY, 100) is None
    many = Ratings(train.users, train.items, train.values, 480_000, 17_770, train.scale)
    reason = algorithm.skip(many, EMPTY, 2000)
    assert reason is not None
    assert "2,000 MB are allowed" in reason


def test_sampling_beats_least_squares_on_real_ratings(movielens: Dataset) -> None:
    rows = np.random.default_rng(0).permutation(len(movielens.ratings))[:20_000]
    train = movielens.ratings.take(rows[:16_000])
    test = movielens.ratings.take(rows[16_000:])
    errors = {}
    for name, parameters in (
        ("myfm-mf", {"rank": 4, "n_iter": 60, "n_kept_samples": 40}),
        ("als", {}),
    ):
        scores = np.clip(fitted(name, train, **parameters).score(test.users, test.items), 1, 5)
        errors[name] = np.sqrt(np.mean((scores - test.values) ** 2))
    assert errors["myfm-mf"] < errors["als"]
    assert errors["myfm-mf"] < 1.0
