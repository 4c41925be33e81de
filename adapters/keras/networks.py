"""Keras models that put a user's and an item's embedding side by side, below dense layers."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.keras.base import HE_2017, KerasModel, embed_pair, tuned_on_movielens
from recbench.adapters.shared.parameters import DECADE, Choose, Count, Positive, Search
from recbench.datasets.ratings import Catalogue, Ratings

HELD_NUMBERS = 1 << 18  # of hidden units at a time: they stay in the processor's cache


@dataclass(frozen=True)
class DenseLayer:
    """A dense layer of a trained model, as plain arrays."""

    kernel: Floats  # (inputs, units)
    bias: Floats  # (units,)
    rectifies: bool

    def activate(self, sums: Floats) -> Floats:
        """What the layer makes of `sums`, which already hold its bias."""
        return np.maximum(sums, 0) if self.rectifies else sums

    def answer(self, inputs: Floats) -> Floats:
        """Its units, one row for each row of `inputs`."""
        return self.activate(inputs @ self.kernel + self.bias)


class Network(KerasModel):
    """Dense layers on a user's embedding and what is known of an item, side by side.

    A dense layer on a concatenation is a sum of two halves, A [p_u, q_i] + a = B p_u + (C q_i + a),
    so each is computed once for each user and item, not for each pair. Scores come from plain
    arrays, not from the model.
    """

    def fit(self, data: tuple[Ratings, Any], seed: int) -> None:
        """Train, then keep the users' embeddings, the items' halves and the layers above them."""
        super().fit(data, seed)
        dense = read_dense_layers(self.model_, "head_")
        self.P_ = read_embeddings(self.model_, "user_factors")
        n_user_factors = self.P_.shape[1]

        self.first_ = dense[0]
        self.user_kernel_ = self.first_.kernel[:n_user_factors]
        item_kernel = self.first_.kernel[n_user_factors:]
        self.item_half_ = self.describe_items(data[1]) @ item_kernel + self.first_.bias
        self.above_ = dense[1:]

    def describe_items(self, about: Any) -> Floats:
        """What the first dense layer sees of each item, (n_items, features)."""
        return read_embeddings(self.model_, "item_factors")

    def score(self, users: Indices, items: Indices) -> Floats:
        """The network's output for each pair."""
        scores = np.empty(len(users), np.float32)
        n_at_once = max(1, HELD_NUMBERS // len(self.first_.bias))
        for start in range(0, len(users), n_at_once):
            chunk = slice(start, start + n_at_once)
            sums = self.P_[users[chunk]] @ self.user_kernel_ + self.item_half_[items[chunk]]
            units = self.first_.activate(sums)
            for layer in self.above_:
                units = layer.answer(units)
            scores[chunk] = units[:, 0]
        return scores

    def score_items(self, users: Indices) -> Floats:
        """The same for every item.

        Rectified sums are max(a + b, 0) = max(a, -b) + b, and what the next layer makes of the last
        b is the same for all users.
        """
        n_items, n_units = self.item_half_.shape
        scores = np.empty((len(users), n_items), np.float32)
        user_halves = self.P_[users] @ self.user_kernel_
        second, *others = self.above_

        n_at_once = max(1, HELD_NUMBERS // n_units)
        for start in range(0, n_items, n_at_once):
            chunk = slice(start, start + n_at_once)
            item_half = self.item_half_[chunk]
            combine: np.ufunc = np.add
            offset: Floats = second.bias
            if self.first_.rectifies:
                combine = np.maximum
                offset = np.asarray(item_half @ second.kernel + second.bias, np.float32)
                item_half = -item_half

            hidden = np.empty_like(item_half)
            for row, user_half in enumerate(user_halves):
                combine(item_half, user_half, out=hidden)
                units = second.activate(hidden @ second.kernel + offset)
                for layer in others:
                    units = layer.answer(units)
                scores[row, chunk] = units[:, 0]
        return scores


@dataclass(eq=False)
class KerasMLP(Network):
    """r(u, i) = w . relu(B relu(A [p_u, q_i] + a) + b) + c: 64 and 32 rectified units.

    The multilayer perceptron of He et al. (2017) on embeddings side by side, here for ratings, as
    the third source notebook has it: embeddings of 20, Adam, squared error, batches of 256, 10
    epochs. Dense layers are slow to find products (Rendle et al. 2020), so expect little more than
    biases on small data.
    """

    name = "keras-mlp"
    origin = Origin("notebook", "third source notebook")
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 20

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings, concatenation, 64, 32, 1."""
        inputs, embeddings = embed_pair(train, self.n_factors, self.n_factors)
        return build_network(inputs, embeddings, (64, 32))


@dataclass(eq=False)
class KerasDeep(Network):
    """r(u, i) = w . f(A [p_u, q_i] + a) + b: embeddings of 20 and 10, 256 units, one linear unit.

    The "deep" model of the fourth source notebook, on embeddings side by side: Adam, squared error,
    batches of 256, one epoch, and 256 linear units, f(x) = x. Linear layers on a concatenation are
    a number for the user plus a number for the item, so that model cannot know anyone's taste: all
    users get the items in one order. It is `activation=linear,epochs=1` here; the defaults rectify,
    f = relu, and take 15 epochs.
    """

    name = "keras-deep"
    origin = tuned_on_movielens(
        "fourth source notebook", "2 settings of up to 40 epochs", "epochs", "activation"
    )
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 15
    n_user_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 20
    n_item_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 10
    activation: Annotated[Literal["relu", "linear"], Choose("here: both")] = "relu"

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings, concatenation, 256, 1."""
        inputs, embeddings = embed_pair(train, self.n_user_factors, self.n_item_factors)
        return build_network(inputs, embeddings, (256,), self.activation)


@dataclass(eq=False)
class KerasRanking(Network):
    """r(u, t) = w . relu(B relu(A [p_u, q_t] + a) + b) + c: 256 and 64 rectified units.

    The ranking model of the source notebook that serves it, after TensorFlow Recommenders' example
    (2020), on embeddings of 32, here of users and of titles t: the mean rating of a user for items
    of one title and year is one rating, and such items have one score. The notebook takes 3 epochs
    of Adagrad at .1 in batches of 8192: 30 steps on MovieLens 100k, which end near the RMSE of a
    constant. It is `batch_size=8192,min_batches=1,epochs=3` here; defaults are 8 epochs in batches
    of 256, on which Adam, at its best after 6, was worse.
    """

    name = "keras-ranking"
    origin = tuned_on_movielens(
        "source notebook that serves it", "5 settings of up to 10 epochs", "epochs", "batch_size"
    )
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 32
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 8
    optimizer: Literal["adam", "adagrad", "sgd"] = "adagrad"
    learning_rate: Annotated[Positive, Search(0.01, 1.0, DECADE, log=True)] = 0.1

    def convert(self, train: Ratings, catalogue: Catalogue) -> tuple[Ratings, Any]:
        """The mean rating of each user for each title, and the number of each item's title."""
        title_of_item, n_titles = _number_titles(catalogue)

        pairs = train.users.astype(np.int64) * n_titles + title_of_item[train.items]
        distinct_pairs, pair_of_rating = np.unique(pairs, return_inverse=True)
        means = np.bincount(pair_of_rating, train.values) / np.bincount(pair_of_rating)

        users, titles = np.divmod(distinct_pairs, n_titles)
        merged = Ratings(
            users.astype(np.int32),
            titles.astype(np.int32),
            means.astype(np.float32),
            train.n_users,
            n_titles,
            train.scale,
        )
        return merged, title_of_item

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings, concatenation, 256, 64, 1."""
        inputs, embeddings = embed_pair(train, self.n_factors, self.n_factors)
        return build_network(inputs, embeddings, (256, 64))

    def fit(self, data: tuple[Ratings, Any], seed: int) -> None:
        """Train on titles, and remember which item has which."""
        super().fit(data, seed)
        self.title_of_item_ = data[1]

    def score(self, users: Indices, items: Indices) -> Floats:
        """The network's output for the items' titles."""
        return super().score(users, self.title_of_item_[items])

    def score_items(self, users: Indices) -> Floats:
        """The same for every item."""
        return super().score_items(users)[:, self.title_of_item_]


def _number_titles(catalogue: Catalogue) -> tuple[Indices, int]:
    """The number of each item's title, from 0 by first appearance, and how many titles there are.

    Items of one title and year share a number; an item without a title has one of its own.
    """
    films = zip(catalogue.titles, catalogue.years, strict=True)
    keys = [(title, year) if title else item for item, (title, year) in enumerate(films)]
    number_of_key = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([number_of_key[key] for key in keys], np.int32), len(number_of_key)


def build_network(
    inputs: list[Any],
    features: list[Any],
    widths: tuple[int, ...],
    activation: str = "relu",
    dropout: Any = None,
) -> Any:
    """A keras.Model, not yet compiled: the features side by side below dense layers of `widths`.

    Its output is one linear unit, (batch, 1), after the layer `dropout` if there is one. The dense
    layers are head_1, head_2 and so on.
    """
    import keras
    from keras import layers

    units = layers.Concatenate()(features)
    for number, width in enumerate(widths, 1):
        hidden_layer = layers.Dense(
            width, activation, kernel_initializer="zeros", name=f"head_{number}"
        )
        units = hidden_layer(units)
    if dropout is not None:
        units = dropout(units)
    name = f"head_{len(widths) + 1}"
    return keras.Model(inputs, layers.Dense(1, kernel_initializer="zeros", name=name)(units))


def read_embeddings(model: Any, layer: str) -> Floats:
    """The embeddings of a layer of `model`, (size, n_factors)."""
    (embeddings,) = model.get_layer(layer).get_weights()
    return np.asarray(embeddings, np.float32)


def read_dense_layers(model: Any, prefix: str) -> list[DenseLayer]:
    """The dense layers of `model` whose names begin with `prefix`, the lowest first.

    Their units are rectified or linear.
    """
    dense = []
    for layer in model.layers:
        if layer.name.startswith(prefix):
            kernel, bias = layer.get_weights()
            rectifies = layer.activation.__name__ == "relu"
            dense.append(DenseLayer(kernel, bias, rectifies))
    return dense
