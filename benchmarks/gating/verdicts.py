"""The verdict on one row in one column: a metric by the users' bootstrap, a time by its ratios fold by fold."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recbench.benchmarks.certainty import Estimate
from recbench.benchmarks.metrics import Doubles, find_metric
from recbench.benchmarks.records import Record

FAILING = ("MISSING", "INCOMPARABLE", "REGRESSED")
UNJUDGED = ("NEW", "NOT GATED")
POWER = 2.8  # standard errors: found at the 5 % level with a chance of 80 %
MACHINE_FACTS = ("cpu", "cores", "platform", "python", "threads")


@dataclass(frozen=True)
class Tolerance:
    """How much worse a column may become: `tolerance` of its value, or in its own unit if not `relative`."""

    text: str
    column: str
    tolerance: float
    relative: bool

    def show(self, change: float) -> str:
        """A change in the limit's own terms, above 0 is worse."""
        return f"{100 * change:+.2f} %" if self.relative else f"{change:+.4f}"


@dataclass(frozen=True)
class Verdict:
    """What became of one row in one column. `change`, `low` and `high` are above 0 where it got worse."""

    row: str
    limit: Tolerance
    verdict: str
    reason: str = ""
    base: float | None = None
    head: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = (
        None  # the smallest true change that would be found four times out of five
    )


def judge_metric(
    row: str, limit: Tolerance, old: Estimate, new: Estimate, suspicious: float
) -> Verdict:
    """The verdict on a metric. PASS only where a worsening beyond the tolerance would have been found."""
    metric = find_metric(limit.column)

    def worsening(before: Doubles, after: Doubles) -> Doubles:
        worse = metric.loss(after) - metric.loss(before)
        return worse / np.abs(before) if limit.relative else worse

    with np.errstate(divide="ignore", invalid="ignore"):
        worse = Estimate.of(worsening, old, new)
    low, high = worse.interval()
    if not math.isfinite(low):
        amount = f"{limit.column}:{'-' if metric.better == 'higher' else '+'}0.01"
        reason = (
            f"too often 0 in the base to be compared in percent; name an amount, as in {amount}"
        )
        return Verdict(row, limit, "UNRESOLVED", reason, old.value, new.value)
    detectable = POWER * worse.standard_error
    gained = (
        high
        if limit.relative
        else high / abs(old.value)
        if old.value
        else math.copysign(math.inf, high)
    )
    if low > limit.tolerance:
        verdict, reason = "REGRESSED", f"worse by more than {limit.text}"
    elif high < 0 and gained < -suspicious and metric.better != "zero":
        verdict, reason = (
            "SUSPICIOUS",
            f"better by more than {suspicious:.0%}: too good to be taken on trust",
        )
    elif high < 0:
        verdict, reason = "IMPROVED", ""
    elif limit.tolerance < detectable:
        least = limit.show(detectable).removeprefix("+")
        verdict, reason = "UNRESOLVED", f"too fine: the minimum detectable effect is {least}"
    else:
        verdict, reason = "PASS", ""
    return Verdict(
        row, limit, verdict, reason, old.value, new.value, worse.value, low, high, detectable
    )


def judge_time(row: str, limit: Tolerance, old: Sequence[Record], new: Sequence[Record]) -> Verdict:
    """The verdict on a time: a ratio for each fold, and the whole range of them instead of an interval."""
    if any(record.environment.contended for record in [*old, *new]):
        return Verdict(row, limit, "NOT GATED", "contended: other cells ran at the same time")
    for key in MACHINE_FACTS:
        there = getattr(old[0].environment, key)
        here = getattr(new[0].environment, key)
        if there != here:
            return Verdict(
                row, limit, "NOT GATED", f"another machine: {key} was {there} and is {here}"
            )
    phase = limit.column.removesuffix("_seconds")
    before, after = ([_in_kernels(record, phase) for record in records] for records in (old, new))
    ratios = [a / b - 1 for a, b in zip(after, before, strict=True) if a and b]
    if len(ratios) < len(old):
        return Verdict(row, limit, "NOT GATED", "a cell has no time, or none of the kernel")
    if len(ratios) < 2:
        return Verdict(
            row, limit, "NOT GATED", "one fold: a single ratio cannot tell a change from chance"
        )
    low, change, high = min(ratios), statistics.median(ratios), max(ratios)
    verdict = "REGRESSED" if low > limit.tolerance else "IMPROVED" if high < 0 else "PASS"
    was, now = (statistics.fmean(r.costs[phase].seconds for r in records) for records in (old, new))
    reason = (
        "slower in every fold, as a multiple of a fixed kernel" if verdict == "REGRESSED" else ""
    )
    return Verdict(row, limit, verdict, reason, was, now, change, low, high)


def _in_kernels(record: Record, phase: str) -> float | None:
    seconds = record.seconds(phase)
    return seconds / record.kernel_seconds if seconds and record.kernel_seconds else None
