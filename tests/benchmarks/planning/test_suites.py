"""Suites, their published numbers, and what a run with repeats and a second split leaves in its
report.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from recbench.benchmarks.planning import Request, check_request, read_suite, suite_names
from recbench.benchmarks.planning.published import read_published_numbers
from recbench.benchmarks.records.facts import PublishedNumber
from recbench.benchmarks.records.record import Run
from recbench.datasets import UsageError
from recbench.reports.build import build
from recbench.reports.results import Results
from recbench.reports.sections.published import compare_with_published
from tests.benchmarks.console.test_command_line import bench
from tests.conftest import README, RunHere, read_counts_of_published_numbers
from tests.reports.test_reports import KINDS


def test_suites_can_be_planned_and_publish_what_they_measure() -> None:
    for name in suite_names():
        found = read_suite(name)
        assert found.rows
        for number in found.published:
            assert found.metrics is None or number.column in found.metrics
            assert number.tolerance < abs(number.value)


def test_the_readme_of_surprise_has_its_published_rows() -> None:
    found = read_suite("surprise-readme")
    numbers = [number for number in found.published if number.dataset == "movielens-100k"]
    assert {number.row for number in numbers} == {row.name for row in found.rows} - {
        "surprise-knn-with-zscore"
    }
    assert len(numbers) == 20 + 2, "and those of its example"


def test_the_readme_counts_what_the_suites_have_of_others() -> None:
    counts: dict[tuple[str, str], int] = {}
    for name in suite_names():
        for number in read_suite(name).published:
            counts[name, number.dataset] = counts.get((name, number.dataset), 0) + 1

    told = read_counts_of_published_numbers()
    told_counts = {place: published for place, (published, _) in told.items()}
    assert told_counts == counts, "the table below the suites in README.md counts them"
    agreeing = [agree for _, agree in told.values() if agree is not None]
    n_published = sum(published for published, agree in told.values() if agree is not None)
    sentence = f"{sum(agreeing)} of {n_published} come out within their tolerance"
    assert sentence in README.read_text()
    assert sum(agreeing) >= 100


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rows": {"random": {"rmse": 1.0}}}, "unknown row of suite made 'random'"),
        ({"rows": {"item-mean": {"rsme": 1.0}}}, "unknown metric"),
        (
            {"rows": {"item-mean": {"mae": 1.0}}},
            "no tolerance is given for the published mae of item-mean",
        ),
    ],
)
def test_malformed_published_numbers_are_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_published_numbers(
            "made",
            [table | {"tolerance": {"rmse": 0.1}, "dataset": "d", "source": "s"}],
            ["item-mean"],
        )


def test_published_and_measured_numbers_stand_side_by_side(tmp_path: Path) -> None:
    results = Results.read(KINDS["half failed"](tmp_path))
    value = results.rows[-1].mean("rmse")
    assert value is not None
    last = results.rows[-1].name
    failed = next(row.name for row in results.rows if row.failures)
    numbers = [
        PublishedNumber(last, "rmse", value + 0.005, 0.01, "d", "a paper"),
        PublishedNumber(last, "rmse", value + 0.02, 0.01, "d", "another"),
        PublishedNumber(failed, "rmse", 1.0, 0.01, "d", "a paper"),
    ]
    about = results.about.replaced(published=numbers)
    found = compare_with_published(replace(results, about=about))
    assert found is not None
    assert [number.verdict for number in found.numbers] == ["agrees", "differs", "not measured"]
    assert [number.difference for number in found.numbers] == ["-0.0050", "-0.0200", "–"]
    assert found.sources == ("a paper", "another")
    assert (
        "1 of 2 published numbers measured here come out within their tolerance. 1 number could not"
        in found.summary
    )


def test_a_published_mean_of_seeds_is_compared_with_one(tmp_path: Path) -> None:
    """Only where the split has one division: with more, means are over divisions as ever."""
    results = Results.read(KINDS["half failed"](tmp_path))
    row = results.rows[-1]
    first = replace(row.records[0], metrics={"rmse": 1.0})
    others = [
        replace(first, cell=replace(first.cell, seed=seed), metrics={"rmse": 1.0 + seed})
        for seed in (1, 2)
    ]
    for split, mean in (("last-out", 2.0), ("mcrec", 2.0), ("kfold", 1.0)):
        in_split = replace(first, cell=replace(first.cell, split=split))
        seeds = replace(row, records=(in_split,), initialisations=tuple(others))
        assert seeds.mean_of_seeds("rmse") == mean


def test_a_suite_may_need_repeats() -> None:
    request = Request(dataset="movielens-100k", suite="tois-2021-ml100k")
    assert check_request(request).repeats == 5
    assert check_request(replace(request, repeats=7)).repeats == 7
    assert check_request(replace(request, suite="quick")).repeats == 1


def test_a_suites_split_and_seed_are_used_unless_others_are_given(
    ratings_file: Path, tmp_path: Path
) -> None:
    plans = []
    for more in ([], ["--split", "kfold", "--seed", 0]):
        arguments = [
            "--dataset",
            f"table:{ratings_file}",
            "--suite",
            "recommenders-ml100k",
            "--out",
            tmp_path,
        ]
        result = bench(*arguments, "--dry-run", *more)
        assert result.exit_code == 0, result.output
        plans.append(result.output)
    assert "recommenders fold 0" in plans[0]
    assert "6 cells" in plans[0]
    assert "recommenders fold" not in plans[1]
    assert "30 cells" in plans[1]


def test_repeats_and_a_second_split_are_told_in_the_report(
    ratings_file: Path, run_here: RunHere, tmp_path: Path
) -> None:
    rows = [
        part
        for row in ("item-mean", "user-item-bias", "numba-sgd")
        for part in ("--algorithm", row)
    ]
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        "--repeats",
        3,
        "--also-split",
        "time",
        *rows,
    ]
    run_here(*arguments, "--no-report", "--out", tmp_path, check=0)
    cells, _ = Run(tmp_path).read_plan()
    assert len(cells) == 3 * (2 * 5 + 1)
    results = Results.read(tmp_path)
    for row in results.rows:
        assert (len(row.records), len(row.initialisations), len(row.also)) == (6, 4, 1)
        divisions = {record.metrics["rmse"] for record in row.records}
        starts = {record.metrics["rmse"] for record in (*row.records[:2], *row.initialisations)}
        assert len(divisions) == 6
        assert len(starts) == (6 if row.name == "numba-sgd" else 2)
    page = build(tmp_path, sections=["certainty", "division"])
    report = page.with_suffix(".md").read_text()
    assert "What varies with the division, and what with the start?" in report
    means = [(row.mean("rmse"), row.also[0].metrics["rmse"]) for row in results.rows]
    tau = kendalltau(*zip(*means, strict=True)).statistic
    assert f"RMSE: Kendall's tau between the two orders of rows: {tau:.2f}" in report
    assert "learn from ratings given after those they are tested on" in report.replace("\n", " ")


def test_a_split_without_another_division_claims_no_variance_of_divisions(
    ratings_file: Path, run_here: RunHere, tmp_path: Path
) -> None:
    rows = [part for row in ("item-mean", "numba-sgd") for part in ("--algorithm", row)]
    arguments = ["--dataset", f"table:{ratings_file}", "--split", "time", "--repeats", 3, *rows]
    run_here(*arguments, "--no-report", "--out", tmp_path, check=0)
    results = Results.read(tmp_path)
    assert [(len(row.records), len(row.initialisations)) for row in results.rows] == [
        (1, 2),
        (1, 2),
    ]
    page = build(tmp_path, sections=["certainty"])
    report = page.with_suffix(".md").read_text()
    assert "| item-mean | RMSE | the split has no other division | 0.0000 (3) |" in report
    assert report.count("the split has no other division") == 2


def test_an_empty_part_is_refused_before_anything_runs(ratings_file: Path, tmp_path: Path) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "item-mean",
        "--out",
        tmp_path,
    ]
    for split in ("last-out[n=500]", "recommenders[train=0.001]"):
        for more in ([], ["--dry-run"]):
            result = bench(*arguments, "--split", split, *more)
            assert result.exit_code == 2
            assert "no rating is left for the" in result.output
    assert not list(tmp_path.glob("records/*"))
