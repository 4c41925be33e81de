"""What two splits say of one another: orders, intervals, and which part cold starts play."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from recbench.benchmarks.evaluation import Slice
from recbench.benchmarks.records.facts import FoldFacts
from recbench.benchmarks.records.record import Record
from recbench.reports.answers import describe_disagreements, summarise_run, write_answers
from recbench.reports.papers import tabulate_run
from recbench.reports.rendering import render_html, render_markdown
from recbench.reports.results import Results
from recbench.reports.sections.division import division
from recbench.reports.sections.slices import slices
from tests.reports.invented_runs import cell, ok, write

N_TEST = 20_000
N_LISTS = 100

# Five rows with their nDCG under kfold.
UNDER_KFOLD = {
    "implicit-als": 0.47,
    "ease": 0.44,
    "rp3beta": 0.41,
    "popularity": 0.26,
    "random": 0.02,
}
GROUPS = ("least active", "middle", "most active")

# By row: what warm and what cold-start users of the split by time make of it.
LIKE_KFOLD = {name: (value / 3, value / 20) for name, value in UNDER_KFOLD.items()}
COLD_REVERSED = LIKE_KFOLD | {"popularity": (0.09, 0.31), "random": (0.01, 0.2)}
ALL_REVERSED = {
    "implicit-als": (0.05, 0.02),
    "ease": (0.06, 0.03),
    "rp3beta": (0.07, 0.04),
    "popularity": (0.2, 0.3),
    "random": (0.08, 0.05),
}


def by_time(
    name: str, warm: float, cold: float, n_cold: int, n_cold_ratings: int | None = None
) -> Record:
    """The cell of a row under the split by time; `n_cold` of its hundred users are cold, and as
    large a share of its test ratings unless their number is given.
    """
    planned = replace(cell(name, 0), split="time", n_folds=1)
    invented = ok(planned, 1.0, ranks_only=True)
    share = n_cold / N_LISTS
    metrics = dict.fromkeys(invented.metrics) | {
        "coverage": 1.0,
        "ndcg@10": (1 - share) * warm + share * cold,
        "warm_ndcg@10": warm,
        "cold_ndcg@10": cold,
        "fallback_ndcg@10": (1 - share) * warm + share * COLD_REVERSED["popularity"][1],
    }
    if n_cold_ratings is None:
        n_cold_ratings = int(share * N_TEST)
    groups = [Slice(kind="users", group="cold", n_lists=n_cold)]
    for place, group in enumerate(GROUPS):
        n_lists = N_LISTS - n_cold if place == 0 else 0
        about = {"kind": "users", "group": group, "n_lists": n_lists, "ndcg@10": warm}
        groups.append(Slice.model_validate(about))
    facts = FoldFacts(
        train=80_000,
        test=N_TEST,
        threshold=4.0,
        cold_users=n_cold,
        cold_items=7,
        cold_ratings=n_cold_ratings,
    )
    return replace(invented, metrics=metrics, slices=groups, fold=facts)


def two_splits(
    directory: Path,
    time: dict[str, tuple[float, float]],
    *,
    n_cold: int = 75,
    n_cold_ratings: int | None = None,
) -> Results:
    records = []
    for name, value in UNDER_KFOLD.items():
        for fold in range(2):
            record = ok(cell(name, fold, n_folds=2), 1.0, ranks_only=True)
            metrics = dict.fromkeys(record.metrics) | {"ndcg@10": value, "coverage": 1.0}
            records.append(replace(record, metrics=metrics))
    records += [by_time(name, *means, n_cold, n_cold_ratings) for name, means in time.items()]
    return Results.read(write(directory, records, timed=True))


@pytest.fixture(scope="module")
def cold_reversed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return two_splits(tmp_path_factory.mktemp("reversed"), COLD_REVERSED)


def test_the_summary_says_which_part_cold_starts_play(cold_reversed: Results) -> None:
    (text,) = describe_disagreements(cold_reversed)
    assert text in summarise_run(cold_reversed)
    assert f"read with care: {text}" in write_answers(cold_reversed)
    assert "The splits kfold and time order the rows differently in nDCG@10" in text
    assert "implicit-als falls from rank 1 to 3 of 5" in text
    assert "75% of the ratings that time tests are cold" in text
    assert "so are 75 of its 100 ranked users" in text
    assert "Among warm users implicit-als is at rank 1 and still beats popularity (0.1567" in text
    assert "in all 3 groups of them by activity" in text
    assert "tau of 1.00 to that of kfold, so most of the disagreement comes from cold" in text


def test_cold_starts_are_not_blamed_for_what_warm_users_say_too(tmp_path: Path) -> None:
    results = two_splits(tmp_path, ALL_REVERSED)
    (text,) = describe_disagreements(results)
    assert "implicit-als is at rank 5 and does not beat popularity (0.0500 against 0.2000" in text
    assert "in 0 of 3 groups of them by activity" in text
    assert "so the disagreement does not come from cold starts" in text


def test_orders_that_agree_are_no_news(tmp_path: Path) -> None:
    assert describe_disagreements(two_splits(tmp_path, LIKE_KFOLD)) == []


def test_few_cold_starts_are_no_reason_and_have_no_columns(tmp_path: Path) -> None:
    results = two_splits(tmp_path, ALL_REVERSED, n_cold=0)
    (text,) = describe_disagreements(results)
    assert "0% of the ratings that time tests are cold" in text
    assert text.endswith("so that cold starts are not the reason.")
    markdown = render_markdown(division(results) or [])
    assert "no test rating is cold" in markdown
    assert "popular items for cold users" not in markdown

    few = two_splits(tmp_path / "few", ALL_REVERSED, n_cold=0, n_cold_ratings=40)
    markdown = render_markdown(division(few) or [])
    assert "0.2% (40 of 20,000 test ratings) are cold" in markdown
    assert "So few hardly change a mean." in markdown


def test_warm_cold_and_fallback_have_columns_with_intervals(cold_reversed: Results) -> None:
    markdown = render_markdown(division(cold_reversed) or [])
    heads = next(line for line in markdown.splitlines() if line.startswith("| row | kfold | time"))
    assert "| warm users<br>25 of 100 | cold users<br>75 of 100 |" in heads
    assert "| popular items for cold users<br>for 75 of 100 |" in heads
    assert heads.endswith("| rank, kfold | rank, time | rank, time, warm |")

    lines = markdown.splitlines()[markdown.splitlines().index(heads) :]
    popularity = next(line for line in lines if line.startswith("| popularity |"))
    cells = [cell_text.strip() for cell_text in popularity.strip("| ").split("|")[1:]]
    means = [cell_text.partition("<br>")[0] for cell_text in cells]
    assert means == ["0.2600", "0.2550", "0.0900", "0.3100", "0.2550", "4", "1", "4"]
    for cell_text in cells[:5]:
        assert re.search(r"<br>0\.\d+ to 0\.\d+$", cell_text), cell_text

    html = render_html(division(cold_reversed) or [])
    assert "popular items for cold users" in html
    assert "fallback nDCG@10: As ndcg, but cold-start users" in html


def test_the_table_for_a_paper_has_the_same_columns(cold_reversed: Results) -> None:
    tables = {table.drawn.name: table for table in tabulate_run(cold_reversed)}
    source = tables["splits-ndcg-10"].source()
    heads = "warm users & cold users & popular items for cold users & rank, kfold & rank, time"
    assert heads in source
    assert "{popularity} & 0.2600 & 0.2550 & 0.0900 & 0.3100 & 0.2550 & 4 & 1 & 4" in source


def test_a_main_split_with_cold_starts_shows_them_for_whom(tmp_path: Path) -> None:
    records = [by_time(name, *means, 75) for name, means in COLD_REVERSED.items()]
    results = Results.read(write(tmp_path, records, timed=True))
    assert describe_disagreements(results) == []
    markdown = render_markdown(slices(results) or [])
    assert "### Warm and cold" in markdown
    assert "| all users<br>100 | warm users<br>25 of 100 | cold users<br>75 of 100 |" in markdown
