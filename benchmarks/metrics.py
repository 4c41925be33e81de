"""The metrics: one pure function each, vectorised over ratings or users, found by its decorator.

Rating metrics turn a `Rated` into one number. Ranking metrics turn a `Ranked` and a cutoff k into one number per
user; the bench reports their mean over the users with at least one relevant test item, NaN left out. A docstring is
the definition that the report prints. A column is a metric's name, with its cutoff if it has one, and with the
protocol before it if that is not the bench's own: `rmse`, `precision@10`, `lightfm:auc`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocols import STANDARD, named, prefixed
from datasets.spec import UsageError, pick


@dataclass(frozen=True)
class Rated:
    """The test ratings, float64: what was given and what was predicted, after fallback and clipping."""

    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    answered: NDArray[np.bool_]  # False where the algorithm had no opinion and the training mean stood in


@dataclass(frozen=True)
class Ranked:
    """The recommendations of each user: at which ranks are relevant test items, and how many of those there are."""

    hits: NDArray[np.int64]  # (n_users, depth); column 0 is the first rank; above 1 only where ties share a rank
    n_relevant: NDArray[np.int64]  # (n_users,), at least 1
    auc: NDArray[np.float64]  # (n_users,), see the metric of this name

    def n_hits(self, k: int) -> NDArray[np.float64]:
        """How many of each user's first k recommendations are relevant."""
        return np.asarray(self.hits[:, :k].sum(axis=1), np.float64)


Better = Literal["lower", "higher"]
RatingFunction = Callable[[Rated], float]
PerUser = NDArray[np.float64]  # (n_users,)
RankingFunction = Callable[[Ranked, int], PerUser]


@dataclass(frozen=True)
class Metric:
    """A metric and what a reader has to know about it. `unit` is that of its values."""

    name: str
    better: Better
    unit: str
    definition: str
    rating: RatingFunction | None = None
    ranking: RankingFunction | None = None
    needs_ratings: bool = False  # undefined for algorithms whose scores only rank
    has_cutoff: bool = False

    def columns(self, ks: tuple[int, ...]) -> list[tuple[str, int]]:
        """The names of its columns and the cutoff of each (0 where there is none)."""
        return [(f"{self.name}@{k}", k) for k in ks] if self.has_cutoff else [(self.name, 0)]


METRICS: dict[str, Metric] = {}


def rating_metric(
    better: Better, unit: str, *, needs_ratings: bool = True
) -> Callable[[RatingFunction], RatingFunction]:
    """Register a function of `Rated` under its own name."""

    def register(function: RatingFunction) -> RatingFunction:
        name, definition = function.__name__, " ".join((function.__doc__ or "").split())
        METRICS[name] = Metric(name, better, unit, definition, rating=function, needs_ratings=needs_ratings)
        return function

    return register


def ranking_metric(
    better: Better, unit: str, *, has_cutoff: bool = True
) -> Callable[[RankingFunction], RankingFunction]:
    """Register a function of (`Ranked`, k) under its own name; its columns are called name@k, or name if k is 0."""

    def register(function: RankingFunction) -> RankingFunction:
        name, definition = function.__name__, " ".join((function.__doc__ or "").split())
        METRICS[name] = Metric(name, better, unit, definition, ranking=function, has_cutoff=has_cutoff)
        return function

    return register


def find(column: str) -> Metric:
    """The metric behind a column name such as `rmse` or `lightfm:precision@10`; UsageError if there is none."""
    protocol, rest = named(column)
    name, at, k = rest.partition("@")
    metric = METRICS[pick("metric", name, METRICS)]
    if metric.has_cutoff and not (k.isdecimal() and k == str(int(k)) and int(k) > 0):
        raise UsageError(f"metric {column!r}: expected a cutoff of at least 1, as in {name}@10")
    if at and not metric.has_cutoff:
        raise UsageError(f"metric {column!r}: {name} has no cutoff; write {name}")
    if metric.rating and protocol != STANDARD:
        raise UsageError(f"metric {column!r}: protocols are for ranking metrics; write {rest}")
    return metric


def columns(ks: tuple[int, ...], protocols: tuple[str, ...] = (STANDARD,)) -> list[str]:
    """The names of all metric columns at the cutoffs `ks`, in the order in which this file defines the metrics."""
    return [
        prefixed(protocol, column)
        for protocol in protocols
        for metric in METRICS.values()
        if protocol == STANDARD or metric.ranking
        for column, _ in metric.columns(ks)
    ]


@rating_metric("lower", "rating points")
def rmse(rated: Rated) -> float:
    """Root mean squared error: sqrt(mean((r - p)^2)) over the test ratings r and their predictions p."""
    return float(np.sqrt(np.mean((rated.truth - rated.predicted) ** 2)))


@rating_metric("lower", "rating points")
def mae(rated: Rated) -> float:
    """Mean absolute error: mean(|r - p|) over the test ratings r and their predictions p."""
    return float(np.mean(np.abs(rated.truth - rated.predicted)))


@ranking_metric("higher", "share")
def precision(ranked: Ranked, k: int) -> PerUser:
    """Relevant items among the first k, divided by k, even if fewer items were relevant."""
    return ranked.n_hits(k) / k


@ranking_metric("higher", "share")
def recall(ranked: Ranked, k: int) -> PerUser:
    """Relevant items among the first k, divided by the number of the user's relevant test items."""
    return ranked.n_hits(k) / ranked.n_relevant


@ranking_metric("higher", "share")
def ndcg(ranked: Ranked, k: int) -> PerUser:
    """Normalised discounted cumulative gain with binary relevance: the sum of 1 / log2(1 + rank) over the hits in
    the first k, divided by its value for a perfect list, sum of 1 / log2(1 + rank) for rank = 1 .. min(k, number of
    relevant test items) (Järvelin and Kekäläinen 2002).
    """
    hits = ranked.hits[:, :k].astype(np.float64)
    n_ideal = np.minimum(k, ranked.n_relevant)
    discounts = 1 / np.log2(np.arange(2, max(hits.shape[1], int(n_ideal.max(initial=0))) + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return np.asarray(hits @ discounts[: hits.shape[1]] / ideal[n_ideal])


@rating_metric("higher", "share", needs_ratings=False)
def coverage(rated: Rated) -> float:
    """Share of the test ratings for which the algorithm itself gave a score; the rest got the training mean."""
    return float(np.mean(rated.answered))


@ranking_metric("higher", "share", has_cutoff=False)
def auc(ranked: Ranked, k: int) -> PerUser:
    """Area under the ROC curve: the share of pairs of a relevant and another candidate in which the relevant one has
    the higher score, a tie counting a half; NaN for a user all of whose candidates are relevant (Rendle et al. 2009).
    """
    return ranked.auc
