"""The bootstrap against what it promises: coverage by simulation, and cases whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics import METRICS
from benchmarks.statistics import Sample, bootstrap, holm

RMSE, PRECISION = METRICS["rmse"], METRICS["precision"]


def errors(rng: np.random.Generator, n_users: int, deviation: float, n_folds: int = 2) -> Sample:
    """Squared errors of users with 1 to 30 ratings a fold and habits of their own: clustered, unevenly active."""
    n = rng.integers(1, 31, (n_folds, n_users))
    habit = deviation * np.exp(rng.normal(0, 0.3, n_users))
    sums = habit**2 * rng.chisquare(n)
    return Sample(sums, n.astype(float))


def test_intervals_cover_what_they_should() -> None:
    """500 studies of 400 users: the 95 % interval of RMSE covers the population's RMSE in 93 to 97 % of them."""
    rng = np.random.default_rng(0)
    population = errors(rng, 400_000, 0.9)
    truth = np.mean(np.sqrt(population.sums.sum(axis=1) / population.weights.sum(axis=1)))
    covered = []
    for study in range(500):
        low, high = bootstrap(RMSE, [errors(rng, 400, 0.9)], seed=study, n_draws=400).interval(0)
        covered.append(low <= truth <= high)
    assert 0.92 <= np.mean(covered) <= 0.98  # .93 to .97, and two standard errors of this simulation


def test_intervals_of_differences_cover_and_pairs_are_sharper_than_single_rows() -> None:
    rng = np.random.default_rng(1)
    covered, widths = [], []
    for study in range(300):
        base = errors(rng, 300, 0.9)
        better = Sample(base.sums * rng.normal(0.98, 0.05, base.sums.shape), base.weights)
        found = bootstrap(RMSE, [base, better], seed=study, n_draws=400)
        _, low, high = found.difference(1, 0)
        covered.append(low <= found.values[0] * (np.sqrt(0.98) - 1) <= high)
        widths.append((high - low) / np.subtract(*found.interval(0)[::-1]))
    assert 0.91 <= np.mean(covered) <= 0.99
    assert np.mean(widths) < 0.5


def test_two_copies_of_one_algorithm_are_always_tied() -> None:
    rng = np.random.default_rng(2)
    one, worse = errors(rng, 200, 0.9), errors(rng, 200, 1.2)
    found = bootstrap(RMSE, [one, worse, one])
    assert found.tied == [0, 2]
    assert found.p_value(0, 2) == 1
    assert found.effect(0, 2) == 0
    assert found.chance_of_first.tolist() == [0.5, 0, 0.5]
    assert found.rank_interval(0) == (1, 2)
    assert found.rank_interval(1) == (3, 3)
    assert found.effect(1, 0) > 0.2


def test_values_are_the_mean_over_folds_of_the_metric() -> None:
    sample = Sample(np.array([[4.0, 0.0], [2.0, 7.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
    assert bootstrap(RMSE, [sample]).values[0] == pytest.approx((2 + np.sqrt(3)) / 2)


def test_the_best_is_the_highest_where_higher_is_better() -> None:
    rng = np.random.default_rng(3)
    rows = [Sample((rng.random((2, 300)) < share).astype(float), np.ones((2, 300))) for share in (0.2, 0.6, 0.3)]
    found = bootstrap(PRECISION, rows)
    assert found.best == 1
    assert found.tied == [1]
    assert found.chance_of_first[1] == 1
    assert [found.rank_interval(row) for row in (1, 2, 0)] == [(1, 1), (2, 2), (3, 3)]


def test_the_same_seed_gives_the_same_draws_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = errors(np.random.default_rng(4), 50, 1.0)
    whole = bootstrap(RMSE, [sample], n_draws=100).drawn
    monkeypatch.setattr("benchmarks.statistics.BLOCK", 50 * 7)
    assert bootstrap(RMSE, [sample], n_draws=100).drawn == pytest.approx(whole, rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_holm_rejects_what_stepping_down_by_hand_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for step, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - step) > level:
                break
            rejected.add(int(index))
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
