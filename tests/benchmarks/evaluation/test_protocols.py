"""Ranking under every protocol against slow definitions, and against the libraries whose numbers it
reproduces.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightfm.evaluation import auc_score, precision_at_k, recall_at_k
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.metrics import roc_auc_score

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.benchmarks.evaluation.cell_metrics import compute_metrics, find_hits
from recbench.benchmarks.evaluation.questions import Answers, collect_answers
from recbench.benchmarks.evaluation.ranking import auc_by_user
from recbench.benchmarks.metrics.protocols import (
    PROTOCOLS,
    Evaluation,
    Protocol,
    column_name,
    parse_column,
    protocols_of_columns,
)
from recbench.benchmarks.metrics.registry import find_metric, metric_columns
from recbench.datasets import Ratings, UsageError
from recbench.datasets.ratings import Catalogue
from tests.adapters.planted import direct

NOTHING = Catalogue(("film",) * 25, (None,) * 25, ((),) * 25)


class Fixed(Recommender):
    """Scores that were made elsewhere; no adapter, so its class has no name."""

    def __init__(self, scores: Floats) -> None:
        self.__dict__["name"] = "fixed"  # messages call it so
        self.scores_ = scores

    def fit(self, data: Ratings, seed: int) -> None:
        raise NotImplementedError

    def score(self, users: Indices, items: Indices) -> Floats:
        return self.scores_[users, items]

    def score_items(self, users: Indices) -> Floats:
        return self.scores_[users]

    def predict(self, users: Indices, items: Indices, **kwargs: object) -> Floats:
        """As LightFM asks."""
        return self.scores_[users, items]

    def predict_rank(self, *arguments: object, **kwargs: object) -> None:
        raise NotImplementedError


def made(seed: int, *, ties: bool) -> tuple[Ratings, Ratings, Floats]:
    """A training and a test part that share no pair, and scores of every pair."""
    rng = np.random.default_rng(seed)
    n_users = 15
    n_items = 25
    pairs = rng.choice(n_users * n_items, 200, replace=False)
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_items))
    ratings = Ratings(
        users, items, rng.integers(1, 6, 200).astype(np.float32), n_users, n_items, (1.0, 5.0)
    )
    scores = rng.normal(size=(n_users, n_items)).astype(np.float32)
    return (
        ratings.take(np.arange(120)),
        ratings.take(np.arange(120, 200)),
        np.rint(scores) if ties else scores,
    )


def slow_candidates(protocol: Protocol, user: int, train: Ratings, test: Ratings) -> set[int]:
    def of(part: Ratings, lowest: float) -> set[int]:
        return set(part.items[(part.users == user) & (part.values >= lowest)].tolist())

    everything = set(range(train.n_items))
    if protocol.candidates == "rated":
        return of(test, -1)
    barred = {"unseen": -1.0, "unliked": protocol.threshold(train.scale), "all": 99.0}[
        protocol.candidates
    ]
    return everything - of(train, barred)


@pytest.mark.parametrize("name", PROTOCOLS)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
@pytest.mark.slow
def test_every_protocol_equals_its_slow_definition(
    name: str, seed: int, ties: bool, k: int
) -> None:
    protocol = PROTOCOLS[name]
    train, test, scores = made(seed, ties=ties)
    answers = collect_answers(
        Fixed(scores), train, test, Evaluation((k,), ("standard", name)), 0, direct
    )
    lists = answers.lists[name]
    found = find_hits(lists, test, name)
    relevant_pairs = test.values >= protocol.threshold(test.scale)
    assert lists.users.tolist() == sorted(set(test.users[relevant_pairs].tolist()))
    for row, user in enumerate(lists.users):
        relevant = set(test.items[relevant_pairs & (test.users == user)].tolist())
        candidates = slow_candidates(protocol, int(user), train, test)
        others = candidates - relevant
        liked = candidates & relevant
        mine = scores[user]
        worst = [
            sum(mine[j] >= mine[i] for j in candidates if j != i) for i in liked
        ]  # rank from 0 if all ties lose
        best = [sum(mine[j] > mine[i] for j in candidates) for i in liked]
        hits = found.n_hits(k)[row]
        if protocol.ties == "pessimistic":
            assert hits == sum(rank < k for rank in worst)
        else:
            assert sum(rank < k for rank in worst) <= hits <= sum(rank < k for rank in best)
        if not liked or not others:
            assert np.isnan(found.auc[row])
        elif protocol.ties == "random":
            y = [True] * len(liked) + [False] * len(others)
            assert found.auc[row] == pytest.approx(
                roc_auc_score(y, [mine[i] for i in [*liked, *others]]), abs=1e-12
            )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("five_stars", [False, True])
def test_the_lightfm_protocols_equal_lightfms_own_evaluation(
    masked: bool, ties: bool, five_stars: bool
) -> None:
    name = f"lightfm{'-5-stars' if five_stars else ''}{'-masked' if masked else ''}"
    for seed in range(5):
        train, test, scores = made(seed, ties=ties)
        answers = collect_answers(
            Fixed(scores), train, test, Evaluation((4, 10), ("standard", name)), 0, direct
        )
        found = compute_metrics(
            answers,
            train,
            test,
            NOTHING,
            Evaluation((4, 10), ("standard", name)),
            predicts_ratings=False,
        ).values
        threshold = 5 if five_stars else 1
        train_matrix, test_matrix = (matrix(part, threshold) for part in (train, test))
        model = lightfm_with(scores)
        arguments = {"train_interactions": train_matrix if masked else None, "num_threads": 1}
        for column, theirs in {
            "precision@4": precision_at_k(model, test_matrix, k=4, **arguments),
            "precision@10": precision_at_k(model, test_matrix, k=10, **arguments),
            "recall@10": recall_at_k(model, test_matrix, k=10, **arguments),
            "auc": auc_score(model, test_matrix, **arguments),
        }.items():
            assert found[f"{name}:{column}"] == pytest.approx(
                float(np.mean(theirs, dtype=np.float64)), abs=1e-6
            )


def matrix(ratings: Ratings, threshold: float) -> csr_matrix:
    chosen = ratings.values >= threshold
    columns_ = (ratings.values[chosen], (ratings.users[chosen], ratings.items[chosen]))
    return coo_matrix(columns_, (ratings.n_users, ratings.n_items)).tocsr()


def lightfm_with(scores: Floats) -> object:
    """A LightFM model whose scores are just these: one component per item."""
    from lightfm import LightFM

    n_users, n_items = scores.shape
    model = LightFM(no_components=n_items)
    model._initialize(n_items, n_items, n_users)
    model.user_embeddings = scores
    model.item_embeddings = np.eye(n_items, dtype=np.float32)
    model.user_biases = np.zeros(n_users, np.float32)
    model.item_biases = np.zeros(n_items, np.float32)
    return model


def test_auc_of_nan_scores_ranks_them_last() -> None:
    none = csr_matrix((1, 4), dtype=np.bool_)
    relevant = csr_matrix(np.array([[True, False, False, True]]))
    scores = np.array([[np.nan, 1, 2, 3]], np.float32)
    found: NDArray[np.float64] = auc_by_user(scores, np.zeros(1, np.int32), none, relevant)
    assert found[0] == 0.5


def test_answers_survive_being_written() -> None:
    train, test, scores = made(0, ties=True)
    evaluation = Evaluation((5,), ("standard", "lightfm"))
    answers = collect_answers(Fixed(scores), train, test, evaluation, 0, direct)
    again = Answers.from_arrays(answers.to_arrays(), evaluation.protocols)
    results = [
        compute_metrics(a, train, test, NOTHING, evaluation, predicts_ratings=True).values
        for a in (answers, again)
    ]
    assert results[0] == results[1]
    assert set(results[0]) == set(metric_columns((5,), evaluation.protocols))
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_columns_name_their_protocol() -> None:
    assert parse_column("lightfm:auc") == ("lightfm", "auc")
    assert column_name(*parse_column("recommenders:ndcg@10")) == "recommenders:ndcg@10"
    assert protocols_of_columns(["rmse", "lightfm:auc", "lightfm:precision@5"]) == (
        "standard",
        "lightfm",
    )
    assert find_metric("lightfm:precision@5").name == "precision"
    for bad in ("lightfn:auc", "lightfm:rmse", "auc@10", "lightfm:precision"):
        with pytest.raises(UsageError):
            find_metric(bad)


@pytest.mark.parametrize("share", [1.5, -0.1, float("nan")])
def test_a_threshold_outside_the_scale_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=r"relevant_share .*: expected 0 \(every rating\) to 1"):
        Protocol("too much", relevant_share=share)
