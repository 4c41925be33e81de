"""Ranking metrics, from scores to columns, against trec_eval, recometrics, LightFM and scikit-
learn, user by user.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from lightfm.evaluation import auc_score, precision_at_k, recall_at_k, reciprocal_rank
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import ndcg_score, roc_auc_score

from recbench.adapters.base import Floats
from recbench.benchmarks.evaluation.cell_metrics import find_hits
from recbench.benchmarks.evaluation.questions import Answers, collect_answers
from recbench.benchmarks.metrics.protocols import STANDARD, Evaluation
from recbench.benchmarks.metrics.registry import METRICS
from recbench.datasets import Ratings
from tests.adapters.planted import direct
from tests.benchmarks.evaluation.test_protocols import Fixed, lightfm_with, made, matrix

KS = (1, 5, 10, 40)  # the catalogue has 25 items
BY_TREC = {"P": "precision", "recall": "recall", "success": "hit_rate", "ndcg_cut": "ndcg"}


class Abstaining(Fixed):
    """Scores of which some are NaN."""

    abstains = True


def scenario(seed: int, *, ties: bool, nan: bool = False) -> tuple[Ratings, Ratings, Floats]:
    """`made`, with users who have no relevant test item, and test pairs that stand there twice."""
    train, test, scores = made(seed, ties=ties)
    rng = np.random.default_rng(seed)
    values = np.where(test.users % 5 == 0, np.float32(2), test.values)
    rows = np.concatenate([np.arange(len(test)), rng.integers(0, len(test), 10)])
    test = Ratings(test.users, test.items, values, test.n_users, test.n_items, test.scale).take(
        rows
    )
    if nan:
        scores = np.where(rng.random(scores.shape) < 0.2, np.float32(np.nan), scores)
    return train, test, scores


def by_user(answers: Answers, test: Ratings, name: str, k: int) -> dict[int, float]:
    """A ranking metric of each user who is counted."""
    lists = answers.lists[STANDARD]
    found = METRICS[name].function(find_hits(lists, test), k)
    return dict(zip(lists.users.tolist(), np.asarray(found).tolist(), strict=True))


def relevant(test: Ratings) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for user, item, value in zip(
        test.users.tolist(), test.items.tolist(), test.values.tolist(), strict=True
    ):
        if value >= 4:
            found.setdefault(user, set()).add(item)
    return found


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_lists_have_the_numbers_of_trec_eval(seed: int, ties: bool, nan: bool) -> None:
    """Of the lists that the bench made, so that both have broken ties alike."""
    train, test, scores = scenario(seed, ties=ties, nan=nan)
    answers = collect_answers(Abstaining(scores), train, test, Evaluation(KS), 0, direct)
    lists = answers.lists[STANDARD]
    truth = relevant(test)
    assert lists.users.tolist() == sorted(truth)
    judged = {str(user): {str(item): 1 for item in items} for user, items in truth.items()}
    cutoffs = ",".join(map(str, KS))
    measures = {*(f"{name}.{cutoffs}" for name in BY_TREC), f"map_cut.{cutoffs}", "recip_rank"}
    tops = {
        str(user): {str(item): float(-rank) for rank, item in enumerate(top) if item >= 0}
        for user, top in zip(lists.users.tolist(), lists.top_items.tolist(), strict=True)
    }
    theirs = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(tops)
    for k in KS:
        cut = {user: dict(list(top.items())[:k]) for user, top in tops.items()}
        first = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(cut)
        mine = {name: by_user(answers, test, name, k) for name in ("mrr", "map", *BY_TREC.values())}
        for user, items in truth.items():
            numbers = theirs[str(user)]
            for trec, name in BY_TREC.items():
                assert mine[name][user] == pytest.approx(numbers[f"{trec}_{k}"], abs=1e-9), name
            assert mine["mrr"][user] == pytest.approx(first[str(user)]["recip_rank"], abs=1e-9)
            shrunk = (
                numbers[f"map_cut_{k}"] * len(items) / min(k, len(items))
            )  # trec_eval divides by all relevant
            assert mine["map"][user] == pytest.approx(shrunk, abs=1e-9)


def candidates(train: Ratings, user: int) -> NDArray[np.int64]:
    return np.setdiff1d(np.arange(train.n_items), train.items[train.users == user])


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
@pytest.mark.slow
def test_scores_without_ties_have_scikit_learns_numbers(seed: int) -> None:
    train, test, scores = scenario(seed, ties=False)
    answers = collect_answers(Fixed(scores), train, test, Evaluation(KS), 0, direct)
    for user, items in relevant(test).items():
        asked = candidates(train, user)
        y = np.isin(asked, list(items))
        for k in KS:
            theirs = ndcg_score([y], [scores[user, asked]], k=k)
            assert by_user(answers, test, "ndcg", k)[user] == pytest.approx(theirs, abs=1e-9)
        theirs = roc_auc_score(y, scores[user, asked])
        assert by_user(answers, test, "auc", 1)[user] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_scores_without_ties_have_lightfms_numbers(seed: int) -> None:
    """LightFM counts in float32, so equality ends at 1e-6.

    Its reciprocal rank has no cutoff: k = 25.
    """
    train, test, scores = scenario(seed, ties=False)
    answers = collect_answers(Fixed(scores), train, test, Evaluation((5, 25)), 0, direct)
    model = lightfm_with(scores)
    parts = {
        "test_interactions": matrix(test, 4),
        "train_interactions": matrix(train, 1),
        "num_threads": 1,
    }
    for name, k, theirs in (
        ("precision", 5, precision_at_k(model, k=5, **parts)),
        ("recall", 5, recall_at_k(model, k=5, **parts)),
        ("hit_rate", 5, precision_at_k(model, k=5, **parts) > 0),
        ("mrr", 25, reciprocal_rank(model, **parts)),
        ("auc", 1, auc_score(model, **parts)),
    ):
        mine = list(by_user(answers, test, name, k).values())
        assert mine == pytest.approx(np.asarray(theirs, float).tolist(), abs=1e-6), name


@pytest.fixture
def recometrics() -> Iterator[Callable[..., Any]]:
    if find_spec("recometrics") is None:
        pytest.skip("recometrics is not installed; `make peers` compiles it")
    from recometrics import calc_reco_metrics

    yield calc_reco_metrics


@pytest.mark.parametrize("seed", range(5))
def test_scores_without_ties_have_recometrics_numbers(
    seed: int, recometrics: Callable[..., Any]
) -> None:
    train, test, scores = scenario(seed, ties=False)
    answers = collect_answers(Fixed(scores), train, test, Evaluation((3, 8)), 0, direct)
    parts = [
        csr_matrix(matrix(part, lowest) > 0, dtype=np.float64)
        for part, lowest in ((train, 1), (test, 4))
    ]
    names = {"P": "precision", "TP": "capped_recall", "R": "recall", "TAP": "map", "NDCG": "ndcg"}
    names |= {"Hit": "hit_rate", "RR": "mrr"}
    asked = dict.fromkeys(
        ("trunc_precision", "recall", "trunc_average_precision", "ndcg", "hit", "rr", "roc_auc"),
        True,
    )
    for k in (3, 8):  # it says nothing of users with k candidates or fewer
        theirs = recometrics(
            *parts,
            scores.astype(np.float64),
            np.eye(25),
            k,
            consider_cold_start=True,
            nthreads=1,
            **asked,
        )
        for column, name in {
            **{f"{short}@{k}": name for short, name in names.items()},
            "ROC_AUC": "auc",
        }.items():
            mine = by_user(answers, test, name, k)
            assert list(mine.values()) == pytest.approx(
                theirs[column][list(mine)].tolist(), abs=1e-9
            ), name
