"""LightFM: a factorisation learned from which items were liked, in the order they should be shown."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import coo_matrix

from adapters.base import Floats, Indices, Recommender
from datasets.ratings import Catalogue, Ratings


@dataclass(eq=False)
class LightFMWarp(Recommender):
    """LightFM with the WARP loss: score(u, i) = b_u + b_i + p_u . q_i, learned to put liked items first.

    WARP (Weston, Bengio and Usunier 2011) draws items until one outranks a liked one, and takes a step whose weight
    falls with the number of draws. Liked = a rating of at least `relevant_share` of the scale (4 on 1 to 5); other
    ratings are left out, since LightFM takes every stored entry for a like, one star included. Defaults are LightFM's
    (Kula 2015), but for 20 components and 20 epochs, which are the source notebook's.
    """

    name = "lightfm-warp"
    family = "lightfm"
    predicts = "order"
    requires = ("lightfm",)
    no_components: Annotated[int, Field(ge=1)] = 20
    epochs: Annotated[int, Field(ge=1)] = 20
    learning_schedule: Literal["adagrad", "adadelta"] = "adagrad"
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    item_alpha: Annotated[float, Field(ge=0)] = 0.0
    user_alpha: Annotated[float, Field(ge=0)] = 0.0
    max_sampled: Annotated[int, Field(ge=1)] = 10
    relevant_share: Annotated[float, Field(ge=0, le=1)] = 0.75

    def nondeterminism(self) -> str | None:
        """Threads update the same factors without locks."""
        return "LightFM's threads race for the same factors (Hogwild)" if self.threads > 1 else None

    def convert(self, train: Ratings, catalogue: Catalogue) -> coo_matrix:
        """The liked pairs as a sparse matrix of ones, int32 indices and float32 values."""
        lowest, highest = train.scale
        liked = train.values >= lowest + self.relevant_share * (highest - lowest)
        users, items = train.users[liked], train.items[liked]
        return coo_matrix((np.ones(len(users), np.float32), (users, items)), (train.n_users, train.n_items))

    def fit(self, data: Any, seed: int) -> None:
        """Train and keep biases and factors as plain arrays."""
        from lightfm import LightFM

        model = LightFM(
            no_components=self.no_components,
            loss="warp",
            learning_schedule=self.learning_schedule,
            learning_rate=self.learning_rate,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            max_sampled=self.max_sampled,
            random_state=seed,
        )
        model.fit(data, epochs=self.epochs, num_threads=self.threads)
        self.user_biases_, self.P_ = model.get_user_representations()
        self.item_biases_, self.Q_ = model.get_item_representations()

    def score(self, users: Indices, items: Indices) -> Floats:
        """b_u + b_i + p_u . q_i."""
        taste = np.einsum("jf,jf->j", self.P_[users], self.Q_[items])
        return np.asarray(self.user_biases_[users] + self.item_biases_[items] + taste, np.float32)

    def score_items(self, users: Indices) -> Floats:
        """The same for every item, as one matrix product."""
        taste = self.P_[users] @ self.Q_.T
        return np.asarray(self.user_biases_[users][:, None] + self.item_biases_ + taste, np.float32)
