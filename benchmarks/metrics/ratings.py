"""Errors of predicted ratings."""

from typing import Any

import numpy as np

from recbench.benchmarks.metrics.registry import Predictions, Shares, rating_metric
from recbench.datasets.foundation import compile_lazily


@rating_metric("lower", "rating points", finish=np.sqrt, headline=True)
def rmse(rated: Predictions) -> Shares:
    """Root mean squared error: sqrt(mean((r - p)^2)) over the test ratings r and their predictions p."""
    return rated.per_user((rated.truth - rated.predicted) ** 2)


@rating_metric("lower", "rating points", headline=True)
def mae(rated: Predictions) -> Shares:
    """Mean absolute error: mean(|r - p|) over the test ratings r and their predictions p."""
    return rated.per_user(np.abs(rated.truth - rated.predicted))


@rating_metric("zero", "rating points")
def mean_error(rated: Predictions) -> Shares:
    """Mean error, or bias: mean(p - r) over the test ratings r and their predictions p; above 0 is too friendly."""
    return rated.per_user(rated.predicted - rated.truth)


@rating_metric("lower", "rating points")
def macro_rmse(rated: Predictions) -> Shares:
    """Each user's own root mean squared error, averaged over users: frequent raters count no more than others."""
    squared, n = rated.per_user((rated.truth - rated.predicted) ** 2)
    own = np.sqrt(np.divide(squared, n, out=np.zeros_like(squared), where=n > 0))
    return own, (n > 0).astype(np.float64)


@rating_metric("higher", "share", finish=lambda unexplained: 1 - unexplained)
def r2(rated: Predictions) -> Shares:
    """Coefficient of determination: 1 - sum((r - p)^2) / sum((r - mean of r)^2) over the test ratings r and their
    predictions p; 0 is what the mean of the test part would have.
    """
    squared, _ = rated.per_user((rated.truth - rated.predicted) ** 2)
    return squared, rated.per_user((rated.truth - rated.truth.mean()) ** 2)[0]


@rating_metric("higher", "share")
def fcp(rated: Predictions) -> Shares:
    """Fraction of concordant pairs: of all pairs of one user's test ratings that differ, the share whose predictions
    differ in the same direction; equal predictions are no agreement (Koren and Sill 2011).
    """
    order = np.argsort(rated.users, kind="stable")
    starts = np.searchsorted(rated.users[order], np.arange(rated.n_users + 1))
    concordant, pairs = _pairs(starts, rated.truth[order], rated.predicted[order])
    return concordant, pairs


@compile_lazily()
def _pairs(starts: Any, truth: Any, predicted: Any) -> Any:
    n_users = len(starts) - 1
    concordant, pairs = np.zeros(n_users), np.zeros(n_users)
    for user in range(n_users):
        for i in range(starts[user], starts[user + 1]):
            for j in range(i + 1, starts[user + 1]):
                if truth[i] != truth[j]:
                    pairs[user] += 1
                    if (truth[i] - truth[j]) * (predicted[i] - predicted[j]) > 0:
                        concordant[user] += 1
    return concordant, pairs


@rating_metric("higher", "share", needs_ratings=False, headline=True)
def coverage(rated: Predictions) -> Shares:
    """Share of the test ratings for which the algorithm itself gave a score; the rest got the training mean."""
    return rated.per_user(rated.answered)
