"""What the report says of serving, where a run has measured it."""

from dataclasses import replace
from pathlib import Path

import pytest

from recbench.benchmarks.records import Record, Serving, ServingCost
from recbench.reports.drawing import cost_heatmap
from recbench.reports.rendering import list_pictures, render_markdown
from recbench.reports.results import Results
from recbench.reports.sections.occasional.serving import serving
from tests.reports.invented_runs import ENVIRONMENT, LEVELS, cell, ok, write

P99 = {"item-mean": 0.002, "user-item-bias": 0.001, "surprise-svd": 0.03, "random": 0.5}


def measured(name: str, fold: int) -> Record:
    record = ok(cell(name, fold, 2), LEVELS[name])
    if name == "random":
        record = replace(record, environment=ENVIRONMENT.replaced(contended=True))
    if fold > 0:
        return record
    if name not in P99:
        return replace(record, serving=Serving(reason=f"{name} cannot be saved: too clever"))
    rounds = [P99[name]] * 5
    if name == "surprise-svd":
        rounds[0] *= 1.5
    cost = ServingCost(
        users=1000 if name != "random" else 20,
        items=10,
        p50_seconds=P99[name] / 2,
        p99_seconds=P99[name],
        p99_of_rounds=tuple(rounds),
        users_per_second=1234.0,
        load_seconds=0.25,
        megabytes=1.5,
        load=0.5,
    )
    return replace(record, serving=Serving(cost=cost))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    names = [*P99, "keras-mf"]
    records = [measured(name, fold) for name in names for fold in range(2)]
    return Results.read(write(tmp_path_factory.mktemp("served"), records))


def test_the_table_has_the_fastest_first_and_says_why_a_row_has_no_numbers(
    results: Results,
) -> None:
    blocks = serving(results)
    assert blocks is not None
    text = render_markdown(blocks)
    lines = [line for line in text.split("\n") if line.startswith("| ")]
    names = [line.split(" | ")[0].strip("| ") for line in lines[2:7]]
    assert names == ["user-item-bias", "item-mean", "surprise-svd", "random", "keras-mf"]
    assert "500 µs | 1.00 ms | 1,000 | 1,234 | 250 ms | 1.5 |" in lines[2]
    assert lines[4].endswith("| not steady |") and lines[5].endswith("| contended |")
    assert lines[6].endswith("keras-mf cannot be saved: too clever |")
    assert "away from the median of all: surprise-svd." in text
    assert "The same 20 to 1,000 drawn users are asked for one by one, in 5 rounds" in text
    assert "The load of the machine was 0.5 to 0.5." in text


def test_accuracy_stands_against_latency_beside_training_time(results: Results) -> None:
    blocks = serving(results)
    assert blocks is not None
    names = [picture.name for picture in list_pictures(blocks)]
    assert names == [
        "rmse-against-latency",
        "rmse-against-training-time",
        "ndcg-10-against-latency",
        "ndcg-10-against-training-time",
    ]
    text = render_markdown(blocks)
    front = "The Pareto front of rows in mean RMSE and p99 of one user's top ten"
    assert front in text.replace("\\", "")
    assert "Times of 2 rows are not steady" in text

    drawn = cost_heatmap(results)
    assert drawn.columns[-1].name == "top ten, p99"
    by_name = {line.name: line.squares for line in drawn.lines}
    assert by_name["surprise-svd"][-1].grey, "it is not steady"
    assert "too clever" in by_name["keras-mf"][-1].tip


def test_a_run_that_was_not_asked_says_nothing(tmp_path: Path) -> None:
    records = [ok(cell("item-mean", fold, 2), 1.0) for fold in range(2)]
    results = Results.read(write(tmp_path, records))
    assert serving(results) is None
    columns = [column.name for column in cost_heatmap(results).columns]
    assert "top ten, p99" not in columns
