"""How fast recommendations become metrics, as ratios to others in one run; for `make speed`."""

from importlib.util import find_spec

import numpy as np
import pytest
from lightfm import LightFM
from lightfm.evaluation import precision_at_k
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices
from recbench.benchmarks.evaluation.cell_metrics import find_hits
from recbench.benchmarks.evaluation.questions import collect_answers
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.metrics.registry import METRICS
from recbench.benchmarks.splits.folds import divide
from recbench.datasets import Dataset, Ratings
from tests.adapters.planted import direct
from tests.benchmarks.evaluation.test_protocols import Fixed, matrix
from tests.proof.speed import print_processor, race

ALL = Evaluation((5, 10, 20))


class Factors(Fixed):
    """Scores as products of factors."""

    def __init__(self, users: Floats, items: Floats) -> None:
        self.__dict__["name"] = "factors"  # no adapter, so its class has none
        self.users_ = users
        self.items_ = items

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.asarray(np.einsum("jf,jf->j", self.users_[users], self.items_[items]))

    def score_items(self, users: Indices) -> Floats:
        return np.asarray(self.users_[users] @ self.items_.T)


def ours(algorithm: Fixed, train: Ratings, test: Ratings) -> None:
    """All ranking metrics at three cutoffs for all users, from scores in blocks."""
    answers = collect_answers(algorithm, train, test, ALL, 0, direct)
    recommendations = find_hits(answers.lists["standard"], test)
    for metric in METRICS.values():
        if metric.kind == "ranking":
            for _, k in metric.columns(ALL.ks):
                metric.function(recommendations, k)


def test_all_metrics_take_at_most_two_thirds_of_lightfms_precision(
    benchmark: BenchmarkFixture, movielens: Dataset
) -> None:
    """On ML-100k, of the same model, for the same users: everything here against one metric
    there.
    """
    train, test = (movielens.ratings.take(rows) for rows in divide(movielens, "ua", 1, 0, 0))
    train_matrix = matrix(train, 1)
    test_matrix = matrix(test, 1)
    model = LightFM(no_components=20, random_state=0).fit(train_matrix, epochs=1)
    algorithm = Factors(model.user_embeddings, model.item_embeddings)
    ours(algorithm, train, test)  # compiles
    benchmark.pedantic(ours, (algorithm, train, test))  # type: ignore[no-untyped-call]
    contestants = {
        "ours": lambda: ours(algorithm, train, test),
        "theirs": lambda: precision_at_k(model, test_matrix, train_matrix, k=10, num_threads=1),
    }
    found = race(contestants, rounds=7)
    mine = found["ours"]
    theirs = found["theirs"]
    print_processor()
    print(
        f"ML-100k: all metrics at 3 cutoffs {mine:.3f} s, precision_at_k {theirs:.3f} s: "
        f"{mine / theirs:.2f} of it"
    )
    assert mine <= theirs * 2 / 3


def test_all_metrics_take_at_most_two_thirds_of_recometrics(benchmark: BenchmarkFixture) -> None:
    """20,000 users and 5,000 items, 50 factors, one thread, every metric that both have, all
    cutoffs up to 20.
    """
    if find_spec("recometrics") is None:
        pytest.skip("recometrics is not installed; `make peers` compiles it")
    from recometrics import calc_reco_metrics

    rng = np.random.default_rng(0)
    n_users = 20_000
    n_items = 5_000
    users = np.repeat(np.arange(n_users, dtype=np.int32), 60)
    items = rng.integers(0, n_items, len(users)).astype(np.int32)
    pairs = np.unique(users.astype(np.int64) * n_items + items)
    rng.shuffle(pairs)
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_items))
    ratings = Ratings(
        users, items, np.full(len(users), 5, np.float32), n_users, n_items, (1.0, 5.0)
    )
    n_train = 5 * len(ratings) // 6
    train = ratings.take(np.arange(n_train))
    test = ratings.take(np.arange(n_train, len(ratings)))
    A, B = (rng.normal(size=(n, 50)).astype(np.float32) for n in (n_users, n_items))
    algorithm = Factors(A, B)
    benchmark.pedantic(ours, (algorithm, train, test))  # type: ignore[no-untyped-call]
    matrices = [csr_matrix(matrix(part, 1), dtype=np.float32) for part in (train, test)]
    metrics = dict.fromkeys(
        ("precision", "recall", "average_precision", "ndcg", "hit", "rr", "roc_auc"), True
    )
    others = dict.fromkeys(("trunc_precision", "trunc_average_precision", "pr_auc"), False)
    contestants = {
        "ours": lambda: ours(algorithm, train, test),
        "theirs": lambda: calc_reco_metrics(
            *matrices, A, B, 20, None, False, cumulative=True, nthreads=1, **metrics, **others
        ),
    }
    found = race(contestants, rounds=2)
    mine = found["ours"]
    theirs = found["theirs"]
    print_processor()
    print(
        f"20,000 x 5,000: all metrics {mine:.2f} s, recometrics {theirs:.2f} s: "
        f"{mine / theirs:.2f} of it"
    )
    assert mine <= theirs * 2 / 3
