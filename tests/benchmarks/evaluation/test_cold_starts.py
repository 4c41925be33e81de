"""Warm and cold apart: numbers that change when the two are mixed, and the bench's own fallback."""

import math
import statistics
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recbench.adapters import create
from recbench.adapters.base import Floats, Indices, Recommender
from recbench.benchmarks.evaluation import CellMetrics, collect_answers, compute_metrics
from recbench.benchmarks.execution import describe_fold
from recbench.benchmarks.metrics import METRICS, Evaluation, find_cold_starts
from recbench.datasets.ratings import Catalogue, Ratings
from tests.adapters.planted import direct

K = 5
N_USERS = 40
N_ITEMS = 30
COLD_USERS = (3, 7, 11, 20, 33)
COLD_ITEM = 29
EVALUATION = Evaluation((K,), ("standard", "recommenders"))
CATALOGUE = Catalogue(("film",) * N_ITEMS, (None,) * N_ITEMS, ((),) * N_ITEMS)


def parts() -> tuple[Ratings, Ratings]:
    """Item i has 30 - i training ratings, so no two are equally popular; five users have none, and
    the last item has none.
    """
    rng = np.random.default_rng(5)
    warm_users = np.array([user for user in range(N_USERS) if user not in COLD_USERS])
    users = []
    items = []
    for item in range(N_ITEMS - 1):
        users.append(rng.permutation(warm_users)[: N_ITEMS - item])
        items.append(np.full(N_ITEMS - item, item))
    train = ratings(np.concatenate(users), np.concatenate(items), rng)

    is_known = np.zeros((N_USERS, N_ITEMS), bool)
    is_known[train.users, train.items] = True
    test_users, test_items = np.nonzero(~is_known & (rng.random(is_known.shape) < 0.4))
    return train, ratings(test_users, test_items, rng)


def ratings(users: NDArray[Any], items: NDArray[Any], rng: np.random.Generator) -> Ratings:
    values = rng.integers(1, 6, len(users)).astype(np.float32)
    columns = (users.astype(np.int32), items.astype(np.int32), values)
    return Ratings(*columns, N_USERS, N_ITEMS, (1.0, 5.0))


class Told(Recommender):
    """Scores by arithmetic, those of cold-start users and of the cold item by another one."""

    abstains = True

    def __init__(self, cold_factor: int, *, abstains_on_cold: bool = False) -> None:
        self.__dict__["name"] = "told"
        self.cold_factor = cold_factor
        self.abstains_on_cold = abstains_on_cold

    def fit(self, data: Ratings, seed: int) -> None:
        raise NotImplementedError

    def score(self, users: Indices, items: Indices) -> Floats:
        is_cold = np.isin(users, COLD_USERS) | (items == COLD_ITEM)
        factors = np.where(is_cold, self.cold_factor, 37)
        scores = ((users * factors + items * 91 + users * items) % 101 / 20).astype(np.float32)
        if self.abstains_on_cold:
            scores[is_cold] = np.nan
        return scores


def evaluated(algorithm: Recommender) -> CellMetrics:
    train, test = parts()
    algorithm.prepare(train)
    answers = collect_answers(algorithm, train, test, EVALUATION, 0, direct)
    return compute_metrics(answers, train, test, CATALOGUE, EVALUATION, predicts_ratings=True)


def test_a_pair_is_cold_by_its_user_or_its_item() -> None:
    train, test = parts()
    cold = find_cold_starts(train.users, train.items, N_USERS, N_ITEMS)
    assert np.flatnonzero(cold.users).tolist() == list(COLD_USERS)
    assert np.flatnonzero(cold.items).tolist() == [COLD_ITEM]
    expected = [
        user in COLD_USERS or item == COLD_ITEM
        for user, item in zip(test.users.tolist(), test.items.tolist(), strict=True)
    ]
    assert cold.are_cold(test.users, test.items).tolist() == expected
    no_rows = np.empty(0, np.int64)
    train_rows = np.arange(len(train))
    test_rows = np.arange(len(test))
    facts = describe_fold(train, train_rows, test, test_rows, no_rows, is_cut=False)
    assert facts.cold_ratings == sum(expected)
    assert (facts.cold_users, facts.cold_items) == (len(COLD_USERS), 1)


def test_errors_of_warm_and_cold_pairs_equal_a_slow_reference() -> None:
    _, test = parts()
    values = evaluated(Told(53)).values
    scores = Told(53).score(test.users, test.items)
    errors: dict[str, list[float]] = {"warm": [], "cold": []}
    for user, item, value, score in zip(test.users, test.items, test.values, scores, strict=True):
        kind = "cold" if user in COLD_USERS or item == COLD_ITEM else "warm"
        errors[kind].append(float(value) - min(max(float(score), 1.0), 5.0))
    for kind, of_kind in errors.items():
        squares = statistics.fmean(error**2 for error in of_kind)
        assert values[f"{kind}_rmse"] == pytest.approx(math.sqrt(squares))
        assert values[f"{kind}_mae"] == pytest.approx(statistics.fmean(map(abs, of_kind)))
    assert values["warm_rmse"] != pytest.approx(values["cold_rmse"])


def test_what_is_answered_to_cold_users_moves_no_warm_number() -> None:
    """Two algorithms that differ for cold starts alone: whoever mixes warm and cold sees it."""
    one = evaluated(Told(53)).values
    other = evaluated(Told(59)).values
    for name in ("rmse", "mae"):
        assert one[name] != other[name]
        assert one[f"warm_{name}"] == other[f"warm_{name}"]
        assert one[f"cold_{name}"] != other[f"cold_{name}"]


@pytest.mark.parametrize("protocol", ["", "recommenders:"])
def test_rankings_of_warm_and_cold_users_are_means_of_their_own_lists(protocol: str) -> None:
    found = evaluated(Told(53))
    for name in ("precision", "recall", "ndcg"):
        sums, weights = found.shares[f"{protocol}{name}@{K}"]
        is_cold = np.isin(np.arange(N_USERS), COLD_USERS)
        for kind, chosen in (("warm", ~is_cold), ("cold", is_cold)):
            expected = sums[chosen].sum() / weights[chosen].sum()
            column = f"{protocol}{kind}_{name}@{K}"
            assert found.values[column] == pytest.approx(expected, abs=1e-12), column
            assert not found.shares[column][1][~chosen].any()
    assert found.values[f"warm_ndcg@{K}"] != pytest.approx(found.values[f"cold_ndcg@{K}"])


@pytest.mark.parametrize(("protocol", "threshold"), [("", 4.0), ("recommenders:", 1.0)])
def test_the_fallback_gives_cold_users_the_most_popular_items(
    protocol: str, threshold: float
) -> None:
    """Items 0 to 4 have the most ratings; warm users keep the row's own lists."""
    _, test = parts()
    found = evaluated(Told(53))
    own, weights = found.shares[f"{protocol}precision@{K}"]
    column = f"{protocol}fallback_precision@{K}"
    with_fallback, weights_with_fallback = found.shares[column]
    assert np.array_equal(weights, weights_with_fallback)
    for user in np.flatnonzero(weights):
        if user not in COLD_USERS:
            assert with_fallback[user] == own[user]
            continue
        is_liked = (test.users == user) & (test.values >= threshold) & (test.items < K)
        assert with_fallback[user] == pytest.approx(is_liked.sum() / K)
    assert not np.array_equal(with_fallback, own)


def test_popularity_itself_is_what_it_is_with_the_fallback() -> None:
    train, _ = parts()
    popularity = create("popularity")
    popularity.prepare(train)
    popularity.fit(popularity.convert(train, CATALOGUE), 0)
    values = evaluated(popularity).values
    for name in ("precision", "recall", "ndcg"):
        assert values[f"fallback_{name}@{K}"] == values[f"{name}@{K}"] != 0


def test_who_has_no_opinion_on_cold_pairs_is_counted_there() -> None:
    values = evaluated(Told(53, abstains_on_cold=True)).values
    assert (values["warm_coverage"], values["cold_coverage"]) == (1.0, 0.0)
    _, test = parts()
    is_cold = np.isin(test.users, COLD_USERS) | (test.items == COLD_ITEM)
    assert values["coverage"] == pytest.approx(1 - is_cold.mean())


def test_where_nobody_is_cold_there_is_no_cold_number() -> None:
    train, test = parts()
    is_warm = ~np.isin(test.users, COLD_USERS) & (test.items != COLD_ITEM)
    test = test.take(np.flatnonzero(is_warm))
    algorithm = Told(53)
    algorithm.prepare(train)
    answers = collect_answers(algorithm, train, test, EVALUATION, 0, direct)
    found = compute_metrics(answers, train, test, CATALOGUE, EVALUATION, predicts_ratings=True)
    for name, metric in METRICS.items():
        if metric.population == "all":
            continue
        plain = name.partition("_")[2]
        column = f"{name}@{K}" if metric.has_cutoff else name
        whole = f"{plain}@{K}" if metric.has_cutoff else plain
        if metric.population == "cold":
            assert found.values[column] is None
        else:
            assert found.values[column] == found.values[whole]
