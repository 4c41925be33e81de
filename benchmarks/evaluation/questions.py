"""From a fitted algorithm to its raw answers: the only place that decides candidates and ties."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters.base import Recommender
from recbench.benchmarks.evaluation.ranking import auc_by_user, pessimistic_ranks, top_items
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, Protocol, column_name
from recbench.datasets.ratings import Ratings

BLOCK_BYTES = (
    1 << 25
)  # scores of one block of users; small enough for the processor's cache to help
BLOCK_PAIRS = 1 << 18
DEPTH = 20  # recommendations stored per user, so that other cutoffs can be computed from the raw answers

Call = Callable[..., Any]


class DivergedError(ArithmeticError):
    """Scores that are not numbers."""


@dataclass(frozen=True)
class Lists:
    """What a protocol made of the scores of all items, for the users with at least one relevant test item."""

    users: NDArray[np.int32]  # ascending
    top_items: NDArray[
        np.int32
    ]  # (len(users), at most depth), best first; -1 where candidates ran out
    ranks: NDArray[
        np.int32
    ]  # of the same shape, from 0; equal for tied items if ties are pessimistic
    auc: NDArray[np.float64]  # (len(users),), NaN where there was nothing to compare


@dataclass(frozen=True)
class Answers:
    """What an algorithm answered, raw: enough to compute every metric again."""

    scores: NDArray[np.float32]  # one per test rating, before fallback and clipping
    lists: dict[str, Lists]  # by protocol

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As it is written: `scores`, and `users`, `top_items`, `ranks` and `auc` of each protocol."""
        arrays: dict[str, NDArray[Any]] = {"scores": self.scores}
        for name, lists in self.lists.items():
            arrays |= {column_name(name, column): value for column, value in vars(lists).items()}
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]], protocols: tuple[str, ...]) -> "Answers":
        """The inverse of `to_arrays`."""
        columns = Lists.__dataclass_fields__
        lists = {
            name: Lists(**{column: arrays[column_name(name, column)] for column in columns})
            for name in protocols
        }
        return Answers(arrays["scores"], lists)


def _checked(scores: Any, shape: tuple[int, ...], algorithm: Recommender) -> NDArray[np.float32]:
    """`scores` if they keep the contract; TypeError, ValueError or DivergedError, in words, if not."""
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        raise TypeError(
            f"{algorithm.name}: expected float32 scores, got {getattr(scores, 'dtype', type(scores))}"
        )
    if scores.shape != shape:
        raise ValueError(f"{algorithm.name}: expected scores of shape {shape}, got {scores.shape}")
    n_nan, n_infinite = int(np.isnan(scores).sum()), int(np.isinf(scores).sum())
    if n_infinite or (n_nan and not algorithm.abstains):
        raise DivergedError(f"{n_nan} NaN and {n_infinite} infinite among {scores.size} scores")
    return scores


def collect_answers(
    algorithm: Recommender,
    train: Ratings,
    test: Ratings,
    evaluation: Evaluation,
    seed: int,
    timed: Call,
) -> Answers:
    """Put the test questions to a fitted algorithm; `timed(phase, function, *arguments)` makes each call.

    Only the algorithm's own calls go through `timed`. DivergedError for scores that are not numbers. Ranking comes
    first: the pairs to be rated are the test part, and who has seen them knows what to recommend.
    """
    judges = {
        name: _Judge(PROTOCOLS[name], train, test, max(DEPTH, *evaluation.ks))
        for name in evaluation.protocols
    }
    users = np.unique(np.concatenate([judge.users for judge in judges.values()]))
    users.flags.writeable = False
    block = max(1, BLOCK_BYTES // (4 * train.n_items))
    for start in range(0, len(users), block):
        asked = users[start : start + block]
        scores = timed("rank", algorithm.score_items, asked)
        scores = _checked(scores, (len(asked), train.n_items), algorithm)
        for judge in judges.values():
            judge.see(scores, asked, seed)
    blocks = []
    for start in range(0, len(test), BLOCK_PAIRS):
        part = slice(start, start + BLOCK_PAIRS)
        scores = timed("rate", algorithm.score, test.users[part], test.items[part])
        blocks.append(
            _checked(scores, test.users[part].shape, algorithm).copy()
        )  # it may use its array again
    scores = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    return Answers(scores, {name: judge.lists() for name, judge in judges.items()})


class _Judge:
    """Collects what one protocol makes of the scores, block by block."""

    def __init__(self, protocol: Protocol, train: Ratings, test: Ratings, depth: int) -> None:
        self.protocol, self.depth = protocol, min(depth, train.n_items)
        self.relevant = user_item_matrix(test, protocol.threshold(test.scale))
        self.users = np.flatnonzero(np.diff(self.relevant.indptr)).astype(np.int32)
        lists = {"unseen": (train, -np.inf), "unliked": (train, protocol.threshold(train.scale))}
        lists |= {"all": (train, np.inf), "rated": (test, -np.inf)}
        self.listed = user_item_matrix(*lists[protocol.candidates])
        self.parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []

    def see(self, scores: NDArray[np.float32], asked: NDArray[np.int32], seed: int) -> None:
        """Judge one block: row r of `scores` is that of user asked[r]. Users without a relevant item are left out."""
        mine = np.isin(asked, self.users)
        if not mine.all():
            scores, asked = scores[mine], asked[mine]
        only_listed, pessimistic = (
            self.protocol.candidates == "rated",
            self.protocol.ties == "pessimistic",
        )
        depth = self.depth + pessimistic  # one more place shows whether the last tie goes on
        top, best = top_items(scores, asked, self.listed, depth, seed, only_listed=only_listed)
        ranks = (
            pessimistic_ranks(best)
            if pessimistic
            else np.tile(np.arange(depth, dtype=np.int32), (len(asked), 1))
        )
        areas = auc_by_user(
            scores,
            asked,
            self.listed,
            self.relevant,
            only_listed=only_listed,
            pessimistic=pessimistic,
        )
        self.parts.append((top[:, : self.depth], ranks, areas))

    def lists(self) -> Lists:
        """All blocks together."""
        empty = np.empty((0, self.depth), np.int32)
        parts = self.parts or [(empty, empty, np.empty(0))]
        top, ranks, areas = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Lists(self.users, top, ranks, areas)


def user_item_matrix(ratings: Ratings, threshold: float) -> csr_matrix:
    """The users x items matrix of the ratings of at least `threshold`, each pair once, items ascending."""
    chosen = ratings.values >= threshold
    users, items = ratings.users[chosen], ratings.items[chosen]
    matrix = csr_matrix(
        (np.ones(len(users), np.bool_), (users, items)), (ratings.n_users, ratings.n_items)
    )
    matrix.sum_duplicates()
    return matrix
