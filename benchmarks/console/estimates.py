"""What a run will take, in print: a line a row, and the whole."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recbench.benchmarks.planning import Likely, RowCosts, add_likely
from recbench.datasets.foundation import format_seconds


def print_estimates(
    console: Console, rows: Sequence[RowCosts], other_seconds: float, *, skips: bool
) -> None:
    """Print what each row is expected to take, with its error, and what all of them take.

    Below stand the rows that would exceed a limit, or decline the data. `other_seconds` are those
    before the first cell and after the last one; `skips` says whether a run leaves the rows out.
    """
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("to be measured", no_wrap=True)
    for name in ("cells", "seconds", "expected range", "peak MB", "expected range"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, _describe_row(row)))
    console.print(table)

    counted = [row for row in rows if row.declined is None and (row.refusal is None or not skips)]
    for line in [*_describe_refusals(rows, skips=skips), _describe_whole(counted, other_seconds)]:
        console.print(line, markup=False)


def _describe_row(row: RowCosts) -> list[str]:
    """The columns of one row; a question mark for what is not known."""
    seconds = ["?", ""]
    if row.seconds is not None:
        seconds = _describe(row.seconds)

    peak_mb = ["?", ""]
    if row.peak_mb is not None:
        value = f"{row.peak_mb.value:,.0f}"
        between = f"{row.peak_mb.low:,.0f} to {row.peak_mb.high:,.0f}"
        peak_mb = [value, between]
    return [row.row, str(row.n_cells), *seconds, *peak_mb]


def _describe(seconds: Likely) -> list[str]:
    """A time, and its range."""
    low, value, high = map(format_seconds, (seconds.low, seconds.value, seconds.high))
    return [value, f"{low} to {high}"]


def _describe_refusals(rows: Sequence[RowCosts], *, skips: bool) -> list[str]:
    """A line for each row that declines the data, or would exceed a limit."""
    what = "skipped beforehand" if skips else "run all the same"
    lines = []
    for row in rows:
        if row.declined is not None:
            lines.append(f"{row.row}: declines these data: {row.declined}")
        elif row.refusal is not None:
            lines.append(f"{row.row}: {what}: {row.refusal}")
    return lines


def _describe_whole(rows: Sequence[RowCosts], other_seconds: float) -> str:
    """What all rows take together, with everything around them."""
    known = [row.seconds for row in rows if row.seconds is not None]
    whole = add_likely([*known, Likely(other_seconds, 1.5)])
    value, between = _describe(whole)
    other = format_seconds(other_seconds)
    line = f"the whole: about {value} s ({between}), {other} s of it start and report"
    n_unknown = len(rows) - len(known)
    if n_unknown:
        line += f"; nothing is known of {n_unknown} rows"
    return line
