"""Draws that are made together, against the same draws one by one, as the paper has them."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recbench.adapters.factorisation.bpr import DRAWN_TOGETHER, _contains, _make_descent
from recbench.datasets.foundation import compile_lazily

N_USERS = 9  # so few that the draws of a bundle touch the same rows again and again
N_ITEMS = 12


@compile_lazily(fastmath={"reassoc", "contract", "nsz", "arcp"})
def descend_one_by_one(
    users: Any, items: Any, liked: Any, P: Any, Q: Any, biases: Any, n_epochs: int, seed: int
) -> None:
    np.random.seed(seed)
    rate = np.float32(0.05)
    decay = np.float32(0.01)
    n_likes = len(users)
    for _ in range(n_epochs * n_likes):
        like = np.random.randint(0, n_likes)
        j = np.random.randint(0, len(Q))
        u = users[like]
        i = items[like]
        if liked[u, j]:
            continue

        margin = biases[i] - biases[j]
        for f in range(P.shape[1]):
            margin += P[u, f] * (Q[i, f] - Q[j, f])
        pull = np.float32(1 / (1 + np.exp(margin)))
        for f in range(P.shape[1]):
            p = P[u, f]
            q_i = Q[i, f]
            q_j = Q[j, f]
            P[u, f] += rate * (pull * (q_i - q_j) - decay * p)
            Q[i, f] += rate * (pull * p - decay * q_i)
            Q[j, f] += rate * (-pull * p - decay * q_j)
        biases[i] += rate * (pull - decay * biases[i])
        biases[j] += rate * (-pull - decay * biases[j])


@pytest.mark.parametrize("n_factors", [1, 5, 16, 17, 50])
@pytest.mark.parametrize("n_epochs", [1, 7], ids=["less than once together", "thrice and some"])
def test_draws_made_together_move_as_draws_one_by_one(n_factors: int, n_epochs: int) -> None:
    rng = np.random.default_rng(2)
    liked = rng.random((N_USERS, N_ITEMS)) < 0.4
    liked[0] = True  # draws of this user teach nothing
    likes = csr_matrix(liked.astype(np.float32))
    users = np.repeat(np.arange(N_USERS, dtype=np.int32), np.diff(likes.indptr))
    assert likes.nnz < DRAWN_TOGETHER
    assert 7 * likes.nnz > 3 * DRAWN_TOGETHER
    assert 7 * likes.nnz % DRAWN_TOGETHER

    P = rng.normal(size=(N_USERS, n_factors)).astype(np.float32)
    Q = rng.normal(size=(N_ITEMS, n_factors)).astype(np.float32)
    biases = np.zeros(N_ITEMS, np.float32)
    one_by_one = (P.copy(), Q.copy(), biases.copy())
    descend_one_by_one(users, likes.indices, liked, *one_by_one, n_epochs, 3)

    before = P.copy()
    known = (likes.indptr, likes.indices)
    rates = (np.float32(0.05), np.float32(0.01))
    descend = _make_descent()
    descend(users, likes.indices, *known, P, Q, biases, n_epochs, *rates, 3)

    assert np.abs(P - before).max() > 0.01
    for found, expected in zip((P, Q, biases), one_by_one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_bisection_finds_what_is_there_and_nothing_else() -> None:
    ascending = np.array([9, 1, 4, 6, 7, 0], np.int32)  # from 1 to 5 one user's
    for start, stop in ((1, 5), (1, 4), (2, 3), (3, 3)):
        inside = set(ascending[start:stop].tolist())
        found = {item for item in range(-1, 11) if _contains(ascending, start, stop, item)}
        assert found == inside
