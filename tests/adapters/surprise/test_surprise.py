"""Scores in bulk must be what Surprise itself predicts, pair by pair."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from surprise import Dataset, Reader

from recbench.adapters import available, create
from recbench.adapters.base import Floats, Indices
from recbench.adapters.surprise.base import Converted, SurpriseModel
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY

NAMES = [name for name, adapter in available().items() if adapter.family == "surprise"]
NEIGHBOURS = [name for name in NAMES if "-knn-" in name]
PARAMETERS: list[dict[str, Any]] = [
    {},
    {"biased": True, "n_factors": 3},
    {"biased": False, "n_epochs": 2},
    {"init_mean": 0.1, "lr_all": 0.02, "reg_all": 0.1},
    {"method": "sgd"},
    {"method": "sgd", "n_epochs": 3, "reg": 0.1, "learning_rate": 0.01},
    {"method": "als", "reg_u": 2.0, "reg_i": 3.0},
    {"n_cltr_u": 2, "n_cltr_i": 4},
    {"user_based": False},
    {"k": 2},
    {"k": 3, "user_based": False, "min_support": 2},
    {"similarity": "cosine", "k": 4, "min_k": 4},
    {"similarity": "pearson", "user_based": False, "min_k": 3},
    {"similarity": "pearson", "k": 5, "min_k": 2},
    {"similarity": "pearson_baseline", "shrinkage": 10.0, "min_support": 3},
]


def applies(name: str, parameters: dict[str, Any]) -> bool:
    adapter: Any = available()[name]
    return set(parameters) <= {field.name for field in fields(adapter)}


CASES = [
    (name, parameters) for name in NAMES for parameters in PARAMETERS if applies(name, parameters)
]


def random_ratings(step: float = 1.0, n_rows: int = 500) -> Ratings:
    """Ratings in steps of `step`, some pairs twice, the last users and items of the index space
    without any.
    """
    rng = np.random.default_rng(7)
    users = rng.integers(0, 36, n_rows).astype(np.int32)
    items = (27 * rng.random(n_rows) ** 2).astype(np.int32)
    values = (rng.integers(1, round(5 / step) + 1, n_rows) * step).astype(np.float32)
    return Ratings(users, items, values, 40, 30, (step, 5.0))


def random_pairs(ratings: Ratings, n_pairs: int = 400) -> tuple[Indices, Indices]:
    rng = np.random.default_rng(8)
    users = rng.integers(0, ratings.n_users, n_pairs).astype(np.int32)
    return users, rng.integers(0, ratings.n_items, n_pairs).astype(np.int32)


def prepared(
    name: str, parameters: dict[str, Any], train: Ratings
) -> tuple[SurpriseModel, Converted]:
    adapter = create(name, parameters)
    assert isinstance(adapter, SurpriseModel)
    adapter.prepare(train)
    return adapter, adapter.convert(train, EMPTY)


def fitted(name: str, parameters: dict[str, Any], train: Ratings, seed: int = 0) -> SurpriseModel:
    adapter, data = prepared(name, parameters, train)
    adapter.fit(data, seed)
    return adapter


def surprises_own(train: Ratings) -> Any:
    """The Trainset as Surprise builds it from a table."""
    table = pd.DataFrame({"user": train.users, "item": train.items, "rating": train.values})
    return Dataset.load_from_df(table, Reader(rating_scale=train.scale)).build_full_trainset()


def predicted(algorithm: Any, users: Indices, items: Indices, clip: bool) -> Floats:
    np.random.seed(0)  # for the normal predictor, which draws while it predicts
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    return np.array(
        [algorithm.predict(user, item, clip=clip).est for user, item in pairs], np.float32
    )


def test_all_eleven_are_listed() -> None:
    assert len(NAMES) == 11
    assert len(NEIGHBOURS) == 4


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_scores_are_surprises_predictions(name: str, parameters: dict[str, Any]) -> None:
    train = random_ratings()
    users, items = random_pairs(train)
    adapter = fitted(name, parameters, train)
    library = adapter.make_algorithm(0).fit(surprises_own(train))
    scores = adapter.score(users, items)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, predicted(library, users, items, clip=False), rtol=0, atol=1e-5
    )
    clipped = np.clip(scores, *train.scale)
    np.testing.assert_allclose(
        clipped, predicted(library, users, items, clip=True), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_all_items_are_scored_as_pairs_are(name: str, parameters: dict[str, Any]) -> None:
    train = random_ratings()
    adapter = fitted(name, parameters, train)
    for users in ([39, 3, 3, 17], range(train.n_users), []):
        block = np.array(users, np.int32)
        grid = adapter.score_items(block)
        pairs = adapter.score(
            np.repeat(block, train.n_items), np.tile(np.arange(30, dtype=np.int32), len(block))
        )
        assert grid.shape == (len(block), train.n_items)
        assert grid.dtype == np.float32
        assert np.isfinite(grid).all()
        np.testing.assert_allclose(grid.ravel(), pairs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "step", [1.0, 0.5, 1e-3], ids=["whole", "halves", "more values than ratings"]
)
def test_trainset_is_the_one_surprise_builds(step: float) -> None:
    train = random_ratings(step)
    theirs = surprises_own(train)
    ours = prepared("surprise-svd", {}, train)[1].trainset
    for name in ("ur", "ir", "n_users", "n_items", "n_ratings", "rating_scale", "global_mean"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.all_ratings()) == list(theirs.all_ratings())
    assert {type(value) for _, _, value in ours.all_ratings()} == {float}
    for ids in ("_raw2inner_id_users", "_raw2inner_id_items"):
        assert list(getattr(ours, ids).items()) == list(getattr(theirs, ids).items())


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_scores_and_inputs_stay(name: str) -> None:
    train = random_ratings()
    before = [column.copy() for column in (train.users, train.items, train.values)]
    users, items = random_pairs(train)
    adapter, data = prepared(name, {}, train)
    adapter.fit(data, 3)
    first = adapter.score(users, items)
    adapter.score_items(users)
    np.random.seed(99)
    adapter.fit(data, 3)
    np.testing.assert_array_equal(adapter.score(users, items), first)
    for column, copy in zip((train.users, train.items, train.values), before, strict=True):
        np.testing.assert_array_equal(column, copy)


def textbook_slope_one(train: Ratings, user: int, item: int) -> float:
    """Lemire's scheme with a dictionary per user; the last of two ratings of a pair counts."""
    rated: dict[int, dict[int, float]] = {}
    for u, i, value in zip(
        train.users.tolist(), train.items.tolist(), train.values.tolist(), strict=True
    ):
        rated.setdefault(u, {})[i] = value
    known = {i for ratings in rated.values() for i in ratings}
    if user not in rated or item not in known:
        return train.mean
    deviations = []
    for j in rated[user]:
        both = [
            ratings[item] - ratings[j]
            for ratings in rated.values()
            if item in ratings and j in ratings
        ]
        if both:
            deviations.append(sum(both) / len(both))
    own = rated[user].values()
    return sum(own) / len(own) + (sum(deviations) / len(deviations) if deviations else 0)


@pytest.mark.parametrize("step", [1.0, 0.5, 0.1])
def test_slope_one_is_the_textbooks_on_any_scale(step: float) -> None:
    ratings = random_ratings(step)
    _, once = np.unique(ratings.users * 30 + ratings.items, return_index=True)
    train = ratings.take(np.sort(once))
    users, items = random_pairs(train, 200)
    expected = [
        textbook_slope_one(train, u, i) for u, i in zip(users.tolist(), items.tolist(), strict=True)
    ]
    scores = fitted("surprise-slope-one", {}, train).score(users, items)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


def textbook_co_clustering(
    train: Ratings, n_cltr_u: int, n_cltr_i: int, n_epochs: int, seed: int
) -> Floats:
    """George and Merugu's scheme in plain floats, for all pairs; Surprise's order of random draws
    and of updates.
    """
    known_u = dict.fromkeys(train.users.tolist())
    of_u = train.users
    known_i = dict.fromkeys(train.items.tolist())
    of_i = train.items
    rng = np.random.RandomState(seed)
    cluster_u = np.zeros(train.n_users, int)
    cluster_i = np.zeros(train.n_items, int)
    cluster_u[list(known_u)] = rng.randint(n_cltr_u, size=len(known_u))
    cluster_i[list(known_i)] = rng.randint(n_cltr_i, size=len(known_i))
    r = train.values.astype(float)

    def mean(rows: Any) -> float:
        return float(r[rows].mean()) if rows.any() else train.mean

    mean_u = np.array([mean(of_u == u) for u in range(train.n_users)])
    mean_i = np.array([mean(of_i == i) for i in range(train.n_items)])
    for epoch in range(n_epochs + 1):
        a = cluster_u[of_u]
        b = cluster_i[of_i]
        both = np.array(
            [[mean((a == g) & (b == h)) for h in range(n_cltr_i)] for g in range(n_cltr_u)]
        )
        average_u = np.array([mean(a == g) for g in range(n_cltr_u)])
        average_i = np.array([mean(b == h) for h in range(n_cltr_i)])
        if epoch == n_epochs:
            break
        rest = r - mean_u[of_u] - mean_i[of_i]
        for u in known_u:
            rows = of_u == u
            h = cluster_i[of_i[rows]]
            cluster_u[u] = np.argmin(
                [
                    ((rest[rows] - both[g, h] + average_u[g] + average_i[h]) ** 2).sum()
                    for g in range(n_cltr_u)
                ]
            )
        for i in known_i:
            rows = of_i == i
            g = cluster_u[of_u[rows]]
            cluster_i[i] = np.argmin(
                [
                    ((rest[rows] - both[g, h] + average_u[g] + average_i[h]) ** 2).sum()
                    for h in range(n_cltr_i)
                ]
            )
    estimates = (
        both[cluster_u][:, cluster_i]
        + (mean_u - average_u[cluster_u])[:, None]
        + mean_i
        - average_i[cluster_i]
    )
    estimates[np.setdiff1d(np.arange(train.n_users), list(known_u))] = train.mean
    estimates[:, np.setdiff1d(np.arange(train.n_items), list(known_i))] = train.mean
    return np.asarray(estimates, np.float32)


@pytest.mark.parametrize("step", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("n_epochs", [1, 4])
def test_co_clustering_is_the_textbooks_on_any_scale(step: float, n_epochs: int) -> None:
    train = random_ratings(step)
    parameters = {"n_cltr_u": 3, "n_cltr_i": 2, "n_epochs": n_epochs}
    scores = fitted("surprise-co-clustering", parameters, train, seed=4).score_items(
        np.arange(40, dtype=np.int32)
    )
    np.testing.assert_allclose(
        scores, textbook_co_clustering(train, **parameters, seed=4), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", [name for name in NAMES if not available()[name].truncates])  # type: ignore[attr-defined]
def test_half_stars_are_scored_as_surprise_predicts_them(name: str) -> None:
    train = random_ratings(0.5)
    users, items = random_pairs(train)
    adapter = fitted(name, {}, train)
    expected = predicted(
        adapter.make_algorithm(0).fit(surprises_own(train)), users, items, clip=False
    )
    np.testing.assert_allclose(adapter.score(users, items), expected, rtol=0, atol=1e-5)


def test_co_clustering_keeps_half_stars() -> None:
    train = random_ratings(0.5)
    doubled = Ratings(
        train.users, train.items, train.values * 2, train.n_users, train.n_items, (1.0, 10.0)
    )
    users, items = random_pairs(train)
    scores = fitted("surprise-co-clustering", {}, train).score(users, items)
    np.testing.assert_array_equal(
        scores, fitted("surprise-co-clustering", {}, doubled).score(users, items) / 2
    )


def test_one_cluster_is_the_sum_of_both_means() -> None:
    train = random_ratings(0.5)
    adapter = fitted("surprise-co-clustering", {"n_cltr_u": 1, "n_cltr_i": 1}, train)
    for user, item in ((0, 0), (5, 11), (20, 3)):
        of_user = train.values[train.users == user].mean()
        of_item = train.values[train.items == item].mean()
        score = adapter.score(np.array([user], np.int32), np.array([item], np.int32))
        np.testing.assert_allclose(score, of_user + of_item - train.mean, rtol=1e-5)


def test_z_scores_of_ratings_without_deviation_are_the_mean() -> None:
    ratings = random_ratings()
    train = Ratings(
        ratings.users, ratings.items, np.full(len(ratings), 2, np.float32), 40, 30, (1.0, 5.0)
    )
    adapter = fitted("surprise-knn-with-zscore", {}, train)
    np.testing.assert_array_equal(adapter.score_items(np.arange(40, dtype=np.int32)), 2)


@pytest.mark.parametrize("similarity", ["cosine", "pearson_baseline"])
@pytest.mark.parametrize("user_based", [True, False])
def test_similarities_without_the_library_are_the_librarys(
    similarity: str, user_based: bool
) -> None:
    """They stand in where Surprise divides by zero, so they must be the same where it does not."""
    ratings = random_ratings()
    options = {"similarity": similarity, "user_based": user_based, "min_support": 2}
    adapter: Any = create("surprise-knn-basic", options)
    data = adapter.convert(ratings, EMPTY)
    algorithm = adapter.make_algorithm(0).fit(data.trainset)
    ours = adapter._similarities_of_overlaps(algorithm, data)
    np.testing.assert_allclose(ours, algorithm.sim, rtol=0, atol=1e-12)
    assert (np.abs(ours) > 0.5).any()


@pytest.mark.parametrize("name", NEIGHBOURS)
@pytest.mark.parametrize("similarity", ["msd", "cosine", "pearson", "pearson_baseline"])
@pytest.mark.parametrize("case", ["a user with zeros only", "all zero", "all alike"])
def test_a_similarity_of_nothing_is_none(name: str, similarity: str, case: str) -> None:
    """Surprise divides by zero, or by what rounding leaves of it."""
    ratings = random_ratings(0.5)
    values = {
        "a user with zeros only": np.where(ratings.users == 3, np.float32(0), ratings.values),
        "all zero": np.zeros_like(ratings.values),
        "all alike": np.full_like(ratings.values, 0.1),
    }
    sized = replace(ratings, values=values[case], scale=(0.0, 5.0))
    adapter = create(name, {"similarity": similarity})
    adapter.prepare(sized)
    adapter.fit(adapter.convert(sized, EMPTY), 0)
    scores = adapter.score_items(np.arange(sized.n_users, dtype=np.int32))
    assert np.isfinite(scores).all()
    assert scores.min() > -6 and scores.max() < 11
    if case == "all alike":
        np.testing.assert_allclose(scores, 0.1, atol=1e-6)


def test_negative_ratings_are_outside_the_domain_of_non_negative_factors() -> None:
    """From -10 to 10 its factors went down to -283 and its scores from -439 to 1460, marked ok."""
    ratings = random_ratings()
    nmf = create("surprise-nmf")
    assert nmf.skip(ratings, EMPTY, memory_mb=4000) is None
    around_zero = replace(ratings, values=ratings.values - np.float32(3), scale=(-2.0, 2.0))
    reason = nmf.skip(around_zero, EMPTY, memory_mb=4000)
    assert reason is not None and "needs ratings of at least 0, got -2" in reason


def test_whole_ratings_that_are_not_quite_whole_are_not_truncated() -> None:
    ratings = random_ratings()
    nearly = replace(ratings, values=ratings.values * np.float32(1 - 1e-7), scale=(0.0, 5.0))
    for name in ("surprise-slope-one", "surprise-co-clustering"):
        whole, almost = (fit_to(name, given) for given in (ratings, nearly))
        np.testing.assert_allclose(almost, whole, atol=1e-5)


def fit_to(name: str, ratings: Ratings) -> Floats:
    adapter = create(name)
    adapter.prepare(ratings)
    adapter.fit(adapter.convert(ratings, EMPTY), 0)
    return adapter.score(ratings.users, ratings.items)


def test_many_equally_near_neighbours_share_their_places_as_in_surprise() -> None:
    """Two stars only, so most similarities are ties, and more raters of each item than places."""
    rng = np.random.default_rng(3)
    pairs = rng.permutation(60 * 12)[:500].astype(np.int32)
    values = rng.integers(1, 3, 500).astype(np.float32)
    train = Ratings(pairs // 12, pairs % 12, values, 60, 12, (1.0, 5.0))
    users, items = np.divmod(np.arange(60 * 12, dtype=np.int32), np.int32(12))
    for name in NEIGHBOURS:
        for parameters in ({"k": 1}, {"k": 5}, {"k": 5, "user_based": False}):
            adapter = fitted(name, parameters, train)
            expected = predicted(
                adapter.make_algorithm(0).fit(surprises_own(train)), users, items, clip=False
            )
            scores = adapter.score_items(np.arange(60, dtype=np.int32)).ravel()
            np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


def test_normal_predictor_restarts_its_stream() -> None:
    train = random_ratings()
    adapter = fitted("surprise-normal-predictor", {}, train, seed=5)
    users, items = random_pairs(train)
    np.testing.assert_array_equal(adapter.score(users, items), adapter.score(users, items))
    np.testing.assert_array_equal(
        adapter.score(users[:9], items[:9]), adapter.score(users, items)[:9]
    )


@pytest.mark.parametrize("name", [*NEIGHBOURS, "surprise-slope-one"])
def test_too_little_memory_is_a_reason_to_skip(name: str) -> None:
    train = random_ratings()
    adapter = create(name)
    assert adapter.skip(train, EMPTY, memory_mb=100) is None
    reason = adapter.skip(train, EMPTY, memory_mb=1e-3)
    assert reason is not None
    assert "MB are allowed" in reason


def test_skip_points_at_the_smaller_side() -> None:
    items = np.arange(3000, dtype=np.int32)
    train = Ratings(items, items % 10, np.ones(3000, np.float32), 3000, 10, (1.0, 5.0))
    reason = create("surprise-knn-basic", {"similarity": "pearson"}).skip(
        train, EMPTY, memory_mb=500
    )
    assert reason is not None
    assert "504 MB" in reason  # 7 matrices of 3000 x 3000 x 8 bytes
    assert "user_based=false" in reason
