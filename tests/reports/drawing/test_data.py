"""The figures of the data, for data of every kind: labels are whole and do not collide."""

import itertools
import warnings
from typing import Any

import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recbench.reports.drawing import data as data_figures
from recbench.reports.drawing.picture import STYLE
from tests.datasets.test_profile import dataset, drawn, profile_of

ODD: dict[str, tuple[Any, dict[str, Any]]] = {
    "one rating": ([(0, 0, 4.0, 0)], {}),
    "one user": ([(0, item, 1.0 + item % 5, item) for item in range(40)], {}),
    "one item, other users without": (
        [(user, 0, 3.0, user) for user in range(40)],
        {"sizes": (90, 1)},
    ),
    "no times": (drawn(), {"timed": False}),
    "half stars": ([(u, i, s / 2, t) for u, i, s, t in drawn(steps=10)], {"scale": (0.5, 5.0)}),
    "wide scale": (
        [(u, i, (u * 37 + i * 11) % 997 / 10, t) for u, i, _, t in drawn()],
        {"scale": (0.0, 100.0)},
    ),
    "twenty values": ([(u, i, s, t) for u, i, s, t in drawn(steps=20)], {"scale": (1.0, 20.0)}),
    "hundred years": (
        [(u, i, s, t * 4) for u, i, s, t in drawn(days=11_000)],
        {"years": {0: 1200, 1: 1999}},
    ),
    "months": (drawn(days=2_000), {"years": {0: 1995}}),
    "many": (drawn(400, 300), {"years": {item: 1900 + item % 120 for item in range(300)}}),
}


def figures(found: dict[str, Any]) -> dict[str, Figure]:
    """Every figure that this profile has something for."""
    title = "SIMULATED data, table:a-long-name-of-a-file: what is shown, which is long too"
    drawn = {
        "stars": data_figures.draw_stars(found["stars"], title),
        "grid": data_figures.draw_grid(found["grid"], title),
    }
    drawn |= {
        one: data_figures.draw_activity(found[f"per_{one}"], title, one) for one in ("user", "item")
    }
    drawn |= {"times": data_figures.draw_times(found["times"], title)} if found["times"] else {}
    return drawn | (
        {"years": data_figures.draw_years(found["years"], title)} if found["years"] else {}
    )


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.slow
def test_labels_are_whole_and_do_not_collide(kind: str) -> None:
    ratings, how = ODD[kind]
    found = profile_of(dataset(ratings, **how))
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("error")
        for title, figure in figures(found).items():
            FigureCanvasAgg(figure)
            figure.draw_without_rendering()
            for axis in (
                axis
                for axes in figure.axes
                for axis in (axes.xaxis, axes.yaxis)
                if axis.label.get_text()
            ):
                low, high = sorted(axis.get_view_interval())
                ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
                labels = [
                    label
                    for tick in ticks
                    for label in (tick.label1, tick.label2)
                    if label.get_visible()
                ]
                boxes = [
                    label.get_window_extent() for label in [*labels, axis.label] if label.get_text()
                ]
                assert len(boxes) > 1 and len(labels) == len(
                    {label.get_text() for label in labels}
                ), title
                assert all(figure.bbox.containsx(x) for box in boxes for x in (box.x0, box.x1)), (
                    title
                )
                assert all(figure.bbox.containsy(y) for box in boxes for y in (box.y0, box.y1)), (
                    title
                )
                assert not any(
                    one.overlaps(other) for one, other in itertools.combinations(boxes, 2)
                ), title
