"""What the users of a run add to its metrics: shares, read from the raw answers beside the
records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.metrics import Doubles, Metric, Shares
from recbench.benchmarks.records import Record, Run
from recbench.datasets.foundation import UsageError

# What statistics need of the raw answers.
SHARE_ARRAYS = ("share_users", "share_columns", "share_sums", "share_weights")


@dataclass(frozen=True)
class UserShares:
    """What the users add to one metric of one row: sums and weights of shape (n_folds, n_users)."""

    sums: Doubles
    weights: Doubles

    @property
    def n_users(self) -> int:
        """How many users have a value in the fold that has the fewest of them."""
        users_by_fold = (self.weights > 0).sum(axis=1)
        return int(users_by_fold.min())

    def equals(self, other: "UserShares") -> bool:
        """Whether all users add the same in all folds."""
        has_same_sums = np.array_equal(self.sums, other.sums)
        return has_same_sums and np.array_equal(self.weights, other.weights)

    def value(self, metric: Metric) -> float:
        """The mean over the folds of the metric that these are shares of."""
        by_fold = metric.finish(self.sums.sum(axis=1) / self.weights.sum(axis=1))
        return float(np.mean(by_fold))


def read_user_shares(
    run: Run, rows: Mapping[str, Sequence[Record]], columns: Sequence[str]
) -> dict[str, dict[str, UserShares]]:
    """For each of `columns` the shares of each row that has a value of it in all its folds.

    `rows` are the records by the row's name; a row with a cell that is not ok has none. UsageError,
    naming the file, where an ok record's answers are gone, damaged or another's, and for shares
    that are no numbers.
    """
    shares_by_column: dict[str, dict[str, UserShares]] = {column: {} for column in columns}
    for row, records in rows.items():
        if any(record.status != "ok" for record in records):
            continue

        folds = [_read_shares_of_cell(run, record, columns) for record in records]
        for column in columns:
            if not all(column in fold for fold in folds):
                continue

            sums = []
            weights = []
            for fold in folds:
                sums_of_fold, weights_of_fold = fold[column]
                sums.append(sums_of_fold)
                weights.append(weights_of_fold)
            shares = UserShares(np.array(sums), np.array(weights))
            shares_by_column[column][row] = shares
    return shares_by_column


def _read_shares_of_cell(run: Run, record: Record, columns: Sequence[str]) -> dict[str, Shares]:
    """The sums and the weights of all users of the data, (n_users,) each, in those of `columns`.

    Columns that the cell does not have are left out; users without a share have zeros.
    """
    arrays = run.answers_of(record, SHARE_ARRAYS)
    users = arrays["share_users"]
    _refuse_unknown_users(run.path(record.cell, ".npz"), users, record.data.users)
    stored_columns = arrays["share_columns"].tolist()
    _refuse_non_numbers(run.path(record.cell, ".npz"), arrays["share_sums"])
    _refuse_non_numbers(run.path(record.cell, ".npz"), arrays["share_weights"])

    shares: dict[str, Shares] = {}
    for column in set(columns) & set(stored_columns):
        place = stored_columns.index(column)
        sums = np.zeros(record.data.users)
        sums[users] = arrays["share_sums"][place]
        weights = np.zeros(record.data.users)
        weights[users] = arrays["share_weights"][place]
        shares[column] = (sums, weights)
    return shares


def _refuse_unknown_users(path: Path, users: NDArray[Any], n_users: int) -> None:
    """UsageError, naming the file, if a user is not among the data's."""
    if users.size and not 0 <= users.min() <= users.max() < n_users:
        raise UsageError(
            f"{path} is damaged: it has shares of users that the {n_users:,} of the data are not. "
            "Delete it to measure the cell again."
        )


def _refuse_non_numbers(path: Path, shares: NDArray[Any]) -> None:
    """UsageError, naming the file, if a user's share is NaN or infinite: no run writes such."""
    if np.issubdtype(shares.dtype, np.number) and np.isfinite(shares).all():
        return
    raise UsageError(
        f"{path} is damaged: it has NaN or infinity among the users' shares, of which nothing can "
        "be computed. Delete it to measure the cell again."
    )
