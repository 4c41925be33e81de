"""Duplicate pairs, against the plainest code that does the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbench.datasets import Ratings, UsageError
from recbench.datasets.transforms.duplicates import Policy, resolve_duplicates

Row = tuple[int, int, int]  # user, item, rating
N_USERS = 7
N_ITEMS = 5
tables = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(1, 5)),
    max_size=40,
)


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
