"""Containers, and names with parameters."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbench.datasets import Ratings, UsageError
from recbench.datasets.foundation.spec import format_spec, parse_spec, pick_name


def small(values: list[float], scale: tuple[float, float] = (1, 5)) -> Ratings:
    n = len(values)
    indices = np.arange(n, dtype=np.int32)
    return Ratings(indices, indices, np.array(values, np.float32), n, n, scale)


def test_columns_are_read_only_and_validated() -> None:
    ratings = small([1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        ratings.values[0] = 5
    with pytest.raises(ValueError, match=r"within \(1, 5\)"):
        small([1, 6])
    with pytest.raises(ValueError, match="float32"):
        replace(ratings, values=np.ones(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="indices from 0 to 1"):
        replace(ratings, n_users=2)
    with pytest.raises(ValueError, match="shape"):
        replace(ratings, items=ratings.items[:2])


def test_take_keeps_order_and_index_space() -> None:
    taken = small([1, 2, 3, 4]).take([2, 0])
    assert taken.values.tolist() == [3, 1]
    assert (taken.n_users, taken.n_items) == (4, 4)
    assert taken.mean == 2


names = st.text("abcdefghij-:/._ ", min_size=1).map(str.strip).filter(bool)
words = st.text("abc_123.", min_size=1)


@given(names, st.dictionaries(words, words, max_size=4))
def test_specs_are_read_back(name: str, parameters: dict[str, str]) -> None:
    assert parse_spec(format_spec(name, parameters)) == (name, parameters)


@pytest.mark.parametrize("spec", ["", "a[b", "a[b]", "a[=1]", "a[b=1,b=2]", "a[b=1][c=2]", "[a=1]"])
def test_malformed_specs_are_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(spec)


def test_an_unknown_name_gets_the_nearest_and_all_valid_ones() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'item-mean'\? Valid: item-mean, random"):
        pick_name("algorithm", "itm-mean", ["random", "item-mean"])
