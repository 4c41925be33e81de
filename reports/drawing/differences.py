"""Differences, as data and drawn: of all pairs of rows, with the ranks between which they lie; and
of each row between two runs.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from recbench.benchmarks.certainty import LEVEL
from recbench.reports.drawing.heatmap import outlier_fence, readable_on
from recbench.reports.results import Certainty
from recbench.reports.words import chance, field_name, signed, signed_briefly

# Purple where the row is better, orange where it is worse: safe for colour-blind eyes.
COLOURS = colormaps["PuOr_r"]
MOST_ROWS = 20  # what can still be read as a matrix
SOFT = "#666666"
STRONG = "#0072b2"
PLAIN = "#ffffff"
INK = "#444444"

# Inches of the matrix and of the ranks.
GAP_WIDTH = 0.54
GAP_HEIGHT = 0.25
RANK_HEIGHT = 0.17
LETTER_WIDTH = 0.072

# Of what became of each row, in inches, letters and colours.
CHANGES_WIDTH = 5.9
CHANGE_HEIGHT = 0.26
LONGEST_CHANGED = 30
CHANGE_COLOURS = {"better": "#0b6e4f", "worse": "#b2182b"}
UNDECIDED = "#7d8b98"


@dataclass(frozen=True)
class Gap:
    """The row's value minus the column's.

    `better` says whether the row's is better; `shade` grows with the size, from 0 to 1.
    """

    tip: str
    difference: float
    low: float
    high: float
    p: float  # adjusted for testing all pairs
    better: bool
    shade: float

    @property
    def apart(self) -> bool:
        """Whether the two rows are significantly different at `LEVEL`."""
        return self.p < LEVEL

    @property
    def text(self) -> str:
        """The number; with a sign before it where it may be chance."""
        text = signed_briefly(self.difference, (self.low, self.high))
        return text if self.apart else f"≈{text}"

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and text colour; None where the rows are not significantly different."""
        if not self.apart:
            return None
        direction = 1 if self.better else -1
        background = to_hex(COLOURS(0.5 - direction * (0.1 + 0.3 * self.shade)))
        return background, readable_on(background)


@dataclass(frozen=True)
class Matrix:
    """The best rows against each other, best first: each pair once, the better row minus the other.

    None on the diagonal and below it.
    """

    column: str
    names: list[str]
    gaps: list[list[Gap | None]]
    n_rows: int  # of which these are the best


def difference_matrix(found: Certainty, column: str) -> Matrix:
    """All pairs of the best `MOST_ROWS` rows, each once: a row minus one that stands behind it."""
    boot = found.bootstrap
    shown = found.order[:MOST_ROWS]
    names = [found.rows[index].name for index in shown]
    losses = boot.losses_of_values
    largest = _largest_difference(found, shown)

    gaps: list[list[Gap | None]] = []
    for y, first in enumerate(shown):
        gaps_of_row: list[Gap | None] = [None] * len(shown)
        for x in range(y + 1, len(shown)):
            second = shown[x]
            estimate = boot.difference(first, second)
            p = float(boot.pairwise_p_values[first, second])
            is_better = bool(losses[first] < losses[second])
            size = abs(estimate[0])
            shade = min(1.0, size / largest)
            tip = _describe_difference(names[y], names[x], column, estimate, p)
            gaps_of_row[x] = Gap(tip, *estimate, p, is_better, shade)
        gaps.append(gaps_of_row)
    return Matrix(column, names, gaps, len(found.rows))


def _largest_difference(found: Certainty, shown: list[int]) -> float:
    """The size that gets the strongest colour: the greatest one that is no outlier."""
    values = found.bootstrap.values
    sizes = []
    for first in shown:
        for second in shown:
            if first < second:
                sizes.append(abs(float(values[first] - values[second])))
    return outlier_fence(sizes) if any(sizes) else 1.0


def _describe_difference(
    row: str, column_row: str, column: str, estimate: tuple[float, float, float], p: float
) -> str:
    """What is said of a difference: its size, its interval, and whether it is significant."""
    difference, low, high = estimate
    bounds = (low, high)
    verdict = "significantly different" if p < LEVEL else "not significantly different"
    return (
        f"{row} − {column_row}, {field_name(column)}: {signed(difference, bounds)}\n"
        f"95 % interval {signed(low, bounds)} to {signed(high, bounds)}\n"
        f"{verdict}, p {chance(p)}"
    )


def draw_matrix(shown: Matrix, title: str) -> Figure:
    """The matrix as a figure: numbers of rows and columns, names beside the rows."""
    n = len(shown.names)
    longest_name = max(len(name) for name in shown.names)
    left = 0.35 + LETTER_WIDTH * longest_name + 0.3
    width = max(left + n * GAP_WIDTH + 0.15, 6.5)
    title_lines = textwrap.wrap(title, int((width - 0.3) / 0.095))
    top = 0.45 + 0.2 * len(title_lines)
    height = top + n * GAP_HEIGHT + 0.6

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    heading = "\n".join(title_lines)
    axes.text(0.15, 0.15, heading, va="top", fontsize=10, fontweight="bold")

    boxes: list[Rectangle] = []
    faces: list[str] = []
    for y, (name, gaps) in enumerate(zip(shown.names, shown.gaps, strict=True)):
        # The same number stands beside the row and above its column.
        number = str(y + 1)
        middle = top + (y + 0.5) * GAP_HEIGHT
        across = left + (y + 0.5) * GAP_WIDTH
        axes.text(left - 0.1, middle, f"{name}  {number}", ha="right", va="center")
        axes.text(across, top - 0.08, number, ha="center", va="bottom")

        for x, gap in enumerate(gaps):
            if gap:
                corner = (left + x * GAP_WIDTH, top + y * GAP_HEIGHT)
                boxes.append(_gap_box(corner))
                across = left + (x + 0.5) * GAP_WIDTH
                faces.append(_write_gap(axes, gap, across, middle))

    filled = PatchCollection(boxes, facecolors=faces, linewidths=0)
    axes.add_collection(filled)
    _draw_matrix_key(axes, 0.15, top + n * GAP_HEIGHT + 0.25)
    return figure


def _gap_box(corner: tuple[float, float]) -> Rectangle:
    x, y = corner
    return Rectangle((x + 0.01, y + 0.01), GAP_WIDTH - 0.02, GAP_HEIGHT - 0.02)


def _write_gap(axes: Axes, gap: Gap, x: float, y: float) -> str:
    """Write a difference around (x, y); the colour of its background."""
    background, colour = gap.colours or (PLAIN, SOFT)
    axes.text(x, y, gap.text, ha="center", va="center", fontsize=6.5, color=colour)
    return background


def _draw_matrix_key(axes: Axes, x: float, y: float) -> None:
    """What the colours and the sign of a matrix mean, in one line."""
    style: dict[str, Any] = {"va": "center", "fontsize": 7, "color": INK}
    middle = y + 0.05
    for shift, meaning in ((0.1, "row better"), (-0.1, "row worse")):
        for step in range(4):
            away = np.sign(shift) * 0.1 * step
            colour = COLOURS(0.5 - shift - away)
            corner = (x + 0.12 * step, y)
            box = Rectangle(corner, 0.12, 0.1, facecolor=colour, linewidth=0)
            axes.add_patch(box)

        axes.text(x + 0.58, middle, meaning, **style)
        x += 1.4
    axes.text(x, middle, "≈ not significantly different, all pairs tested", **style)


def draw_ranks(found: Certainty, title: str) -> Figure:
    """For each row, best first, its rank and the ranks between which 95 % of the draws lie."""
    order = found.order
    names = [found.rows[index].name for index in order]
    left = 0.3 + LETTER_WIDTH * max(map(len, names))
    width = left + 5.2
    title_lines = textwrap.wrap(title, int((left + 5) / 0.095))
    height = 1.3 + 0.2 * len(title_lines) + RANK_HEIGHT * len(order)

    figure = Figure(figsize=(width, height))
    inner_height = RANK_HEIGHT * (len(order) + 1)
    box = (left / width, 0.75 / height, 5.0 / width, inner_height / height)
    axes = figure.add_axes(box)
    heading = "\n".join(title_lines)
    corner = (0.15 / width, 1 - 0.12 / height)
    figure.text(*corner, heading, va="top", fontsize=10, fontweight="bold")

    _draw_rank_intervals(axes, found)
    _set_rank_axes(axes, names)
    _draw_rank_legend(figure, height)
    return figure


def _draw_rank_intervals(axes: Axes, found: Certainty) -> None:
    """A dot and a line a row; equal rows share the mean of their ranks."""
    boot = found.bootstrap
    ranks = rankdata(boot.losses_of_values)
    for y, index in enumerate(found.order):
        colour = STRONG if index in boot.tied_with_best else SOFT
        line: dict[str, Any] = {"color": colour, "linewidth": 1.4, "solid_capstyle": "butt"}
        ends = boot.rank_interval(index)
        axes.plot(ends, (y, y), **line)
        axes.plot(ranks[index], y, "o", color=colour, markersize=3.5)


def _set_rank_axes(axes: Axes, names: list[str]) -> None:
    """Names at the left, ranks below."""
    axes.set(
        ylim=(len(names) - 0.3, -0.7),
        xlim=(0.5, len(names) + 0.5),
        xlabel="rank, and its 95 % interval over users",
    )
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_rank_legend(figure: Figure, height: float) -> None:
    """What the two colours mean."""
    entries = [
        Patch(color=STRONG, label="best, or not significantly worse"),
        Patch(color=SOFT, label="significantly different from the best"),
    ]
    style: dict[str, Any] = {
        "frameon": False,
        "fontsize": 7,
        "handlelength": 1,
        "handleheight": 0.4,
        "ncols": 2,
    }
    figure.legend(handles=entries, loc="lower right", bbox_to_anchor=(1, 0.05 / height), **style)


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
    height = 0.95 + 0.16 * len(titles) + CHANGE_HEIGHT * len(changes)
    figure = Figure(figsize=(CHANGES_WIDTH, height))
    names = [_shorten(change.name) for change in changes]
    left = min(0.4, 0.02 + 0.0125 * max(map(len, names)))
    top = 1 - (0.3 + 0.16 * len(titles)) / height
    axes = figure.add_axes((left, 0.5 / height, 0.97 - left, top - 0.5 / height))
    figure.text(
        0.015, 1 - 0.06 / height, "\n".join(titles), va="top", fontsize=8, fontweight="bold"
    )

    for place, change in enumerate(changes):
        colour = CHANGE_COLOURS.get(change.verdict, UNDECIDED)
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

    point: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 5, "color": UNDECIDED}
    band: dict[str, Any] = {"color": UNDECIDED, "linewidth": 4, "alpha": 0.3}
    handles = [
        Line2D([], [], markerfacecolor="white", **point),
        Line2D([], [], **point),
        Line2D([], [], **band),
    ]
    axes.legend(
        handles=handles,
        labels=[*labels, "95 % of the difference"],
        loc="lower left",
        bbox_to_anchor=(-left / (0.97 - left), 1.0),
        ncols=3,
        frameon=False,
        fontsize=6.5,
    )
    return figure


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_CHANGED else f"{name[: LONGEST_CHANGED - 1]}…"
