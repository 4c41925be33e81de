"""Accuracy against time: which rows no other row beats in both, in words and drawn."""

import itertools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recbench.benchmarks.certainty import level_ties
from recbench.benchmarks.metrics import ARROWS, find_metric
from recbench.benchmarks.records import PHASES
from recbench.reports.drawing.heatmap import outlier_fence
from recbench.reports.drawing.labels import Label, Spot, place_labels
from recbench.reports.drawing.ticks import logarithmic_ticks, set_ticks
from recbench.reports.results import Results, Row
from recbench.reports.words import (
    count,
    duration,
    field_name,
    interval,
    listed,
    number,
    round_duration,
)

# Okabe & Ito's colours, which colour-blind eyes tell apart, without the yellow that is lost on
# white; every family has a shape of its own too, so that nothing hangs on colour alone.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#56b4e9", "#b07d00")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "8")
FRONT = "#0b6e4f"  # of the overview
OTHERS = "#7d8b98"
MOST_LABELS = 12
ALWAYS_NAMED = 10  # so many of the best have a name, and those on the front
MOST_TIMES = 7  # beside the axis of times
SHORTEST = 1e-7  # seconds; less has no place on a logarithmic axis

Styles = dict[str, tuple[str, str]]  # family -> colour and shape


class Judge(Protocol):
    """What says which of two values is better, as a `Metric` does."""

    @property
    def better(self) -> str:
        """`lower`, `higher`, or `zero` for what is best there."""

    def loss(self, value: float) -> float:
        """A value as something that is better the lower it is."""


class Distance:
    """Judges distances to the best: the lower, the better."""

    better = "lower"

    def loss(self, value: float) -> float:
        """The distance itself."""
        return value


@dataclass(frozen=True)
class Cost:
    """A time that rows are drawn against."""

    in_words: str
    seconds_of: Callable[[Row], float | None]
    axis: str = ""  # what the axis says, if not `in_words` and that it is a mean
    is_doubtful: Callable[[Row], bool] = attrgetter("contended")
    doubt: str = "contended"  # what a hollow point means
    why_doubtful: str = "are contended: other cells ran at the same time"


def _sum_of_phases(*phases: str) -> Callable[[Row], float | None]:
    """A function that gives a row's seconds of these phases together."""
    return lambda row: row.seconds(*phases)


def _tail_of_row(row: Row) -> float | None:
    """The p99 of one user's list; None if it was not measured."""
    return row.serving.cost.p99_seconds if row.serving and row.serving.cost else None


def _has_doubtful_tail(row: Row) -> bool:
    """Whether the tail of a row has not repeated itself, or was measured beside other cells."""
    cost = row.serving.cost if row.serving else None
    return row.contended or (cost is not None and not cost.is_steady)


# What a row costs: whoever does the work while converting, or when asked, has no cheaper fit. To
# rank means to score all pairs, so those of the test part would count twice.
WORK = Cost("time to convert, fit and rank", _sum_of_phases("convert", "fit", "rank"))
TOTAL = Cost(
    "total time",
    _sum_of_phases(*PHASES),
    axis="total time of a fold: convert + fit + rate + rank",
)
TOTAL_OF_DATA_SETS = replace(TOTAL, axis="total time of a fold, geometric mean over data sets")
TRAINING = Cost("training time", _sum_of_phases("convert", "fit"), axis="training: convert + fit")
LATENCY = Cost(
    "p99 of one user's top ten",
    _tail_of_row,
    axis="latency: p99 of one user's top ten",
    is_doubtful=_has_doubtful_tail,
    doubt="not steady",
    why_doubtful="are not steady: the p99 differed between rounds, or other cells ran at the same "
    "time",
)


@dataclass(frozen=True)
class Point:
    """A row that has both a value and a time, in seconds, of a `Cost`.

    `low` and `high` bound the value's 95 % interval; both are the value where that is not known.
    `in_words` is the value as it is written, where that is no metric's.
    """

    name: str
    family: str
    time: float
    value: float
    low: float
    high: float
    is_doubtful: bool  # its time is
    in_words: str = ""

    @property
    def text(self) -> str:
        """The value, with the digits that its interval carries."""
        return self.in_words or number(self.value, (self.low, self.high))

    @property
    def x(self) -> float:
        """Where it stands on a logarithmic axis of time."""
        return max(self.time, SHORTEST)


def find_points(results: Results, column: str, cost: Cost = WORK) -> list[Point]:
    """All contestants with a mean of `column` and a time, in the order of the rows."""
    found = []
    for row in results.contestants:
        time = cost.seconds_of(row)
        value = row.mean(column)
        if time is None or value is None:
            continue
        low, high = interval(results, row, column) or (value, value)
        is_doubtful = cost.is_doubtful(row)
        found.append(Point(row.name, row.family, time, value, low, high, is_doubtful))
    return found


def pareto_front(found: Sequence[Point], metric: Judge) -> list[Point]:
    """The Pareto front: points that no other beats in mean or time without losing in the other.

    Fastest first; equal points are all on it, and values equal but for rounding are equal.
    """
    losses = level_ties([metric.loss(point.value) for point in found]).tolist()
    last = (float("nan"), float("inf"))  # time and loss of the last point kept
    kept: list[Point] = []
    for place in sorted(range(len(found)), key=lambda place: (found[place].time, losses[place])):
        point = (found[place].time, losses[place])
        if point[1] < last[1] or point == last:
            kept.append(found[place])
            last = point
    return kept


def describe_front(results: Results, column: str, cost: Cost = WORK) -> list[str]:
    """What the picture says, in words; true for any number of points and for ties."""
    found = find_points(results, column, cost)
    name = field_name(column)
    if not found:
        whose = "No row but the oracle" if results.oracle else "No row"
        return [f"{whose} has both a mean {name} and a time."]
    if len(found) == 1:
        alone = f"{found[0].name}: mean {name} {_value_and_time(found[0])}."
        return [f"{alone} There is nothing to compare it with."]

    best = [
        f"{point.name} ({_value_and_time(point)})"
        for point in pareto_front(found, find_metric(column))
    ]
    rows = "rows (without the oracle)" if results.oracle else "rows"
    front = f"The Pareto front of {rows} in mean {name} and {cost.in_words}"
    paragraphs = [f"{front}: {listed(best)}."]

    n_doubtful = sum(point.is_doubtful for point in found)
    if n_doubtful:
        paragraphs.append(f"Times of {count(n_doubtful, 'row')} {cost.why_doubtful}.")
    return paragraphs


def describe_points(found: Sequence[Point], column: str) -> list[tuple[str, str, str, str]]:
    """Of every point, fastest first: its name, mean, time, and whether it is on the front."""
    if not found:
        return []
    best = pareto_front(found, find_metric(column))
    lines = []
    for point in sorted(found, key=lambda point: point.time):
        is_best = "yes" if point in best else "no"
        lines.append((point.name, point.text, duration(point.time), is_best))
    return lines


def _value_and_time(point: Point) -> str:
    return f"{point.text}, {duration(point.time)}"


def draw_scatter(
    found: Sequence[Point], column: str, families: Sequence[str], title: str
) -> Figure:
    """The points with their intervals, the front as steps, and as many names as find a place.

    `families` fixes colours and shapes, so that they are the same in every picture. Points beyond
    the `fence` stand at the border with their value beside them, so that one hopeless row does not
    press all others together.
    """
    metric = find_metric(column)
    figure = Figure(figsize=(8.2, 5.4))
    title_lines = textwrap.wrap(title, 90)
    axes = figure.add_axes((0.085, 0.1, 0.735, 0.865 - 0.035 * len(title_lines)))
    heading = "\n".join(title_lines)
    figure.text(0.015, 0.985, heading, va="top", fontsize=10, fontweight="bold")

    heights = _heights_of_points(found, metric)
    styles = _styles_of_families(families)
    for point, height in zip(found, heights, strict=True):
        _draw_point(axes, point, height, *styles[point.family])
    _set_axes(axes, found, heights, metric, _label_column(column), WORK)

    best = pareto_front(found, metric)
    corners = [(point.x, heights[found.index(point)]) for point in best]
    steps = _draw_steps(axes, corners, worst_is_up=metric.better != "higher")
    labels = _labels_in_order(found, heights, best, metric)
    place_labels(figure, axes, labels, steps)
    _draw_legend(axes, found, styles)
    return figure


def draw_overview(found: Sequence[Point], column: str, title: str, cost: Cost = TOTAL) -> Figure:
    """The points, the front in green, and the names of the front and of the best, at most twelve.

    Each of these names has a place; all other points are grey and have none.
    """
    return _draw_front(found, find_metric(column), title, _label_column(column), cost)


def draw_distances(found: Sequence[Point], label: str, title: str) -> Figure:
    """As `draw_overview`, of rows over several data sets: distances to the best."""
    return _draw_front(found, Distance(), title, label, TOTAL_OF_DATA_SETS)


def _draw_front(
    found: Sequence[Point], metric: Judge, title: str, label: str, cost: Cost
) -> Figure:
    """The picture of `draw_overview`, with what its axes count."""
    figure = Figure(figsize=(5.9, 3.7))
    title_lines = textwrap.wrap(title, 84)
    top = 0.93 - 0.04 * len(title_lines)
    axes = figure.add_axes((0.1, 0.115, 0.885, top - 0.115))
    figure.text(0.015, 0.985, "\n".join(title_lines), va="top", fontsize=8, fontweight="bold")

    heights = _heights_of_points(found, metric)
    best = pareto_front(found, metric)
    for point, height in zip(found, heights, strict=True):
        colour = FRONT if point in best else OTHERS
        _draw_point(axes, point, height, colour, "o")
    _set_axes(axes, found, heights, metric, label, cost)

    corners = [(point.x, heights[found.index(point)]) for point in best]
    steps = _draw_steps(axes, corners, worst_is_up=metric.better != "higher", colour=FRONT)
    labels = _labels_in_order(found, heights, best, metric)
    named = [replace(label, must=True) for label in labels[:MOST_LABELS]]
    nameless = [(label.x, label.y) for label in labels[MOST_LABELS:]]
    for note in place_labels(figure, axes, named, steps, nameless):
        if any(note.get_text().startswith(point.name) for point in best):
            note.set_color(FRONT)
            note.set_fontweight("bold")
    return figure


def _label_column(column: str) -> str:
    """What the upright axis counts, with the direction that is better."""
    metric = find_metric(column)
    return f"mean {field_name(column)} ({metric.unit}) {ARROWS[metric.better]}"


def _heights_of_points(found: Sequence[Point], metric: Judge) -> list[float]:
    """Where each point stands: at its value, or at the border if that is beyond the `fence`."""
    losses = [metric.loss(point.value) for point in found]
    worst = outlier_fence(losses)
    inner = [loss for loss in losses if loss <= worst]
    span = max(inner) - min(inner)
    border = max(inner) + 0.08 * span
    if metric.better == "higher":
        border = -border

    heights = []
    for point, loss in zip(found, losses, strict=True):
        heights.append(border if loss > worst else point.value)
    return heights


def _styles_of_families(families: Sequence[str]) -> Styles:
    """A colour and a shape for each family, in their order."""
    looks = zip(itertools.cycle(COLOURS), itertools.cycle(SHAPES), strict=False)
    return dict(zip(families, looks, strict=False))


def _draw_point(axes: Axes, point: Point, height: float, colour: str, shape: str) -> None:
    """A point, hollow if its time is doubtful, and its interval unless it stands at the border."""
    if height == point.value:
        line: dict[str, Any] = {"color": colour, "linewidth": 0.7, "alpha": 0.4, "zorder": 2}
        axes.plot((point.x, point.x), (point.low, point.high), **line)
    face = "white" if point.is_doubtful else colour
    axes.plot(point.x, height, shape, color=colour, markerfacecolor=face, markersize=5, zorder=3)


def _labels_in_order(
    found: Sequence[Point], heights: Sequence[float], best: Sequence[Point], metric: Judge
) -> list[Label]:
    """The names, those on the front first, then the better before the worse."""
    others = [point for point in found if point not in best]
    others.sort(key=lambda point: metric.loss(point.value))

    # A point at the border tells where it would be.
    arrow = "↓" if metric.better == "higher" else "↑"
    labels = []
    for point in [*best, *others]:
        height = heights[found.index(point)]
        text = point.name
        if height != point.value:
            text = f"{point.name} {arrow} {point.text}"
        is_named = point in best or others.index(point) < ALWAYS_NAMED - 1
        labels.append(Label(text, point.x, height, must=is_named))
    return labels


def _set_axes(
    axes: Axes,
    found: Sequence[Point],
    heights: Sequence[float],
    metric: Judge,
    label: str,
    cost: Cost,
) -> None:
    """Axes with room around the points, and what they count."""
    _set_heights(axes, found, heights, metric)
    _set_times(axes, found)
    time = cost.axis or f"{cost.in_words}, mean over folds"
    axes.set_xlabel(f"{time} (logarithmic)")
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)


def _set_heights(
    axes: Axes, found: Sequence[Point], heights: Sequence[float], metric: Judge
) -> None:
    """The limits of the values; no number stands where points at the border are."""
    pairs = zip(found, heights, strict=True)
    inner = [point for point, height in pairs if point.value == height]
    has_outer = len(inner) < len(found)
    bounds = [bound for point in inner for bound in (point.low, point.high)]
    low = min(*heights, *bounds)
    high = max(*heights, *bounds)

    # Points at the border are the outermost on their side.
    higher_is_better = metric.better == "higher"
    if has_outer and higher_is_better:
        low = min(heights)
    elif has_outer:
        high = max(heights)

    room = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    if not has_outer:
        return

    first = low - room
    last = max(heights) - room
    if higher_is_better:
        first = min(heights) + room
        last = high + room
    ticks = [float(tick) for tick in axes.get_yticks() if first <= tick <= last]
    axes.set_yticks(ticks)


def _set_times(axes: Axes, found: Sequence[Point]) -> None:
    """The limits of the times, with more room at the right, where names stand."""
    times = [point.x for point in found]
    shortest = min(times)
    longest = max(times)
    ratio = longest / shortest
    factor = max(ratio**0.06, 100 / ratio, 1.6)

    axes.set_xscale("log")
    axes.set_xlim(shortest / factor, longest * factor**1.5)
    ticks = logarithmic_ticks(*axes.get_xlim(), MOST_TIMES)
    set_ticks(axes.xaxis, ticks, [round_duration(tick) for tick in ticks])


def _draw_steps(
    axes: Axes, corners: Sequence[Spot], *, worst_is_up: bool, colour: str = "#999999"
) -> list[Spot]:
    """Draw the front: for every time, the best value that is reached within it; its corners."""
    bottom, top = axes.get_ylim()
    _, right = axes.get_xlim()

    # Along the border to the fastest, then to each next one over a step, and on to the right.
    path = []
    y_before = top if worst_is_up else bottom
    for x, y in corners:
        path.append((x, y_before))
        path.append((x, y))
        y_before = y
    path.append((right, y_before))

    xs, ys = zip(*path, strict=True)
    axes.plot(xs, ys, color=colour, linewidth=1, zorder=1)
    return path


def _draw_legend(axes: Axes, found: Sequence[Point], styles: Styles) -> None:
    """Families beside the picture, and what lines and hollow points mean."""
    entries = []
    for family in dict.fromkeys(point.family for point in found):
        colour, shape = styles[family]
        dot: dict[str, Any] = {"marker": shape, "linestyle": "", "markersize": 5}
        entries.append(Line2D([], [], color=colour, label=family, **dot))

    entries.append(Line2D([], [], color="#888888", linewidth=1, label="not beaten in both"))
    if any(point.low < point.high for point in found):
        bar: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 9}
        entries.append(Line2D([], [], color="#444444", label="95 % interval", **bar))
    if any(point.is_doubtful for point in found):
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white"}
        hollow |= {"linestyle": "", "markersize": 5}
        entries.append(Line2D([], [], color="#444444", label=f"hollow: {WORK.doubt}", **hollow))

    corner = (1.01, 1)
    axes.legend(
        handles=entries, loc="upper left", bbox_to_anchor=corner, frameon=False, fontsize=7.5
    )
