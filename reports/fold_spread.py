"""What folds say about a metric: their mean, and how much they differ."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What one row's folds say about one metric.

    `deviation` is their standard deviation (n - 1), None for one fold. It tells how much the folds
    differ. It is no standard error: folds share their training data.
    """

    mean: float
    deviation: float | None
    lowest: float
    highest: float
    n_folds: int

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return Spread(statistics.fmean(values), deviation, min(values), max(values), len(values))
