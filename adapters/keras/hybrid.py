"""A Keras model that sees what is known about an item in words."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Indices
from recbench.adapters.keras.base import HE_2017, embed_pair, tuned_on_movielens
from recbench.adapters.keras.networks import (
    Network,
    build_network,
    read_dense_layers,
    read_embeddings,
)
from recbench.adapters.shared.parameters import DECADE, Count, Positive, Search, ShareBelowOne
from recbench.adapters.shared.texts import tfidf_of_items
from recbench.datasets.ratings import Catalogue, Ratings

DROPOUT = "here: from none to beyond the usual half"
# Chris Wellons' lowbias32: shifts, and factors modulo 2^32 as integers with a sign
HASH_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32))
HASH_LAST_SHIFT = 16


@dataclass(eq=False)
class KerasHybrid(Network):
    """r(u, i) = w . relu(A [p_u, q_i, text_i] + a) + b, where text_i = relu(C relu(B tfidf_i)).

    The hybrid of the fourth source notebook, which crashed there: embeddings of 10; the TF-IDF of
    the item's overview, or title and genres, through 128 and 32 rectified units; 512 on all of it,
    dropout of .2, Adam, squared error. Its 2 epochs in batches of 1024 over 1.5 million ratings are
    3,000 steps; the default 7 epochs at three times its learning rate are 1,400 on MovieLens 100k.
    The first text layer is computed from each item's own terms, held once per item, so memory does
    not grow with ratings times terms.
    """

    name = "keras-hybrid"
    requires = (*Network.requires, "sklearn")
    origin = tuned_on_movielens(
        "fourth source notebook", "3 settings of up to 12 epochs", "epochs", "learning_rate"
    )
    n_factors: Annotated[Count, Search(2, 100, HE_2017, log=True)] = 10
    epochs: Annotated[Count, Search(2, 30, DECADE, log=True)] = 7
    batch_size: Count = 1024
    learning_rate: Annotated[Positive, Search(1e-4, 0.01, HE_2017, log=True)] = 0.003
    dropout: Annotated[ShareBelowOne, Search(0, 0.7, DROPOUT)] = 0.2
    max_features: Count | None = None

    def convert(self, train: Ratings, catalogue: Catalogue) -> tuple[Ratings, Any]:
        """The ratings, and the items' TF-IDF: one row an item."""
        return train, tfidf_of_items(catalogue, self.max_features)

    def build(self, train: Ratings, about: Any) -> Any:
        """Embeddings and text side by side, 512, 1."""
        from keras import layers

        inputs, (user_factors, item_factors) = embed_pair(train, self.n_factors, self.n_factors)
        _, item = inputs
        second_text_layer = layers.Dense(
            32, activation="relu", kernel_initializer="zeros", name="text"
        )
        text = second_text_layer(make_first_text_layer(about, 128)(item))
        dropout = make_dropout(self.dropout)
        return build_network(inputs, [user_factors, item_factors, text], (512,), dropout=dropout)

    def describe_items(self, about: Any) -> Floats:
        """The embedding of each item, and the text layers' answer to its TF-IDF."""
        kernel, bias = self.model_.get_layer("terms").get_weights()[:2]
        (second_text_layer,) = read_dense_layers(self.model_, "text")
        texts = second_text_layer.answer(np.maximum(about @ kernel + bias, 0))
        return np.hstack([read_embeddings(self.model_, "item_factors"), texts])


def make_dropout(share: float) -> Any:
    """A keras Layer that drops a `share` of the units, as keras.layers.Dropout does, from a hash.

    Which ones are dropped is a hash, Chris Wellons' lowbias32, of the unit's place and of numbers
    that come from the seed and change with each batch. On a processor it takes a tenth of the time
    of JAX's own generator, which took half of the training. It computes modulo 2^32; integers have
    a sign, since not all backends can multiply others.
    """
    import keras
    from keras import ops

    def mix(numbers: Any) -> Any:
        for shift, factor in HASH_ROUNDS:
            numbers = ops.bitwise_xor(numbers, shift_right(numbers, shift)) * factor
        return ops.bitwise_xor(numbers, shift_right(numbers, HASH_LAST_SHIFT))

    def shift_right(numbers: Any, shift: int) -> Any:
        # the sign must not come in from the left
        return ops.bitwise_and(ops.right_shift(numbers, shift), (1 << (32 - shift)) - 1)

    class HashedDropout(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="dropout")
            self.seed_generator = keras.random.SeedGenerator()

        def call(self, units: Any, training: bool = False) -> Any:
            if not training or not share:
                return units

            key = ops.cast(self.seed_generator.next(), "int32")
            start = mix(mix(key[1]) + key[0])
            stride = ops.bitwise_or(mix(start), 1)
            n_rows, n_units = ops.shape(units)
            firsts = ops.arange(n_rows, dtype="int32") * n_units
            places = ops.expand_dims(firsts, 1) + ops.arange(n_units, dtype="int32")
            is_kept = mix(places * stride + start) >= int(2**32 * share) - 2**31
            return ops.where(is_kept, units / (1 - share), 0)

    return HashedDropout()


def make_first_text_layer(tfidf: csr_matrix, n_units: int) -> Any:
    """A keras Layer: `n_units` rectified units on the TF-IDF row of each item.

    relu(sum over the item's terms t of weight_t * kernel_t + bias), of shape (batch, n_units) for
    item indices (batch,). The layer holds each item's terms and weights once, in lists as long as
    the longest, and adds up only the rows of the kernel that an item needs: neither the data nor a
    batch ever has a column per term.
    """
    import keras
    from keras import ops

    terms, weights = list_terms(tfidf)
    n_items = len(terms)

    class TextLayer(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight((tfidf.shape[1], n_units), "zeros", name="kernel")
            self.bias = self.add_weight((n_units,), "zeros", name="bias")
            self.terms = self.add_weight(
                terms.shape, "zeros", "int32", trainable=False, name="terms"
            )
            self.weights_of_terms = self.add_weight(
                weights.shape, "zeros", trainable=False, name="weights"
            )
            self.terms.assign(terms)
            self.weights_of_terms.assign(weights)

        def call(self, items: Any) -> Any:
            n_pairs = items.shape[0]  # unknown while the model is being built
            if isinstance(n_pairs, int) and n_pairs > n_items:
                # once for each item there is, is cheaper
                units_of_items = self.compute_units(ops.arange(n_items))
                return ops.take(units_of_items, items, axis=0)
            return self.compute_units(items)

        def compute_units(self, items: Any) -> Any:
            rows = ops.take(self.kernel, ops.take(self.terms, items, axis=0), axis=0)
            shares = ops.take(self.weights_of_terms, items, axis=0)
            return ops.relu(ops.einsum("bt,btu->bu", shares, rows) + self.bias)

    return TextLayer(name="terms")


def list_terms(tfidf: csr_matrix) -> tuple[Indices, Floats]:
    """Each row's columns and values, both (n_rows, length of the longest row).

    Shorter rows are filled up with zeros; there is at least one column.
    """
    lengths = np.diff(tfidf.indptr)
    n_rows = len(lengths)
    longest = lengths.max(initial=0)

    # The row of each entry, and its place within the row.
    rows = np.repeat(np.arange(n_rows), lengths)
    starts = np.repeat(tfidf.indptr[:-1], lengths)
    places = np.arange(len(rows)) - starts

    shape = (n_rows, max(1, longest))
    terms = np.zeros(shape, np.int32)
    terms[rows, places] = tfidf.indices
    weights = np.zeros(shape, np.float32)
    weights[rows, places] = tfidf.data
    return terms, weights
