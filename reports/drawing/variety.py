"""Accuracy against what lists show: how popular their items are, and how much of the catalogue."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from recbench.reports.drawing.labels import Label, place_labels

WIDTH = 8.6  # inches
HEIGHT = 3.7
COLOUR = "#0072b2"
MOST_LABELS = 8  # of a panel


@dataclass(frozen=True)
class VarietyPoint:
    """A row: its accuracy, the popularity lift of its lists, the share of the catalogue in them."""

    row: str
    accuracy: float
    popularity: float
    coverage: float


def draw_variety(points: Sequence[VarietyPoint], accuracy: str, title: str) -> Figure:
    """Two panels that share the upright axis; the most accurate rows are named first."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    titles = textwrap.wrap(title, 104)
    heading = "\n".join(titles)
    figure.text(0.01, 0.985, heading, va="top", fontsize=9.5, fontweight="bold")
    top = 0.95 - 0.055 * len(titles)
    left = figure.add_axes((0.075, 0.13, 0.44, top - 0.13))
    right = figure.add_axes((0.545, 0.13, 0.44, top - 0.13))

    best_first = sorted(points, key=lambda point: -point.accuracy)
    popularity = [(point.row, point.popularity, point.accuracy) for point in best_first]
    coverage = [(point.row, point.coverage, point.accuracy) for point in best_first]
    left.set_ylabel(accuracy, fontsize=8)
    _draw_panel(left, popularity, "popularity lift of the lists, 0: as popular as the users' own")
    left.axvline(0, color="#999999", linewidth=0.8, linestyle=":")
    _name_points(figure, left, popularity)

    _draw_panel(right, coverage, "share of the catalogue in any list")
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.tick_params(labelleft=False)
    _name_points(figure, right, coverage)
    return figure


def _draw_panel(axes: Axes, points: Sequence[tuple[str, float, float]], label: str) -> None:
    xs = [x for _, x, _ in points]
    ys = [y for _, _, y in points]
    axes.plot(xs, ys, "o", color=COLOUR, markersize=4, alpha=0.8)
    room_across = 0.12 * (max(xs) - min(xs)) or 0.1
    room_up = 0.08 * (max(ys) - min(ys)) or 0.1
    axes.set(
        xlim=(min(xs) - room_across, max(xs) + room_across),
        ylim=(min(ys) - room_up, max(ys) + room_up),
    )
    axes.set_xlabel(label, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(labelsize=7, length=2)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _name_points(figure: Figure, axes: Axes, points: Sequence[tuple[str, float, float]]) -> None:
    """The names of the most accurate rows, as far as they find a place."""
    labels = [Label(row, x, y) for row, x, y in points[:MOST_LABELS]]
    place_labels(figure, axes, labels)
