"""Every way to divide ratings: what it promises, on any data."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbench.benchmarks import planning as plan
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.splits.built_in import SPLITS, recommenders
from recbench.benchmarks.splits.folds import (
    OFFICIAL_ORDERS,
    asks_new_users,
    canonical_spec,
    divide,
    is_seeded,
    order_in_time,
    resolve_n_folds,
    rows_of_histories,
)
from recbench.benchmarks.tuning import choose_inner_split
from recbench.datasets import Dataset, Ratings, UsageError
from recbench.datasets.ratings import Catalogue, Provenance, Rows

SPECS = [
    "kfold", "user-kfold", "holdout", "holdout[test=7]", "holdout[test=0.5]", "last-out",
    "last-out[n=3]", "time",
    "time[at=0.5]", "recommenders", "recommenders[train=0.5]", "grown", "filtered",
]  # fmt: skip


OF_NEW_USERS = [
    "new-users", "new-users[given=0.5,share=0.5]", "new-users-by-time[given=2]",
    "liang-2018[users=3]",
]  # fmt: skip


def dataset(n: int, seed: int, n_users: int = 12, n_items: int = 15, times: bool = True) -> Dataset:
    """`n` ratings at times of which many are equal, some pairs rated more than once."""
    rng = np.random.default_rng(seed)
    ratings = Ratings(
        rng.integers(0, n_users, n).astype(np.int32),
        rng.integers(0, n_items, n).astype(np.int32),
        rng.integers(1, 6, n).astype(np.float32),
        n_users,
        n_items,
        (1.0, 5.0),
        rng.integers(0, n, n) * 86_400 if times else None,
    )
    catalogue = Catalogue(("film",) * n_items, (None,) * n_items, ((),) * n_items)
    return Dataset(
        "made", ratings, catalogue, np.arange(n_users), np.arange(n_items), Provenance((), "", "")
    )


def test_every_split_is_tested_here() -> None:
    assert {spec.partition("[")[0] for spec in [*SPECS, *OF_NEW_USERS]} == set(SPLITS)
    assert [spec for spec in [*SPECS, *OF_NEW_USERS] if asks_new_users(spec)] == OF_NEW_USERS


@pytest.mark.parametrize("spec", SPECS)
@given(st.integers(30, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_parts_are_disjoint_exhaustive_and_the_same_again(spec: str, n: int, seed: int) -> None:
    data = dataset(n, seed % 1000)
    n_folds = resolve_n_folds(data, spec, None)
    tested: list[int] = []
    for fold in range(n_folds):
        train, test = divide(data, spec, n_folds, fold, seed)
        assert sorted([*train, *test]) == list(range(n))
        again = divide(data, spec, n_folds, fold, seed)
        assert (train == again[0]).all()
        assert (test == again[1]).all()
        tested += test.tolist()
    if SPLITS[spec.partition("[")[0]].folds == "parts":
        assert sorted(tested) == list(range(n))


@pytest.mark.parametrize("spec", ["kfold", "user-kfold", "holdout", "recommenders"])
def test_another_seed_or_draw_is_another_division(spec: str) -> None:
    data = dataset(200, 0)
    base = divide(data, spec, 2, 0, 0)[1].tolist()
    assert sorted(divide(data, spec, 2, 0, 1)[1]) != sorted(base)
    assert sorted(divide(data, spec, 2, 1, 0)[1]) != sorted(base)


@given(st.integers(30, 300), st.integers(2, 7), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_user_kfold_deals_every_users_ratings_out_evenly(n: int, n_folds: int, seed: int) -> None:
    data = dataset(n, seed)
    counts = np.array(
        [
            np.bincount(
                data.ratings.users[divide(data, "user-kfold", n_folds, fold, seed)[1]], minlength=12
            )
            for fold in range(n_folds)
        ]
    )
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


@given(st.integers(30, 300), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_last_out_leaves_no_users_future_in_the_past(n: int, n_out: int, seed: int) -> None:
    data = dataset(n, seed)
    times = data.ratings.times
    users = data.ratings.users
    assert times is not None
    train, test = divide(data, f"last-out[n={n_out}]", 1, 0, seed)
    left = Counter(users[test].tolist())
    counts = Counter(users.tolist())
    assert left == {user: n_out for user, count in counts.items() if count > n_out}
    for user in left:
        assert times[train[users[train] == user]].max() <= times[test[users[test] == user]].min()


@given(st.integers(30, 300), st.floats(0.05, 0.9), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_time_leaves_nobodys_future_in_the_past(n: int, share: float, seed: int) -> None:
    data = dataset(n, seed)
    times = data.ratings.times
    assert times is not None
    try:
        train, test = divide(data, f"time[at={share}]", 1, 0, seed)
    except UsageError as error:
        assert re.search(
            "leaves no rating in one of its parts: ratings are from 1970-01-0", str(error)
        )
        return
    assert times[train].max() < times[test].min()
    assert len(train) <= share * n


@given(
    st.integers(60, 300),
    st.integers(2, 6),
    st.sampled_from(["0.3", "0.6", "1970-02-15"]),
    st.sampled_from(["", "1d", "20d", "365d"]),
    st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_no_cut_in_time_trains_on_the_future(
    n: int, n_cuts: int, at: str, window: str, seed: int
) -> None:
    """Nor tears a second; the test parts follow each other until the end, and each is tested once.

    The times of the data are days, of which many ratings share one.
    """
    data = dataset(n, seed)
    times = data.ratings.times
    assert times is not None
    spec = f"time[at={at},folds={n_cuts}" + (f",window={window}]" if window else "]")
    try:
        folds = [divide(data, spec, n_cuts, fold, seed) for fold in range(n_cuts)]
    except UsageError as error:
        assert "leaves no rating in one of its parts: ratings are from 1970-01-0" in str(error)
        return
    assert resolve_n_folds(data, spec, None) == n_cuts
    before: set[int] = set()
    for train, test in folds:
        assert times[train].max() < times[test].min()
        for part in (train, test):
            torn = np.isin(times, times[part])
            assert set(np.flatnonzero(torn)) == set(part), "a second is in one part or in none"
        if window:
            seconds = int(window[:-1]) * 86_400
            is_dated = at.startswith("1970") and test is folds[0][1]
            cut = 45 * 86_400 if is_dated else times[test].min()  # on which nobody need have rated
            between = (times >= cut - seconds) & (times < cut)
            assert set(np.flatnonzero(between)) == set(train)
        else:
            assert set(train) == set(np.flatnonzero(times < times[test].min()))
            assert before <= set(train)
        before |= set(test.tolist())
    assert before == set(np.flatnonzero(times >= times[folds[0][1]].min()))
    assert sum(len(test) for _, test in folds) == len(before)


def test_cuts_in_time_hold_as_many_ratings_each() -> None:
    data = dataset(400, 1)
    data = replace(data, ratings=replace(data.ratings, times=np.arange(400)[::-1].copy()))
    folds = [divide(data, "time[at=0.5,folds=4]", 4, fold, 0) for fold in range(4)]
    assert [len(train) for train, _ in folds] == [200, 250, 300, 350]
    assert [len(test) for _, test in folds] == [50] * 4
    window = [len(divide(data, "time[at=0.5,folds=2,window=1d]", 2, fold, 0)[0]) for fold in (0, 1)]
    assert window == [200, 300]
    one, cut = (divide(data, spec, 1, 0, 0) for spec in ("time[at=0.5]", "time[at=0.5,folds=1]"))
    assert (one[0] == cut[0]).all() and (one[1] == cut[1]).all()


def test_time_takes_a_date() -> None:
    data = dataset(100, 0)
    train, test = divide(data, "time[at=1970-02-01]", 1, 0, 0)
    assert data.ratings.times is not None
    assert data.ratings.times[train].max() < 31 * 86_400 <= data.ratings.times[test].min()


def test_holdout_takes_the_end_of_the_shuffle() -> None:
    data = dataset(100, 0)
    rows = np.arange(100)
    np.random.RandomState(5).shuffle(rows)
    train, test = divide(data, "holdout[test=0.1]", 1, 0, 5)
    assert (train.tolist(), test.tolist()) == (rows[:90].tolist(), rows[90:].tolist())
    assert len(divide(data, "holdout[test=3]", 1, 0, 5)[1]) == 3


def test_recommenders_is_microsofts_row_for_row(movielens: Dataset) -> None:
    """Their python_stratified_split, in their words: rank a random column inside each item."""
    frame = pd.DataFrame({"item": movielens.ratings.items})
    np.random.seed(42)
    frame["random"] = np.random.rand(len(frame))
    frame = frame.sort_values(["item", "random"])
    frame["rank"] = frame.groupby("item").cumcount() + 1
    limit = (0.75 * frame.groupby("item")["rank"].transform("count")).round()
    train, test = recommenders(movielens.ratings, 1, 0, 42)
    assert train.tolist() == frame.index[frame["rank"] <= limit].tolist()
    assert (len(train), len(test)) == (75_066, 24_934)  # as published


@pytest.mark.parametrize(
    ("spec", "folds", "message"),
    [
        ("kfolds", None, "unknown split 'kfolds'. Did you mean 'kfold'"),
        ("holdout[test=0]", None, "greater than 0"),
        (
            "holdout[test=100]",
            None,
            "no rating is left for the training part of fold 0 (seed 0) of the 100 ratings",
        ),
        ("holdout[test=5000]", None, "no rating is left for the training part"),
        ("holdout[test=0.001]", None, "no rating is left for the test part"),
        ("last-out[n=500]", None, "no rating is left for the test part of fold 0"),
        ("recommenders[train=0.001]", None, "no rating is left for the training part"),
        ("recommenders[train=0.999]", None, "no rating is left for the test part"),
        ("user-kfold", 60, "no rating is left for the test part of fold"),
        ("empty", None, "no rating is left for the test part of fold 1"),
        ("full", None, "no rating is left for the training part of fold 0"),
        ("holdout[part=1]", None, "unknown parameter of split holdout"),
        ("holdout[seed=1]", None, "use --folds and --seed"),
        ("time[at=tomorrow]", None, "expected a share between 0 and 1, or a date"),
        ("time[at=1.5]", None, "expected a share between 0 and 1, or a date"),
        ("time[at=2100-01-01]", None, "leaves no rating in one of its parts"),
        ("liang-2018", None, "expected more than 20,000 users with at least 5 likes, got "),
        ("time", 3, "has 1; leave --folds out"),
        ("time[folds=4]", 3, "has 4; leave --folds out"),
        ("time[folds=0]", None, "greater than or equal to 1"),
        ("time[folds=90]", None, "time[at=0.8,folds=90] leaves no rating in one of its parts"),
        ("time[window=365]", None, "window=365: expected a number of days, such as 365d"),
        ("time[window=0d]", None, "expected a number of days"),
        ("kfold", 1, "expected 2 to 100"),
        ("kfold", 101, "expected 2 to 100"),
        ("recommenders[train=1]", None, "less than 1"),
        ("new-users[share=1]", None, "less than 1"),
        ("new-users[share=0.001]", None, "no rating is left for the test part of fold 0"),
        ("new-users[given=5]", None, "less than 1"),
        ("new-users-by-time[at=1.5]", None, "at=1.5: expected a share between 0 and 1, or a date"),
        ("new-users-by-time[given=50]", None, "leaves nobody to learn from or nobody to ask"),
        ("new-users-by-time[at=1960-01-01]", None, "leaves nobody to learn from"),
        ("new-users-by-time", 2, "has 1; leave --folds out"),
    ],
)
def test_what_cannot_be_divided_is_refused(spec: str, folds: int | None, message: str) -> None:
    official = {"empty": (np.arange(5), np.arange(0)), "full": (np.arange(100),)}
    data = replace(dataset(100, 0), splits=official)
    with pytest.raises(UsageError, match=re.escape(message)):
        planned(data, spec, folds)


def planned(data: Dataset, spec: str, folds: int | None = None, repeats: int = 1) -> list[Cell]:
    """The cells of one row, as a run would plan them."""
    how = plan.Design(
        canonical_spec(spec),
        resolve_n_folds(data, canonical_spec(spec), folds),
        0,
        Evaluation(),
        repeats=repeats,
    )
    return plan.plan_cells(data, plan.parse_rows(["item-mean"]), how)


def test_an_empty_fold_of_any_repeat_is_refused() -> None:
    """Of two ratings of two users, one seed puts one into each fold, another one both into the
    same.
    """
    data = dataset(2, 3, n_users=2)
    seen = set()
    assert len(set(data.ratings.users.tolist())) == 2
    for seed in range(20):
        seen.add(tuple(len(divide(data, "user-kfold", 2, fold, seed)[1]) for fold in (0, 1)))
    assert seen == {(1, 1), (2, 0), (0, 2)}
    with pytest.raises(UsageError, match="no rating is left for the"):
        planned(data, "user-kfold", 2, repeats=20)


@pytest.mark.parametrize(
    ("spec", "seeded"), [("kfold", True), ("holdout", True), ("time", False), ("ua", False)]
)
def test_only_splits_that_go_by_a_seed_are_repeated(spec: str, seeded: bool) -> None:
    cells = planned(replace(dataset(100, 0), splits={"ua": (np.arange(9),)}), spec, repeats=3)
    assert len({cell.seed for cell in cells}) == 3
    assert len({cell.split_seed for cell in cells}) == (3 if seeded else 1)
    assert len({cell.key for cell in cells}) == len(cells)
    assert is_seeded(spec) == seeded


def test_what_a_split_does_with_time_is_declared(movielens: Dataset) -> None:
    said = {
        "kfold": "none",
        "user-kfold": "none",
        "holdout[test=7]": "none",
        "last-out[n=3]": "user",
        "time": "all",
        "new-users": "none",
        "new-users-by-time": "all",
    }
    assert {spec: order_in_time(spec) for spec in said} == said
    assert order_in_time("somebodys-own") is None
    assert not is_seeded("ua")
    assert set(movielens.splits) <= {
        spec for spec in OFFICIAL_ORDERS if order_in_time(spec) == "none"
    }
    times = movielens.ratings.times
    users = movielens.ratings.users
    assert times is not None
    for name in movielens.splits:
        train, test = divide(movielens, name, 1, 0, 0)
        latest = np.zeros(movielens.ratings.n_users, np.int64)
        np.maximum.at(latest, users[train], times[train])
        assert np.mean(times[test] < latest[users[test]]) > 0.5, (
            "random: most have a future that is trained on"
        )


def test_ratings_without_times_cannot_be_divided_by_them() -> None:
    for spec in ("time", "last-out"):
        with pytest.raises(UsageError, match="have no times"):
            resolve_n_folds(dataset(100, 0, times=False), spec, None)


def test_official_splits_have_the_folds_they_come_with(movielens: Dataset) -> None:
    assert resolve_n_folds(movielens, "ua", None, 5) == 1
    with pytest.raises(UsageError, match="has 1; leave --folds out"):
        resolve_n_folds(movielens, "ua", 3)
    train, test = divide(movielens, "ua", 1, 0, 0)
    assert (len(train), len(test)) == (90_570, 9_430)


def test_specs_have_one_form() -> None:
    assert canonical_spec("holdout[ test = .2 ]") == "holdout[test=0.2]"
    assert canonical_spec("kfold") == "kfold"


# Users held out whole


def three_parts(
    data: Dataset, spec: str, fold: int, seed: int, inner: str = ""
) -> tuple[list[int], list[int], list[int]]:
    train, test = divide(data, spec, 3, fold, seed, inner)
    history = rows_of_histories(data, spec, 3, fold, seed, inner)
    return train.tolist(), test.tolist(), history.tolist()


@given(st.integers(30, 300), st.floats(0.1, 0.9), st.floats(0.05, 0.95), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
@pytest.mark.slow
def test_new_users_are_held_out_whole(n: int, share: float, told: float, seed: int) -> None:
    data = dataset(n, seed)
    users = data.ratings.users
    spec = f"new-users[given={told},share={share}]"
    train, test, history = three_parts(data, spec, 1, seed)
    assert sorted(train + test + history) == list(range(n))
    assert not set(users[train]) & set(users[test + history])
    counts = np.bincount(users, minlength=12)
    held_out = np.unique(users[test])
    assert len(held_out) == round(share * (counts > 1).sum())
    assert set(held_out) == set(users[history])  # at least one is told of each, and one tested
    for user in held_out:
        expected = min(max(round(told * counts[user]), 1), counts[user] - 1)
        assert (users[history] == user).sum() == expected
    assert three_parts(data, spec, 1, seed) == (train, test, history)
    others = three_parts(data, spec, 1, seed + 1), three_parts(data, spec, 2, seed)
    assert n < 100 or all(other != (train, test, history) for other in others)


@given(st.integers(60, 300), st.integers(1, 5), st.floats(0.2, 0.8), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_who_appears_after_the_moment_is_new(n: int, told: int, share: float, seed: int) -> None:
    data = dataset(n, seed, n_users=60)
    users = data.ratings.users
    times = data.ratings.times
    assert times is not None
    spec = f"new-users-by-time[at={share},given={told}]"
    try:
        train, test, history = three_parts(data, spec, 0, seed)
    except UsageError as error:
        assert "leaves nobody to learn from or nobody to ask" in str(error)
        return
    later = times[test + history]
    assert times[train].max() < later.min()
    assert set(train) == set(np.flatnonzero(times <= times[train].max()).tolist())
    assert not set(users[train]) & set(users[test + history])
    for user in np.unique(users[test]):
        mine = [rows for rows in (history, test) if (users[rows] == user).any()]
        assert len(mine) == 2
        first = [row for row in history if users[row] == user]
        assert len(first) == told
        assert times[first].max() <= min(times[row] for row in test if users[row] == user)
        assert sorted([*first, *[row for row in test if users[row] == user]]) == (
            np.flatnonzero(users == user).tolist()
        )


@pytest.mark.parametrize("spec", OF_NEW_USERS)
def test_a_validation_group_is_held_out_of_the_training_users(spec: str) -> None:
    mixed = dataset(600, 3, n_users=60).ratings
    # users come one after the other, so that there are new ones at any time
    data = replace(
        dataset(600, 3, n_users=60),
        ratings=replace(mixed, times=mixed.users * 10**6 + np.arange(600)),
    )
    users = data.ratings.users
    inner = choose_inner_split(spec, "order")
    outer_train, outer_test, outer_history = three_parts(data, spec, 0, 7)
    train, test, history = three_parts(data, spec, 0, 7, inner)
    assert set(train + test + history) <= set(outer_train)
    assert test and history and train
    assert not set(users[test + history]) & set(users[train + outer_test + outer_history])


def test_a_held_out_users_rating_in_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one of the test part that is told: canaries for every split of new users, ours or not."""
    data = dataset(300, 0)
    good = SPLITS["new-users"]

    def leak_into_training(*arguments: object, **parameters: object) -> tuple[Rows, ...]:
        train, test, history = good.divide(*arguments, **parameters)
        return np.append(train, history[0]), test, history[1:]

    def leak_into_histories(*arguments: object, **parameters: object) -> tuple[Rows, ...]:
        train, test, history = good.divide(*arguments, **parameters)
        return train, test, np.append(history, test[0])

    def tell_nothing(*arguments: object, **parameters: object) -> tuple[Rows, ...]:
        train, test, history = good.divide(*arguments, **parameters)
        return np.concatenate([train, history]), test, history[:0]

    for broken, message in [
        (leak_into_training, "1 ratings of users who are held out are in the training part"),
        (tell_nothing, "ratings of users who are held out are in the training part"),
        (leak_into_histories, "1 ratings of the test part are in a history"),
    ]:
        monkeypatch.setitem(SPLITS, "new-users", replace(good, divide=broken))
        for inner in ("", "new-users"):
            with pytest.raises(RuntimeError, match=message):
                divide(data, "kfold" if inner else "new-users", 2, 0, 0, inner)
