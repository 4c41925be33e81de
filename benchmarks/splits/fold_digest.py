"""Which fold it is, told by its rows: for those who bring answers to it from elsewhere."""

import hashlib
import json

from recbench.benchmarks.splits.folds import divide, fingerprint_rows, rows_of_histories
from recbench.datasets.ratings import Dataset, Rows


def digest_of_fold(dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int) -> str:
    """sha256 in hexadecimal digits over the data and the rows of all parts of a fold.

    The split's name is not in it: folds with the same rows are the same.
    """
    train, test = divide(dataset, spec, n_folds, fold, seed)
    histories = rows_of_histories(dataset, spec, n_folds, fold, seed)
    return digest_of_parts(dataset, train, test, histories)


def digest_of_parts(dataset: Dataset, train: Rows, test: Rows, histories: Rows) -> str:
    """As `digest_of_fold`, from the rows themselves."""
    rows = [fingerprint_rows(part) for part in (train, test, histories)]
    written = json.dumps([dataset.digest, *rows])
    return hashlib.sha256(written.encode()).hexdigest()
