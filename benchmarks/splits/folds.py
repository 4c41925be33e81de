"""From a split as it is written to its folds: how many there are, and the rows of each.

A split is written `name` or `name[key=value,...]`, such as `holdout[test=0.1]`. Those of the bench
are in `built_in`; data sets bring official ones, whose rows are given; `from_file` reads those of a
file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recbench.benchmarks.splits.built_in import (
    SPLITS,
    Order,
    Split,
    check_moments,
    rows_without,
)
from recbench.benchmarks.splits.from_file import (
    PUBLISHED,
    canonical_file_spec,
    is_given_by_file,
    locate_split_file,
    read_test_rows,
)
from recbench.datasets.foundation import (
    UsageError,
    format_spec,
    parse_spec,
    pick_name,
    validate_arguments,
)
from recbench.datasets.ratings import Dataset, Ratings, Rows

# What the official splits do with time: those of MovieLens are random, the probe is drawn from each
# user's latest ratings.
OFFICIAL_ORDERS: dict[str, Order] = {"u": "none", "ua": "none", "ub": "none", "probe": "user"}

# What every function of a split is given by the bench, so that no user can.
GIVEN_BY_BENCH = {"ratings", "n_folds", "fold", "seed"}

FILTERED = "filtered"  # the split that trains on what a filter keeps
GROWN = "grown"  # the split that trains on samples of the users

# Folds of a split into parts, unless a user or a suite wants others.
DEFAULT_PARTS = 5


# The rows of no history, as of every split whose test users have been trained on
NO_ROWS: Rows = np.empty(0, np.int64)


@dataclass(frozen=True)
class Division:
    """The rows of a fold: what is learned from, what is asked for, and what is told of new users.

    `history` holds ratings of users who are not in training, that are given with the question.
    """

    train: Rows
    test: Rows
    history: Rows


@dataclass(frozen=True)
class _ParsedSplit:
    """A split as it was written: the bench's own with its parameters, or the name of an official
    one, or of one that a file gives.
    """

    name: str
    built_in: Split | None
    parameters: dict[str, Any]
    is_file: bool = False


def _parse_split(spec: str) -> _ParsedSplit:
    """What `spec` names, with converted parameters; a name that the bench lacks counts as official.

    UsageError if `spec` is malformed, or its parameters are unknown or out of range.
    """
    if is_given_by_file(spec):
        return _ParsedSplit(spec, None, {}, is_file=True)

    name, given = parse_spec(spec)
    built_in = SPLITS.get(name)
    if built_in is None:
        return _ParsedSplit(spec, None, {})

    parameters = validate_arguments(f"split {name}", built_in.divide, given)
    reserved = sorted(GIVEN_BY_BENCH & set(parameters))
    if reserved:
        raise UsageError(f"split {name} takes no parameter {reserved[0]}: use --folds and --seed")
    check_moments(parameters)
    return _ParsedSplit(name, built_in, parameters)


def canonical_spec(spec: str) -> str:
    """`spec` as it stands in a cell: parameters converted. Official names pass as they are.

    That of a file has its absolute path. UsageError for a malformed one, and a file that is not
    there.
    """
    of_file = canonical_file_spec(spec)
    if of_file is not None:
        return of_file

    split = _parse_split(spec)
    return format_spec(split.name, split.parameters)


def resolve_n_folds(
    dataset: Dataset, spec: str, wanted: int | None, default: int | None = None
) -> int:
    """How many folds the split has: the `wanted` number, or the `default`, or what it comes with.

    UsageError for a split that neither the bench nor the data set has, a number of folds that it
    cannot have, and ratings without the times that it needs.
    """
    split = _parse_split(spec)
    _refuse_unusable(dataset, spec, split)

    fixed = _fixed_n_folds(dataset, split)
    if fixed is not None:
        if wanted not in (None, fixed):
            raise UsageError(
                f"--folds {wanted}: the split {spec!r} of {dataset.name} has {fixed}; "
                "leave --folds out"
            )
        return fixed

    is_in_parts = split.built_in is not None and split.built_in.folds == "parts"
    if not is_in_parts:
        return wanted or default or 1

    n_folds = wanted or default or DEFAULT_PARTS
    n_ratings = len(dataset.ratings)
    if not 2 <= n_folds <= n_ratings:
        raise UsageError(
            f"--folds {n_folds}: expected 2 to {n_ratings}, the ratings of {dataset.name}"
        )
    return n_folds


def _refuse_unusable(dataset: Dataset, spec: str, split: _ParsedSplit) -> None:
    """UsageError for an official split that the data set lacks, and for one by time without
    times.
    """
    if split.is_file:
        return  # the file is read below, and says itself what it is for
    if split.built_in is None:
        pick_name("split", split.name, [*SPLITS, *PUBLISHED, *dataset.splits])
        return
    if split.built_in.order != "none" and dataset.ratings.times is None:
        raise UsageError(
            f"--split {spec}: the ratings of {dataset.name} have no times; use kfold or holdout"
            f".{_recall_times(dataset)}"
        )


def _recall_times(dataset: Dataset) -> str:
    """What the loader has said about a column that could be the times; "" if it has not."""
    for remark in dataset.provenance.remarks:
        if remark.startswith("No column is taken for times"):
            return f" {remark}"
    return ""


def _fixed_n_folds(dataset: Dataset, split: _ParsedSplit) -> int | None:
    """The only number of folds that the split can have; None if it is the user's choice."""
    if split.is_file:
        return 1
    if split.built_in is None:
        return len(dataset.splits[split.name])
    if split.built_in.folds == "one":
        return int(split.parameters.get("folds", 1))
    return None


def is_seeded(spec: str) -> bool:
    """Whether another seed gives another division.

    Official splits have no seed, and those with one fold go by the ratings alone.
    """
    split = _parse_split(spec)
    return split.built_in is not None and split.built_in.folds != "one"


def order_in_time(spec: str) -> Order | None:
    """Which order in time the split respects, see `Split`; None if that of an official one is
    unknown.
    """
    split = _parse_split(spec)
    if split.built_in is None:
        return OFFICIAL_ORDERS.get(split.name)
    return split.built_in.order


def share_of_growth(spec: str) -> float | None:
    """The share of users that a `grown` split trains on; None for every other split."""
    split = _parse_split(spec)
    if split.name != GROWN:
        return None
    return float(split.parameters.get("share", 1.0))


def grown_specs(shares: Sequence[float]) -> list[str]:
    """The splits that train on these shares of the users and test on the same ratings."""
    smallest = min(shares)
    return [
        canonical_spec(format_spec(GROWN, {"share": share, "smallest": smallest}))
        for share in sorted(shares)
    ]


def filter_of_split(spec: str) -> tuple[int, int] | None:
    """Of a `filtered` split, more than how many ratings it wants of items and of users; else None.

    >>> filter_of_split("filtered[items=5,users=20]"), filter_of_split("kfold")
    ((5, 20), None)
    """
    split = _parse_split(spec)
    if split.name != FILTERED:
        return None
    return int(split.parameters.get("items", 0)), int(split.parameters.get("users", 0))


def filtered_spec(items: int, users: int) -> str:
    """The split that trains on what a filter keeps, and tests on all."""
    return canonical_spec(format_spec(FILTERED, {"items": items, "users": users}))


def refuse_empty_parts(
    dataset: Dataset, spec: str, n_folds: int, seed: int, inner: str = ""
) -> None:
    """UsageError if a fold has no training or no test rating: nothing could be fitted or
    measured.

    With an `inner` split, if that leaves none.
    """
    split = _parse_split(spec)
    if split.built_in is not None and split.built_in.even and not inner:
        # `resolve_n_folds` asks for as many ratings as folds, and dividing many ratings takes
        # seconds.
        return

    for fold in range(n_folds):
        division = _divide_unchecked(dataset, split, n_folds, fold, seed)
        words = f"--split {spec}"
        if inner:
            division = divide_again(dataset.ratings, division.train, inner, seed)
            words += f", the training part divided again by {inner}"
        for part, rows in (("training", division.train), ("test", division.test)):
            if len(rows) == 0:
                raise UsageError(
                    f"{words}: no rating is left for the {part} part of fold {fold} "
                    f"(seed {seed}) of the {len(dataset.ratings):,} ratings of {dataset.name}; "
                    "choose other parameters or another split"
                )


def divide(
    dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int, inner: str = ""
) -> tuple[Rows, Rows]:
    """The training and the test rows of a fold; those of an official split in the data set's order.

    With an `inner` split those of the training part of the fold divided again, so that no row of
    the fold's test part is among them. RuntimeError if a row is in both parts, or one of training
    is of a user who should be new: then the split is wrong, and no number would be worth anything.
    """
    division = _divide_checked(dataset, spec, n_folds, fold, seed, inner)
    return division.train, division.test


def rows_of_histories(
    dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int, inner: str = ""
) -> Rows:
    """The rows that are told of the new users of a fold with the question about them, ascending.

    The fold is that of `divide` with these arguments. None unless its users are new.
    """
    if not asks_new_users(inner or spec):
        return NO_ROWS
    return _divide_checked(dataset, spec, n_folds, fold, seed, inner).history


def has_cuts(spec: str) -> bool:
    """Whether the folds of a split are several cuts in time."""
    split = _parse_split(spec)
    return int(split.parameters.get("folds", 1)) > 1


def asks_new_users(spec: str) -> bool:
    """Whether no user of the test part of the split is in training."""
    split = _parse_split(spec)
    return split.built_in is not None and split.built_in.of_new_users


def _divide_checked(
    dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int, inner: str
) -> Division:
    """As `divide`, with the histories. RuntimeError if a part holds what it must not."""
    split = _parse_split(spec)
    division = _divide_unchecked(dataset, split, n_folds, fold, seed)
    _refuse_overlap(dataset, division, f"split {spec}, fold {fold}")
    if asks_new_users(spec):
        _refuse_known_users(dataset, division, f"split {spec}, fold {fold}")
    if not inner:
        return division

    again = divide_again(dataset.ratings, division.train, inner, seed)
    _refuse_overlap(dataset, again, f"inner split {inner}, fold {fold}")
    if asks_new_users(inner):
        _refuse_known_users(dataset, again, f"inner split {inner}, fold {fold}")
    return again


def divide_again(ratings: Ratings, train: Rows, inner: str, seed: int) -> Division:
    """The rows `train`, the training part of a fold, in parts under an inner split.

    One of the bench's own splits, of which the first fold is taken: a part in `DEFAULT_PARTS`. It
    is given no other ratings.
    """
    split = _parse_split(inner)
    assert split.built_in is not None, "official splits divide whole data sets"
    part = ratings.take(train)
    rows = split.built_in.divide(part, DEFAULT_PARTS, 0, seed, **split.parameters)
    division = _name_parts(rows)
    return Division(train[division.train], train[division.test], train[division.history])


def _refuse_overlap(dataset: Dataset, division: Division, where: str) -> None:
    """RuntimeError if a row is in both parts."""
    is_in_training = np.zeros(len(dataset.ratings), bool)
    is_in_training[division.train] = True
    n_in_both = int(is_in_training[division.test].sum())
    if n_in_both:
        raise RuntimeError(
            f"{where}: {n_in_both:,} ratings are in the training and in the test part"
        )


def _refuse_known_users(dataset: Dataset, division: Division, where: str) -> None:
    """RuntimeError if a test row is told beforehand, or if a user of the test is in training."""
    n_told = len(np.intersect1d(division.history, division.test))
    if n_told:
        raise RuntimeError(f"{where}: {n_told:,} ratings of the test part are in a history")

    users = dataset.ratings.users
    new_users = np.union1d(users[division.test], users[division.history])
    n_known = int(np.isin(users[division.train], new_users).sum())
    if n_known:
        raise RuntimeError(
            f"{where}: {n_known:,} ratings of users who are held out are in the training part"
        )


def _divide_unchecked(
    dataset: Dataset, split: _ParsedSplit, n_folds: int, fold: int, seed: int
) -> Division:
    """The parts of a fold, whatever the split makes them."""
    n_ratings = len(dataset.ratings)
    rows: tuple[Rows, ...]
    if split.is_file:
        rows = rows_without(read_test_rows(dataset, split.name), n_ratings)
    elif split.built_in is None:
        rows = rows_without(dataset.splits[split.name][fold], n_ratings)
    else:
        rows = split.built_in.divide(dataset.ratings, n_folds, fold, seed, **split.parameters)
    return _name_parts(rows)


def _name_parts(rows: tuple[Rows, ...]) -> Division:
    """What a split gives, with no history where it gives two parts."""
    train, test, *histories = rows
    return Division(train, test, histories[0] if histories else NO_ROWS)


def fingerprint_rows(rows: Rows) -> str:
    """Twelve hexadecimal digits over row numbers and their order.

    All algorithms of a fold have the same.
    """
    return hashlib.sha256(np.ascontiguousarray(rows, np.int64).data).hexdigest()[:12]


def digest_of_split(dataset: Dataset, spec: str) -> str:
    """sha256 of all that fixes the folds but their number and the seed.

    That is the digest of the data, and with an official split also its rows; with one that a file
    gives its rows and the sha256 of the file.
    """
    split = _parse_split(spec)
    if split.built_in is not None:
        return dataset.digest

    digest = hashlib.sha256(dataset.digest.encode())
    if split.is_file:
        digest.update(np.ascontiguousarray(read_test_rows(dataset, spec), np.int64).data)
        if spec not in PUBLISHED:  # of those the rows are known, in whichever file they come
            digest.update(locate_split_file(spec).read_bytes())
        return digest.hexdigest()

    for rows in dataset.splits[split.name]:
        digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()
