"""The gate: two runs in, one exit code out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from recbench.benchmarks.console import FAILED, FINE, USAGE, serve
from recbench.benchmarks.gating import (
    FAILING,
    Tolerance,
    Verdict,
    format_markdown,
    judge_runs,
    open_console,
    parse_tolerance,
    refuse_idle_tolerances,
    tabulate_verdicts,
)
from recbench.benchmarks.records import Run
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import write_atomically


def compare(
    base: Annotated[Path, Argument(help="results of the old code")],
    head: Annotated[Path, Argument(help="results of the new code")],
    fail_on: Annotated[
        list[str], Option(help="COLUMN:+5% or COLUMN:-5%, by which it may get worse; repeatable")
    ],
    suspicious: Annotated[
        float, Option(help="a relative gain beyond which a row is SUSPICIOUS", min=0)
    ] = 0.1,
    markdown: Annotated[Path | None, Option(help="write the table for a pull request here")] = None,
    json_file: Annotated[Path | None, Option("--json", help="write every number here")] = None,
) -> int:
    """Compare the rows of two runs on the same users; exit code 1 if one got worse than
    tolerated.
    """
    tolerances = [parse_tolerance(text) for text in fail_on]
    old = Run(base)
    new = Run(head)
    verdicts = judge_runs(old, new, tolerances, suspicious)
    refuse_idle_tolerances(old, tolerances, verdicts)
    if all(verdict.verdict == "NEW" for verdict in verdicts):
        raise UsageError(f"{base} has no rows to compare with")

    console = open_console()
    console.print(tabulate_verdicts(verdicts))
    if markdown:
        write_atomically(markdown, format_markdown(verdicts).encode())
    if json_file:
        write_atomically(json_file, _format_json(verdicts).encode())
    for verdict in verdicts:
        if verdict.reason:
            place = f"{verdict.row}, {verdict.tolerance.column}"
            line = f"{verdict.verdict} {place}: {verdict.reason}"
            console.print(line, markup=False, soft_wrap=True)

    code = exit_code(verdicts)
    if code == USAGE:
        raise UsageError(_explain_unresolved(verdicts))
    return code


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """1 if a row fails; else 2 if one is unresolved, since nothing could have been seen there; else
    0.
    """
    reached = {verdict.verdict for verdict in verdicts}
    if reached & set(FAILING):
        return FAILED
    if "UNRESOLVED" in reached:
        return USAGE
    return FINE


def _explain_unresolved(verdicts: Sequence[Verdict]) -> str:
    """What to say of rows that could not be judged: above all by how much a tolerance is too
    fine.
    """
    unresolved = [verdict for verdict in verdicts if verdict.verdict == "UNRESOLVED"]
    parts = []
    for tolerance in dict.fromkeys(verdict.tolerance for verdict in unresolved):
        of_tolerance = [verdict for verdict in unresolved if verdict.tolerance == tolerance]
        too_fine = [verdict for verdict in of_tolerance if verdict.detectable is not None]
        if too_fine:
            parts.append(_explain_too_fine(tolerance, too_fine))
        for verdict in of_tolerance:
            if verdict.detectable is None:
                parts.append(f"{verdict.row}, {tolerance.column}: {verdict.reason}")
    return f"{'; '.join(parts)}. Nothing has visibly got worse, but it could not have been seen."


def _explain_too_fine(tolerance: Tolerance, verdicts: Sequence[Verdict]) -> str:
    """That the data cannot resolve a tolerance, with the row in which they resolve the least."""
    worst = max(verdicts, key=lambda verdict: verdict.detectable or 0)
    least = tolerance.format_change(worst.detectable or 0).removeprefix("+")
    return (
        f"tolerances finer than the data can resolve: {tolerance.text}: "
        f"the minimum detectable effect is {least} for {worst.row} ({len(verdicts)} rows above)"
    )


def _format_json(verdicts: Sequence[Verdict]) -> str:
    """Every number, for programs, with the exit code."""
    code = exit_code(verdicts)
    entries = [verdict.to_json() for verdict in verdicts]
    content = {"exit_code": code, "failed": code != FINE, "verdicts": entries}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    serve(compare)
