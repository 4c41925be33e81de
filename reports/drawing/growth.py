"""Growth: error and time of each row against the ratings it was trained on, both axes by powers."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

WIDTH = 8.6  # inches
PANEL_HEIGHT = 2.4
LEGEND_COLUMNS = 4
FEW_SIZES = 200.0  # of the largest to the smallest: up to this ratio ticks stand at 1, 2 and 5
LETTERS = 100  # of a title's line
NARROW_RATIO = 3.0  # of the highest value to the lowest: powers of ten would give no ticks
FEWEST_SIZES = 2  # through which a power can be fitted
PALETTE = ("#2166ac", "#c2570c", "#2a7f3f", "#8a3ea8", "#7a5a12", "#b2182b", "#1a8a8a", "#555555")


@dataclass(frozen=True)
class Growth:
    """One quantity of a row at each size of the training part, smallest first."""

    row: str
    ratings: tuple[int, ...]  # of the training part, the mean over the folds; or trials
    values: tuple[float, ...]  # a mean error, or seconds

    @property
    def exponent(self) -> float | None:
        """The b of value = a ratings ** b, by least squares on logarithms; None if none fits."""
        if len(self.values) < FEWEST_SIZES or min(self.values) <= 0:
            return None
        slope, _ = np.polyfit(np.log(self.ratings), np.log(self.values), 1)
        return float(slope)

    def at(self, size: int) -> float | None:
        """The value at that size of the training part; None if there is none."""
        return dict(zip(self.ratings, self.values, strict=True)).get(size)


@dataclass(frozen=True)
class Crossing:
    """Between two sizes one row overtakes another: its values become better."""

    overtaking: str
    overtaken: str
    ratings: float  # where straight lines between the points, on logarithmic axes, cross


def find_crossings(curves: Sequence[Growth], *, higher_is_better: bool) -> list[Crossing]:
    """Where the order of two rows changes, the smallest sizes first."""
    crossings = []
    for index, one in enumerate(curves):
        for other in curves[index + 1 :]:
            crossings += _cross_curves(one, other, higher_is_better=higher_is_better)
    return sorted(crossings, key=lambda crossing: crossing.ratings)


def _cross_curves(one: Growth, other: Growth, *, higher_is_better: bool) -> list[Crossing]:
    """Where two rows change places, between sizes that both have."""
    sizes = sorted(set(one.ratings) & set(other.ratings))
    pairs = []
    for size in sizes:
        first = one.at(size)
        second = other.at(size)
        assert first is not None and second is not None
        pairs.append((first, second))

    sign = -1 if higher_is_better else 1
    is_positive = all(value > 0 for pair in pairs for value in pair)
    gaps = []  # of `one` less `other`: below 0 where `one` is better
    for first, second in pairs:
        # Lines are straight where they are drawn, on logarithmic axes
        gap = np.log(first / second) if is_positive else first - second
        gaps.append(sign * float(gap))

    crossings = []
    for index in range(len(sizes) - 1):
        before = gaps[index]
        after = gaps[index + 1]
        if before * after >= 0:
            continue
        start = np.log(sizes[index])
        stop = np.log(sizes[index + 1])
        place = float(np.exp(start + (stop - start) * before / (before - after)))
        if after < 0:
            crossings.append(Crossing(one.row, other.row, place))
        else:
            crossings.append(Crossing(other.row, one.row, place))
    return crossings


def draw_growth(
    panels: Sequence[tuple[str, Sequence[Growth]]],
    title: str,
    size: str = "ratings of the training part",
) -> Figure:
    """A panel for each quantity, by its name; one colour a row, named once below.

    `size` is what stands on the level axis.
    """
    rows = list(dict.fromkeys(curve.row for _, curves in panels for curve in curves))
    lines = textwrap.wrap(title, LETTERS)
    above = 0.3 + 0.18 * len(lines)  # inches, as below
    below = 0.6 + 0.15 * -(-len(rows) // LEGEND_COLUMNS)
    height = PANEL_HEIGHT + above + below
    figure = Figure(figsize=(WIDTH, height))
    heading = "\n".join(lines)
    figure.text(0.01, 1 - 0.08 / height, heading, va="top", fontsize=10, fontweight="bold")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    figure.subplots_adjust(
        left=0.06, right=0.99, top=1 - above / height, bottom=below / height, wspace=0.17
    )
    for axes, (name, curves) in zip(all_axes, panels, strict=True):
        _draw_panel(axes, name, curves, rows)
        axes.set_xlabel(size, fontsize=8)

    handles: dict[str, Artist] = {}
    for axes in all_axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles=list(handles.values()),
        labels=list(handles),
        loc="lower left",
        ncols=LEGEND_COLUMNS,
        fontsize=7,
        frameon=False,
    )
    return figure


def _draw_panel(axes: Axes, name: str, curves: Sequence[Growth], rows: Sequence[str]) -> None:
    """The curves of one quantity."""
    for curve in curves:
        place = rows.index(curve.row)
        axes.plot(
            curve.ratings,
            curve.values,
            marker="osD^v"[place // len(PALETTE) % 5],
            markersize=3.5,
            linewidth=1.2,
            color=PALETTE[place % len(PALETTE)],
            label=curve.row,
        )
    axes.set_title(name, fontsize=8.5, loc="left")
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter(EngFormatter())
    sizes = [size for curve in curves for size in curve.ratings]
    if sizes and max(sizes) < FEW_SIZES * min(sizes):
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    values = [value for curve in curves for value in curve.values if value > 0]
    is_narrow = bool(values) and max(values) < NARROW_RATIO * min(values)
    axes.yaxis.set_major_locator(MaxNLocator(6) if is_narrow else LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.minorticks_off()
    axes.tick_params(labelsize=7, length=2)
    axes.grid(linewidth=0.4, color="#bbbbbb", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
