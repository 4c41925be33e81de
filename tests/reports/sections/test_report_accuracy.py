"""How accurate, at what cost, and what can be told apart: each view against the records, counted
slowly.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.estimate import LEVEL
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.metrics.registry import METRICS
from recbench.benchmarks.records.record import Run
from recbench.reports import words
from recbench.reports.answers import summarise_run
from recbench.reports.build import build
from recbench.reports.drawing import fold_heatmap as fold_heatmaps
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.drawing import scatter
from recbench.reports.results import Results
from recbench.reports.sections.certainty import certainty
from tests.reports.block_texts import find_tables, texts_of
from tests.reports.invented_runs import (
    LEVELS,
    ROWS,
    cell,
    half_failed,
    normal,
    ok,
    write,
)
from tests.reports.pages import page


@pytest.mark.slow
def test_no_answers_no_interval(tmp_path: Path) -> None:
    directory = write(tmp_path, normal())
    for path in directory.glob("records/*.npz"):
        path.unlink()
    results = Results.read(directory)
    assert not any(square.note for square in heatmaps.accuracy_heatmap(results).squares)
    assert "small: 95 % interval over users" not in heatmaps.accuracy_heatmap(results).legend
    assert "95 %" not in " ".join(scatter.describe_front(results, "rmse"))
    build(directory)


@pytest.mark.slow
def test_too_few_users_are_said_to_be_too_few(tmp_path: Path) -> None:
    """Of twelve users nothing is said: no interval, no tie, no best within uncertainty, and never a
    nan.
    """
    directory = write(tmp_path, normal())
    run = Run(directory)
    for record in run.records():
        arrays = dict(run.answers(record.cell))
        for name in ("share_users", "share_sums", "share_weights"):
            arrays[name] = arrays[name][..., :12]
        run.write(record, arrays)
    results = Results.read(directory)
    why = "too few users: 12 with a value in one of the folds, and at least 20 are needed"
    assert results.certainty == {} and results.near("rmse") == [] and results.unknown("rmse") == why
    assert f"How sure differences in RMSE are is not known: {why}." in summarise_run(results)
    assert {square.mark for square in heatmaps.accuracy_heatmap(results).squares} == {"", "best"}
    assert f"RMSE has no intervals and no tests: {why}." in page(directory, "html")
    text = page(directory, "md")
    assert f"RMSE has no intervals and no tests: {why}." in text and "nan" not in re.findall(
        r"\w+", text
    )


@pytest.mark.slow
def test_markdown_has_the_numbers_of_its_pictures(half: Results) -> None:
    markdown = page(half.run.directory, "md")
    part = markdown.partition("## How accurate?")[2].partition("\n## ")[0]
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\n)+", part, re.M)]
    tables = [table for table in tables if "<br>" in table[0]]  # units: no ranks, no spread
    views = [fold_heatmaps.heatmap_by_fold(half, column) for column in ("rmse", "ndcg@10")]
    drawn = [heatmaps.accuracy_heatmap(half), *(view for view in views if view)]
    assert len(drawn) == part.count("![") - part.count("![Bump chart")
    for shown, (head, _, *lines) in zip(drawn, tables, strict=True):
        assert [column.name for column in shown.columns] == re.findall(r"\| ([^|<]+)<br>", head)
        for wanted, line in zip(shown.lines, lines, strict=True):
            name, *found = (text.strip() for text in line.strip("|").split("|"))
            assert name == wanted.name
            if wanted.failure:
                assert found == [wanted.failure] + ["–"] * (len(found) - 1)
                continue
            for square, text in zip(wanted.squares, found, strict=True):
                sign = f"{square.sign.sign} " if square.sign else ""
                assert text == sign + square.text + (f"<br>{square.note}" if square.note else "")
    assert "★: best mean." in part and "★: best of its fold." in part and "| timeout |" in part
    assert "Below a number: its 95 % interval over users." in part


@pytest.mark.slow
def test_only_the_first_folds_are_shown_and_it_is_said(tmp_path: Path) -> None:
    records = [
        ok(cell(name, fold, 15), LEVELS[name])
        for name in ("surprise-svd", "item-mean")
        for fold in range(15)
    ]
    directory = write(tmp_path, records)
    drawn = fold_heatmaps.heatmap_by_fold(Results.read(directory), "rmse")
    assert drawn and len(drawn.columns) == fold_heatmaps.MOST_FOLDS == 12
    assert "Of 15 folds the first 12 are shown" in page(directory, "html")


@pytest.mark.slow
def test_pairs_are_tested_all_together() -> None:
    """Twelve equal algorithms: in 19 of 20 studies none of the 66 pairs is told apart; one far off
    always is.
    """
    rng = np.random.default_rng(0)
    wrong = 0
    for study in range(60):
        rows = [
            UserShares(rng.normal(0, 1, (1, 200)) + (i == 12), np.ones((1, 200))) for i in range(13)
        ]
        apart = (
            bootstrap_users(METRICS["precision"], rows, seed=study, n_draws=400).pairwise_p_values
            < LEVEL
        )
        wrong += bool(apart[:12, :12].any())
        assert apart[12, :12].all() and (apart == apart.T).all() and not apart.diagonal().any()
    assert wrong <= 9  # 3 are expected; more than 9 would be chance once in a thousand


@pytest.mark.slow
def test_words_and_pictures_of_a_run_half_of_whose_cells_failed(tmp_path: Path) -> None:
    directory = write(tmp_path, half_failed())
    text = build(directory).read_text()
    assert (
        len(re.findall(r'class="failed" tabindex="0" title="[^"]*fold', text)) == 2 * 7
    )  # two views by fold
    svg = (directory / "figures/folds-rmse.svg").read_text()
    assert svg.count(">timeout<") == 7 and svg.count(">fold ") == 5
    names = {path.stem for path in (directory / "figures").iterdir()}
    assert {
        "rmse-against-time",
        "ndcg-10-against-time",
        "differences-rmse",
        "ranks-rmse",
        "folds-rmse",
    } <= names


def test_file_names_have_no_odd_characters() -> None:
    assert words.slug("lightfm:precision@10") == "lightfm-precision-10"
    assert words.signed(-0.25) == "−0.2500" and words.signed(0.0) == "+0.0000"
    assert len(ROWS) == len({words.slug(row) for row in ROWS})


def test_who_only_ranks_has_variances_too_and_one_mean_has_no_deviation(tmp_path: Path) -> None:
    rows = {"surprise-svd": False, "popularity": True}
    main = [
        ok(cell(name, fold), 1.0, ranks_only=only)
        for name, only in rows.items()
        for fold in range(5)
    ]
    again = [replace(record, cell=replace(record.cell, seed=7)) for record in main]
    found = certainty(Results.read(write(tmp_path, [*main, *again])))
    assert found
    variances = find_tables(found)["Variance of divisions and initialisations"]
    nothing = "0.0000 (2)"
    assert texts_of(variances) == [
        ["surprise-svd", "RMSE", "– (1)", nothing],
        ["popularity", "nDCG@10", "– (1)", nothing],
    ]


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        (["lightfm:precision@10", "rmse", "precision@10"], "precision@10"),
        (["lightfm:ndcg@10", "precision@10", "ndcg@5"], "ndcg@5"),
        (["lightfm:precision@10", "rmse"], "lightfm:precision@10"),
        (["rmse"], None),
    ],
)
def test_the_headline_ranking_is_of_the_standard_protocol(
    columns: list[str], first: str | None, whole: Results
) -> None:
    assert replace(whole, about=whole.about.replaced(metrics=columns)).first_ranking() == first


@pytest.mark.slow
def test_the_summary_doubts_a_row_as_good_as_the_oracle(tmp_path: Path) -> None:
    """Without another run to compare with: nothing but the truth is as good as the truth."""
    oracle = [ok(cell("oracle", fold), min(LEVELS.values())) for fold in range(5)]
    found = Results.read(write(tmp_path, [*normal(), *oracle]))
    sentences = [one for one in summarise_run(found) if "SUSPICIOUS" in one]
    assert sentences and "its error is that of the oracle" in sentences[0]
    whole_run = Results.read(write(tmp_path / "whole", normal()))
    assert not any("SUSPICIOUS" in one for one in summarise_run(whole_run))
