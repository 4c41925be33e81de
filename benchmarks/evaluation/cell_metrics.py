"""From raw answers to metrics: fallback, clipping, relevance, warm and cold apart, and each user's
share in every metric.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from recbench.benchmarks.evaluation.fallback import recommend_popular, replace_lists
from recbench.benchmarks.evaluation.questions import Answers, Lists, user_item_matrix
from recbench.benchmarks.metrics import (
    METRICS,
    PROTOCOLS,
    STANDARD,
    ColdStarts,
    Doubles,
    Evaluation,
    Metric,
    Population,
    Predictions,
    RankedHits,
    RecommendationLists,
    Shares,
    column_name,
    find_cold_starts,
)
from recbench.datasets.ratings import Catalogue, Ratings


def complete_predictions(answers: Answers, test: Ratings, train_mean: float) -> Predictions:
    """The test ratings beside their predictions, in float64.

    Where the algorithm had no opinion (NaN) the training mean stands in; then all predictions are
    clipped to the scale.
    """
    is_answered = ~np.isnan(answers.scores)
    scores = np.where(is_answered, answers.scores, train_mean).astype(np.float64)
    lowest, highest = test.scale
    return Predictions(
        users=test.users,
        truth=test.values.astype(np.float64),
        predicted=np.clip(scores, lowest, highest),
        answered=is_answered,
        n_users=test.n_users,
    )


def find_hits(lists: Lists, test: Ratings, protocol: str = STANDARD) -> RankedHits:
    """At which ranks each list has relevant test items of its user, under the protocol so named."""
    relevance_threshold = PROTOCOLS[protocol].threshold(test.scale)
    relevant = user_item_matrix(test, relevance_threshold)

    # -1 ends a list that ran out of candidates; a pessimistic rank may lie beyond the list.
    depth = lists.ranks.shape[1]
    is_listed = (lists.top_items >= 0) & (lists.ranks < depth)
    is_hit = np.zeros(is_listed.shape, np.bool_)
    if is_listed.any():
        users = lists.users[np.nonzero(is_listed)[0]]
        is_hit[is_listed] = np.asarray(relevant[users, lists.top_items[is_listed]]).ravel()

    hits = np.zeros(is_hit.shape, np.int64)
    list_of_hit = np.nonzero(is_hit)[0]
    np.add.at(hits, (list_of_hit, lists.ranks[is_hit]), 1)

    n_relevant = np.diff(relevant.indptr)[lists.users].astype(np.int64)
    return RankedHits(hits, n_relevant, lists.auc)


def describe_lists(
    lists: Lists, train: Ratings, features: csr_matrix | None
) -> RecommendationLists:
    """The recommended items beside how often items were rated in training, and their `features`.

    `features` is items x features, or None if nothing is known of the items.
    """
    n_ratings_of_item = np.bincount(train.items, minlength=train.n_items)
    n_ratings_of_user = np.bincount(train.users, minlength=train.n_users)

    # How often, on average, the items were rated that a user has rated: their taste for the
    # popular.
    popularity_sums = np.bincount(train.users, n_ratings_of_item[train.items], train.n_users)
    profile = np.divide(
        popularity_sums,
        n_ratings_of_user,
        out=np.full(train.n_users, np.nan),
        where=n_ratings_of_user > 0,
    )
    return RecommendationLists(
        top_items=lists.top_items,
        n_ratings=n_ratings_of_item,
        n_users=train.n_users,
        profile=profile[lists.users],
        features=features,
    )


def _describe_items(catalogue: Catalogue) -> csr_matrix | None:
    """Items x features, rows of length 1 or 0: genres, or the words of the overviews.

    Words are weighted by log(items / items that have the word). None where there are neither genres
    nor overviews. Written out, since scikit-learn takes seconds to import, and every run and many a
    cell would have to wait for it.
    """
    has_genres = any(catalogue.genres)
    if not has_genres and not any(catalogue.overviews):
        return None

    words_by_item: Sequence[Sequence[str]] = catalogue.genres
    if not has_genres:
        words_by_item = [_distinct_words(text) for text in catalogue.overviews]

    # Each word's column, in the order in which words come first.
    every_word = list(chain.from_iterable(words_by_item))
    columns_of_words = {word: column for column, word in enumerate(dict.fromkeys(every_word))}
    columns = [columns_of_words[word] for word in every_word]
    n_items = len(words_by_item)
    n_words = len(columns_of_words)

    if has_genres:
        weights = np.ones(n_words)
    else:
        weights = np.log(n_items / np.bincount(columns, minlength=n_words))
    rows = np.repeat(np.arange(n_items), [len(words) for words in words_by_item])
    features = csr_matrix((weights[columns], (rows, columns)), (n_items, n_words))

    lengths = np.sqrt(np.asarray(features.power(2).sum(axis=1)).ravel())
    inverse_lengths = np.divide(1, lengths, out=np.zeros(n_items), where=lengths > 0)
    return csr_matrix(diags(inverse_lengths) @ features)


def _distinct_words(text: str) -> list[str]:
    """The words of `text` in lower case, each once, in the order in which they come first."""
    return list(dict.fromkeys(re.findall(r"\w+", text.lower())))


@dataclass(frozen=True)
class CellMetrics:
    """The metrics of a cell by column, and what each user adds to those that are ratios over
    users.
    """

    values: dict[str, float | None]  # None where undefined
    shares: dict[str, Shares]  # (n_users,) each

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The user shares as they are stored.

        `share_users`, the users with a share in any column; `share_columns`, the columns' names;
        `share_sums` and `share_weights`, float32 of shape (columns, users).
        """
        sums = np.empty((0, 0))
        weights = np.empty((0, 0))
        if self.shares:
            sums = np.array([sums for sums, _ in self.shares.values()])
            weights = np.array([weights for _, weights in self.shares.values()])

        # Only users who have a share of any metric are kept.
        users = np.flatnonzero(weights.any(axis=0)).astype(np.int32)
        return {
            "share_users": users,
            "share_columns": np.array(list(self.shares), np.str_),
            "share_sums": sums[:, users].astype(np.float32),
            "share_weights": weights[:, users].astype(np.float32),
        }

    def add_undefined(self, column: str) -> None:
        """Note that a metric has no value in this cell."""
        self.values[column] = None

    def add_value(self, column: str, value: float) -> None:
        """Take a metric of all lists together; NaN and infinity are undefined."""
        self.values[column] = value if np.isfinite(value) else None

    def add_shares(self, column: str, metric: Metric, shares: Shares) -> None:
        """Take a metric that is a ratio of sums over users; undefined if no user has a weight."""
        sums, weights = shares
        if not weights.any():
            self.add_undefined(column)
            return
        self.shares[column] = shares
        self.add_value(column, float(metric.finish(sums.sum() / weights.sum())))


def compute_metrics(
    answers: Answers,
    train: Ratings,
    test: Ratings,
    catalogue: Catalogue,
    evaluation: Evaluation,
    *,
    predicts_ratings: bool,
    scores_pairs: bool = True,
) -> CellMetrics:
    """Every metric of a cell, at the cutoffs and under the protocols of `evaluation`.

    Undefined (None) are the errors of an algorithm that ranks only, for which `predicts_ratings` is
    False; its coverage too where no test pair has a score by design, as with lists in a file, for
    which `scores_pairs` is False; and what nothing is known for, such as the precision when no user
    has a relevant test item.
    """
    metrics = CellMetrics({}, {})
    cold = find_cold_starts(train.users, train.items, train.n_users, train.n_items)
    _add_rating_metrics(
        metrics,
        answers,
        train,
        test,
        cold,
        predicts_ratings=predicts_ratings,
        scores_pairs=scores_pairs,
    )

    features = _describe_items(catalogue)
    popular_lists = recommend_popular(train, test, cold.users, evaluation)
    for protocol in evaluation.protocols:
        lists = answers.lists[protocol]
        hits = find_hits(lists, test, protocol)
        hits_with_fallback = hits
        if protocol in popular_lists:
            with_fallback = replace_lists(lists, popular_lists[protocol])
            hits_with_fallback = find_hits(with_fallback, test, protocol)
        described = describe_lists(lists, train, features)

        is_cold = cold.users[lists.users]
        for metric, name, cutoff in _columns_over_lists(evaluation.ks):
            column = column_name(protocol, name)
            if metric.kind == "set":
                metrics.add_value(column, metric.function(described, cutoff))
                continue

            if metric.kind == "list":
                values = metric.function(described, cutoff)
            elif metric.population == "fallback":
                values = metric.function(hits_with_fallback, cutoff)
            else:
                values = metric.function(hits, cutoff)
            values = np.where(_is_within(metric.population, is_cold), values, np.nan)
            shares = _share_among_users(values, lists.users, test.n_users)
            metrics.add_shares(column, metric, shares)
    return metrics


def _is_within(population: Population, is_cold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each user or rating, cold or not, whether a metric over the population counts it."""
    match population:
        case "warm":
            return ~is_cold
        case "cold":
            return is_cold
    return np.ones(len(is_cold), np.bool_)


def _add_rating_metrics(
    metrics: CellMetrics,
    answers: Answers,
    train: Ratings,
    test: Ratings,
    cold: ColdStarts,
    *,
    predicts_ratings: bool,
    scores_pairs: bool,
) -> None:
    """Add the metrics of predicted ratings to `metrics`."""
    predictions = complete_predictions(answers, test, train.mean)
    is_cold = cold.are_cold(test.users, test.items)
    for metric in METRICS.values():
        if metric.kind != "rating":
            continue

        judged = predictions
        if metric.population != "all":
            judged = predictions.take(_is_within(metric.population, is_cold))
        is_defined = scores_pairs and (predicts_ratings or not metric.needs_ratings)
        if len(judged.users) > 0 and is_defined:
            metrics.add_shares(metric.name, metric, metric.function(judged))
        else:
            metrics.add_undefined(metric.name)


def _columns_over_lists(ks: tuple[int, ...]) -> Iterator[tuple[Metric, str, int]]:
    """The metrics that judge lists: each with the names of its columns and their cutoffs."""
    for metric in METRICS.values():
        if metric.kind == "rating":
            continue
        for name, cutoff in metric.columns(ks):
            yield metric, name, cutoff


def _share_among_users(values: Doubles, users: NDArray[np.int32], n_users: int) -> Shares:
    """One value a list as shares of all users: weight 1 for `users` with a value, 0 for NaN."""
    sums = np.zeros(n_users)
    sums[users] = np.nan_to_num(values)
    weights = np.zeros(n_users)
    weights[users] = ~np.isnan(values)
    return sums, weights
