"""Keras models whose scores are products of a user's and an item's embedding."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from recbench.adapters.base import Floats, Indices
from recbench.adapters.keras.base import HE_2017, KerasModel, embed_pair, tuned_on_movielens
from recbench.adapters.shared.parameters import DECADE, Count, NonNegative, Positive, Search
from recbench.datasets.ratings import Ratings

PENALTY = "here: two decades around the default"
PREDICTED_TOGETHER = 32  # pairs in a batch of Keras' `predict`, unless it is told otherwise
CUT_DEVIATION = 0.87962566103423978  # of a standard normal distribution, cut at -2 and 2


class Product(KerasModel):
    """score(u, i) = p_u . q_i, where biases are factors that face a one.

    Scores come from plain arrays, not from the model.
    """

    def fit(self, data: tuple[Ratings, Any], seed: int) -> None:
        """Train, then keep what was learned as two plain arrays."""
        super().fit(data, seed)
        self.P_, self.Q_ = self.factors(data[0])

    def factors(self, train: Ratings) -> tuple[Floats, Floats]:
        """The factors of users (n_users, n) and of items (n_items, n), of the trained model."""
        return self.layer_weights("user_factors"), self.layer_weights("item_factors")

    def layer_weights(self, layer: str) -> Floats:
        """The first weight of a layer of the model, float32."""
        return np.asarray(self.model_.get_layer(layer).get_weights()[0], np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """p_u . q_i for each pair."""
        return np.asarray(np.einsum("jf,jf->j", self.P_[users], self.Q_[items]), np.float32)

    def score_items(self, users: Indices) -> Floats:
        """The same for every item, as one matrix product."""
        return np.asarray(self.P_[users] @ self.Q_.T, np.float32)


@dataclass(eq=False)
class KerasMF(Product):
    """r(u, i) = p_u . q_i: two embeddings and their dot product, without biases.

    Matrix factorisation (Koren, Bell and Volinsky 2009) as the fourth source notebook has it: 10
    factors, Adam, squared error, batches of 256. That notebook's one epoch over four million
    ratings is 15,000 steps; one over MovieLens 100k is 313 and ends at an RMSE of 2.8, so here are
    30 epochs at twice Keras' learning rate. Without biases or a mean, the factors must learn both
    before they learn anyone's taste.
    """

    name = "keras-mf"
    origin = tuned_on_movielens(
        "fourth source notebook", "3 settings of up to 40 epochs", "epochs", "learning_rate"
    )
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 10
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 30
    learning_rate: Annotated[Positive, Search(1e-4, 0.01, HE_2017, log=True)] = 0.002

    def build(self, train: Ratings, about: Any) -> Any:
        """Embedding, embedding, dot."""
        import keras

        inputs, factors = embed_pair(train, self.n_factors, self.n_factors)
        return keras.Model(inputs, keras.layers.Dot(axes=1)(factors))


@dataclass(eq=False)
class KerasTwoTower(Product):
    """r(u, i) = w (p_u . q_i) + b: two embeddings, their dot product, and one linear unit on it.

    The network of the source notebook on hashed users and half stars: 10 factors, Adam, squared
    error, 5 epochs in batches of 64. Defaults are 20 epochs in batches of 256, which end as low on
    MovieLens 100k in less time. The name is that of Covington, Adams and Sargin (2016) and Yi et
    al. (2019), whose towers see more than an index.
    """

    name = "keras-two-tower"
    origin = tuned_on_movielens(
        "source notebook", "3 settings of up to 40 epochs", "epochs", "batch_size"
    )
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 10
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 20

    def build(self, train: Ratings, about: Any) -> Any:
        """Embedding, embedding, dot, one linear unit."""
        import keras

        inputs, factors = embed_pair(train, self.n_factors, self.n_factors)
        product = keras.layers.Dot(axes=1)(factors)
        linear = keras.layers.Dense(1, kernel_initializer="zeros", name="linear")
        return keras.Model(inputs, linear(product))

    def factors(self, train: Ratings) -> tuple[Floats, Floats]:
        """The slope goes to the users' factors; the intercept is one factor more."""
        P, Q = super().factors(train)
        slope, intercept = self.model_.get_layer("linear").get_weights()
        intercepts = np.full((len(P), 1), intercept[0], np.float32)
        ones = np.ones((len(Q), 1), np.float32)
        return np.hstack([P * slope[0, 0], intercepts]), np.hstack([Q, ones])


@dataclass(eq=False)
class KerasRecommenderNet(Product):
    """r(u, i) = lowest + (highest - lowest) sigmoid(p_u . q_i + b_u + b_i), by cross-entropy.

    The cross-entropy is the binary one. RecommenderNet of the second source notebook, after Keras'
    collaborative filtering example (Banerjee 2020): 75 factors drawn as He et al. (2015), ratings
    as shares of the scale, Adam, batches of 128, 10 epochs. Both multiply by `tensordot(u, v, 2)`,
    which sums over the batch too, so that all its pairs share one number; here is the dot product
    of each pair. `dot=tensordot` is their mistake, kept to be measured: it is trained so, and asked
    in batches of 32 pairs as Keras' `predict` does, those of one user where all items are asked
    for. L2 on the embeddings is 1e-5, not their 1e-6, with which 75 factors learn MovieLens 100k by
    heart (RMSE .96 instead of .91).
    """

    name = "keras-recommender-net"
    origin = tuned_on_movielens(
        "second source notebook", "3 settings of up to 20 epochs", "regularisation"
    )
    n_factors: Annotated[Count, Search(5, 200, HE_2017, log=True)] = 75
    batch_size: Count = 128
    regularisation: Annotated[NonNegative, Search(1e-7, 1e-3, PENALTY, log=True)] = 1e-5
    dot: Literal["row-wise", "tensordot"] = "row-wise"

    def broken_law(self) -> str | None:
        """What `tensordot` does to the score of a pair."""
        if self.dot == "row-wise":
            return None
        return (
            f"the score of a pair depends on the {PREDICTED_TOGETHER} that are asked together with "
            "it, since tensordot sums over the batch: its lists and its predictions are no answers "
            "of one model"
        )

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings and biases, their product, sigmoid, and the scale of the ratings."""
        import keras
        from keras import layers

        inputs = []
        factors = []
        biases = []
        for name, size in (("user", train.n_users), ("item", train.n_items)):
            column = keras.Input((), dtype="int32", name=name)
            l2 = keras.regularizers.L2(self.regularisation)
            embed_factors = layers.Embedding(
                size, self.n_factors, "zeros", l2, name=f"{name}_factors"
            )
            embed_bias = layers.Embedding(size, 1, "zeros", name=f"{name}_biases")
            inputs.append(column)
            factors.append(embed_factors(column))
            biases.append(embed_bias(column))

        if self.dot == "tensordot":
            product = keras.ops.tensordot(*factors, 2)
        else:
            product = layers.Dot(axes=1)(factors)

        lowest, highest = train.scale
        user_bias, item_bias = biases
        sums = product + user_bias + item_bias
        share = layers.Activation("sigmoid")(sums)
        return keras.Model(inputs, layers.Rescaling(highest - lowest, lowest)(share))

    def draw_weights(self, generator: np.random.Generator) -> None:
        """The factors as He et al. (2015) draw weights of layers with as many inputs as rows.

        That is from a normal distribution, cut at two standard deviations.
        """
        super().draw_weights(generator)
        for name in ("user_factors", "item_factors"):
            layer = self.model_.get_layer(name)
            n_rows, n_factors = layer.embeddings.shape
            shares = generator.uniform(ndtr(-2), ndtr(2), (n_rows, n_factors))
            deviation = np.sqrt(2 / n_rows) / CUT_DEVIATION
            layer.set_weights([(deviation * ndtri(shares)).astype(np.float32)])

    def loss(self, scale: tuple[float, float]) -> Any:
        """Binary cross-entropy of ratings and predictions as shares of the scale."""
        import keras

        lowest, highest = scale

        def cross_entropy(ratings: Any, predictions: Any) -> Any:
            rating_shares = (ratings - lowest) / (highest - lowest)
            predicted_shares = (predictions - lowest) / (highest - lowest)
            return keras.losses.binary_crossentropy(rating_shares, predicted_shares)

        return cross_entropy

    def fit(self, data: tuple[Ratings, Any], seed: int) -> None:
        """Train, and remember the scale."""
        super().fit(data, seed)
        self.scale_ = data[0].scale

    def factors(self, train: Ratings) -> tuple[Floats, Floats]:
        """Embeddings, and each side's bias beside a one."""
        P, Q = super().factors(train)
        user_ones = np.ones((len(P), 1), np.float32)
        item_ones = np.ones((len(Q), 1), np.float32)
        with_biases = np.hstack([P, self.layer_weights("user_biases"), user_ones])
        return with_biases, np.hstack([Q, item_ones, self.layer_weights("item_biases")])

    def score(self, users: Indices, items: Indices) -> Floats:
        """The sigmoid of the sums, on the scale of the ratings."""
        if self.dot == "row-wise":
            return self._on_scale(super().score(users, items))
        P = self.P_[users]
        Q = self.Q_[items]
        products = np.einsum("jf,jf->j", P[:, :-2], Q[:, :-2])
        return self._on_scale(sum_over_batches(products) + P[:, -2] + Q[:, -1])

    def score_items(self, users: Indices) -> Floats:
        """The same for every item."""
        if self.dot == "row-wise":
            return self._on_scale(super().score_items(users))
        P = self.P_[users]
        products = P[:, :-2] @ self.Q_[:, :-2].T
        return self._on_scale(sum_over_batches(products) + P[:, -2:-1] + self.Q_[:, -1])

    def _on_scale(self, sums: Floats) -> Floats:
        """The sigmoid of the sums as a rating, float32 of the same shape."""
        lowest, highest = self.scale_
        # the exponential of a hopeless pair is infinite, and its share 0
        with np.errstate(over="ignore"):
            return np.asarray(lowest + (highest - lowest) / (1 + np.exp(-sums)), np.float32)


def sum_over_batches(products: Floats) -> Floats:
    """Of the products of pairs, along the last axis, the sum over each one's batch: the same shape.

    >>> sum_over_batches(np.ones(34, np.float32))[[0, 31, 32, 33]]
    array([32., 32.,  2.,  2.], dtype=float32)
    """
    n_pairs = products.shape[-1]
    starts = np.arange(0, n_pairs, PREDICTED_TOGETHER)
    if not n_pairs:
        return products
    sums = np.add.reduceat(products, starts, axis=-1)
    return np.repeat(sums, PREDICTED_TOGETHER, axis=-1)[..., :n_pairs]
