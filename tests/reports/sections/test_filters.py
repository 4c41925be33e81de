"""Filters: what they leave to train on, and what the report says they do to numbers and order."""

from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.benchmarks.api import Settings, find_run, measure_plan, parse_limits
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.splits import divide, filter_of_split, filtered_spec
from recbench.datasets.foundation import UsageError
from recbench.reports.rendering import Bullets, Table
from recbench.reports.results import Results
from recbench.reports.sections.division import division
from recbench.reports.sections.occasional.filters import (
    MeansBehindFilter,
    filters,
    find_effect,
)


def test_a_filter_leaves_its_own_and_tests_the_same(ratings_file: Path) -> None:
    data = datasets.load(f"table:{ratings_file}")
    ratings = data.ratings
    everything, tested = divide(data, filtered_spec(0, 0), 1, 0, seed=4)
    assert len(everything) + len(tested) == len(ratings)

    train, tested_behind = divide(data, filtered_spec(30, 18), 1, 0, seed=4)
    np.testing.assert_array_equal(tested_behind, tested)
    n_of_user = np.bincount(ratings.users)[ratings.users]
    n_of_item = np.bincount(ratings.items)[ratings.items]
    kept = everything[(n_of_user[everything] > 18) & (n_of_item[everything] > 30)]
    np.testing.assert_array_equal(train, kept)
    assert 0 < len(train) < len(everything)


def test_the_filter_of_a_split() -> None:
    assert filter_of_split(filtered_spec(5, 20)) == (5, 20)
    assert filter_of_split("kfold") is None


@pytest.mark.parametrize("text", ["5", "5/", "/5", "a/b", "5/20,", "-1/2", "5.5/2"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--filters .*such as 5/20,20/50"):
        check_request(Request("movielens-100k", filters=text))


def test_the_filter_that_keeps_everything_is_always_there() -> None:
    plan = check_request(Request("movielens-100k", filters="5/20"))
    assert [filter_of_split(split) for split in plan.filters] == [(0, 0), (5, 20)]


def test_an_identity_has_tau_one_and_a_reversal_minus_one() -> None:
    plain = [
        MeansBehindFilter(row, value, None, value)
        for row, value in (("a", 0.9), ("b", 1.0), ("c", 1.2))
    ]
    same = find_effect(plain, plain)
    assert same is not None
    assert same.tau == pytest.approx(1)
    assert same.kept == same.whole

    kept = [
        MeansBehindFilter(row, value, None, 5.0)
        for row, value in (("a", 0.8), ("b", 0.7), ("c", 0.6))
    ]
    reversed_order = find_effect(plain, kept)
    assert reversed_order is not None
    assert reversed_order.tau == pytest.approx(-1)
    assert reversed_order.kept == pytest.approx(0.7)
    assert find_effect(plain, kept[:1]) is None


@pytest.mark.slow
def test_the_report_has_the_means_of_the_records(ratings_file: Path, tmp_path: Path) -> None:
    name = f"table:{ratings_file}"
    rows = ("item-mean", "user-item-bias", "ease")
    request = Request(name, algorithms=rows, folds=2, filters="30/18")
    settings = Settings(find_run(name, tmp_path), parse_limits("60s", None, None), debug=True)
    records = measure_plan(check_request(request), settings, "a test")
    behind = [each for each in records if filter_of_split(each.cell.split) == (30, 18)]
    assert len(behind) == 3

    results = Results.read(tmp_path)
    assert all(len(row.filtered) == 2 and not row.also for row in results.rows)
    assert "filtered" not in repr(division(results))
    blocks = filters(results)
    assert blocks is not None
    tables = [block for block in blocks if isinstance(block, Table)]
    sentences = [text for block in blocks if isinstance(block, Bullets) for text in block.entries]
    assert any("the filter 30/18" in str(sentence) for sentence in sentences)
    assert not any("none" in str(sentence) for sentence in sentences)
    for record in behind:
        for column in ("warm_rmse", "cold_rmse"):
            value = record.metrics[column]
            assert value is None or f"{value:.4f}" in repr(tables[1])

    plain = tmp_path / "plain"
    plan = check_request(Request(name, algorithms=("item-mean",), folds=2))
    measure_plan(
        plan, Settings(find_run(name, plain), parse_limits("60s", None, None), debug=True), "a test"
    )
    assert filters(Results.read(plain)) is None
