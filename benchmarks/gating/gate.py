"""Whether a new run is worse than an old one by more than is allowed, and more than chance explains.

Both runs are compared row by row on the same users: the interval is that of the paired bootstrap of
`benchmarks.certainty`. A row has REGRESSED only if its whole interval lies beyond the tolerance, and passes only if
the data could have shown that; else it is UNRESOLVED. Times are compared as ratios to a fixed kernel timed in the
same cell, fold by fold.

Only initialisations with the run's own seed count: others, of `--repeats`, are there to tell variances apart. What
`--also-split` measured is a row of its own, `ROW (split time)`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recbench.benchmarks.certainty import (
    Estimate,
    UserShares,
    bootstrap_users,
    explain_too_few_users,
    read_user_shares,
)
from recbench.benchmarks.gating.verdicts import (
    UNJUDGED,
    Tolerance,
    Verdict,
    judge_metric,
    judge_time,
)
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PHASES, Record, Run, parted
from recbench.datasets.foundation import UsageError

TIMES = tuple(f"{phase}_seconds" for phase in PHASES)


@dataclass(frozen=True)
class GatedRun:
    """One of the runs that are compared: its rows by name, and by column what the users add to them."""

    rows: dict[str, list[Record]]
    samples: Mapping[str, Mapping[str, UserShares]]
    estimates: Mapping[str, Mapping[str, Estimate]]  # of samples that have enough users


def parse_tolerance(text: str) -> Tolerance:
    """`rmse:+0.5%`, `precision@10:-3%`, `mae:+0.01`, `fit_seconds:+50%`; UsageError for anything else."""
    column, _, amount = text.rpartition(":")
    found = re.fullmatch(r"([+-])(\d+(?:\.\d*)?|\.\d+)(%?)", amount.strip())
    if not column or found is None:
        raise UsageError(
            f"--fail-on {text!r}: expected COLUMN:+AMOUNT or COLUMN:-AMOUNT, as in rmse:+0.5%"
        )
    sign, number, percent = found.groups()
    tolerance = float(number) / (100 if percent else 1)
    if tolerance == 0:
        raise UsageError(
            f"--fail-on {text!r}: no data resolve a change of 0; allow what may pass unnoticed"
        )
    if column in TIMES:
        if sign == "-" or not percent:
            raise UsageError(
                f"--fail-on {text!r}: times are compared as ratios; write {column}:+50%"
            )
        return Tolerance(text, column, tolerance, relative=True)
    metric = find_metric(column)
    if metric.kind == "set":
        raise UsageError(
            f"--fail-on {text!r}: {metric.name} has no uncertainty over users, so it cannot be gated"
        )
    worse = {"lower": "+", "higher": "-", "zero": "+"}[metric.better]
    if sign != worse:
        raise UsageError(
            f"--fail-on {text!r}: {column} gets worse towards {worse}; write {column}:{worse}{number}{percent}"
        )
    if metric.better == "zero" and percent:
        raise UsageError(
            f"--fail-on {text!r}: {column} is best at 0, so name an amount, as in {column}:+0.01"
        )
    return Tolerance(text, column, tolerance, relative=bool(percent))


def judge_runs(
    base: Run, head: Run, limits: Sequence[Tolerance], suspicious: float
) -> list[Verdict]:
    """One verdict for each row of either run and each limit that it has values for, in the order of `base`."""
    old, new = read_gated_runs([base, head], limits)
    return judge_rows(old, new, limits, suspicious)


def read_gated_runs(runs: Sequence[Run], limits: Sequence[Tolerance]) -> list[GatedRun]:
    """The runs with what `limits` ask of them; their rows' numbers share the draws of users."""
    rows = [_rows(run) for run in runs]
    columns = _metrics(limits)
    found = [
        read_user_shares(run, by_name, columns) for run, by_name in zip(runs, rows, strict=True)
    ]
    numbers: list[dict[str, dict[str, Estimate]]] = [
        {column: {} for column in columns} for _ in runs
    ]
    for column in columns:
        groups: dict[int, list[tuple[int, str]]] = {}  # runs on other data can have other users
        for place, by_column in enumerate(found):
            for row, sample in by_column[column].items():
                if not explain_too_few_users(sample.n_users):
                    groups.setdefault(sample.sums.shape[1], []).append((place, row))
        for group in groups.values():
            boot = bootstrap_users(
                find_metric(column), [found[place][column][row] for place, row in group]
            )
            for index, (place, row) in enumerate(group):
                numbers[place][column][row] = boot.estimate(index)
    return [GatedRun(*parts) for parts in zip(rows, found, numbers, strict=True)]


def judge_rows(
    old: GatedRun, new: GatedRun, limits: Sequence[Tolerance], suspicious: float
) -> list[Verdict]:
    """The verdicts of `compare` on two runs that were read together."""
    found = []
    for row in dict.fromkeys([*old.rows, *new.rows]):
        reason = _obstacle(old.rows.get(row), new.rows.get(row))
        for limit in limits:
            if reason:
                found.append(Verdict(row, limit, *reason))
            elif limit.column in TIMES:
                found.append(judge_time(row, limit, old.rows[row], new.rows[row]))
            elif _has_any(old, row, limit.column) or _has_any(
                new, row, limit.column
            ):  # else it only ranks
                found.append(_metric(row, limit, old, new, suspicious))
    return found


def _metric(row: str, limit: Tolerance, old: GatedRun, new: GatedRun, suspicious: float) -> Verdict:
    """The verdict on a metric that one of both rows has in some fold."""
    column = limit.column
    before, after = (side.samples[column].get(row) for side in (old, new))
    if before is None and _defined(old.rows[row], column):
        return Verdict(
            row, limit, "INCOMPARABLE", f"the base was accepted without {column}; accept it anew"
        )
    if before is None:
        return Verdict(row, limit, "NOT GATED", "undefined in the base")
    if after is None:
        return Verdict(row, limit, "MISSING", "undefined in the head")
    if reason := explain_too_few_users(min(before.n_users, after.n_users)):
        return Verdict(row, limit, "UNRESOLVED", reason)
    return judge_metric(
        row, limit, old.estimates[column][row], new.estimates[column][row], suspicious
    )


def _has_any(side: GatedRun, row: str, column: str) -> bool:
    return any(record.metrics.get(column) is not None for record in side.rows[row])


def _defined(records: Sequence[Record], column: str) -> bool:
    return all(record.metrics.get(column) is not None for record in records)


def _metrics(limits: Iterable[Tolerance]) -> list[str]:
    return list(dict.fromkeys(limit.column for limit in limits if limit.column not in TIMES))


def refuse_idle_tolerances(run: Run, limits: Sequence[Tolerance], found: Iterable[Verdict]) -> None:
    """UsageError for a limit on a metric that has judged no row: it would pass whatever happens."""
    busy = {verdict.limit for verdict in found if verdict.verdict not in UNJUDGED}
    _refuse(
        run, [limit.column for limit in limits if limit.column not in TIMES and limit not in busy]
    )


def refuse_absent_columns(run: Run, limits: Sequence[Tolerance]) -> None:
    """UsageError for a limit on a metric that no row of `run` has in all its folds."""
    found = read_user_shares(run, _rows(run), _metrics(limits))
    _refuse(run, [column for column, by_row in found.items() if not by_row])


def _refuse(run: Run, columns: Sequence[str]) -> None:
    if columns:
        values = [record.metrics for record in run.records()]
        known = dict.fromkeys(
            column for metrics in values for column in metrics if metrics[column] is not None
        )
        there = ", ".join(column for column in known if find_metric(column).kind != "set")
        raise UsageError(
            f"no row of {run.directory} can be gated by {', '.join(columns)}. Columns there, with their cutoffs and "
            f"protocols: {there or 'none'}"
        )


def _rows(run: Run) -> dict[str, list[Record]]:
    """The records of each row, and of each row under another split, by division and fold."""
    by_name: dict[str, list[Record]] = {}
    for record in run.records():
        by_name.setdefault(record.cell.row, []).append(record)
    rows: dict[str, list[Record]] = {}
    for name, records in by_name.items():
        main, _, also = parted(records)
        rows[name] = main
        for record in also:
            rows.setdefault(f"{name} (split {record.cell.split})", []).append(record)
    return {name: sorted(records, key=_place) for name, records in rows.items()}


def _place(record: Record) -> tuple[int, int]:
    return record.cell.split_seed, record.cell.fold


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
            return (
                "INCOMPARABLE",
                f"{key} differs: {_listed(there)} in the base, {_listed(here)} in the head",
            )
    if [_place(record) for record in old] != [_place(record) for record in new]:
        return "INCOMPARABLE", "the divisions have other folds"
    for key in ("version", "protocols"):
        was, now = old[0].cell.protocol[key], new[0].cell.protocol[key]
        if was != now:
            return (
                "INCOMPARABLE",
                f"the protocol's {key} differs: {was} in the base, {now} in the head",
            )
    for key in ("train_rows", "test_rows"):
        for was, now in zip(old, new, strict=True):
            known = {getattr(record.fold, key, None) for record in (was, now)}
            known.discard(None)  # older records do not say
            if len(known) > 1:
                return "INCOMPARABLE", f"the folds have other ratings: {key} differ"
    return None


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values)))
