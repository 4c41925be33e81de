"""Rows that are as good as each other are a tie, whatever the last digits of their means are."""

import numpy as np
from scipy.stats import rankdata

from recbench.benchmarks.certainty import bootstrap_users, level_ties
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.metrics import find_metric


def test_only_what_rounding_tells_apart_is_levelled() -> None:
    third = 0.1 + 0.2
    losses = np.array([0.30001, third, 0.3, np.nan, 0.0, 1e-16, np.inf, -0.3, np.inf])
    levelled = level_ties(losses)
    assert levelled[1] == levelled[2] == 0.3 and levelled[0] == 0.30001
    assert levelled[4] == levelled[5] == 0.0
    assert np.isnan(levelled[3]) and levelled[7] == -0.3 and np.isinf(levelled[[6, 8]]).all()
    assert level_ties([]).size == 0 and level_ties([0.5]).tolist() == [0.5]


def test_each_column_is_levelled_by_itself() -> None:
    losses = np.array([[0.3, 2.0], [0.1 + 0.2, 1.0], [0.4, 1.0 + 1e-15]])
    assert rankdata(level_ties(losses), axis=0).tolist() == [[1.5, 3], [1.5, 1.5], [3, 1.5]]


def test_two_rows_with_the_same_hits_share_their_ranks_in_every_draw() -> None:
    """The same shares, which another order of adding would round otherwise."""
    rng = np.random.default_rng(0)
    sums = rng.choice([0.1, 0.2, 0.3, 0.7], (1, 60))
    noisy = sums * (1 + 1e-15)
    weights = np.ones((1, 60))
    rows = [UserShares(values, weights) for values in (noisy, sums, 0.5 * sums)]
    draws = bootstrap_users(find_metric("ndcg@10"), rows, n_draws=200)

    assert draws.values[0] != draws.values[1]
    assert draws.best_row == 0
    assert draws.chance_of_first.tolist() == [0.5, 0.5, 0.0]
    assert draws.rank_interval(0) == draws.rank_interval(1) == (1, 2)
    assert rankdata(draws.losses_of_values).tolist() == [1.5, 1.5, 3.0]
