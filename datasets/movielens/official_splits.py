"""The official splits of MovieLens 100k: read from their files, or made again by their rule."""

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import LineFormat, Lines, read_lines
from recbench.datasets.ratings import Rows
from recbench.datasets.storage import Archive

# The folds of each split; each has its files FOLD.base and FOLD.test in the archive
FOLDS_OF_SPLIT = {
    "u": ("u1", "u2", "u3", "u4", "u5"),
    "ua": ("ua",),
    "ub": ("ub",),
}
N_LEADING = 10  # ratings of each user in the test part of ua, and of ub


def read_official_splits(
    archive: Archive, lines: Lines, line_format: LineFormat
) -> dict[str, tuple[Rows, ...]]:
    """The splits u, ua and ub by name: for each fold the rows of its test part in `lines`.

    A split is left out if a .test file of it is not inside. UsageError if a .test file holds a
    rating that is not in `lines`, or if .base and .test are not all of `lines`.
    """
    splits = {}
    for split, folds in FOLDS_OF_SPLIT.items():
        if all(archive.find(f"{fold}.test") for fold in folds):
            splits[split] = tuple(
                _read_test_rows(archive, fold, lines, line_format) for fold in folds
            )
    return splits


def leading_splits(users: NDArray[np.int32]) -> dict[str, tuple[Rows, ...]]:
    """The splits ua and ub made again, as the archive's `allbut.pl` makes them from `u.data`.

    ua tests on each user's first ten ratings in the order of the file, ub on the ten after them.

    >>> leading_splits(np.array([7] * 12 + [5] * 11, np.int32))["ub"]
    (array([10, 11, 22]),)
    """
    # How many ratings of the same user come before each rating
    order = np.argsort(users, kind="stable")
    ordered_users = users[order]
    starts = np.searchsorted(ordered_users, ordered_users)
    n_before = np.empty(len(users), np.int64)
    n_before[order] = np.arange(len(users)) - starts

    in_ua = n_before < N_LEADING
    in_ub = (n_before >= N_LEADING) & (n_before < 2 * N_LEADING)
    return {"ua": (np.flatnonzero(in_ua),), "ub": (np.flatnonzero(in_ub),)}


def _read_test_rows(archive: Archive, fold: str, lines: Lines, line_format: LineFormat) -> Rows:
    """The ascending rows in `lines` of the ratings in the fold's .test file.

    UsageError if .test and .base together are not the ratings of `lines`, each once.
    """
    test_rows = _read_rows(archive, f"{fold}.test", lines, line_format)
    training_rows = _read_rows(archive, f"{fold}.base", lines, line_format)

    all_rows = np.sort(np.concatenate([test_rows, training_rows]))
    if not np.array_equal(all_rows, np.arange(len(lines))):
        problem = f"{fold}.base and {fold}.test are not the ratings of u.data, each once"
        raise UsageError(f"{archive.path}: {problem}. Fetch the archive again.")
    return np.sort(test_rows)


def _read_rows(archive: Archive, file: str, lines: Lines, line_format: LineFormat) -> Rows:
    """The row in `lines` of each rating of `file`, in the file's order.

    UsageError if the file is not in the archive, or for a rating that is not in `lines`.
    """
    member = archive.need(file)
    with archive.open(member) as stream:
        part = read_lines(stream, archive.where(member), line_format)
    return _rows_of_ratings(part, lines)


def _rows_of_ratings(part: Lines, lines: Lines) -> Rows:
    """The row in `lines` of each rating of `part`: the one of the same user, item, value and time.

    UsageError, with file and line, for a rating of `part` that is not in `lines`.
    """
    known_pairs = _pair_keys(lines)
    wanted_pairs = _pair_keys(part)
    order = np.argsort(known_pairs)
    places = np.searchsorted(known_pairs, wanted_pairs, sorter=order)
    rows: Rows = order[places.clip(max=len(order) - 1)]

    same_pair = known_pairs[rows] == wanted_pairs
    same_value = lines.values[rows] == part.values
    same_time = lines.times[rows] == part.times
    same = same_pair & same_value & same_time
    if not same.all():
        where = part.describe(int(np.argmin(same)))
        raise UsageError(f"{where}: this rating is not in {lines.where}. Fetch the archive again.")
    return rows


def _pair_keys(lines: Lines) -> NDArray[np.int64]:
    """One integer for each rating, equal where user and item are; the user has the high bits."""
    return lines.users.astype(np.int64) << 32 | lines.items
