"""Verdicts as a table: in the terminal, and in Markdown for a pull request."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, JustifyMethod
from rich.table import Table

from recbench.benchmarks.gating.verdicts import FAILING, Verdict
from recbench.datasets.foundation import format_number

HEADINGS = ("row", "column", "base", "head", "worse by", "95 % interval", "detectable", "verdict")
TEXT_COLUMNS = ("row", "column", "verdict")  # the others hold numbers

STYLES = {
    "MISSING": "bold red",
    "INCOMPARABLE": "bold red",
    "REGRESSED": "bold red",
    "UNRESOLVED": "bold red",
    "SUSPICIOUS": "yellow",
}

ABSENT = "–"
LOG_WIDTH = 160  # columns of what is no terminal


def open_console() -> Console:
    """Where tables are printed; wide enough for them in a log, too."""
    console = Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, width=LOG_WIDTH)


def tabulate_verdicts(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts as a table for the terminal, one a line."""
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        justify: JustifyMethod = "left" if heading in TEXT_COLUMNS else "right"
        table.add_column(heading, justify=justify, overflow="fold")
    for verdict in verdicts:
        texts = [text.replace("[", r"\[") for text in _format_verdict(verdict)]
        table.add_row(*texts, style=STYLES.get(verdict.verdict))
    return table


def format_markdown(verdicts: Sequence[Verdict]) -> str:
    """The verdicts for a pull request: one sentence, the table, the reasons."""
    aligned = [" :-- " if heading in TEXT_COLUMNS else " --: " for heading in HEADINGS]
    lines = ["## recbench", "", _summarise(verdicts), ""]
    lines.append(f"| {' | '.join(HEADINGS)} |")
    lines.append(f"|{'|'.join(aligned)}|")
    for verdict in verdicts:
        texts = [text.replace("|", r"\|") for text in _format_verdict(verdict)]
        lines.append(f"| {' | '.join(texts)} |")
    lines.append("")
    for verdict in verdicts:
        if verdict.reason:
            column = verdict.tolerance.column
            lines.append(f"- {verdict.verdict} `{verdict.row}`, {column}: {verdict.reason}")
    return "\n".join(lines).rstrip() + "\n"


def _format_verdict(verdict: Verdict) -> list[str]:
    """The texts of a verdict's line, one for each of `HEADINGS`."""
    interval = ABSENT
    if verdict.low is not None:
        low = _format_change(verdict, verdict.low)
        high = _format_change(verdict, verdict.high)
        interval = f"{low} to {high}"
    return [
        verdict.row,
        verdict.tolerance.text,
        _format_value(verdict.base),
        _format_value(verdict.head),
        _format_change(verdict, verdict.change),
        interval,
        _format_change(verdict, verdict.detectable).removeprefix("+"),
        verdict.verdict,
    ]


def _format_value(value: float | None) -> str:
    return ABSENT if value is None else format_number(value)


def _format_change(verdict: Verdict, change: float | None) -> str:
    """A change in the terms of the verdict's tolerance; a dash for None."""
    return ABSENT if change is None else verdict.tolerance.format_change(change)


def _summarise(verdicts: Sequence[Verdict]) -> str:
    """One sentence that agrees with the exit code."""
    n_rows = len({verdict.row for verdict in verdicts})
    failing = {verdict.row for verdict in verdicts if verdict.verdict in FAILING}
    if failing:
        return f"**{len(failing)} of {n_rows} rows fail.**"

    unresolved = {verdict.row for verdict in verdicts if verdict.verdict == "UNRESOLVED"}
    if unresolved:
        return (
            f"**{len(unresolved)} of {n_rows} rows cannot be resolved, "
            "so nothing is known to pass.**"
        )

    counts = Counter(verdict.verdict for verdict in verdicts)
    if counts.keys() <= {"PASS", "IMPROVED"}:
        return f"All {n_rows} rows pass."
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"No row fails: {listed}."
