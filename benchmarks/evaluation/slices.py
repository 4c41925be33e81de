"""For whom the numbers hold: metrics of groups of users, by activity, and of items, by popularity.

Activity and popularity are counted in ratings of the training part; the activity of new users, who
have none there, in what is told of them.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recbench.benchmarks.evaluation.cell_metrics import CellMetrics, complete_predictions
from recbench.benchmarks.evaluation.questions import Answers
from recbench.benchmarks.metrics import METRICS, STANDARD, Doubles
from recbench.datasets.ratings import Ratings

# The groups, from no training rating to many; the place of a name is the number of its group.
USERS = ("cold", "least active", "middle", "most active")
ITEMS = ("cold", "tail", "middle", "head")
N_GROUPS = len(USERS)

# What is averaged over the lists of a group of users.
RANKING_METRICS = ("precision", "ndcg")

Values = list[float | None]  # one a group; None where there is nothing to average


class Slice(BaseModel):
    """One group of users or items, and the numbers over its test ratings.

    None stands where there is nothing to average. The ranking metrics of a group of users, such as
    `precision@10`, have no fields of their own: see `value`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, float | None] = Field(init=False)

    kind: Literal["users", "items"]
    group: str
    lowest: int | None = None  # ratings, as `counted`, of who has the fewest of them
    highest: int | None = None
    size: int = 0  # users or items in the group
    # What is counted of users: where they are new, those who are tested, by what is told of them
    counted: Literal["training", "told"] = "training"
    n_test: int = 0  # test ratings
    fallback: float | None = None  # which part of these got the training mean
    rmse: float | None = None
    mae: float | None = None
    n_lists: int | None = None  # of a group of users: those with a relevant test item
    recommended: float | None = None  # of a group of items: its share of all recommended places

    def value(self, column: str) -> float | None:
        """A number of the group, None if it has none of that name.

        `rmse`, `mae`, `fallback`, `recommended`, or a ranking metric at its cutoff.
        """
        number = getattr(self, column, None)
        if number is None:
            return None
        return float(number)

    def to_json(self) -> dict[str, Any]:
        """As a record holds it."""
        return self.model_dump(mode="json", exclude_unset=True)


def compute_slices(
    answers: Answers,
    metrics: CellMetrics,
    train: Ratings,
    test: Ratings,
    k: int,
    *,
    predicts_ratings: bool,
    histories: Ratings | None = None,
) -> list[Slice]:
    """Four groups of users by activity, then four groups of items by popularity.

    Where users are new, `histories` are what is told of them: then groups are of the users who are
    tested, by how much that is, and nobody else is counted.

    A slice says its `kind` and `group`; the fewest and the most training ratings in it (`lowest`,
    `highest`; None if it is empty); how many users or items it has (`size`) and how many test
    ratings (`n_test`); which part of these got the training mean for want of an opinion
    (`fallback`); and `rmse` and `mae` over them. Groups of users have the mean ranking metrics at
    cutoff `k` over the `n_lists` users with a relevant test item; groups of items the share
    `recommended` of all places up to `k`, under the standard protocol. None stands where there is
    nothing to average.
    """
    n_ratings_of_user = np.bincount(train.users, minlength=train.n_users)
    n_ratings_of_item = np.bincount(train.items, minlength=train.n_items)
    is_counted = np.ones(train.n_users, bool)
    if histories is not None:
        is_counted = np.bincount(test.users, minlength=train.n_users) > 0
        n_told_of_user = np.bincount(histories.users, minlength=train.n_users)
        n_ratings_of_user = np.where(is_counted, n_told_of_user, 0)

    # Thirds of the users, but of the ratings of items: the head is few items with many ratings.
    group_of_user = group_by_thirds(n_ratings_of_user, n_ratings_of_user > 0)
    group_of_item = group_by_thirds(n_ratings_of_item, n_ratings_of_item)

    slices = _slice_users(metrics, group_of_user, n_ratings_of_user, is_counted, test, k)
    if histories is not None:
        slices = [part.model_copy(update={"counted": "told"}) for part in slices]
    slices += _slice_items(
        answers,
        group_of_item,
        n_ratings_of_item,
        train,
        test,
        k,
        predicts_ratings=predicts_ratings,
        scores_pairs="coverage" in metrics.shares,
    )
    return slices


def group_by_thirds(counts: NDArray[np.int64], weights: NDArray[Any]) -> NDArray[np.int64]:
    """The group of each count: 0 for no rating; 1 to 3, from few to many ratings.

    The three groups are of about equal weight in all. Equal counts are never torn apart: each of
    the two borders is the count whose cumulative weight is nearest to a third, or two thirds, of
    the whole.
    """
    if not counts.any():
        return np.zeros(len(counts), np.int64)

    weight_of_count = np.bincount(counts, weights)
    known_counts = np.flatnonzero(weight_of_count)
    cumulative = np.cumsum(weight_of_count[known_counts])

    borders = []
    for n_thirds in (1, 2):
        distance = np.abs(cumulative - cumulative[-1] * n_thirds / 3)
        borders.append(known_counts[distance.argmin()])
    return np.where(counts > 0, 1 + np.searchsorted(borders, counts), 0)


def _slice_users(
    metrics: CellMetrics,
    group_of_user: NDArray[np.int64],
    n_ratings_of_user: NDArray[np.int64],
    is_counted: NDArray[np.bool_],
    test: Ratings,
    k: int,
) -> list[Slice]:
    """The groups of users; each number is made from the users' own shares in it."""
    nobody = np.zeros(len(group_of_user))
    no_shares = (nobody, nobody)

    def sum_shares(column: str) -> tuple[Doubles, Doubles]:
        """The sums and the weights of a column, added up in each group; zeros if it is
        undefined.
        """
        sums, weights = metrics.shares.get(column, no_shares)
        return _sum_by_group(group_of_user, sums), _sum_by_group(group_of_user, weights)

    n_test = _sum_by_group(group_of_user[test.users])
    n_answered, n_scored = sum_shares("coverage")
    values = {
        "fallback": _divide(n_scored - n_answered, n_scored),
        "rmse": _divide(*sum_shares("rmse"), METRICS["rmse"].finish),
        "mae": _divide(*sum_shares("mae"), METRICS["mae"].finish),
    }
    for name in RANKING_METRICS:
        column = f"{name}@{k}"
        values[column] = _divide(*sum_shares(column), METRICS[name].finish)
    _, n_lists = sum_shares(f"{RANKING_METRICS[0]}@{k}")

    slices = []
    for group, name in enumerate(USERS):
        is_member = is_counted & (group_of_user == group)
        lowest, highest, size = _measure_group(n_ratings_of_user[is_member])
        slices.append(
            Slice(
                kind="users",
                group=name,
                lowest=lowest,
                highest=highest,
                size=size,
                n_test=int(n_test[group]),
                n_lists=int(n_lists[group]),
                **_values_of_group(values, group),
            )
        )
    return slices


def _slice_items(
    answers: Answers,
    group_of_item: NDArray[np.int64],
    n_ratings_of_item: NDArray[np.int64],
    train: Ratings,
    test: Ratings,
    k: int,
    *,
    predicts_ratings: bool,
    scores_pairs: bool,
) -> list[Slice]:
    """The groups of items: errors from the single ratings, places of the standard protocol."""
    predictions = complete_predictions(answers, test, train.mean)
    errors = predictions.truth - predictions.predicted
    group_of_rating = group_of_item[test.items]
    n_test = _sum_by_group(group_of_rating)
    n_without_opinion = _sum_by_group(group_of_rating, ~predictions.answered)

    # An algorithm that ranks only has no errors, so nothing is to be averaged.
    n_errors = n_test if predicts_ratings else np.zeros(N_GROUPS)
    n_scored = n_test if scores_pairs else np.zeros(N_GROUPS)
    squared = _sum_by_group(group_of_rating, errors**2)
    absolute = _sum_by_group(group_of_rating, np.abs(errors))

    recommended = np.empty(0, np.int32)
    if STANDARD in answers.lists:
        top = answers.lists[STANDARD].top_items[:, :k]
        recommended = top[top >= 0]  # -1 where candidates ran out
    n_places = _sum_by_group(group_of_item[recommended])
    n_places_in_all = np.full(N_GROUPS, n_places.sum())

    values = {
        "fallback": _divide(n_without_opinion, n_scored),
        "rmse": _divide(squared, n_errors, METRICS["rmse"].finish),
        "mae": _divide(absolute, n_errors),
        "recommended": _divide(n_places, n_places_in_all),
    }

    slices = []
    for group, name in enumerate(ITEMS):
        lowest, highest, size = _measure_group(n_ratings_of_item[group_of_item == group])
        slices.append(
            Slice(
                kind="items",
                group=name,
                lowest=lowest,
                highest=highest,
                size=size,
                n_test=int(n_test[group]),
                **_values_of_group(values, group),
            )
        )
    return slices


def _measure_group(counts: NDArray[np.int64]) -> tuple[int | None, int | None, int]:
    """The lowest and the highest of the counts of a group, None if it is empty, and their
    number.
    """
    if len(counts) == 0:
        return None, None, 0
    return int(counts.min()), int(counts.max()), len(counts)


def _values_of_group(values: dict[str, Values], group: int) -> dict[str, Any]:
    """What one group has of each of the `values`."""
    return {name: by_group[group] for name, by_group in values.items()}


def _sum_by_group(groups: NDArray[np.int64], values: NDArray[Any] | None = None) -> Doubles:
    """The sum of `values` in each group, (N_GROUPS,); without values the number of members."""
    return np.bincount(groups, values, N_GROUPS).astype(np.float64)


def _divide(sums: Doubles, weights: Doubles, finish: Callable[[Any], Any] = float) -> Values:
    """finish(sum / weight) of each group; None where there is no weight."""
    ratios: Values = []
    for total, weight in zip(sums, weights, strict=True):
        if weight > 0:
            ratios.append(float(finish(total / weight)))
        else:
            ratios.append(None)
    return ratios
