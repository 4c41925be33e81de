"""For whom the numbers hold: the test part divided by how much the training part knows of its users and items."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recbench.benchmarks.evaluation.cell_metrics import CellMetrics, complete_predictions
from recbench.benchmarks.evaluation.questions import Answers
from recbench.benchmarks.metrics import METRICS, STANDARD, Doubles
from recbench.datasets.ratings import Ratings

USERS = ("cold", "least active", "middle", "most active")
ITEMS = ("cold", "tail", "middle", "head")
N_GROUPS = len(USERS)
RANKING_METRICS = ("precision", "ndcg")

Entry = dict[str, Any]  # a slice in the making


class Slice(BaseModel):
    """One group of users or items, and the numbers over its test ratings; None where there is nothing to average.

    The ranking metrics of a group of users, such as `precision@10`, have no fields of their own: see `value`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, float | None] = Field(init=False)

    kind: Literal["users", "items"]
    group: str
    lowest: int | None = None  # training ratings of who has the fewest of them
    highest: int | None = None
    size: int = 0  # users or items in the group
    n_test: int = 0  # test ratings
    fallback: float | None = (
        None  # which part of these got the training mean for want of an opinion
    )
    rmse: float | None = None
    mae: float | None = None
    n_lists: int | None = None  # of a group of users: those with a relevant test item
    recommended: float | None = None  # of a group of items: its share of all recommended places

    def value(self, column: str) -> float | None:
        """A number of the group: `rmse`, `mae`, `fallback`, `recommended`, or a ranking metric at its cutoff."""
        number = getattr(self, column, None)
        return None if number is None else float(number)

    def to_json(self) -> dict[str, Any]:
        """As a record holds it."""
        return self.model_dump(mode="json", exclude_unset=True)


def compute_slices(
    answers: Answers, scored: CellMetrics, train: Ratings, test: Ratings, k: int
) -> list[Slice]:
    """Users by activity and items by popularity, four groups each.

    An entry says its `kind` and `group`; the fewest and the most training ratings in it (`lowest`, `highest`; None
    if it is empty); how many users or items it has (`size`) and how many test ratings (`n_test`); which part of these
    got the training mean for want of an opinion (`fallback`); and `rmse` and `mae` over them. Groups of users have
    the mean ranking metrics at cutoff `k` over the `n_lists` users with a relevant test item; groups of items the
    share `recommended` of all places up to `k`. None stands where there is nothing to take a mean of.
    """
    by_user = np.bincount(train.users, minlength=train.n_users)
    by_item = np.bincount(train.items, minlength=train.n_items)
    of_users, of_items = group_by_thirds(by_user, by_user > 0), group_by_thirds(by_item, by_item)
    users, items = (
        _counted("users", USERS, of_users, by_user),
        _counted("items", ITEMS, of_items, by_item),
    )
    for entry, more in zip(users, _user_numbers(scored, of_users, k), strict=True):
        entry |= more
    for entry, more in zip(
        items, _item_numbers(answers, scored, of_items, train, test, k), strict=True
    ):
        entry |= more
    return [Slice(**entry) for entry in users + items]


def group_by_thirds(counts: NDArray[np.int64], weights: NDArray[Any]) -> NDArray[np.int64]:
    """The group of each count: 0 for no rating; 1 to 3, from few to many ratings, of about equal weight in all.

    Equal counts are never torn apart: each of the two borders is the count whose cumulative weight is nearest to a
    third, or two thirds, of the whole.
    """
    if not counts.any():
        return np.zeros(len(counts), np.int64)
    weight = np.bincount(counts, weights)
    known = np.flatnonzero(weight)
    cumulative = np.cumsum(weight[known])
    borders = [known[np.abs(cumulative - cumulative[-1] * part / 3).argmin()] for part in (1, 2)]
    return np.where(counts > 0, 1 + np.searchsorted(borders, counts), 0)


def _counted(
    kind: str, names: tuple[str, ...], groups: NDArray[np.int64], counts: NDArray[np.int64]
) -> list[Entry]:
    """The groups with their names, borders and sizes."""
    entries: list[Entry] = []
    for group, name in enumerate(names):
        mine = counts[groups == group]
        lowest, highest = (int(mine.min()), int(mine.max())) if len(mine) else (None, None)
        entries.append(
            {"kind": kind, "group": name, "lowest": lowest, "highest": highest, "size": len(mine)}
        )
    return entries


def _user_numbers(scored: CellMetrics, groups: NDArray[np.int64], k: int) -> list[Entry]:
    """Each metric from the users' own shares in it."""
    nothing = np.zeros(len(groups)), np.zeros(len(groups))
    answered, n_test = (_sums(groups, share) for share in scored.shares.get("coverage", nothing))
    columns = {"rmse": "rmse", "mae": "mae"} | {f"{name}@{k}": name for name in RANKING_METRICS}
    found: dict[str, list[float | None]] = {"fallback": _ratios(n_test - answered, n_test)}
    for column, name in columns.items():
        sums, weights = (_sums(groups, share) for share in scored.shares.get(column, nothing))
        found[column] = _ratios(sums, weights, METRICS[name].finish)
    n_lists = _sums(groups, scored.shares.get(f"{RANKING_METRICS[0]}@{k}", nothing)[1])
    return [
        {"n_test": int(n_test[group]), "n_lists": int(n_lists[group])}
        | {name: values[group] for name, values in found.items()}
        for group in range(N_GROUPS)
    ]


def _item_numbers(
    answers: Answers,
    scored: CellMetrics,
    groups: NDArray[np.int64],
    train: Ratings,
    test: Ratings,
    k: int,
) -> list[Entry]:
    """Errors from the single ratings, and the places of the bench's own protocol."""
    judged, of_ratings = complete_predictions(answers, test, train.mean), groups[test.items]
    errors = judged.truth - judged.predicted
    n_test = _sums(of_ratings)
    rated_weight = (
        n_test if "rmse" in scored.shares else np.zeros(N_GROUPS)
    )  # who only ranks has no errors
    top = answers.lists[STANDARD].top_items[:, :k]
    places = _sums(groups[top[top >= 0]])
    found = {
        "fallback": _ratios(_sums(of_ratings, ~judged.answered), n_test),
        "rmse": _ratios(_sums(of_ratings, errors**2), rated_weight, METRICS["rmse"].finish),
        "mae": _ratios(_sums(of_ratings, np.abs(errors)), rated_weight),
        "recommended": _ratios(places, np.full(N_GROUPS, places.sum())),
    }
    return [
        {"n_test": int(n_test[group])} | {name: values[group] for name, values in found.items()}
        for group in range(N_GROUPS)
    ]


def _sums(groups: NDArray[np.int64], values: NDArray[Any] | None = None) -> Doubles:
    return np.bincount(groups, values, N_GROUPS).astype(np.float64)


def _ratios(sums: Doubles, weights: Doubles, finish: Any = float) -> list[float | None]:
    """finish(sum / weight) of each group; None where there is no weight."""
    pairs = zip(sums, weights, strict=True)
    return [float(finish(total / weight)) if weight > 0 else None for total, weight in pairs]
