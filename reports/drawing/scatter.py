"""Accuracy against the time to fit: which rows no other row beats in both, in words and as a picture."""

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from recbench.benchmarks.metrics import ARROWS, Metric, find
from recbench.reports.drawing.heatmap import fence
from recbench.reports.drawing.labels import Label, Spot, place
from recbench.reports.results import Results
from recbench.reports.words import count, duration, interval, listed, number, unit_of_time

# Okabe & Ito's colours, which colour-blind eyes tell apart, without the yellow that is lost on white; every family
# has a shape of its own too, so that nothing hangs on colour alone.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#56b4e9", "#b07d00")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "8")
SHORTEST = 1e-7  # seconds; less has no place on a logarithmic axis


@dataclass(frozen=True)
class Point:
    """A row that has both a value and a time. `low` and `high` bound the value's 95 % interval, where it is known."""

    name: str
    family: str
    time: float
    value: float
    low: float
    high: float
    contended: bool


def points(results: Results, column: str) -> list[Point]:
    """All contestants with a mean of `column` and a fit time, in the order of the rows."""
    found = []
    for row in results.contestants:
        time, value = row.seconds("fit"), row.mean(column)
        if time is not None and value is not None:
            low, high = interval(results, row, column) or (value, value)
            found.append(Point(row.name, row.family, time, value, low, high, row.contended))
    return found


def front(found: Sequence[Point], metric: Metric) -> list[Point]:
    """The points that no other one beats in the mean or the time without being worse in the other; fastest first."""
    best = float("inf")
    kept: list[Point] = []
    ordered = sorted(found, key=lambda point: (point.time, metric.loss(point.value)))
    for point in ordered:
        loss = metric.loss(point.value)
        if loss < best or (
            kept and (kept[-1].time, metric.loss(kept[-1].value)) == (point.time, loss)
        ):
            kept.append(point)
            best = loss
    return kept


def sentences(results: Results, column: str) -> list[str]:
    """What the picture says, in words; true for any number of points and for ties."""
    found = points(results, column)
    apart = "The oracle apart, n" if results.oracle else "N"
    if not found:
        return [f"{apart}o row has both a mean {column} and a time to fit."]
    if len(found) == 1:
        return [
            f"{found[0].name}: mean {column} {_both(found[0])} to fit. There is nothing to compare it with."
        ]
    best = [f"{point.name} ({_both(point)})" for point in front(found, find(column))]
    beaten = (
        f"o row beats these in mean {column} or in time to fit without being worse in the other"
    )
    said = [f"{apart}{beaten}: {listed(best)}."]
    contended = [point.name for point in found if point.contended]
    if contended:
        said.append(
            f"Times of {count(len(contended), 'row')} are contended: other cells ran at the same time."
        )
    return said


def in_words(found: Sequence[Point], column: str) -> list[tuple[str, str, str, str]]:
    """Of every point, the fastest first, its name, mean, time, and whether it is on the front."""
    best = front(found, find(column)) if found else []
    ordered = sorted(found, key=lambda point: point.time)
    return [
        (p.name, number(p.value), duration(p.time), "yes" if p in best else "no") for p in ordered
    ]


def _both(point: Point) -> str:
    return f"{number(point.value)}, {duration(point.time)}"


def draw(found: Sequence[Point], column: str, families: Sequence[str], title: str) -> Figure:
    """The points with their intervals, the front as steps, and as many names as find a place.

    `families` fixes colours and shapes, so that they are the same in every picture. Points beyond the `fence` stand
    at the border with their value beside them, so that one hopeless row does not press all others together.
    """
    metric = find(column)
    figure = Figure(figsize=(8.2, 5.4))
    titles = textwrap.wrap(title, 90)
    axes = figure.add_axes((0.085, 0.1, 0.735, 0.865 - 0.035 * len(titles)))
    figure.text(0.015, 0.985, "\n".join(titles), va="top", fontsize=10, fontweight="bold")
    worst = fence([metric.loss(point.value) for point in found])
    inner = [metric.loss(point.value) for point in found if metric.loss(point.value) <= worst]
    outside = max(inner) + 0.08 * (max(inner) - min(inner))
    border = -outside if metric.better == "higher" else outside
    heights = [border if metric.loss(point.value) > worst else point.value for point in found]
    styles = dict(
        zip(families, zip(itertools.cycle(COLOURS), itertools.cycle(SHAPES)), strict=False)
    )
    for point, height in zip(found, heights, strict=True):
        colour, shape = styles[point.family]
        if height == point.value:
            axes.plot(
                (_x(point), _x(point)),
                (point.low, point.high),
                color=colour,
                linewidth=0.7,
                alpha=0.4,
                zorder=2,
            )
        face = "white" if point.contended else colour
        axes.plot(
            _x(point), height, shape, color=colour, markerfacecolor=face, markersize=5, zorder=3
        )
    _limit(axes, found, heights, column)
    best = front(found, metric)
    corners = [(_x(point), heights[found.index(point)]) for point in best]
    steps = _steps(axes, corners, worst_is_up=metric.better != "higher")
    ordered = [
        *best,
        *sorted((p for p in found if p not in best), key=lambda point: metric.loss(point.value)),
    ]
    beyond = "↓" if metric.better == "higher" else "↑"
    labels = []
    for point in ordered:
        height = heights[found.index(point)]
        text = (
            point.name if height == point.value else f"{point.name} {beyond} {number(point.value)}"
        )
        labels.append(Label(text, _x(point), height, must=point in best))
    place(figure, axes, labels, steps)
    _legend(axes, found, styles)
    return figure


def _x(point: Point) -> float:
    return max(point.time, SHORTEST)


def _limit(axes: Axes, found: Sequence[Point], heights: Sequence[float], column: str) -> None:
    """Axes with room around the points, and what they count; no number stands where points beyond it are."""
    metric = find(column)
    inner = [p for p, height in zip(found, heights, strict=True) if p.value == height]
    bounds = [bound for p in inner for bound in (p.low, p.high)]
    low, high = min(*heights, *bounds), max(*heights, *bounds)
    if len(inner) < len(found):  # the points at the border are the outermost thing on their side
        low, high = (min(heights), high) if metric.better == "higher" else (low, max(heights))
    room = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    if len(inner) < len(found):
        worst, best = min(heights) + room, max(heights) - room
        kept = (worst, high + room) if metric.better == "higher" else (low - room, best)
        axes.set_yticks([float(tick) for tick in axes.get_yticks() if kept[0] <= tick <= kept[1]])
    times = [_x(point) for point in found]
    factor = max((max(times) / min(times)) ** 0.06, 100 / (max(times) / min(times)), 1.6)
    axes.set_xscale("log")
    axes.set_xlim(
        min(times) / factor, max(times) * factor**1.5
    )  # names stand to the right, where they find room
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: _tick(time)))
    axes.set_xlabel("time to fit, mean over folds (logarithmic)")
    axes.set_ylabel(f"mean {column} ({metric.unit}) {ARROWS[metric.better]}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)


def _tick(time: float) -> str:
    """A time as it is said beside an axis: `10 µs`, `100 ms`, `1,000 s`."""
    name, scale = unit_of_time(time)
    return f"{round(time * scale, 3):,g} {name}"


def _steps(axes: Axes, corners: Sequence[Spot], *, worst_is_up: bool) -> list[Spot]:
    """Draw the front: for every time, the best value that is reached within it; its corners."""
    path = [(corners[0][0], axes.get_ylim()[1 if worst_is_up else 0]), corners[0]]
    for x, y in corners[1:]:
        path += [(x, path[-1][1]), (x, y)]
    path.append((axes.get_xlim()[1], path[-1][1]))
    axes.plot(*zip(*path, strict=True), color="#999999", linewidth=1, zorder=1)
    return path


def _legend(axes: Axes, found: Sequence[Point], styles: dict[str, tuple[str, str]]) -> None:
    """Families beside the picture, and what lines and hollow points mean."""
    shown = dict.fromkeys(point.family for point in found)
    entries = [
        Line2D(
            [],
            [],
            color=styles[family][0],
            marker=styles[family][1],
            linestyle="",
            markersize=5,
            label=family,
        )
        for family in shown
    ]
    entries.append(Line2D([], [], color="#888888", linewidth=1, label="not beaten in both"))
    if any(point.low < point.high for point in found):
        entries.append(
            Line2D(
                [],
                [],
                color="#444444",
                marker="|",
                linestyle="",
                markersize=9,
                label="95 % interval",
            )
        )
    if any(point.contended for point in found):
        hollow: dict[str, Any] = {
            "marker": "o",
            "markerfacecolor": "white",
            "linestyle": "",
            "markersize": 5,
        }
        entries.append(Line2D([], [], color="#444444", label="hollow: contended", **hollow))
    axes.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=7.5
    )
