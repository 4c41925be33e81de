"""Small Keras 3 models: backend-neutral code, on JAX unless KERAS_BACKEND says otherwise."""

import os
from abc import abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from recbench.adapters.base import Origin, Recommender
from recbench.adapters.keras.compiled_epoch import loop_over_minibatches
from recbench.adapters.shared.parameters import (
    Count,
    NaturalNumber,
    Positive,
    Search,
    ShareBelowOne,
)
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Ratings

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported
os.environ.setdefault("JAX_PLATFORMS", "cpu")

HE_2017 = "He et al. 2017, wider"

WATCH_BATCH = 1 << 12  # held-out ratings at a time
EMBEDDING_LIMIT = 0.05  # Keras' embeddings begin between this and its negative

Arrays = tuple[Any, Any]  # the model's inputs and the outputs it should have


def tuned_on_movielens(source: str, budget: str, *chosen: str) -> Origin:
    """The origin of defaults that are those of `source`, but for the `chosen` ones.

    These were chosen by `tests/proof/choose_defaults.py keras`, see KerasModel; `budget` says what
    was tried.
    """
    data = ("movielens-100k",)
    return Origin("tuned here", source, data, chosen, "validation part", budget)


@dataclass(eq=False)
class KerasModel(Recommender):
    """A Keras model of (user, item) -> rating. Subclasses build it and answer; this class trains.

    Ratings are shuffled with the seed each epoch and cut into batches of `batch_size`, or of less
    where there would be fewer than `min_batches` of them: a few steps of Adam leave a network on
    small data where it began. Initial weights are drawn by NumPy with the seed, so they are the
    same on every backend; on JAX the batches of an epoch are one compiled loop.

    A `validation` share of the training ratings may be held out, drawn with the seed: `trace_` has
    their RMSE too, and with `patience` above 0 training stops after so many epochs without a lower
    one, and returns to its best epoch. The training RMSE is the mean while the epoch ran. Users and
    items without a training rating get the mean of the others' embeddings instead of the random one
    they began with.

    Where a default is not its notebook's, it was chosen by the lowest error on a fifth of the
    training part of MovieLens 100k (fold 0 of 3) after learning from the rest. The number of epochs
    is that with as many steps on the whole part; values stayed as they were if the best was not
    better by .003, the spread of seeds.
    """

    family: ClassVar[str] = "keras"
    predicts = "ratings"
    revision = 2  # initial weights are NumPy's
    units = "scale"
    requires: ClassVar[tuple[str, ...]] = ("keras", os.environ["KERAS_BACKEND"])
    epochs_hyperparameter = "epochs"
    epochs: Count = 10
    batch_size: Count = 256
    min_batches: Count = 200
    optimizer: Literal["adam", "adagrad", "sgd"] = "adam"
    learning_rate: Annotated[Positive, Search(1e-4, 0.01, HE_2017, log=True)] = 0.001
    validation: ShareBelowOne = 0.0
    patience: NaturalNumber = 0

    def __post_init__(self) -> None:
        if self.patience and not self.validation:
            raise UsageError(
                f"{self.name}: patience={self.patience} needs held-out ratings to watch: give "
                "validation=.1 as well"
            )

    def convert(self, train: Ratings, catalogue: Catalogue) -> tuple[Ratings, Any]:
        """The ratings, and what `build` must know about the items; for most models nothing."""
        return train, None

    @abstractmethod
    def build(self, train: Ratings, about: Any) -> Any:
        """The keras.Model, not yet compiled.

        Its inputs are [user (batch,), item (batch,)] and its output the rating (batch, 1). `about`
        is what `convert` said about the items. Weights may begin as zeros, see `draw_weights`.
        """

    def draw_weights(self, generator: np.random.Generator) -> None:
        """Set the initial weights of `model_` as Keras' defaults would be, but by NumPy.

        Embeddings are uniform between -.05 and .05, kernels as Glorot and Bengio (2010) have them.
        A backend's own generator is compiled for each shape, which can take half of a short fit.
        """
        for weight in self.model_.trainable_variables:
            if weight.name == "embeddings":
                limit = EMBEDDING_LIMIT
            elif weight.name == "kernel":
                limit = np.sqrt(6 / sum(weight.shape))
            else:
                continue
            weight.assign(generator.uniform(-limit, limit, weight.shape).astype(np.float32))

    def loss(self, scale: tuple[float, float]) -> Any:
        """What training makes small, as Keras' `compile` takes it."""
        return "mse"

    def metric(self) -> Any:
        """The RMSE that `trace_` gets, a keras.metrics.Metric called "rmse"."""
        import keras

        return keras.metrics.RootMeanSquaredError("rmse")

    def arrays(self, known: Ratings, wanted: Ratings) -> Arrays:
        """Inputs and outputs for the ratings `wanted`, one row each.

        Only the ratings `known` may be shown to the model.
        """
        inputs = [np.ascontiguousarray(wanted.users), np.ascontiguousarray(wanted.items)]
        return inputs, wanted.values

    def fit(self, data: tuple[Ratings, Any], seed: int) -> None:
        """Build, compile and train; compilation by the backend is part of it."""
        import keras

        train, about = data
        keras.utils.set_random_seed(seed)
        known, held_out = hold_out_ratings(train, self.validation, seed)

        self.model_ = self.build(known, about)
        self.draw_weights(np.random.default_rng(seed))
        optimizer = {"class_name": self.optimizer, "config": {"learning_rate": self.learning_rate}}
        self.model_.compile(
            keras.optimizers.get(optimizer), self.loss(train.scale), metrics=[self.metric()]
        )

        inputs, outputs = self.arrays(known, known)
        size = min(self.batch_size, -(-len(outputs) // self.min_batches))
        n_batches = -(-len(outputs) // size)
        batches_at_once = n_batches if loop_over_minibatches(self.model_, size) else 1
        is_watched = len(held_out) > 0
        self.model_.fit(
            make_batches(inputs, outputs, size, batches_at_once, seed),
            shuffle=False,
            epochs=self.epochs,
            validation_data=self.arrays(known, held_out) if is_watched else None,
            validation_batch_size=WATCH_BATCH,
            verbose=0,
            callbacks=self._make_callbacks(is_watched),
        )
        self.fill_unrated(known)

    def _make_callbacks(self, is_watched: bool) -> list[Any]:
        """The callback that fills `trace_`, and early stopping where there is `patience`.

        `is_watched` says whether there are held-out ratings.
        """
        import keras

        self.trace_ = []
        begun = perf_counter()

        def note_epoch(epoch: int, logs: dict[str, float]) -> None:
            point = {
                "epoch": epoch + 1,
                "seconds": perf_counter() - begun,
                "train_rmse": float(logs["rmse"]),
            }
            if "val_rmse" in logs:
                point["val_rmse"] = float(logs["val_rmse"])
            self.trace_.append(point)

        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=note_epoch)]
        if self.patience and is_watched:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_rmse", patience=self.patience, mode="min", restore_best_weights=True
                )
            )
        return callbacks

    def fill_unrated(self, known: Ratings) -> None:
        """Give users and items that are not in `known` the mean of the trained embeddings.

        The embeddings of users are the layers whose name begins with user_, those of items with
        item_.
        """
        sides = (("user_", known.users, known.n_users), ("item_", known.items, known.n_items))
        for prefix, column, size in sides:
            n_ratings = np.bincount(column, minlength=size)
            is_rated = n_ratings > 0
            if is_rated.all():
                continue

            for layer in self.model_.layers:
                if layer.name.startswith(prefix):
                    (embeddings,) = layer.get_weights()
                    mean = embeddings[is_rated].mean(0)
                    filled = np.where(is_rated[:, None], embeddings, mean)
                    layer.set_weights([filled])

    def state(self) -> dict[str, Any]:
        """Without the network: scores come from plain arrays."""
        return {name: value for name, value in super().state().items() if name != "model_"}


def hold_out_ratings(train: Ratings, share: float, seed: int) -> tuple[Ratings, Ratings]:
    """The ratings to learn from and those to watch, which are a `share` of all.

    Drawn with the seed; both keep their order.
    """
    n_held_out = int(share * len(train))
    shuffled = np.random.default_rng(seed).permutation(len(train))
    is_held_out = np.zeros(len(train), np.bool_)
    is_held_out[shuffled[:n_held_out]] = True
    return train.take(np.flatnonzero(~is_held_out)), train.take(np.flatnonzero(is_held_out))


def make_batches(
    inputs: list[Any], outputs: Any, size: int, batches_at_once: int, seed: int
) -> Any:
    """Shuffled batches of `size` rows, anew each epoch, as a keras.utils.PyDataset.

    An item of it is `batches_at_once` of them, one after the other: one batch, or a whole epoch.
    All batches have one shape, so that there is one compilation: the last batch of an epoch is
    filled up with the epoch's first rows.
    """
    import keras

    n_rows = len(outputs)
    n_batches = -(-n_rows // size)
    rows_at_once = batches_at_once * size
    generator = np.random.default_rng(seed)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.on_epoch_end()

        def __len__(self) -> int:
            return n_batches // batches_at_once

        def __getitem__(self, number: int) -> Arrays:
            rows = self.order[number * rows_at_once : (number + 1) * rows_at_once]
            return tuple(column[rows] for column in inputs), outputs[rows]

        def on_epoch_end(self) -> None:
            self.order = np.resize(generator.permutation(n_rows), n_batches * size)

    return Batches()


def embed_pair(
    train: Ratings, n_user_factors: int, n_item_factors: int
) -> tuple[list[Any], list[Any]]:
    """The inputs [user, item], and an embedding of each.

    The embeddings are the layers user_factors and item_factors, of as many factors as are given.
    """
    import keras
    from keras import layers

    user = keras.Input((), dtype="int32", name="user")
    item = keras.Input((), dtype="int32", name="item")
    user_layer = layers.Embedding(train.n_users, n_user_factors, "zeros", name="user_factors")
    item_layer = layers.Embedding(train.n_items, n_item_factors, "zeros", name="item_factors")
    return [user, item], [user_layer(user), item_layer(item)]
