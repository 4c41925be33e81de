"""Whether a new run is worse than an old one by more than is allowed, and more than chance explains.

Both runs are compared row by row on the same users: the interval is that of the paired bootstrap of
`benchmarks.statistics`. A row has REGRESSED only if its whole interval lies beyond the tolerance. Times are compared
as ratios to a fixed kernel that was timed in the same cell, fold by fold.
"""

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measure import PHASES
from benchmarks.metrics import Floats, Metric, find
from benchmarks.results import Record, Run
from benchmarks.samples import samples
from benchmarks.statistics import Sample, bootstrap, interval
from datasets.spec import UsageError

FAILING = ("MISSING", "INCOMPARABLE", "REGRESSED")
POWER = 2.8  # standard errors: found at the 5 % level with a chance of 80 %
TIMES = tuple(f"{phase}_seconds" for phase in PHASES)
MACHINE = ("cpu", "cores", "platform", "python", "threads")


@dataclass(frozen=True)
class Limit:
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
    limit: Limit
    verdict: str
    reason: str = ""
    base: float | None = None
    head: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None  # the smallest true change that would be found four times out of five


def parse(text: str) -> Limit:
    """`rmse:+0.5%`, `precision@10:-3%`, `mae:+0.01`, `fit_seconds:+50%`; UsageError for anything else."""
    column, _, amount = text.rpartition(":")
    found = re.fullmatch(r"([+-])(\d+(?:\.\d*)?|\.\d+)(%?)", amount.strip())
    if not column or found is None:
        raise UsageError(f"--fail-on {text!r}: expected COLUMN:+AMOUNT or COLUMN:-AMOUNT, as in rmse:+0.5%")
    sign, number, percent = found.groups()
    tolerance = float(number) / (100 if percent else 1)
    if column in TIMES:
        if sign == "-" or not percent:
            raise UsageError(f"--fail-on {text!r}: times are compared as ratios; write {column}:+50%")
        return Limit(text, column, tolerance, relative=True)
    metric = find(column)
    if metric.kind == "set":
        raise UsageError(f"--fail-on {text!r}: {metric.name} has no uncertainty over users, so it cannot be gated")
    worse = {"lower": "+", "higher": "-", "zero": "+"}[metric.better]
    if sign != worse:
        raise UsageError(
            f"--fail-on {text!r}: {column} gets worse towards {worse}; write {column}:{worse}{number}{percent}"
        )
    if metric.better == "zero" and percent:
        raise UsageError(f"--fail-on {text!r}: {column} is best at 0, so name an amount, as in {column}:+0.01")
    return Limit(text, column, tolerance, relative=bool(percent))


def compare(base: Run, head: Run, limits: Sequence[Limit], suspicious: float) -> list[Verdict]:
    """One verdict for each row of either run and each limit that it has values for, in the order of `base`."""
    old, new = _rows(base), _rows(head)
    columns = [limit.column for limit in limits if limit.column not in TIMES]
    old_samples, new_samples = samples(base, old, columns), samples(head, new, columns)
    verdicts = []
    for row in dict.fromkeys([*old, *new]):
        reason = _obstacle(old.get(row), new.get(row))
        for limit in limits:
            if reason:
                verdicts.append(Verdict(row, limit, *reason))
            elif limit.column in TIMES:
                verdicts.append(_time(row, limit, old[row], new[row]))
            else:
                pair = old_samples[limit.column].get(row), new_samples[limit.column].get(row)
                if pair != (None, None):  # an algorithm that only ranks has no errors
                    verdicts.append(judged(row, limit, pair, suspicious))
    return verdicts


def unresolved(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those whose limit is finer than the data can resolve, although nothing is known to have got worse."""
    return [
        v
        for v in verdicts
        if v.detectable is not None and v.limit.tolerance < v.detectable and v.verdict in ("PASS", "IMPROVED")
    ]


def _rows(run: Run) -> dict[str, list[Record]]:
    rows: dict[str, list[Record]] = {}
    for record in run.records():
        rows.setdefault(record.cell.row, []).append(record)
    return rows


def _obstacle(old: list[Record] | None, new: list[Record] | None) -> tuple[str, str] | None:
    """Why two rows cannot be compared, as a verdict and a reason; None if they can."""
    if old is None:
        return "NEW", "not in the base; accept it to have it gated"
    if new is None:
        return "MISSING", "the head has no such row"
    for records, verdict, name in ((old, "INCOMPARABLE", "base"), (new, "MISSING", "head")):
        for record in records:
            if record.status != "ok":
                why = record.reason or "no reason given"
                return verdict, f"{name}: {record.status} in {record.cell.place}: {why}"
    for key in ("digest", "split", "n_folds", "split_seed", "fold"):
        there, here = ({getattr(record.cell, key) for record in records} for records in (old, new))
        if there != here:
            return "INCOMPARABLE", f"{key} differs: {_listed(there)} in the base, {_listed(here)} in the head"
    for key in ("version", "protocols"):
        was, now = old[0].cell.protocol[key], new[0].cell.protocol[key]
        if was != now:
            return "INCOMPARABLE", f"the protocol's {key} differs: {was} in the base, {now} in the head"
    for key in ("train_rows", "test_rows"):
        there, here = ({record.data.get(key) for record in records} for records in (old, new))
        if there != here and None not in there | here:  # older records do not say
            return "INCOMPARABLE", f"the folds have other ratings: {key} differ"
    return None


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values)))


def judged(row: str, limit: Limit, pair: tuple[Sample | None, Sample | None], suspicious: float) -> Verdict:
    """The verdict on a metric that both rows have, or that one of them has not."""
    old, new = pair
    if old is None:
        return Verdict(row, limit, "NOT GATED", "undefined in the base")
    if new is None:
        return Verdict(row, limit, "MISSING", "undefined in the head")
    metric = find(limit.column)
    found = bootstrap(metric, [old, new])
    before, after = (float(value) for value in found.values)
    change = float(_worsening(metric, limit, found.values[:1], found.values[1:])[0])
    drawn = _worsening(metric, limit, found.drawn[0], found.drawn[1])
    low, high = interval(drawn)
    if low > limit.tolerance:
        verdict, reason = "REGRESSED", f"worse by more than {limit.text}"
    elif high < -suspicious and limit.relative:
        verdict, reason = "SUSPICIOUS", f"better by more than {suspicious:.0%}: too good to be taken on trust"
    else:
        verdict, reason = ("IMPROVED", "") if high < 0 else ("PASS", "")
    return Verdict(row, limit, verdict, reason, before, after, change, low, high, POWER * float(drawn.std()))


def _worsening(metric: Metric, limit: Limit, before: Floats, after: Floats) -> Floats:
    worse = metric.loss(after) - metric.loss(before)
    return worse / np.abs(before) if limit.relative else worse


def _time(row: str, limit: Limit, old: list[Record], new: list[Record]) -> Verdict:
    """The verdict on a time: a ratio for each fold, and the whole range of them instead of an interval."""
    if any(record.environment["contended"] for record in [*old, *new]):
        return Verdict(row, limit, "NOT GATED", "contended: other cells ran at the same time")
    for key in MACHINE:
        there, here = old[0].environment.get(key), new[0].environment.get(key)
        if there != here:
            return Verdict(row, limit, "NOT GATED", f"another machine: {key} was {there} and is {here}")
    before, after = ([_in_kernels(record, limit) for record in records] for records in (old, new))
    ratios = [a / b - 1 for a, b in zip(after, before, strict=True) if a and b]
    if len(ratios) < len(old):
        return Verdict(row, limit, "NOT GATED", "a cell has no time, or none of the kernel")
    low, change, high = min(ratios), statistics.median(ratios), max(ratios)
    verdict = "REGRESSED" if low > limit.tolerance else "IMPROVED" if high < 0 else "PASS"
    was, now = (statistics.fmean(r.costs[_phase(limit)]["seconds"] for r in records) for records in (old, new))
    reason = "slower in every fold, as a multiple of a fixed kernel" if verdict == "REGRESSED" else ""
    return Verdict(row, limit, verdict, reason, was, now, change, low, high)


def _phase(limit: Limit) -> str:
    return limit.column.removesuffix("_seconds")


def _in_kernels(record: Record, limit: Limit) -> float | None:
    seconds = record.costs.get(_phase(limit), {}).get("seconds")
    return seconds / record.kernel_seconds if seconds and record.kernel_seconds else None
