"""Names beside the points of a plot: none lies on another name, on a point, or outside the axes."""

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

# Directions in sixteenths of a turn: right, left, above, below, then between.
TURNS = (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11)

# Distances in points between a point's middle and its name.
NEAR = (5.0, 8.0)
LED = (14.0, 20.0, 26.0)  # from here a line leads to the point
FAR = tuple(float(distance) for distance in range(32, 130, 6))  # only where the name must stand

FONT_SIZE = 7.0
DOT_RADIUS = 3.5  # half the room that a point needs
LEADER = {
    "arrowstyle": "-",
    "linewidth": 0.5,
    "color": "#777777",
    "shrinkA": 1,
    "shrinkB": DOT_RADIUS,
}

Spot = tuple[float, float]


@dataclass(frozen=True)
class Label:
    """A name at a point, in the data's coordinates.

    A `must` is led from farther away before it is left out.
    """

    text: str
    x: float
    y: float
    must: bool = False


@dataclass(frozen=True)
class _Place:
    """A free place for a name: how far its middle is from the point, in pixels."""

    offset: Spot
    box: Bbox
    leader: list[Spot]  # spots on the line that leads there; empty without one


def place_labels(
    figure: Figure,
    axes: Axes,
    labels: Sequence[Label],
    path: Sequence[Spot] = (),
    nameless: Sequence[Spot] = (),
) -> list[Annotation]:
    """Write those of `labels` that find a free place, earlier ones first; what was written.

    They keep off `path` too, a line whose parts are level or upright, and off `nameless` points,
    in the data's coordinates.
    The axes' limits and the figure's size must not change afterwards. The same labels get the same
    places.
    """
    FigureCanvasAgg(figure)  # the canvas that measures texts
    scale = figure.dpi / 72
    points = [_to_pixels(axes, label) for label in labels]

    # Names keep off the points and the lines of the path.
    dot_size = 2 * DOT_RADIUS * scale
    dots = [*points, *axes.transData.transform(nameless).tolist()] if nameless else points
    taken = [_box_around(dot, (dot_size, dot_size)) for dot in dots]
    if path:
        corners = axes.transData.transform(path)
        taken += [_line_box(*ends, scale) for ends in itertools.pairwise(corners)]

    inside = axes.get_window_extent()
    names: list[Bbox] = []
    written = []
    for label, point in zip(labels, points, strict=True):
        room = _room_of(axes, label, scale)
        free = _find_place(label, point, room, scale, taken, names, inside)
        if free is None:
            continue

        names.append(free.box)
        taken += [_box_around(spot, (scale, scale)) for spot in free.leader]
        written.append(_write_label(axes, label, free, scale))
    return written


def _to_pixels(axes: Axes, label: Label) -> Spot:
    x, y = axes.transData.transform((label.x, label.y))
    return float(x), float(y)


def _room_of(axes: Axes, label: Label, scale: float) -> Spot:
    """The width and height that a name needs, in pixels.

    A little more than it has here, since letters are not as wide in every size.
    """
    note = axes.annotate(
        label.text,
        (label.x, label.y),
        (0, 0),
        textcoords="offset points",
        fontsize=FONT_SIZE,
        ha="center",
        va="center",
    )
    extent = note.get_window_extent()
    note.remove()
    return extent.width + 3 * scale, extent.height


def _find_place(
    label: Label,
    point: Spot,
    room: Spot,
    scale: float,
    taken: Sequence[Bbox],
    names: Sequence[Bbox],
    inside: Bbox,
) -> _Place | None:
    """The nearest free place of a name; None if there is none."""
    for offset, is_led in _offsets_to_try(room, scale, far=label.must):
        middle = (point[0] + offset[0], point[1] + offset[1])
        box = _box_around(middle, room)
        leader = _spots_between(point, middle) if is_led else []

        has_room = _is_free(box, [*taken, *names], inside)
        if has_room and not _crosses_name(leader, names):
            return _Place(offset, box, leader)
    return None


def _write_label(axes: Axes, label: Label, free: _Place, scale: float) -> Annotation:
    """Write a name at its place, with a line to its point where it is far."""
    return axes.annotate(
        label.text,
        (label.x, label.y),
        (free.offset[0] / scale, free.offset[1] / scale),
        textcoords="offset points",
        fontsize=FONT_SIZE,
        ha="center",
        va="center",
        arrowprops=LEADER if free.leader else None,
    )


def _offsets_to_try(room: Spot, scale: float, *, far: bool) -> Iterator[tuple[Spot, bool]]:
    """From a point to the middle of its name, nearest first, and whether a line has to lead there.

    In pixels; `room` is the name's width and height.
    """
    distances = [*NEAR, *LED]
    if far:
        distances += FAR
    width, height = room
    for distance in distances:
        away = distance * scale
        for turn in TURNS:
            x = cos(pi * turn / 8)
            y = sin(pi * turn / 8)
            yield (x * (away + width / 2), y * (away + height / 2)), distance not in NEAR


def _box_around(middle: Spot, room: Spot) -> Bbox:
    """The box of this width and height around a middle."""
    width, height = room
    left = middle[0] - width / 2
    bottom = middle[1] - height / 2
    return Bbox.from_bounds(left, bottom, width, height)


def _line_box(start: Spot, end: Spot, width: float) -> Bbox:
    """The room of a line that is level or upright."""
    left, right = sorted((start[0], end[0]))
    low, high = sorted((start[1], end[1]))
    return Bbox.from_extents(left - width, low - width, right + width, high + width)


def _spots_between(point: Spot, middle: Spot) -> list[Spot]:
    """Spots on the line between a point and its name, without those at the point itself."""
    return [tuple(spot) for spot in np.linspace(point, middle, 24)[4:]]


def _is_free(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> bool:
    """Whether a box lies inside the axes and on nothing that is taken."""
    is_across = inside.x0 <= box.x0 and box.x1 <= inside.x1
    is_up = inside.y0 <= box.y0 and box.y1 <= inside.y1
    return is_across and is_up and not any(box.overlaps(other) for other in taken)


def _crosses_name(line: Sequence[Spot], names: Sequence[Bbox]) -> bool:
    """Whether any spot of a line lies on a name."""
    return any(name.contains(*spot) for name in names for spot in line)
