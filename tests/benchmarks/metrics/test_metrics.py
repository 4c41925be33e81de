"""Every metric against a slow, obvious definition and against outside libraries where they mean the
same.
"""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.evaluation import ranking_metrics_at_k
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import mean_absolute_error, ndcg_score, r2_score, root_mean_squared_error
from surprise import Prediction, accuracy

from recbench.benchmarks.metrics.registry import (
    METRICS,
    Predictions,
    RankedHits,
    RecommendationLists,
    find_metric,
    metric_columns,
)
from recbench.datasets import UsageError

KS = (1, 3, 10, 30)


def value_of(name: str, rated: Predictions) -> float:
    """The metric, as the bench makes it from the shares of the users."""
    sums, weights = METRICS[name].function(rated)
    return float(METRICS[name].finish(sums.sum() / weights.sum()))


def made_ratings(seed: int, n: int = 60) -> Predictions:
    """`n` ratings by some of nine users; predictions with ties."""
    rng = np.random.default_rng(seed)
    predicted = np.rint(2 * rng.uniform(1, 5, n)) / 2
    return Predictions(
        rng.integers(0, 8, n).astype(np.int32),
        rng.integers(1, 6, n).astype(float),
        predicted,
        rng.random(n) < 0.8,
        9,
    )


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_errors_equal_their_definitions_and_other_libraries(seed: int) -> None:
    rated = made_ratings(seed)
    r = rated.truth
    p = rated.predicted
    users = rated.users
    errors = [(a - b) for a, b in zip(r, p, strict=True)]
    predictions = [Prediction(int(u), 0, a, b, {}) for u, a, b in zip(users, r, p, strict=True)]
    slow_fcp = [
        (p[i] - p[j]) * (r[i] - r[j]) > 0
        for i, j in combinations(range(len(r)), 2)
        if users[i] == users[j] and r[i] != r[j]
    ]
    own = [
        math.sqrt(np.mean([e * e for e, v in zip(errors, users, strict=True) if v == u]))
        for u in set(users)
    ]
    expected = {
        "rmse": (
            math.sqrt(np.mean(np.square(errors))),
            root_mean_squared_error(r, p),
            accuracy.rmse(predictions, False),
        ),
        "mae": (
            np.mean(np.abs(errors)),
            mean_absolute_error(r, p),
            accuracy.mae(predictions, False),
        ),
        "r2": (r2_score(r, p),),
        "mean_error": (np.mean(p - r),),
        "macro_rmse": (np.mean(own),),
        "fcp": (np.mean(slow_fcp),),
        "coverage": (np.mean(rated.answered),),
    }
    assert set(expected) == {
        name
        for name, metric in METRICS.items()
        if metric.kind == "rating" and metric.population == "all"
    }
    for name, values in expected.items():
        for value in values:
            assert value_of(name, rated) == pytest.approx(value, abs=1e-9)


def test_fcp_equals_surprises_where_every_user_has_pairs_of_both_kinds() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(6, dtype=np.int32), 30)
    truth = rng.integers(1, 6, 180).astype(float)
    rated = Predictions(users, truth, truth + rng.normal(0, 1.5, 180), np.ones(180, bool), 6)
    predictions = [
        Prediction(int(u), 0, a, b, {})
        for u, a, b in zip(users, truth, rated.predicted, strict=True)
    ]
    assert value_of("fcp", rated) == pytest.approx(accuracy.fcp(predictions, False), abs=1e-9)


def gain(ranks: Iterable[int]) -> float:
    return sum(1 / math.log2(1 + rank) for rank in ranks)


def made_lists(seed: int, n: int = 12, depth: int = 20) -> tuple[NDArray[np.bool_], RankedHits]:
    rng = np.random.default_rng(seed)
    hits = rng.random((n, depth)) < 0.3
    n_relevant = hits.sum(axis=1) + rng.integers(0, 5, n)
    n_relevant[n_relevant == 0] = 1
    return hits, RankedHits(hits.astype(np.int64), n_relevant, rng.random(n))


@given(st.integers(0, 10**6), st.sampled_from(KS))
@settings(max_examples=100, deadline=None)
def test_ranking_metrics_equal_their_definitions(seed: int, k: int) -> None:
    hits, ranked = made_lists(seed)
    found = {
        name: metric.function(ranked, k)
        for name, metric in METRICS.items()
        if metric.kind == "ranking" and metric.population == "all"
    }
    for user, row in enumerate(hits):
        n = int(ranked.n_relevant[user])
        ranks = [rank for rank, hit in enumerate(row, 1) if hit and rank <= k]
        expected = {
            "precision": len(ranks) / k,
            "recall": len(ranks) / n,
            "capped_recall": len(ranks) / min(k, n),
            "ndcg": sum(1 / math.log2(1 + r) for r in ranks)
            / sum(1 / math.log2(1 + r) for r in range(1, min(k, n) + 1)),
            "full_ndcg": gain(ranks) / gain(range(1, n + 1)),
            "map": sum((i + 1) / rank for i, rank in enumerate(ranks)) / min(k, n),
            "mrr": 1 / ranks[0] if ranks else 0.0,
            "hit_rate": float(bool(ranks)),
            "auc": ranked.auc[user],
        }
        assert set(expected) == set(found)
        for name, value in expected.items():
            assert found[name][user] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("k", [1, 5, 10])
def test_ranking_metrics_equal_implicits_and_scikit_learns(k: int) -> None:
    """On scores without ties, for users with a relevant item; implicit's evaluator asks a model for
    its top k.
    """
    rng = np.random.default_rng(k)
    n_users = 40
    n_items = 30
    scores = rng.normal(size=(n_users, n_items))
    liked = rng.random((n_users, n_items)) < 0.2
    liked[:, 0] = True
    order = np.argsort(-scores, axis=1)
    hits = np.take_along_axis(liked, order, axis=1)
    ranked = RankedHits(hits.astype(np.int64), liked.sum(axis=1), np.zeros(n_users))

    class Model:
        def recommend(
            self, users: object, matrix: object, N: int = k, **rest: object
        ) -> tuple[object, object]:
            ids = np.asarray(users)
            return order[ids, :N].astype(np.int32), np.take_along_axis(scores, order, axis=1)[
                ids, :N
            ]

    theirs = ranking_metrics_at_k(
        Model(),
        csr_matrix((n_users, n_items)),
        csr_matrix(liked.astype(float)),
        K=k,
        show_progress=False,
        num_threads=1,
    )
    assert METRICS["ndcg"].function(ranked, k).mean() == pytest.approx(theirs["ndcg"], abs=1e-9)
    assert METRICS["map"].function(ranked, k).mean() == pytest.approx(theirs["map"], abs=1e-9)
    assert METRICS["ndcg"].function(ranked, k).mean() == pytest.approx(
        ndcg_score(liked, scores, k=k), abs=1e-9
    )


def made_recommendations(seed: int, *, features: bool = True) -> RecommendationLists:
    rng = np.random.default_rng(seed)
    top = np.array([rng.permutation(15)[:6] for _ in range(5)], np.int32)
    top[1, 3:] = -1
    top[2, 1:] = -1
    top[3, :] = -1
    dense = rng.random((15, 4)) * (rng.random((15, 4)) < 0.6)
    dense[0] = 0
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    unit = np.divide(dense, norms, out=np.zeros_like(dense), where=norms > 0)
    profile = np.array([3.0, 2.0, np.nan, 1.0, 4.0])
    return RecommendationLists(
        top, rng.integers(0, 9, 15), 20, profile, csr_matrix(unit) if features else None
    )


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4, 6, 9]))
@settings(max_examples=100, deadline=None)
def test_beyond_accuracy_equals_its_definitions(seed: int, k: int) -> None:
    listed = made_recommendations(seed)
    assert listed.features is not None
    features = listed.features.toarray()
    counts = listed.n_ratings
    shown = [[int(i) for i in row[:k] if i >= 0] for row in listed.top_items]
    exposure = Counter(item for items in shown for item in items)
    x = sorted(exposure.get(item, 0) for item in range(15))
    expected_gini = sum(abs(a - b) for a in x for b in x) / (2 * 15 * sum(x))
    assert METRICS["gini"].function(listed, k) == pytest.approx(expected_gini, abs=1e-12)
    assert METRICS["catalogue_coverage"].function(listed, k) == len(exposure) / 15
    novelty, lift, diversity = (
        METRICS[name].function(listed, k) for name in ("novelty", "popularity_bias", "diversity")
    )
    for user, items in enumerate(shown):
        if not items:
            assert np.isnan([novelty[user], lift[user], diversity[user]]).all()
            continue
        assert novelty[user] == pytest.approx(
            np.mean([-math.log2((counts[i] + 1) / 21) for i in items])
        )
        if user == 2:
            assert np.isnan(lift[user])  # nothing rated in training, so nothing to compare with
        else:
            assert lift[user] == pytest.approx(np.mean(counts[items]) / listed.profile[user] - 1)
        if len(items) < 2:
            assert np.isnan(diversity[user])
        else:
            cosines = [features[i] @ features[j] for i, j in combinations(items, 2)]
            assert diversity[user] == pytest.approx(1 - np.mean(cosines), abs=1e-9)


def test_diversity_without_genres_or_texts_is_undefined() -> None:
    assert np.isnan(METRICS["diversity"].function(made_recommendations(0, features=False), 5)).all()


def test_losses_are_better_the_lower_they_are() -> None:
    assert METRICS["rmse"].loss(0.9) < METRICS["rmse"].loss(1.0)
    assert METRICS["precision"].loss(0.3) < METRICS["precision"].loss(0.2)
    assert METRICS["mean_error"].loss(-0.1) < METRICS["mean_error"].loss(0.2)


def test_every_metric_says_what_it_is() -> None:
    for metric in METRICS.values():
        assert len(metric.definition) > 40
        assert metric.unit


@pytest.mark.parametrize(
    "column", ["rsme", "precision", "precision@0", "precision@x", "rmse@10", "auc@10"]
)
def test_unknown_columns_are_refused(column: str) -> None:
    with pytest.raises(UsageError):
        find_metric(column)


def test_columns_are_metrics_at_their_cutoffs() -> None:
    assert metric_columns((5, 10), headline=True) == [
        "rmse", "mae", "coverage", "precision@5", "precision@10", "recall@5", "recall@10",
        "ndcg@5", "ndcg@10",
    ]  # fmt: skip
    assert set(metric_columns((5,), ("standard", "lightfm"))) >= {
        "rmse",
        "auc",
        "gini@5",
        "lightfm:auc",
        "lightfm:gini@5",
    }
    assert "lightfm:rmse" not in metric_columns((5,), ("standard", "lightfm"))
