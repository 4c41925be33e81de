"""Splits, ranking and metrics against slow, obvious references."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from surprise import Dataset as SurpriseDataset
from surprise import Reader
from surprise.model_selection import KFold

from recbench.adapters import create
from recbench.benchmarks.evaluation.cell_metrics import compute_metrics, find_hits
from recbench.benchmarks.evaluation.questions import DivergedError, Lists, collect_answers
from recbench.benchmarks.evaluation.ranking import auc_by_user, tie_break, top_items
from recbench.benchmarks.metrics.protocols import Evaluation, Protocol
from recbench.benchmarks.metrics.rankings import precision
from recbench.benchmarks.metrics.registry import RankedHits
from recbench.benchmarks.splits.built_in import kfold
from recbench.datasets import Dataset, Ratings
from recbench.datasets.ratings import Catalogue
from tests.adapters.planted import direct


def random_ratings(n: int, n_users: int, n_items: int, seed: int) -> Ratings:
    rng = np.random.default_rng(seed)
    pairs = rng.choice(n_users * n_items, n, replace=False)
    return Ratings(
        (pairs // n_items).astype(np.int32),
        (pairs % n_items).astype(np.int32),
        rng.integers(1, 6, n).astype(np.float32),
        n_users,
        n_items,
        (1.0, 5.0),
    )


def catalogue(n_items: int) -> Catalogue:
    return Catalogue(("film",) * n_items, (None,) * n_items, ((),) * n_items)


@pytest.mark.parametrize(
    ("n", "folds", "seed"), [(100, 5, 0), (103, 5, 7), (11, 3, 1), (10, 10, 2)]
)
def test_kfold_is_surprises_row_for_row(n: int, folds: int, seed: int) -> None:
    ratings = random_ratings(n, 20, 30, seed)
    reader = Reader(rating_scale=(1, 5))
    data = SurpriseDataset(reader)
    data.raw_ratings = [
        (str(u), str(i), float(row), None)
        for row, (u, i) in enumerate(zip(ratings.users, ratings.items, strict=True))
    ]
    data.construct_trainset = lambda rows: [int(row[2]) for row in rows]
    data.construct_testset = lambda rows: [int(row[2]) for row in rows]
    for fold, (train, test) in enumerate(KFold(folds, random_state=seed).split(data)):
        ours = kfold(ratings, folds, fold, seed)
        assert (ours[0].tolist(), ours[1].tolist()) == (train, test)


@pytest.mark.slow
def test_kfold_of_movielens_has_the_published_check_values(movielens: Dataset) -> None:
    train, test = kfold(movielens.ratings, 5, 0, 0)
    assert test[:8].tolist() == [3582, 60498, 53227, 21333, 3885, 51521, 84261, 10685]
    assert test.sum() == 1000155690
    assert (len(train), len(test)) == (80_000, 20_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("surprise-svd", (0.934, 0.737)),
        ("surprise-baseline-only", (0.944, 0.748)),
        ("surprise-knn-baseline", (0.931, 0.733)),
    ],
)
def test_movielens_gives_the_numbers_of_surprises_readme(
    movielens: Dataset, name: str, published: tuple[float, float]
) -> None:
    found = []
    for fold in range(5):
        train, test = (
            movielens.ratings.take(rows) for rows in kfold(movielens.ratings, 5, fold, 0)
        )
        algorithm = create(name)
        algorithm.prepare(train)
        algorithm.fit(algorithm.convert(train, movielens.catalogue), 0)
        predicted = np.clip(algorithm.score(test.users, test.items).astype(float), 1, 5)
        errors = predicted - test.values
        found.append((np.sqrt(np.mean(errors**2)), np.mean(np.abs(errors))))
    assert np.mean(found, axis=0) == pytest.approx(published, abs=0.001)


@given(st.integers(5, 200), st.integers(2, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_folds_are_disjoint_exhaustive_and_even(n: int, folds: int, seed: int) -> None:
    ratings = random_ratings(n, 20, 30, 0)
    tests = []
    for fold in range(folds):
        train, test = kfold(ratings, folds, fold, seed)
        assert sorted([*train, *test]) == list(range(n))
        tests.append(test)
    assert sorted(np.concatenate(tests)) == list(range(n))
    assert max(map(len, tests)) - min(map(len, tests)) <= 1


def best(
    scores: NDArray[np.float32], users: NDArray[np.int32], seen: csr_matrix, depth: int
) -> NDArray[np.int32]:
    return top_items(scores, users, seen, depth, 3)[0]


@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
@settings(max_examples=100, deadline=None)
def test_top_items_equals_a_full_sort(seed: int, depth: int, with_ties: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(6, 9)).astype(np.float32)
    if with_ties:
        scores = np.rint(scores)
    scores[rng.random(scores.shape) < 0.1] = np.nan
    seen = csr_matrix(rng.random((20, 9)) < 0.3)
    users = rng.choice(20, 6, replace=False).astype(np.int32)
    found = best(scores, users, seen, depth)
    for row, user in enumerate(users):
        candidates = [i for i in range(9) if not seen[user, i]]
        items = [i for i in found[row] if i >= 0]
        assert len(items) == min(depth, len(candidates)) == len(set(items))
        assert set(items) <= set(candidates)
        values = [-math.inf if np.isnan(scores[row, i]) else scores[row, i] for i in range(9)]
        assert [values[i] for i in items] == sorted((values[i] for i in candidates), reverse=True)[
            :depth
        ]


@pytest.mark.parametrize("only_listed", [False, True])
@pytest.mark.parametrize("kind", ["numbers", "ties", "one score", "hardly any"])
@pytest.mark.parametrize("depth", [1, 20, 600, 2_504])
def test_a_large_catalogue_gives_the_lists_and_areas_of_a_full_sort(
    depth: int, kind: str, only_listed: bool
) -> None:
    n_items = 2_503
    rng = np.random.default_rng(depth)
    scores = rng.normal(size=(4, n_items)).astype(np.float32)
    if kind == "ties":
        scores = np.rint(3 * scores)
    if kind == "one score":
        scores[:] = 2
    scores[rng.random(scores.shape) < (0.999 if kind == "hardly any" else 0.1)] = np.nan
    listed = csr_matrix(rng.random((9, n_items)) < 0.3)
    relevant = csr_matrix(rng.random((9, n_items)) < np.array([[0.005, 0.02, 0.2] * 3]).T)
    users = np.array([5, 0, 7, 3], np.int32)

    found, values = top_items(scores, users, listed, depth, 3, only_listed=only_listed)
    areas = auc_by_user(scores, users, listed, relevant, only_listed=only_listed)
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    is_relevant = relevant.toarray()
    for row, user in enumerate(users):
        is_candidate = (listed[user].toarray() > 0).ravel() == only_listed
        candidates = np.flatnonzero(is_candidate)
        ties = [tie_break(3, int(user), int(item)) for item in candidates]
        expected = candidates[np.lexsort((ties, -ranked[row, candidates]))][:depth]
        assert found[row, : len(expected)].tolist() == expected.tolist()
        assert values[row, : len(expected)].tolist() == ranked[row, expected].tolist()
        assert (found[row, len(expected) :] == -1).all()

        liked = ranked[row, is_candidate & is_relevant[user], None]
        others = ranked[row, is_candidate & ~is_relevant[user]]
        area = ((others < liked).mean() + (others <= liked).mean()) / 2
        assert areas[row] == pytest.approx(area, rel=1e-12)


class Remembers:
    """Scores that tell the pair, in one array that is used again and again."""

    name = "remembers"
    abstains = False

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items
        self.asked: list[NDArray[np.int32]] = []

    def score_items(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.zeros((len(users), self.n_items), np.float32)

    def score(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        self.asked.append(users)
        self.scores = getattr(self, "scores", np.empty(99, np.float32))
        self.scores[: len(users)] = users * self.n_items + items
        return self.scores[: len(users)]

    def fold_in(self, ratings: Ratings) -> NDArray[np.float32]:
        return self.score_items(np.arange(ratings.n_users, dtype=np.int32))


def test_pairs_are_asked_user_by_user_and_answered_in_the_order_of_the_test_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recbench.benchmarks.evaluation.questions.BLOCK_PAIRS", 3)
    test = random_ratings(40, 6, 30, 1)
    assert (np.diff(test.users) < 0).any(), "users in no order"
    asked = Remembers(30)
    answers = collect_answers(asked, test, test, Evaluation((5,)), 0, direct)
    assert answers.scores.tolist() == (test.users * 30 + test.items).tolist()
    assert max(map(len, asked.asked)) == 3
    assert (np.diff(np.concatenate(asked.asked)) >= 0).all()


def test_scores_whose_sum_overflows_are_numbers_all_the_same() -> None:
    ratings = random_ratings(40, 6, 30, 1)

    class Huge(Remembers):
        def score_items(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
            return np.full((len(users), self.n_items), 3e38, np.float32)

    class Opposite(Remembers):
        def score_items(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
            scores = super().score_items(users)
            scores[0, :2] = np.inf, -np.inf
            return scores

    collect_answers(Huge(30), ratings, ratings, Evaluation((5,)), 0, direct)
    with pytest.raises(DivergedError, match="2 infinite"):
        collect_answers(Opposite(30), ratings, ratings, Evaluation((5,)), 0, direct)


def test_lists_without_any_item_have_no_hits() -> None:
    ratings = random_ratings(40, 6, 30, 1)
    nothing = np.full((6, 4), -1, np.int32)
    ranks = np.tile(np.arange(4, dtype=np.int32), (6, 1))
    lists = Lists(np.arange(6, dtype=np.int32), nothing, ranks, np.zeros(6))
    assert not find_hits(lists, ratings).hits.any()


def test_ties_depend_on_the_seed_but_not_on_the_order_of_users() -> None:
    scores = np.zeros((50, 30), np.float32)
    seen = csr_matrix((50, 30))
    users = np.arange(50, dtype=np.int32)
    forwards = best(scores, users, seen, 5)
    backwards = best(scores, users[::-1].copy(), seen, 5)
    assert (forwards == backwards[::-1]).all()
    assert (forwards != top_items(scores, users, seen, 5, 4)[0]).any()


def test_a_constant_scorers_precision_is_the_prevalence() -> None:
    n_users = 4000
    n_items = 60
    rng = np.random.default_rng(0)
    relevant = rng.random((n_users, n_items)) < 0.2
    relevant[:, 0] = True
    top = best(
        np.ones((n_users, n_items), np.float32),
        np.arange(n_users, dtype=np.int32),
        csr_matrix((n_users, n_items)),
        10,
    )
    hits = np.take_along_axis(relevant, top, axis=1).astype(np.int64)
    found = precision(RankedHits(hits, relevant.sum(axis=1), np.zeros(n_users)), 10).mean()
    assert found == pytest.approx(relevant.mean(), abs=4 * math.sqrt(0.2 * 0.8 / (n_users * 10)))


@pytest.mark.parametrize("name", ["random", "item-mean", "popularity", "user-item-bias"])
def test_the_evaluator_equals_a_loop_over_users(name: str) -> None:
    ratings = random_ratings(900, 40, 50, 5)
    train, test = (ratings.take(rows) for rows in kfold(ratings, 5, 1, 0))
    evaluation = Evaluation(ks=(3, 10))
    algorithm = create(name)
    algorithm.prepare(train)
    algorithm.fit(algorithm.convert(train, None), 0)  # type: ignore[arg-type]  # baselines ignore the catalogue
    answers = collect_answers(
        algorithm, train, test, evaluation, 3, direct
    )  # the seed that `best` breaks ties with
    found = compute_metrics(
        answers,
        train,
        test,
        catalogue(50),
        evaluation,
        predicts_ratings=algorithm.predicts == "ratings",
    ).values
    precisions = []
    recalls = []
    for user in range(40):
        relevant = {
            int(i)
            for u, i, r in zip(test.users, test.items, test.values, strict=True)
            if u == user and r >= 4
        }
        seen = set(train.items[train.users == user].tolist())
        if relevant:
            scores = algorithm.score_items(np.array([user], np.int32))[0]
            listed = best(scores[None], np.array([user], np.int32), seen_matrix(train), 10)[
                0
            ].tolist()
            assert not seen & set(listed)
            precisions.append(len(relevant & set(listed[:3])) / 3)
            recalls.append(len(relevant & set(listed)) / len(relevant))
    assert found["precision@3"] == pytest.approx(np.mean(precisions))
    assert found["recall@10"] == pytest.approx(np.mean(recalls))
    if algorithm.predicts == "ratings":
        predicted = np.clip(algorithm.score(test.users, test.items).astype(float), 1, 5)
        assert found["rmse"] == pytest.approx(math.sqrt(np.mean((predicted - test.values) ** 2)))
    else:
        assert found["rmse"] is None
        assert found["mae"] is None


def seen_matrix(train: Ratings) -> csr_matrix:
    return csr_matrix(
        (np.ones(len(train)), (train.users, train.items)), (train.n_users, train.n_items)
    )


def test_items_seen_in_training_are_never_recommended_even_if_they_score_best() -> None:
    ratings = random_ratings(900, 40, 50, 6)
    train, test = (ratings.take(rows) for rows in kfold(ratings, 5, 0, 0))
    algorithm = create("popularity")
    algorithm.prepare(train)
    algorithm.fit(train, 0)
    answers = collect_answers(algorithm, train, test, Evaluation(), 0, direct)
    seen = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    lists = answers.lists["standard"]
    shown = {
        (int(u), int(i))
        for u, row in zip(lists.users, lists.top_items, strict=True)
        for i in row
        if i >= 0
    }
    assert shown
    assert not seen & shown


def test_infinite_scores_and_undeclared_nan_are_divergence() -> None:
    ratings = random_ratings(100, 10, 20, 0)
    algorithm = create("global-mean")
    algorithm.prepare(ratings)
    algorithm.fit(ratings, 0)
    for bad in (np.inf, np.nan):
        algorithm.mean_ = np.float32(bad)  # type: ignore[attr-defined]  # what divergence leaves behind
        with pytest.raises(DivergedError):
            collect_answers(algorithm, ratings, ratings, Evaluation(), 0, direct)


def test_no_relevant_test_item_leaves_ranking_metrics_undefined() -> None:
    ratings = random_ratings(100, 10, 20, 0)
    low = ratings.take(np.flatnonzero(ratings.values <= 2))
    algorithm = create("global-mean")
    algorithm.prepare(ratings)
    algorithm.fit(ratings, 0)
    answers = collect_answers(algorithm, ratings, low, Evaluation(), 0, direct)
    found = compute_metrics(
        answers, ratings, low, catalogue(20), Evaluation(), predicts_ratings=True
    ).values
    assert found["precision@10"] is None
    assert found["rmse"] is not None


@pytest.mark.parametrize(
    ("scale", "threshold"), [((1, 5), 4.0), ((0.5, 5), 3.875), ((0, 100), 75), ((-10, 10), 5)]
)
def test_relevance_is_three_quarters_of_the_scale(
    scale: tuple[float, float], threshold: float
) -> None:
    assert Protocol("").threshold(scale) == threshold
