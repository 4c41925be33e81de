"""Verdicts as a table: in the terminal, and in Markdown for a pull request."""

from collections.abc import Sequence

from rich.console import Console, JustifyMethod
from rich.table import Table

from recbench.benchmarks.gating.outcome import Outcome, summarise_verdicts
from recbench.benchmarks.gating.tolerances import TIMES
from recbench.benchmarks.gating.verdicts import Verdict
from recbench.datasets.foundation import (
    LONGEST_LINE,
    escape_markdown,
    format_number,
    format_seconds,
    make_legible,
    open_console,
)

HEADINGS = ("row", "column", "base", "head", "worse by", "95 % interval", "detectable", "verdict")
TEXT_COLUMNS = ("row", "column", "verdict")  # the others hold numbers

STYLES = {
    "MISSING": "bold red",
    "CRASHED": "bold red",
    "INCOMPARABLE": "bold red",
    "REGRESSED": "bold red",
    "UNRESOLVED": "bold red",
    "SUSPICIOUS": "yellow",
    "WORSE": "yellow",
}

ABSENT = "–"
LOG_WIDTH = 160  # columns of what is no terminal


NO_DIFFERENCE = "–"  # the word for PASS where no limit was given


def open_wide_console() -> Console:
    """Where tables are printed; wide enough for them in a log, too."""
    console = open_console()
    if console.is_terminal:
        return console
    return open_console(width=LOG_WIDTH)


def tabulate_verdicts(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts as a table for the terminal, one a line."""
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        justify: JustifyMethod = "left" if heading in TEXT_COLUMNS else "right"
        table.add_column(heading, justify=justify, overflow="fold")
    for verdict in verdicts:
        texts = [
            make_legible(text, longest=LONGEST_LINE, keeps_lines=False)
            for text in _format_verdict(verdict)
        ]
        table.add_row(*texts, style=STYLES.get(verdict.verdict))
    return table


def format_markdown(verdicts: Sequence[Verdict], outcome: Outcome) -> str:
    """The verdicts for a pull request: one sentence, the table, the reasons.

    Everything is escaped that comes from plans, records and exceptions.
    """
    aligned = [" :-- " if heading in TEXT_COLUMNS else " --: " for heading in HEADINGS]
    lines = ["## recbench", "", summarise_verdicts(verdicts, outcome), ""]
    lines.append(f"| {' | '.join(HEADINGS)} |")
    lines.append(f"|{'|'.join(aligned)}|")
    for verdict in verdicts:
        texts = [escape_markdown(text) for text in _format_verdict(verdict)]
        lines.append(f"| {' | '.join(texts)} |")
    lines.append("")
    for verdict in verdicts:
        if verdict.reason:
            place = f"{verdict.row}, {verdict.tolerance.column}: {verdict.reason}"
            lines.append(f"- {verdict.verdict} {escape_markdown(place)}")
    return "\n".join(lines).rstrip() + "\n"


def _format_verdict(verdict: Verdict) -> list[str]:
    """The texts of a verdict's line, one for each of `HEADINGS`."""
    interval = ABSENT
    if verdict.low is not None:
        low = _format_change(verdict, verdict.low)
        high = _format_change(verdict, verdict.high)
        interval = f"{low} to {high}"
    word = verdict.verdict
    if word == "PASS" and not verdict.tolerance.is_limit:
        word = NO_DIFFERENCE
    return [
        verdict.row,
        verdict.tolerance.text,
        _format_value(verdict, verdict.base),
        _format_value(verdict, verdict.head),
        _format_change(verdict, verdict.change),
        interval,
        _format_change(verdict, verdict.detectable).removeprefix("+"),
        word,
    ]


def _format_value(verdict: Verdict, value: float | None) -> str:
    """A metric with the digits that it needs, seconds with three digits; a dash for None."""
    if value is None:
        return ABSENT
    if verdict.tolerance.column in TIMES:
        return format_seconds(value)
    return format_number(value)


def _format_change(verdict: Verdict, change: float | None) -> str:
    """A change in the terms of the verdict's tolerance; a dash for None."""
    return ABSENT if change is None else verdict.tolerance.format_change(change)
