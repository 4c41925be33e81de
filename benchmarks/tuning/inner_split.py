"""How the training part of a fold is divided again, for the trials of a search."""

from typing import Literal

from recbench.benchmarks.splits import order_in_time

RANDOM = "holdout"  # a fifth of all ratings
BY_USER = "user-kfold"  # a fifth of each user's ratings
BY_USER_AND_TIME = "last-out"  # each user's latest rating
BY_TIME = "time"  # the latest fifth


def choose_inner_split(split: str, predicts: Literal["ratings", "order"]) -> str:
    """The split, by its name, that divides the training part of a fold of `split`.

    As the outer one goes by time, so does the inner one. Else rating predictors are judged by
    random ratings, and rankers by a share of each user's.
    """
    order = order_in_time(split)
    if order == "all":
        return BY_TIME
    if order == "user":
        return BY_USER_AND_TIME
    return RANDOM if predicts == "ratings" else BY_USER
