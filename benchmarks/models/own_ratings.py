"""What a model says of the ratings that it has learned from: how close it comes, and what it lists.

Both flatter: they tell how well ratings were learned by heart, and nothing of others.
"""

from dataclasses import dataclass

import numpy as np

from recbench.benchmarks.models.model import Model


@dataclass(frozen=True)
class OwnRating:
    """A rating that a user has given, and what the model predicts for the same pair."""

    item: int
    rating: float
    predicted: float

    @property
    def error(self) -> float:
        """How far the prediction is off, in rating points."""
        return abs(self.predicted - self.rating)


def compare_own_ratings(model: Model, user: int) -> list[OwnRating]:
    """All that a user has rated, the closest prediction first; equal ones by index of the item.

    UsageError for who ranks only.
    """
    begin, end = model.rated.indptr[user : user + 2]
    items = model.rated.indices[begin:end].astype(np.int32)
    ratings = model.rated.data[begin:end]
    users = np.full(len(items), user, np.int32)
    predicted = model.rate_pairs(users, items)

    compared = []
    for item, rating, prediction in zip(items, ratings, predicted, strict=True):
        compared.append(OwnRating(int(item), float(rating), float(prediction)))
    return sorted(compared, key=lambda one: (one.error, one.item))


def measure_training_precision(model: Model, k: int) -> float:
    """The share of the first `k` places of a user's list that hold something the user has rated.

    Candidates are all items, rated ones too, and every rating counts whatever its value: what
    `precision_at_k(model, train)` of LightFM tells. The mean over users with a rating.
    """
    n_ratings = np.diff(model.rated.indptr)
    users = np.flatnonzero(n_ratings).astype(np.int32)
    is_rated = model.rated.astype(bool)
    is_rated.data[:] = True  # a rating of 0 is one, too

    n_hits = 0
    for block, lists in model.rank_in_blocks(users, k, include_rated=True):
        users_of_places = np.broadcast_to(block[:, None], lists.items.shape)
        is_item = lists.items >= 0
        hits = is_rated[users_of_places[is_item], lists.items[is_item]]
        n_hits += int(hits.sum())

    n_places = k * len(users)
    return n_hits / n_places
