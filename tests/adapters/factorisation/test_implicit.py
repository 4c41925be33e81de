"""implicit's factors, scored in bulk, must rank as the library itself does."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from recbench.adapters import create
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY, everybody, fitted, taste
from tests.conftest import ROOT

NAMES = ["implicit-als", "implicit-bpr"]


def library(name: str, train: Ratings, seed: int = 0, **parameters: Any) -> tuple[Any, Any]:
    """The library's model, fitted apart from the adapter, and the likes it was fitted to."""
    algorithm: Any = create(name, parameters)
    likes = algorithm.convert(train, EMPTY)
    model = algorithm.model(seed)
    model.fit(likes, show_progress=False)
    return model, likes


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_librarys(name: str) -> None:
    train = taste()
    users = everybody(train)
    model, likes = library(name, train, factors=6)
    ids, expected = model.recommend(
        users, likes[users], N=train.n_items, filter_already_liked_items=False
    )
    scores = fitted(name, train, factors=6).score_items(users)
    np.testing.assert_allclose(
        np.take_along_axis(scores, ids, axis=1), expected, rtol=1e-4, atol=1e-5
    )
    assert scores.dtype == np.float32


def test_bprs_last_item_factor_is_its_bias() -> None:
    train = taste()
    bpr = fitted("implicit-bpr", train, factors=6)
    assert bpr.P_.shape[1] == 7
    np.testing.assert_array_equal(bpr.P_[:-1, -1], 1)
    stranger = bpr.score_items(np.array([train.n_users - 1], np.int32))[0]
    np.testing.assert_allclose(stranger, bpr.Q_[:, -1], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_gives_the_same_numbers_or_a_reason(name: str, threads: int) -> None:
    train = taste(200, 40, 4000)
    scores = []
    for seed in (1, 1, 2):
        algorithm: Any = create(name, {"iterations": 5})
        algorithm.prepare(train, threads)
        algorithm.fit(algorithm.convert(train, EMPTY), seed)
        scores.append(algorithm.score_items(everybody(train)))
    if algorithm.nondeterminism() is None:
        np.testing.assert_array_equal(scores[0], scores[1])
    assert (algorithm.nondeterminism() is None) == (name == "implicit-als" or threads == 1)
    assert not np.array_equal(scores[0], scores[2])


def test_als_without_conjugate_gradients_solves_the_normal_equations() -> None:
    train = taste()
    als = fitted("implicit-als", train, factors=4, use_cg=False, alpha=3.0, regularization=2.0)
    X = als.convert(train, EMPTY).toarray()
    P = als.P_.astype(float)
    for item in range(train.n_items - 1):
        confidence = np.where(X[:, item] > 0, 3.0, 1.0)
        normal = P.T @ (confidence[:, None] * P) + 2.0 * np.eye(4)
        solution = np.linalg.solve(normal, P.T @ (confidence * X[:, item]))
        np.testing.assert_allclose(als.Q_[item], solution, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_without_likes_all_scores_are_zero(name: str) -> None:
    one = np.zeros(1, np.int32)
    disliked = Ratings(one, one, np.ones(1, np.float32), 3, 4, (1.0, 5.0))
    np.testing.assert_array_equal(
        fitted(name, disliked).score_items(np.arange(3, dtype=np.int32)), np.zeros((3, 4))
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_the_console_stays_silent(name: str) -> None:
    code = f"""
import numpy as np
from recbench.adapters import create
from recbench.datasets.ratings import Catalogue, Ratings
users, items = np.divmod(np.arange(600, dtype=np.int32), np.int32(20))
train = Ratings(users, items, ((users + items) % 5 + 1).astype(np.float32), 30, 20, (1.0, 5.0))
algorithm = create("{name}", {{"iterations": 2}})
algorithm.prepare(train, 2)
algorithm.fit(algorithm.convert(train, Catalogue((), (), ())), 0)
"""
    environment = {
        key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")
    }
    command = [sys.executable, "-W", "always", "-c", code]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    assert "OpenBLAS" not in run.stderr
    assert "it/s" not in run.stderr
