"""Learning curves: what the folds of a row noted after each epoch, and a panel for each row."""

import math
import statistics
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from recbench.reports.results import Row

PARTS = {"train": "training", "val": "inner validation"}
COLOURS = {"train": "#2166ac", "val": "#c2570c"}
STROKES: dict[str, Literal["-", "--"]] = {"train": "-", "val": "--"}

# Which multiples of powers of ten have ticks, by the ratio of the highest value to the lowest.
TICKS_BY_RATIO = {
    4: (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
    30: (1, 1.5, 2, 3, 5, 7),
    math.inf: (1,),
}
MOST_COLUMNS = 3  # of panels
PANEL_WIDTH = 2.75  # inches
PANEL_HEIGHT = 1.5  # inches, with the space below
LONGEST_NAME = 44  # letters above a panel

Curve = list[float | None]


@dataclass(frozen=True)
class Curves:
    """What one row's folds noted of one part: the error after each epoch, by fold."""

    row: Row
    part: str
    folds: list[Curve]

    @property
    def is_whole(self) -> bool:
        """Whether every planned fold has a curve of numbers, so that means may be taken."""
        known = all(value is not None for curve in self.folds for value in curve)
        return known and len(self.folds) == len(self.row.records) and not self.row.failures

    @property
    def mean(self) -> list[float]:
        """The mean over the folds, as far as all of them ran; empty if a fold is missing."""
        if not self.is_whole:
            return []
        means = []
        for values in zip(*self.folds, strict=False):
            means.append(statistics.fmean(value for value in values if value is not None))
        return means

    def lowest(self) -> list[tuple[int, float]]:
        """The epoch and the error where each fold was lowest; folds without a number left out."""
        lowest = []
        for curve in self.folds:
            known = [(value, epoch) for epoch, value in enumerate(curve, 1) if value is not None]
            if known:
                value, epoch = min(known)
                lowest.append((epoch, value))

        return lowest


RowCurves = dict[str, Curves]  # by part


def read_curves(row: Row) -> RowCurves:
    """The row's curves by part; empty if no ok record has any."""
    traced = [record for record in row.records if record.status == "ok" and record.trace]
    curves = {}
    for part in PARTS:
        folds = [[point.get(f"{part}_rmse") for point in record.trace] for record in traced]
        known = [curve for curve in folds if any(value is not None for value in curve)]
        if known:
            curves[part] = Curves(row, part, known)

    return curves


def draw_curves(rows: Sequence[RowCurves], title: str) -> Figure:
    """A panel a row, all on one logarithmic axis: thin lines are folds, thick ones their mean."""
    n_columns = min(MOST_COLUMNS, len(rows))
    n_lines = -(-len(rows) // n_columns)
    width = 0.75 + PANEL_WIDTH * max(n_columns, 2)
    titles = textwrap.wrap(title, int(width / 0.085))
    top = 0.25 + 0.18 * len(titles)  # inches from the upper edge to the key
    height = top + 0.85 + PANEL_HEIGHT * n_lines

    figure = Figure(figsize=(width, height))
    panels = figure.subplots(n_lines, n_columns, sharey=True, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.62 / width,
        right=1 - 0.1 / width,
        top=1 - (top + 0.4) / height,
        bottom=0.5 / height,
        hspace=0.55,
        wspace=0.08,
    )
    figure.text(
        0.1 / width, 1 - 0.12 / height, "\n".join(titles), va="top", fontsize=10, fontweight="bold"
    )

    for axes, curves in zip(panels, rows, strict=False):
        _draw_panel(axes, curves)

    for axes in panels[len(rows) :]:
        axes.remove()

    _set_shared_axis(panels[0], rows)

    figure.text(0.1 / width, 0.5, "RMSE (rating points)", rotation=90, va="center", fontsize=8)
    figure.text(0.5, 0.1 / height, "epoch", ha="center", va="bottom", fontsize=8)
    _draw_key(figure, rows, 1 - top / height)
    return figure


def _draw_panel(axes: Axes, curves: RowCurves) -> None:
    for part, one in curves.items():
        _draw_part(axes, part, one)

    name = next(iter(curves.values())).row.name
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 1]}…"

    axes.set_title(name, fontsize=7.5, loc="left", pad=3)
    longest = max(len(curve) for one in curves.values() for curve in one.folds)
    axes.set(yscale="log", xlim=(0.5, longest + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.set_facecolor("none")
    axes.grid(axis="y", linewidth=0.4, color="#bbbbbb", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, length=2)


def _draw_part(axes: Axes, part: str, curves: Curves) -> None:
    """The folds, their mean, and in inner validation a circle where each fold was lowest."""
    style: dict[str, Any] = {"color": COLOURS[part], "linestyle": STROKES[part]}
    for curve in curves.folds:
        epochs = range(1, len(curve) + 1)
        values = [math.nan if value is None else value for value in curve]
        marker = "." if len(curve) == 1 else ""  # a line of one point is not seen
        axes.plot(epochs, values, linewidth=0.6, alpha=0.6, marker=marker, **style)

    mean = curves.mean
    axes.plot(range(1, len(mean) + 1), mean, linewidth=1.6, **style)
    if part != "val":
        return

    for epoch, value in curves.lowest():
        axes.plot(
            epoch,
            value,
            "o",
            color=COLOURS[part],
            markersize=3.5,
            markerfacecolor="none",
            markeredgewidth=0.8,
        )


def _set_shared_axis(axes: Axes, rows: Sequence[RowCurves]) -> None:
    """Limits and ticks: up to twice the worst last error, since a first epoch may be far off."""
    values: list[float] = []
    ends: list[float] = []
    for curve in _curves_of_all_folds(rows):
        values += [value for value in curve if value]
        if curve[-1]:
            ends.append(curve[-1])

    worst_end = max(ends, default=math.inf)
    low = min(values, default=1.0)
    high = min(max(values, default=1.0), 2 * worst_end)
    bottom = low * 0.93
    top = high * 1.08
    axes.set_ylim(bottom, top)

    # The wider the axis, the fewer ticks in each power of ten.
    ratio = high / low
    steps = next(steps for most, steps in TICKS_BY_RATIO.items() if ratio <= most)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    inside = [tick for tick in ticks if bottom <= tick <= top]
    axes.yaxis.set_major_locator(FixedLocator(inside or [low]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _curves_of_all_folds(rows: Sequence[RowCurves]) -> Iterator[Sequence[float | None]]:
    """Each fold's curve, of all rows and parts."""
    for curves_by_part in rows:
        for curves in curves_by_part.values():
            yield from curves.folds


def _draw_key(figure: Figure, rows: Sequence[RowCurves], y: float) -> None:
    """What the colours mean, above the panels; only those that occur."""
    width = figure.get_figwidth()
    x = 0.62
    for part, meaning in PARTS.items():
        if not any(part in curves for curves in rows):
            continue

        ends = [x / width, (x + 0.3) / width]
        style: dict[str, Any] = {"color": COLOURS[part], "linestyle": STROKES[part]}
        stroke = Line2D(ends, [y, y], linewidth=1.6, **style)
        figure.add_artist(stroke)

        text = meaning if part == "train" else f"{meaning}, ○ lowest of a fold"
        figure.text((x + 0.36) / width, y, text, va="center", fontsize=8)
        x += 0.6 + 0.058 * len(text)

    has_several_folds = any(len(one.folds) > 1 for curves in rows for one in curves.values())
    if has_several_folds:
        figure.text(x / width, y, "thin: a fold, thick: the mean", va="center", fontsize=8)
