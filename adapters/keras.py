"""Small Keras 3 models: backend-neutral code, on JAX unless KERAS_BACKEND says otherwise."""

import os
from abc import abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from adapters.base import Floats, Indices, Recommender
from datasets.ratings import Catalogue, Ratings

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported
os.environ.setdefault("JAX_PLATFORMS", "cpu")

Count = Annotated[int, Field(ge=1)]
PREDICT_BATCH = 1 << 14  # pairs at a time; one shape, so one compilation


class _Keras(Recommender):
    """A model of (user, item) -> rating, trained with Adam on the squared error.

    Subclasses give the model; this class trains it and answers from it. Ratings are shuffled with the seed each
    epoch. `trace_` gets the training RMSE of each epoch, averaged while it ran.
    """

    family: ClassVar[str] = "keras"
    predicts = "ratings"
    requires = ("keras", os.environ["KERAS_BACKEND"])
    epochs: int
    batch_size: int

    @abstractmethod
    def build(self, n_users: int, n_items: int) -> Any:
        """The uncompiled keras.Model of inputs [user (batch,), item (batch,)] and output (batch, 1)."""

    def convert(self, train: Ratings, catalogue: Catalogue) -> tuple[Ratings, list[Any]]:
        """The index columns as Keras wants them."""
        return train, [np.ascontiguousarray(train.users), np.ascontiguousarray(train.items)]

    def fit(self, data: tuple[Ratings, list[Any]], seed: int) -> None:
        """Build, compile and train; compilation by the backend is part of it."""
        import keras

        train, inputs = data
        keras.utils.set_random_seed(seed)
        self.model_ = self.build(train.n_users, train.n_items)
        self.model_.compile(optimizer="adam", loss="mse")
        begun, self.trace_ = perf_counter(), []

        def note(epoch: int, logs: dict[str, float]) -> None:
            rmse = float(np.sqrt(logs["loss"]))
            self.trace_.append({"epoch": epoch + 1, "seconds": perf_counter() - begun, "train_rmse": rmse})

        self.model_.fit(
            inputs,
            train.values,
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)],
        )

    def score(self, users: Indices, items: Indices) -> Floats:
        """The model's output."""
        padding = -len(users) % PREDICT_BATCH
        inputs = [np.pad(column, (0, padding)) for column in (users, items)]
        scores = self.model_.predict(inputs, batch_size=PREDICT_BATCH, verbose=0)
        return np.asarray(scores, np.float32).reshape(-1)[: len(users)]


def _embedded(n_users: int, n_items: int, n_factors: int) -> tuple[list[Any], list[Any]]:
    """The inputs user and item, and an embedding of `n_factors` of each."""
    import keras

    inputs = [keras.Input((), dtype="int32", name=name) for name in ("user", "item")]
    sizes = zip(inputs, (n_users, n_items), strict=True)
    return inputs, [keras.layers.Embedding(size, n_factors)(column) for column, size in sizes]


@dataclass(eq=False)
class KerasMF(_Keras):
    """r(u, i) = p_u . q_i: two embeddings and their dot product, without biases.

    The matrix factorisation of the fourth source notebook: 10 factors, Adam, batches of 256; 10 epochs instead of its
    one, which on small data sets would end far from any optimum.
    """

    name = "keras-mf"
    n_factors: Count = 10
    epochs: Count = 10
    batch_size: Count = 256

    def build(self, n_users: int, n_items: int) -> Any:
        """Embedding, embedding, dot."""
        import keras

        (user, item), (p, q) = _embedded(n_users, n_items, self.n_factors)
        return keras.Model([user, item], keras.layers.Dot(axes=1)([p, q]))


@dataclass(eq=False)
class KerasMLP(_Keras):
    """Two embeddings side by side, then dense layers of 64 and 32 rectified units, then one linear unit.

    The network of the third source notebook: embeddings of 20, Adam, batches of 256, 10 epochs.
    """

    name = "keras-mlp"
    n_factors: Count = 20
    epochs: Count = 10
    batch_size: Count = 256

    def build(self, n_users: int, n_items: int) -> Any:
        """Embeddings, concatenation, 64, 32, 1."""
        import keras

        (user, item), (p, q) = _embedded(n_users, n_items, self.n_factors)
        hidden = keras.layers.Concatenate()([p, q])
        for width in (64, 32):
            hidden = keras.layers.Dense(width, activation="relu")(hidden)
        return keras.Model([user, item], keras.layers.Dense(1)(hidden))
