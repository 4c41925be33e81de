"""What an algorithm costs on data of a size: sums of powers, whose coefficients `costs.toml` has.

`python -m tests.proof.calibrate` measures and writes that file; where it comes from stands in it. A
term is a coefficient times powers of the size of the data and of hyperparameters, so that what
grows with the third power of the items is told from what grows with the ratings.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

COSTS = Path(__file__).with_name("costs.toml")
# The factor of error grows by this where data are ten times as large as any that was measured
SECONDS_WIDENED = 1.5
MEMORY_WIDENED = 3.0  # small peaks are mostly what a process has before it has any data
# Standard deviations of a normal distribution: nine of ten lie within so many of the mean, four of
# five above the mean less so many
NINE_OF_TEN = 1.645
FOUR_OF_FIVE = 0.842
FITS = 3  # of a short fit, see `execution.subject`
FITTED_AGAIN_BELOW_SECONDS = 0.5
# What `--latency` asks of a row, see `models.latency` and `models.serving`
SERVED_USERS = 1000
SERVED_ROUNDS = 5
MOST_SECONDS_OF_ROUND = 10.0
SERVED_IN_BULK = 4096
MOST_SECONDS_IN_BULK = 10.0
USUAL_CALL_SECONDS = 0.0002
SERVING_SECONDS = 1.0  # of a small model, beside the calls
SERVING_FACTOR = 2.0  # of error: what one call takes depends on more than was calibrated


@dataclass(frozen=True)
class Size:
    """How large a cell is: ratings, users and items of its training part, and the ratings tested.

    Users and items are those who have a rating.
    """

    ratings: int
    users: int
    items: int
    tested: int

    @property
    def quantities(self) -> dict[str, float]:
        """By the names that powers have in `costs.toml`."""
        asked = min(self.users, self.tested)
        return {
            "ratings": float(self.ratings),
            "users": float(self.users),
            "items": float(self.items),
            "tested": float(self.tested),
            "asked": float(asked),
        }


@dataclass(frozen=True)
class Likely:
    """What is expected of a quantity: that nine times of ten it is at most `factor` times as much
    or as little.
    """

    value: float
    factor: float

    @property
    def low(self) -> float:
        """The least to be expected."""
        return self.value / self.factor

    @property
    def high(self) -> float:
        """The most to be expected."""
        return self.value * self.factor

    def exceeds(self, limit: float) -> bool:
        """Whether four of five such quantities are above `limit`.

        The logarithm of the error is taken as normal: `factor` is 1.645 standard deviations, within
        which nine of ten lie, and four of five lie above the value less .842 of them.
        """
        deviation = math.log(self.factor) / NINE_OF_TEN
        exceeded_by_four_of_five = self.value * math.exp(-FOUR_OF_FIVE * deviation)
        return exceeded_by_four_of_five > limit

    def scaled(self, ratio: float) -> "Likely":
        """So many times as much, as uncertain as before."""
        return Likely(self.value * ratio, self.factor)

    def widened(self, factor: float) -> "Likely":
        """The same, more uncertain by this factor."""
        return Likely(self.value, self.factor * factor)


@dataclass(frozen=True)
class Costs:
    """What a cell is expected to take: seconds from its first line to its record, and the greatest
    memory peak of all phases in MB.
    """

    seconds: Likely
    peak_mb: Likely


class _Written(BaseModel):
    """A table of `costs.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Term(_Written):
    """A coefficient times powers of quantities and hyperparameters; a constant has no powers."""

    coefficient: float
    powers: dict[str, float] = {}

    def evaluate(self, quantities: Mapping[str, float]) -> float:
        """The term's value; what `quantities` do not name counts as 1."""
        value = self.coefficient
        for name, power in self.powers.items():
            value *= quantities.get(name, 1.0) ** power
        return value


class AlgorithmCosts(_Written):
    """The terms of one algorithm: seconds of one fit with its conversion, of all scores of the
    catalogue and of the tested ratings; of the warm-up; and the memory peak.
    """

    warm_up_seconds: float
    # Of one user's list from a loaded model, beyond the user's share of `rank`
    call_seconds: float = USUAL_CALL_SECONDS
    fit: list[Term]
    rank: list[Term]
    rate: list[Term]
    peak_mb: list[Term]
    seconds_factor: float  # nine of ten measured costs are within this factor of the terms
    memory_factor: float


class BenchCosts(_Written):
    """Seconds that the bench itself takes: in each cell, to serve one, before the first one, and
    for a report.
    """

    cell: list[Term]
    serving_seconds: float = SERVING_SECONDS  # to save, load and check what `--latency` asks
    start_seconds: float
    report: list[Term]  # by rows and users


class Provenance(_Written):
    """Where the coefficients were measured."""

    cpu: str
    cores: int
    kernel_seconds: float  # of the fixed piece of work that tells how fast the machine is
    commit: str
    dated: str
    data: list[str]
    largest: dict[str, float]  # the largest size that was measured, by quantity


class CostModel(_Written):
    """All of `costs.toml`."""

    origin: Provenance
    bench: BenchCosts
    algorithms: dict[str, AlgorithmCosts]

    def estimate_cell(
        self, algorithm: str, hyperparameters: Mapping[str, Any], size: Size, speed: float = 1.0
    ) -> Costs | None:
        """What a cell will take on a machine that is `speed` times as fast as the calibrated one.

        None for an algorithm that was not calibrated, such as one of a plug-in.
        """
        costs = self.algorithms.get(algorithm)
        if costs is None:
            return None

        quantities = _numbers_among(hyperparameters) | size.quantities
        fit = add_terms(costs.fit, quantities) / speed
        others = add_terms([*costs.rank, *costs.rate, *self.bench.cell], quantities) / speed
        seconds = fit * count_fits(fit) + others + costs.warm_up_seconds / speed
        peak_mb = add_terms(costs.peak_mb, quantities)
        decades = self._decades_beyond_calibration(size)
        return Costs(
            seconds=Likely(seconds, costs.seconds_factor * SECONDS_WIDENED**decades),
            peak_mb=Likely(peak_mb, costs.memory_factor * MEMORY_WIDENED**decades),
        )

    def estimate_serving(
        self, algorithm: str, hyperparameters: Mapping[str, Any], size: Size, speed: float = 1.0
    ) -> Likely | None:
        """The seconds that `--latency` adds to a cell: its row as a model is asked for one user at
        a time, and for many.

        None for an algorithm that was not calibrated.
        """
        costs = self.algorithms.get(algorithm)
        if costs is None or not size.users:
            return None
        quantities = _numbers_among(hyperparameters) | size.quantities
        in_bulk = add_terms(costs.rank, quantities) / max(1.0, quantities["asked"]) / speed
        alone = in_bulk + costs.call_seconds / speed

        round_seconds = min(SERVED_USERS * alone, MOST_SECONDS_OF_ROUND)
        bulk_seconds = SERVED_ROUNDS * min(SERVED_IN_BULK, size.users) * in_bulk
        seconds = (
            self.bench.serving_seconds / speed
            + SERVED_ROUNDS * round_seconds
            + min(bulk_seconds, MOST_SECONDS_IN_BULK)
        )
        decades = self._decades_beyond_calibration(size)
        return Likely(seconds, SERVING_FACTOR * SECONDS_WIDENED**decades)

    def estimate_report(self, n_rows: int, users: int, speed: float = 1.0) -> float:
        """Seconds of a report with so many rows on data with so many users."""
        return add_terms(self.bench.report, {"rows": n_rows, "users": users}) / speed

    def _decades_beyond_calibration(self, size: Size) -> float:
        """How many times ten times as large the data are as any that was measured, in the quantity
        in which they are most.
        """
        decades = 0.0
        for name, value in size.quantities.items():
            largest = self.origin.largest.get(name)
            if largest is not None and value > largest:
                decades = max(decades, math.log10(value / largest))
        return decades


def add_terms(terms: Sequence[Term], quantities: Mapping[str, float]) -> float:
    """The sum of the terms."""
    return sum(term.evaluate(quantities) for term in terms)


def count_fits(seconds: float) -> int:
    """How often a fit of so many seconds is repeated in a timed cell.

    >>> [count_fits(seconds) for seconds in (0.01, 0.3, 2.0)]
    [3, 2, 1]
    """
    if seconds <= 0:
        return FITS
    return min(FITS, 1 + math.floor(FITTED_AGAIN_BELOW_SECONDS / seconds))


@cache
def read_cost_model() -> CostModel:
    """The calibration that ships with the package."""
    return CostModel.model_validate(tomllib.loads(COSTS.read_text()))


def _numbers_among(hyperparameters: Mapping[str, Any]) -> dict[str, float]:
    """Those hyperparameters that are positive numbers, and so can have a power."""
    return {
        name: float(value)
        for name, value in hyperparameters.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    }
