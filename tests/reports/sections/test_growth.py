"""Samples of users that grow: their rows, and what the report makes of them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.benchmarks.api import Settings, find_run, measure_plan, parse_limits
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.splits import divide, grown_specs, share_of_growth
from recbench.datasets.foundation import UsageError
from recbench.reports.drawing import Crossing, Growth, find_crossings
from recbench.reports.rendering import Table
from recbench.reports.results import Results
from recbench.reports.sections.division import division
from recbench.reports.sections.occasional.growth import growth

SHARES = [0.2, 0.5, 1.0]


@pytest.mark.parametrize("fold", [0, 1])
def test_samples_are_nested_and_tested_on_the_same_ratings(ratings_file: Path, fold: int) -> None:
    data = datasets.load(f"table:{ratings_file}")
    specs = grown_specs(SHARES)
    assert [share_of_growth(spec) for spec in specs] == SHARES

    parts = [divide(data, spec, 2, fold, seed=3) for spec in specs]
    users = [set(data.ratings.users[train].tolist()) for train, _ in parts]
    for smaller, larger in pairwise(parts):
        np.testing.assert_array_equal(smaller[1], larger[1])
        assert set(smaller[0].tolist()) < set(larger[0].tolist())
    assert [len(of_sample) for of_sample in users] == [16, 40, 80]

    tested = set(data.ratings.users[parts[0][1]].tolist())
    assert tested <= users[0]
    # at share 1 nothing but the test part is missing
    assert len(parts[-1][0]) + len(parts[-1][1]) == len(data.ratings)
    other = divide(data, specs[0], 2, 1 - fold, seed=3)
    assert not np.array_equal(other[1], parts[0][1])


def test_another_split_has_no_share() -> None:
    assert share_of_growth("kfold") is None
    assert share_of_growth("grown") == 1


@pytest.mark.parametrize("text", [".5", "0,1", ".5,2", "a,b", ".5,.5", "", ","])
def test_shares_that_cannot_grow_are_refused(text: str) -> None:
    if not text:  # nothing was asked for
        assert check_request(Request("movielens-100k", grow=text)).grow == ()
        return
    with pytest.raises(UsageError, match=r"--grow .*such as \.05,\.2,1"):
        check_request(Request("movielens-100k", grow=text))


def test_a_share_below_the_smallest_is_refused(ratings_file: Path) -> None:
    data = datasets.load(f"table:{ratings_file}")
    with pytest.raises(UsageError, match="no share is below it"):
        divide(data, "grown[share=0.1,smallest=0.2]", 1, 0, 0)


def test_a_power_is_found_again() -> None:
    sizes = (100, 1000, 10_000)
    curve = Growth("a", sizes, tuple(0.5 * size**1.25 for size in sizes))
    assert curve.exponent == pytest.approx(1.25)
    assert Growth("a", (100,), (1.0,)).exponent is None
    assert Growth("a", sizes, (0.0, 1.0, 2.0)).exponent is None


def test_who_overtakes_whom_and_where() -> None:
    slow = Growth("slow", (100, 10_000), (1.0, 3.0))
    quick = Growth("quick", (100, 10_000), (2.0, 2.0))
    # equal where both are at 2: log 2 / log 3 of the way on logarithmic axes
    place = 100 * 100 ** (np.log(2) / np.log(3))
    (crossing,) = find_crossings([slow, quick], higher_is_better=False)
    assert (crossing.overtaking, crossing.overtaken) == ("quick", "slow")
    assert crossing.ratings == pytest.approx(place)

    (other_way,) = find_crossings([quick, slow], higher_is_better=True)
    assert (other_way.overtaking, other_way.overtaken) == ("slow", "quick")
    assert other_way.ratings == pytest.approx(place)

    same = Growth("same", (100, 10_000), (1.0, 3.0))
    assert find_crossings([slow, same], higher_is_better=False) == []
    elsewhere = Growth("elsewhere", (50, 500), (9.0, 0.1))
    nothing: list[Crossing] = find_crossings([slow, elsewhere], higher_is_better=False)
    assert nothing == []


@pytest.mark.slow
def test_the_report_has_the_points_of_the_records(ratings_file: Path, tmp_path: Path) -> None:
    name = f"table:{ratings_file}"
    rows = ("item-mean", "user-item-bias", "ease")
    request = Request(name, algorithms=rows, folds=2, grow=".2,1")
    settings = Settings(find_run(name, tmp_path), parse_limits("60s", None, None), debug=True)
    records = measure_plan(check_request(request), settings, "a test")
    grown = [each for each in records if share_of_growth(each.cell.split) is not None]
    assert len(records) == 3 * 2 + 3 * 2
    assert len(grown) == 6

    results = Results.read(tmp_path)
    assert all(len(row.grown) == 2 and not row.also for row in results.rows)
    assert division(results) is None or "grown" not in repr(division(results))
    blocks = growth(results)
    assert blocks is not None
    tables = [block for block in blocks if isinstance(block, Table)]
    assert len(tables) == 3
    shown = repr(tables[0])
    for record in grown:
        value = record.metrics["rmse"]
        if value is not None:
            assert f"{value:.4f}" in shown


def test_a_run_without_samples_lacks_the_section(ratings_file: Path, tmp_path: Path) -> None:
    name = f"table:{ratings_file}"
    request = Request(name, algorithms=("item-mean",), folds=2)
    settings = Settings(find_run(name, tmp_path), parse_limits("60s", None, None), debug=True)
    measure_plan(check_request(request), settings, "a test")
    assert growth(Results.read(tmp_path)) is None
