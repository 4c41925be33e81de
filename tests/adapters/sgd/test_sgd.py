"""Descent by hand, against the source notebook's printed numbers and against plain loops in
Python.
"""

from typing import Any

import numpy as np
import pytest

from recbench.adapters import create
from recbench.adapters.base import Recommender
from recbench.adapters.sgd import descent
from recbench.adapters.sgd.descent import NumbaSGD, NumpySGD, _AllPairs, _RatedPairs
from recbench.adapters.sgd.loops import LANES, align_rows, make_descent
from recbench.datasets import Dataset
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.ratings import Ratings
from tests.adapters.planted import EMPTY

BOTH = pytest.mark.parametrize("name", ["numba-sgd", "numpy-sgd"])
NOTEBOOK: dict[str, Any] = {
    "order": "file",
    "biased": False,
    "n_factors": 15,
    "init_deviation": 1 / 15,
    "learning_rate": 0.01,
    "regularisation": 0.1,
}
# The third source notebook's output: the training MSE after each epoch, and what it recommends to
# one user.
PRINTED = [
    *(6.8464, 1.4525, 1.0556, 0.9610, 0.9218, 0.8987, 0.8814, 0.8666, 0.8532, 0.8410),
    *(0.8300, 0.8203, 0.8116, 0.8036, 0.7961, 0.7889, 0.7819, 0.7750, 0.7681, 0.7613),
]
TITLES = {
    "Pather Panchali": 4.81,
    "Wrong Trousers, The": 4.67,
    "Schindler's List": 4.62,
    "Rear Window": 4.53,
    "Close Shave, A": 4.50,
}


def fitted(name: str, parameters: dict[str, Any], train: Ratings, seed: int = 0) -> Recommender:
    model = create(name, parameters)
    model.prepare(train)
    model.fit(model.convert(train, EMPTY), seed)
    return model


def all_scores(model: Recommender) -> Any:
    return model.score_items(np.arange(model.n_users_, dtype=np.int32))


def random_ratings(n_rows: int = 600, scale: tuple[float, float] = (1.0, 5.0)) -> Ratings:
    """Ratings with a taste, some pairs twice; the last users and items have none, and ids do not
    come in order.
    """
    rng = np.random.default_rng(3)
    users = rng.integers(0, 40, n_rows).astype(np.int32)
    items = rng.integers(0, 30, n_rows).astype(np.int32)
    taste = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 30))
    middle = sum(scale) / 2
    spread = (scale[1] - scale[0]) / 4
    values = np.clip(middle + spread * taste[users, items], *scale).astype(np.float32)
    return Ratings(users, items, values, 43, 34, scale)


@BOTH
@pytest.mark.slow
def test_the_literal_order_gives_the_notebooks_twenty_errors_and_five_titles(
    name: str, movielens: Dataset
) -> None:
    ratings = movielens.ratings
    model = fitted(name, NOTEBOOK, ratings)
    assert [round(point["train_rmse"] ** 2, 4) for point in model.trace_] == PRINTED
    (user,) = np.flatnonzero(movielens.user_ids == 284).astype(np.int32)
    scores = np.clip(model.score_items(np.array([user]))[0], *ratings.scale)
    scores[ratings.items[ratings.users == user]] = -np.inf
    best = np.argsort(-scores)[:5]
    assert {
        movielens.catalogue.titles[item]: round(float(scores[item]), 2) for item in best
    } == TITLES


def literally(train: Ratings, biased: bool, n_factors: int, seed: int, epochs: int = 3) -> Any:
    """The notebook's procedure as one would write it down: dictionaries of raw ids, one rating
    after the other.
    """
    user_of: dict[int, int] = {}
    item_of: dict[int, int] = {}
    for user, item in zip(train.users.tolist(), train.items.tolist(), strict=True):
        user_of.setdefault(user, len(user_of))
        item_of.setdefault(item, len(item_of))
    np.random.seed(seed)
    P = np.random.normal(0, 0.2, (len(user_of), n_factors))
    Q = np.random.normal(0, 0.2, (len(item_of), n_factors))
    user_biases = np.zeros(len(P))
    item_biases = np.zeros(len(Q))
    mean = train.mean if biased else 0.0
    for _ in range(epochs):
        for user, item, value in zip(
            train.users.tolist(), train.items.tolist(), train.values.tolist(), strict=True
        ):
            u = user_of[user]
            i = item_of[item]
            error = value - min(
                max(mean + user_biases[u] + item_biases[i] + P[u] @ Q[i], train.scale[0]), 5.0
            )
            if biased:
                user_biases[u] += 0.03 * (error - 0.1 * user_biases[u])
                item_biases[i] += 0.03 * (error - 0.1 * item_biases[i])
            P[u] += 0.03 * (error * Q[i] - 0.1 * P[u])
            Q[i] += 0.03 * (error * P[u] - 0.1 * Q[i])
    scores = mean + user_biases[:, None] + item_biases + P @ Q.T
    return scores[np.ix_([user_of[u] for u in range(40)], [item_of[i] for i in range(30)])]


@BOTH
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("n_factors", [1, 17, 65])
def test_the_literal_order_is_what_a_plain_loop_does(
    name: str, biased: bool, n_factors: int
) -> None:
    train = random_ratings()
    steps = {"learning_rate": 0.03, "regularisation": 0.1, "init_deviation": 0.2, "n_epochs": 3}
    model = fitted(
        name, {"order": "file", "biased": biased, "n_factors": n_factors, **steps}, train, seed=4
    )
    expected = literally(train, biased, n_factors, seed=4)
    np.testing.assert_allclose(all_scores(model)[:40, :30], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("n_factors", [3, 16, 100])
def test_the_compiled_loop_moves_both_factors_at_once(biased: bool, n_factors: int) -> None:
    """Outside the literal order p_u and q_i move with each other's old values, as in the papers."""
    rng = np.random.default_rng(0)
    P = rng.normal(0, 0.3, (5, n_factors))
    Q = rng.normal(0, 0.3, (4, n_factors))
    user_biases = np.zeros(5)
    item_biases = np.zeros(4)
    users = rng.integers(0, 5, 60).astype(np.uint32)
    items = rng.integers(0, 4, 60).astype(np.uint32)
    values = rng.normal(3, 1, 60).astype(np.float32)
    ours = [
        align_rows(P.astype(np.float32)),
        align_rows(Q.astype(np.float32)),
        np.zeros(5, np.float32),
        np.zeros(4, np.float32),
    ]
    descend = make_descent(ours[0].shape[1] // LANES, biased, False)
    constants = (np.float32(2.5), np.float32(0.05), np.float32(1 - 0.05 * 0.1))
    squared = descend(
        np.array([[30, 60], [0, 30]]), users, items, values, *ours, *constants, 1.0, 5.0
    )
    expected = 0.0
    for row in [*range(30, 60), *range(30)]:
        u = users[row]
        i = items[row]
        error = values[row] - (2.5 + user_biases[u] + item_biases[i] + P[u] @ Q[i])
        expected += error**2
        moved_p = P[u] + 0.05 * (error * Q[i] - 0.1 * P[u])
        moved_q = Q[i] + 0.05 * (error * P[u] - 0.1 * Q[i])
        P[u] = moved_p
        Q[i] = moved_q
        if biased:
            user_biases[u] += 0.05 * (error - 0.1 * user_biases[u])
            item_biases[i] += 0.05 * (error - 0.1 * item_biases[i])
    assert squared == pytest.approx(expected, rel=1e-4)
    for got, wanted in zip(ours, (P, Q, user_biases, item_biases), strict=True):
        np.testing.assert_allclose(
            got[:, :n_factors] if got.ndim == 2 else got, wanted, rtol=0, atol=1e-4
        )
        assert got.ndim == 1 or not got[:, n_factors:].any()  # the filling stays zero


def test_a_batch_moves_by_the_sum_of_its_ratings_steps() -> None:
    train = random_ratings()
    parameters = {"n_factors": 5, "learning_rate": 0.01, "regularisation": 0.3}
    before = fitted("numpy-sgd", {**parameters, "n_epochs": 1, "learning_rate": 1e-12}, train)
    after = fitted("numpy-sgd", {**parameters, "n_epochs": 1}, train)  # 600 ratings are one batch
    assert isinstance(before, NumpySGD) and isinstance(after, NumpySGD)
    errors = train.values - before.score(train.users, train.items)
    P = before.P_.astype(float)
    Q = before.Q_.astype(float)
    moved = P.copy()
    biases = np.zeros(train.n_users)
    for u, i, error in zip(train.users, train.items, errors, strict=True):
        moved[u] += 0.01 * (error * Q[i] - 0.3 * P[u])
        biases[u] += 0.01 * error
    np.testing.assert_allclose(after.P_[:40], moved[:40], rtol=0, atol=1e-5)
    np.testing.assert_allclose(after.biases_[0][:40], biases[:40], rtol=0, atol=1e-5)


def every_other_pair(n_users: int, n_items: int) -> Ratings:
    """Half of all pairs, each once, in random order."""
    n_pairs = n_users * n_items
    pairs = np.random.default_rng(5).permutation(n_pairs)[: n_pairs // 2]
    users = (pairs // n_items).astype(np.int32)
    items = (pairs % n_items).astype(np.int32)
    values = (1 + pairs % 5).astype(np.float32)
    return Ratings(users, items, values, n_users, n_items, (1.0, 5.0))


@pytest.mark.parametrize("biased", [True, False])
def test_a_dense_batch_moves_as_a_sparse_one_does(
    biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = every_other_pair(300, 30)  # two blocks of users
    parameters = {"n_factors": 5, "n_epochs": 3, "batch_size": 700, "biased": biased}
    dense = fitted("numpy-sgd", parameters, train)
    assert isinstance(dense, NumpySGD)
    assert kinds_of_batches(dense, train) == {_AllPairs}

    monkeypatch.setattr(descent, "DENSE", 0)
    sparse = fitted("numpy-sgd", parameters, train)
    assert isinstance(sparse, NumpySGD)
    assert kinds_of_batches(sparse, train) == {_RatedPairs}
    np.testing.assert_allclose(all_scores(dense), all_scores(sparse), rtol=0, atol=1e-5)


def test_a_batch_in_which_a_pair_occurs_twice_is_not_dense() -> None:
    once = every_other_pair(20, 10)
    twice = once.take(np.append(np.arange(len(once)), 0))
    model = fitted("numpy-sgd", {}, twice)
    assert isinstance(model, NumpySGD)
    assert kinds_of_batches(model, once) == {_AllPairs}
    assert kinds_of_batches(model, twice) == {_RatedPairs}


def test_each_rating_is_in_one_batch_and_an_items_neighbours_are_together() -> None:
    train = every_other_pair(300, 30)
    model = fitted("numpy-sgd", {"batch_size": 700}, train)
    assert isinstance(model, NumpySGD)
    batches = list(model._draw_batches(train, np.random.default_rng(0)))

    pairs: list[tuple[int, int]] = []
    for batch in batches:
        users = batch.users.who[batch.users.numbers]
        items = batch.items.who[batch.items.numbers]
        assert len(users) <= 700
        assert len(set(users // NumpySGD.BLOCK)) == 1
        pairs.extend(zip(users.tolist(), items.tolist(), strict=True))
    assert sorted(pairs) == sorted(zip(train.users.tolist(), train.items.tolist(), strict=True))

    # Of the items of the first block each is in one batch, but for those where a batch is full.
    in_first_block = [batch for batch in batches if batch.users.who[0] < NumpySGD.BLOCK]
    n_places = sum(len(batch.items.who) for batch in in_first_block)
    assert n_places <= 30 + len(in_first_block) - 1


def kinds_of_batches(model: NumpySGD, train: Ratings) -> set[type]:
    batches = model._draw_batches(train, np.random.default_rng(0))
    return {type(batch.pairs) for batch in batches}


@BOTH
@pytest.mark.parametrize("parameters", [{}, {"biased": False}, {"order": "file"}], ids=str)
def test_same_seed_same_numbers_and_inputs_stay(name: str, parameters: dict[str, Any]) -> None:
    train = random_ratings()
    before = [column.copy() for column in (train.users, train.items, train.values)]
    model = fitted(name, parameters, train, seed=5)
    first = all_scores(model)
    factors = (model.P_.copy(), model.Q_.copy())  # type: ignore[attr-defined]
    model.fit(train, 5)
    np.testing.assert_array_equal(all_scores(model), first)
    np.testing.assert_array_equal(all_scores(fitted(name, parameters, train, seed=5)), first)
    assert not np.array_equal(all_scores(fitted(name, parameters, train, seed=6)), first)
    assert [column.shape for column in factors] == [(43, 100), (34, 100)]
    for column, copy in zip((train.users, train.items, train.values), before, strict=True):
        np.testing.assert_array_equal(column, copy)


@BOTH
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("scale", [(1.0, 5.0), (0.5, 5.0), (-10.0, 10.0)])
def test_who_has_no_ratings_is_scored_as_the_average(
    name: str, biased: bool, scale: tuple[float, float]
) -> None:
    train = random_ratings(scale=scale)
    scores = all_scores(fitted(name, {"biased": biased}, train))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(
        scores[40:], np.tile(scores[:40].mean(axis=0), (3, 1)), rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(scores[:, 31], scores[:, :30].mean(axis=1), rtol=0, atol=1e-4)


@BOTH
def test_pairs_and_whole_rows_agree(name: str) -> None:
    train = random_ratings()
    model = fitted(name, {}, train)
    users = np.array([42, 3, 3, 0], np.int32)
    pairs = model.score(np.repeat(users, 34), np.tile(np.arange(34, dtype=np.int32), 4))
    assert pairs.dtype == np.float32
    np.testing.assert_allclose(model.score_items(users).ravel(), pairs, rtol=0, atol=1e-5)


@BOTH
def test_the_trace_falls_and_biases_are_optional(name: str) -> None:
    train = random_ratings()
    for biased in (True, False):
        model = fitted(name, {"biased": biased, "learning_rate": 0.02}, train)
        errors = [point["train_rmse"] for point in model.trace_]
        assert [point["epoch"] for point in model.trace_] == list(range(1, 21))
        assert errors[-1] < 0.8 * errors[0]
        assert isinstance(model, NumbaSGD | NumpySGD)
        assert model.biases_[0].any() == model.biases_[1].any() == bool(model.mean_) == biased


@BOTH
def test_regularisation_shrinks_the_model(name: str) -> None:
    train = random_ratings()
    spreads = []
    for regularisation in (0.0, 0.1, 1.0, 10.0):
        model = fitted(name, {"regularisation": regularisation, "n_epochs": 40}, train)
        spreads.append(float(all_scores(model)[:40, :30].std()))
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.2 * spreads[0]


@BOTH
@pytest.mark.parametrize("order", ["shuffled", "file"])
def test_a_descent_that_diverges_says_so_in_its_scores(name: str, order: str) -> None:
    train = random_ratings()
    model = fitted(name, {"learning_rate": 30.0, "order": order, "n_epochs": 100}, train)
    assert not np.isfinite(all_scores(model)).all()
    assert len(model.trace_) == 100


@BOTH
def test_a_planted_taste_is_found(name: str) -> None:
    users, items = np.divmod(np.arange(60 * 40, dtype=np.int32), np.int32(40))
    seen = np.random.default_rng(0).random(len(users)) < 0.5
    values = np.where((users + items) % 2 == 0, 5, 1).astype(np.float32)
    model = fitted(name, {}, Ratings(users[seen], items[seen], values[seen], 60, 40, (1.0, 5.0)))
    scores = model.score(users[~seen], items[~seen])
    assert scores[values[~seen] == 5].min() > scores[values[~seen] == 1].max()


@BOTH
def test_one_rating_is_enough(name: str) -> None:
    one = Ratings(
        *(np.zeros(1, np.int32), np.zeros(1, np.int32), np.full(1, 4, np.float32)), 1, 1, (1.0, 5.0)
    )
    for order in ("shuffled", "file"):
        assert np.isfinite(all_scores(fitted(name, {"order": order}, one))).all()


@BOTH
@pytest.mark.parametrize(
    "wrong",
    [
        {"n_factors": 0},
        {"n_epochs": 0},
        {"learning_rate": 0.0},
        {"regularisation": -1.0},
        {"order": "random"},
    ],
    ids=str,
)
def test_bad_hyperparameters_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        create(name, wrong)


def test_both_reach_the_same_error_on_real_ratings(movielens: Dataset) -> None:
    rows = np.random.default_rng(0).permutation(len(movielens.ratings))
    train = movielens.ratings.take(rows[20_000:])
    test = movielens.ratings.take(rows[:20_000])
    found = {}
    for name in ("numba-sgd", "numpy-sgd"):
        scores = np.clip(fitted(name, {}, train).score(test.users, test.items), 1, 5)
        found[name] = float(np.sqrt(np.mean((scores - test.values) ** 2)))
        assert found[name] < 0.945  # Surprise's SVD: .94
    assert found["numba-sgd"] == pytest.approx(found["numpy-sgd"], abs=0.003)
