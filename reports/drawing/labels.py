"""Names beside the points of a plot, so that none lies on another name, on a point, or outside the axes."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

TURNS = (
    0,
    8,
    4,
    12,
    2,
    14,
    6,
    10,
    1,
    15,
    7,
    9,
    3,
    13,
    5,
    11,
)  # sixteenths: right, left, above, below, then between
NEAR = (5.0, 8.0)  # points between a point's middle and its name
LED = (14.0, 20.0, 26.0)  # from here a line leads to the point
FAR = tuple(float(distance) for distance in range(32, 130, 6))  # only where the name must stand
SIZE = 7.0
DOT = 3.5  # half the room that a point needs

Spot = tuple[float, float]


@dataclass(frozen=True)
class Label:
    """A name at a point, in the data's coordinates. A `must` is led from farther away before it is left out."""

    text: str
    x: float
    y: float
    must: bool = False


def place(
    figure: Figure, axes: Axes, labels: Sequence[Label], path: Sequence[Spot] = ()
) -> list[Annotation]:
    """Write those of `labels` that find a free place, earlier ones first; what was written.

    They keep off `path` too, a line whose parts are level or upright, in the data's coordinates. The axes' limits and
    the figure's size must not change afterwards. The same labels get the same places.
    """
    FigureCanvasAgg(figure)  # the canvas that measures texts
    scale = figure.dpi / 72
    points = [
        (float(x), float(y))
        for x, y in (axes.transData.transform((label.x, label.y)) for label in labels)
    ]
    taken = [_box(point, (2 * DOT * scale, 2 * DOT * scale)) for point in points]
    taken += (
        [_between(*ends, scale) for ends in itertools.pairwise(axes.transData.transform(path))]
        if path
        else []
    )
    inside = axes.get_window_extent()
    names: list[Bbox] = []
    written = []
    for label, point in zip(labels, points, strict=True):
        note = axes.annotate(
            label.text,
            (label.x, label.y),
            (0, 0),
            textcoords="offset points",
            fontsize=SIZE,
            ha="center",
            va="center",
        )
        extent = note.get_window_extent()
        room = (
            extent.width + 3 * scale,
            extent.height,
        )  # a little more: letters are not as wide in every size
        for offset, leader in _offsets(room, scale, far=label.must):
            middle = point[0] + offset[0], point[1] + offset[1]
            line = _along(point, middle) if leader else []
            if _is_free(_box(middle, room), [*taken, *names], inside) and not _crosses(line, names):
                break
        else:
            note.remove()
            continue
        note.remove()
        names.append(_box(middle, room))
        taken += [_box(spot, (scale, scale)) for spot in line]
        led = {
            "arrowstyle": "-",
            "linewidth": 0.5,
            "color": "#777777",
            "shrinkA": 1,
            "shrinkB": DOT,
        }
        written.append(
            axes.annotate(
                label.text,
                (label.x, label.y),
                (offset[0] / scale, offset[1] / scale),
                textcoords="offset points",
                fontsize=SIZE,
                ha="center",
                va="center",
                arrowprops=led if leader else None,
            )
        )
    return written


def _offsets(room: Spot, scale: float, *, far: bool) -> Iterator[tuple[Spot, bool]]:
    """From a point to the middle of its name, the nearest first; and whether a line has to lead there."""
    for distance in (*NEAR, *LED, *(FAR if far else ())):
        for turn in TURNS:
            x, y = cos(pi * turn / 8), sin(pi * turn / 8)
            away = distance * scale
            yield (x * (away + room[0] / 2), y * (away + room[1] / 2)), distance not in NEAR


def _box(middle: Spot, room: Spot) -> Bbox:
    return Bbox.from_bounds(middle[0] - room[0] / 2, middle[1] - room[1] / 2, *room)


def _between(one: Spot, other: Spot, width: float) -> Bbox:
    """The room of a line that is level or upright."""
    (left, right), (low, high) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return Bbox.from_extents(left - width, low - width, right + width, high + width)


def _along(point: Spot, middle: Spot) -> list[Spot]:
    """Spots on the line between a point and its name, without those at the point itself."""
    return [tuple(spot) for spot in np.linspace(point, middle, 24)[4:]]


def _is_free(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> bool:
    within = (
        inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
    )
    return within and not any(box.overlaps(other) for other in taken)


def _crosses(line: Sequence[Spot], names: Sequence[Bbox]) -> bool:
    return any(name.contains(*spot) for name in names for spot in line)
