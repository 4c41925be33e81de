"""What the data of a run cannot tell, whatever the algorithms answer: found before anything runs.

A blind spot is a fact about the ratings and their division. Some only have to be known; others
leave nothing to choose a best row by, and then no report names one in the columns that they hide.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.certainty.bootstrap import FEWEST
from recbench.benchmarks.metrics import (
    PROTOCOLS,
    Protocol,
    find_cold_starts,
    find_metric,
    parse_column,
)
from recbench.benchmarks.records import BlindSpot, Cell
from recbench.benchmarks.splits import SPLITS, divide, order_in_time, rows_of_histories
from recbench.datasets.foundation import parse_spec
from recbench.datasets.ratings import Dataset, Ratings, Rows

NEARLY_ALL = 0.95  # of the ratings: from here on "almost every" is said
MOST_COLD = 0.5  # of the test ratings: from here on errors are mostly about cold starts
MANY_USERS = 0.1  # of the tested users: from here on the order of a file decides
FAR_FROM_ASKED = 0.02  # between the share of ratings that is tested and the one asked for

# Above, evenly cut folds are not divided to look at them: that takes seconds, and parts of so many
# ratings are like the whole.
MOST_DIVIDED = 1_000_000


@dataclass(frozen=True)
class _Division:
    """One split of the data, with the rows of the parts of each fold."""

    dataset: Dataset
    split: str
    # The rows of training, with what is told of new users, and those of the test part; empty: too
    # many to divide them here
    folds: list[tuple[Rows, Rows]]
    is_only: bool  # the run has no other split

    @property
    def where(self) -> str:
        """The beginning of a sentence about this split, where there are two."""
        return "" if self.is_only else f"Split {self.split}: "

    @cached_property
    def tests(self) -> list[Ratings]:
        """The test part of each fold; where nothing was divided, the whole data stand for it."""
        ratings = self.dataset.ratings
        if not self.folds:
            return [ratings]
        return [ratings.take(test) for _, test in self.folds]

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """All tested ratings; one that several folds test stands there several times."""
        return np.concatenate([test.values for test in self.tests])


def find_blind_spots(
    dataset: Dataset, cells: Sequence[Cell], columns: Iterable[str]
) -> list[BlindSpot]:
    """What `dataset`, as the `cells` divide it, cannot tell in the metric `columns`.

    Only what is about the main split, that of the first cell, hides columns.
    """
    divisions = _divide_data(dataset, cells)
    main = divisions[0]
    shown = list(columns)

    spots = [
        *_find_few_users(main, shown),
        *_find_equal_ratings(main, shown),
        *_find_one_sided_relevance(main, shown),
        *_find_missing_times(dataset.ratings),
    ]
    for division in divisions:
        spots += _find_undecided_order(division)
        spots += _find_other_share(division)
        spots += _find_cold_starts(division)
    return spots


def _divide_data(dataset: Dataset, cells: Sequence[Cell]) -> list[_Division]:
    """Each split of the cells, that of the first cell first, with its folds of the first seed."""
    first_cells: dict[str, Cell] = {}
    for cell in cells:
        first_cells.setdefault(cell.split, cell)

    divisions = []
    for split, cell in first_cells.items():
        folds = []
        is_large = len(dataset.ratings) > MOST_DIVIDED
        if not (is_large and split == "kfold"):
            for fold in range(cell.n_folds):
                place = (cell.n_folds, fold, cell.split_seed)
                train_rows, test_rows = divide(dataset, split, *place)
                history_rows = rows_of_histories(dataset, split, *place)
                folds.append((np.concatenate([train_rows, history_rows]), test_rows))
        divisions.append(_Division(dataset, split, folds, len(first_cells) == 1))
    return divisions


def _find_few_users(division: _Division, columns: Sequence[str]) -> Iterator[BlindSpot]:
    """Too few users to tell rows apart: in a whole fold, or with anything relevant to be found."""
    n_tested = min(_count_distinct(test.users) for test in division.tests)
    if n_tested < FEWEST:
        yield BlindSpot(
            kind="too few users",
            sentence=(
                f"{division.where}Only {_count_users(n_tested)} tested in one of the folds. With "
                f"fewer than {FEWEST}, nobody knows which differences are chance."
            ),
            hides=list(columns),
        )
        return

    for name, protocol, affected in _list_protocols(columns):
        threshold = protocol.threshold(division.dataset.ratings.scale)
        n_asked = min(
            _count_distinct(test.users[test.values >= threshold]) for test in division.tests
        )
        if 0 < n_asked < FEWEST:
            yield BlindSpot(
                kind="too few users with a relevant test item",
                sentence=(
                    f"{division.where}Only {_count_users(n_asked)} asked for a ranking in one of "
                    f"the folds: the others have no relevant test item, a rating of at least "
                    f"{threshold:g} (protocol {name}). With fewer than {FEWEST}, nobody knows "
                    "which differences are chance."
                ),
                hides=affected,
            )


def _count_distinct(users: NDArray[np.int32]) -> int:
    """How many different users there are, without a sort of millions."""
    return int(np.count_nonzero(np.bincount(users)))


def _count_users(n_users: int) -> str:
    """The beginning of a clause about so many users."""
    return "1 user is" if n_users == 1 else f"{n_users} users are"


def _find_equal_ratings(division: _Division, columns: Sequence[str]) -> Iterator[BlindSpot]:
    """All ratings have one value, or almost all, or there are none at all."""
    if division.dataset.feedback == "implicit":
        yield BlindSpot(
            kind="no ratings, only positives",
            sentence=(
                f"All {len(division.dataset.ratings):,} lines are positives, such as clicks or "
                "purchases: rankings tell who foresees the next ones, and nothing of how much "
                "somebody likes them. Rating predictors are skipped."
            ),
            hides=[column for column in columns if find_metric(column).needs_ratings],
        )
        return

    values, counts = np.unique(division.dataset.ratings.values, return_counts=True)
    most_frequent = values[counts.argmax()]
    n_ratings = len(division.dataset.ratings)
    n_equal = int(counts.max())

    if n_equal == n_ratings:
        yield BlindSpot(
            kind="all ratings are equal",
            sentence=(
                f"All {n_ratings:,} ratings are {most_frequent:g}. Who always says so makes no "
                "error: these data do not tell who predicts ratings better."
            ),
            hides=[column for column in columns if find_metric(column).needs_ratings],
        )
    elif n_equal >= NEARLY_ALL * n_ratings:
        yield BlindSpot(
            kind="almost all ratings are equal",
            sentence=(
                f"{n_equal:,} of {n_ratings:,} ratings are {most_frequent:g}: errors are mostly "
                "about the few others."
            ),
        )


def _find_one_sided_relevance(division: _Division, columns: Sequence[str]) -> Iterator[BlindSpot]:
    """Every test rating counts as relevant, or none does, or almost."""
    if division.dataset.feedback == "implicit":  # where every line is relevant, as it is meant
        return

    n_tested = len(division.values)
    for name, protocol, affected in _list_protocols(columns):
        threshold = protocol.threshold(division.dataset.ratings.scale)
        n_relevant = int((division.values >= threshold).sum())
        relevant = f"Relevant is a rating of at least {threshold:g} (protocol {name}), and"

        if n_relevant == 0:
            yield BlindSpot(
                kind="no rating is relevant",
                sentence=(
                    f"{relevant} none of the {n_tested:,} test ratings is: nobody can be asked "
                    "for a ranking. Another scale moves the threshold, as in table:FILE[scale=1:5]."
                ),
                hides=affected,
            )
        elif n_relevant == n_tested:
            if _leaves_out_irrelevant(division, threshold):
                continue  # the split tests likes alone, and what is not liked counts as a miss
            yield BlindSpot(
                kind="every rating is relevant",
                sentence=(
                    f"{relevant} all {n_tested:,} test ratings are: rankings tell who foresees "
                    "what a user rates, and nothing of what a user likes. Who wants to know the "
                    "former asks for it by its name, as in --metric recommenders:ndcg@10."
                ),
                hides=affected,
            )
        elif n_relevant >= NEARLY_ALL * n_tested:
            yield BlindSpot(
                kind="almost every rating is relevant",
                sentence=(
                    f"{relevant} {n_relevant:,} of {n_tested:,} test ratings are: rankings tell "
                    "little of what a user likes."
                ),
            )


def _leaves_out_irrelevant(division: _Division, threshold: float) -> bool:
    """Whether tested users have ratings below the threshold that are in no part of their fold."""
    ratings = division.dataset.ratings
    for known_rows, test_rows in division.folds:
        is_left_out = np.isin(ratings.users, ratings.users[test_rows])
        is_left_out[known_rows] = False
        is_left_out[test_rows] = False
        if (ratings.values[is_left_out] < threshold).any():
            return True
    return False


def _list_protocols(columns: Sequence[str]) -> Iterator[tuple[str, Protocol, list[str]]]:
    """Name, protocol and ranking columns of each protocol that asks which items a user likes.

    Not of those that call every test item relevant on purpose.
    """
    by_protocol: dict[str, list[str]] = {}
    for column in columns:
        if find_metric(column).kind == "ranking":
            name, _ = parse_column(column)
            by_protocol.setdefault(name, []).append(column)

    for name, affected in by_protocol.items():
        if PROTOCOLS[name].relevant_share > 0:
            yield name, PROTOCOLS[name], affected


def _find_missing_times(ratings: Ratings) -> Iterator[BlindSpot]:
    """There are no times, or all are the same."""
    if ratings.times is None:
        yield BlindSpot(
            kind="no times",
            sentence=(
                "The ratings have no times: nothing is said of who foresees ratings from those "
                "given before."
            ),
        )
    elif len(ratings) and ratings.times.min() == ratings.times.max():
        yield BlindSpot(
            kind="all times are equal",
            sentence=(
                f"All {len(ratings):,} ratings share one moment, {name_moment(ratings)}: which "
                "came first is not known, so nothing is said of who foresees ratings from those "
                "given before."
            ),
        )


def name_moment(ratings: Ratings) -> str:
    """The time of the first rating, as `2001-09-09 01:46:40 UTC`; the bare number if it is odd."""
    seconds = int(np.asarray(ratings.times).min())
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return f"second {seconds}"


def _find_undecided_order(division: _Division) -> Iterator[BlindSpot]:
    """Where a split goes by each user's own order in time: whose training and test part meet in
    one second.
    """
    ratings = division.dataset.ratings
    if ratings.times is None or order_in_time(division.split) != "user":
        return

    train_rows, test_rows = division.folds[0]
    n_undecided, n_tested = _count_undecided(ratings.take(train_rows), ratings.take(test_rows))
    if n_undecided < MANY_USERS * n_tested:
        return
    yield BlindSpot(
        kind="the order in time is not known",
        sentence=(
            f"{division.where}Of {n_tested:,} tested users, {n_undecided:,} have ratings of one "
            "second on both sides of the split: the order of the file decides what is tested, "
            "and not the time."
        ),
    )


def _count_undecided(train: Ratings, test: Ratings) -> tuple[int, int]:
    """How many users have a training rating that is no earlier than a test rating, of how many."""
    integers = np.iinfo(np.int64)
    training_times = np.asarray(train.times)
    latest = np.full(train.n_users, integers.min)
    np.maximum.at(latest, train.users, training_times)

    test_times = np.asarray(test.times)
    earliest = np.full(test.n_users, integers.max)
    np.minimum.at(earliest, test.users, test_times)

    tested = np.unique(test.users)
    is_undecided = latest[tested] >= earliest[tested]
    return int(is_undecided.sum()), len(tested)


def _find_other_share(division: _Division) -> Iterator[BlindSpot]:
    """A split by time tests another share of the ratings than was asked for."""
    asked = _asked_test_share(division.split)
    if asked is None:
        return
    share = len(division.values) / len(division.dataset.ratings)
    if abs(share - asked) > FAR_FROM_ASKED:
        yield BlindSpot(
            kind="another share is tested than asked",
            sentence=(
                f"Split {division.split}: {share:.1%} of the ratings are tested where "
                f"{asked:.1%} were asked for, since ratings of one second are never divided."
            ),
        )


def _asked_test_share(split: str) -> float | None:
    """Which share of the ratings a split by time should test; None for a date or another split."""
    name, given = parse_spec(split)
    if name != "time":
        return None
    usual = inspect.signature(SPLITS[name].divide).parameters["at"].default
    try:
        return 1 - float(given.get("at", usual))
    except ValueError:
        return None


def _find_cold_starts(division: _Division) -> Iterator[BlindSpot]:
    """Most test ratings are of users or items without a training rating."""
    ratings = division.dataset.ratings
    n_cold = 0
    n_tested = 0
    for train_rows, test_rows in division.folds:
        training_users = ratings.users[train_rows]
        training_items = ratings.items[train_rows]
        cold = find_cold_starts(training_users, training_items, ratings.n_users, ratings.n_items)
        is_cold = cold.are_cold(ratings.users[test_rows], ratings.items[test_rows])
        n_cold += int(is_cold.sum())
        n_tested += len(test_rows)

    if n_tested and n_cold >= MOST_COLD * n_tested:
        yield BlindSpot(
            kind="most test ratings are cold",
            sentence=(
                f"Split {division.split}: {n_cold / n_tested:.0%} of the test ratings are of a "
                "user or an item without any training rating. Errors tell mostly how rows start "
                "cold, and little of what they have learned: see the columns over warm ones."
            ),
        )
