"""From a fitted algorithm to its raw answers: who is asked, and among which candidates.

Here the candidates of each protocol are decided. Ties are broken in `ranking`; fallback and
clipping come later, in `cell_metrics`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.benchmarks.evaluation.ranking import auc_by_user, pessimistic_ranks, top_items
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, Protocol, column_name
from recbench.datasets.ratings import Ratings

# Bytes of scores of one block of users; small enough for the processor's cache to help.
BLOCK_BYTES = 1 << 25

# Test ratings whose scores are asked for in one call.
BLOCK_PAIRS = 1 << 18

# Recommendations stored per user, so that other cutoffs can be computed from the raw answers.
DEPTH = 20

TimedCall = Callable[..., Any]  # (phase, function, *arguments) -> what the function returns


class Scorer(Interface):
    """What is asked: a fitted algorithm, or somebody who passes the questions on to it."""

    @property
    def name(self) -> str:
        """Of the algorithm."""

    @property
    def abstains(self) -> bool:
        """Whether a NaN score means that it has no opinion."""

    def score_items(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """As `Recommender.score_items`."""

    def score(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.float32]:
        """As `Recommender.score`."""

    def fold_in(self, ratings: Ratings) -> NDArray[np.float32]:
        """As `Recommender.fold_in`."""


class DivergedError(ArithmeticError):
    """Scores that are not numbers."""


@dataclass(frozen=True)
class Lists:
    """What a protocol made of the scores of all items, for users with a relevant test item.

    `users` are ascending. `top_items` has the shape (len(users), depth), best item first, -1 where
    candidates ran out. `ranks` has the same shape and counts from 0; tied items share a rank if
    ties are pessimistic. `auc` has one value a user, NaN where there was nothing to compare.
    """

    users: NDArray[np.int32]
    top_items: NDArray[np.int32]
    ranks: NDArray[np.int32]
    auc: NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What an algorithm answered, raw: enough to compute every metric again."""

    scores: NDArray[np.float32]  # one per test rating, before fallback and clipping
    lists: dict[str, Lists]  # by protocol

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays as they are stored, by name.

        `scores`, and of each protocol `users`, `top_items`, `ranks` and `auc`, with the protocol's
        name before them if it is not the standard one.
        """
        arrays: dict[str, NDArray[Any]] = {"scores": self.scores}
        for protocol, lists in self.lists.items():
            for field, array in vars(lists).items():
                arrays[column_name(protocol, field)] = array
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]], protocols: tuple[str, ...]) -> "Answers":
        """The inverse of `to_arrays`; KeyError if an array of one of `protocols` is absent."""
        lists_by_protocol = {}
        for protocol in protocols:
            lists_by_protocol[protocol] = Lists(
                users=arrays[column_name(protocol, "users")],
                top_items=arrays[column_name(protocol, "top_items")],
                ranks=arrays[column_name(protocol, "ranks")],
                auc=arrays[column_name(protocol, "auc")],
            )
        return Answers(arrays["scores"], lists_by_protocol)


def collect_answers(
    algorithm: Scorer,
    train: Ratings,
    test: Ratings,
    evaluation: Evaluation,
    seed: int,
    timed: TimedCall,
    histories: Ratings | None = None,
) -> Answers:
    """Put the test questions to a fitted algorithm.

    Where all users of the test part are new, `histories` are told with the questions, and what they
    rated there is no candidate. `timed(phase, function, *arguments)` makes each call, and only the
    algorithm's own calls go through it. Ranking comes first: the pairs to be rated are the test
    part, and who has seen them knows what to recommend. DivergedError for scores that are not
    numbers; TypeError and ValueError for scores of another type or shape than the contract says.
    """
    if histories is not None:
        return _fold_in_users(algorithm, histories, test, evaluation, seed, timed)

    lists = _rank_candidates(algorithm, train, test, evaluation, seed, timed)
    scores = _rate_test_pairs(algorithm, test, timed)
    return Answers(scores, lists)


def _fold_in_users(
    algorithm: Scorer,
    histories: Ratings,
    test: Ratings,
    evaluation: Evaluation,
    seed: int,
    timed: TimedCall,
) -> Answers:
    """The answers about new users, by blocks of them: lists and ratings from the same scores.

    The time is that of the phase "rank".
    """
    judges = _make_judges(histories, test, evaluation)
    users = np.unique(test.users)
    pairs_by_user = np.argsort(test.users, kind="stable")
    users_of_pairs = test.users[pairs_by_user]

    scores_of_pairs = np.empty(len(test), np.float32)
    users_in_block = max(1, BLOCK_BYTES // (4 * test.n_items))
    for start in range(0, len(users), users_in_block):
        block = users[start : start + users_in_block]
        told = _take_histories(histories, block)
        scores = timed("rank", algorithm.fold_in, told)
        scores = _check_scores(scores, (len(block), test.n_items), algorithm)
        for judge in judges.values():
            judge.judge_block(scores, block, seed)

        first, end = np.searchsorted(users_of_pairs, [block[0], block[-1] + 1])
        pairs = pairs_by_user[first:end]
        rows = np.searchsorted(block, test.users[pairs])
        scores_of_pairs[pairs] = scores[rows, test.items[pairs]]

    lists = {name: judge.join_blocks() for name, judge in judges.items()}
    return Answers(scores_of_pairs, lists)


def _take_histories(histories: Ratings, users: NDArray[np.int32]) -> Ratings:
    """What is told of `users`, which are ascending: numbered anew, so that nobody is known by an
    index.
    """
    part = histories.take(np.isin(histories.users, users))
    return Ratings(
        np.searchsorted(users, part.users).astype(np.int32),
        part.items,
        part.values,
        len(users),
        part.n_items,
        part.scale,
        part.times,
    )


def _rank_candidates(
    algorithm: Scorer,
    train: Ratings,
    test: Ratings,
    evaluation: Evaluation,
    seed: int,
    timed: TimedCall,
) -> dict[str, Lists]:
    """The lists of each protocol, from the scores of all items, asked for by blocks of users."""
    judges = _make_judges(train, test, evaluation)

    # Whoever has a relevant test item under one of the protocols is asked once for all of them.
    users = np.unique(np.concatenate([judge.users for judge in judges.values()]))
    users.flags.writeable = False

    users_in_block = max(1, BLOCK_BYTES // (4 * train.n_items))
    for start in range(0, len(users), users_in_block):
        block = users[start : start + users_in_block]
        scores = timed("rank", algorithm.score_items, block)
        scores = _check_scores(scores, (len(block), train.n_items), algorithm)
        for judge in judges.values():
            judge.judge_block(scores, block, seed)

    return {name: judge.join_blocks() for name, judge in judges.items()}


def _make_judges(known: Ratings, test: Ratings, evaluation: Evaluation) -> "dict[str, _Judge]":
    """By protocol; `known` is what the tested users have rated before."""
    depth = max(DEPTH, *evaluation.ks)
    judges = {}
    for name in evaluation.protocols:
        judges[name] = _Judge(PROTOCOLS[name], known, test, depth)
    return judges


def _rate_test_pairs(algorithm: Scorer, test: Ratings, timed: TimedCall) -> NDArray[np.float32]:
    """The scores of the test ratings, in the order of the test part.

    Asked for user by user, in blocks, so that who computes whole rows computes a user's row once,
    or twice where a block ends within the user.
    """
    pairs_by_user = np.argsort(test.users, kind="stable")
    scores_of_pairs = np.empty(len(test), np.float32)
    for start in range(0, len(test), BLOCK_PAIRS):
        pairs = pairs_by_user[start : start + BLOCK_PAIRS]
        users = test.users[pairs]
        items = test.items[pairs]
        scores = timed("rate", algorithm.score, users, items)
        scores_of_pairs[pairs] = _check_scores(scores, users.shape, algorithm)
    return scores_of_pairs


def _check_scores(scores: Any, shape: tuple[int, ...], algorithm: Scorer) -> NDArray[np.float32]:
    """`scores` themselves if they keep the contract of `Recommender`.

    TypeError if they are no float32 array, ValueError for another shape, DivergedError if some are
    infinite, or NaN although the algorithm does not declare that it abstains.
    """
    checked = check_form(scores, shape, algorithm.name)
    # A finite sum has only finite terms; one that overflows is looked at again below.
    with np.errstate(all="ignore"):
        if np.isfinite(checked.sum()):
            return checked

    n_nan = int(np.isnan(checked).sum())
    n_infinite = int(np.isinf(checked).sum())
    if n_infinite or (n_nan and not algorithm.abstains):
        raise DivergedError(f"{n_nan} NaN and {n_infinite} infinite among {checked.size} scores")
    return checked


def check_form(scores: Any, shape: tuple[int, ...], name: str) -> NDArray[np.float32]:
    """`scores` themselves; TypeError if they are no float32 array, ValueError for another shape.

    `name` is that of the algorithm.
    """
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        received = getattr(scores, "dtype", type(scores))
        raise TypeError(f"{name}: expected float32 scores, got {received}")
    if scores.shape != shape:
        raise ValueError(f"{name}: expected scores of shape {shape}, got {scores.shape}")
    return scores


class _Judge:
    """Collects what one protocol makes of the scores, block by block of users."""

    def __init__(self, protocol: Protocol, train: Ratings, test: Ratings, depth: int) -> None:
        self.protocol = protocol
        self.depth = min(depth, train.n_items)
        relevance_threshold = protocol.threshold(test.scale)
        self.relevant = user_item_matrix(test, relevance_threshold)
        n_relevant = np.diff(self.relevant.indptr)
        self.users = np.flatnonzero(n_relevant).astype(np.int32)

        # `listed` are the only candidates under "rated", and under the others what is no candidate.
        match protocol.candidates:
            case "unseen":
                self.listed = user_item_matrix(train, -np.inf)
            case "unliked":  # items rated in training below the threshold stay candidates
                self.listed = user_item_matrix(train, relevance_threshold)
            case "all":
                self.listed = user_item_matrix(train, np.inf)
            case "rated":
                self.listed = user_item_matrix(test, -np.inf)
        self.only_listed = protocol.candidates == "rated"
        self.is_pessimistic = protocol.ties == "pessimistic"

        self.top_items = [np.empty((0, self.depth), np.int32)]
        self.ranks = [np.empty((0, self.depth), np.int32)]
        self.auc = [np.empty(0)]

    def judge_block(self, scores: NDArray[np.float32], users: NDArray[np.int32], seed: int) -> None:
        """Keep the lists and the AUC of a block of users; row r of `scores` is that of users[r].

        Users without a relevant test item under this protocol are left out.
        """
        has_relevant = np.isin(users, self.users)
        if not has_relevant.all():
            scores = scores[has_relevant]
            users = users[has_relevant]

        # With pessimistic ties one more place shows whether the last tie goes on.
        depth = self.depth + 1 if self.is_pessimistic else self.depth
        top, best = top_items(scores, users, self.listed, depth, seed, only_listed=self.only_listed)
        if self.is_pessimistic:
            ranks = pessimistic_ranks(best)
        else:
            ranks = np.tile(np.arange(depth, dtype=np.int32), (len(users), 1))

        self.top_items.append(top[:, : self.depth])
        self.ranks.append(ranks)
        self.auc.append(
            auc_by_user(
                scores,
                users,
                self.listed,
                self.relevant,
                only_listed=self.only_listed,
                pessimistic=self.is_pessimistic,
            )
        )

    def join_blocks(self) -> Lists:
        """The lists of all users that were judged, in ascending order of the users."""
        return Lists(
            users=self.users,
            top_items=np.concatenate(self.top_items),
            ranks=np.concatenate(self.ranks),
            auc=np.concatenate(self.auc),
        )


def user_item_matrix(ratings: Ratings, threshold: float) -> csr_matrix:
    """The users x items matrix of the pairs with a rating of at least `threshold`.

    Boolean, each pair once, the items of a user ascending.
    """
    is_chosen = ratings.values >= threshold
    users = ratings.users[is_chosen]
    items = ratings.items[is_chosen]

    ones = np.ones(len(users), np.bool_)
    matrix = csr_matrix((ones, (users, items)), (ratings.n_users, ratings.n_items))
    matrix.sum_duplicates()
    return matrix
