"""Neighbours against naive definitions, and the flaw of the notebook's cosine."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recbench.adapters import create
from recbench.adapters.neighbours import cosine as cosine_module
from recbench.adapters.shared.interactions import matrix_of_likes
from recbench.datasets import Dataset, Ratings
from recbench.datasets.netflix.reference_models import Triples, cosine_predictions
from tests.adapters.planted import EMPTY, everybody, fitted

NAMES = ("cosine-user", "cosine-user-centred", "item-knn")
Doubles = NDArray[np.float64]


def random_ratings(
    scale: tuple[float, float] = (1.0, 5.0), n_users: int = 40, n_items: int = 30
) -> Ratings:
    """Every fourth pair of all but the last two users and items, each pair once."""
    rng = np.random.default_rng(3)
    pairs = np.flatnonzero(rng.random((n_users - 2) * (n_items - 2)) < 0.25)
    users, items = np.divmod(pairs.astype(np.int32), np.int32(n_items - 2))
    values = rng.uniform(*scale, len(pairs)).astype(np.float32)
    return Ratings(users, items, values, n_users, n_items, scale)


def rated(train: Ratings) -> tuple[Doubles, Doubles]:
    """The users x items matrix with NaN where there is no rating, and the users' means."""
    matrix = np.full((train.n_users, train.n_items), np.nan)
    matrix[train.users, train.items] = train.values
    known = ~np.isnan(matrix)
    means = np.full(train.n_users, train.mean)
    some = known.any(axis=1)
    means[some] = np.nanmean(matrix[some], axis=1)
    return matrix, means


def as_in_the_notebook(train: Ratings, k: int) -> Doubles:
    """Fill, cosine minus identity, top k, weighted mean: in double precision, user by user."""
    matrix, means = rated(train)
    filled = np.where(np.isnan(matrix), means[:, None], matrix)
    columns = np.unique(train.items)
    known = np.isin(everybody(train), train.users)
    unit = filled[:, columns] / np.linalg.norm(filled[:, columns], axis=1, keepdims=True)
    similar = unit @ unit.T - np.eye(train.n_users)
    similar[:, ~known] = 0
    predicted = np.empty_like(filled)
    for user in range(train.n_users):
        top = np.argsort(-similar[user])[:k]
        predicted[user] = similar[user, top] @ filled[top] / np.abs(similar[user, top]).sum()
    return predicted


def done_right(train: Ratings, k: int, shrink: float) -> Doubles:
    matrix, means = rated(train)
    residuals = np.nan_to_num(matrix - means[:, None])
    lengths = np.linalg.norm(residuals, axis=1)
    predicted = np.empty_like(matrix)
    for user in range(train.n_users):
        similar = residuals @ residuals[user] / np.maximum(lengths * lengths[user], 1e-12)
        similar[user] = 0
        top = np.argsort(-similar)[:k]
        for item in range(train.n_items):
            raters = [v for v in top if not np.isnan(matrix[v, item])]
            size = sum(abs(similar[v]) for v in raters) + shrink
            offset = sum(similar[v] * residuals[v, item] for v in raters) / size if size > 0 else 0
            predicted[user, item] = means[user] + offset
    return predicted


@pytest.mark.parametrize("scale", [(1, 5), (0.5, 5), (-10, 10)], ids=str)
@pytest.mark.parametrize("k", [1, 7, 100])
def test_cosine_user_is_the_notebooks(scale: tuple[float, float], k: int) -> None:
    train = random_ratings(scale)
    if (
        scale[0] < 0 and k > 1
    ):  # filled rows of both signs have cosines below 0, which cannot all be neighbours
        k = 3
    scores = fitted("cosine-user", train, k=k).score_items(everybody(train))
    np.testing.assert_allclose(scores, as_in_the_notebook(train, k), rtol=0, atol=2e-4)


def test_cosine_user_is_what_the_simulation_is_measured_with() -> None:
    train = random_ratings().take(range(200))
    users = np.unique(train.users, return_inverse=True)[1]
    items = np.unique(train.items, return_inverse=True)[1]
    shape = int(users.max()) + 1, int(items.max()) + 1
    dense = Ratings(
        users.astype(np.int32), items.astype(np.int32), train.values, *shape, train.scale
    )
    train_triples = Triples(dense.users, dense.items, dense.values.astype(np.float64))
    expected = cosine_predictions(train_triples, *shape, np.arange(shape[0]))
    np.testing.assert_allclose(
        fitted("cosine-user", dense).score_items(everybody(dense)), expected, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("shrink", [0.0, 2.0])
@pytest.mark.parametrize("k", [1, 7, 100])
def test_centred_is_resnicks_formula_over_the_nearest(k: int, shrink: float) -> None:
    train = random_ratings()
    scores = fitted("cosine-user-centred", train, k=k, shrink=shrink).score_items(everybody(train))
    np.testing.assert_allclose(scores, done_right(train, k, shrink), rtol=0, atol=1e-4)


def naive_similarities(
    train: Ratings, shrink: float, weighting: str, normalise: bool
) -> tuple[Doubles, Doubles]:
    """The weighted likes, and the similarity of each two items, from the formulas one entry at a
    time.
    """
    liked = matrix_of_likes(train, 0.75).toarray().astype(np.float64)
    n_items = train.n_items
    weights = liked.copy()
    for user, item in zip(*np.nonzero(liked), strict=True):
        if weighting != "none":
            weights[user, item] = np.log((n_items + 1) / (liked[user].sum() + 1))
        if weighting == "bm25":
            length = 0.25 + 0.75 * liked[:, item].sum() / (liked.sum() / n_items)
            weights[user, item] *= (1.2 + 1) / (1.2 * length + 1)
    similar = np.zeros((n_items, n_items))
    for i, j in np.ndindex(n_items, n_items):
        if i != j and weights[:, i] @ weights[:, j] > 0:
            lengths = np.linalg.norm(weights[:, i]) * np.linalg.norm(weights[:, j])
            similar[i, j] = weights[:, i] @ weights[:, j] / (lengths + shrink if normalise else 1)
    return weights, similar


@pytest.mark.parametrize("weighting", ["none", "tf-idf", "bm25"])
@pytest.mark.parametrize(("shrink", "normalise"), [(0.0, True), (3.0, True), (0.0, False)])
def test_item_knn_is_its_definition(shrink: float, weighting: str, normalise: bool) -> None:
    train = random_ratings()
    parameters: dict[str, Any] = {"shrink": shrink, "weighting": weighting, "normalise": normalise}
    weights, similar = naive_similarities(train, **parameters)
    scores = fitted("item-knn", train, **parameters).score_items(everybody(train))
    np.testing.assert_allclose(scores, weights @ similar, rtol=0, atol=1e-5)
    few: Any = fitted("item-knn", train, k=4, **parameters)
    kept = np.sort(few.W_.toarray(), axis=0)  # which of equal neighbours are kept is open
    assert np.count_nonzero(kept, axis=0).max() == 4
    np.testing.assert_allclose(kept[-4:], np.sort(similar, axis=0)[-4:], rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        few.score_items(everybody(train)), weights @ few.W_.toarray(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_blocks_and_density_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    train = random_ratings()
    expected = fitted(name, train).score_items(everybody(train))
    for block, dense_from in ((1, 0.0), (90, 1.0)):
        monkeypatch.setattr(cosine_module, "SIMILARITIES_AT_ONCE", block)
        monkeypatch.setattr(cosine_module, "DENSE_FROM", dense_from)
        scores = fitted(name, train).score_items(everybody(train))
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_picked_from_rows(name: str) -> None:
    train = random_ratings()
    algorithm = fitted(name, train)
    rng = np.random.default_rng(0)
    users = rng.integers(0, train.n_users, 300).astype(np.int32)
    items = rng.integers(0, train.n_items, 300).astype(np.int32)
    scores = algorithm.score(users, items)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(
        scores, algorithm.score_items(users)[np.arange(300), items], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", ["cosine-user", "cosine-user-centred"])
def test_unknown_users_and_items_leave_the_others_alone(name: str) -> None:
    train = random_ratings()
    larger = Ratings(
        train.users, train.items, train.values, train.n_users + 9, train.n_items + 9, train.scale
    )
    scores = fitted(name, train).score_items(everybody(train))
    wider = fitted(name, larger).score_items(everybody(larger))
    np.testing.assert_allclose(wider[: train.n_users, : train.n_items], scores, rtol=0, atol=1e-5)
    np.testing.assert_allclose(wider[:, train.n_items :].mean(), train.mean, atol=0.2)
    assert np.isfinite(wider).all()


def test_unknown_users_and_items_get_the_mean_of_what_is_known() -> None:
    train = random_ratings()
    scores = fitted("cosine-user-centred", train).score_items(everybody(train))
    np.testing.assert_allclose(scores[-2:], train.mean, rtol=1e-6)
    means = rated(train)[1]
    np.testing.assert_allclose(scores[:, -1], means, rtol=1e-6)


@pytest.mark.parametrize("name", ["cosine-user", "cosine-user-centred"])
def test_a_pair_rated_twice_counts_with_its_mean(name: str) -> None:
    train = random_ratings()
    users, items = (np.concatenate([column, column]) for column in (train.users, train.items))
    other = train.values[::-1]
    both = np.concatenate([train.values, other])
    middle = (train.values + other) / np.float32(2)
    twice = Ratings(users, items, both, train.n_users, train.n_items, train.scale)
    once = Ratings(train.users, train.items, middle, train.n_users, train.n_items, train.scale)
    scores = fitted(name, twice).score_items(everybody(train))
    np.testing.assert_allclose(
        scores, fitted(name, once).score_items(everybody(train)), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("name", NAMES)
def test_little_or_nothing_to_learn_from(name: str) -> None:
    one = np.zeros(1, np.int32)
    for value in (1.0, 3.0, 5.0):
        for shape in ((1, 1), (3, 4)):
            train = Ratings(one, one, np.array([value], np.float32), *shape, (1.0, 5.0))
            scores = fitted(name, train).score_items(everybody(train))
            assert scores.shape == shape
            assert np.isfinite(scores).all()
            if name != "item-knn":
                np.testing.assert_allclose(scores, value, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_finds_the_taste_of_a_checkerboard(name: str) -> None:
    users, items = np.divmod(np.arange(600, dtype=np.int32), np.int32(20))
    seen = np.random.default_rng(1).random(600) < 0.6
    loved = (users + items) % 2 == 0
    values = np.where(loved, 5, 1).astype(np.float32)
    train = Ratings(users[seen], items[seen], values[seen], 30, 20, (1.0, 5.0))
    scores = fitted(name, train, k=8).score(
        users[~seen], items[~seen]
    )  # there are 14 others of each taste
    assert scores[loved[~seen]].min() > scores[~loved[~seen]].max()


@pytest.mark.parametrize("name", NAMES)
def test_too_many_neighbours_for_the_memory_are_a_reason_to_skip(name: str) -> None:
    train = random_ratings()
    algorithm = create(name)
    assert algorithm.skip(train, EMPTY, memory_mb=200) is None
    wide = Ratings(train.users, train.items, train.values, 10**7, 10**7, train.scale)
    reason = algorithm.skip(wide, EMPTY, memory_mb=4000)
    assert reason is not None
    assert "MB are allowed" in reason


def test_the_notebooks_cosine_follows_whoever_loves_everything(movielens: Dataset) -> None:
    """Its RMSE is far above that of the film's mean, because its level is too high; centred, it is
    well below.
    """
    held_out = np.zeros(len(movielens.ratings), bool)
    held_out[movielens.splits["ua"][0]] = True
    train, test = (movielens.ratings.take(np.flatnonzero(rows)) for rows in (~held_out, held_out))
    scores = {
        name: fitted(name, train).score(test.users, test.items).clip(1, 5)
        for name in ("item-mean", "cosine-user", "cosine-user-centred")
    }
    rmse = {
        name: float(np.sqrt(np.mean((predicted - test.values) ** 2)))
        for name, predicted in scores.items()
    }
    assert rmse["cosine-user"] > rmse["item-mean"] + 0.1
    assert rmse["cosine-user-centred"] < rmse["item-mean"] - 0.05
    assert scores["cosine-user"].mean() > train.mean + 0.3
    algorithm: Any = fitted("cosine-user", train)
    popular = np.argsort(-np.bincount(algorithm.neighbours_.indices, minlength=train.n_users))[:100]
    assert (
        np.bincount(algorithm.neighbours_.indices)[popular].sum() > 0.6 * algorithm.neighbours_.nnz
    )
    assert algorithm.means_[popular].mean() > train.mean + 0.3
