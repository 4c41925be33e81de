"""How the training part of a fold is divided again, for the trials of a search."""

from typing import Literal

from recbench.benchmarks.splits import asks_new_users, order_in_time
from recbench.datasets.foundation import format_spec, parse_spec

RANDOM = "holdout"  # a fifth of all ratings
BY_USER = "user-kfold"  # a fifth of each user's ratings
BY_USER_AND_TIME = "last-out"  # each user's latest rating
BY_TIME = "time"  # the latest fifth
NEW_USERS = "new-users"  # users of the training part, as many and with as much told of them
NEW_USERS_BY_TIME = "new-users-by-time"  # those who came in the latest fifth


def choose_inner_split(split: str, predicts: Literal["ratings", "order"]) -> str:
    """The split, by its name, that divides the training part of a fold of `split`.

    As the outer one goes by time, so does the inner one, and where it asks new users, others of
    the training part are held out for validation. Else rating predictors are judged by random
    ratings, and rankers by a share of each user's.

    >>> choose_inner_split("new-users-by-time[at=2000-01-01,given=3]", "order")
    'new-users-by-time[given=3]'
    """
    if asks_new_users(split):
        return _choose_validation_group(split)

    order = order_in_time(split)
    if order == "all":
        return BY_TIME
    if order == "user":
        return BY_USER_AND_TIME
    return RANDOM if predicts == "ratings" else BY_USER


def _choose_validation_group(split: str) -> str:
    """The split that holds out users of the training part, for one whose users are new."""
    name, parameters = parse_spec(split)
    if name == NEW_USERS:
        return split

    given = {key: value for key, value in parameters.items() if key == "given"}
    if name == NEW_USERS_BY_TIME:  # its moment may be a date: all that is left comes before
        return format_spec(name, given)
    return NEW_USERS
