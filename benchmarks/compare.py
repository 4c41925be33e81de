"""The gate: two runs in, one exit code out. Without limits, both side by side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from recbench.benchmarks.console import FAILED, FINE, INCOMPLETE, USAGE, serve
from recbench.benchmarks.gating import (
    TIMES,
    Outcome,
    Side,
    Tolerance,
    Verdict,
    conclude,
    explain_idle_tolerances,
    format_markdown,
    judge_one_run,
    judge_runs,
    list_everything,
    open_wide_console,
    parse_tolerance,
    tabulate_verdicts,
)
from recbench.benchmarks.records import Run
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import write_atomically

CODES = {
    Outcome.FAILED: FAILED,
    Outcome.INCOMPLETE: INCOMPLETE,
    Outcome.UNJUDGED: USAGE,
    Outcome.PASSED: FINE,
}


def compare(
    base: Annotated[Path, Argument(help="results of the old code")],
    head: Annotated[Path, Argument(help="results of the new code")],
    fail_on: Annotated[
        list[str] | None,
        Option(
            help="COLUMN:+5% or COLUMN:-5%, by which it may get worse, in all rows or `for ROW, "
            "ROW`; repeatable [default: everything side by side, and nothing fails]"
        ),
    ] = None,
    suspicious: Annotated[
        float, Option(help="a relative gain beyond which a row is SUSPICIOUS", min=0)
    ] = 0.1,
    fail_on_suspicious: Annotated[
        bool, Option("--fail-on-suspicious", help="exit code 1 if a row is SUSPICIOUS")
    ] = False,
    markdown: Annotated[Path | None, Option(help="write the table for a pull request here")] = None,
    json_file: Annotated[Path | None, Option("--json", help="write every number here")] = None,
    base_log: Annotated[
        Path | None,
        Option(help="what the run of BASE printed: if it left no results, all rows are NEW"),
    ] = None,
    head_log: Annotated[
        Path | None,
        Option(help="what the run of HEAD printed: if it left no results, all rows CRASHED"),
    ] = None,
    base_revision: Annotated[str, Option(help="what BASE measured, for the table")] = "",
    head_revision: Annotated[str, Option(help="what HEAD measured, for the table")] = "",
) -> int:
    """Compare the rows of two runs on the same users.

    Exit code 1 if a row got worse than tolerated; else 4 if the head has a row without numbers;
    else 2 if something cannot be compared or seen; else 0.
    """
    old = Run(base)
    new = Run(head)
    tolerances = [parse_tolerance(text) for text in fail_on or ()]
    sides = [
        _describe_side("base", old, base_revision, base_log),
        _describe_side("head", new, head_revision, head_log),
    ]
    verdicts = _judge(old, new, tolerances, suspicious, sides)
    idle = ""
    if all(side.about is not None for side in sides):
        if tolerances and verdicts and all(verdict.verdict == "NEW" for verdict in verdicts):
            raise UsageError(f"{base} has no rows to compare with")
        idle = explain_idle_tolerances(old, tolerances, verdicts)
    outcome = conclude(verdicts, is_idle=bool(idle), fails_on_suspicious=fail_on_suspicious)

    console = open_wide_console()
    console.print(tabulate_verdicts(verdicts))
    if markdown:
        write_atomically(markdown, format_markdown(verdicts, outcome, sides).encode())
    if json_file:
        write_atomically(json_file, _format_json(verdicts, CODES[outcome]).encode())
    for line in _list_reasons(verdicts):
        console.print(line, soft_wrap=True)

    problem = ". ".join(filter(None, [_explain_unjudged(verdicts), idle]))
    if outcome is Outcome.UNJUDGED:
        raise UsageError(problem)
    if problem and outcome is not Outcome.PASSED:
        console.print(problem, soft_wrap=True)
    return CODES[outcome]


def _describe_side(name: str, run: Run, revision: str, log: Path | None) -> Side:
    """What is known of one of the two runs; UsageError if it has left nothing, and no log says why.

    The revision is that of the bench where no other is given.
    """
    has_plan = (run.directory / "plan.json").exists()
    if log is not None and not has_plan:
        problem = _read_last_line(log) or "its run printed nothing"
        return Side(name, revision, None, f"no results: {problem}")

    _, about = run.read_plan()
    commit = about.environment.commit
    if not revision and commit:
        revision = f"recbench {commit[:10]}"
    return Side(name, revision, about)


def _read_last_line(log: Path) -> str:
    """The last line of a file that is not blank; empty if there is none, or no file."""
    if not log.exists():
        return ""
    lines = log.read_text(errors="replace").split("\n")
    printed = [line.strip() for line in lines if line.strip()]
    return printed[-1] if printed else ""


def _judge(
    old: Run, new: Run, tolerances: list[Tolerance], suspicious: float, sides: Sequence[Side]
) -> list[Verdict]:
    """The verdicts on two runs, or on the one that has left results."""
    base, head = sides
    if base.about is None and head.about is None:
        raise UsageError(f"neither run has results: {base.text}; {head.text}")

    if base.about is None:
        limits = tolerances or list_everything(new, new)
        return judge_one_run(new, limits, suspicious, absent="base", reason=base.problem)
    if head.about is None:
        limits = tolerances or list_everything(old, old)
        return judge_one_run(old, limits, suspicious, absent="head", reason=head.problem)
    limits = tolerances or list_everything(old, new)
    return judge_runs(old, new, limits, suspicious)


def _list_reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each verdict with a reason, and one for a row that is absent as a whole."""
    lines: dict[str, None] = {}
    for verdict in verdicts:
        if verdict.reason:
            place = verdict.row
            if verdict.tolerance.is_limit:
                place = f"{verdict.row}, {verdict.tolerance.column}"
            lines[f"{verdict.verdict} {place}: {verdict.reason}"] = None
    return list(lines)


def _explain_unjudged(verdicts: Sequence[Verdict]) -> str:
    """What to say of what could not be judged: above all by how much a tolerance is too fine.

    Empty if there is nothing of the kind, or only times.
    """
    parts = []
    for tolerance in dict.fromkeys(verdict.tolerance for verdict in verdicts):
        if not tolerance.is_limit:
            continue
        of_tolerance = [verdict for verdict in verdicts if verdict.tolerance == tolerance]
        unresolved = [verdict for verdict in of_tolerance if verdict.verdict == "UNRESOLVED"]
        if tolerance.column in TIMES:
            unresolved = []
        too_fine = [verdict for verdict in unresolved if verdict.detectable is not None]
        if too_fine:
            parts.append(_explain_too_fine(tolerance, too_fine))
        for verdict in of_tolerance:
            is_without_numbers = verdict in unresolved and verdict.detectable is None
            if is_without_numbers or verdict.verdict == "INCOMPARABLE":
                parts.append(f"{verdict.row}, {tolerance.column}: {verdict.reason}")
    if not parts:
        return ""
    return f"{'; '.join(parts)}. Nothing has visibly got worse, but it could not have been seen."


def _explain_too_fine(tolerance: Tolerance, verdicts: Sequence[Verdict]) -> str:
    """That the data cannot resolve a tolerance, with the row in which they resolve the least."""
    worst = max(verdicts, key=lambda verdict: verdict.detectable or 0)
    least = tolerance.format_change(worst.detectable or 0).removeprefix("+")
    return (
        f"tolerances finer than the data can resolve: {tolerance.text}: "
        f"the minimum detectable effect is {least} for {worst.row} ({len(verdicts)} rows above). "
        "Allow more, or name the rows that it is for, as in "
        f"'{tolerance.text.partition(' for ')[0]} for ROW, ROW'"
    )


def _format_json(verdicts: Sequence[Verdict], code: int) -> str:
    """Every number, for programs, with the exit code."""
    entries = [verdict.to_json() for verdict in verdicts]
    content = {"exit_code": code, "failed": code != FINE, "verdicts": entries}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    serve(compare)
