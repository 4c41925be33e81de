"""What a person sees while the cells run: a bar and a growing table, or plain lines where there is
no terminal.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from recbench.benchmarks.records import NOT_MEASURED_HERE, Cell, Record
from recbench.command import command_to_type
from recbench.datasets.foundation import format_number, format_seconds
from recbench.datasets.ratings import Dataset, describe_relevance

LONGEST_REMARK = 120
ROWS_SHOWN = 15  # the newest cells; the report has them all


def _format_metric(value: float | None) -> str:
    """The value with the digits that metrics are shown with, or a dash for None."""
    return "–" if value is None else format_number(value)


def summarise_record(record: Record, metrics: Sequence[str]) -> list[str]:
    """A finished cell in words: row, fold, status, the metrics, seconds in all, peak memory."""
    times = [cost.seconds for cost in record.costs.values()]
    seconds = format_seconds(sum(times)) if times else "–"
    if record.cell.external is not None:
        seconds = NOT_MEASURED_HERE
    return [
        record.cell.row,
        record.cell.place,
        record.status,
        *(_format_metric(record.metrics.get(name)) for name in metrics),
        seconds,
        "–" if record.peak_mb is None else f"{record.peak_mb:.0f}",
    ]


class Display:
    """Shows the progress of `total` cells on `console`. Use as a context manager."""

    def __init__(
        self, console: Console, total: int, metrics: Sequence[str], *, plain: bool = False
    ) -> None:
        """Nothing is drawn yet. With `plain`, cells are printed as lines even on a terminal."""
        self._console = console
        self._total = total
        self._metrics = list(metrics)
        self._finished: list[Record] = []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),  # rows have square brackets
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("starting", total=total)
        self._live: Live | None = None
        if console.is_terminal and not plain:
            self._live = Live(self._draw_progress(), console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.update(self._draw_progress())
            self._live.stop()

    def add_cells(self, n_cells: int) -> None:
        """Expect so many more."""
        self._total += n_cells
        self._progress.update(self._task, total=self._total)

    def show_start(self, cell: Cell) -> None:
        """Name the cell that is running now."""
        self._progress.update(self._task, description=f"{cell.row} {cell.place}")
        if self._live:
            self._live.update(self._draw_progress())

    def add_record(self, record: Record) -> None:
        """Add a finished cell."""
        self._finished.append(record)
        self._progress.advance(self._task)
        if self._live:
            self._live.update(self._draw_progress())
        else:
            self._console.print(Text(self._describe_record(record)), soft_wrap=True)

    def _describe_record(self, record: Record) -> str:
        """The cell that has finished last, in one line: its numbers, or why it has none."""
        row, fold, status, *values, seconds, peak = summarise_record(record, self._metrics)

        line = f"[{len(self._finished)}/{self._total}] {row} {fold}: {status}"
        if status != "ok":
            reason = (record.reason or "").partition("\n")[0]
            return f"{line}: {reason}"

        for name, value in zip(self._metrics, values, strict=True):
            line += f"  {name} {value}"
        if record.cell.external is not None:
            return f"{line}  {seconds}"
        return f"{line}  all phases {seconds} s  peak {peak} MB"

    def _draw_progress(self) -> Group:
        """The newest cells in a table, and the bar."""
        table = Table(box=None, pad_edge=False)
        for name in ("algorithm", "fold", "status", *self._metrics, "all phases s", "peak MB"):
            is_text = name in ("algorithm", "status")
            table.add_column(name, justify="left" if is_text else "right", no_wrap=True)

        for record in self._finished[-ROWS_SHOWN:]:
            style = "" if record.status == "ok" else "red"
            texts = [Text(value, style) for value in summarise_record(record, self._metrics)]
            table.add_row(*texts)
        return Group(table, self._progress)


def print_lines(console: Console, lines: Sequence[str]) -> None:
    """Print texts as they are: square brackets, as rows have them, are no markup."""
    for line in lines:
        console.print(line, markup=False)


def print_plan(console: Console, plan: Sequence[tuple[Cell, str]], directory: Path) -> None:
    """Print every cell of a plan with what is to be done about it, one a line, and their number.

    `plan` pairs each cell with its state, such as "to run"; `directory` is where results go.
    """
    n_waiting = 0
    for cell, state in plan:
        console.print(f"{cell.key}  {cell.row}  {cell.place}  {state}", markup=False)
        if state not in ("kept", "to evaluate"):
            n_waiting += 1

    console.print(f"{len(plan)} cells, {n_waiting} to run, into {directory}", markup=False)


def _shorten_remark(name: str, remark: str) -> str:
    """A remark of a loader on one line: what a longer one says first, and where the rest stands."""
    first, colon, _ = remark.partition(":")
    if len(remark) <= LONGEST_REMARK or not colon:
        return remark
    return f"{first}; `{command_to_type('datasets')} info {name}` says more"


def announce_run(console: Console, data: Dataset, n_cells: int, n_waiting: int) -> None:
    """Print what will be run: the notice of simulated data, counts, and the loader's remarks.

    `n_waiting` of the `n_cells` are still to be measured.
    """
    ratings = data.ratings
    title = data.name
    if data.provenance.simulated:
        console.print(data.provenance.notice, style="bold yellow", markup=False)
        title = f"{data.name} (SIMULATED)"

    counts = f"{len(ratings):,} ratings, {ratings.n_users:,} users, {ratings.n_items:,} items"
    kept = ""
    if n_waiting < n_cells:
        kept = f", {n_cells - n_waiting} kept from before"
    console.print(f"{title}: {counts}; {n_cells} cells{kept}", markup=False)

    for step in data.provenance.steps:
        before = step.before["ratings"]
        dropped = before - step.after["ratings"]
        console.print(
            f"  kept: {step.rule}; {dropped:,} of {before:,} ratings dropped", markup=False
        )
    if data.feedback == "explicit":
        console.print(f"  relevant: {describe_relevance(ratings)}", markup=False)
    for remark in data.provenance.remarks:
        console.print(f"  {_shorten_remark(data.name, remark)}", markup=False)
