"""The LightFM rows against the library itself, its documented numbers, and what it does with
ratings.
"""

from typing import Any

import numpy as np
import pytest
from lightfm import LightFM
from lightfm.evaluation import auc_score, precision_at_k
from scipy.sparse import coo_matrix, csr_matrix

from recbench.adapters import create
from recbench.adapters.lightfm import LightFMData, features_of_items
from recbench.datasets import Catalogue, Dataset, Ratings

LOSSES = ("warp", "bpr", "logistic", "warp-kos")
NAMES = tuple(f"lightfm-{kind}" for kind in (*LOSSES, "hybrid"))
SMALL: dict[str, Any] = {"no_components": 4, "epochs": 3}


def planted(n_users: int = 30, n_items: int = 24) -> tuple[Ratings, Catalogue]:
    """Whole stars with a taste by parity; the last item has no ratings, but the genre and words of
    its parity.
    """
    rng = np.random.default_rng(5)
    pairs = rng.permutation(n_users * (n_items - 1))[: n_users * n_items // 2].astype(np.int32)
    users, items = np.divmod(pairs, np.int32(n_items - 1))
    values = np.where(
        (users + items) % 2 == 0, rng.integers(4, 6, len(pairs)), rng.integers(1, 4, len(pairs))
    )
    genres = tuple((("Drama", "Film") if i % 2 else ("Comedy", "Film")) for i in range(n_items))
    titles = tuple(f"{'strange' if i % 2 else 'regular'} title{i}" for i in range(n_items))
    train = Ratings(users, items, values.astype(np.float32), n_users, n_items, (1.0, 5.0))
    return train, Catalogue(titles, (None,) * n_items, genres)


def prepared(
    name: str, parameters: dict[str, Any], train: Ratings, catalogue: Catalogue, threads: int = 1
) -> Any:
    algorithm: Any = create(name, parameters)
    algorithm.prepare(train, threads)
    return algorithm, algorithm.convert(train, catalogue)


def fitted(
    name: str, parameters: dict[str, Any], train: Ratings, catalogue: Catalogue, seed: int = 0
) -> Any:
    algorithm, data = prepared(name, parameters, train, catalogue)
    algorithm.fit(data, seed)
    return algorithm


@pytest.mark.parametrize("positives", ["liked", "raw-ratings"])
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_librarys_predictions(name: str, positives: str) -> None:
    train, catalogue = planted()
    algorithm, data = prepared(name, SMALL | {"positives": positives}, train, catalogue)
    algorithm.fit(data, 3)
    model = algorithm.make_model(3)
    model.fit(data.interactions, item_features=data.item_features, epochs=3, num_threads=1)
    users, items = (
        np.array(column, np.int32).ravel() for column in np.mgrid[: train.n_users, : train.n_items]
    )
    expected = model.predict(users, items, item_features=data.item_features)
    np.testing.assert_allclose(algorithm.score(users, items), expected, rtol=0, atol=1e-5)
    rows = algorithm.score_items(np.arange(train.n_users, dtype=np.int32))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.ravel(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_one_thread_and_a_seed_give_the_same_numbers(name: str) -> None:
    train, catalogue = planted()
    algorithm, data = prepared(name, SMALL, train, catalogue)
    users = np.arange(train.n_users, dtype=np.int32)
    algorithm.fit(data, 3)
    first = algorithm.score_items(users)
    algorithm.fit(data, 3)
    np.testing.assert_array_equal(algorithm.score_items(users), first)
    np.testing.assert_array_equal(
        fitted(name, SMALL, train, catalogue, 3).score_items(users), first
    )
    assert (fitted(name, SMALL, train, catalogue, 4).score_items(users) != first).any()
    assert algorithm.nondeterminism() is None


def test_more_threads_are_declared_nondeterministic() -> None:
    train, catalogue = planted()
    for name in NAMES:
        assert "race" in prepared(name, SMALL, train, catalogue, threads=2)[0].nondeterminism()


@pytest.mark.parametrize("kind", ["warp", "bpr", "warp-kos", "hybrid"])
def test_liked_ratings_are_ones_and_others_are_left_out(kind: str) -> None:
    train, catalogue = planted()
    _, data = prepared(f"lightfm-{kind}", {}, train, catalogue)
    liked = train.values >= 4
    for column, expected in (
        ("row", train.users),
        ("col", train.items),
        ("data", np.ones(len(train))),
    ):
        np.testing.assert_array_equal(getattr(data.interactions, column), expected[liked])


def test_the_logistic_loss_learns_from_dislikes() -> None:
    train, catalogue = planted()
    _, data = prepared("lightfm-logistic", {}, train, catalogue)
    np.testing.assert_array_equal(data.interactions.row, train.users)
    np.testing.assert_array_equal(data.interactions.data, np.where(train.values >= 4, 1, -1))


@pytest.mark.parametrize("loss", ["warp", "bpr", "warp-kos"])
def test_raw_ratings_are_likes_whatever_their_value(loss: str) -> None:
    train, catalogue = planted()
    parameters = SMALL | {"positives": "raw-ratings"}
    algorithm, data = prepared(f"lightfm-{loss}", parameters, train, catalogue)
    np.testing.assert_array_equal(data.interactions.data, train.values)
    algorithm.fit(data, 0)
    all_liked = fitted(f"lightfm-{loss}", SMALL | {"relevant_share": 0.0}, train, catalogue)
    users = np.arange(train.n_users, dtype=np.int32)
    np.testing.assert_array_equal(algorithm.score_items(users), all_liked.score_items(users))


def test_kos_parameters_reach_the_library() -> None:
    train, catalogue = planted()
    model = prepared("lightfm-warp-kos", {"k": 2, "n": 7}, train, catalogue)[0].make_model(0)
    assert (model.k, model.n, model.loss) == (2, 7, "warp-kos")


def test_an_item_is_itself_its_genres_and_its_words() -> None:
    _, catalogue = planted()
    features = features_of_items(catalogue, None)
    n_items = len(catalogue.titles)
    assert features.dtype == np.float32
    assert features.shape == (
        n_items,
        n_items + 3 + n_items + 5,
    )  # itself, genres, words of titles and genres
    np.testing.assert_allclose(np.linalg.norm(features.toarray(), axis=1), 1, rtol=1e-5)
    # Comedy, Drama, Film
    own = features[:, :n_items].toarray()
    genres = features[:, n_items : n_items + 3].toarray()
    np.testing.assert_array_equal(own > 0, np.eye(n_items))
    np.testing.assert_array_equal(genres[:2] > 0, [[True, False, True], [False, True, True]])
    assert features_of_items(catalogue, 4).shape == (n_items, n_items + 3 + 4)
    bare = features_of_items(Catalogue(("", ""), (None, None), ((), ())), None)
    np.testing.assert_array_equal(bare[:, :2].toarray(), np.eye(2))


def test_the_hybrid_knows_an_item_without_ratings_by_its_features() -> None:
    train, catalogue = planted()
    unrated = train.n_items - 1
    users = np.arange(train.n_users, dtype=np.int32)
    scores = fitted("lightfm-hybrid", {"epochs": 30}, train, catalogue).score_items(users)[
        :, unrated
    ]
    fans = users % 2 == unrated % 2
    assert (scores[fans][:, None] > scores[~fans]).mean() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_nothing_liked_and_a_single_rating(name: str) -> None:
    one = np.zeros(1, np.int32)
    for value in (1.0, 5.0):
        for shape in ((1, 1), (3, 4)):
            train = Ratings(one, one, np.array([value], np.float32), *shape, (1.0, 5.0))
            catalogue = Catalogue(("A film",) * shape[1], (None,) * shape[1], ((),) * shape[1])
            scores = fitted(name, SMALL, train, catalogue).score_items(
                np.arange(shape[0], dtype=np.int32)
            )
            assert scores.shape == shape
            assert np.isfinite(scores).all()


def matrices(dataset: Dataset, test_rows: Any) -> tuple[Ratings, coo_matrix, coo_matrix]:
    """The training ratings, and both parts with +1 for 4 and 5 stars and -1 for others, as in
    LightFM's tests.
    """
    ratings = dataset.ratings
    in_test = np.zeros(len(ratings), bool)
    in_test[test_rows] = True
    parts = [ratings.take(np.flatnonzero(rows)) for rows in (~in_test, in_test)]
    signed = [
        csr_matrix((np.where(p.values >= 4, 1, -1), (p.users, p.items)), (943, 1682), np.float32)
        for p in parts
    ]
    return parts[0], signed[0].tocoo(), signed[1].tocoo()  # in the order of users, then items


def in_the_library(algorithm: Any, n_components: int) -> LightFM:
    """A library model with the adapter's arrays, so that the library evaluates what the adapter
    scores.
    """
    model = LightFM(no_components=n_components)
    model._initialize(n_components, *(len(factors) for factors in (algorithm.Q_, algorithm.P_)))
    model.user_embeddings = algorithm.P_
    model.user_biases = algorithm.user_biases_
    model.item_embeddings = algorithm.Q_
    model.item_biases = algorithm.item_biases_
    return model


# The lower bounds of LightFM's own tests: precision@10 and AUC, on the training and on the test
# part of the ua split, where what is liked is to be found among all items.
BOUNDS = {
    "logistic": (0.30, 0.03, 0.79, 0.73),
    "bpr": (0.45, 0.07, 0.91, 0.87),
    "warp": (0.45, 0.07, 0.94, 0.90),
    "warp-kos": (0.44, 0.06, 0.90, 0.87),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.slow
def test_bounds_of_the_librarys_own_tests(loss: str, movielens: Dataset) -> None:
    ratings, train, test = matrices(movielens, movielens.splits["ua"][0])
    algorithm: Any = create(f"lightfm-{loss}", {"no_components": 10, "epochs": 10})
    algorithm.prepare(ratings)
    liked = [part.multiply(part > 0).tocoo() for part in (train, test)]
    algorithm.fit(LightFMData(liked[0] if loss == "warp-kos" else train), 10)
    model = in_the_library(algorithm, 10)
    measured = [
        float(metric(model, part).mean())
        for metric in (precision_at_k, auc_score)
        for part in liked
    ]
    assert (np.array(measured) > np.array(BOUNDS[loss]) - 0.003).all(), (
        measured
    )  # processors round differently


@pytest.mark.slow
def test_the_notebooks_precision_suffers_from_training_items_among_the_candidates(
    movielens: Dataset,
) -> None:
    test_rows = np.random.default_rng(0).permutation(100_000)[:20_000]
    ratings, train, test = matrices(movielens, test_rows)
    algorithm = fitted("lightfm-warp", {"positives": "raw-ratings"}, ratings, movielens.catalogue)
    model = in_the_library(algorithm, 20)
    left_in, removed = (
        float(precision_at_k(model, test, among, k=10).mean()) for among in (None, train)
    )
    assert left_in == pytest.approx(0.110, abs=0.02)
    assert removed == pytest.approx(0.335, abs=0.02)
