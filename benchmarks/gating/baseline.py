"""A baseline: a stored run that later ones are judged against, such as those of `make gate`.

It holds the plan, the records, and of the raw answers the users' shares in the gated columns.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.certainty import SHARE_ARRAYS
from recbench.benchmarks.gating.gate import (
    explain_idle_tolerances,
    judge_runs,
    refuse_absent_columns,
)
from recbench.benchmarks.gating.outcome import Outcome, conclude
from recbench.benchmarks.gating.tolerances import TIMES, Tolerance
from recbench.benchmarks.gating.verdicts import Verdict
from recbench.benchmarks.records import NAMES_BELOW, Record, Run
from recbench.datasets.foundation import UsageError, format_number

PARTS = ("plan.json", "records")

# Verdicts that no failure is to blame on
HARMLESS = ("PASS", "IMPROVED", "WORSE", "NEW", "NOT GATED", "SUSPICIOUS")


@dataclass(frozen=True)
class Judgement:
    """What becomes of a run beside its baseline; `idle` says which limits have judged nothing."""

    verdicts: list[Verdict]
    outcome: Outcome
    idle: str

    @property
    def has_passed(self) -> bool:
        """Whether nothing fails, and everything that is demanded could be judged."""
        return self.outcome is Outcome.PASSED

    def describe_failures(self) -> list[str]:
        """A line for each verdict that is to blame, with its numbers, interval and reason."""
        lines = []
        for verdict in self.verdicts:
            is_harmless = verdict.verdict in HARMLESS
            if verdict.tolerance.column in TIMES and verdict.verdict == "UNRESOLVED":
                is_harmless = True  # as `conclude` has it
            if not is_harmless:
                lines.append(_describe_verdict(verdict))
        return [*lines, self.idle] if self.idle else lines


def _describe_verdict(verdict: Verdict) -> str:
    """One verdict in a line or two, as in the report of a failed test."""
    text = f"{verdict.row}, {verdict.tolerance.text}: {verdict.verdict}"
    if verdict.reason:
        text += f", {verdict.reason}"
    if verdict.base is not None and verdict.head is not None:
        before = format_number(verdict.base)
        now = format_number(verdict.head)
        text += f"\n    {before} in the baseline, {now} now"

    if verdict.change is not None and verdict.low is not None and verdict.high is not None:
        change = verdict.tolerance.format_change(verdict.change)
        low = verdict.tolerance.format_change(verdict.low)
        high = verdict.tolerance.format_change(verdict.high)
        text += f": worse by {change}, 95 % interval {low} to {high}"
    return text


def judge_against_baseline(
    baseline: Path, run: Path, tolerances: Sequence[Tolerance], suspicious: float
) -> Judgement:
    """The verdicts on `run`, as the command `compare` has them, and what they come to.

    UsageError as in `judge_runs`.
    """
    old = Run(baseline)
    verdicts = judge_runs(old, Run(run), tolerances, suspicious)
    idle = explain_idle_tolerances(old, tolerances, verdicts)
    return Judgement(verdicts, conclude(verdicts, is_idle=bool(idle)), idle)


def refuse_baseline(source: Run, baseline: Path, tolerances: Sequence[Tolerance]) -> None:
    """UsageError if `source` cannot become the `baseline`: a cell is not ok, a gated column is
    absent, or the place shares files with it or holds others.
    """
    _refuse_place(source.directory.resolve(), baseline.resolve())
    failed = [
        f"{record.cell.row} {record.cell.place}"
        for record in source.records()
        if record.status != "ok"
    ]
    if failed:
        raise UsageError(f"{source.directory} cannot be a baseline: not ok are {', '.join(failed)}")
    refuse_absent_columns(source, tolerances)


def write_baseline(source: Run, baseline: Path, tolerances: Sequence[Tolerance]) -> int:
    """Put a run into the place of the baseline, in one step; the number of its records.

    UsageError as in `refuse_baseline`.
    """
    refuse_baseline(source, baseline, tolerances)
    records = source.records()

    # Written beside the baseline, so that one rename puts it in its place.
    baseline.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{baseline.name}.", dir=baseline.parent) as scratch:
        accepted = Path(scratch, "accepted")
        columns = [tolerance.column for tolerance in tolerances]
        _write_gated_columns(Run(accepted), source, records, columns)
        _replace_baseline(baseline, accepted, Path(scratch, "replaced"))
    return len(records)


def _refuse_place(run: Path, baseline: Path) -> None:
    """UsageError for a baseline that shares files with the run, or whose place holds other
    files.
    """
    if run == baseline or run in baseline.parents or baseline in run.parents:
        raise UsageError(
            f"{baseline} and {run} lie in each other: a baseline needs a directory of its own"
        )
    if not baseline.exists():
        return

    strangers = {"a file"}
    if baseline.is_dir():
        strangers = {path.name for path in baseline.iterdir()} - set(PARTS)
    strangers = strangers or _find_foreign_records(baseline)
    if strangers:
        raise UsageError(
            f"{baseline} is no baseline, it holds {', '.join(sorted(strangers))}: name another"
        )


def _find_foreign_records(baseline: Path) -> set[str]:
    """What in the directory of a baseline is no record of a row of its plan.

    Empty for an empty directory. UsageError if the plan cannot be read.
    """
    if not any(baseline.iterdir()):
        return set()

    cells, _ = Run(baseline).read_plan()
    planned = {cell.algorithm for cell in cells}
    records = baseline / "records"
    if records.is_symlink() or not records.is_dir():
        return {"a plan without its records"}
    return {f"records/{path.name}" for path in records.iterdir() if not _is_record(path, planned)}


def _is_record(path: Path, planned: Collection[str]) -> bool:
    """Whether `path` has the name of a record or raw answers of a planned algorithm, under
    any key.
    """
    algorithm = path.name.rpartition("-")[0]
    has_name_of_ours = NAMES_BELOW["records"].fullmatch(path.name) is not None
    is_plain_file = path.is_file() and not path.is_symlink()
    return has_name_of_ours and algorithm in planned and is_plain_file


def _write_gated_columns(
    target: Run, source: Run, records: list[Record], columns: list[str]
) -> None:
    """Write the plan and the records of `source` into `target`, with the shares in `columns`
    alone.
    """
    cells, about = source.read_plan()
    (target.directory / "records").mkdir(parents=True)
    target.write_plan(cells, about)
    for record in records:
        answers = source.answers_of(record, SHARE_ARRAYS)
        target.write(record, _keep_columns(answers, columns))


def _replace_baseline(baseline: Path, accepted: Path, replaced: Path) -> None:
    """Put `accepted` in the place of `baseline`, which is kept until the new one is there."""
    if baseline.exists():
        baseline.rename(replaced)
    try:
        accepted.rename(baseline)
    except BaseException:
        if replaced.exists():
            replaced.rename(baseline)
        raise


def _keep_columns(shares: dict[str, NDArray[Any]], columns: list[str]) -> dict[str, NDArray[Any]]:
    """The users' shares in `columns` alone.

    The rest of the raw answers is large, and no gate asks for it.
    """
    is_chosen = np.isin(shares["share_columns"], columns)
    return {
        "share_users": shares["share_users"],
        "share_columns": shares["share_columns"][is_chosen],
        "share_sums": shares["share_sums"][is_chosen],
        "share_weights": shares["share_weights"][is_chosen],
    }
