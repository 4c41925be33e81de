"""How rows behave beside being right: each measure against a list counted by hand, and a run."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench import datasets
from recbench.benchmarks.api import Settings, find_run, measure_plan, parse_limits
from recbench.benchmarks.behave import (
    Background,
    TopLists,
    behave,
    find_tail,
    gini_of_exposure,
    measure_behaviour,
    perturb_histories,
)
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.metrics import RecommendationLists
from recbench.benchmarks.metrics.lists import gini
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Run
from recbench.datasets.ratings import Catalogue, Ratings

ROWS = ("popularity", "random", "ease", "surprise-baseline-only")
GENRES = (("Comedy",), ("Comedy", "Drama"), ("Drama",), ("Western",), ())
YEARS = (1994, 1999, 2001, None, 1990)


def make_lists() -> TopLists:
    """Two users with lists of three items; user 0 likes item 0, user 1 items 2 and 3."""
    train = Ratings(
        np.array([0, 0, 1, 1, 1], np.int32),
        np.array([1, 4, 0, 1, 4], np.int32),
        np.ones(5, np.float32),
        2,
        5,
        (1.0, 5.0),
    )
    test = Ratings(
        np.array([0, 0, 1, 1], np.int32),
        np.array([0, 2, 2, 3], np.int32),
        np.array([5, 1, 4, 5], np.float32),
        2,
        5,
        (1.0, 5.0),
    )
    catalogue = Catalogue(tuple("abcde"), YEARS, GENRES)
    top_items = np.array([[0, 1, 3], [1, 3, -1]], np.int32)
    return TopLists(Background.of(train, test, catalogue), np.array([0, 1], np.int32), top_items)


def test_misses_are_counted_by_genre_and_decade() -> None:
    lists = make_lists()
    # User 0: misses 1 and 3; item 1 is a comedy of the nineties, as item 0 is; of item 3 no year
    # is known. User 1: the miss is item 1; item 2 is a drama too, but of another decade.
    np.testing.assert_allclose(lists.near_misses("genre"), [0.5, 1.0])
    np.testing.assert_allclose(lists.near_misses("decade"), [0.5, 0.0])
    # Comedies are items 0 and 1; dramas and westerns items 1, 2 and 3
    np.testing.assert_allclose(lists.near_by_chance("genre"), [2 / 5, 3 / 5])
    # of the nineties are items 0, 1 and 4; of this century item 2
    np.testing.assert_allclose(lists.near_by_chance("decade"), [3 / 5, 1 / 5])


def test_popularity_is_the_share_of_the_training_users() -> None:
    lists = make_lists()
    # items have 1, 2, 0, 0, 2 training ratings of 2 users
    np.testing.assert_allclose(lists.mean(lists.fold.share_of_users), [(0.5 + 1 + 0) / 3, 0.5])
    np.testing.assert_array_equal(lists.fold.is_tail, [True, False, True, True, False])


def test_the_head_has_four_fifths_of_the_ratings() -> None:
    np.testing.assert_array_equal(find_tail(np.array([80, 10, 10])), [False, True, True])
    np.testing.assert_array_equal(find_tail(np.array([79, 11, 10])), [False, False, True])
    np.testing.assert_array_equal(find_tail(np.array([1])), [False])


@pytest.fixture
def run(ratings_file: Path, tmp_path: Path) -> Run:
    name = f"table:{ratings_file}"
    request = Request(name, algorithms=ROWS, folds=2)
    settings = Settings(find_run(name, tmp_path), parse_limits("60s", None, None), debug=True)
    measure_plan(check_request(request), settings, "a test")
    return Run(tmp_path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(application(behave), [str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_run_is_described_row_by_row(run: Run, ratings_file: Path) -> None:
    data = datasets.load(f"table:{ratings_file}")
    behaviours = measure_behaviour(run, data)
    # the table has neither genres nor years
    measures = ["popularity", "long tail", "gini"]
    assert [(each.row, each.measure) for each in behaviours] == [
        (row, measure) for row in ROWS for measure in measures
    ]
    by_name = {(each.row, each.measure): each for each in behaviours}
    for each in behaviours:
        assert each.low is not None and each.high is not None
        assert each.low <= each.value <= each.high
    popular = by_name["popularity", "popularity"]
    drawn = by_name["random", "popularity"]
    assert popular.low is not None and drawn.high is not None
    assert popular.low > drawn.high
    assert by_name["random", "long tail"].value > by_name["popularity", "long tail"].value

    written = run.directory.parent / "behaviour.json"
    result = call(run.directory, "--json", written)
    assert result.exit_code == 0, result.output
    assert len(json.loads(written.read_text())) == len(behaviours)
    printed = call(run.directory)
    assert printed.exit_code == 0
    assert "how unevenly places are spread" in printed.output


def test_gini_is_that_of_the_metric() -> None:
    lists = make_lists()
    n_ratings = np.array([1, 2, 0, 0, 2])
    expected = gini(RecommendationLists(lists.top_items, n_ratings, 2, np.ones(2), None), 3)
    assert gini_of_exposure(lists.top_items, 5) == pytest.approx(expected)


def test_other_data_are_refused(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "other.csv"
    other.write_text(
        "user,item,rating\n" + "".join(f"{u},{u % 3},{1 + u % 5}\n" for u in range(30))
    )
    result = call(run.directory, "--dataset", f"table:{other}")
    assert result.exit_code == 2
    assert "these are other data" in " ".join(result.output.split())


@pytest.mark.slow
def test_one_rating_less_changes_the_lists_of_who_has_learned_from_it(
    run: Run, ratings_file: Path
) -> None:
    data = datasets.load(f"table:{ratings_file}")
    changes = {
        record.cell.row: perturb_histories(record, data)
        for record in run.records()
        if record.cell.fold == 0
    }
    # what everybody likes does not depend on a history
    assert len(changes["popularity"]) == 80
    assert not changes["popularity"].any()
    assert changes["random"].mean() > changes["ease"].mean()
    assert len(changes["surprise-baseline-only"]) == 0, "it cannot be given a history"
    assert 0 < changes["ease"].mean() < 1
    np.testing.assert_allclose(changes["ease"] * 10, np.rint(changes["ease"] * 10))

    behaviours = measure_behaviour(run, data, perturb=True)
    perturbed = [each for each in behaviours if each.measure == "perturbation"]
    assert [each.row for each in perturbed] == ["popularity", "random", "ease"]
    assert perturbed[2].value == pytest.approx(changes["ease"].mean())
