"""How much worse a column may become, and in which rows, as `--fail-on` says it."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from recbench.benchmarks.metrics import Metric, find_metric
from recbench.benchmarks.records import PHASES
from recbench.datasets.foundation import (
    UsageError,
    count_decimals,
    format_spec,
    parse_spec,
    pick_name,
)

# The columns that are times: seconds of a phase.
TIMES = tuple(f"{phase}_seconds" for phase in PHASES)

# The sign of a change for the worse, by what is better.
WORSE_SIGN = {"lower": "+", "higher": "-", "zero": "+"}

BELOW_ZERO = ("r2",)  # metrics of which higher is better, and which have no lowest value

AMOUNT = re.compile(r"([+-])(\d+(?:\.\d*)?|\.\d+)(%?)")


@dataclass(frozen=True)
class Tolerance:
    """How much worse a column may become: `amount` of its value, or in its own unit if not
    `relative`.

    `text` is what the user has typed. `rows` are the names of those that it is for; none: all. An
    infinite `amount` tolerates anything: the column is shown and nothing is demanded of it.
    """

    text: str
    column: str
    amount: float
    relative: bool
    rows: tuple[str, ...] = ()

    @property
    def is_limit(self) -> bool:
        """Whether anything is demanded."""
        return math.isfinite(self.amount)

    def covers(self, row: str) -> bool:
        """Whether it is for the row of this name."""
        return not self.rows or row in self.rows

    def format_change(self, change: float) -> str:
        """A change in the tolerance's own terms, above 0 is worse.

        >>> Tolerance("rmse:+5%", "rmse", 0.05, relative=True).format_change(0.1)
        '+10.00 %'
        """
        if self.relative:
            return f"{100 * change:+.2f} %"
        return f"{change:+.{count_decimals(change)}f}"


def parse_tolerance(text: str) -> Tolerance:
    """`rmse:+0.5%`, `mae:+0.01`, `fit_seconds:+50%`, `ndcg@10:-1% for ease, slim` as a `Tolerance`.

    UsageError for another form, an amount of 0 or one that nothing can exceed, an unknown column, a
    metric without uncertainty over users, the sign that means better, percent of what is best at 0,
    and no percent of times.
    """
    limit_text, *names_text = re.split(r"\s+for\s+", text.strip(), maxsplit=1)
    rows = _parse_rows(text, names_text[0]) if names_text else ()

    column, _, amount_text = limit_text.rpartition(":")
    parts = AMOUNT.fullmatch(amount_text.strip())
    if not column or parts is None:
        raise UsageError(
            f"--fail-on {text!r}: expected COLUMN:+AMOUNT or COLUMN:-AMOUNT, as in rmse:+0.5%, or "
            "with the rows that it is for, as in 'ndcg@10:-1% for ease, slim'"
        )

    sign, number, percent = parts.groups()
    amount = float(number) / 100 if percent else float(number)
    if amount == 0:
        raise UsageError(
            f"--fail-on {text!r}: no data resolve a change of 0; allow what may pass unnoticed"
        )
    if column in TIMES:
        if sign == "-" or not percent:
            raise UsageError(
                f"--fail-on {text!r}: times are compared as ratios; write {column}:+50%"
            )
        tolerance = Tolerance(text, column, amount, relative=True, rows=rows)
    else:
        metric = find_metric(column)
        _check_metric(text, column, metric, parts)
        tolerance = Tolerance(text, column, amount, relative=bool(percent), rows=rows)
        _refuse_boundless(tolerance, metric)
    if not tolerance.is_limit:
        raise UsageError(f"--fail-on {text!r}: no change exceeds this amount; name a smaller one")
    return tolerance


def _parse_rows(text: str, names_text: str) -> tuple[str, ...]:
    """The names of rows in `names_text`, which commas outside of brackets part.

    UsageError, quoting the whole `text`, for an empty name.
    """
    names = [name.strip() for name in re.split(r",(?![^\[\]]*\])", names_text)]
    if not all(names):
        raise UsageError(
            f"--fail-on {text!r}: expected names of rows after `for`, as in "
            "'ndcg@10:-1% for ease, als[factors=20,epochs=5]'"
        )
    return tuple(map(_canonical_row, names))


def _canonical_row(name: str) -> str:
    """A row's name with its hyperparameters as tables write them: in order, without blanks."""
    try:
        return format_spec(*parse_spec(name))
    except UsageError:  # such as `als[epochs=5] (split time)`, which is no spec
        return name


def refuse_unknown_rows(tolerances: Iterable[Tolerance], rows: Iterable[str]) -> None:
    """UsageError, with the nearest match, for a limit on a row that is not among `rows`."""
    known = list(rows)
    for tolerance in tolerances:
        for name in tolerance.rows:
            pick_name(f"row in --fail-on {tolerance.text!r}", name, known)


def _check_metric(text: str, column: str, metric: Metric, parts: re.Match[str]) -> None:
    """UsageError if the metric of `column` cannot be gated by the sign, number and unit in
    `parts`.
    """
    sign, number, percent = parts.groups()
    if metric.kind == "set":
        raise UsageError(
            f"--fail-on {text!r}: {metric.name} has no uncertainty over users, "
            "so it cannot be gated"
        )
    worse = WORSE_SIGN[metric.better]
    if sign != worse:
        raise UsageError(
            f"--fail-on {text!r}: {column} gets worse towards {worse}; "
            f"write {column}:{worse}{number}{percent}"
        )
    if metric.better == "zero" and percent:
        raise UsageError(
            f"--fail-on {text!r}: {column} is best at 0, so name an amount, as in {column}:+0.01"
        )


def _refuse_boundless(tolerance: Tolerance, metric: Metric) -> None:
    """UsageError for a loss that no value can have: all of it, or all that a share can be."""
    if metric.better != "higher" or metric.name in BELOW_ZERO:
        return
    is_share = metric.unit == "share"
    if tolerance.amount >= 1 and (tolerance.relative or is_share):
        raise UsageError(
            f"--fail-on {tolerance.text!r}: {tolerance.column} cannot lose more than all that it "
            f"has, so this never fails; write a smaller amount, as in {tolerance.column}:-3%"
        )
