"""Users who were not in training, against closed forms and fits that are written out here."""

from typing import Any

import numpy as np
import pytest

from recbench.adapters import create
from recbench.adapters.base import Floats, Recommender
from recbench.adapters.keras.autorec import _regress_ratings
from recbench.adapters.shared.units import Units
from recbench.datasets.ratings import Catalogue, Ratings

N_USERS = 80
N_ITEMS = 30
N_NEW = 6


def draw_ratings(n_users: int, n: int, seed: int) -> Ratings:
    """Half stars of users and items with tastes; no pair twice."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(n_users * N_ITEMS)[:n]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, N_ITEMS))
    tastes = np.sin(users * 1.7) * np.cos(items) + rng.normal(0, 0.4, n)
    values = np.clip(np.round(2 * (3 + 1.5 * tastes)) / 2, 0.5, 5).astype(np.float32)
    times = rng.integers(0, 10**8, n)
    return Ratings(users, items, values, n_users, N_ITEMS, (0.5, 5.0), times)


TRAIN = draw_ratings(N_USERS, 1200, seed=1)
NEW = draw_ratings(N_NEW, 70, seed=2)
ABOUT = Catalogue(("film",) * N_ITEMS, (None,) * N_ITEMS, (("War",), ("Comedy",)) * (N_ITEMS // 2))


def convert(algorithm: Recommender, ratings: Ratings) -> Ratings:
    return Units.choose(algorithm, ratings.scale).convert_ratings(ratings)


def fitted(name: str, train: Ratings = TRAIN, **parameters: Any) -> Recommender:
    algorithm = create(name, parameters)
    given = convert(algorithm, train)
    algorithm.prepare(given)
    algorithm.fit(algorithm.convert(given, ABOUT), 0)
    return algorithm


def fold_in(algorithm: Recommender, ratings: Ratings = NEW) -> Floats:
    return algorithm.fold_in(convert(algorithm, ratings))


def of_user(ratings: Ratings, user: int) -> Ratings:
    return ratings.take(ratings.users == user)


def joined(train: Ratings, new: Ratings) -> Ratings:
    """Both, the users of `new` numbered after those of `train`."""
    assert train.times is not None and new.times is not None
    return Ratings(
        np.concatenate([train.users, new.users + np.int32(train.n_users)]),
        np.concatenate([train.items, new.items]),
        np.concatenate([train.values, new.values]),
        train.n_users + new.n_users,
        train.n_items,
        train.scale,
        np.concatenate([train.times, new.times]),
    )


def test_ease_is_the_history_times_its_weights() -> None:
    """B from its definition, in one line of algebra."""
    likes = np.zeros((N_USERS, N_ITEMS))
    is_like = TRAIN.values >= 3.875
    likes[TRAIN.users[is_like], TRAIN.items[is_like]] = 1
    inverse = np.linalg.inv(likes.T @ likes + 20 * np.eye(N_ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)

    history = np.zeros((N_NEW, N_ITEMS))
    is_like = NEW.values >= 3.875
    history[NEW.users[is_like], NEW.items[is_like]] = 1
    np.testing.assert_allclose(
        fold_in(fitted("ease", regularisation=20)), history @ weights, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_als_solves_the_normal_equations_of_a_new_user(biased: bool, weighted: bool) -> None:
    algorithm: Any = fitted("als", n_factors=4, n_epochs=5, biased=biased, weighted=weighted)
    given = convert(algorithm, NEW)
    scores = fold_in(algorithm)
    columns = [algorithm.Q_.astype(float)]
    if biased:
        columns.append(np.ones((N_ITEMS, 1)))
    features = np.hstack(columns)
    offsets = algorithm.item_biases_.astype(float) if biased else np.zeros(N_ITEMS)

    for user in range(N_NEW):
        history = of_user(given, user)
        rated = features[history.items]
        targets = history.values.astype(float) - float(algorithm.mean_) - offsets[history.items]
        penalty = 0.1 * (len(history) if weighted else 1)
        # least squares with the penalty written as more equations, not as normal ones
        stacked = np.vstack([rated, np.sqrt(penalty) * np.eye(features.shape[1])])
        aims = np.concatenate([targets, np.zeros(features.shape[1])])
        solution = np.linalg.lstsq(stacked, aims, rcond=None)[0]
        expected = features @ solution + float(algorithm.mean_) + offsets
        np.testing.assert_allclose(scores[user], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters", "confidence", "penalty"),
    [
        ("implicit-als", {"factors": 5, "regularization": 3, "alpha": 4}, 4, 3),
        ("implicit-als", {"factors": 5, "regularization": 3, "alpha": 0.5}, 0.5, 3),
        (
            "ials",
            {"n_factors": 5, "regularisation": 0.1, "confidence": "linear", "alpha": 6},
            7,
            0.1,
        ),
    ],
)
def test_weighted_als_solves_all_pairs_of_a_new_user(
    name: str, parameters: dict[str, Any], confidence: float, penalty: float
) -> None:
    """Weighted least squares over every item, likes or not."""
    algorithm: Any = fitted(name, **parameters)
    items = algorithm.Q_.astype(float)
    scores = fold_in(algorithm)
    for user in range(N_NEW):
        history = of_user(NEW, user)
        liked = history.items[history.values >= 3.875]
        aims = np.zeros(N_ITEMS)
        aims[liked] = 1
        roots = np.ones(N_ITEMS)
        roots[liked] = np.sqrt(confidence)
        stacked = np.vstack([items * roots[:, None], np.sqrt(penalty) * np.eye(5)])
        solution = np.linalg.lstsq(stacked, np.concatenate([aims * roots, np.zeros(5)]), rcond=None)
        np.testing.assert_allclose(scores[user], items @ solution[0], rtol=0, atol=1e-5)


def test_implicit_als_folds_in_as_its_library_does() -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    algorithm: Any = fitted("implicit-als", factors=5)
    model = AlternatingLeastSquares(
        factors=5, regularization=algorithm.regularization, alpha=algorithm.alpha, num_threads=1
    )
    model.item_factors = algorithm.Q_
    likes = algorithm.profiles_of(NEW)
    # the library multiplies by alpha when it fits, and leaves it to the caller here
    factors = model.recalculate_user(np.arange(N_NEW), likes * np.float32(algorithm.alpha))
    np.testing.assert_allclose(fold_in(algorithm), factors @ algorithm.Q_.T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["cosine-user", "cosine-user-centred"])
def test_neighbours_of_a_new_user_are_those_of_a_fit_with_that_user(name: str) -> None:
    """To the training part and one new user: the others do not change what is said of that one."""
    algorithm = fitted(name, k=7)
    scores = fold_in(algorithm)
    for user in range(N_NEW):
        history = of_user(NEW, user)
        alone = Ratings(
            np.zeros(len(history), np.int32),
            history.items,
            history.values,
            1,
            N_ITEMS,
            history.scale,
            history.times,
        )
        refitted = fitted(name, joined(TRAIN, alone), k=7)
        expected = refitted.score_items(np.array([N_USERS], np.int32))
        np.testing.assert_allclose(scores[user], expected[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("weighting", ["none", "tf-idf", "bm25"])
@pytest.mark.parametrize("profiles", ["weighed", "likes"])
def test_item_knn_weighs_a_new_user_by_the_items_of_training(profiles: str, weighting: str) -> None:
    algorithm: Any = fitted("item-knn", k=9, weighting=weighting, profiles=profiles)
    likes = algorithm.profiles_of(TRAIN)
    np.testing.assert_array_equal(likes.toarray(), algorithm.X_.toarray())


def test_a_training_user_stays_in_the_unit_of_the_data_through_the_bench() -> None:
    """Ratings of 0 to 100 give the same as the same stars: `fold_in` is given the algorithm's."""
    wide = [
        Ratings(
            part.users,
            part.items,
            ((part.values - 0.5) / 4.5 * 100).astype(np.float32),
            part.n_users,
            N_ITEMS,
            (0.0, 100.0),
            part.times,
        )
        for part in (TRAIN, NEW)
    ]
    for name in ("als", "pure-svd", "sar", "cosine-user"):
        in_stars = fold_in(fitted(name))
        in_percent = fold_in(fitted(name, wide[0]), wide[1])
        np.testing.assert_allclose(in_percent, in_stars, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_autorec_regresses_a_new_users_ratings_on_the_hidden_units() -> None:
    """Least squares with the penalty as more equations, none of them for the bias."""
    algorithm: Any = fitted("keras-autorec", n_hidden=10, epochs=2, regularisation=0.5)
    given = convert(algorithm, NEW)
    features = algorithm.Q_.astype(float)
    scores = fold_in(algorithm)
    for user in range(N_NEW):
        history = of_user(given, user)
        rows = np.sqrt(0.25) * np.eye(11)[:10]
        stacked = np.vstack([features[history.items], rows])
        aims = np.concatenate([history.values.astype(float), np.zeros(10)])
        solution = np.linalg.lstsq(stacked, aims, rcond=None)[0]
        np.testing.assert_allclose(scores[user], features @ solution, rtol=0, atol=1e-5)


def test_autorec_without_a_penalty_takes_the_smallest_weights() -> None:
    rated = np.array([[1.0, 0, 2], [0, 1, 1]])
    weights = _regress_ratings(rated, np.array([3.0, 4.0]), penalty=0)
    assert rated @ weights[:3] + weights[3] == pytest.approx([3, 4])
    assert weights[:3] == pytest.approx(np.array([-1, 1, -1]) / 3)
