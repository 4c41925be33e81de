"""Users who were not in training: their ratings from a file, and what a model says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench import datasets
from recbench.adapters import available
from recbench.adapters.base import Floats
from recbench.benchmarks.evaluation import check_form, user_item_matrix
from recbench.benchmarks.models.model import Id, Model, RecommendedLists
from recbench.datasets.foundation import Bounds, UsageError, format_spec, parse_spec
from recbench.datasets.ratings import Ratings

MOST_NAMED = 5  # unknown items in a message


@dataclass(frozen=True, eq=False)
class Histories:
    """Ratings of users whom a model does not know, for items that it knows."""

    user_ids: NDArray[Any]  # as the file has them
    ratings: Ratings  # users are numbered as in `user_ids`, items as in the model
    n_unknown: int  # ratings of items that the model does not know, which are left out
    unknown_items: list[str]  # some of these


def read_histories(model: Model, file: str) -> Histories:
    """The ratings in a table, such as `new.csv` or `new.csv[rating=stars]`.

    UsageError for what is no table of ratings on the scale of the model, and if none of its items
    is known.
    """
    name, options = parse_spec(file)
    data = model.description.data
    if data.feedback == "implicit":
        options.setdefault("rating", "none")
    elif "scale" not in options:
        lowest, highest = data.scale
        options["scale"] = f"{lowest:g}:{highest:g}"
    told = datasets.load(format_spec(f"table:{name}", options))
    if told.ratings.scale != data.scale:
        lowest, highest = data.scale
        raise UsageError(
            f"--history {file}: its ratings are on a scale from {told.ratings.scale[0]:g} to "
            f"{told.ratings.scale[1]:g}, those of the model from {lowest:g} to {highest:g}"
        )

    texts = [str(raw) for raw in told.item_ids.tolist()]
    places = np.array(
        [model.items.index_of(text) if model.items.has(text) else -1 for text in texts], np.int32
    )
    is_known = places[told.ratings.items] >= 0
    unknown = [text for text, place in zip(texts, places, strict=True) if place < 0]
    if not is_known.any():
        raise UsageError(
            f"--history {file}: the model knows none of its {len(texts):,} items, such as "
            f"{texts[0]!r}; an id looks like {model.items.ids[0]!s}"
        )

    known = told.ratings.take(np.flatnonzero(is_known))
    ratings = Ratings(
        known.users,
        places[known.items],
        known.values,
        told.ratings.n_users,
        len(model.items.ids),
        data.scale,
        known.times,
    )
    n_unknown = int(np.count_nonzero(~is_known))
    return Histories(told.user_ids, ratings, n_unknown, unknown[:MOST_NAMED])


def history_of_one(model: Model, rated: Mapping[Id, float]) -> Ratings:
    """The ratings of one user, by items, as those of a new one. UsageError for an unknown item."""
    scale = model.description.data.scale
    items = np.array([model.items.find(item) for item in rated], np.int32)
    values = np.array(list(rated.values()), np.float32)
    if len(values):
        _refuse_outside(values, scale)

    users = np.zeros(len(items), np.int32)
    return Ratings(
        users=users,
        items=items,
        values=values,
        n_users=1,
        n_items=len(model.items.ids),
        scale=scale,
    )


def _refuse_outside(values: Floats, scale: Bounds) -> None:
    """UsageError unless all ratings, of which there are some, are numbers within the scale."""
    lowest, highest = scale
    least = values.min()
    greatest = values.max()
    is_within = least >= lowest and greatest <= highest  # false for NaN, too
    if not is_within:
        raise UsageError(
            f"expected ratings from {lowest:g} to {highest:g}, got {least:g} to {greatest:g}"
        )


def rank_new_users(
    model: Model,
    ratings: Ratings,
    n: int,
    *,
    barred: NDArray[np.bool_] | None = None,
    include_rated: bool = False,
) -> RecommendedLists:
    """The `n` best items of each user of `ratings`, none of which was in training.

    Candidates are as those of `Model.rank_users`; what a user has rated is in `ratings`. UsageError
    for an algorithm that can only answer users it has learned from.
    """
    algorithm = model.algorithm
    if not algorithm.folds_in():
        able = [name for name, adapter in available().items() if adapter.folds_in()]
        raise UsageError(
            f"{algorithm.name} can answer only users that it was trained on: train it again with "
            f"their ratings, or train a row that folds new users in: {', '.join(able)}"
        )
    shape = (ratings.n_users, ratings.n_items)
    scores = algorithm.fold_in(model.units.convert_ratings(ratings))
    scores = check_form(scores, shape, algorithm.name)

    rated = user_item_matrix(ratings, -np.inf)
    if include_rated:
        rated = csr_matrix(shape, dtype=bool)
    users = np.arange(ratings.n_users, dtype=np.int32)
    top, best = model.choose_best(users, scores, rated, n, barred)
    predicted = None
    if model.predicts_ratings:
        of_users = np.broadcast_to(users[:, None], top.shape)
        answers = scores[of_users, np.maximum(top, 0)]
        predicted = np.where(top >= 0, model.complete_ratings(answers), np.float32(np.nan))
    return RecommendedLists(top, best, predicted)
