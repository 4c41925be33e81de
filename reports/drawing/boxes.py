"""Box plots of what single users get from each row: quartiles, and where nine of ten users lie."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from recbench.benchmarks.metrics import Doubles

WIDTH = 7.4  # inches
LINE_HEIGHT = 0.24
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
COLOUR = "#1f4e8c"
FILL = "#d4e0f0"
LONGEST_NAME = 30  # letters


@dataclass(frozen=True)
class Box:
    """A row's users: five quantiles of their own numbers, see `SHARES`, and the row's value."""

    row: str
    quantiles: tuple[float, ...]
    value: float  # of the metric, which may be no mean of the users

    @staticmethod
    def of(row: str, users: Doubles, value: float) -> "Box":
        """From one number a user; users without one are left out."""
        known = users[~np.isnan(users)]
        return Box(row, tuple(np.quantile(known, SHARES).tolist()), value)


def draw_boxes(boxes: Sequence[Box], label: str, title: str) -> Figure:
    """A box for each row, the first at the top: quartiles, a line to both ends, a dot: the row."""
    titles = textwrap.wrap(title, 100)
    height = 0.75 + 0.18 * len(titles) + LINE_HEIGHT * len(boxes)
    figure = Figure(figsize=(WIDTH, height))
    names = []
    for box in boxes:
        names.append(box.row if len(box.row) <= LONGEST_NAME else f"{box.row[:29]}…")
    left = 0.03 + 0.0095 * max(map(len, names))
    bottom = 0.5 / height
    top = 1 - (0.15 + 0.18 * len(titles)) / height
    axes = figure.add_axes((left, bottom, 0.98 - left, top - bottom))
    heading = "\n".join(titles)
    figure.text(0.01, 1 - 0.06 / height, heading, va="top", fontsize=9, fontweight="bold")

    ends = np.array([box.quantiles for box in boxes])
    places = np.arange(len(boxes))
    axes.hlines(places, ends[:, 0], ends[:, 4], color=COLOUR, linewidth=0.9)
    axes.barh(
        places,
        ends[:, 3] - ends[:, 1],
        left=ends[:, 1],
        height=0.55,
        facecolor=FILL,
        edgecolor=COLOUR,
        linewidth=0.9,
    )
    axes.vlines(ends[:, 2], places - 0.275, places + 0.275, color=COLOUR, linewidth=1.8)
    axes.plot([box.value for box in boxes], places, "o", color="#c2570c", markersize=4)

    axes.set(ylim=(len(boxes) - 0.4, -0.6), xlabel=label)
    axes.set_yticks(places, names)
    axes.tick_params(labelsize=7.5, length=2)
    axes.xaxis.label.set_fontsize(8)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
