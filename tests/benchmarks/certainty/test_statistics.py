"""The bootstrap against what it promises: coverage by simulation, and cases whose answer is
known.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbench.benchmarks.certainty.bootstrap import (
    FEWEST,
    adjust_by_holm,
    bootstrap_users,
    stretch_for_few_users,
)
from recbench.benchmarks.certainty.estimate import LEVEL
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.metrics.registry import METRICS

RMSE = METRICS["rmse"]
PRECISION = METRICS["precision"]


def errors(
    rng: np.random.Generator, n_users: int, deviation: float = 0.9, n_folds: int = 2
) -> UserShares:
    """Squared errors of users with 1 to 30 ratings a fold and habits of their own: clustered,
    unevenly active.
    """
    n = rng.integers(1, 31, (n_folds, n_users))
    habit = deviation * np.exp(rng.normal(0, 0.3, n_users))
    sums = habit**2 * rng.chisquare(n)
    return UserShares(sums, n.astype(float))


def precisions(rng: np.random.Generator, n_users: int, n_folds: int = 3) -> UserShares:
    """Hits among ten of users of whom most have none: skewed, and one in ten has nothing to find in
    a fold.
    """
    weights = (rng.random((n_folds, n_users)) < 0.9).astype(float)
    return UserShares(
        rng.binomial(10, rng.beta(0.4, 3, n_users), (n_folds, n_users)) / 10 * weights, weights
    )


def gains(rng: np.random.Generator, n_users: int, n_folds: int = 3) -> UserShares:
    """As nDCG: nothing for most users, something between 0 and 1 for the rest."""
    found = rng.random((n_folds, n_users)) < 2.5 * rng.beta(0.3, 3, n_users)
    return UserShares(found * rng.beta(1, 2, (n_folds, n_users)), np.ones((n_folds, n_users)))


DRAWN = pytest.mark.parametrize(
    ("column", "drawn"), [("rmse", errors), ("precision", precisions), ("ndcg", gains)]
)


@DRAWN
@pytest.mark.slow
def test_intervals_cover_about_95_percent(column: str, drawn: Callable[..., UserShares]) -> None:
    """300 studies have a standard error of 1.3 percent, so three of them are allowed below."""
    assert 0.91 <= coverage(column, drawn, 200, n_studies=300) <= 0.99


@pytest.mark.proof
@pytest.mark.parametrize("n_users", [100, 200, 400])
@DRAWN
def test_intervals_cover_93_to_97_percent_from_100_users_up(
    column: str, drawn: Callable[..., UserShares], n_users: int
) -> None:
    """1,500 studies, as many as it takes for a standard error of .6 percent."""
    assert 0.93 <= coverage(column, drawn, n_users, n_studies=1500) <= 0.97


@pytest.mark.proof
@DRAWN
def test_the_fewest_users_of_whom_anything_is_said_are_covered_nearly_as_often(
    column: str, drawn: Callable[..., UserShares]
) -> None:
    assert 0.9 <= coverage(column, drawn, FEWEST, n_studies=1500) <= 0.97


def coverage(column: str, drawn: Callable[..., UserShares], n_users: int, n_studies: int) -> float:
    """In which share of studies the 95 % interval holds the population's value.

    100 studies share their draws.
    """
    metric = METRICS[column]
    rng = np.random.default_rng(n_users)
    population = drawn(rng, 500_000)
    truth = metric.finish(population.sums.sum(axis=1) / population.weights.sum(axis=1)).mean()
    covered = []
    for block in range(n_studies // 100):
        found = bootstrap_users(
            metric, [drawn(rng, n_users) for _ in range(100)], seed=block, n_draws=1000
        )
        covered += [low <= truth <= high for low, high in map(found.interval, range(100))]
    return float(np.mean(covered))


@pytest.mark.parametrize(
    ("n_rows", "n_studies"),
    [
        (2, 200),
        (12, 50),
        pytest.param(12, 150, marks=pytest.mark.proof),
        pytest.param(120, 40, marks=pytest.mark.proof),
    ],
)
def test_equal_rows_differ_from_the_best_in_one_study_of_twenty_however_many_there_are(
    n_rows: int, n_studies: int
) -> None:
    """The best is chosen by the same data, so p-values that count rows alone would be too small."""
    wrong = 0
    for study in range(n_studies):
        rng = np.random.default_rng([n_rows, study])
        habit = np.exp(rng.normal(0, 0.3, 300))
        rows = [
            UserShares((habit**2 * rng.chisquare(10, 300) / 10)[None], np.ones((1, 300)))
            for _ in range(n_rows)
        ]
        tied = bootstrap_users(RMSE, rows, seed=study, n_draws=400).tied_with_best
        wrong += len(tied) < n_rows
    assert wrong <= 0.05 * n_studies + 3 * np.sqrt(0.05 * 0.95 * n_studies)


def test_a_hundred_far_worse_rows_are_not_tied_with_the_best() -> None:
    """No draw is on the other side, and 2 in 4,001 times the number of pairs would be no small
    chance.
    """
    rng = np.random.default_rng(0)
    rows = [
        UserShares(rng.chisquare(3, (1, 200)) * factor, np.ones((1, 200)))
        for factor in [1] + [50] * 119
    ]
    assert bootstrap_users(RMSE, rows).tied_with_best == [0]


def test_p_values_are_the_levels_at_which_intervals_end_at_zero() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        base = precisions(rng, 60)
        other = UserShares(
            (base.sums * rng.normal(1.05, 0.3, base.sums.shape)).clip(0), base.weights
        )
        gap = bootstrap_users(PRECISION, [base, other]).estimate_difference(1, 0)
        p = gap.p_value()
        if 0.002 < p < 0.9:
            low, high = gap.interval(p)
            assert min(abs(low), abs(high)) < 0.05 * gap.standard_error


def test_a_difference_is_significant_where_its_interval_leaves_out_zero() -> None:
    """Said of all pairs at once: a table would else tie what its first screen calls worse."""
    n_significant = 0
    for study in range(12):
        rng = np.random.default_rng(study)
        base = precisions(rng, 60)
        rows = [base]
        for factor in (1.0, 1.1, 1.2, 1.3):
            noise = rng.normal(factor, 0.3, base.sums.shape)
            rows.append(UserShares((base.sums * noise).clip(0), base.weights))

        found = bootstrap_users(PRECISION, rows, seed=study, n_draws=400)
        best = found.best_row
        for row in range(len(rows)):
            for other in range(len(rows)):
                value, low, high = found.difference(row, other)
                assert value == found.values[row] - found.values[other]
                is_significant = found.pairwise_p_values[row, other] < LEVEL
                assert is_significant == (not low <= 0 <= high)
                n_significant += is_significant
            assert (row in found.tied_with_best) == (found.pairwise_p_values[row, best] >= LEVEL)
    assert 24 < n_significant < 216  # of 240: neither side of the border is empty


def test_few_users_make_differences_less_sure() -> None:
    assert stretch_for_few_users(np.array([1.96]), 20) == pytest.approx(2.15, abs=0.01)
    assert stretch_for_few_users(np.array([1.96]), 10_000) == pytest.approx(1.96, abs=0.001)
    # no number of standard deviations is so great that it is no longer known to be greater
    far = stretch_for_few_users(np.array([30.0, 60.0, 90.0]), 1000)
    assert (np.diff(far) > 0).all() and np.isfinite(far).all()


@pytest.mark.slow
def test_pairs_that_do_not_differ_are_told_apart_as_often_as_they_should() -> None:
    wrong = []
    for study in range(1000):
        rng = np.random.default_rng(study)
        p = rng.beta(0.4, 3, 100)
        rows = [UserShares(rng.binomial(10, p)[None] / 10, np.ones((1, 100))) for _ in range(2)]
        wrong.append(
            bootstrap_users(PRECISION, rows, seed=study % 4, n_draws=400).pairwise_p_values[0, 1]
            < LEVEL
        )
    assert 0.03 <= np.mean(wrong) <= 0.07


def test_users_are_counted_in_the_fold_that_has_the_fewest() -> None:
    weights = np.ones((2, 30))
    weights[1, 7:] = 0
    assert UserShares(weights, weights).n_users == 7


@pytest.mark.slow
def test_intervals_of_differences_cover_and_pairs_are_sharper_than_single_rows() -> None:
    rng = np.random.default_rng(1)
    covered = []
    widths = []
    for study in range(300):
        base = errors(rng, 300, 0.9)
        better = UserShares(base.sums * rng.normal(0.98, 0.05, base.sums.shape), base.weights)
        found = bootstrap_users(RMSE, [base, better], seed=study, n_draws=400)
        _, low, high = found.difference(1, 0)
        covered.append(low <= found.values[0] * (np.sqrt(0.98) - 1) <= high)
        widths.append((high - low) / np.subtract(*found.interval(0)[::-1]))
    assert 0.91 <= np.mean(covered) <= 0.99
    assert np.mean(widths) < 0.5


def test_two_copies_of_one_algorithm_are_always_tied() -> None:
    rng = np.random.default_rng(2)
    one = errors(rng, 200, 0.9)
    worse = errors(rng, 200, 1.2)
    found = bootstrap_users(RMSE, [one, worse, one])
    assert found.tied_with_best == [0, 2]
    assert found.pairwise_p_values[0, 2] == 1
    assert found.effect_size(0, 2) == 0
    assert found.chance_of_first.tolist() == [0.5, 0, 0.5]
    assert found.rank_interval(0) == (1, 2)
    assert found.rank_interval(1) == (3, 3)
    assert found.effect_size(1, 0) > 0.2


def test_where_all_users_differ_by_the_same_the_effect_has_no_size() -> None:
    sums = np.arange(1.0, 31.0)[np.newaxis]
    weights = np.ones((1, 30))
    found = bootstrap_users(
        METRICS["mae"], [UserShares(sums, weights), UserShares(sums + 0.5, weights)]
    )
    assert np.isnan(found.effect_size(0, 1))


def test_values_are_the_mean_over_folds_of_the_metric() -> None:
    sample = UserShares(np.array([[4.0, 0.0], [2.0, 7.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
    assert bootstrap_users(RMSE, [sample]).values[0] == pytest.approx((2 + np.sqrt(3)) / 2)


def test_the_best_is_the_highest_where_higher_is_better() -> None:
    rng = np.random.default_rng(3)
    rows = [
        UserShares((rng.random((2, 300)) < share).astype(float), np.ones((2, 300)))
        for share in (0.2, 0.6, 0.3)
    ]
    found = bootstrap_users(PRECISION, rows)
    assert found.best_row == 1
    assert found.tied_with_best == [1]
    assert found.chance_of_first[1] == 1
    assert [found.rank_interval(row) for row in (1, 2, 0)] == [(1, 1), (2, 2), (3, 3)]


def test_the_same_seed_gives_the_same_draws_whatever_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = errors(np.random.default_rng(4), 50, 1.0)
    whole = bootstrap_users(RMSE, [sample], n_draws=100).drawn
    monkeypatch.setattr("recbench.benchmarks.certainty.bootstrap.BLOCK", 50 * 7)
    assert bootstrap_users(RMSE, [sample], n_draws=100).drawn == pytest.approx(whole, rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_holm_rejects_what_stepping_down_by_hand_rejects(p_values: list[float]) -> None:
    adjusted = adjust_by_holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for step, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - step) > level:
                break
            rejected.add(int(index))
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
