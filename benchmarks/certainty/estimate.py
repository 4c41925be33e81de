"""A number that users give, and how sure it is: intervals and p-values from a bootstrap's draws."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from recbench.benchmarks.metrics import Doubles

LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """A number: its value, what it is in each draw of users, and what it is without each of the users."""

    value: float
    drawn: Doubles  # (n_draws,)
    without: Doubles  # (n_users,)

    @staticmethod
    def of(function: Callable[..., Any], *estimates: "Estimate") -> "Estimate":
        """A function of numbers that have the same draws, such as their difference."""
        value = function(*(np.array([estimate.value]) for estimate in estimates))[0]
        drawn, without = (
            [getattr(estimate, name) for estimate in estimates] for name in ("drawn", "without")
        )
        return Estimate(float(value), function(*drawn), function(*without))

    @cached_property
    def standard_error(self) -> float:
        """The standard error over users."""
        return float(self.drawn.std() * self._widening)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that should cover with a chance of 1 - level; NaN if a draw has no value.

        Quantiles of the draws, corrected for bias and skewness (BCa, Efron 1987), and as much wider as few users make
        Student's t than the normal distribution (Hesterberg 2015).
        """
        if not np.isfinite(self.drawn).all():
            return float("nan"), float("nan")
        if np.ptp(self.drawn) == 0:
            return float(self.drawn[0]), float(self.drawn[0])
        bias, acceleration = self._correction
        z = bias + self._widening * stdtrit(
            len(self.without) - 1, np.array([level / 2, 1 - level / 2])
        )
        low, high = np.quantile(self.drawn, ndtr(bias + z / np.maximum(1 - acceleration * z, 1e-9)))
        return float(low), float(high)

    def p_value(self) -> float:
        """Two-sided, of being 0: the level at which `interval` ends at 0.

        If no draw is on the other side of 0, their count cannot say how far away that is, so it comes from the normal
        distribution with the draws' deviation: no p would else be small enough to be corrected for many rows.
        """
        if self.value == 0:
            return 1.0
        sign = 1.0 if self.value > 0 else -1.0
        bias, acceleration = (sign * correction for correction in self._correction)
        z = ndtri((sign * self.drawn <= 0).mean()) - bias
        if np.isfinite(z) and 1 + acceleration * z > 0.1:
            z = z / (1 + acceleration * z) - bias
        else:
            deviation = self.drawn.std()
            z = -abs(self.value) / deviation if deviation > 0 else -np.inf
        return float(min(1.0, 2 * stdtr(len(self.without) - 1, z / self._widening)))

    @property
    def _widening(self) -> float:
        """By how much draws of n users vary too little."""
        n = len(self.without)
        return float(np.sqrt(n / (n - 1))) if n > 1 else float("nan")

    @cached_property
    def _correction(self) -> tuple[float, float]:
        """By how many deviations the value is beside the draws' median, and how its deviation grows with it."""
        below = ((self.drawn < self.value).mean() + (self.drawn <= self.value).mean()) / 2
        least = 0.5 / len(self.drawn)
        pulls = self.without.mean() - self.without
        spread = (pulls**2).sum() ** 1.5
        acceleration = (pulls**3).sum() / (6 * spread) if spread > 0 else 0.0
        return float(ndtri(np.clip(below, least, 1 - least))), float(acceleration)
