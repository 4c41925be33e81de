"""What the pictures of rows show is what they are given: boxes, ranks, changes, trials."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from recbench.reports.drawing import (
    Box,
    Change,
    Growth,
    GrowthPanel,
    RankLine,
    VarietyPoint,
    draw_boxes,
    draw_changes,
    draw_growth,
    draw_ranks_by_metric,
    draw_variety,
)
from recbench.reports.drawing.bump import MOST_PLACES


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_boxes_are_the_quantiles_of_users_and_leave_out_who_has_no_number() -> None:
    values = np.array([*range(101), np.nan])
    box = Box.of("als", values, 60.0)
    assert box.quantiles == (5, 25, 50, 75, 95) and box.value == 60
    figure = draw_boxes([box, Box.of("a" * 60, values, 1.0)], "RMSE of a user", "title")
    (bar, _) = figure.axes[0].patches
    assert (bar.get_x(), bar.get_width()) == (25, 50)  # type: ignore[attr-defined]
    assert {"als", f"{'a' * 29}…", "RMSE of a user"} <= set(texts_of(figure))


def test_ranks_are_named_at_both_ends_and_deep_ones_share_a_place() -> None:
    followed = [RankLine("als", (1, 30, None)), RankLine("ease", (2, 1, 1))]
    others = [RankLine(f"row-{n}", (n + 3, n + 3, n + 3)) for n in range(40)]
    figure = draw_ranks_by_metric(["RMSE", "MAE", "nDCG@10"], followed, others, "title")
    texts = texts_of(figure)
    assert {"als 1", "30 als", "ease 2", "1 ease", "nDCG@10"} <= set(texts)
    lines = [np.asarray(line.get_ydata(), float) for line in figure.axes[0].lines]
    assert max(np.nanmax(line) for line in lines) == MOST_PLACES + 1
    # of the others only those that have a place of their own
    assert len(lines) == 2 + sum(not line.row.startswith("none") for line in others[:18])


def test_changes_point_from_the_first_value_to_the_second() -> None:
    changes = [
        Change("als", 1.0, 0.9, 0.88, 0.92, "better"),
        Change("ease", 1.0, 1.01, 0.99, 1.03, "not significant"),
    ]
    figure = draw_changes(changes, "mean RMSE ↓", ("before", "after"), "title")
    ends = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines]
    assert [0.88, 0.92] in ends and [1.0, 0.9] in ends and [1.0, 1.01] in ends
    colours = {line.get_color() for line in figure.axes[0].lines}
    assert len(colours) == 2
    assert {"before", "after", "95 % of the difference"} <= set(texts_of(figure))


def test_every_row_has_a_point_in_both_panels_and_the_best_have_names() -> None:
    points = [VarietyPoint(f"row-{n}", n / 20, n - 5.0, n / 20) for n in range(12)]
    figure = draw_variety(points, "mean nDCG@10 ↑", "title")
    for axes in figure.axes:
        assert len(np.asarray(axes.lines[0].get_xdata())) == 12
    texts = texts_of(figure)
    assert texts.count("row-11") == 2 and "row-0" not in texts


def test_quality_stands_against_trials() -> None:
    curves = [Growth("als", (1, 2, 20), (0.97, 0.95, 0.93)), Growth("ease", (1, 20), (1.0, 0.9))]
    figure = draw_growth([GrowthPanel("RMSE", curves)], "title", "trials of a search")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "trials of a search"
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.lines] == [[1, 2, 20], [1, 20]]
    assert {"als", "ease"} <= set(texts_of(figure))
