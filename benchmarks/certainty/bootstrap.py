"""How sure a difference is: a paired bootstrap over users.

The users of the data set are drawn again with replacement, all algorithms and folds with the same draw, and every
number is made anew from the shares of the drawn users. Ratings of one user are never torn apart, so they need not be
independent. What the intervals cover is the choice of users, given the folds and the fitted models; the deviation
over folds is another thing, and no standard error, since folds share their training data.

In simulations with skewed users 95 % intervals cover 93 to 97 % from 100 users up, and 91 to 95 % of 20 to 50 users.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.certainty.estimate import LEVEL, Estimate
from recbench.benchmarks.metrics import Doubles, Metric

DRAWS = 4000
BLOCK = 1 << 24  # drawn users held at a time
FEWEST = 20  # users with a value in every fold: of fewer nothing is said, and a draw might hold none of them


@dataclass(frozen=True)
class UserShares:
    """What the users add to one metric of one row: shares of shape (n_folds, n_users) each."""

    sums: Doubles
    weights: Doubles

    @property
    def n_users(self) -> int:
        """How many users have a value in the fold that has the fewest of them."""
        return int((self.weights > 0).sum(axis=1).min())


@dataclass(frozen=True)
class Bootstrap:
    """A metric of several rows: the values, and what they are in each draw of users."""

    metric: Metric
    values: Doubles  # (n_rows,)
    drawn: Doubles  # (n_rows, n_draws)
    without: Doubles  # (n_rows, n_users): the values if one user were left out
    per_user: Doubles  # (n_rows, n_users): each user's own ratio of sums over all folds; NaN without weight

    @cached_property
    def losses(self) -> Doubles:
        """`drawn` as what is better the lower it is."""
        return self.metric.loss(self.drawn)

    @cached_property
    def best_row(self) -> int:
        """The row with the best value."""
        return int(np.argmin([self.metric.loss(value) for value in self.values]))

    def estimate(self, row: int) -> Estimate:
        """The value of a row."""
        return Estimate(float(self.values[row]), self.drawn[row], self.without[row])

    def interval(self, row: int, level: float = LEVEL) -> tuple[float, float]:
        """The interval of a row's value that should cover with a chance of 1 - level."""
        return self.estimate(row).interval(level)

    def estimate_difference(self, row: int, other: int) -> Estimate:
        """Value of `row` - value of `other`."""
        return Estimate.of(np.subtract, self.estimate(row), self.estimate(other))

    def difference(self, row: int, other: int, level: float = LEVEL) -> tuple[float, float, float]:
        """Value of `row` - value of `other`, and the interval of this difference."""
        gap = self.estimate_difference(row, other)
        return (gap.value, *gap.interval(level))

    def p_value(self, row: int, other: int) -> float:
        """Two-sided, of the difference."""
        return self.estimate_difference(row, other).p_value()

    @cached_property
    def p_values_against_best(self) -> Doubles:
        """The p-value of each row's difference to the best, adjusted by Holm's step-down (1979); 1 for the best.

        The best is chosen by the same data, so each step counts all pairs of the rows that are not yet told from it:
        counting the rows alone, one of twelve equal rows would be told from the best in every fifth study.
        """
        n = len(self.values)
        others = [row for row in range(n) if row != self.best_row]
        left = np.arange(n, 1, -1)
        adjusted = np.ones(n)
        adjusted[others] = adjust_by_holm(
            [self.p_value(row, self.best_row) for row in others], left * (left - 1) / 2
        )
        return adjusted

    @property
    def tied_with_best(self) -> list[int]:
        """The rows that cannot be told from the best at `LEVEL` after Holm's correction, the best among them."""
        return [
            row
            for row, p in enumerate(self.p_values_against_best)
            if row == self.best_row or p >= LEVEL
        ]

    @cached_property
    def pairwise_p_values(self) -> Doubles:
        """The p-value of each pair's difference, (n_rows, n_rows), adjusted for testing all pairs.

        Single-step max-T (Westfall & Young 1993): the share of draws in which any pair is as many of its standard
        deviations away from its own difference as this pair is from zero. Holm's factors would need more draws than
        there are pairs to call anything significant. A pair that differs equally in all draws gets 1.
        """
        spreads, largest = (
            np.zeros((2, len(self.values), len(self.values))),
            np.zeros(self.drawn.shape[1]),
        )
        for row, value in enumerate(self.values):
            gaps = value - self.values
            around = np.abs(self.drawn[row] - self.drawn - gaps[:, None])
            deviation = np.sqrt((around**2).mean(axis=1))
            varies = deviation > 1e-12
            spreads[:, row, varies] = np.abs(gaps[varies]), deviation[varies]
            if varies.any():
                largest = np.maximum(
                    largest, (around[varies] / deviation[varies, None]).max(axis=0)
                )
        gaps, deviations = spreads
        distance = np.divide(gaps, deviations, out=np.zeros_like(gaps), where=deviations > 0)
        below = np.searchsorted(np.sort(largest), distance)
        return np.asarray(
            np.where(distance > 0, (1 + len(largest) - below) / (1 + len(largest)), 1.0)
        )

    @cached_property
    def _ranks(self) -> Doubles:
        """The rank of each row in each draw, from 1; rows with equal values share the mean of their ranks."""
        losses = self.losses
        below = (losses[None] < losses[:, None]).sum(axis=1)
        equal = (losses[None] == losses[:, None]).sum(axis=1)
        return np.asarray(below + (equal + 1) / 2)

    @property
    def chance_of_first(self) -> Doubles:
        """The share of draws in which each row is first, (n_rows,); rows that are equal there share it."""
        first = self.losses == self.losses.min(axis=0)
        return np.asarray((first / first.sum(axis=0)).mean(axis=1))

    def rank_interval(self, row: int, level: float = LEVEL) -> tuple[int, int]:
        """The ranks between which a row lies in all but `level` of the draws."""
        low, high = np.quantile(self._ranks[row], [level / 2, 1 - level / 2])
        return int(np.floor(low)), int(np.ceil(high))

    def effect_size(self, row: int, other: int) -> float:
        """Cohen's d for pairs: the mean over users of their own difference, divided by its standard deviation.

        For RMSE the users' own numbers are mean squared errors. NaN if no two users have both.
        """
        gaps = self.per_user[row] - self.per_user[other]
        gaps = gaps[~np.isnan(gaps)]
        deviation = gaps.std(ddof=1) if len(gaps) > 1 else np.nan
        return (
            float(gaps.mean() / deviation)
            if deviation > 0
            else 0.0
            if deviation == 0
            else float("nan")
        )


def explain_too_few_users(n_users: int) -> str:
    """Why nothing can be said with so few users in the emptiest fold; empty if there are enough."""
    said = f"too few users: {n_users} with a value in one of the folds, and at least {FEWEST} are needed"
    return said if n_users < FEWEST else ""


def bootstrap_users(
    metric: Metric, samples: Sequence[UserShares], seed: int = 0, n_draws: int = DRAWS
) -> Bootstrap:
    """Draw the users `n_draws` times. Samples must have the same users; folds may differ in number between rows.

    A value is the mean over folds of finish(sum of sums / sum of weights), as everywhere in this bench.
    """
    seen = np.any([sample.weights.any(axis=0) for sample in samples], axis=0)
    sums = np.concatenate([sample.sums[:, seen] for sample in samples])
    weights = np.concatenate([sample.weights[:, seen] for sample in samples])
    ends = np.cumsum([len(sample.sums) for sample in samples])[:-1]

    def values(sums: Doubles, weights: Doubles) -> Doubles:
        """Rows x anything from anything x folds."""
        return np.array(
            [part.mean(axis=1) for part in np.split(metric.finish(sums / weights), ends, axis=1)]
        )

    total, total_weight = sums.sum(axis=1), weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = [
            values(counts @ sums.T, counts @ weights.T)
            for counts in _draws(int(seen.sum()), n_draws, seed)
        ]
        value = values(total[None], total_weight[None])[:, 0]
        without = values(total - sums.T, total_weight - weights.T)
        own = [
            sample.sums[:, seen].sum(axis=0) / sample.weights[:, seen].sum(axis=0)
            for sample in samples
        ]
    return Bootstrap(metric, value, np.concatenate(blocks, axis=1), without, np.array(own))


def _draws(n_users: int, n_draws: int, seed: int) -> Iterator[Doubles]:
    """How often each user is drawn, block by block: float64 of shape (draws of the block, n_users)."""
    rng = np.random.default_rng(seed)
    block = max(1, min(n_draws, BLOCK // max(n_users, 1)))
    for start in range(0, n_draws, block):
        n = min(block, n_draws - start)
        chosen = rng.integers(0, n_users, (n, n_users)) + n_users * np.arange(n)[:, None]
        yield (
            np.bincount(chosen.ravel(), minlength=n * n_users)
            .reshape(n, n_users)
            .astype(np.float64)
        )


def longest_alike_groups(alike: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last place of the longest runs, two or more places, whose pairs are all `alike`; they may overlap."""
    found: list[tuple[int, int]] = []
    for first in range(len(alike)):
        last = first
        while last + 1 < len(alike) and alike[first : last + 1, last + 1].all():
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def adjust_by_holm(p_values: Sequence[float], factors: Doubles | None = None) -> Doubles:
    """Holm's step-down adjustment: the smallest p times n, the next times n - 1, ..., never below an earlier one.

    With `factors`, the smallest p times the first of them, and so on.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(order), 0, -1) if factors is None else factors
    adjusted = np.minimum(1, np.maximum.accumulate(np.asarray(p_values, float)[order] * steps))
    result = np.empty(len(order))
    result[order] = adjusted
    return result
