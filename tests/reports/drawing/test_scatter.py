"""The front of error against time, and the names beside its points."""

import io
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from recbench.benchmarks.metrics.registry import METRICS, find_metric
from recbench.benchmarks.records.cell import PHASES
from recbench.benchmarks.records.facts import PhaseCost
from recbench.reports.drawing import labels, scatter
from recbench.reports.results import Results
from tests.reports.invented_runs import (
    SIMULATED,
    cell,
    normal,
    ok,
    write,
)

POINTS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=9)


def invented(pairs: list[tuple[int, int]]) -> list[scatter.Point]:
    return [
        scatter.Point(f"row {i}", "sgd", time, value, value, value, False)
        for i, (time, value) in enumerate(pairs)
    ]


@given(POINTS, st.sampled_from(["rmse", "ndcg"]))
@settings(deadline=None)
def test_the_front_is_what_nothing_beats_ties_included(
    pairs: list[tuple[int, int]], name: str
) -> None:
    found = invented(pairs)
    metric = METRICS[name]

    def beats(one: scatter.Point, other: scatter.Point) -> bool:
        mine = metric.loss(one.value)
        its = metric.loss(other.value)
        return (one.time <= other.time and mine <= its) and (one.time < other.time or mine < its)

    wanted = {point.name for point in found if not any(beats(other, point) for other in found)}
    best = scatter.pareto_front(found, metric)
    assert {point.name for point in best} == wanted
    assert [point.time for point in best] == sorted(point.time for point in best)


@pytest.mark.slow
def test_the_words_name_the_front_and_never_the_oracle(tmp_path: Path, whole: Results) -> None:
    (said,) = scatter.describe_front(whole, "rmse")
    best = scatter.pareto_front(scatter.find_points(whole, "rmse"), find_metric("rmse"))
    assert {row.name for row in whole.rows if f"{row.name} (" in said} == {
        point.name for point in best
    }
    assert "random" not in said  # slowest and worst: its time grows with its error
    oracle = [ok(cell("oracle", fold), 0.5) for fold in range(5)]
    results = Results.read(write(tmp_path, normal() + oracle, **SIMULATED))
    assert all(point.name != "oracle" for point in scatter.find_points(results, "rmse"))
    assert scatter.describe_front(results, "rmse")[0].startswith(
        "The Pareto front of rows (without the oracle) in mean RMSE"
    )


def test_the_words_where_there_is_little_to_say(tmp_path: Path) -> None:
    alone = Results.read(write(tmp_path / "one", [ok(cell("surprise-svd", 0, 1), 0.934)]))
    assert "nothing to compare" in scatter.describe_front(alone, "rmse")[0]
    order = Results.read(
        write(tmp_path / "order", [ok(cell("popularity", 0, 1), 1.4, ranks_only=True)])
    )
    assert scatter.describe_front(order, "rmse") == ["No row has both a mean RMSE and a time."]


@pytest.mark.parametrize("phase", ["convert", "rank"])
@pytest.mark.slow
def test_work_outside_of_fit_counts(tmp_path: Path, phase: str) -> None:
    """A row that is worse, and slow in a phase that is not fit, was on the front."""
    records = []
    for record in normal():
        if record.cell.row == "item-mean":  # worse than user-item-bias
            idle = PhaseCost(seconds=2.4e-6, samples=[2.4e-6])
            busy = PhaseCost(seconds=90.0, samples=[90.0])
            record = replace(record, costs=record.costs | {"fit": idle, phase: busy})
        records.append(record)
    results = Results.read(write(tmp_path, records))

    (said,) = scatter.describe_front(results, "rmse")
    assert "item-mean (" not in said
    assert "time to convert, fit and rank" in said
    (row,) = [row for row in results.rows if row.name == "item-mean"]
    assert (row.seconds(*PHASES) or 0) > 90


def overlapping(seed: int, n: int) -> list[tuple[str, str]]:
    """Which names that `place_labels` writes beside random points lie on each other when drawn."""
    rng = np.random.default_rng(seed)
    figure = Figure(figsize=(8, 5))
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    points = np.clip(rng.normal(0, 1, (n, 2)), -2.8, 2.8)  # crowded in the middle
    axes.plot(points[:, 0], points[:, 1], "o")
    axes.set(xlim=(-3, 3), ylim=(-3, 3))
    wanted = [
        labels.Label(f"algorithm-{i}", x, y, must=i < 8) for i, (x, y) in enumerate(points.tolist())
    ]
    written = labels.place_labels(figure, axes, wanted)
    assert {f"algorithm-{i}" for i in range(8)} <= {note.get_text() for note in written}
    figure.savefig(io.BytesIO())  # drawing is what moves the names to their places
    boxes = [(note.get_text(), Text.get_window_extent(note)) for note in written]
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for _, box in boxes)
    dots = axes.transData.transform(points)
    on_points = [(name, "point") for name, box in boxes for x, y in dots if box.contains(x, y)]
    return on_points + [
        (a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if one.overlaps(two)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_names_beside_points_lie_on_nothing(seed: int) -> None:
    assert overlapping(seed, 48) == []
