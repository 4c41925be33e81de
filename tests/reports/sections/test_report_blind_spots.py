"""What these data cannot tell stands in front, and no best row is named where they name none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recbench.benchmarks.api import Comparison
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.facts import BlindSpot
from recbench.benchmarks.run import run
from recbench.benchmarks.verify import verify
from recbench.reports.answers import answer_checklist, summarise_run
from recbench.reports.build import describe_run, describe_sections
from recbench.reports.drawing import accuracy_heatmap
from recbench.reports.results import Results
from recbench.reports.sections.division import ignores_times
from tests.reports.invented_runs import normal, write


def hide(results: Results, kind: str, *columns: str) -> Results:
    """The results as if the data had this blind spot."""
    spot = BlindSpot(kind=kind, sentence=f"It is so: {kind}.", hides=list(columns))
    return replace(results, about=results.about.replaced(blind_spots=[spot]))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("run"), normal(), timed=True))


@pytest.mark.slow
def test_no_winner_where_the_data_name_none(results: Results) -> None:
    hidden = hide(results, "every rating is relevant", "precision@10", "recall@10", "ndcg@10")
    said = " ".join(summarise_run(hidden))
    assert "Highest mean" not in said
    assert "Lowest mean RMSE: surprise-svd" in said
    assert (
        "No row is named best in precision@10, recall@10 and nDCG@10: every rating is relevant."
    ) in said

    for line in accuracy_heatmap(hidden).lines:
        for column, square in zip(hidden.columns, line.squares, strict=True):
            assert column in ("rmse", "mae", "coverage") or not square.mark
    assert hidden.best("ndcg@10") == hidden.near("ndcg@10") == []

    names = [part.name for part in describe_sections(describe_run(hidden))]
    assert names[:2] == ["summary", "blind_spots"]
    assert not any(
        block
        for part in describe_sections(describe_run(hidden), ["certainty", "cost"])
        for block in part.blocks
        if "nDCG@10" in getattr(block, "text", "")
    )


@pytest.mark.slow
def test_a_run_without_blind_spots_has_no_section_of_them(results: Results) -> None:
    names = [part.name for part in describe_sections(describe_run(results))]
    assert "blind_spots" not in names


def test_equal_times_are_no_future_that_could_be_kept_out(results: Results) -> None:
    question = "Is the future kept out of training?"
    answers = {line[0]: line[1:] for line in answer_checklist(results)}
    assert answers[question][0] == "no"
    assert ignores_times(results)

    hidden = hide(results, "all times are equal")
    answers = {line[0]: line[1:] for line in answer_checklist(hidden)}
    assert answers[question][0] == "does not arise"
    assert not ignores_times(hidden)


@pytest.mark.slow
def test_a_run_on_equal_ratings_says_so_first_and_last(tmp_path: Path) -> None:
    lines = ["user,item,rating"]
    for user in range(24):
        lines += [f"{user},{(user + step) % 11},4" for step in range(5)]
    table = tmp_path / "fours.csv"
    table.write_text("\n".join(lines))

    chosen = ["--dataset", f"table:{table}", "--folds", "2", "--out", str(tmp_path / "out")]
    rows = ["--algorithm", "global-mean", "--algorithm", "random", "--debug", "--no-report"]
    result = CliRunner().invoke(application(run), [*chosen, *rows])
    assert result.exit_code == 0, result.output
    assert "blind spot: All 120 ratings are 4." in result.output
    assert "what these data cannot tell: all ratings are equal;" in result.output
    assert "no row is named best in rmse (all ratings are equal); to train one" in result.output

    results = Results.read(tmp_path / "out")
    said = " ".join(summarise_run(results))
    assert "No row is named best in RMSE and MAE: all ratings are equal." in said
    assert "est mean" not in said  # neither lowest nor highest
    assert len(Comparison(tmp_path / "out").table().attrs["blind_spots"]) == 3

    # Who takes a blind spot out of the plan has a winner named, and is found out
    plan = tmp_path / "out" / "plan.json"
    assert CliRunner().invoke(application(verify), [str(tmp_path / "out")]).exit_code == 0
    content = json.loads(plan.read_text())
    del content["about"]["blind_spots"][0]
    plan.write_text(json.dumps(content))
    found_out = CliRunner().invoke(application(verify), [str(tmp_path / "out")])
    assert found_out.exit_code == 1
    assert "about.blind_spots.all ratings are equal" in found_out.output
