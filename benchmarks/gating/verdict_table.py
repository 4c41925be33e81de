"""Verdicts as a table: in the terminal, and in Markdown for a pull request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, JustifyMethod
from rich.table import Table

from recbench.benchmarks.gating.outcome import Outcome, summarise_verdicts
from recbench.benchmarks.gating.tolerances import TIMES
from recbench.benchmarks.gating.verdicts import Verdict
from recbench.benchmarks.records import RunDescription
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

# Verdicts that a comment folds away: nobody has to do anything.
QUIET = ("PASS", "NOT GATED")

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


@dataclass(frozen=True)
class Side:
    """What a comment says of one of the two runs: its name, what was measured, or why nothing."""

    name: str  # "base" or "head"
    revision: str  # of the code that was measured, as far as it is known
    about: RunDescription | None  # None if the run has left nothing
    problem: str = ""

    @property
    def text(self) -> str:
        """On one line: revision, data with their counts, or why there is no run."""
        parts = [part for part in (self.revision, self.problem) if part]
        if self.about is not None:
            data = self.about.data
            simulated = ", SIMULATED" if data.simulated else ""
            parts.append(
                f"{data.name}{simulated}: {data.users:,} users, {data.items:,} items, "
                f"{data.ratings:,} ratings"
            )
        return f"{self.name}: {', '.join(parts)}"


def format_markdown(
    verdicts: Sequence[Verdict], outcome: Outcome, sides: Sequence[Side] = ()
) -> str:
    """The verdicts for a pull request: one sentence, the runs, what changed, the rest folded.

    Each reason is said once, with all that it is for. Everything is escaped that comes from plans,
    records and exceptions.
    """
    changed = [verdict for verdict in verdicts if verdict.verdict not in QUIET]
    quiet = [verdict for verdict in verdicts if verdict.verdict in QUIET]
    parts = ["## recbench", summarise_verdicts(verdicts, outcome)]
    if sides:
        parts.append("\n".join(f"- {escape_markdown(side.text)}" for side in sides))
    if changed:
        parts.append(_draw_table(changed))
    told = {side.problem for side in sides}  # why a run has left nothing stands above the table
    reasons = _list_reasons([verdict for verdict in changed if verdict.reason not in told])
    if reasons:
        parts.append("\n".join(reasons))

    if quiet:
        lines = f"{len(quiet)} line" if len(quiet) == 1 else f"{len(quiet)} lines"
        rest = "\n\n".join([_draw_table(quiet), *_list_reasons(quiet)])
        summary = f"{lines} without a change that is significant and beyond its limit"
        parts.append(f"<details>\n<summary>{summary}</summary>\n\n{rest}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _draw_table(verdicts: Sequence[Verdict]) -> str:
    rules = []
    for heading in HEADINGS:
        rules.append(":--" if heading in TEXT_COLUMNS else "--:")

    lines = [_join_cells(HEADINGS), _join_cells(rules)]
    for verdict in verdicts:
        texts = [escape_markdown(text) for text in _format_verdict(verdict)]
        lines.append(_join_cells(texts))
    return "\n".join(lines)


def _join_cells(texts: Iterable[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(texts)} |"


def _list_reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each verdict and reason, with the rows and columns that it is for."""
    places: dict[tuple[str, str], dict[str, list[str]]] = {}
    for verdict in verdicts:
        if verdict.reason:
            rows = places.setdefault((verdict.verdict, verdict.reason), {})
            rows.setdefault(verdict.row, []).append(verdict.tolerance.column)

    lines = []
    for (word, reason), columns_by_row in places.items():
        named = [", ".join([row, *columns]) for row, columns in columns_by_row.items()]
        text = f"{'; '.join(named)}: {reason}"
        lines.append(f"- {word} {escape_markdown(text)}")
    return lines


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
