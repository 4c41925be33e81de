"""The metrics: one pure function each, vectorised, found by its decorator in any file of this package.

Every metric but those of a whole set of lists is a ratio of sums over users: a function gives what each user adds to
both, so that the same definition serves the value, its uncertainty over users, and any subset of them. A docstring is
the definition that the report prints.

A column is a metric's name, with its cutoff if it has one, and with the protocol before it if that is not the bench's
own: `rmse`, `precision@10`, `lightfm:auc`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.benchmarks.metrics.protocols import STANDARD, column_name, parse_column
from recbench.datasets.foundation import UsageError, import_all, pick_name

Doubles = NDArray[np.float64]
Number = TypeVar("Number", float, NDArray[np.float64])
Better = Literal["lower", "higher", "zero"]
ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑", "zero": "→0"}
Shares = tuple[
    Doubles, Doubles
]  # what each user adds to the sum and to the weight it is divided by


@dataclass(frozen=True)
class Predictions:
    """The test ratings, float64: what was given and what was predicted, after fallback and clipping."""

    users: NDArray[np.int32]
    truth: Doubles
    predicted: Doubles
    answered: NDArray[
        np.bool_
    ]  # False where the algorithm had no opinion and the training mean stood in
    n_users: int

    def per_user(self, values: NDArray[Any]) -> Shares:
        """The sum of `values`, one a rating, and the number of ratings of each user, (n_users,) each."""
        sums = np.bincount(self.users, values, self.n_users).astype(np.float64)
        return sums, np.bincount(self.users, minlength=self.n_users).astype(np.float64)


@dataclass(frozen=True)
class RankedHits:
    """The recommendations of each user: at which ranks are relevant test items, and how many of those there are."""

    hits: NDArray[
        np.int64
    ]  # (n_lists, depth); column 0 is the first rank; above 1 only where ties share a rank
    n_relevant: NDArray[np.int64]  # (n_lists,), at least 1
    auc: Doubles  # (n_lists,), see the metric of this name

    def n_hits(self, k: int) -> Doubles:
        """How many of each user's first k recommendations are relevant."""
        return np.asarray(self.hits[:, :k].sum(axis=1), np.float64)


@dataclass(frozen=True)
class RecommendationLists:
    """The recommendations themselves, and what is known about the items from the training part and the catalogue."""

    top_items: NDArray[np.int32]  # (n_lists, depth), best first; -1 where candidates ran out
    n_ratings: NDArray[np.int64]  # (n_items,), in the training part
    n_users: int
    profile: Doubles  # (n_lists,): mean number of ratings of the items that the user rated in training; NaN for none
    features: (
        csr_matrix | None
    )  # (n_items, n_features), rows of length 1 or 0; None if nothing is known

    def lengths(self, k: int) -> NDArray[np.int64]:
        """How many items the first k places of each list hold."""
        return np.asarray((self.top_items[:, :k] >= 0).sum(axis=1))

    def mean(self, values: NDArray[Any], k: int) -> Doubles:
        """The mean over the first k items of each list of `values`, one an item; NaN for an empty list."""
        top = self.top_items[:, :k]
        total = np.where(top >= 0, values[top], 0).sum(axis=1)
        n = self.lengths(k)
        return np.asarray(np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0))


@dataclass(frozen=True)
class Metric:
    """A metric and what a reader has to know about it. `unit` is that of its values."""

    name: str
    kind: Literal["rating", "ranking", "list", "set"]
    better: Better
    unit: str
    definition: str
    function: Callable[..., Any]
    needs_ratings: bool = False  # undefined for algorithms whose scores only rank
    has_cutoff: bool = False
    headline: bool = False  # a column of the report unless others are asked for
    finish: Callable[[Any], Any] = lambda ratio: ratio  # from the ratio of the sums to the value

    def columns(self, ks: tuple[int, ...]) -> list[tuple[str, int]]:
        """The names of its columns and the cutoff of each (0 where there is none)."""
        return [(f"{self.name}@{k}", k) for k in ks] if self.has_cutoff else [(self.name, 0)]

    def loss(self, value: Number) -> Number:
        """`value`, or an array of values, as something that is better the lower it is."""
        return {"lower": value, "higher": -value, "zero": abs(value)}[self.better]


METRICS: dict[str, Metric] = {}


def _register(
    *, name: str = "", **about: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function under its own name, or `name`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        known, definition = name or function.__name__, " ".join((function.__doc__ or "").split())
        METRICS[known] = Metric(known, definition=definition, function=function, **about)
        return function

    return register


def rating_metric(
    better: Better, unit: str, *, needs_ratings: bool = True, **about: Any
) -> Callable[..., Any]:
    """Register a function of `Rated` that gives the `Shares` of all users."""
    return _register(kind="rating", better=better, unit=unit, needs_ratings=needs_ratings, **about)


def ranking_metric(
    better: Better, unit: str, *, has_cutoff: bool = True, **about: Any
) -> Callable[..., Any]:
    """Register a function of (`Ranked`, k) that gives one value a list, whose mean counts; NaN is left out."""
    return _register(kind="ranking", better=better, unit=unit, has_cutoff=has_cutoff, **about)


def list_metric(better: Better, unit: str, **about: Any) -> Callable[..., Any]:
    """Register a function of (`Listed`, k) that gives one value a list, whose mean counts; NaN is left out."""
    return _register(kind="list", better=better, unit=unit, has_cutoff=True, **about)


def set_metric(better: Better, unit: str, **about: Any) -> Callable[..., Any]:
    """Register a function of (`Listed`, k) that gives one value for all lists together."""
    return _register(kind="set", better=better, unit=unit, has_cutoff=True, **about)


def find_metric(column: str) -> Metric:
    """The metric behind a column name such as `rmse` or `lightfm:precision@10`; UsageError if there is none."""
    protocol, rest = parse_column(column)
    name, at, k = rest.partition("@")
    metric = METRICS[pick_name("metric", name, METRICS)]
    if metric.has_cutoff and not (k.isdecimal() and k == str(int(k)) and int(k) > 0):
        raise UsageError(f"metric {column!r}: expected a cutoff of at least 1, as in {name}@10")
    if at and not metric.has_cutoff:
        raise UsageError(f"metric {column!r}: {name} has no cutoff; write {name}")
    if metric.kind == "rating" and protocol != STANDARD:
        raise UsageError(f"metric {column!r}: protocols are for ranking metrics; write {rest}")
    return metric


def metric_columns(
    ks: tuple[int, ...], protocols: tuple[str, ...] = (STANDARD,), *, headline: bool = False
) -> list[str]:
    """The names of all metric columns at the cutoffs `ks`; with `headline`, of those that a report shows unasked."""
    return [
        column_name(protocol, column)
        for protocol in protocols
        for metric in METRICS.values()
        if (protocol == STANDARD or metric.kind != "rating") and (metric.headline or not headline)
        for column, _ in metric.columns(ks)
    ]


import_all(sys.modules["recbench.benchmarks.metrics"])
_KINDS = ("rating", "ranking", "list", "set")
METRICS = dict(sorted(METRICS.items(), key=lambda entry: _KINDS.index(entry[1].kind)))
