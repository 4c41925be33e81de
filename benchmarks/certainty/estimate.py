"""A number that users give, and how sure it is: intervals and p-values from a bootstrap's draws."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from recbench.benchmarks.metrics import Doubles

# Differences are significant below this p-value, and intervals should miss with this chance.
LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A number: its value, what it is in each draw of users, and without each of the users."""

    value: float
    drawn: Doubles  # (n_draws,)
    without: Doubles  # (n_users,)

    @staticmethod
    def of(function: Callable[..., Any], *estimates: "Estimate") -> "Estimate":
        """A function of numbers that have the same draws, such as their difference."""
        values = [np.array([estimate.value]) for estimate in estimates]
        drawn = [estimate.drawn for estimate in estimates]
        without = [estimate.without for estimate in estimates]

        (value,) = function(*values)
        return Estimate(float(value), function(*drawn), function(*without))

    @cached_property
    def standard_error(self) -> float:
        """The standard error over users."""
        return float(self.drawn.std() * self._widening)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that should cover with a chance of 1 - level; NaN if a draw has no value.

        Quantiles of the draws, corrected for bias and skewness (BCa, Efron 1987), and as much wider
        as few users make Student's t than the normal distribution (Hesterberg 2015).
        """
        if not np.isfinite(self.drawn).all():
            return float("nan"), float("nan")
        if np.ptp(self.drawn) == 0:
            return float(self.drawn[0]), float(self.drawn[0])

        # Where the interval would end on a standard scale, with Student's t.
        freedom = len(self.without) - 1
        tails = np.array([level / 2, 1 - level / 2])
        bias, acceleration = self._correction
        z = bias + self._widening * stdtrit(freedom, tails)

        # The skewness stretches one side and compresses the other.
        stretch = np.maximum(1 - acceleration * z, 1e-9)
        quantiles = ndtr(bias + z / stretch)
        low, high = np.quantile(self.drawn, quantiles)
        return float(low), float(high)

    def p_value(self) -> float:
        """Two-sided, of being 0: the level at which `interval` ends at 0.

        If no draw is on the other side of 0, their count cannot say how far away that is, so it
        comes from the normal distribution with the draws' deviation: no p would else be small
        enough to be corrected for many rows.
        """
        if self.value == 0:
            return 1.0

        # Mirrored, so that the value lies above 0.
        sign = 1.0 if self.value > 0 else -1.0
        bias, acceleration = self._correction
        bias *= sign
        acceleration *= sign
        share_beyond_zero = (sign * self.drawn <= 0).mean()
        z = ndtri(share_beyond_zero) - bias

        if np.isfinite(z) and 1 + acceleration * z > 0.1:
            z = z / (1 + acceleration * z) - bias
        else:
            deviation = self.drawn.std()
            z = -abs(self.value) / deviation if deviation > 0 else -np.inf
        freedom = len(self.without) - 1
        return float(min(1.0, 2 * stdtr(freedom, z / self._widening)))

    @property
    def _widening(self) -> float:
        """By how much draws of n users vary too little."""
        n_users = len(self.without)
        if n_users < 2:
            return float("nan")

        ratio_of_variances = n_users / (n_users - 1)
        return float(np.sqrt(ratio_of_variances))

    @cached_property
    def _correction(self) -> tuple[float, float]:
        """Bias and acceleration of the BCa interval.

        By how many standard deviations the value lies beside the draws' median, and how the
        standard deviation grows with the value.
        """
        # Draws that are equal to the value count half.
        share_less = (self.drawn < self.value).mean()
        share_at_most = (self.drawn <= self.value).mean()
        share_below = (share_less + share_at_most) / 2
        least_share = 0.5 / len(self.drawn)
        bias = ndtri(np.clip(share_below, least_share, 1 - least_share))

        pulls = self.without.mean() - self.without  # of each user on the value
        spread = (pulls**2).sum() ** 1.5
        skewness = (pulls**3).sum()
        acceleration = skewness / (6 * spread) if spread > 0 else 0.0
        return float(bias), float(acceleration)
