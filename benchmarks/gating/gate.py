"""Whether a new run is worse than an old one by more than is tolerated, and more than chance
explains.

Both runs are compared row by row on the same users: the interval is that of the paired bootstrap of
`benchmarks.certainty`. A row has REGRESSED only if its whole interval lies beyond the tolerance,
and passes only if the data could have shown that; else it is UNRESOLVED. Times are compared as
ratios to a fixed kernel timed in the same cell, fold by fold.

Only initialisations with the run's own seed count: others, of `--repeats`, are there to tell
variances apart. What `--also-split` measured is a row of its own, `ROW (split time)`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recbench.benchmarks.certainty import (
    Estimate,
    UserShares,
    bootstrap_users,
    explain_too_few_users,
    read_user_shares,
)
from recbench.benchmarks.gating.tolerances import TIMES, Tolerance
from recbench.benchmarks.gating.verdicts import UNJUDGED, Verdict, judge_metric, judge_time
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import AlgorithmDescription, Record, Run, group_by_role
from recbench.datasets.foundation import UsageError

# Facts of cells, of protocols and of folds in which rows must agree to be compared.
CELL_FACTS = ("digest", "split", "n_folds", "split_seed", "fold")
PROTOCOL_FACTS = ("version", "protocols")
FOLD_FACTS = ("train_rows", "test_rows")


@dataclass(frozen=True)
class GatedRun:
    """One of the two runs: the records of its rows by name, and by column and row what users add.

    `estimates` are of the shares that have enough users, `algorithms` what the plan says of them,
    by the rows of its cells: early plans say nothing.
    """

    rows: dict[str, list[Record]]
    shares: Mapping[str, Mapping[str, UserShares]]
    estimates: Mapping[str, Mapping[str, Estimate]]
    algorithms: Mapping[str, AlgorithmDescription]

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
    """
    old, new = read_gated_runs([base, head], tolerances)
    return judge_rows(old, new, tolerances, suspicious)


def read_gated_runs(runs: Sequence[Run], tolerances: Sequence[Tolerance]) -> list[GatedRun]:
    """The runs with what `tolerances` ask of them; their rows' estimates share the draws of
    users.
    """
    columns = _metric_columns_of(tolerances)
    rows_of_runs = [_records_by_row(run) for run in runs]
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
    parts = zip(rows_of_runs, shares_of_runs, estimates_of_runs, plans, strict=True)
    return [
        GatedRun(rows, shares, estimates, plan.algorithms)
        for rows, shares, estimates, plan in parts
    ]


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
            if obstacle is not None:
                verdict, reason = obstacle
                verdicts.append(Verdict(row, tolerance, verdict, reason))
            elif tolerance.column in TIMES:
                verdicts.append(judge_time(row, tolerance, old.rows[row], new.rows[row]))
            elif _has_metric(row, tolerance.column, old, new):
                verdicts.append(_judge_defined(row, tolerance, old, new, suspicious))
    return verdicts


def _judge_defined(
    row: str, tolerance: Tolerance, old: GatedRun, new: GatedRun, suspicious: float
) -> Verdict:
    """The verdict on a metric that a row has in some fold of the base or of the head.

    On the estimates if both runs have enough users with a value: see `judge_metric`, also for
    `suspicious`, the gain beyond which a row is too good to be trusted. Else why there is none.
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

    reason = explain_too_few_users(min(before.n_users, after.n_users))
    if reason:
        return Verdict(row, tolerance, "UNRESOLVED", reason)
    old_estimate = old.estimates[column][row]
    new_estimate = new.estimates[column][row]
    return judge_metric(row, tolerance, old_estimate, new_estimate, suspicious)


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


def refuse_idle_tolerances(
    run: Run, tolerances: Sequence[Tolerance], verdicts: Iterable[Verdict]
) -> None:
    """UsageError for a tolerance on a metric that has judged no row: it would pass whatever
    happens.
    """
    busy = {verdict.tolerance for verdict in verdicts if verdict.verdict not in UNJUDGED}
    idle = [tolerance for tolerance in tolerances if tolerance not in busy]
    _refuse_columns(run, [tolerance.column for tolerance in idle if tolerance.column not in TIMES])


def refuse_absent_columns(run: Run, tolerances: Sequence[Tolerance]) -> None:
    """UsageError for a tolerance on a metric that no row of `run` has in all its folds."""
    shares = read_user_shares(run, _records_by_row(run), _metric_columns_of(tolerances))
    _refuse_columns(run, [column for column, by_row in shares.items() if not by_row])


def _refuse_columns(run: Run, columns: Sequence[str]) -> None:
    """UsageError that no row can be gated by `columns`, with those that can be; nothing if
    empty.
    """
    if not columns:
        return

    known: dict[str, None] = {}
    for record in run.records():
        for column, value in record.metrics.items():
            if value is not None and find_metric(column).kind != "set":
                known[column] = None
    raise UsageError(
        f"no row of {run.directory} can be gated by {', '.join(columns)}. "
        f"Columns there, with their cutoffs and protocols: {', '.join(known) or 'none'}"
    )


def _records_by_row(run: Run) -> dict[str, list[Record]]:
    """The records of each row, and of each row under another split, by division and fold."""
    records_by_name: dict[str, list[Record]] = {}
    for record in run.records():
        records_by_name.setdefault(record.cell.row, []).append(record)

    rows: dict[str, list[Record]] = {}
    for name, records in records_by_name.items():
        main, _, under_other_split = group_by_role(records)
        rows[name] = main
        for record in under_other_split:
            rows.setdefault(f"{name} (split {record.cell.split})", []).append(record)
    return {
        name: sorted(records, key=lambda record: record.cell.seeded_fold)
        for name, records in rows.items()
    }


def _obstacle(old: list[Record] | None, new: list[Record] | None) -> tuple[str, str] | None:
    """Why two rows cannot be compared, as a verdict and a reason; None if they can."""
    if old is None:
        return "NEW", "not in the base; accept it to have it gated"
    if new is None:
        return "MISSING", "the head has no such row"

    failure = _first_failure(old)
    if failure:
        return "INCOMPARABLE", f"base: {failure}"
    failure = _first_failure(new)
    if failure:
        return "MISSING", f"head: {failure}"

    difference = _first_difference(old, new)
    if difference:
        return "INCOMPARABLE", difference
    return None


def _first_failure(records: Sequence[Record]) -> str:
    """What became of the first cell that is not ok; empty if all are."""
    for record in records:
        if record.status != "ok":
            reason = record.reason or "no reason given"
            return f"{record.status} in {record.cell.place}: {reason}"
    return ""


def _first_difference(old: Sequence[Record], new: Sequence[Record]) -> str:
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

    for name in PROTOCOL_FACTS:
        was = old[0].cell.protocol[name]
        now = new[0].cell.protocol[name]
        if was != now:
            return f"the protocol's {name} differs: {was} in the base, {now} in the head"

    for name in FOLD_FACTS:
        for before, after in zip(old, new, strict=True):
            was = getattr(before.fold, name, None)
            now = getattr(after.fold, name, None)
            is_known = was is not None and now is not None  # older records do not say
            if is_known and was != now:
                return f"the folds have other ratings: {name} differ"
    return ""


def _list_values(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values)))
