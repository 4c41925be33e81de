"""What the users of a run add to its numbers, read from the raw answers beside the records."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.certainty.bootstrap import UserShares
from recbench.benchmarks.records import Record, Run

SHARE_ARRAYS = (
    "share_users",
    "share_columns",
    "share_sums",
    "share_weights",
)  # what statistics need of the raw answers


def read_user_shares(
    run: Run, rows: Mapping[str, Sequence[Record]], columns: Sequence[str]
) -> dict[str, dict[str, UserShares]]:
    """For each of `columns` the `Sample` of each row that has all its folds and a value of it in each.

    UsageError, naming the file, where an ok record's answers are gone or damaged.
    """
    found: dict[str, dict[str, UserShares]] = {column: {} for column in columns}
    for row, records in rows.items():
        if any(record.status != "ok" for record in records):
            continue
        folds = [_shares(run, record, columns) for record in records]
        for column in columns:
            if all(column in fold for fold in folds):
                sums, weights = zip(*(fold[column] for fold in folds), strict=True)
                found[column][row] = UserShares(np.array(sums), np.array(weights))
    return found


def _shares(
    run: Run, record: Record, columns: Sequence[str]
) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """By column the sums and weights of all users, (n_users,) each, in one cell."""
    arrays = run.answers(record.cell, SHARE_ARRAYS)
    users, known = arrays["share_users"], arrays["share_columns"].tolist()
    parts = arrays["share_sums"], arrays["share_weights"]
    shares: dict[str, tuple[NDArray[np.float64], ...]] = {}
    for column in set(columns) & set(known):
        whole = np.zeros((2, record.data.users))
        whole[:, users] = [part[known.index(column)] for part in parts]
        shares[column] = (whole[0], whole[1])
    return shares
