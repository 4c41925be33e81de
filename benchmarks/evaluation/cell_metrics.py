"""From raw answers to metrics: fallback, clipping, relevance, and each user's share in every number."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from recbench.benchmarks.evaluation.questions import Answers, Lists, user_item_matrix
from recbench.benchmarks.metrics import (
    METRICS,
    PROTOCOLS,
    STANDARD,
    Evaluation,
    Metric,
    Predictions,
    RankedHits,
    RecommendationLists,
    Shares,
    column_name,
)
from recbench.datasets.ratings import Catalogue, Ratings


def complete_predictions(answers: Answers, test: Ratings, train_mean: float) -> Predictions:
    """The test ratings beside their predictions: no opinion becomes the training mean, then all are clipped."""
    answered = ~np.isnan(answers.scores)
    predicted = np.where(answered, answers.scores, train_mean).astype(np.float64)
    truth = test.values.astype(np.float64)
    return Predictions(test.users, truth, np.clip(predicted, *test.scale), answered, test.n_users)


def find_hits(lists: Lists, test: Ratings, protocol: str = STANDARD) -> RankedHits:
    """At which ranks the recommendations are relevant test items of their user."""
    relevant = user_item_matrix(test, PROTOCOLS[protocol].threshold(test.scale))
    keys = relevant.tocoo()
    known = keys.row.astype(np.int64) * test.n_items + keys.col
    recommended = lists.users[:, None].astype(np.int64) * test.n_items + lists.top_items
    is_hit = (
        np.isin(recommended, known) & (lists.top_items >= 0) & (lists.ranks < lists.ranks.shape[1])
    )
    hits = np.zeros(is_hit.shape, np.int64)
    np.add.at(hits, (np.nonzero(is_hit)[0], lists.ranks[is_hit]), 1)
    return RankedHits(hits, np.diff(relevant.indptr)[lists.users].astype(np.int64), lists.auc)


def describe_lists(
    lists: Lists, train: Ratings, features: csr_matrix | None
) -> RecommendationLists:
    """The recommendations beside how often their items were rated, and their `features` if there are any."""
    n_ratings = np.bincount(train.items, minlength=train.n_items)
    n = np.bincount(train.users, minlength=train.n_users)
    total = np.bincount(train.users, n_ratings[train.items], train.n_users)
    profile = np.divide(total, n, out=np.full(train.n_users, np.nan), where=n > 0)
    return RecommendationLists(
        lists.top_items, n_ratings, train.n_users, profile[lists.users], features
    )


def _features(catalogue: Catalogue) -> csr_matrix | None:
    """Items x features, rows of length 1 or 0: genres, or words weighted by log(items / items that have the word).

    None where there are neither genres nor overviews. Written out, since scikit-learn takes seconds to import, and
    every run and many a cell would have to wait for it.
    """
    by_genre = any(catalogue.genres)
    if not by_genre and not any(catalogue.overviews):
        return None
    words = (
        catalogue.genres
        if by_genre
        else [dict.fromkeys(re.findall(r"\w+", text.lower())) for text in catalogue.overviews]
    )
    known: dict[str, int] = {}
    columns = [known.setdefault(word, len(known)) for row in words for word in row]
    rows = np.repeat(np.arange(len(words)), [len(row) for row in words])
    n_items = np.bincount(columns, minlength=len(known))
    weights = np.ones(len(known)) if by_genre else np.log(len(words) / n_items)
    features = csr_matrix((weights[columns], (rows, columns)), (len(words), len(known)))
    lengths = np.sqrt(np.asarray(features.power(2).sum(axis=1)).ravel())
    inverse = np.divide(1, lengths, out=np.zeros(len(words)), where=lengths > 0)
    return csr_matrix(diags(inverse) @ features)


@dataclass(frozen=True)
class CellMetrics:
    """The metrics of a cell by column, and what each user adds to those that are ratios of sums over users."""

    values: dict[str, float | None]  # None where undefined
    shares: dict[str, Shares]  # (n_users,) each

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The shares as they are written: users, columns, and float32 sums and weights of shape (columns, users)."""
        empty = np.empty((0, 0))
        sums, weights = (
            map(np.array, zip(*self.shares.values(), strict=True))
            if self.shares
            else (empty, empty)
        )
        users = np.flatnonzero(weights.any(axis=0)).astype(np.int32)
        return {
            "share_users": users,
            "share_columns": np.array(list(self.shares), np.str_),
            "share_sums": sums[:, users].astype(np.float32),
            "share_weights": weights[:, users].astype(np.float32),
        }


def compute_metrics(
    answers: Answers,
    train: Ratings,
    test: Ratings,
    catalogue: Catalogue,
    evaluation: Evaluation,
    *,
    predicts_ratings: bool,
) -> CellMetrics:
    """Every metric. Undefined are errors of an algorithm that only ranks, and what nothing is known for, such as the
    precision when no user has a relevant test item.
    """
    scored = CellMetrics({}, {})
    ratings = complete_predictions(answers, test, train.mean)
    for metric in METRICS.values():
        if metric.kind == "rating":
            defined = len(test) > 0 and (predicts_ratings or not metric.needs_ratings)
            _add(scored, metric, metric.name, metric.function(ratings) if defined else None)
    features = _features(catalogue)
    for protocol in evaluation.protocols:
        lists = answers.lists[protocol]
        by_kind: dict[str, Any] = {
            "ranking": find_hits(lists, test, protocol),
            "list": describe_lists(lists, train, features),
        }
        by_kind["set"] = by_kind["list"]
        for metric in METRICS.values():
            for column, k in metric.columns(evaluation.ks) if metric.kind in by_kind else ():
                found = metric.function(by_kind[metric.kind], k)
                if metric.kind != "set":
                    weights, values = np.zeros(test.n_users), np.zeros(test.n_users)
                    weights[lists.users], values[lists.users] = (
                        ~np.isnan(found),
                        np.nan_to_num(found),
                    )
                    found = values, weights
                _add(scored, metric, column_name(protocol, column), found)
    return scored


def _add(scored: CellMetrics, metric: Metric, column: str, found: Shares | float | None) -> None:
    value = None
    if isinstance(found, float):
        value = found
    elif found is not None and found[1].any():
        scored.shares[column] = found
        value = float(metric.finish(found[0].sum() / found[1].sum()))
    scored.values[column] = value if value is not None and np.isfinite(value) else None
