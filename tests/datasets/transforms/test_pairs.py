"""Duplicate pairs, filters and reindexing, against the plainest code that does the same."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbench.datasets import Ratings, UsageError
from recbench.datasets.transforms.duplicates import Policy, resolve_duplicates
from recbench.datasets.transforms.filters import compact, min_ratings

Row = tuple[int, int, int]  # user, item, rating
N_USERS = 7
N_ITEMS = 5
tables = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(1, 5)),
    max_size=40,
)
thresholds = st.integers(0, 6)


def ratings_of(rows: list[Row]) -> Ratings:
    users, items, values = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    )
    return Ratings(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array(values, np.float32),
        N_USERS,
        N_ITEMS,
        (1, 5),
        np.arange(
            len(rows), dtype=np.int64
        ),  # the row's place, so that order and times can be followed
    )


def rows_of(ratings: Ratings) -> list[tuple[int, int, float, int]]:
    assert ratings.times is not None
    columns = (ratings.users, ratings.items, ratings.values, ratings.times)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(tables)
def test_the_last_rating_of_a_pair_stays_in_its_place(rows: list[Row]) -> None:
    resolved, step = resolve_duplicates(ratings_of(rows), "last", str)
    last = {(user, item): place for place, (user, item, _) in enumerate(rows)}
    assert rows_of(resolved) == [(*rows[place], place) for place in sorted(last.values())]
    assert (step is None) == (len(last) == len(rows))
    if step:
        assert (step.before["ratings"], step.after["ratings"]) == (len(rows), len(last))
        assert step.before["users"] == step.after["users"] == len({user for user, _, _ in rows})


@given(tables)
def test_the_mean_of_a_pair_takes_the_place_of_its_last_rating(rows: list[Row]) -> None:
    resolved, _ = resolve_duplicates(ratings_of(rows), "mean", str)
    found: dict[tuple[int, int], list[int]] = {}
    for user, item, value in rows:
        found.setdefault((user, item), []).append(value)
    last, _ = resolve_duplicates(ratings_of(rows), "last", str)
    means = [float(np.float32(np.mean(found[user, item]))) for user, item, _, _ in rows_of(last)]
    assert rows_of(resolved) == [
        (u, i, mean, t) for (u, i, _, t), mean in zip(rows_of(last), means, strict=True)
    ]


@given(tables)
def test_a_second_rating_of_a_pair_can_be_an_error(rows: list[Row]) -> None:
    pairs = [row[:2] for row in rows]
    again = next((place for place, pair in enumerate(pairs) if pair in pairs[:place]), None)
    if again is None:
        assert resolve_duplicates(ratings_of(rows), "error", str)[1] is None
    else:
        before = max(place for place in range(again) if pairs[place] == pairs[again])
        with pytest.raises(UsageError, match=rf"^line {again}: .* in line {before}, "):
            resolve_duplicates(ratings_of(rows), "error", lambda row: f"line {row}")


@pytest.mark.parametrize("policy", ["last", "mean"])
@given(rows=tables)
def test_resolving_twice_changes_nothing(policy: Policy, rows: list[Row]) -> None:
    once, _ = resolve_duplicates(ratings_of(rows), policy, str)
    twice, step = resolve_duplicates(once, policy, str)
    assert step is None
    assert rows_of(twice) == rows_of(once)


@given(tables, thresholds, thresholds)
def test_min_ratings_counts_before_it_drops(rows: list[Row], per_item: int, per_user: int) -> None:
    kept, step = min_ratings(ratings_of(rows), per_item=per_item, per_user=per_user)
    users = Counter(row[0] for row in rows)
    items = Counter(row[1] for row in rows)
    expected = [
        (*r, k) for k, r in enumerate(rows) if items[r[1]] > per_item and users[r[0]] > per_user
    ]
    assert rows_of(kept) == expected
    assert step.after == {
        "users": len({row[0] for row in expected}),
        "items": len({row[1] for row in expected}),
        "ratings": len(expected),
    }


@given(tables)
def test_reindexing_keeps_every_rating_and_its_raw_ids(rows: list[Row]) -> None:
    user_ids = np.arange(100, 100 + N_USERS)
    item_ids = np.array(list("abcde"))
    ratings = ratings_of(rows)
    compacted, kept_users, kept_items = compact(ratings, user_ids, item_ids)
    assert kept_users[compacted.users].tolist() == user_ids[ratings.users].tolist()
    assert kept_items[compacted.items].tolist() == item_ids[ratings.items].tolist()
    assert compacted.values.tolist() == ratings.values.tolist()
    assert sorted(set(compacted.users.tolist())) == list(range(compacted.n_users)), (
        "dense: every index is used"
    )
    assert sorted(set(compacted.items.tolist())) == list(range(compacted.n_items))
    assert kept_users.tolist() == sorted(kept_users.tolist()), "ascending ids stay ascending"
