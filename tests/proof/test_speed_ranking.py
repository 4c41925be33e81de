"""Scoring and ranking a whole catalogue against the limit, for `make speed`.

The limit is one matrix product and one partial sort of each row; a factor model's scores have
biases too, known items are left out, and ties are broken at random.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.sparse import csr_matrix

from recbench.adapters import create
from recbench.adapters.shared.factors import Factorised
from recbench.benchmarks.evaluation.questions import BLOCK_BYTES, DEPTH
from recbench.benchmarks.evaluation.ranking import top_items
from tests.proof.speed import print_processor, race

N_FACTORS = 50
N_KNOWN = 60  # items of each user that are no candidates


def make_model(n_users: int, n_items: int, rng: np.random.Generator) -> Factorised:
    """A model of random factors and biases."""
    model = create("numba-sgd")
    assert isinstance(model, Factorised)
    model.P_ = rng.normal(size=(n_users, N_FACTORS)).astype(np.float32)
    model.Q_ = rng.normal(size=(n_items, N_FACTORS)).astype(np.float32)
    model.mean_ = np.float32(3.5)
    model.user_biases_ = rng.normal(size=n_users).astype(np.float32)
    model.item_biases_ = rng.normal(size=n_items).astype(np.float32)
    return model


@pytest.mark.parametrize(("n_users", "n_items", "rounds"), [(20_000, 500, 5), (100_000, 17_770, 1)])
def test_a_catalogue_takes_at_most_half_as_long_again_as_product_and_partial_sort(
    benchmark: BenchmarkFixture, n_users: int, n_items: int, rounds: int
) -> None:
    rng = np.random.default_rng(0)
    model = make_model(n_users, n_items, rng)
    items = rng.integers(0, n_items, (n_users, N_KNOWN))
    bounds = np.arange(n_users + 1) * N_KNOWN
    known = csr_matrix((np.ones(items.size, bool), items.ravel(), bounds), (n_users, n_items))
    users_in_block = BLOCK_BYTES // (4 * n_items)
    everybody = np.arange(n_users, dtype=np.int32)
    blocks = [
        everybody[start : start + users_in_block] for start in range(0, n_users, users_in_block)
    ]

    def rank() -> None:
        for block in blocks:
            top_items(model.score_items(block), block, known, DEPTH, seed=0)

    def reach_limit() -> None:
        for block in blocks:
            scores = model.P_[block] @ model.Q_.T
            np.argpartition(scores, n_items - DEPTH, axis=1)

    top_items(model.score_items(everybody[:9]), everybody[:9], known, DEPTH, seed=0)  # compiles
    contestants = {"ours": rank, "limit": reach_limit}
    seconds = benchmark.pedantic(race, (contestants, rounds), rounds=1)  # type: ignore[no-untyped-call]
    print_processor()
    ratio = seconds["ours"] / seconds["limit"]
    print(
        f"{n_users:,} x {n_items:,}: scored and ranked in {seconds['ours']:.2f} s, product and "
        f"partial sort {seconds['limit']:.2f} s: {ratio:.2f} times as long"
    )
    assert ratio <= 1.5
