"""Errors of predicted ratings."""

from typing import Any

import numpy as np

from recbench.benchmarks.metrics.registry import Predictions, Shares, rating_metric
from recbench.datasets.foundation import compile_lazily


@rating_metric("lower", "rating points", finish=np.sqrt, headline=True)
def rmse(predictions: Predictions) -> Shares:
    """Root mean squared error: sqrt(mean((r - p)^2)) over the test ratings r and their predictions
    p.
    """
    errors = predictions.truth - predictions.predicted
    return predictions.sum_by_user(errors**2)


@rating_metric("lower", "rating points", headline=True)
def mae(predictions: Predictions) -> Shares:
    """Mean absolute error: mean(|r - p|) over the test ratings r and their predictions p."""
    errors = predictions.truth - predictions.predicted
    return predictions.sum_by_user(np.abs(errors))


@rating_metric("zero", "rating points")
def mean_error(predictions: Predictions) -> Shares:
    """Mean error, or bias: mean(p - r) over the test ratings r and their predictions p; above 0 is
    too friendly.
    """
    return predictions.sum_by_user(predictions.predicted - predictions.truth)


@rating_metric("lower", "rating points")
def macro_rmse(predictions: Predictions) -> Shares:
    """Each user's own root mean squared error, averaged over users: frequent raters count no more
    than others.
    """
    errors = predictions.truth - predictions.predicted
    squared, n_ratings = predictions.sum_by_user(errors**2)
    has_ratings = n_ratings > 0
    mean_squared = np.divide(squared, n_ratings, out=np.zeros_like(squared), where=has_ratings)
    return np.sqrt(mean_squared), has_ratings.astype(np.float64)


@rating_metric("higher", "share", finish=lambda unexplained: 1 - unexplained)
def r2(predictions: Predictions) -> Shares:
    """Coefficient of determination: 1 - sum((r - p)^2) / sum((r - mean of r)^2) over the test
    ratings r and their predictions p; 0 is what the mean of the test part would have.
    """
    errors = predictions.truth - predictions.predicted
    deviations = predictions.truth - predictions.truth.mean()
    squared_errors, _ = predictions.sum_by_user(errors**2)
    squared_deviations, _ = predictions.sum_by_user(deviations**2)
    return squared_errors, squared_deviations


@rating_metric("higher", "share")
def fcp(predictions: Predictions) -> Shares:
    """Fraction of concordant pairs: of all pairs of one user's test ratings that differ, the share
    whose predictions differ in the same direction; equal predictions are no agreement (Koren and
    Sill 2011).
    """
    order = np.argsort(predictions.users, kind="stable")
    starts = np.searchsorted(predictions.users[order], np.arange(predictions.n_users + 1))
    concordant, n_pairs = _count_concordant_pairs(
        starts, predictions.truth[order], predictions.predicted[order]
    )
    return concordant, n_pairs


@compile_lazily()
def _count_concordant_pairs(starts: Any, truth: Any, predicted: Any) -> Any:
    """Of each user: the pairs of ratings that differ and are predicted in that order, and all that
    differ.

    float64, (n_users,) each. The ratings are sorted by user; those of user u begin at starts[u].
    """
    n_users = len(starts) - 1
    concordant = np.zeros(n_users)
    n_pairs = np.zeros(n_users)
    for user in range(n_users):
        # In registers: sums in memory would be written for every pair
        n_concordant = 0
        n_different = 0
        for i in range(starts[user], starts[user + 1]):
            for j in range(i + 1, starts[user + 1]):
                gap = truth[i] - truth[j]
                n_different += gap != 0
                n_concordant += gap * (predicted[i] - predicted[j]) > 0
        concordant[user] = n_concordant
        n_pairs[user] = n_different
    return concordant, n_pairs


@rating_metric("higher", "share", needs_ratings=False, headline=True)
def coverage(predictions: Predictions) -> Shares:
    """Share of the test ratings for which the algorithm itself gave a score; the rest got the
    training mean.
    """
    return predictions.sum_by_user(predictions.answered)
