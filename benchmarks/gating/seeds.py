"""What initialisations change, which the interval over users does not cover.

The paired bootstrap draws users, given the fitted models. Between two seeds of one algorithm the
models differ, and a third to a half of such intervals exclude 0 (RMSE of `numba-sgd` on MovieLens
100k: 10 of 28 pairs of seeds). Where runs have `--repeats`, the
variance between the seeds of the first division is known, and is added; where it is not, nothing
more is claimed than the choice of users allows.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from recbench.benchmarks.certainty import LEVEL
from recbench.benchmarks.records import Record

NORMAL_80 = 0.84  # standard deviations that are not exceeded in 80 % of all cases
NOT_DETERMINISTIC = "not deterministic"  # of a certificate


@dataclass(frozen=True)
class SeedVariance:
    """How much a difference between two initialisations varies: its deviation, from few of them."""

    deviation: float
    freedom: int  # degrees of freedom of the deviation

    @property
    def quantile(self) -> float:
        """Of Student's t: so many deviations are exceeded on either side in 5 % of all cases."""
        return float(stdtrit(self.freedom, 1 - LEVEL / 2))

    @property
    def detectable(self) -> float:
        """The smallest change that would be found four times out of five if no user differed."""
        return (self.quantile + NORMAL_80) * self.deviation

    def scaled(self, factor: float) -> "SeedVariance":
        """Of values that are `factor` times as large."""
        return SeedVariance(factor * self.deviation, self.freedom)

    def widen(self, value: float, interval: tuple[float, float]) -> tuple[float, float]:
        """The ends of `interval` around `value`, with the effect of initialisations in it.

        Each side is the root of the sum of two squares: the interval's own distance, and that of
        the effect's interval around 0 (the method of variance estimates recovery, Zou and Donner
        2008).
        """
        low, high = interval
        reach = self.quantile * self.deviation
        return value - math.hypot(value - low, reach), value + math.hypot(high - value, reach)


@dataclass(frozen=True)
class SeedEffect:
    """What is known of how initialisations move one metric of one row between two runs.

    `variance` is None where no run has repeats; then `why` says, if that is so, why models would
    differ although nothing else has changed.
    """

    variance: SeedVariance | None = None
    why: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether initialisations differ, and nobody knows how much that changes."""
        return bool(self.why) and self.variance is None

    @property
    def caveat(self) -> str:
        """What has to be said of an interval that does not cover them; empty if it does."""
        if not self.is_unknown:
            return ""
        return (
            f": {self.why}, and the interval covers the choice of users alone; "
            "with --repeats it would cover initialisations too"
        )


NO_EFFECT = SeedEffect()


def estimate_seed_effect(
    column: str,
    old: Sequence[Record],
    new: Sequence[Record],
    old_starts: Sequence[Record],
    new_starts: Sequence[Record],
) -> SeedEffect:
    """The effect on `column` between the rows `old` and `new`, from their other initialisations.

    The variance between the means over the folds of the first division is pooled over both runs,
    and counts twice, since either run has one initialisation.
    """
    why = _explain_difference(old, new)
    squares = 0.0
    freedom = 0
    for records, starts in ((old, old_starts), (new, new_starts)):
        means = _means_of_starts(column, records, starts)
        if len(means) > 1:
            squares += statistics.variance(means) * (len(means) - 1)
            freedom += len(means) - 1
    if freedom == 0:
        return SeedEffect(None, why)
    return SeedEffect(SeedVariance(math.sqrt(2 * squares / freedom), freedom), why)


def _means_of_starts(
    column: str, records: Sequence[Record], starts: Sequence[Record]
) -> list[float]:
    """The mean over the folds of the first division, for each initialisation that has them all."""
    first_seed = records[0].cell.split_seed
    first_division = [record for record in records if record.cell.split_seed == first_seed]
    by_seed: dict[int, list[float | None]] = {}
    for record in (*first_division, *starts):
        by_seed.setdefault(record.cell.seed, []).append(record.metrics.get(column))

    means = []
    for values in by_seed.values():
        known = [value for value in values if value is not None]
        if len(known) == len(first_division):
            means.append(statistics.fmean(known))
    return means


def _explain_difference(old: Sequence[Record], new: Sequence[Record]) -> str:
    """Why models of unchanged code would differ between two rows; empty if they would not."""
    old_seeds = {record.cell.seed for record in old}
    new_seeds = {record.cell.seed for record in new}
    if old_seeds != new_seeds:
        there = ", ".join(map(str, sorted(old_seeds)))
        here = ", ".join(map(str, sorted(new_seeds)))
        return f"the seeds differ ({there} in the base, {here} in the head)"

    for record in (*old, *new):
        if record.determinism is not None and record.determinism.repeatability == NOT_DETERMINISTIC:
            return "its fits are not deterministic"
    return ""
