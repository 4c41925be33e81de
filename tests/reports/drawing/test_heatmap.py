"""Heatmaps: shades from best to worst that leave numbers readable, intervals, marks, failures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.records.cell import PHASES
from recbench.benchmarks.records.facts import ColdStart
from recbench.benchmarks.records.record import Record
from recbench.reports.drawing import fold_heatmap as fold_heatmaps
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.results import Results
from tests.reports.invented_runs import (
    ENVIRONMENT,
    normal,
    write,
)


@pytest.mark.parametrize("log", [False, True])
def test_shades_run_from_best_to_worst(log: bool) -> None:
    shaded = heatmaps.scale_to_shades([0.95, None, 0.93, 1.0, 0.94], log=log)
    known = [shade for shade in shaded if shade is not None]
    assert shaded[1] is None and shaded[2] == 0 and shaded[3] == 1
    assert sorted(known) == [shaded[i] for i in (2, 4, 0, 3)]
    assert heatmaps.scale_to_shades([-0.2, -0.5]) == [1, 0]
    assert heatmaps.scale_to_shades([2.0, 2.0], log=log) == [
        None,
        None,
    ] and heatmaps.scale_to_shades([None]) == [None]


def test_one_hopeless_row_does_not_flatten_the_others() -> None:
    shaded = heatmaps.scale_to_shades([0.93, 0.94, 0.95, 0.96, 0.97, 9.0])
    assert shaded[-1] == 1 and shaded[4] is not None and shaded[4] > 0.3


def test_numbers_can_be_read_on_their_colours() -> None:
    for shade in np.linspace(0, 1, 101):
        light, dark = sorted(
            (
                heatmaps.relative_luminance(colour)
                for colour in heatmaps.colours_of_shade(float(shade))
            ),
            reverse=True,
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_cells_have_the_intervals_of_the_bootstrap(whole: Results) -> None:
    drawn = heatmaps.accuracy_heatmap(whole)
    seen = 0
    for line in drawn.lines:
        row = next(row for row in whole.rows if row.name == line.name)
        for column, square in zip(whole.columns, line.squares, strict=True):
            bounds = whole.certainty[column].interval(row) if column in whole.certainty else None
            if bounds is None or bounds[0] == bounds[1]:
                assert square.note == ""
            else:
                assert square.note == f"{bounds[0]:.4f} to {bounds[1]:.4f}"
                assert square.value is not None and bounds[0] <= square.value <= bounds[1]
                seen += 1
    assert seen >= 30


def test_a_failed_fold_stands_in_its_own_square(half: Results) -> None:
    drawn = fold_heatmaps.heatmap_by_fold(half, "rmse")
    assert drawn and [column.name for column in drawn.columns] == [
        f"fold {fold}" for fold in range(5)
    ]
    for line in drawn.lines:
        row = next(row for row in half.rows if row.name == line.name)
        for record, square in zip(row.records, line.squares, strict=True):
            assert square.failed == (record.status != "ok")
            if square.failed:
                assert (
                    square.text == "timeout"
                    and "killed after 600 s" in square.tip
                    and square.value is None
                )
            else:
                assert square.value == record.metrics["rmse"]
    assert sum(square.failed for square in drawn.squares) == half.n_failures == 7
    assert any("hatched" in meaning for meaning in drawn.legend)


def test_each_fold_marks_its_best(whole: Results) -> None:
    drawn = fold_heatmaps.heatmap_by_fold(whole, "rmse")
    assert drawn
    for fold in range(5):
        squares = [line.squares[fold] for line in drawn.lines]
        values = [square.value for square in squares if square.value is not None]
        assert [square.value for square in squares if square.mark == "first"] == [min(values)]


def test_times_of_one_run_and_contended_times_are_marked(tmp_path: Path) -> None:
    def once(record: Record) -> Record:
        return replace(
            record, costs=record.costs | {"fit": record.costs["fit"].replaced(samples=[1.0])}
        )

    records = [once(record) if record.cell.row == "random" else record for record in normal()]
    contended = ENVIRONMENT.replaced(contended=True)
    records = [
        replace(r, environment=contended) if r.cell.row == "item-mean" else r for r in records
    ]
    drawn = heatmaps.cost_heatmap(Results.read(write(tmp_path, records)))
    fit = [column.name for column in drawn.columns].index("fit")
    assert [line.name for line in drawn.lines if line.squares[fit].mark == "once"] == ["random"]
    assert [line.name for line in drawn.lines if line.squares[fit].grey] == ["item-mean"]
    assert any(meaning.startswith("1× ") for meaning in drawn.legend)
    assert any(meaning.startswith("grey: contended") for meaning in drawn.legend)


def test_cold_costs_have_a_column_of_their_own_and_are_in_no_other(tmp_path: Path) -> None:
    records = []
    for record in normal():
        seconds = 7.0 if record.cell.fold == 0 else 1.0  # the first fold compiles
        cold = ColdStart(import_seconds=0.5, warm_up_seconds=seconds)
        records.append(record if record.cell.row == "random" else replace(record, cold=cold))
    results = Results.read(write(tmp_path, records))
    drawn = heatmaps.cost_heatmap(results)
    names = [column.name for column in drawn.columns]
    texts = {line.name: line.squares[names.index("start-up")].text for line in drawn.lines}
    assert texts.pop("random") == "–"  # not measured
    assert set(texts.values()) == {"7.50 s"}

    total = names.index("total time")
    for row, line in zip(results.rows, drawn.lines, strict=True):
        phases = [line.squares[names.index(phase)].value or 0 for phase in PHASES]
        assert line.squares[total].value == pytest.approx(sum(phases))
        assert line.name == row.name
