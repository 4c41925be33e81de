"""The containers: columns are checked, read-only, and keep their index space."""

from dataclasses import replace

import numpy as np
import pytest

from recbench.datasets import Ratings


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
