"""From a fitted algorithm to its metrics: the only place that decides candidates, ties, fallback and clipping."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from adapters.base import Recommender
from benchmarks.metrics import METRICS, Ranked, Rated
from datasets.ratings import Ratings

BLOCK_BYTES = 1 << 25  # scores of one block of users; small enough for the processor's cache to help
BLOCK_PAIRS = 1 << 18
DEPTH = 20  # recommendations stored per user, so that other cutoffs can be computed from the raw answers

Call = Callable[..., Any]


class DivergedError(ArithmeticError):
    """Scores that are not numbers."""


@dataclass(frozen=True)
class Protocol:
    """How answers become metrics. Everything in it is part of a cell's key."""

    ks: tuple[int, ...] = (10,)
    relevant_share: float = 0.75  # relevant = a rating of at least this share of the scale: 4 on 1 to 5
    candidates: str = "the whole catalogue without the user's training items"
    ties: str = "seeded random"
    version: int = 1  # raise it when a definition changes

    @property
    def depth(self) -> int:
        """How many recommendations per user are ranked and stored."""
        return max(DEPTH, *self.ks)

    def threshold(self, scale: tuple[float, float]) -> float:
        """The lowest rating that counts as relevant."""
        lowest, highest = scale
        return lowest + self.relevant_share * (highest - lowest)


@dataclass(frozen=True)
class Answers:
    """What an algorithm answered, raw: enough to compute every metric again."""

    scores: NDArray[np.float32]  # one per test rating, before fallback and clipping
    users: NDArray[np.int32]  # those with at least one relevant test item, ascending
    top_items: NDArray[np.int32]  # (len(users), at most depth), best first; -1 where candidates ran out


@numba.njit(cache=True)
def _tie_break(seed: int, user: int, item: int) -> np.uint64:
    """A pseudo-random number that depends on its arguments only (SplitMix64's mixing function)."""
    state = (np.uint64(user) << np.uint64(32)) + np.uint64(item) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@numba.njit(cache=True)
def top_items(
    scores: NDArray[np.float32],
    users: NDArray[np.int32],
    seen_from: NDArray[np.int32],
    seen_items: NDArray[np.int32],
    depth: int,
    seed: int,
) -> NDArray[np.int32]:
    """The `depth` best unseen items of each row of `scores`, best first, int32 of shape (len(users), depth).

    Row r belongs to users[r], whose seen items are seen_items[seen_from[u] : seen_from[u + 1]]. NaN ranks below every
    number; equal scores are ordered by a hash of (seed, user, item), so neither the item's index nor the order of
    users matters. -1 fills rows with fewer candidates. Compiled, because one pass that keeps the best few beats any
    partial sort, and ties cost nothing.
    """
    n_items = scores.shape[1]
    top = np.full((len(users), depth), -1, np.int32)
    values = np.empty(depth, np.float32)
    hashes = np.empty(depth, np.uint64)
    seen = np.zeros(n_items, np.bool_)
    for row in range(len(users)):
        user = users[row]
        known = seen_items[seen_from[user] : seen_from[user + 1]]
        seen[known] = True
        count = 0
        for item in range(n_items):
            value = scores[row, item]
            if np.isnan(value):
                value = np.float32(-np.inf)
            if seen[item] or (count == depth and value < values[depth - 1]):
                continue
            order = _tie_break(seed, user, item)
            place = count if count < depth else depth
            while place > 0 and (
                value > values[place - 1] or (value == values[place - 1] and order < hashes[place - 1])
            ):
                place -= 1
            if place == depth:
                continue
            count = min(count + 1, depth)
            for later in range(count - 1, place, -1):
                values[later], hashes[later], top[row, later] = (
                    values[later - 1],
                    hashes[later - 1],
                    top[row, later - 1],
                )
            values[place], hashes[place], top[row, place] = value, order, item
        seen[known] = False
    return top


def _checked(scores: Any, shape: tuple[int, ...], algorithm: Recommender) -> NDArray[np.float32]:
    """`scores` if they keep the contract; TypeError, ValueError or DivergedError, in words, if not."""
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        raise TypeError(f"{algorithm.name}: expected float32 scores, got {getattr(scores, 'dtype', type(scores))}")
    if scores.shape != shape:
        raise ValueError(f"{algorithm.name}: expected scores of shape {shape}, got {scores.shape}")
    n_nan, n_infinite = int(np.isnan(scores).sum()), int(np.isinf(scores).sum())
    if n_infinite or (n_nan and not algorithm.abstains):
        raise DivergedError(f"{n_nan} NaN and {n_infinite} infinite among {scores.size} scores")
    return scores


def ask(algorithm: Recommender, train: Ratings, test: Ratings, protocol: Protocol, seed: int, timed: Call) -> Answers:
    """Put the test questions to a fitted algorithm; `timed(phase, function, *arguments)` makes each call.

    Only the algorithm's own calls go through `timed`. DivergedError for scores that are not numbers.
    """
    blocks = []
    for start in range(0, len(test), BLOCK_PAIRS):
        pairs = slice(start, start + BLOCK_PAIRS)
        scores = timed("rate", algorithm.score, test.users[pairs], test.items[pairs])
        blocks.append(_checked(scores, test.users[pairs].shape, algorithm).copy())  # it may use its array again
    users = np.unique(test.users[test.values >= protocol.threshold(test.scale)])
    users.flags.writeable = False
    seen = csr_matrix((np.ones(len(train), np.bool_), (train.users, train.items)), (train.n_users, train.n_items))
    depth = min(protocol.depth, train.n_items)
    top = np.empty((len(users), depth), np.int32)
    block = max(1, BLOCK_BYTES // (4 * train.n_items))
    for start in range(0, len(users), block):
        asked = users[start : start + block]
        scores = timed("rank", algorithm.score_items, asked)
        scores = _checked(scores, (len(asked), train.n_items), algorithm)
        top[start : start + block] = top_items(scores, asked, seen.indptr, seen.indices, depth, seed)
    return Answers(np.concatenate(blocks), users, top)


def rated(answers: Answers, test: Ratings, train_mean: float) -> Rated:
    """The test ratings beside their predictions: no opinion becomes the training mean, then all are clipped."""
    answered = ~np.isnan(answers.scores)
    predicted = np.where(answered, answers.scores, train_mean).astype(np.float64)
    return Rated(test.values.astype(np.float64), np.clip(predicted, *test.scale), answered)


def ranked(answers: Answers, test: Ratings, protocol: Protocol) -> Ranked:
    """Which recommendations are relevant test items of their user."""
    is_relevant = test.values >= protocol.threshold(test.scale)
    relevant = np.unique(test.users[is_relevant].astype(np.int64) * test.n_items + test.items[is_relevant])
    n_relevant = np.bincount(relevant // test.n_items, minlength=test.n_users)[answers.users]
    recommended = answers.users[:, None].astype(np.int64) * test.n_items + answers.top_items
    return Ranked(np.isin(recommended, relevant) & (answers.top_items >= 0), n_relevant)


def score(
    answers: Answers, test: Ratings, train_mean: float, protocol: Protocol, *, predicts_ratings: bool
) -> dict[str, float | None]:
    """Every metric by column name; None where it is undefined: errors of an algorithm that only ranks, an empty
    test part, or no user with a relevant test item.
    """
    ratings, recommendations = rated(answers, test, train_mean), ranked(answers, test, protocol)
    values: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        if metric.rating is not None:
            defined = len(test) > 0 and (predicts_ratings or not metric.needs_ratings)
            values[name] = metric.rating(ratings) if defined else None
        if metric.ranking is not None:
            for k in protocol.ks:
                defined = len(answers.users) > 0
                values[f"{name}@{k}"] = float(metric.ranking(recommendations, k).mean()) if defined else None
    return values
