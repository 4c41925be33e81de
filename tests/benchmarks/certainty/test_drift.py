"""A slow drift that no pair of neighbours shows is found, and hardly ever one that is not there."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from recbench.benchmarks.certainty.drift import (
    ALARM_LEVEL,
    count_values_needed,
    find_drifts,
    p_values_of_changes,
)
from recbench.benchmarks.metrics import Doubles

N_RUNS = 50
N_LINES = 12  # rows and metrics of a page
PLANTED = 0.003  # over ten of the fifty runs
NOISE = 0.00106  # of one run: two of them differ by twice .0015 in one of twenty pairs


def ramp(first: int, size: float = PLANTED) -> Doubles:
    """Flat up to `first`, ten runs later `size` higher, and flat from there."""
    return size * np.clip((np.arange(N_RUNS) - first) / 10, 0, 1)


def page(rng: np.random.Generator, *, heavy_tails: bool = False) -> Doubles:
    """The values of a page without a drift, (N_LINES, N_RUNS)."""
    shape = (N_LINES, N_RUNS)
    noise = rng.standard_t(3, shape) if heavy_tails else rng.normal(size=shape)
    return np.asarray(0.95 + NOISE * noise)


def count_false_alarms(n_histories: int, seed: int, *, heavy_tails: bool) -> int:
    """How many histories without a drift have an alarm anywhere on their page."""
    rng = np.random.default_rng(seed)
    pages = [list(page(rng, heavy_tails=heavy_tails)) for _ in range(n_histories)]
    return sum(any(find_drifts(lines)) for lines in pages)


def count_found(n_histories: int, seed: int, first: int) -> int:
    """In how many histories with one drift that and nothing else is found."""
    rng = np.random.default_rng(seed)
    n_found = 0
    for _ in range(n_histories):
        lines = page(rng)
        lines[3] += ramp(first)
        found = find_drifts(list(lines))
        n_found += [len(drifts) for drifts in found] == [0, 0, 0, 1] + [0] * (N_LINES - 4)
    return n_found


@pytest.mark.parametrize("heavy_tails", [False, True])
def test_at_most_one_of_200_histories_without_a_drift_has_an_alarm(heavy_tails: bool) -> None:
    assert count_false_alarms(200, 0, heavy_tails=heavy_tails) <= 1


def test_a_planted_drift_is_found_where_and_as_large_as_it_is() -> None:
    assert count_found(20, 1, first=20) >= 19

    rng = np.random.default_rng(2)
    (drifts,) = find_drifts([0.95 + ramp(20) + rng.normal(0, NOISE / 5, N_RUNS)])
    (drift,) = drifts
    assert abs(drift.first - 20) <= 2 and abs(drift.last - 30) <= 2
    assert drift.size == pytest.approx(PLANTED, abs=3 * drift.deviation)
    assert drift.weights.sum() == pytest.approx(0)
    assert drift.p_value < ALARM_LEVEL


def test_two_changes_of_one_line_are_two() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.1, 60)
    values[20:] += 1
    values[40:] -= 2
    (drifts,) = find_drifts([values])
    assert [(drift.first, drift.last) for drift in drifts] == [(19, 20), (39, 40)]
    assert [round(drift.size) for drift in drifts] == [1, -2]


def test_a_short_line_cannot_show_anything_and_a_flat_one_does_not() -> None:
    n_needed = count_values_needed(1)
    rising: NDArray[np.float64] = np.arange(n_needed, dtype=np.float64)
    assert find_drifts([rising[:-1]]) == [[]]
    assert len(find_drifts([rising])[0]) == 1
    assert find_drifts([np.ones(N_RUNS), np.ones(1), np.ones(0)]) == [[], [], []]
    assert count_values_needed(100) > n_needed


def test_lines_that_are_too_short_make_the_others_no_harder_to_find() -> None:
    rising: NDArray[np.float64] = np.arange(count_values_needed(1), dtype=np.float64)
    found = find_drifts([rising, *(rising[:9] for _ in range(100))])
    assert [len(drifts) for drifts in found] == [1] + [0] * 100


def test_p_values_are_those_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        values = rng.normal(size=10) + np.arange(10) / 5
        expected = mannwhitneyu(values[:5], values[5:], method="exact").pvalue
        assert p_values_of_changes([values])[0] == pytest.approx(expected)


def test_long_lines_have_p_values_that_are_not_too_small() -> None:
    rng = np.random.default_rng(5)
    p_values = p_values_of_changes(list(rng.normal(size=(200, 300))))
    assert (p_values < 0.1).mean() < 0.1
    drifting = rng.normal(size=300) + np.arange(300) / 150
    assert p_values_of_changes([drifting])[0] < ALARM_LEVEL


@pytest.mark.proof
def test_the_rate_of_false_alarms_and_the_power_over_many_histories() -> None:
    """The whole series: 10,000 histories without a drift, 2,000 with one, wherever it begins."""
    n_alarms = count_false_alarms(5000, 10, heavy_tails=False)
    n_alarms += count_false_alarms(5000, 11, heavy_tails=True)
    found = {first: count_found(500, 20 + first, first) / 500 for first in (5, 10, 20, 30)}
    print(f"false alarms: {n_alarms} of 10,000 histories; found: {found}")
    assert n_alarms <= 10_000 * ALARM_LEVEL
    assert found[20] > 0.95
