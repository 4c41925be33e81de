"""Keras models that put a user's and an item's embedding side by side, below dense layers."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.keras.base import HE_2017, KerasModel, embed_pair, tuned_on_movielens
from recbench.adapters.shared.parameters import DECADE, Choose, Count, Search
from recbench.datasets.ratings import Catalogue, Ratings


@dataclass(eq=False)
class KerasMLP(KerasModel):
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
class KerasDeep(KerasModel):
    """r(u, i) = w . f(A [p_u, q_i] + a) + b: embeddings of 20 and 10, 256 units, one linear unit.

    The "deep" model of the fourth source notebook, on embeddings side by side: Adam, squared error,
    batches of 256, one epoch, and 256 linear units, f(x) = x. Linear layers on a concatenation are
    a number for the user plus a number for the item, so that model cannot know anyone's taste: all
    users get the items in one order. It is `activation=linear,epochs=1` here; the defaults rectify,
    f = relu, and take 20 epochs.
    """

    name = "keras-deep"
    origin = tuned_on_movielens("fourth source notebook", "epochs", "activation")
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 20
    n_user_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 20
    n_item_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 10
    activation: Annotated[Literal["relu", "linear"], Choose("here: both")] = "relu"

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings, concatenation, 256, 1."""
        inputs, embeddings = embed_pair(train, self.n_user_factors, self.n_item_factors)
        return build_network(inputs, embeddings, (256,), self.activation)


@dataclass(eq=False)
class KerasRanking(KerasModel):
    """r(u, t) = w . relu(B relu(A [p_u, q_t] + a) + b) + c: 256 and 64 rectified units.

    The ranking model of the source notebook that serves it, after TensorFlow Recommenders' example
    (2020), on embeddings of 32, here of users and of titles t: the mean rating of a user for items
    of one title and year is one rating, and such items have one score. The notebook takes 3 epochs
    of Adagrad at .1 in batches of 8192: 30 steps on MovieLens 100k, which end near the RMSE of a
    constant. It is `optimizer=adagrad,learning_rate=.1,batch_size=8192,min_batches=1,epochs=3`
    here; defaults are 5 epochs of Adam in batches of 256, after which held-out ratings of MovieLens
    100k get worse.
    """

    name = "keras-ranking"
    origin = tuned_on_movielens(
        "source notebook that serves it", "epochs", "batch_size", "optimizer", "learning_rate"
    )
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 32
    epochs: Annotated[Count, Search(2, 50, DECADE, log=True)] = 5

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
        """The model's output for the items' titles."""
        return super().score(users, self.title_of_item_[items])


def _number_titles(catalogue: Catalogue) -> tuple[Indices, int]:
    """The number of each item's title, from 0 by first appearance, and how many titles there are.

    Items of one title and year share a number; an item without a title has one of its own.
    """
    films = zip(catalogue.titles, catalogue.years, strict=True)
    keys = [(title, year) if title else item for item, (title, year) in enumerate(films)]
    number_of_key = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([number_of_key[key] for key in keys], np.int32), len(number_of_key)


def build_network(
    inputs: list[Any], features: list[Any], widths: tuple[int, ...], activation: str = "relu"
) -> Any:
    """A keras.Model, not yet compiled: the features side by side below dense layers of `widths`.

    Its output is one linear unit, (batch, 1).
    """
    import keras

    hidden = keras.layers.Concatenate()(features)
    for width in widths:
        hidden = keras.layers.Dense(width, activation=activation)(hidden)
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))
