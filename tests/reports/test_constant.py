"""What is worse than a constant is marked in the table and named in the summary."""

from dataclasses import replace
from pathlib import Path

import pytest

from recbench.benchmarks.evaluation import RawScores
from recbench.benchmarks.records import Record
from recbench.reports.answers import summarise_run
from recbench.reports.drawing import accuracy_heatmap
from recbench.reports.papers import tabulate_run
from recbench.reports.results import Results
from recbench.reports.sections.method import list_protocol
from tests.reports.invented_runs import cell, normal, ok, write

CONSTANT = 1.1


def with_constant(level: float = CONSTANT) -> list[Record]:
    """The usual rows, `keras-mf` a little worse than a constant, and that."""
    constant = [ok(cell("global-mean", fold), level) for fold in range(5)]
    close = [ok(cell("keras-mlp", fold), level + 1e-4) for fold in range(5)]
    return [*normal(), *constant, *close]


def marks(results: Results) -> dict[str, str]:
    """The marks in the first column, by row."""
    lines = accuracy_heatmap(results).lines
    return {line.name: line.squares[0].mark for line in lines if line.squares}


@pytest.mark.slow
def test_rows_worse_than_the_row_global_mean_are_marked_and_named(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, with_constant()))
    found = marks(results)
    assert {row for row, mark in found.items() if mark == "worse"} == {"random"}
    assert {row for row, mark in found.items() if mark == "above"} == {"keras-mlp"}
    assert found["global-mean"] == ""

    summary = " ".join(summarise_run(results))
    constant = "always predicting the training mean (RMSE 1.1000)"
    assert f"Significantly worse than {constant}: random." in summary
    unsure = "but not significantly worse or not tested"
    assert f"No better than {constant}, {unsure}: keras-mlp." in summary

    (paper, *_) = tabulate_run(results)
    assert "† marks what is significantly worse" in paper.caption

    signs = [entry[0] for entry in accuracy_heatmap(results).legend]
    assert signs[:4] == ["★", "≈", "▼", "▽"]


def test_without_that_row_the_records_say_what_a_constant_does(tmp_path: Path) -> None:
    scores = RawScores(lowest=1, highest=5, clipped=0, excess=0, constant_rmse=CONSTANT)
    records = [
        record if record.cell.row == "popularity" else replace(record, raw_scores=scores)
        for record in normal()
    ]
    results = Results.read(write(tmp_path, records))
    assert results.constant_error("rmse") == pytest.approx(CONSTANT)
    assert results.constant_error("mae") is None
    assert [row for row, mark in marks(results).items() if mark == "above"] == ["random"]
    assert "No better than" in " ".join(summarise_run(results))


@pytest.mark.slow
def test_the_best_row_is_not_praised_for_an_error_above_that_of_a_constant(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, with_constant(level=0.9)))
    assert marks(results)["surprise-svd"] == "worse"
    assert marks(results)["global-mean"] == "best"


def test_early_runs_without_a_constant_say_nothing(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, normal()))
    assert not {"worse", "above"} & set(marks(results).values())
    assert "the mean of the training part" not in " ".join(summarise_run(results))


def test_rows_in_stars_say_so(tmp_path: Path) -> None:
    records = [
        replace(record, units="scale" if record.cell.row == "surprise-svd" else "data")
        for record in normal()
    ]
    results = Results.read(write(tmp_path, records))
    explained = dict(list_protocol(results))["units=scale"]
    assert explained == ("given stars from 1 to 5, answers in the unit of the data: surprise-svd")
