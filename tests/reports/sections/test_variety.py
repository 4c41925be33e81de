"""Ranks under every metric, users' boxes, and accuracy against popularity and coverage: as the
records say.
"""

import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import rankdata

from recbench.benchmarks.records.record import Record
from recbench.reports.rendering import Block, Figure, render_markdown
from recbench.reports.results import Results
from recbench.reports.sections.accuracy import accuracy
from recbench.reports.sections.certainty import certainty
from recbench.reports.sections.occasional.variety import variety
from tests.reports.block_texts import find_tables, texts_of
from tests.reports.invented_runs import LEVELS, normal, write


def with_variety(record: Record) -> Record:
    """Better rows show more of the catalogue and less popular items, but for the best two."""
    level = LEVELS[record.cell.algorithm]
    metrics = record.metrics | {
        "popularity_bias@10": level + 0.01 * record.cell.fold,
        "catalogue_coverage@10": 0.1 if level < 0.94 else 0.5 / level,
    }
    return replace(record, metrics=metrics)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    records = [with_variety(record) for record in normal(n_folds=2)]
    return Results.read(write(tmp_path_factory.mktemp("run"), records))


def names_of_figures(blocks: list[Block]) -> set[str]:
    return {block.picture.name for block in blocks if isinstance(block, Figure)}


def mean_by_row(results: Results, column: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for record in results.records:
        value = record.metrics.get(column)
        if value is not None:
            values.setdefault(record.cell.row, []).append(value)
    return {row: statistics.fmean(of_row) for row, of_row in values.items()}


def test_ranks_under_every_metric_are_those_of_the_means(results: Results) -> None:
    blocks = accuracy(results)
    assert blocks is not None
    drawn = {"ranks-by-rating-metric", "ranks-by-ranking-metric"}
    assert drawn <= names_of_figures(blocks)
    table = find_tables(blocks)["Ranks by ranking metric in numbers"]
    lines = {line[0]: line[1:] for line in texts_of(table)}
    for place, column in enumerate(("precision@10", "recall@10", "ndcg@10")):
        means = mean_by_row(results, column)
        ranks = rankdata([-mean for mean in means.values()])
        for row, rank in zip(means, ranks, strict=True):
            assert lines[row][place] == f"{rank:g}"
    of_errors = find_tables(blocks)["Ranks by rating metric in numbers"]
    errors = {line[0]: line[1:] for line in texts_of(of_errors)}
    assert errors["popularity"][:2] == ["–", "–"] and errors["popularity"][2] != "–"

    # Whoever hears the page tells the picture from its table
    regions = {block.region for block in blocks if isinstance(block, Figure)}
    assert "Ranks by ranking metric" in regions and not regions & set(find_tables(blocks))


def test_metrics_that_only_rank_rows_are_defined_beside_their_ranks(tmp_path: Path) -> None:
    records = []
    for place, record in enumerate(normal(n_folds=1)):
        records.append(replace(record, metrics=record.metrics | {"auc": 0.5 + place / 100}))
    text = render_markdown(accuracy(Results.read(write(tmp_path, records))) or [])
    assert "| AUC |" in text and "**AUC**: " in text and "**RMSE**: " not in text


def test_users_have_boxes_beside_the_differences(results: Results) -> None:
    blocks = certainty(results)
    assert blocks is not None
    assert {"users-rmse", "users-ndcg-10"} <= names_of_figures(blocks)
    for row, *quantiles in texts_of(find_tables(blocks)["nDCG@10 of single users"]):
        numbers = [float(text) for text in quantiles]
        assert numbers == sorted(numbers)
        assert numbers[0] < mean_by_row(results, "ndcg@10")[row] < numbers[-1]


def test_variety_stands_beside_accuracy_where_it_was_measured(
    results: Results, tmp_path: Path
) -> None:
    blocks = variety(results)
    assert blocks is not None and names_of_figures(blocks) == {"variety"}
    table = find_tables(blocks)["Accuracy, popularity and coverage"]
    best, *others = texts_of(table)
    accuracies = mean_by_row(results, "ndcg@10")
    first = max(accuracies, key=lambda row: accuracies[row])
    assert best == [first, f"{accuracies[first]:.4f}", f"{LEVELS[first] + 0.005:.4f}", "10.0%"]
    assert len(others) == len(LEVELS) - 1

    text = str(blocks[0])
    assert f"The lists of {first}, which has the highest mean nDCG@10" in text
    assert "show 10.0% of the catalogue" in text
    widest = max(LEVELS, key=lambda row: mean_by_row(results, "catalogue_coverage@10")[row])
    assert f"The lists of {widest} show the most" in text
    assert variety(Results.read(write(tmp_path, normal(n_folds=1)))) is None
