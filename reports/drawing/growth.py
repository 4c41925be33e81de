"""Growth: error and time of each row against the ratings it was trained on, both axes by powers."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbench.reports.drawing.ticks import logarithmic_ticks, set_ticks, ticks_at_points
from recbench.reports.words import round_duration

WIDTH = 8.6  # inches
PANEL_HEIGHT = 2.4
LEGEND_COLUMNS = 4
MOST_SIZES = 7  # beside the level axis of a panel
MOST_VALUES = 8  # beside its upright one
LETTERS = 100  # of a title's line
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
class GrowthPanel:
    """One quantity of all rows, under the name that it has for readers."""

    name: str
    curves: Sequence[Growth]
    is_time: bool = False  # in seconds
    higher_is_better: bool = False


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
    panels: Sequence[GrowthPanel],
    title: str,
    size: str = "ratings of the training part",
) -> Figure:
    """A panel for each quantity, by its name; one colour a row, named once below.

    `size` is what stands on the level axis.
    """
    rows = list(dict.fromkeys(curve.row for panel in panels for curve in panel.curves))
    lines = textwrap.wrap(title, LETTERS)
    above = 0.3 + 0.18 * len(lines)  # inches, as below
    below = 0.6 + 0.15 * -(-len(rows) // LEGEND_COLUMNS)
    height = PANEL_HEIGHT + above + below
    figure = Figure(figsize=(WIDTH, height))
    heading = "\n".join(lines)
    figure.text(0.01, 1 - 0.08 / height, heading, va="top", fontsize=10, fontweight="bold")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    figure.subplots_adjust(
        left=0.06, right=0.99, top=1 - above / height, bottom=below / height, wspace=0.24
    )
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, rows)
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


def _draw_panel(axes: Axes, panel: GrowthPanel, rows: Sequence[str]) -> None:
    """The curves of one quantity."""
    for curve in panel.curves:
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
    axes.set_title(panel.name, fontsize=8.5, loc="left")
    axes.set(xscale="log", yscale="log")
    sizes = [size for curve in panel.curves for size in curve.ratings]
    measured = ticks_at_points(sizes, *axes.get_xlim(), MOST_SIZES)
    set_ticks(axes.xaxis, measured, [_shorten_count(size) for size in measured])
    ticks = logarithmic_ticks(*axes.get_ylim(), MOST_VALUES)
    texts = [round_duration(tick) if panel.is_time else f"{tick:.6g}" for tick in ticks]
    set_ticks(axes.yaxis, ticks, texts)
    axes.tick_params(labelsize=7, length=2)
    axes.grid(linewidth=0.4, color="#bbbbbb", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _shorten_count(count: float) -> str:
    """A number of ratings or trials in few letters.

    >>> _shorten_count(30), _shorten_count(66_667), _shorten_count(17_000_209)
    ('30', '66.7k', '17M')
    """
    if count >= 1e6:
        return f"{count / 1e6:.3g}M"
    if count >= 1e4:
        return f"{count / 1e3:.3g}k"
    return f"{count:,.0f}"
