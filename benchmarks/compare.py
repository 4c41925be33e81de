"""The gate: two runs in, one exit code out."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from recbench.benchmarks.console import FAILED, FINE, USAGE, serve
from recbench.benchmarks.gating import (
    FAILING,
    Verdict,
    judge_runs,
    parse_tolerance,
    refuse_idle_tolerances,
)
from recbench.benchmarks.records import Run
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import write_atomically

HEADS = ("row", "column", "base", "head", "worse by", "95 % interval", "detectable", "verdict")
STYLES = dict.fromkeys((*FAILING, "UNRESOLVED"), "bold red") | {"SUSPICIOUS": "yellow"}


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
    """Compare the rows of two runs on the same users; exit code 1 if one of them got worse beyond its tolerance."""
    limits, old, new = [parse_tolerance(text) for text in fail_on], Run(base), Run(head)
    verdicts = judge_runs(old, new, limits, suspicious)
    refuse_idle_tolerances(old, limits, verdicts)
    if not any(verdict.verdict != "NEW" for verdict in verdicts):
        raise UsageError(f"{base} has no rows to compare with")
    console = open_console()
    console.print(tabulate_verdicts(verdicts))
    for path, text in ((markdown, _markdown(verdicts)), (json_file, _json(verdicts))):
        if path:
            write_atomically(path, text.encode())
    for verdict in verdicts:
        if verdict.reason:
            line = f"{verdict.verdict} {verdict.row}, {verdict.limit.column}: {verdict.reason}"
            console.print(line, markup=False, soft_wrap=True)
    code = exit_code(verdicts)
    if code == USAGE:
        raise UsageError(
            _unresolved([verdict for verdict in verdicts if verdict.verdict == "UNRESOLVED"])
        )
    return code


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """1 if a row fails; else 2 if one is unresolved, since nothing could have been seen there; else 0."""
    found = {verdict.verdict for verdict in verdicts}
    return FAILED if found & set(FAILING) else USAGE if "UNRESOLVED" in found else FINE


def _unresolved(verdicts: list[Verdict]) -> str:
    """What to say of rows that could not be judged: above all by how much a tolerance is too fine."""
    parts = []
    for limit in dict.fromkeys(verdict.limit for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.limit == limit]
        fine = [verdict for verdict in mine if verdict.detectable is not None]
        if fine:
            worst = max(fine, key=lambda verdict: verdict.detectable or 0)
            least = limit.show(worst.detectable or 0).removeprefix("+")
            parts.append(
                f"tolerances finer than the data can resolve: {limit.text}: the minimum detectable effect is {least} "
                f"for {worst.row} ({len(fine)} rows above)"
            )
        parts += [f"{v.row}, {limit.column}: {v.reason}" for v in mine if v.detectable is None]
    return f"{'; '.join(parts)}. Nothing has visibly got worse, but it could not have been seen."


def _cells(verdict: Verdict) -> list[str]:
    """A verdict as the texts of a table's row."""

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.4f}"

    def change(value: float | None) -> str:
        return "–" if value is None else verdict.limit.show(value)

    interval = "–" if verdict.low is None else f"{change(verdict.low)} to {change(verdict.high)}"
    detectable = change(verdict.detectable).removeprefix("+")
    values = [
        number(verdict.base),
        number(verdict.head),
        change(verdict.change),
        interval,
        detectable,
    ]
    return [verdict.row, verdict.limit.text, *values, verdict.verdict]


def open_console() -> Console:
    """Where tables are printed; wide enough for them in a log, too."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def tabulate_verdicts(verdicts: list[Verdict]) -> Table:
    """The verdicts as a table for the terminal."""
    lines = Table(box=None, pad_edge=False)
    for head in HEADS:
        lines.add_column(
            head,
            justify="left" if head in ("row", "column", "verdict") else "right",
            overflow="fold",
        )
    for verdict in verdicts:
        cells = [cell.replace("[", r"\[") for cell in _cells(verdict)]
        lines.add_row(*cells, style=STYLES.get(verdict.verdict))
    return lines


def _outcome(verdicts: list[Verdict]) -> str:
    """One sentence that agrees with the exit code."""
    rows = {verdict.row for verdict in verdicts}
    for which, said in (
        (FAILING, "fail"),
        (("UNRESOLVED",), "cannot be resolved, so nothing is known to pass"),
    ):
        bad = {verdict.row for verdict in verdicts if verdict.verdict in which}
        if bad:
            return f"**{len(bad)} of {len(rows)} rows {said}.**"
    counts = Counter(verdict.verdict for verdict in verdicts)
    if counts.keys() <= {"PASS", "IMPROVED"}:
        return f"All {len(rows)} rows pass."
    return f"No row fails: {', '.join(f'{count} {name}' for name, count in counts.items())}."


def _markdown(verdicts: list[Verdict]) -> str:
    """For a pull request: one sentence, the table, the reasons."""
    lines = ["## recbench", "", _outcome(verdicts), "", f"| {' | '.join(HEADS)} |"]
    lines.append(
        f"|{'|'.join(' :-- ' if h in ('row', 'column', 'verdict') else ' --: ' for h in HEADS)}|"
    )
    for verdict in verdicts:
        cells = [cell.replace("|", r"\|") for cell in _cells(verdict)]
        lines.append(f"| {' | '.join(cells)} |")
    reasons = [
        f"- {v.verdict} `{v.row}`, {v.limit.column}: {v.reason}" for v in verdicts if v.reason
    ]
    return "\n".join([*lines, "", *reasons]).rstrip() + "\n"


def _json(verdicts: list[Verdict]) -> str:
    code = exit_code(verdicts)
    entries: list[dict[str, Any]] = [asdict(verdict) for verdict in verdicts]
    content = {"exit_code": code, "failed": code != FINE, "verdicts": entries}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    serve(compare)
