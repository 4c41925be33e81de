"""The metrics: one pure function each, found by its decorator in any file of this package.

Every metric but those of a whole set of lists is a ratio of sums over users: a function gives what
each user adds to both, so that the same definition serves the value, its uncertainty over users,
and any subset of them. A docstring is the definition that the report prints.

A column is a metric's name, with its cutoff if it has one, and with the protocol before it if that
is not the bench's own: `rmse`, `precision@10`, `lightfm:auc`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.benchmarks.metrics.protocols import STANDARD, column_name, parse_column
from recbench.datasets.foundation import UsageError, import_all, pick_name

Doubles = NDArray[np.float64]
Number = TypeVar("Number", float, NDArray[np.float64])
Better = Literal["lower", "higher", "zero"]
Population = Literal["all", "warm", "cold", "fallback"]  # for warm and cold see `cold_starts`
ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑", "zero": "→0"}

# How the definition of a metric over a population ends.
OVER_RATINGS: dict[Population, str] = {
    "warm": "over the warm test ratings alone, whose user and item both have training ratings",
    "cold": "over the cold test ratings alone, whose user or item has no training rating",
}
OVER_USERS: dict[Population, str] = {
    "warm": "over the warm users alone, who have training ratings",
    "cold": "over the cold-start users alone, who have no training rating",
    "fallback": (
        "but cold-start users, who have no training rating, get the items with the most training "
        "ratings in place of the row's own list"
    ),
}

# What each user adds to the sum, and to the weight that it is divided by; (n_users,) each.
Shares = tuple[Doubles, Doubles]


@dataclass(frozen=True)
class Predictions:
    """The test ratings: what was given and what was predicted, after fallback and clipping.

    All but `n_users` have one value a test rating. `answered` is False where the algorithm had no
    opinion and the training mean stood in.
    """

    users: NDArray[np.int32]
    truth: Doubles
    predicted: Doubles
    answered: NDArray[np.bool_]
    n_users: int

    def take(self, is_taken: NDArray[np.bool_]) -> "Predictions":
        """Those of the ratings for which `is_taken` is True."""
        return Predictions(
            users=self.users[is_taken],
            truth=self.truth[is_taken],
            predicted=self.predicted[is_taken],
            answered=self.answered[is_taken],
            n_users=self.n_users,
        )

    def sum_by_user(self, values: NDArray[Any]) -> Shares:
        """The sum of `values`, one a rating, and the number of ratings; (n_users,) each."""
        sums = np.bincount(self.users, values, self.n_users)
        n_ratings = np.bincount(self.users, minlength=self.n_users)
        return sums.astype(np.float64), n_ratings.astype(np.float64)


@dataclass(frozen=True)
class RankedHits:
    """At which ranks each user's list has relevant test items.

    `hits` has the shape (n_lists, depth); column 0 is the first rank, and a number above 1 stands
    only where ties share a rank. `n_relevant` counts the relevant test items of each user, at least
    1. `auc` is the metric of this name, (n_lists,).
    """

    hits: NDArray[np.int64]
    n_relevant: NDArray[np.int64]
    auc: Doubles

    def n_hits(self, k: int) -> Doubles:
        """How many of each user's first k recommendations are relevant, (n_lists,)."""
        return np.asarray(self.hits[:, :k].sum(axis=1), np.float64)


@dataclass(frozen=True)
class RecommendationLists:
    """The recommended items, and what is known of items from the training part and the catalogue.

    `top_items` has the shape (n_lists, depth), best first, -1 where candidates ran out. `n_ratings`
    counts the training ratings of each item, and `n_users` all users. `profile` is, for each list,
    the mean of `n_ratings` over the items that its user rated in training; NaN for none. `features`
    is items x features, rows of length 1 or 0; None if nothing is known of the items.
    """

    top_items: NDArray[np.int32]
    n_ratings: NDArray[np.int64]
    n_users: int
    profile: Doubles
    features: csr_matrix | None

    def lengths(self, k: int) -> NDArray[np.int64]:
        """How many items the first k places of each list hold, (n_lists,)."""
        return np.asarray((self.top_items[:, :k] >= 0).sum(axis=1))

    def mean(self, values: NDArray[Any], k: int) -> Doubles:
        """The mean of `values`, one an item, over the first k items of each list, (n_lists,).

        NaN for an empty list.
        """
        top = self.top_items[:, :k]
        totals = np.where(top >= 0, values[top], 0).sum(axis=1)
        lengths = self.lengths(k)
        undefined = np.full(len(lengths), np.nan)
        return np.asarray(np.divide(totals, lengths, out=undefined, where=lengths > 0))


@dataclass(frozen=True)
class Metric:
    """A metric and what a reader has to know about it. `unit` is that of its values."""

    name: str
    kind: Literal["rating", "ranking", "list", "set"]
    better: Better
    unit: str
    definition: str
    function: Callable[..., Any]
    needs_ratings: bool = False  # undefined for algorithms that rank only
    has_cutoff: bool = False
    headline: bool = False  # a column of the report unless others are asked for
    population: Population = "all"  # whom it is over
    finish: Callable[[Any], Any] = lambda ratio: ratio  # from the ratio of the sums to the value

    def columns(self, ks: tuple[int, ...]) -> list[tuple[str, int]]:
        """The names of its columns and the cutoff of each (0 where there is none)."""
        if not self.has_cutoff:
            return [(self.name, 0)]
        return [(f"{self.name}@{k}", k) for k in ks]

    def loss(self, value: Number) -> Number:
        """`value`, or an array of values, as something that is better the lower it is."""
        if self.better == "higher":
            return -value
        if self.better == "zero":
            return abs(value)
        return value


METRICS: dict[str, Metric] = {}


def _register(
    *, name: str = "", **facts: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that puts a function into METRICS under `name`, or else under its own name.

    `facts` are fields of `Metric`; the definition is the function's docstring in one line. A
    headline metric is there once more for each population, as `warm_rmse`.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        metric_name = name or function.__name__
        definition = " ".join((function.__doc__ or "").split())
        metric = Metric(metric_name, definition=definition, function=function, **facts)
        METRICS[metric_name] = metric
        if metric.headline:
            _register_populations(metric)
        return function

    return register


def _register_populations(metric: Metric) -> None:
    """Put the metric into METRICS over each population that is not everybody."""
    endings = OVER_RATINGS if metric.kind == "rating" else OVER_USERS
    for population, ending in endings.items():
        name = f"{population}_{metric.name}"
        METRICS[name] = replace(
            metric,
            name=name,
            definition=f"As {metric.name}, {ending}.",
            population=population,
            headline=False,
        )


def rating_metric(
    better: Better, unit: str, *, needs_ratings: bool = True, **facts: Any
) -> Callable[..., Any]:
    """Register a function of `Predictions` that gives the `Shares` of all users."""
    return _register(kind="rating", better=better, unit=unit, needs_ratings=needs_ratings, **facts)


def ranking_metric(
    better: Better, unit: str, *, has_cutoff: bool = True, **facts: Any
) -> Callable[..., Any]:
    """Register a function of (`RankedHits`, k) that gives one value a list, whose mean counts; NaN
    is left out.
    """
    return _register(kind="ranking", better=better, unit=unit, has_cutoff=has_cutoff, **facts)


def list_metric(better: Better, unit: str, **facts: Any) -> Callable[..., Any]:
    """Register a function of (`RecommendationLists`, k) that gives one value a list, whose mean
    counts; NaN is left out.
    """
    return _register(kind="list", better=better, unit=unit, has_cutoff=True, **facts)


def set_metric(better: Better, unit: str, **facts: Any) -> Callable[..., Any]:
    """Register a function of (`RecommendationLists`, k) that gives one value for all lists
    together.
    """
    return _register(kind="set", better=better, unit=unit, has_cutoff=True, **facts)


def find_metric(column: str) -> Metric:
    """The metric behind a column name such as `rmse` or `lightfm:precision@10`.

    UsageError for an unknown metric or protocol, a cutoff that is no number from 1 up, absent or
    not wanted, and a protocol before a metric of predicted ratings.
    """
    protocol, rest = parse_column(column)
    name, at_sign, cutoff = rest.partition("@")
    metric = METRICS[pick_name("metric", name, METRICS)]

    if metric.has_cutoff and not _is_cutoff(cutoff):
        raise UsageError(f"metric {column!r}: expected a cutoff of at least 1, as in {name}@10")
    if at_sign and not metric.has_cutoff:
        raise UsageError(f"metric {column!r}: {name} has no cutoff; write {name}")
    if metric.kind == "rating" and protocol != STANDARD:
        raise UsageError(f"metric {column!r}: protocols are for ranking metrics; write {rest}")
    return metric


def column_of(population: Population, column: str) -> str | None:
    """The column of the same metric over a population; None if there is none.

    >>> column_of("warm", "lightfm:precision@5"), column_of("cold", "auc")
    ('lightfm:warm_precision@5', None)
    """
    protocol, metric = parse_column(column)
    name = f"{population}_{metric}"
    if name.partition("@")[0] not in METRICS:
        return None
    return column_name(protocol, name)


def _is_cutoff(text: str) -> bool:
    """Whether `text` is a whole number from 1 up without leading zeros, in plain digits."""
    return text.isdecimal() and text == str(int(text)) and int(text) > 0


def metric_columns(
    ks: tuple[int, ...], protocols: tuple[str, ...] = (STANDARD,), *, headline: bool = False
) -> list[str]:
    """The names of all metric columns at the cutoffs `ks`, protocol by protocol.

    Metrics of predicted ratings stand under the standard protocol alone. With `headline` only those
    that a report shows unless others are asked for.
    """
    columns = []
    for protocol in protocols:
        for metric in METRICS.values():
            if metric.kind == "rating" and protocol != STANDARD:
                continue
            if headline and not metric.headline:
                continue
            columns += [column_name(protocol, name) for name, _ in metric.columns(ks)]
    return columns


_KINDS = ("rating", "ranking", "list", "set")


def _place_of(metric: Metric) -> tuple[int, bool]:
    """Sorts metrics by kind, those over everybody first."""
    return _KINDS.index(metric.kind), metric.population != "all"


import_all(sys.modules["recbench.benchmarks.metrics"])
METRICS = dict(sorted(METRICS.items(), key=lambda item: _place_of(item[1])))
