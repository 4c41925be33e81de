"""The verdict on one row in one column.

A metric is judged by the bootstrap over users, a time by its ratios fold by fold.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recbench.benchmarks.certainty import Estimate
from recbench.benchmarks.gating.tolerances import Tolerance
from recbench.benchmarks.metrics import Doubles, Metric, find_metric
from recbench.benchmarks.records import Record

# Verdicts that fail a gate, and verdicts on what was not judged at all.
FAILING = ("MISSING", "INCOMPARABLE", "REGRESSED")
UNJUDGED = ("NEW", "NOT GATED")

# Standard errors of a difference that is found at the 5 % level with a chance of 80 %.
POWER = 2.8

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
            "tolerance": self.tolerance.amount,
            "relative": self.tolerance.relative,
        }
        return {"row": entry.pop("row"), "limit": limit, **entry}


def judge_metric(
    row: str, tolerance: Tolerance, old: Estimate, new: Estimate, suspicious: float
) -> Verdict:
    """The verdict on a metric, from its estimates in the old and the new run.

    REGRESSED if the whole interval of the change lies beyond the tolerance; SUSPICIOUS if it lies
    beyond a relative gain of `suspicious`; IMPROVED if it lies on the better side; PASS only where
    a worsening beyond the tolerance would have been found, and else UNRESOLVED.
    """
    metric = find_metric(tolerance.column)
    worsening = _estimate_worsening(metric, tolerance, old, new)
    low, high = worsening.interval()
    if not math.isfinite(low):
        sign = "-" if metric.better == "higher" else "+"
        reason = (
            "too often 0 in the base to be compared in percent; "
            f"name an amount, as in {tolerance.column}:{sign}0.01"
        )
        return Verdict(row, tolerance, "UNRESOLVED", reason, old.value, new.value)

    detectable = POWER * worsening.standard_error
    is_suspicious = (
        metric.better != "zero" and _relative_change(high, tolerance, old.value) < -suspicious
    )
    reason = ""
    if low > tolerance.amount:
        verdict = "REGRESSED"
        reason = f"worse by more than {tolerance.text}"
    elif high < 0 and is_suspicious:
        verdict = "SUSPICIOUS"
        reason = f"better by more than {suspicious:.0%}: too good to be taken on trust"
    elif high < 0:
        verdict = "IMPROVED"
    elif tolerance.amount < detectable:
        verdict = "UNRESOLVED"
        least = tolerance.format_change(detectable).removeprefix("+")
        reason = f"too fine: the minimum detectable effect is {least}"
    else:
        verdict = "PASS"

    return Verdict(
        row,
        tolerance,
        verdict,
        reason,
        base=old.value,
        head=new.value,
        change=worsening.value,
        low=low,
        high=high,
        detectable=detectable,
    )


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
    same time or on another machine, where a time is absent, and with one fold.
    """
    obstacle = _obstacle_to_times(old, new)
    if obstacle:
        return Verdict(row, tolerance, "NOT GATED", obstacle)

    phase = tolerance.column.removesuffix("_seconds")
    changes = []
    for before, after in zip(old, new, strict=True):
        old_time = _time_in_kernels(before, phase)
        new_time = _time_in_kernels(after, phase)
        if old_time and new_time:
            changes.append(new_time / old_time - 1)
    if len(changes) < len(old):
        reason = "a cell has no time, or none of the kernel"
        return Verdict(row, tolerance, "NOT GATED", reason)
    if len(changes) < 2:
        reason = "one fold: a single ratio cannot tell a change from chance"
        return Verdict(row, tolerance, "NOT GATED", reason)

    low = min(changes)
    high = max(changes)
    verdict = "PASS"
    reason = ""
    if low > tolerance.amount:
        verdict = "REGRESSED"
        reason = "slower in every fold, as a multiple of a fixed kernel"
    elif high < 0:
        verdict = "IMPROVED"
    return Verdict(
        row,
        tolerance,
        verdict,
        reason,
        base=statistics.fmean(record.costs[phase].seconds for record in old),
        head=statistics.fmean(record.costs[phase].seconds for record in new),
        change=statistics.median(changes),
        low=low,
        high=high,
    )


def _obstacle_to_times(old: Sequence[Record], new: Sequence[Record]) -> str:
    """Why times of these records say nothing about each other; empty if they do."""
    if any(record.environment.contended for record in [*old, *new]):
        return "contended: other cells ran at the same time"
    for name in MACHINE_FACTS:
        there = getattr(old[0].environment, name)
        here = getattr(new[0].environment, name)
        if there != here:
            return f"another machine: {name} was {there} and is {here}"
    return ""


def _time_in_kernels(record: Record, phase: str) -> float | None:
    """The seconds of a phase as a multiple of the kernel's; None if either is absent or 0."""
    seconds = record.seconds(phase)
    if not seconds or not record.kernel_seconds:
        return None
    return seconds / record.kernel_seconds
