"""Baselines against their definitions, one rating at a time."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from recbench.adapters import create
from recbench.datasets import Ratings
from tests.adapters.planted import EMPTY

VALUES = [
    (0, 0, 5.0),
    (0, 1, 3.0),
    (1, 0, 4.0),
    (1, 2, 1.0),
    (1, 3, 2.0),
    (2, 1, 2.5),
]  # users 3, items 4 unknown
MEAN = float(np.mean([value for _, _, value in VALUES]))


def train() -> Ratings:
    users, items, values = (np.array(column) for column in zip(*VALUES, strict=True))
    return Ratings(
        users.astype(np.int32), items.astype(np.int32), values.astype(np.float32), 4, 5, (0.5, 5.0)
    )


def grid(name: str, **parameters: Any) -> Any:
    algorithm = create(name, parameters)
    algorithm.prepare(train())
    algorithm.fit(algorithm.convert(train(), EMPTY), 0)
    rows = algorithm.score_items(np.arange(4, dtype=np.int32))
    users, items = (np.array(column, np.int32).ravel() for column in np.mgrid[:4, :5])
    np.testing.assert_allclose(algorithm.score(users, items), rows.ravel(), rtol=0, atol=1e-6)
    assert rows.dtype == np.float32
    assert rows.shape == (4, 5)
    return rows


def shrunk(side: int, index: int, damping: float) -> float:
    own = [rating[2] for rating in VALUES if rating[side] == index]
    return (sum(own) + damping * MEAN) / (len(own) + damping) if own else MEAN


@pytest.mark.parametrize("damping", [0.0, 2.5, 1000.0])
def test_means_of_users_and_of_items(damping: float) -> None:
    by_user = [[shrunk(0, user, damping)] * 5 for user in range(4)]
    np.testing.assert_allclose(grid("user-mean", damping=damping), by_user, rtol=1e-6)
    by_item = [[shrunk(1, item, damping) for item in range(5)]] * 4
    np.testing.assert_allclose(grid("item-mean", damping=damping), by_item, rtol=1e-6)


def test_the_weighted_mean_is_the_item_mean_with_damping() -> None:
    np.testing.assert_allclose(grid("weighted-mean", m=7), grid("item-mean", damping=7), rtol=1e-6)


def test_everything_else_that_a_table_starts_with() -> None:
    np.testing.assert_allclose(grid("global-mean"), MEAN, rtol=1e-6)
    np.testing.assert_array_equal(grid("popularity"), [[2, 2, 1, 1, 0]] * 4)
    assert len(np.unique(grid("random"))) == 20


def test_biases_minimise_the_damped_squares() -> None:
    """At the minimum of the sum no bias can be moved: every mean residual, damped, is the bias
    itself.
    """
    rows = grid("user-item-bias", damping_users=1.5, damping_items=0.5, n_epochs=200).astype(
        np.float64
    )
    user_biases = rows[:, 4] - MEAN  # item 4 is unknown and has none, as has user 3
    item_biases = rows[3] - MEAN
    assert user_biases[3] == item_biases[4] == pytest.approx(0, abs=1e-6)
    for side, biases, damping in ((0, user_biases, 1.5), (1, item_biases, 0.5)):
        for index in range(3):
            own = [rating for rating in VALUES if rating[side] == index]
            errors = sum(value - rows[user, item] for user, item, value in own)
            assert errors == pytest.approx(damping * biases[index], abs=1e-4)


def test_more_damping_means_nearer_to_the_mean() -> None:
    distances = [
        np.abs(grid("user-mean", damping=damping) - MEAN).max() for damping in (0, 1, 10, 100)
    ]
    assert all(nearer < farther for farther, nearer in pairwise(distances))
