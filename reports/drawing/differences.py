"""All pairs of rows: a matrix of their differences, and between which ranks each lies, as data and as pictures."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from recbench.benchmarks.certainty import LEVEL
from recbench.reports.drawing.heatmap import fence, on
from recbench.reports.results import Certainty
from recbench.reports.words import chance, signed

COLOURS = colormaps[
    "PuOr_r"
]  # purple where the row is better, orange where it is worse: safe for colour-blind eyes
MOST_ROWS = 20  # what can still be read as a matrix
SOFT, STRONG, PLAIN = "#666666", "#0072b2", "#ffffff"


@dataclass(frozen=True)
class Gap:
    """The row's value minus the column's. `better` says for whom; `shade` grows with the size, from 0 to 1."""

    tip: str
    difference: float
    low: float
    high: float
    p: float  # adjusted for testing all pairs
    better: bool
    shade: float

    @property
    def apart(self) -> bool:
        """Whether the two rows can be told apart at `LEVEL`."""
        return self.p < LEVEL

    @property
    def text(self) -> str:
        """The number; with a sign before it where it may be chance."""
        return signed(self.difference) if self.apart else f"≈{signed(self.difference)}"

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and text colour; None where the rows cannot be told apart."""
        if not self.apart:
            return None
        background = to_hex(COLOURS(0.5 - (1 if self.better else -1) * (0.1 + 0.3 * self.shade)))
        return background, on(background)


@dataclass(frozen=True)
class Matrix:
    """The best rows against each other, best first; None on the diagonal."""

    column: str
    names: list[str]
    gaps: list[list[Gap | None]]
    n_rows: int  # of which these are the best


def matrix(found: Certainty, column: str) -> Matrix:
    """All pairs of the best `MOST_ROWS` rows. What is below the diagonal is exactly minus what is above."""
    boot, shown = found.bootstrap, found.order[:MOST_ROWS]
    losses, names = boot.metric.loss(boot.values), [found.rows[index].name for index in shown]
    sizes = [
        abs(float(boot.values[one] - boot.values[other]))
        for one in shown
        for other in shown
        if one < other
    ]
    largest = fence(sizes) if any(sizes) else 1.0
    gaps: list[list[Gap | None]] = [[None] * len(shown) for _ in shown]
    for y, one in enumerate(shown):
        for x, other in enumerate(shown[:y]):
            difference, low, high = boot.difference(one, other)
            p = float(boot.apart[one, other])
            shade = min(1.0, abs(difference) / largest)
            for row, col, sign, bounds in ((y, x, 1, (low, high)), (x, y, -1, (-high, -low))):
                verdict = "told apart" if p < LEVEL else "not told apart"
                tip = (
                    f"{names[row]} − {names[col]}, {column}: {signed(sign * difference)}\n"
                    f"95 % interval {signed(bounds[0])} to {signed(bounds[1])}\n{verdict}, p {chance(p)}"
                )
                better = bool(sign * (losses[one] - losses[other]) < 0)
                gaps[row][col] = Gap(tip, sign * difference, *bounds, p, better, shade)
    return Matrix(column, names, gaps, len(found.rows))


def draw_matrix(shown: Matrix, title: str) -> Figure:
    """The matrix as a figure: numbers of rows and columns, names beside the rows."""
    n, size, line = len(shown.names), 0.54, 0.25
    left = 0.35 + 0.072 * max(len(name) for name in shown.names) + 0.3
    width = max(left + n * size + 0.15, 6.5)
    titles = textwrap.wrap(title, int((width - 0.3) / 0.095))
    top = 0.45 + 0.2 * len(titles)
    height = top + n * line + 0.6
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(0.15, 0.15, "\n".join(titles), va="top", fontsize=10, fontweight="bold")
    boxes, faces = [], []
    for y, (name, gaps) in enumerate(zip(shown.names, shown.gaps, strict=True)):
        middle = top + (y + 0.5) * line
        axes.text(left - 0.1, middle, f"{name}  {y + 1}", ha="right", va="center")
        axes.text(left + (y + 0.5) * size, top - 0.08, str(y + 1), ha="center", va="bottom")
        for x, gap in enumerate(gaps):
            if gap:
                background, colour = gap.colours or (PLAIN, SOFT)
                boxes.append(
                    Rectangle(
                        (left + x * size + 0.01, top + y * line + 0.01), size - 0.02, line - 0.02
                    )
                )
                faces.append(background)
                across = left + (x + 0.5) * size
                axes.text(
                    across, middle, gap.text, ha="center", va="center", fontsize=6.5, color=colour
                )
    axes.add_collection(PatchCollection(boxes, facecolors=faces, linewidths=0))
    _matrix_key(axes, 0.15, top + n * line + 0.25)
    return figure


def _matrix_key(axes: Axes, x: float, y: float) -> None:
    for shift, meaning in ((0.1, "row better"), (-0.1, "row worse")):
        for step in range(4):
            colour = COLOURS(0.5 - shift - np.sign(shift) * 0.1 * step)
            axes.add_patch(
                Rectangle((x + 0.12 * step, y), 0.12, 0.1, facecolor=colour, linewidth=0)
            )
        axes.text(x + 0.58, y + 0.05, meaning, va="center", fontsize=7, color="#444444")
        x += 1.4
    axes.text(
        x,
        y + 0.05,
        "≈ cannot be told apart, all pairs tested",
        va="center",
        fontsize=7,
        color="#444444",
    )


def draw_ranks(found: Certainty, title: str) -> Figure:
    """For each row, best first, its rank and the ranks between which it lies in 95 % of the draws."""
    boot, order = found.bootstrap, found.order
    ranks = rankdata(boot.metric.loss(boot.values))  # equal rows share the mean of their ranks
    names = [found.rows[index].name for index in order]
    left = 0.3 + 0.072 * max(map(len, names))
    width, titles = left + 5.2, textwrap.wrap(title, int((left + 5) / 0.095))
    height = 1.3 + 0.2 * len(titles) + 0.17 * len(order)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (left / width, 0.75 / height, 5.0 / width, 0.17 * (len(order) + 1) / height)
    )
    figure.text(
        0.15 / width, 1 - 0.12 / height, "\n".join(titles), va="top", fontsize=10, fontweight="bold"
    )
    for y, index in enumerate(order):
        colour = STRONG if index in boot.tied else SOFT
        axes.plot(
            boot.rank_interval(index), (y, y), color=colour, linewidth=1.4, solid_capstyle="butt"
        )
        axes.plot(ranks[index], y, "o", color=colour, markersize=3.5)
    axes.set(
        ylim=(len(order) - 0.3, -0.7),
        xlim=(0.5, len(order) + 0.5),
        xlabel="rank, and its 95 % interval over users",
    )
    axes.set_yticks(range(len(order)), names)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    entries = [
        Patch(color=STRONG, label="best, and tied with the best"),
        Patch(color=SOFT, label="told from the best"),
    ]
    style: dict[str, Any] = {
        "frameon": False,
        "fontsize": 7,
        "handlelength": 1,
        "handleheight": 0.4,
        "ncols": 2,
    }
    figure.legend(handles=entries, loc="lower right", bbox_to_anchor=(1, 0.05 / height), **style)
    return figure
