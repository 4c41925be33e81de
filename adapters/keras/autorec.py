"""An autoencoder of the items' rating vectors."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recbench.adapters.base import Floats
from recbench.adapters.keras.base import Arrays
from recbench.adapters.keras.products import Product
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import Count, NonNegative
from recbench.datasets.ratings import Catalogue, Ratings

MATRICES = 6  # dense items x users, held at a time: inputs, outputs, their copies on the way, and predictions


@dataclass(eq=False)
class KerasAutoRec(Product):
    """r(u, i) = mean + v_u . sigmoid(W x_i + c) + b_u, where x_i are the item's ratings, 0 where it has none.

    Item-based AutoRec (Sedhain, Menon, Sanner and Xie 2015): an autoencoder of the items' rating vectors that learns
    from the squared errors of known ratings plus regularisation / 2 (|W|^2 + |V|^2). 500 sigmoid units and a linear
    output are the paper's; ratings enter stretched to 1 .. 5, so that none is mistaken for an unknown one. Default
    epochs and regularisation were chosen on held-out ratings of MovieLens 100k for Adam; the paper has resilient
    propagation. A user unseen in training gets the mean user's weights and an unseen item the mean hidden units: in
    effect the item's, or the user's, mean. Rating vectors are dense, so data are limited by users times items.
    `min_batches` is 1: an epoch is a pass over items, not ratings.
    """

    name = "keras-autorec"
    n_hidden: Count = 500
    regularisation: NonNegative = 200.0
    epochs: Count = 20
    batch_size: Count = 64
    min_batches: Count = 1

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The items' rating vectors are dense, and so are weights between each user and each hidden unit."""
        return reason_to_skip(
            4 * train.n_users * (MATRICES * train.n_items + 8 * self.n_hidden),
            memory_mb,
            purpose=f"dense rating vectors of {train.n_items:,} items x {train.n_users:,} users",
            advice="raise the memory limit or filter the data",
        )

    def build(self, train: Ratings, about: Any) -> Any:
        """Rating vector, hidden units, rating vector."""
        import keras
        from keras import layers

        self.mean_ = train.mean
        share = self.regularisation / (
            2 * len(np.unique(train.items))
        )  # the data term is a mean over items as well
        vector = keras.Input((train.n_users,), name="ratings")
        decay = keras.regularizers.L2(share)
        hidden = layers.Dense(self.n_hidden, "sigmoid", kernel_regularizer=decay, name="hidden")(
            vector
        )
        return keras.Model(
            [vector], layers.Dense(train.n_users, kernel_regularizer=decay, name="output")(hidden)
        )

    def loss(self, scale: tuple[float, float]) -> Any:
        """The sum of squared errors over the ratings that are known."""
        from keras import ops

        def observed_error(ratings: Any, predictions: Any) -> Any:
            errors = predictions - ops.where(ops.isnan(ratings), predictions, ratings)
            return ops.sum(ops.square(errors), axis=-1)

        return observed_error

    def metric(self) -> Any:
        """The RMSE over the ratings that are known."""
        import keras
        from keras import ops

        class ObservedError(keras.metrics.RootMeanSquaredError):  # type: ignore[misc]
            def update_state(
                self, ratings: Any, predictions: Any, sample_weight: Any = None
            ) -> None:
                unknown = ops.isnan(ratings)
                weights = ops.cast(ops.logical_not(unknown), "float32")
                super().update_state(ops.where(unknown, predictions, ratings), predictions, weights)

        return ObservedError("rmse")

    def arrays(self, known: Ratings, asked: Ratings) -> Arrays:
        """A row for each item with ratings asked for: its known ratings, and NaN where none is asked for."""
        items = np.unique(asked.items)
        outputs = vectors(asked, asked.values - np.float32(self.mean_), unknown=np.nan)
        return [vectors(known, stretched(known), unknown=0)[items]], outputs[items]

    def fill_unseen(self, known: Ratings) -> None:
        """Users without a training rating count for nothing in the input and get the mean weights of the output."""
        seen = np.bincount(known.users, minlength=known.n_users) > 0
        hidden, output = self.model_.get_layer("hidden"), self.model_.get_layer("output")
        kernel, bias = hidden.get_weights()
        hidden.set_weights([np.where(seen[:, None], kernel, 0), bias])
        kernel, bias = output.get_weights()
        kernel = np.where(seen, kernel, kernel[:, seen].mean(1, keepdims=True))
        output.set_weights([kernel, np.where(seen, bias, bias[seen].mean())])

    def factors(self, train: Ratings) -> tuple[Floats, Floats]:
        """Users have the weights of the output, items their hidden units, or the mean ones if they have no rating."""
        import keras

        encoder = keras.Model(self.model_.inputs, self.model_.get_layer("hidden").output)
        hidden = encoder.predict(
            vectors(train, stretched(train), unknown=0), batch_size=self.batch_size, verbose=0
        )
        seen = np.bincount(train.items, minlength=train.n_items) > 0
        hidden = np.where(seen[:, None], hidden, hidden[seen].mean(0))
        kernel, bias = self.model_.get_layer("output").get_weights()
        ones = np.ones((len(hidden), 1), np.float32)
        return np.vstack([kernel, bias + np.float32(self.mean_)]).T.copy(), np.hstack(
            [hidden, ones]
        )


def stretched(ratings: Ratings) -> Floats:
    """Ratings on a scale from 1 to 5, so that no rating is 0, which stands for an unknown one."""
    lowest, highest = ratings.scale
    return np.asarray(1 + 4 * (ratings.values - lowest) / (highest - lowest), np.float32)


def vectors(ratings: Ratings, values: Floats, unknown: float) -> Floats:
    """The items x users matrix of `values`, one for each rating; the last of a pair's, where it was rated twice."""
    matrix = np.full((ratings.n_items, ratings.n_users), unknown, np.float32)
    matrix[ratings.items, ratings.users] = values
    return matrix
