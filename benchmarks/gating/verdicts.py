"""The verdict on one row in one column.

A metric is judged by the bootstrap over users, widened by what is known of initialisations; a time
by its ratios fold by fold.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from recbench.benchmarks.certainty import Estimate
from recbench.benchmarks.gating.seeds import NO_EFFECT, SeedEffect
from recbench.benchmarks.gating.tolerances import BELOW_ZERO, TIMES, Tolerance
from recbench.benchmarks.metrics import Doubles, Metric, find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE, Record
from recbench.datasets.foundation import format_seconds

# Verdicts on a row of the head that is not there, and on what was not judged at all.
LOST = ("MISSING", "CRASHED")
UNJUDGED = ("NEW", "NOT GATED")

# Standard errors of a difference that is found at the 5 % level with a chance of 80 %.
POWER = 2.8

# Seconds of a phase below which the machine's own unrest is a large part of them.
SHORTEST_SECONDS = 0.1
# Folds that must all be slower, or all faster, for that to happen by chance in less than 5 %.
FOLDS_TO_TELL = 6

# Facts of an environment that must be the same where times are compared.
MACHINE_FACTS = ("cpu", "cores", "platform", "python", "threads")


@dataclass(frozen=True)
class Verdict:
    """What became of one row in one column.

    `change`, `low` and `high` (the ends of its interval) are above 0 where it got worse.
    `detectable` is the minimum detectable effect: the smallest true change that would be found four
    times out of five. Numbers are None where nothing was measured.
    """

    row: str
    tolerance: Tolerance
    verdict: str
    reason: str = ""
    base: float | None = None
    head: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As `--json` writes it: the tolerance is called `limit` there, and its amount
        `tolerance`.
        """
        entry = asdict(self)
        del entry["tolerance"]
        limit = {
            "text": self.tolerance.text,
            "column": self.tolerance.column,
            "tolerance": self.tolerance.amount if self.tolerance.is_limit else None,
            "relative": self.tolerance.relative,
            "rows": list(self.tolerance.rows),
        }
        return {"row": entry.pop("row"), "limit": limit, **entry}


def judge_metric(
    row: str,
    tolerance: Tolerance,
    old: Estimate,
    new: Estimate,
    suspicious: float,
    seeds: SeedEffect = NO_EFFECT,
    worst: float = math.inf,
) -> Verdict:
    """The verdict on a metric, from its estimates in the old and the new run.

    PASS if the two are equal in all draws, also at 0. REGRESSED if the whole interval of the change
    lies beyond the tolerance; SUSPICIOUS if it lies beyond a relative gain of `suspicious`;
    IMPROVED or WORSE if it lies on one side of 0. PASS only where a worsening beyond the tolerance
    would have been found, and else UNRESOLVED; NOT GATED where the old value cannot lose as much:
    `worst` is the largest value that an error can have.

    What `seeds` are known to change is in the interval. Where it should be and is not known, an
    interval on one side of 0 says nothing, so the row neither improved nor got worse.
    """
    metric = find_metric(tolerance.column)
    if old.value == new.value and np.array_equal(old.drawn, new.drawn):
        return judge_equal(row, tolerance, old.value)

    worsening = _estimate_worsening(metric, tolerance, old, new)
    bounds = worsening.interval()
    if not math.isfinite(bounds[0]):
        sign = "-" if metric.better == "higher" else "+"
        reason = (
            "too often 0 in the base to be compared in percent; "
            f"name an amount, as in {tolerance.column}:{sign}0.01"
        )
        return Verdict(row, tolerance, "UNRESOLVED", reason, old.value, new.value)

    variance = seeds.variance
    if variance is not None and tolerance.relative:
        variance = variance.scaled(1 / abs(old.value))
    low, high = bounds
    detectable = POWER * worsening.standard_error
    if variance is not None:
        low, high = variance.widen(worsening.value, bounds)
        detectable = math.hypot(detectable, variance.detectable)

    verdict = Verdict(
        row,
        tolerance,
        "PASS",
        base=old.value,
        head=new.value,
        change=worsening.value,
        low=low,
        high=high,
        detectable=detectable,
    )
    is_suspicious = (
        metric.better != "zero" and _relative_change(high, tolerance, old.value) < -suspicious
    )
    if low > tolerance.amount:
        reason = f"worse by more than {tolerance.text}"
        return replace(verdict, verdict="REGRESSED", reason=f"{reason}{seeds.caveat}")
    if high < 0 and is_suspicious:
        reason = f"better by more than {suspicious:.0%}: too good to be taken on trust"
        return replace(verdict, verdict="SUSPICIOUS", reason=reason)
    if _cannot_lose(metric, tolerance, old.value, worst):
        allowed = tolerance.format_change(tolerance.amount).removeprefix("+")
        reason = f"it has {old.value:.4g}, and cannot lose the {allowed} that may pass"
        return replace(verdict, verdict="NOT GATED", reason=reason)

    cannot_claim = f"no change can be claimed{seeds.caveat}"
    if high < 0:
        if seeds.is_unknown:
            return replace(verdict, reason=cannot_claim)
        return replace(verdict, verdict="IMPROVED")
    if tolerance.amount < detectable:
        least = tolerance.format_change(detectable).removeprefix("+")
        reason = f"too fine: the minimum detectable effect is {least}"
        return replace(verdict, verdict="UNRESOLVED", reason=reason)
    if low > 0:
        if seeds.is_unknown:
            return replace(verdict, reason=cannot_claim)
        reason = f"worse, and not by more than {tolerance.text}" if tolerance.is_limit else ""
        return replace(verdict, verdict="WORSE", reason=reason)
    return verdict


def judge_equal(row: str, tolerance: Tolerance, value: float) -> Verdict:
    """The verdict on a column in which all users have the same in both runs: nothing changed."""
    return Verdict(
        row,
        tolerance,
        "PASS",
        base=value,
        head=value,
        change=0.0,
        low=0.0,
        high=0.0,
        detectable=0.0,
    )


def _cannot_lose(metric: Metric, tolerance: Tolerance, old_value: float, worst: float) -> bool:
    """Whether no value of the metric is as much worse than the old one as is tolerated."""
    if not tolerance.is_limit:
        return False
    allowed = tolerance.amount
    if tolerance.relative:
        allowed *= abs(old_value)
    if metric.better == "higher":
        return metric.name not in BELOW_ZERO and old_value <= allowed
    return worst - abs(old_value) <= allowed


def _estimate_worsening(
    metric: Metric, tolerance: Tolerance, old: Estimate, new: Estimate
) -> Estimate:
    """By how much `new` is worse than `old`, as a part of the old value if the tolerance is one."""

    def worsening_of(before: Doubles, after: Doubles) -> Doubles:
        worse = metric.loss(after) - metric.loss(before)
        if tolerance.relative:
            return worse / np.abs(before)
        return worse

    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimate.of(worsening_of, old, new)


def _relative_change(change: float, tolerance: Tolerance, old_value: float) -> float:
    """A change as a part of the old value; infinite if that is 0."""
    if tolerance.relative:
        return change
    if old_value:
        return change / abs(old_value)
    return math.copysign(math.inf, change)


def judge_time(
    row: str, tolerance: Tolerance, old: Sequence[Record], new: Sequence[Record]
) -> Verdict:
    """The verdict on a time: a ratio for each fold, and their whole range instead of an interval.

    Times are multiples of a fixed kernel timed in the same cell. NOT GATED where cells ran at the
    same time or on another machine, where a time is absent, and with one fold; UNRESOLVED where
    both are too short, or where the processor's seconds did not grow as the wall's have. WORSE and
    IMPROVED need folds enough to tell all slower from chance.
    """
    phase = tolerance.column.removesuffix("_seconds")
    changes = _changes_of_times(phase, "seconds", old, new)
    obstacle = explain_other_machine(old, new)
    if not obstacle and len(changes) < len(old):
        obstacle = "a cell has no time, or none of the kernel"

    base = mean_over_folds(old, tolerance.column)
    head = mean_over_folds(new, tolerance.column)
    if obstacle:
        return Verdict(row, tolerance, "NOT GATED", obstacle, base, head)

    verdict = Verdict(
        row,
        tolerance,
        "PASS",
        base=base,
        head=head,
        change=statistics.median(changes),
        low=min(changes),
        high=max(changes),
    )
    processor_changes = _changes_of_times(phase, "cpu_seconds", old, new)
    has_waited = (
        len(processor_changes) == len(changes) and min(processor_changes) <= tolerance.amount
    )
    return _judge_range(verdict, tolerance, len(changes), has_waited=has_waited)


def _judge_range(
    verdict: Verdict, tolerance: Tolerance, n_folds: int, *, has_waited: bool
) -> Verdict:
    """`verdict` on a time with the word and the reason that its numbers have earned."""
    assert verdict.base is not None and verdict.head is not None
    assert verdict.low is not None and verdict.high is not None
    longest = max(verdict.base, verdict.head)
    if n_folds < 2:
        reason = "one fold: a single ratio cannot tell a change from chance"
        return replace(verdict, verdict="NOT GATED", reason=reason)
    if verdict.low == verdict.high == 0:
        return verdict
    if longest < SHORTEST_SECONDS:
        reason = (
            f"too short: {format_seconds(longest)} s on average, and a machine's own unrest "
            f"counts below {SHORTEST_SECONDS:g} s"
        )
        return replace(verdict, verdict="UNRESOLVED", reason=reason)
    if verdict.low > tolerance.amount and has_waited:
        reason = (
            "slower in every fold by the clock, and not in seconds of the processor: the machine "
            "did other things, or the algorithm waits"
        )
        return replace(verdict, verdict="UNRESOLVED", reason=reason)
    if verdict.low > tolerance.amount:
        reason = "slower in every fold, as a multiple of a fixed kernel"
        return replace(verdict, verdict="REGRESSED", reason=reason)
    if n_folds >= FOLDS_TO_TELL and verdict.high < 0:
        return replace(verdict, verdict="IMPROVED")
    if n_folds >= FOLDS_TO_TELL and verdict.low > 0:
        reason = f"slower in every fold, by less than {tolerance.text} in one of them"
        return replace(verdict, verdict="WORSE", reason=reason)
    return verdict


def explain_other_machine(old: Sequence[Record], new: Sequence[Record]) -> str:
    """Why times of these records say nothing about each other; empty if they do."""
    if any(record.cell.external is not None for record in [*old, *new]):
        return f"times are {NOT_MEASURED_HERE}: answers come from files"
    if any(record.environment.contended for record in [*old, *new]):
        return "contended: other cells ran at the same time"
    for name in MACHINE_FACTS:
        there = getattr(old[0].environment, name)
        here = getattr(new[0].environment, name)
        if there != here:
            return f"another machine: {name} was {there} and is {here}"
    return ""


def mean_over_folds(records: Sequence[Record], column: str) -> float | None:
    """The mean of a metric or a time, as records have it; None if one of them has none."""
    if any(record.status != "ok" for record in records):
        return None
    values: list[float | None] = []
    for record in records:
        if column in TIMES:
            values.append(record.seconds(column.removesuffix("_seconds")))
        else:
            values.append(record.metrics.get(column))
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return statistics.fmean(known)


def _changes_of_times(
    phase: str,
    clock: Literal["seconds", "cpu_seconds"],
    old: Sequence[Record],
    new: Sequence[Record],
) -> list[float]:
    """Ratios - 1 of a phase's times, in multiples of the kernel, of the folds that have them."""
    changes = []
    for before, after in zip(old, new, strict=True):
        old_time = time_in_kernels(before, phase, clock)
        new_time = time_in_kernels(after, phase, clock)
        if old_time and new_time:
            changes.append(new_time / old_time - 1)
    return changes


def time_in_kernels(
    record: Record, phase: str, clock: Literal["seconds", "cpu_seconds"]
) -> float | None:
    """The time of a phase as a multiple of the kernel's; None if either is absent or 0."""
    cost = record.costs.get(phase)
    seconds: float | None = getattr(cost, clock) if cost is not None else None
    if not seconds or not record.kernel_seconds:
        return None
    return seconds / record.kernel_seconds
