"""The Keras models: what they compute, what they may see, and what they leave behind."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import recbench.adapters
from recbench.adapters import available, create
from recbench.adapters.base import Floats, Indices
from recbench.adapters.keras.autorec import rating_vectors
from recbench.adapters.keras.base import KerasModel, hold_out_ratings
from recbench.adapters.keras.hybrid import list_terms, make_dropout, make_first_text_layer
from recbench.adapters.shared.texts import tfidf_of_items
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.ratings import Catalogue, Ratings

pytestmark = pytest.mark.slow  # most of the tests compile a network

# the last of both are unseen in training
N_USERS = 40
N_ITEMS = 20
NAMES = [name for name, adapter in available().items() if issubclass(adapter, KerasModel)]
# Their models answer pairs of a user and an item
PAIRWISE = [name for name in NAMES if name != "keras-autorec"]
CATALOGUE = Catalogue(
    tuple(f"Film {chr(97 + index)}{index}" for index in range(N_ITEMS)),
    (None,) * N_ITEMS,
    tuple(("Drama",) if index % 2 else ("Comedy", "Horror") for index in range(N_ITEMS)),
)


def parity_taste(scale: tuple[float, float] = (1.0, 5.0)) -> Ratings:
    """Users love the items of their own parity; three in five pairs of the first 36 users and 18
    items are rated.
    """
    users, items = np.divmod(np.arange(36 * 18, dtype=np.int32), np.int32(18))
    rated = np.random.default_rng(3).random(len(users)) < 0.6
    users = users[rated]
    items = items[rated]
    values = np.where((users + items) % 2 == 0, scale[1], scale[0]).astype(np.float32)
    return Ratings(users, items, values, N_USERS, N_ITEMS, scale)


def fitted(
    name: str, train: Ratings, seed: int = 0, catalogue: Catalogue = CATALOGUE, **parameters: Any
) -> Any:
    adapter = create(name, {"epochs": 2, "min_batches": 10} | parameters)
    adapter.prepare(train)
    adapter.fit(adapter.convert(train, catalogue), seed)
    return adapter


def all_pairs(n_users: int = N_USERS, n_items: int = N_ITEMS) -> tuple[Indices, Indices]:
    users, items = np.divmod(np.arange(n_users * n_items, dtype=np.int32), np.int32(n_items))
    return users, items


def test_all_eight_are_listed() -> None:
    names = "autorec deep hybrid mf mlp ranking recommender-net two-tower"
    assert [f"keras-{name}" for name in names.split()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_numbers_and_one_score_a_pair(name: str) -> None:
    train = parity_taste()
    everyone = np.arange(N_USERS, dtype=np.int32)
    adapter, other = (fitted(name, train, seed) for seed in (1, 2))
    scores = adapter.score_items(everyone)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(adapter.score(*all_pairs()), scores.ravel(), rtol=0, atol=1e-5)
    assert [point["epoch"] for point in adapter.trace_] == [1, 2]
    other_scores = other.score_items(everyone)
    assert np.abs(scores - other_scores).max() > 1e-6
    other.fit(other.convert(train, CATALOGUE), 1)  # an instance that was fitted before
    np.testing.assert_array_equal(other.score_items(everyone), scores)


@pytest.mark.parametrize("name", PAIRWISE)
def test_plain_arrays_give_the_models_answers(name: str) -> None:
    adapter = fitted(name, parity_taste((-10.0, 10.0)), epochs=3)
    users, items = all_pairs()
    answers = adapter.model_.predict([users, items], verbose=0)[:, 0]
    if name == "keras-ranking":
        answers = answers[users * N_ITEMS + adapter.title_of_item_[items]]
    np.testing.assert_allclose(adapter.score(users, items), answers, rtol=1e-5, atol=1e-5)
    everyone = np.arange(N_USERS, dtype=np.int32)
    of_all_items = adapter.score_items(everyone).ravel()
    np.testing.assert_allclose(of_all_items, answers, rtol=1e-5, atol=1e-5)


def test_halves_are_added_up_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for activation in ("relu", "linear"):
        adapter = fitted("keras-deep", parity_taste(), activation=activation)
        everyone = np.arange(N_USERS, dtype=np.int32)
        at_once = adapter.score_items(everyone)
        with monkeypatch.context() as patched:
            patched.setattr("recbench.adapters.keras.networks.HELD_NUMBERS", 7 * 256)
            np.testing.assert_allclose(adapter.score_items(everyone), at_once, atol=1e-6)
            np.testing.assert_allclose(adapter.score(*all_pairs()), at_once.ravel(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("keras-hybrid", {}),  # it has dropout
        ("keras-recommender-net", {"validation": 0.2, "patience": 1, "epochs": 6}),
    ],
)
def test_the_compiled_epoch_is_keras_own_loop(
    name: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers to the bit, the same curve, and the same epoch to stop at."""
    adapter = fitted(name, parity_taste(), **parameters)
    with monkeypatch.context() as patched:
        loop = "recbench.adapters.keras.base.loop_over_minibatches"
        patched.setattr(loop, lambda model, size: False)
        other = fitted(name, parity_taste(), **parameters)

    np.testing.assert_array_equal(adapter.score(*all_pairs()), other.score(*all_pairs()))
    curves = [
        [{key: value for key, value in point.items() if key != "seconds"} for point in trace]
        for trace in (adapter.trace_, other.trace_)
    ]
    assert curves[0] == curves[1]


def test_one_module_knows_jax() -> None:
    rooms = Path(*recbench.adapters.__path__, "keras")
    knowing = {
        path.stem
        for path in rooms.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any("jax" in alias.name for alias in node.names)
    }
    assert knowing == {"compiled_epoch"}


def test_initial_weights_are_drawn_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Keras draws on JAX is compiled for each shape first, which took up to half of a fit."""
    import jax

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("JAX draws weights")

    for name in ("uniform", "normal", "truncated_normal"):
        monkeypatch.setattr(jax.random, name, refuse)

    one = np.zeros(1, np.int32)
    train = Ratings(one, one, np.ones(1, np.float32), 2000, 500, (1.0, 5.0))
    weights = {}
    for name in NAMES:
        adapter: Any = create(name)
        about = tfidf_of_items(CATALOGUE) if name == "keras-hybrid" else None
        adapter.model_ = adapter.build(train, about)
        adapter.draw_weights(np.random.default_rng(3))
        for weight in adapter.model_.trainable_variables:
            weights[name, weight.path] = np.asarray(weight)

    users = weights["keras-mf", "user_factors/embeddings"]
    assert users.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.02)
    hidden = weights["keras-deep", "head_1/kernel"]
    assert np.abs(hidden).max() == pytest.approx(np.sqrt(6 / (30 + 256)), rel=0.01)
    of_he = weights["keras-recommender-net", "user_factors/embeddings"]
    assert of_he.std() == pytest.approx(np.sqrt(2 / 2000), rel=0.02)
    for (_, path), weight in weights.items():
        assert weight.any() != path.endswith("bias")


def test_dropout_drops_its_share_and_other_units_each_time() -> None:
    layer = make_dropout(0.2)
    units = np.ones((300, 512), np.float32)
    kept = [np.asarray(layer(units, training=True)) != 0 for _ in range(4)]
    for mask in kept:
        assert mask.mean() == pytest.approx(0.8, abs=0.005)
        assert mask.mean(0).min() > 0.65
        assert mask.mean(1).min() > 0.7
    for other in kept[1:]:
        both = (kept[0] & other).mean()
        assert both == pytest.approx(0.64, abs=0.01)
        assert (other[1:] & other[:-1]).mean() == pytest.approx(0.64, abs=0.01)
        assert (other[:, 1:] & other[:, :-1]).mean() == pytest.approx(0.64, abs=0.01)
    assert np.asarray(layer(units, training=True)).max() == pytest.approx(1.25)
    np.testing.assert_array_equal(layer(units), units)
    np.testing.assert_array_equal(make_dropout(0.0)(units, training=True), units)


@pytest.mark.parametrize("name", ["keras-mf", "keras-deep", "keras-autorec"])
def test_unseen_users_and_items_are_average_ones(name: str) -> None:
    adapter = fitted(name, parity_taste(), epochs=20, min_batches=50)
    scores = adapter.score_items(np.arange(N_USERS, dtype=np.int32))
    seen = scores[:36, :18]
    assert seen.min() - 0.1 <= scores[36:].min() and scores[36:].max() <= seen.max() + 0.1
    np.testing.assert_array_equal(scores[36], scores[39])
    np.testing.assert_array_equal(scores[:, 18], scores[:, 19])
    if name != "keras-deep":  # the mean of products is the product with the mean
        np.testing.assert_allclose(scores[39, :18], seen.mean(0), rtol=0, atol=1e-4)
        np.testing.assert_allclose(scores[:36, 19], seen.mean(1), rtol=0, atol=1e-4)


def test_linear_layers_on_embeddings_side_by_side_know_no_taste() -> None:
    """The notebook's deep model is a number for the user plus a number for the item."""
    scores = fitted("keras-deep", parity_taste(), activation="linear").score_items(
        np.arange(N_USERS, dtype=np.int32)
    )
    np.testing.assert_allclose(
        scores - scores[:, :1], np.tile(scores[0] - scores[0, 0], (N_USERS, 1)), atol=1e-5
    )
    scores = fitted("keras-deep", parity_taste(), epochs=10).score_items(
        np.arange(N_USERS, dtype=np.int32)
    )
    assert np.ptp(scores - scores[:, :1], axis=0).max() > 1e-3


def test_the_notebooks_tensordot_gives_every_pair_of_a_batch_one_number() -> None:
    """tensordot over two axes sums over the batch too, so a prediction depends on its batch mates;
    the row says so.
    """
    from keras import ops

    adapter = fitted("keras-recommender-net", parity_taste(), dot="tensordot")
    users, items = (column[:8] for column in all_pairs())
    p = adapter.P_[users]
    q = adapter.Q_[items]
    theirs = float(ops.convert_to_numpy(ops.tensordot(p[:, :-2], q[:, :-2], 2)))
    shares = 1 / (1 + np.exp(-(theirs + p[:, -2] + q[:, -1])))
    np.testing.assert_allclose(adapter.score(users, items), 1 + 4 * shares, rtol=1e-5)

    alone = np.concatenate([adapter.score(users[[j]], items[[j]]) for j in range(8)])
    assert np.abs(alone - adapter.score(users, items)).max() > 1e-4
    whole = adapter.score_items(users[:1])[0]  # all 20 items of a user are one batch
    of_one_user = np.full(N_ITEMS, users[0])
    every_item = np.arange(N_ITEMS, dtype=np.int32)
    np.testing.assert_allclose(whole, adapter.score(of_one_user, every_item), rtol=1e-5)

    assert "depends on the 32 that are asked together" in adapter.broken_law()
    assert create("keras-recommender-net").broken_law() is None


def test_recommender_nets_loss_is_the_cross_entropy_of_shares() -> None:
    loss = create("keras-recommender-net").loss((1.0, 5.0))  # type: ignore[attr-defined]
    ratings, predictions = (
        np.array(column, np.float32)[:, None] for column in ([1, 3, 5], [2, 3, 4])
    )
    expected = [-np.log(0.75), -np.log(0.5), -np.log(0.75)]
    np.testing.assert_allclose(np.asarray(loss(ratings, predictions)), expected, rtol=1e-5)


def test_ranking_learns_the_mean_rating_of_a_title() -> None:
    catalogue = Catalogue(
        ("Same", "Other", "Same", "Same", "", ""), (1999, 1999, 1999, 2005, None, None), ((),) * 6
    )
    users = np.array([0, 0, 1, 0, 1, 1], np.int32)
    items = np.array([0, 2, 2, 3, 4, 5], np.int32)
    train = Ratings(users, items, np.array([1, 4, 3, 5, 2, 1], np.float32), 2, 6, (1.0, 5.0))
    merged, title_of = create("keras-ranking").convert(train, catalogue)
    assert title_of.tolist() == [0, 1, 0, 2, 3, 4]
    assert list(zip(merged.users, merged.items, merged.values, strict=True)) == [
        (0, 0, 2.5),
        (0, 2, 5.0),
        (1, 0, 3.0),
        (1, 3, 2.0),
        (1, 4, 1.0),
    ]
    scores = fitted("keras-ranking", train, catalogue=catalogue).score_items(
        np.arange(2, dtype=np.int32)
    )
    np.testing.assert_array_equal(scores[:, 0], scores[:, 2])


def test_a_saved_model_serves_the_same_numbers(tmp_path: Path) -> None:
    import keras

    adapter = fitted("keras-ranking", parity_taste())
    adapter.model_.save(tmp_path / "ranking.keras")
    served = keras.models.load_model(tmp_path / "ranking.keras", safe_mode=True)
    users, items = all_pairs()
    answers = served.predict([users, adapter.title_of_item_[items]], verbose=0)[:, 0]
    np.testing.assert_allclose(answers, adapter.score(users, items), rtol=0, atol=1e-6)


def test_early_stopping_watches_training_ratings_that_it_does_not_learn_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[Ratings] = []
    original = KerasModel.arrays

    def spy(self: KerasModel, known: Ratings, asked: Ratings) -> Any:
        shown.append(asked)
        return original(self, known, asked)

    monkeypatch.setattr(KerasModel, "arrays", spy)
    generator = np.random.default_rng(0)
    train = parity_taste()
    noise = generator.integers(1, 6, len(train)).astype(
        np.float32
    )  # nothing to learn, so it soon gets worse
    train = Ratings(train.users, train.items, noise, N_USERS, N_ITEMS, train.scale)
    training = {"learning_rate": 0.02, "epochs": 60, "min_batches": 50}
    adapter = fitted("keras-mf", train, 0, CATALOGUE, validation=0.25, patience=2, **training)
    learnt, watched = (
        {*zip(part.users.tolist(), part.items.tolist(), strict=True)} for part in shown
    )
    assert not learnt & watched
    assert learnt | watched == {*zip(train.users.tolist(), train.items.tolist(), strict=True)}
    assert len(watched) == len(train) // 4
    curve = [point["val_rmse"] for point in adapter.trace_]
    assert len(curve) < 60
    assert np.argmin(curve) == len(curve) - 3  # two epochs without a lower one
    watching = shown[1]
    errors = watching.values - adapter.score(watching.users, watching.items)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(
        min(curve), abs=0.02
    )  # it returned to the best one


def test_the_held_out_share_is_drawn_with_the_seed() -> None:
    train = parity_taste()
    parts = [hold_out_ratings(train, 0.1, seed)[1] for seed in (0, 0, 1)]
    assert [len(part) for part in parts] == [len(train) // 10] * 3
    np.testing.assert_array_equal(parts[0].users, parts[1].users)
    assert (parts[0].users != parts[2].users).any()
    assert len(hold_out_ratings(train.take([0]), 0.9, 0)[0]) == 1


def test_patience_without_held_out_ratings_is_refused() -> None:
    with pytest.raises(UsageError, match="give validation"):
        create("keras-mf", {"patience": 3})


@pytest.mark.parametrize("name", NAMES)
def test_every_model_offers_the_same_training_parameters(name: str) -> None:
    adapter: Any = available()[name]
    assert {field.name for field in fields(KerasModel)} <= {field.name for field in fields(adapter)}
    with pytest.raises(UsageError, match="optimizer=lion"):
        create(name, {"optimizer": "lion"})


@pytest.mark.parametrize(
    "n_pairs", [4, 50], ids=["fewer pairs than items", "more pairs than items"]
)
def test_the_text_layer_is_a_dense_layer_on_the_tfidf(n_pairs: int) -> None:
    tfidf = tfidf_of_items(CATALOGUE)
    layer = make_first_text_layer(tfidf, 3)
    items = np.resize(np.array([0, 7, 7, 19], np.int32), n_pairs)
    answers = np.asarray(layer(items))
    expected = np.maximum(
        tfidf[items].toarray() @ np.asarray(layer.kernel) + np.asarray(layer.bias), 0
    )
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)


def test_the_hybrids_memory_does_not_grow_with_ratings_times_terms() -> None:
    """Its data are two columns of indices; the terms are weights of the model, once per item."""
    train = parity_taste()
    adapter: Any = create("keras-hybrid")
    doubled = train.take(np.arange(2 * len(train)) % len(train))
    sizes = []
    for ratings in (train, doubled):
        (users, items), _ = adapter.arrays(ratings, ratings)
        assert users.shape == items.shape == (len(ratings),)
        _, about = adapter.convert(ratings, CATALOGUE)
        model = adapter.build(ratings, about)
        assert [tuple(column.shape) for column in model.inputs] == [(None,), (None,)]
        sizes.append([tuple(weight.shape) for weight in model.weights])
    assert sizes[0] == sizes[1]
    longest = np.diff(tfidf_of_items(CATALOGUE).indptr).max()
    assert sizes[0].count((N_ITEMS, longest)) == 2


def test_autorec_reconstructs_items_as_the_formula_says() -> None:
    train = parity_taste((0.5, 5.0))
    adapter = fitted("keras-autorec", train, epochs=3)
    W, c = adapter.model_.get_layer("hidden").get_weights()
    V, b = adapter.model_.get_layer("output").get_weights()
    x = np.zeros((18, N_USERS), np.float32)
    for user, item, value in zip(train.users, train.items, train.values, strict=True):
        x[item, user] = value
    expected = train.mean + (1 / (1 + np.exp(-(x @ W + c)))) @ V + b
    scores = adapter.score_items(np.arange(N_USERS, dtype=np.int32))
    np.testing.assert_allclose(scores[:, :18], expected.T, rtol=0, atol=1e-4)


def test_autorec_counts_only_known_ratings() -> None:
    adapter: Any = create("keras-autorec")
    ratings = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 2.0]], np.float32)
    predictions = np.array([[2.0, 9.0, 5.0], [7.0, 8.0, 2.5]], np.float32)
    np.testing.assert_allclose(
        np.asarray(adapter.loss((1.0, 5.0))(ratings, predictions)), [5.0, 0.25]
    )
    metric = adapter.metric()
    metric.update_state(ratings, predictions)
    assert float(metric.result()) == pytest.approx(np.sqrt(5.25 / 3))


def test_autorecs_validation_sees_known_ratings_and_asks_for_others() -> None:
    train = parity_taste()
    known, held_out = hold_out_ratings(train, 0.2, 0)
    adapter: Any = create("keras-autorec")
    adapter.build(known, None)
    (inputs,), outputs = adapter.arrays(known, held_out)
    asked = np.unique(held_out.items)
    np.testing.assert_array_equal(inputs, rating_vectors(known, known.values, 0)[asked])
    assert not ((inputs != 0) & ~np.isnan(outputs)).any()
    assert (~np.isnan(outputs)).sum() == len(held_out)


def test_autorec_says_when_its_dense_vectors_do_not_fit() -> None:
    one = np.zeros(1, np.int32)
    netflix = Ratings(one, one, np.ones(1, np.float32), 480_189, 17_770, (1.0, 5.0))
    reason = create("keras-autorec").skip(netflix, CATALOGUE, 16_000)
    assert reason is not None and "17,770 items x 480,189 users" in reason
    assert create("keras-autorec").skip(parity_taste(), CATALOGUE, 100) is None


@pytest.mark.parametrize("name", NAMES)
def test_one_user_one_item_one_rating(name: str) -> None:
    one = np.zeros(1, np.int32)
    train = Ratings(one, one, np.array([-10], np.float32), 1, 1, (-10.0, 10.0))
    catalogue = Catalogue(("",), (None,), ((),))
    adapter = fitted(
        name, train, catalogue=catalogue, validation=0.5, patience=1
    )  # half of one rating is none
    assert np.isfinite(adapter.score_items(one)).all()


def test_texts_are_overviews_or_else_titles_and_genres() -> None:
    titles = ("Alien", "Brazil", "the")
    genres = (("Horror",), (), ())
    catalogue = Catalogue(titles, (None,) * 3, genres, ("", "a clerk and a fly", ""))
    tfidf = tfidf_of_items(catalogue)
    assert isinstance(tfidf, csr_matrix)
    assert tfidf.dtype == np.float32
    np.testing.assert_allclose(
        np.sqrt(tfidf.multiply(tfidf).sum(1)).A1, [1, 1, 0], rtol=1e-6
    )  # "the" is a stop word
    assert tfidf.shape == (3, 4)  # alien, horror, clerk, fly
    assert tfidf_of_items(catalogue, max_features=2).shape == (3, 2)


@pytest.mark.parametrize("texts", [(), ("",), ("the", "of", "")])
def test_texts_without_a_term_are_zeros(texts: tuple[str, ...]) -> None:
    tfidf = tfidf_of_items(Catalogue(texts, (None,) * len(texts), ((),) * len(texts)))
    assert tfidf.shape == (len(texts), 1)
    assert tfidf.nnz == 0


def test_term_lists_hold_what_the_matrix_holds() -> None:
    dense: Floats = np.array([[0, 2, 0, 1], [0, 0, 0, 0], [3, 0, 0, 0]], np.float32)
    terms, weights = list_terms(csr_matrix(dense))
    again = np.zeros_like(dense)
    np.add.at(again, (np.arange(3)[:, None], terms), weights)
    np.testing.assert_array_equal(again, dense)
    assert terms.shape == (3, 2)
