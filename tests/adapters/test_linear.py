"""Item-item models against their definitions, scikit-learn and published ratios."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as sparse_random
from sklearn.linear_model import ElasticNet

from recbench.adapters import create
from recbench.adapters.base import Recommender
from recbench.adapters.shared.interactions import (
    ItemItem,
    dense_product,
    gram_matrix,
    matrix_of_likes,
)
from recbench.benchmarks.evaluation.cell_metrics import find_hits
from recbench.benchmarks.evaluation.questions import collect_answers
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.metrics.rankings import ndcg
from recbench.benchmarks.splits.folds import divide
from recbench.datasets import Dataset
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY, dense_likes, everybody, fitted, taste


def test_gram_is_the_product_in_any_number_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    X = matrix_of_likes(taste(), 0.75)
    expected = X.toarray().T @ X.toarray()
    np.testing.assert_array_equal(gram_matrix(X), expected)
    monkeypatch.setattr("recbench.adapters.shared.interactions.MIRRORED_AT_ONCE", 7)
    np.testing.assert_array_equal(gram_matrix(X), expected)


def test_dense_weights_give_scipys_scores_and_pairs_have_them_to_the_bit() -> None:
    n_items = 4_500  # more columns than are added at once
    rng = np.random.default_rng(0)
    X = sparse_random(40, n_items, 0.004, "csr", np.float32, rng)
    model = create("ease")
    assert isinstance(model, ItemItem)
    model.X_ = X
    model.W_ = rng.standard_normal((n_items, n_items), dtype=np.float32)
    assert {count % 4 for count in np.diff(X.indptr)} == {0, 1, 2, 3}

    users = np.array([3, 0, 39, 11], np.int32)
    scores = model.score_items(users)
    np.testing.assert_allclose(scores, X[users] @ model.W_, rtol=1e-5, atol=1e-6)
    items = rng.integers(0, n_items, 4).astype(np.int32)
    np.testing.assert_array_equal(model.score(users, items), scores[np.arange(4), items])


def test_dense_products_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    left = sparse_random(30, 50, 0.1, "csr", np.float32, rng)
    right = sparse_random(50, 20, 0.3, "csr", np.float32, rng)
    left[4] = 0  # stored zeros
    right.indices = right.indices[::-1].copy()  # columns in no order
    np.testing.assert_allclose(
        dense_product(left, right), left.toarray() @ right.toarray(), rtol=1e-5, atol=1e-6
    )
    assert dense_product(left[:0], right).shape == (0, 20)


@pytest.mark.parametrize("regularisation", [0.5, 20.0, 500.0])
def test_ease_is_stecks_formula(regularisation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbench.adapters.shared.interactions.MIRRORED_AT_ONCE", 7)
    train = taste()
    X = dense_likes(train)
    P = np.linalg.inv(X.T @ X + regularisation * np.eye(train.n_items))
    B = np.eye(train.n_items) - P @ np.diag(1 / np.diag(P))
    ease = fitted("ease", train, regularisation=regularisation)
    np.testing.assert_allclose(ease.W_, B, rtol=0, atol=1e-6)
    assert not ease.W_.diagonal().any()
    np.testing.assert_allclose(ease.score_items(everybody(train)), X @ B, rtol=0, atol=1e-5)


def test_ease_stays_exact_where_single_precision_does_not() -> None:
    rng = np.random.default_rng(0)
    popular = (rng.random((20_000, 12)) < 0.97).astype(
        np.float32
    )  # one large eigenvalue, the others small
    users, items = (column.astype(np.int32) for column in np.nonzero(popular))
    train = Ratings(users, items, np.full(len(users), 5, np.float32), 20_000, 12, (1.0, 5.0))
    P = np.linalg.inv(popular.T.astype(np.float64) @ popular + 1e-2 * np.eye(12))
    B = np.eye(12) - P / np.diag(P)
    np.testing.assert_allclose(
        fitted("ease", train, regularisation=1e-2).W_, B, rtol=1e-5, atol=1e-7
    )


@pytest.mark.slow
def test_ease_beats_popularity_as_published(movielens: Dataset) -> None:
    """nDCG@10 .2905 against .1361 on another split of the same data (Ferrari Dacrema et al.

    2021, table 46): 2.13.
    """
    rows = divide(movielens, "kfold", 5, 0, 0)
    train, test = (movielens.ratings.take(part) for part in rows)
    means = []
    for name in ("ease", "popularity"):
        answers = collect_answers(
            fitted(name, train),
            train,
            test,
            Evaluation(),
            0,
            lambda _, call, *arguments: call(*arguments),
        )
        means.append(ndcg(find_hits(answers.lists["standard"], test), 10).mean())
    assert means[0] > 0.35
    assert 1.9 < means[0] / means[1] < 2.5


@pytest.mark.parametrize(
    ("l1", "l2"), [(0.02, 200.0), (1.0, 5.0), (3.0, 0.5), (0.001, 10.0), (50.0, 1.0)]
)
def test_slim_is_scikit_learns_elastic_net(l1: float, l2: float) -> None:
    train = taste()
    X = dense_likes(train)
    slim = fitted("slim", train, l1=l1, l2=l2, tolerance=1e-7, n_epochs=2000)
    net = ElasticNet(
        alpha=(l1 + l2) / len(X),
        l1_ratio=l1 / (l1 + l2),
        positive=True,
        fit_intercept=False,
        tol=1e-10,
        max_iter=100_000,
    )
    for item in range(train.n_items):
        others = X.copy()
        others[:, item] = 0
        net.fit(others, X[:, item])
        np.testing.assert_allclose(slim.W_[:, item], net.coef_, rtol=0, atol=1e-5)
    assert (slim.W_ >= 0).all()
    assert not slim.W_.diagonal().any()
    assert slim.W_.any() == (l1 < 50)


def test_slims_default_tolerance_is_enough() -> None:
    train = taste(400, 60, 9000)
    rough, fine = (
        fitted("slim", train, l2=5.0, tolerance=tolerance).W_ for tolerance in (1e-4, 1e-8)
    )
    np.testing.assert_allclose(rough, fine, rtol=0, atol=1e-3)


def test_slim_keeps_the_largest_weights_of_each_item() -> None:
    train = taste()
    everything, few = (fitted("slim", train, l2=5.0, n_neighbours=n).W_ for n in (None, 3))
    for item in range(train.n_items):
        kept = np.flatnonzero(few[:, item])
        assert len(kept) <= 3
        np.testing.assert_array_equal(few[kept, item], everything[kept, item])
        assert few[:, item].sum() == pytest.approx(np.sort(everything[:, item])[-3:].sum())


@pytest.mark.parametrize("name", ["ease", "slim", "sar"])
def test_too_many_items_are_a_reason_to_skip(name: str) -> None:
    train = taste()
    algorithm: Recommender = create(name)
    assert algorithm.skip(train, EMPTY, 1.0) is None
    wide = Ratings(train.users, train.items, train.values, train.n_users, 100_000, train.scale)
    reason = algorithm.skip(wide, EMPTY, 8000)
    assert reason is not None
    assert "100,000 x 100,000 items" in reason
    assert "8,000 MB are allowed" in reason


def test_weights_may_be_sparse_or_dense() -> None:
    train = taste()
    ease = fitted("ease", train)
    dense = ease.score_items(everybody(train))
    ease.W_ = csr_matrix(ease.W_)
    np.testing.assert_allclose(ease.score_items(everybody(train)), dense, rtol=0, atol=1e-6)
