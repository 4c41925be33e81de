"""How much worse a column may become, as `--fail-on` says it."""

import re
from dataclasses import dataclass

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PHASES
from recbench.datasets.foundation import UsageError, count_decimals

# The columns that are times: seconds of a phase.
TIMES = tuple(f"{phase}_seconds" for phase in PHASES)

# The sign of a change for the worse, by what is better.
WORSE_SIGN = {"lower": "+", "higher": "-", "zero": "+"}

AMOUNT = re.compile(r"([+-])(\d+(?:\.\d*)?|\.\d+)(%?)")


@dataclass(frozen=True)
class Tolerance:
    """How much worse a column may become: `amount` of its value, or in its own unit if not
    `relative`.

    `text` is what the user has typed.
    """

    text: str
    column: str
    amount: float
    relative: bool

    def format_change(self, change: float) -> str:
        """A change in the tolerance's own terms, above 0 is worse.

        >>> Tolerance("rmse:+5%", "rmse", 0.05, relative=True).format_change(0.1)
        '+10.00 %'
        """
        if self.relative:
            return f"{100 * change:+.2f} %"
        return f"{change:+.{count_decimals(change)}f}"


def parse_tolerance(text: str) -> Tolerance:
    """`rmse:+0.5%`, `precision@10:-3%`, `mae:+0.01`, `fit_seconds:+50%` as a `Tolerance`.

    UsageError for another form, an amount of 0, an unknown column, a metric without uncertainty
    over users, the sign that means better, percent of what is best at 0, and no percent of times.
    """
    column, _, amount_text = text.rpartition(":")
    parts = AMOUNT.fullmatch(amount_text.strip())
    if not column or parts is None:
        raise UsageError(
            f"--fail-on {text!r}: expected COLUMN:+AMOUNT or COLUMN:-AMOUNT, as in rmse:+0.5%"
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
        return Tolerance(text, column, amount, relative=True)

    metric = find_metric(column)
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
    return Tolerance(text, column, amount, relative=bool(percent))
