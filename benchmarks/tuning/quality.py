"""How good a row becomes with the number of trials, as the stored trials tell."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.tuning.history import History

Doubles = NDArray[np.float64]

LOW = 0.025  # the ends of the interval
HIGH = 0.975


class Quality(NamedTuple):
    """The best value of some trials: its expectation, and the ends of its 95 % interval."""

    expected: float
    low: float
    high: float


def expect_best(history: History, n_trials: int) -> Quality | None:
    """The best of `n_trials` drawn, with replacement, from the trials of a search.

    Exactly, and without drawing: of n values the best of k draws is among the i worst with the
    probability (i / n)^k (Dodge et al. 2019, "Show Your Work"). A trial that failed counts as the
    worst value. None if no trial has a value.
    """
    metric = find_metric(history.metric)
    valued = [trial.value for trial in history.trials if trial.value is not None]
    if not valued:
        return None

    worst = max(valued, key=metric.loss)
    n_failed = len(history.trials) - len(valued)
    values = [*valued, *[worst] * n_failed]
    worst_first = np.array(sorted(values, key=metric.loss, reverse=True))

    shares = np.arange(len(values) + 1) / len(values)
    below = shares**n_trials  # the probability that the best is among the i worst
    expected = float(np.dot(worst_first, np.diff(below)))
    ends = [_find_quantile(worst_first, below, share) for share in (LOW, HIGH)]
    return Quality(expected, min(ends), max(ends))


def _find_quantile(values: Doubles, below: Doubles, share: float) -> float:
    """The first of `values` that the best is at most with at least this probability."""
    place = int(np.searchsorted(below[1:], share))
    return float(values[min(place, len(values) - 1)])
