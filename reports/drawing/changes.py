"""What became of each row: its value before and after, joined by a line, with the interval of the
difference.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

WIDTH = 5.9  # inches
LINE_HEIGHT = 0.26
LONGEST_NAME = 30  # letters

COLOURS = {"better": "#0b6e4f", "worse": "#b2182b"}
UNDECIDED = "#7d8b98"


@dataclass(frozen=True)
class Change:
    """A row's value in the first and in the second run, and what is said of the difference.

    `low` and `high` bound the second value: the first one and the interval of the difference.
    """

    name: str
    first: float
    second: float
    low: float
    high: float
    verdict: str  # "better", "worse", or anything that is neither


def draw_changes(
    changes: Sequence[Change], label: str, labels: tuple[str, str], title: str
) -> Figure:
    """A line for each row, the first at the top: a hollow point, a full one, and the interval."""
    titles = textwrap.wrap(title, 84)
    height = 0.95 + 0.16 * len(titles) + LINE_HEIGHT * len(changes)
    figure = Figure(figsize=(WIDTH, height))
    names = [_shorten(change.name) for change in changes]
    left = min(0.4, 0.02 + 0.0125 * max(map(len, names)))
    top = 1 - (0.3 + 0.16 * len(titles)) / height
    axes = figure.add_axes((left, 0.5 / height, 0.97 - left, top - 0.5 / height))
    figure.text(
        0.015, 1 - 0.06 / height, "\n".join(titles), va="top", fontsize=8, fontweight="bold"
    )

    for place, change in enumerate(changes):
        colour = COLOURS.get(change.verdict, UNDECIDED)
        axes.plot((change.low, change.high), (place, place), color=colour, linewidth=4, alpha=0.3)
        axes.plot((change.first, change.second), (place, place), color=colour, linewidth=1.2)
        axes.plot(change.first, place, "o", color=colour, markerfacecolor="white", markersize=5)
        axes.plot(change.second, place, "o", color=colour, markersize=5)

    axes.set(ylim=(len(changes) - 0.5, -0.5), xlabel=label)
    axes.set_yticks(range(len(changes)), names)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(labelsize=7, length=2)
    axes.xaxis.label.set_fontsize(7.5)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)

    first, second = labels
    point = {"marker": "o", "linestyle": "", "markersize": 5, "color": UNDECIDED}
    figure.legend(
        handles=[
            Line2D([], [], label=first, markerfacecolor="white", **point),
            Line2D([], [], label=second, **point),
            Line2D([], [], color=UNDECIDED, linewidth=4, alpha=0.3, label="95 % of the difference"),
        ],
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - (0.08 + 0.16 * len(titles)) / height),
        ncols=3,
        frameon=False,
        fontsize=6.5,
    )
    return figure


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
