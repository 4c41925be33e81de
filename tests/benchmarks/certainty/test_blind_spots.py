"""What data cannot tell is found before anything runs, and no more than that is found."""

from typing import Any

import numpy as np
import pytest

from recbench.benchmarks.certainty.blind_spots import find_blind_spots
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.planning import Design, Request, check_request, parse_rows, plan_cells
from recbench.benchmarks.records.facts import BlindSpot
from recbench.datasets import Dataset, Ratings, UsageError
from recbench.datasets.ratings import Catalogue, Provenance

COLUMNS = ["rmse", "mae", "coverage", "precision@10", "ndcg@10", "recommenders:ndcg@10"]
RANKINGS = ["precision@10", "ndcg@10"]  # without the protocol that asks for no taste


def make_data(n_users: int = 30, **columns: Any) -> Dataset:
    """Every user has rated 10 of 20 items, one a day, 1 to 5 stars; `columns` replace some."""
    users = np.repeat(np.arange(n_users, dtype=np.int32), 10)
    items = np.concatenate(
        [np.random.default_rng(user).permutation(20)[:10] for user in range(n_users)]
    ).astype(np.int32)
    values = (1 + (users + items) % 5).astype(np.float32)
    times = np.arange(len(users)) % 10 * 86_400 + users
    filled: dict[str, Any] = {
        "users": users, "items": items, "values": values, "n_users": n_users, "n_items": 20,
        "scale": (1.0, 5.0), "times": times.astype(np.int64),
    }  # fmt: skip
    ratings = Ratings(**filled | columns)
    catalogue = Catalogue(("film",) * 20, (None,) * 20, ((),) * 20)
    return Dataset(
        "made", ratings, catalogue, np.arange(n_users), np.arange(20), Provenance((), "", "")
    )


def find(data: Dataset, *splits: str) -> dict[str, BlindSpot]:
    """The blind spots of `data` under `splits`, by their kinds."""
    cells = []
    for split in splits or ("kfold",):
        n_folds = 2 if split == "kfold" else 1
        design = Design(split, n_folds, seed=0, evaluation=Evaluation())
        cells += plan_cells(data, parse_rows(["item-mean"]), design)
    return {spot.kind: spot for spot in find_blind_spots(data, cells, COLUMNS)}


def test_ordinary_data_have_none() -> None:
    assert find(make_data()) == {}
    assert find(make_data(n_users=90), "last-out", "time") == {}


def test_equal_ratings_name_no_best_row_in_errors_nor_in_rankings() -> None:
    spots = find(make_data(values=np.full(300, 4, np.float32)))
    assert set(spots) == {"all ratings are equal", "every rating is relevant"}
    assert spots["all ratings are equal"].hides == ["rmse", "mae"]
    assert "All 300 ratings are 4." in spots["all ratings are equal"].sentence
    assert spots["every rating is relevant"].hides == RANKINGS
    assert "all 300 test ratings" in spots["every rating is relevant"].sentence


def test_nothing_relevant_is_said_with_the_threshold() -> None:
    values = (1 + np.arange(300) % 3).astype(np.float32)
    (spot,) = find(make_data(values=values)).values()
    assert (spot.kind, spot.hides) == ("no rating is relevant", RANKINGS)
    assert "at least 4 (protocol standard), and none of the 300" in spot.sentence


def test_almost_equal_and_almost_relevant_are_said_and_hide_nothing() -> None:
    values = np.full(300, 5, np.float32)
    values[:6] = 1
    spots = find(make_data(values=values))
    assert set(spots) == {"almost all ratings are equal", "almost every rating is relevant"}
    assert all(spot.hides == [] for spot in spots.values())
    assert "294 of 300" in spots["almost all ratings are equal"].sentence


def test_relevance_is_looked_for_in_what_is_tested() -> None:
    """Everybody likes the last film only, and it is the one that is tested."""
    values = np.where(np.arange(300) % 10 == 9, 5, 2).astype(np.float32)
    assert "every rating is relevant" not in find(make_data(values=values))
    assert "every rating is relevant" in find(make_data(values=values), "last-out")


def test_fewer_than_twenty_users_name_no_best_row_at_all() -> None:
    assert "too few users" not in find(make_data(n_users=20))
    (spot,) = find(make_data(n_users=19)).values()
    assert (spot.kind, spot.hides) == ("too few users", COLUMNS)
    assert "Only 19 users are tested" in spot.sentence


def test_few_users_with_anything_relevant_name_no_best_row_in_rankings() -> None:
    users = np.repeat(np.arange(30), 10)
    values = np.where(users < 7, 5, 2).astype(np.float32)
    (spot,) = find(make_data(values=values)).values()
    assert (spot.kind, spot.hides) == ("too few users with a relevant test item", RANKINGS)
    assert "Only 7 users are asked" in spot.sentence


def test_missing_and_equal_times_are_said() -> None:
    assert set(find(make_data(times=None))) == {"no times"}
    (spot,) = find(make_data(times=np.full(300, 1_000_000_000))).values()
    assert spot.kind == "all times are equal"
    assert "All 300 ratings share one moment, 2001-09-09 01:46:40 UTC" in spot.sentence
    assert spot.hides == []


def test_users_whose_last_second_has_several_ratings_are_counted() -> None:
    data = make_data()
    assert data.ratings.times is not None
    times = data.ratings.times.copy()
    times[9:120:10] = times[8:120:10]  # the last two ratings of the first twelve users
    spot = find(make_data(times=times), "last-out")["the order in time is not known"]
    assert spot.sentence.removeprefix("Split last-out: ").startswith(
        "Of 30 tested users, 12 have ratings of one second"
    )


def test_a_split_by_time_says_what_it_tests_instead_of_what_was_asked() -> None:
    times = np.where(np.arange(300) < 150, 0, 1).astype(np.int64)
    spots = find(make_data(times=times), "kfold", "time")
    assert "50.0% of the ratings are tested where 20.0%" in (
        spots["another share is tested than asked"].sentence
    )
    cold = spots["most test ratings are cold"].sentence
    assert cold.startswith("Split time: 100% of the test ratings")


def test_movielens_has_the_blind_spots_that_were_counted_by_hand(movielens: Dataset) -> None:
    spots = find(movielens, "last-out", "time")
    assert "Of 943 tested users, 415 have" in spots["the order in time is not known"].sentence
    assert "86% of the test" in spots["most test ratings are cold"].sentence
    assert find(movielens) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "last-out"}, "--split last-out: all ratings of made share the moment 2001-09-"),
        ({"split": "time"}, "use kfold or holdout"),
        ({"also_split": "time"}, "--also-split time: all ratings .* leave --also-split out"),
    ],
)
def test_one_moment_is_not_divided_by_time(options: dict[str, str], message: str) -> None:
    data = make_data(times=np.full(300, 1_000_000_000))
    request = Request("table:made.csv", algorithms=("item-mean",), **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        check_request(request).make_cells(data)
