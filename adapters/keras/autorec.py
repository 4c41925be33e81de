"""An autoencoder of the items' rating vectors."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recbench.adapters.base import Floats
from recbench.adapters.keras.base import Arrays, tuned_on_movielens
from recbench.adapters.keras.products import Product
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import DECADE, Count, NonNegative, Search
from recbench.datasets.ratings import Catalogue, Ratings

Doubles = NDArray[np.float64]

# Dense items x users matrices held at a time: inputs, outputs, their copies, and predictions.

SEDHAIN_2015 = "Sedhain et al. 2015"
MATRICES = 6


@dataclass(eq=False)
class KerasAutoRec(Product):
    """r(u, i) = mean + v_u . sigmoid(W x_i + c) + b_u, where x_i are the item's ratings or 0.

    Item-based AutoRec (Sedhain, Menon, Sanner and Xie 2015): an autoencoder of the items' rating
    vectors that learns from the squared errors of known ratings plus regularisation / 2 (|W|^2 +
    |V|^2). 500 sigmoid units and a linear output are the paper's; ratings are stars from 1 on, so
    that none is mistaken for an unknown one. Default epochs and regularisation were chosen on
    held-out ratings of MovieLens 100k for Adam; the paper has resilient propagation. A user of whom
    no rating is known gets the mean user's weights and an unseen item the mean hidden units: in
    effect the item's, or the user's, mean. A new user with a history gets weights of their own, by
    ridge regression on the hidden units. Rating vectors are dense, so data are limited by users
    times items.
    `min_batches` is 1: an epoch is a pass over items, not ratings.
    """

    name = "keras-autorec"
    origin = tuned_on_movielens(
        "Sedhain et al. 2015", "3 settings of up to 40 epochs", "epochs", "regularisation"
    )
    n_hidden: Annotated[Count, Search(10, 1000, SEDHAIN_2015, log=True)] = 500
    regularisation: Annotated[NonNegative, Search(0.001, 1000, SEDHAIN_2015, log=True)] = 200.0
    epochs: Annotated[Count, Search(5, 100, DECADE, log=True)] = 36
    batch_size: Count = 64
    min_batches: Count = 1

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The items' dense rating vectors have to fit, and the weights of each user."""
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
        # divided by the items, because the data term is a mean over items as well
        share = self.regularisation / (2 * len(np.unique(train.items)))
        decay = keras.regularizers.L2(share)

        vector = keras.Input((train.n_users,), name="ratings")
        encoder = layers.Dense(
            self.n_hidden,
            "sigmoid",
            kernel_initializer="zeros",
            kernel_regularizer=decay,
            name="hidden",
        )
        hidden = encoder(vector)
        decoder = layers.Dense(
            train.n_users, kernel_initializer="zeros", kernel_regularizer=decay, name="output"
        )
        return keras.Model([vector], decoder(hidden))

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

    def arrays(self, known: Ratings, wanted: Ratings) -> Arrays:
        """A row for each item of `wanted`: its known ratings, and the centred ones to predict.

        Both rows have a column for each user; an unknown rating is 0 in the inputs, and one that is
        not wanted NaN in the outputs.
        """
        items = np.unique(wanted.items)
        inputs = rating_vectors(known, known.values, unknown=0)
        centred = wanted.values - np.float32(self.mean_)
        outputs = rating_vectors(wanted, centred, unknown=np.nan)
        return [inputs[items]], outputs[items]

    def fill_unrated(self, known: Ratings) -> None:
        """Let users without ratings count for nothing, and get the mean weights of the output."""
        n_ratings = np.bincount(known.users, minlength=known.n_users)
        is_rated = n_ratings > 0

        hidden = self.model_.get_layer("hidden")
        kernel, bias = hidden.get_weights()
        kernel_of_rated = np.where(is_rated[:, None], kernel, 0)
        hidden.set_weights([kernel_of_rated, bias])

        output = self.model_.get_layer("output")
        kernel, bias = output.get_weights()
        mean_weights = kernel[:, is_rated].mean(1, keepdims=True)
        mean_bias = bias[is_rated].mean()
        filled_kernel = np.where(is_rated, kernel, mean_weights)
        filled_bias = np.where(is_rated, bias, mean_bias)
        output.set_weights([filled_kernel, filled_bias])

    def factors(self, train: Ratings) -> tuple[Floats, Floats]:
        """The weights of the output for each user, and each item's hidden units.

        An item without ratings has the mean ones. The user's bias stands beside a one of the item.
        """
        kernel, bias = self.model_.get_layer("hidden").get_weights()
        hidden = expit(rating_vectors(train, train.values, unknown=0) @ kernel + bias)

        n_ratings = np.bincount(train.items, minlength=train.n_items)
        is_rated = n_ratings > 0
        mean_units = hidden[is_rated].mean(0)
        hidden = np.where(is_rated[:, None], hidden, mean_units)

        output_layer = self.model_.get_layer("output")
        kernel, bias = output_layer.get_weights()
        user_biases = bias + np.float32(self.mean_)
        of_users = np.vstack([kernel, user_biases]).T.copy()
        ones = np.ones((len(hidden), 1), np.float32)
        of_items = np.hstack([hidden, ones])
        return of_users, of_items

    def fold_in(self, ratings: Ratings) -> Floats:
        """Ridge regression of what is told on the hidden units of the items, which stay fixed.

        It gives the best output weights and bias of each new user in closed form, with
        regularisation / 2 |v|^2 and a free bias. Without ratings the mean user's.
        """
        hidden = self.Q_[:, :-1].astype(np.float64)
        penalty = self.regularisation / 2
        weights = np.tile(self.P_.mean(axis=0, dtype=np.float64), (ratings.n_users, 1))
        for user in np.unique(ratings.users):
            is_own = ratings.users == user
            values = ratings.values[is_own].astype(np.float64)
            rated = hidden[ratings.items[is_own]]
            weights[user] = _regress_ratings(rated, values, penalty)
        return np.asarray(weights @ self.Q_.T.astype(np.float64), np.float32)


def _regress_ratings(rated: Doubles, values: Doubles, penalty: float) -> Doubles:
    """The weights of the features of rated items, and behind them the bias, which is not penalised.

    The smallest weights of all that fit best, if nothing is penalised.
    """
    mean_features = rated.mean(axis=0)
    centred = rated - mean_features
    products = centred @ centred.T + penalty * np.eye(len(values))
    deviations = values - values.mean()
    if penalty:
        duals = np.linalg.solve(products, deviations)
    else:
        duals = np.linalg.lstsq(products, deviations, rcond=None)[0]
    weights = centred.T @ duals
    return np.append(weights, values.mean() - mean_features @ weights)


def rating_vectors(ratings: Ratings, values: Floats, unknown: float) -> Floats:
    """The items x users matrix of `values`, float32, `unknown` where there is no rating.

    `values` has one for each rating; of a pair that was rated twice the last one stays.
    """
    matrix = np.full((ratings.n_items, ratings.n_users), unknown, np.float32)
    matrix[ratings.items, ratings.users] = values
    return matrix
