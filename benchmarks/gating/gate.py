"""Whether a new run is worse than an old one by more than is tolerated, for any choice of users.

Both runs are compared row by row on the same users: the interval is that of the paired bootstrap of
`benchmarks.certainty`. A row has REGRESSED only if its whole interval lies beyond the tolerance,
and passes only if the data could have shown that; else it is UNRESOLVED. Times are compared as
ratios to a fixed kernel timed in the same cell, fold by fold.

Only initialisations with the run's own seed are compared: others, of `--repeats`, tell how much a
seed moves a metric, and widen its interval by that. What `--also-split` measured is a row of its
own, `ROW (split time)`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recbench.benchmarks.certainty import (
    Estimate,
    UserShares,
    bootstrap_users,
    explain_too_few_users,
    read_user_shares,
)
from recbench.benchmarks.gating.seeds import estimate_seed_effect
from recbench.benchmarks.gating.suspicion import suspect_rows
from recbench.benchmarks.gating.tolerances import TIMES, Tolerance, refuse_unknown_rows
from recbench.benchmarks.gating.verdicts import (
    UNJUDGED,
    Verdict,
    judge_equal,
    judge_metric,
    judge_time,
    mean_over_folds,
)
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import AlgorithmDescription, Record, Run, group_by_role
from recbench.datasets.foundation import UsageError

# Facts of cells, of protocols and of folds in which rows must agree to be compared.
CELL_FACTS = ("digest", "split", "n_folds", "split_seed", "fold")
PROTOCOL_FACTS = ("version", "protocols")
# Of the search of a tuned row: what was asked for. Its space and sampler are code, which is judged.
SEARCH_FACTS = ("n_trials", "default_trial", "metric")
FOLD_FACTS = ("train_rows", "test_rows")

# Statuses of a row that cannot run where it is run, and of one that did begin and came to nothing.
EXCUSED = ("skipped", "not_installed")
CRASHES = ("crashed", "failed", "diverged", "out_of_memory")


@dataclass(frozen=True)
class GatedRun:
    """One of the two runs: the records of its rows by name, and by column and row what users add.

    `estimates` are of the shares that have enough users, `algorithms` what the plan says of them,
    by the rows of its cells: early plans say nothing. `starts` are a row's other initialisations,
    `suspicions` why a row's own numbers are too good, by row.
    """

    rows: dict[str, list[Record]]
    shares: Mapping[str, Mapping[str, UserShares]]
    estimates: Mapping[str, Mapping[str, Estimate]]
    algorithms: Mapping[str, AlgorithmDescription]
    starts: Mapping[str, list[Record]] = field(default_factory=dict)
    suspicions: Mapping[str, str] = field(default_factory=dict)

    def predicts_ratings(self, row: str) -> bool | None:
        """Whether the algorithm of a row predicts ratings; None if the plan does not say."""
        name_in_plan = self.rows[row][0].cell.row  # without the split of another one
        description = self.algorithms.get(name_in_plan)
        if description is None or description.predicts is None:
            return None
        return description.predicts == "ratings"


def judge_runs(
    base: Run, head: Run, tolerances: Sequence[Tolerance], suspicious: float
) -> list[Verdict]:
    """One verdict for each row of either run and each tolerance that it has values for.

    In the order of `base`. `suspicious` is the relative gain beyond which a row is SUSPICIOUS.
    UsageError for raw answers that are gone, damaged or not those of their record, and for a
    tolerance on a row that neither run has.
    """
    old, new = read_gated_runs([base, head], tolerances)
    refuse_unknown_rows(tolerances, [*old.rows, *new.rows])
    return judge_rows(old, new, tolerances, suspicious)


def judge_one_run(
    run: Run, tolerances: Sequence[Tolerance], suspicious: float, *, absent: str, reason: str
) -> list[Verdict]:
    """The verdicts where only one of the two runs has left anything: `absent` is "base" or "head".

    Without a base all rows are NEW, unless one has no numbers itself. Without a head all have
    CRASHED, for the `reason` given.
    """
    (side,) = read_gated_runs([run], tolerances)
    columns = _metric_columns_of(tolerances)
    nothing = GatedRun(
        rows={},
        shares={column: {} for column in columns},
        estimates={column: {} for column in columns},
        algorithms={},
    )
    if absent == "base":
        refuse_unknown_rows(tolerances, list(side.rows))
        verdicts = judge_rows(nothing, side, tolerances, suspicious)
        return [replace(verdict, reason=verdict.reason or reason) for verdict in verdicts]

    verdicts = judge_rows(side, nothing, tolerances, suspicious)
    return [replace(verdict, verdict="CRASHED", reason=reason) for verdict in verdicts]


def read_gated_runs(runs: Sequence[Run], tolerances: Sequence[Tolerance]) -> list[GatedRun]:
    """The runs with what `tolerances` ask of them; their rows' estimates share the draws of
    users.
    """
    columns = _metric_columns_of(tolerances)
    records_of_runs = [run.records() for run in runs]
    rows_of_runs = [group_by_row(records) for records in records_of_runs]
    shares_of_runs = [
        read_user_shares(run, rows, columns) for run, rows in zip(runs, rows_of_runs, strict=True)
    ]
    estimates_of_runs: list[dict[str, dict[str, Estimate]]] = [{} for _ in runs]
    for column in columns:
        shares_of_column = [shares[column] for shares in shares_of_runs]
        estimates_of_column = _estimate_column(column, shares_of_column)
        for estimates, of_column in zip(estimates_of_runs, estimates_of_column, strict=True):
            estimates[column] = of_column

    plans = [run.read_plan()[1] for run in runs]
    sides = []
    for place, records in enumerate(records_of_runs):
        side = GatedRun(
            rows=rows_of_runs[place],
            shares=shares_of_runs[place],
            estimates=estimates_of_runs[place],
            algorithms=plans[place].algorithms,
            starts=_list_starts(records),
            suspicions=suspect_rows(records),
        )
        sides.append(side)
    return sides


def _estimate_column(
    column: str, shares_of_runs: Sequence[Mapping[str, UserShares]]
) -> list[dict[str, Estimate]]:
    """For each run the estimate of each row that has enough users, all with the same draws."""
    # Runs on other data can have other users, who cannot be drawn together.
    groups: dict[int, list[tuple[int, str]]] = {}
    for place, shares_by_row in enumerate(shares_of_runs):
        for row, shares in shares_by_row.items():
            if not explain_too_few_users(shares.n_users):
                n_users = shares.sums.shape[1]
                groups.setdefault(n_users, []).append((place, row))

    estimates: list[dict[str, Estimate]] = [{} for _ in shares_of_runs]
    metric = find_metric(column)
    for group in groups.values():
        draws = bootstrap_users(metric, [shares_of_runs[place][row] for place, row in group])
        for index, (place, row) in enumerate(group):
            estimates[place][row] = draws.estimate(index)
    return estimates


def judge_rows(
    old: GatedRun, new: GatedRun, tolerances: Sequence[Tolerance], suspicious: float
) -> list[Verdict]:
    """The verdicts of `judge_runs` on two runs that were read together."""
    verdicts = []
    for row in dict.fromkeys([*old.rows, *new.rows]):
        obstacle = _obstacle(old.rows.get(row), new.rows.get(row))
        for tolerance in tolerances:
            if not tolerance.covers(row):
                continue
            if obstacle is not None:
                if _ranks_only(row, tolerance.column, old, new):
                    continue
                verdict, reason = obstacle
                before = mean_over_folds(old.rows.get(row, []), tolerance.column)
                after = mean_over_folds(new.rows.get(row, []), tolerance.column)
                verdicts.append(Verdict(row, tolerance, verdict, reason, before, after))
            elif tolerance.column in TIMES:
                verdicts.append(judge_time(row, tolerance, old.rows[row], new.rows[row]))
            elif _has_metric(row, tolerance.column, old, new):
                verdict_on_metric = _judge_defined(row, tolerance, old, new, suspicious)
                told = _tell_other_choice(verdict_on_metric, old.rows[row], new.rows[row])
                verdicts.append(_mark_suspicious(told, new))
    return verdicts


def _tell_other_choice(verdict: Verdict, old: Sequence[Record], new: Sequence[Record]) -> Verdict:
    """A change of a tuned row with the remark that its searches have chosen other values."""
    n_others = _count_other_choices(old, new)
    if verdict.verdict not in ("REGRESSED", "WORSE", "IMPROVED") or not n_others:
        return verdict
    remark = f"its search chose other values in {n_others} of {len(new)} folds"
    return replace(verdict, reason=f"{verdict.reason}; {remark}" if verdict.reason else remark)


def _mark_suspicious(verdict: Verdict, new: GatedRun) -> Verdict:
    """SUSPICIOUS in the place of what does not fail, for a row that is so in the head by itself."""
    reason = new.suspicions.get(verdict.row)
    if reason is None or verdict.verdict not in ("PASS", "WORSE", "IMPROVED"):
        return verdict
    return replace(verdict, verdict="SUSPICIOUS", reason=reason)


def _judge_defined(
    row: str, tolerance: Tolerance, old: GatedRun, new: GatedRun, suspicious: float
) -> Verdict:
    """The verdict on a metric that a row has in some fold of the base or of the head.

    PASS if all users have the same in both runs. Else on the estimates if both runs have enough
    users with a value: see `judge_metric`, also for `suspicious`, the gain beyond which a row is
    too good to be trusted. Else why there is none.
    """
    column = tolerance.column
    before = old.shares[column].get(row)
    after = new.shares[column].get(row)
    if before is None:
        values = [record.metrics.get(column) for record in old.rows[row]]
        if all(value is not None for value in values):
            reason = f"the base was accepted without {column}; accept it anew"
            return Verdict(row, tolerance, "INCOMPARABLE", reason)
        return Verdict(row, tolerance, "NOT GATED", "undefined in the base")
    if after is None:
        return Verdict(row, tolerance, "MISSING", "undefined in the head")

    if before.equals(after):
        return judge_equal(row, tolerance, before.value(find_metric(column)))
    reason = explain_too_few_users(min(before.n_users, after.n_users))
    if reason:
        return Verdict(row, tolerance, "UNRESOLVED", reason)
    seeds = estimate_seed_effect(
        column, old.rows[row], new.rows[row], old.starts.get(row, []), new.starts.get(row, [])
    )
    old_estimate = old.estimates[column][row]
    new_estimate = new.estimates[column][row]
    worst = math.inf
    if find_metric(column).unit == "rating points":
        lowest, highest = old.rows[row][0].data.scale
        # No prediction is further off, since all are clipped; early records have no scale.
        worst = highest - lowest or math.inf
    return judge_metric(row, tolerance, old_estimate, new_estimate, suspicious, seeds, worst)


def _ranks_only(row: str, column: str, old: GatedRun, new: GatedRun) -> bool:
    """Whether no run that has the row could have a value: an error, of an algorithm that ranks."""
    if column in TIMES or not find_metric(column).needs_ratings:
        return False
    answers = [side.predicts_ratings(row) for side in (old, new) if row in side.rows]
    return all(answer is False for answer in answers)


def _has_metric(row: str, column: str, old: GatedRun, new: GatedRun) -> bool:
    """Whether a metric is to be judged in a row.

    Errors of predicted ratings are if the algorithm predicts ratings in either run: of one that
    ranks only nothing is to be said. Other metrics, and all where the plans do not say what the
    algorithm predicts, are if they have a value in a fold of either run.
    """
    if find_metric(column).needs_ratings:
        answers = [old.predicts_ratings(row), new.predicts_ratings(row)]
        if None not in answers:
            return any(answers)

    records = [*old.rows[row], *new.rows[row]]
    return any(record.metrics.get(column) is not None for record in records)


def _metric_columns_of(tolerances: Iterable[Tolerance]) -> list[str]:
    """The columns that are metrics and not times, each once."""
    columns = [tolerance.column for tolerance in tolerances if tolerance.column not in TIMES]
    return list(dict.fromkeys(columns))


def explain_idle_tolerances(
    run: Run, tolerances: Sequence[Tolerance], verdicts: Sequence[Verdict]
) -> str:
    """Which tolerances have judged no row, and why: they would pass whatever happens.

    Empty if all have. An UNRESOLVED time counts as not judged here: rows with short fits do not
    spoil a limit, but it must judge one.
    """
    busy = set()
    for verdict in verdicts:
        is_time = verdict.tolerance.column in TIMES
        if verdict.verdict in UNJUDGED or (is_time and verdict.verdict == "UNRESOLVED"):
            continue
        busy.add(verdict.tolerance)

    idle = [tolerance for tolerance in tolerances if tolerance.is_limit and tolerance not in busy]
    if not idle:
        return ""
    columns = ", ".join(dict.fromkeys(tolerance.column for tolerance in idle))
    reasons = [_explain_idle(tolerance, verdicts) for tolerance in idle]
    return " ".join(filter(None, [_describe_absence(run, columns), *reasons]))


def _explain_idle(tolerance: Tolerance, verdicts: Iterable[Verdict]) -> str:
    """Why a tolerance has judged no row, each reason once; empty if it has met none."""
    reasons = dict.fromkeys(
        verdict.reason for verdict in verdicts if verdict.tolerance == tolerance and verdict.reason
    )
    return f"{tolerance.text}: {'; '.join(reasons)}." if reasons else ""


def _describe_absence(run: Run, columns: str) -> str:
    known = ", ".join(list_columns(run.records())) or "none"
    return (
        f"no row of {run.directory} can be gated by {columns}. "
        f"Columns there, with their cutoffs and protocols: {known}."
    )


def refuse_absent_columns(run: Run, tolerances: Sequence[Tolerance]) -> None:
    """UsageError for a tolerance on a metric that no row of `run` has in all its folds.

    And for one on a row that it has not.
    """
    rows = group_by_row(run.records())
    refuse_unknown_rows(tolerances, rows)
    shares = read_user_shares(run, rows, _metric_columns_of(tolerances))
    absent = [column for column, by_row in shares.items() if not by_row]
    if absent:
        raise UsageError(_describe_absence(run, ", ".join(absent)))


def list_columns(records: Iterable[Record]) -> list[str]:
    """The metrics by which a row of these records can be gated, each once."""
    known: dict[str, None] = {}
    for record in records:
        for column, value in record.metrics.items():
            if value is not None and find_metric(column).kind != "set":
                known[column] = None
    return list(known)


def list_everything(base: Run, head: Run) -> list[Tolerance]:
    """All columns of both reports, and the times, as tolerances that tolerate anything.

    Metrics that are best at 0, and those that may be 0 in the base, are compared as amounts.
    """
    columns: dict[str, None] = {}
    for run in (base, head):
        _, about = run.read_plan()
        for column in about.metrics or list_columns(run.records()):
            if find_metric(column).kind != "set":
                columns[column] = None
    metrics = [Tolerance(column, column, math.inf, relative=False) for column in columns]
    times = [Tolerance(column, column, math.inf, relative=True) for column in TIMES]
    return [*metrics, *times]


def group_by_row(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each row, and of each row under another split, by division and fold."""
    rows: dict[str, list[Record]] = {}
    for name, of_name in _group_by_name(records).items():
        main, _, under_other_split = group_by_role(of_name)
        rows[name] = main
        for record in under_other_split:
            rows.setdefault(f"{name} (split {record.cell.split})", []).append(record)
    return {
        name: sorted(of_row, key=lambda record: record.cell.seeded_fold)
        for name, of_row in rows.items()
    }


def _list_starts(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The other initialisations of each row, see `--repeats`."""
    return {name: group_by_role(of_name)[1] for name, of_name in _group_by_name(records).items()}


def _group_by_name(records: Iterable[Record]) -> dict[str, list[Record]]:
    records_by_name: dict[str, list[Record]] = {}
    for record in records:
        records_by_name.setdefault(record.cell.row, []).append(record)
    return records_by_name


def _obstacle(old: list[Record] | None, new: list[Record] | None) -> tuple[str, str] | None:
    """Why two rows cannot be compared, as a verdict and a reason; None if they can."""
    if new is None:
        return "MISSING", "the head has no such row"

    failed_before = _find_failed(old or [])
    failed = _find_failed(new)
    if failed is not None:
        status_before = failed_before.status if failed_before is not None else "ok"
        if failed.status == status_before and failed.status in EXCUSED:
            return "NOT GATED", f"in both: {_describe_failed(failed)}"
        verdict = "CRASHED" if failed.status in CRASHES else "MISSING"
        return verdict, f"head: {_describe_failed(failed)}"
    if old is None:
        return "NEW", "not in the base; accept it to have it gated"
    if failed_before is not None:
        return "INCOMPARABLE", f"base: {_describe_failed(failed_before)}"

    difference = explain_difference(old, new)
    if difference:
        return "INCOMPARABLE", difference
    return None


def _find_failed(records: Sequence[Record]) -> Record | None:
    """The first record that is not ok; None if all are."""
    return next((record for record in records if record.status != "ok"), None)


def _describe_failed(record: Record) -> str:
    reason = record.reason or "no reason given"
    return f"{record.status} in {record.cell.place}: {reason}"


def explain_difference(old: Sequence[Record], new: Sequence[Record]) -> str:
    """In what the two rows measured something else; empty if they measured the same."""
    for name in CELL_FACTS:
        there = {getattr(record.cell, name) for record in old}
        here = {getattr(record.cell, name) for record in new}
        if there != here:
            in_base = f"{_list_values(there)} in the base"
            in_head = f"{_list_values(here)} in the head"
            return f"{name} differs: {in_base}, {in_head}"
    if [record.cell.seeded_fold for record in old] != [record.cell.seeded_fold for record in new]:
        return "the divisions have other folds"

    difference = _first_difference_of_searches(old, new)
    if difference:
        return difference

    for name in PROTOCOL_FACTS:
        was = old[0].cell.protocol[name]
        now = new[0].cell.protocol[name]
        if was != now:
            return f"the protocol's {name} differs: {was} in the base, {now} in the head"

    was_simulated = {record.data.simulated for record in old}
    is_simulated = {record.data.simulated for record in new}
    if was_simulated != is_simulated:
        in_base = f"{_list_values(was_simulated)} in the base"
        in_head = f"{_list_values(is_simulated)} in the head"
        return f"whether the ratings are simulated differs: {in_base}, {in_head}"

    for name in FOLD_FACTS:
        for before, after in zip(old, new, strict=True):
            was = getattr(before.fold, name, None)
            now = getattr(after.fold, name, None)
            is_known = was is not None and now is not None  # older records do not say
            if is_known and was != now:
                return f"the folds have other ratings: {name} differ"
    return ""


def _first_difference_of_searches(old: Sequence[Record], new: Sequence[Record]) -> str:
    """In what the searches of a tuned row differ, fold by fold; empty if they do not."""
    for before, after in zip(old, new, strict=True):
        if before.cell.tuning is None or after.cell.tuning is None:
            continue
        for name in SEARCH_FACTS:
            was = before.cell.tuning.get(name)
            now = after.cell.tuning.get(name)
            if was != now:
                return f"the search's {name} differs: {was} in the base, {now} in the head"
    return ""


def _count_other_choices(old: Sequence[Record], new: Sequence[Record]) -> int:
    """In how many folds a tuned row has other values than before; 0 for rows that are not tuned."""
    n_others = 0
    for before, after in zip(old, new, strict=True):
        is_tuned = after.cell.tuning is not None
        n_others += is_tuned and before.cell.parameters != after.cell.parameters
    return n_others


def _list_values(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values)))
