"""The matrix of differences: its marks are the p-values, and it keeps the best rows."""

import itertools

import numpy as np
import pytest

from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.estimate import LEVEL
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.metrics.registry import METRICS
from recbench.reports.drawing import differences
from recbench.reports.results import Certainty, Results, Row


def test_each_pair_stands_once_and_its_mark_is_the_p_value(whole: Results) -> None:
    found = whole.certainty["rmse"]
    shown = differences.difference_matrix(found, "rmse")
    boot = found.bootstrap
    for (y, one), (x, other) in itertools.combinations(enumerate(found.order), 2):
        gap = shown.gaps[y][x]
        assert gap and shown.gaps[x][y] is None
        assert (gap.difference, gap.low, gap.high) == pytest.approx(boot.difference(one, other))
        assert (
            gap.apart
            == (slow_p(boot.values, boot.drawn)[one, other] < LEVEL)
            == (gap.colours is not None)
        )
        assert ("≈" in gap.text) == (not gap.apart) and gap.better == (gap.difference < 0)
    assert all(shown.gaps[y][y] is None for y in range(len(found.rows)))


def slow_p(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Single-step max-T with loops: how often any pair is as far from its own difference as each is
    from zero.
    """
    n = len(values)
    pairs = list(itertools.combinations(range(len(values)), 2))
    deviations = {
        pair: np.sqrt(np.mean((gap(drawn, pair) - gap(values, pair)) ** 2)) for pair in pairs
    }
    varying = [pair for pair in pairs if deviations[pair] > 1e-12]
    farthest = np.max(
        [np.abs(gap(drawn, p) - gap(values, p)) / deviations[p] for p in varying], axis=0
    )
    found = np.ones((n, n))
    for pair in varying:
        far = (1 + np.sum(farthest >= abs(gap(values, pair)) / deviations[pair])) / (
            1 + len(farthest)
        )
        found[pair] = found[pair[::-1]] = 1.0 if gap(values, pair) == 0 else far
    return found


def gap(values: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.asarray(values[pair[0]] - values[pair[1]])


def test_the_matrix_keeps_the_best_rows_and_says_so() -> None:
    rng = np.random.default_rng(1)
    rows = [
        UserShares(rng.chisquare(3, (1, 90)) * (1 + i / 30), np.ones((1, 90))) for i in range(25)
    ]
    results = [Row(f"row-{i}", "sgd", ()) for i in range(25)]
    found = Certainty(results, bootstrap_users(METRICS["rmse"], rows, n_draws=200))
    shown = differences.difference_matrix(found, "rmse")
    assert (
        shown.names == [f"row-{index}" for index in found.order[: differences.MOST_ROWS]]
        and shown.n_rows == 25
    )
