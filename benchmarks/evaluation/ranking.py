"""From a block of scores to each user's best candidates and their AUC: compiled, one pass each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.datasets.foundation import GOLDEN_GAMMA, compile_lazily, mix_bits

Ints = NDArray[np.int32]

_mix_bits = compile_lazily()(mix_bits)


@compile_lazily()
def _tie_break(seed: int, user: int, item: int) -> np.uint64:
    """A pseudo-random number that depends on its arguments only (SplitMix64's mixing function)."""
    pair = (np.uint64(user) << np.uint64(32)) + np.uint64(item)
    return _mix_bits(pair + np.uint64(seed) * GOLDEN_GAMMA)


@compile_lazily()
def _known(score: np.float32) -> np.float32:
    """`score`, where NaN is below every number."""
    return np.float32(-np.inf) if np.isnan(score) else score


@compile_lazily()
def _top_items(
    scores: Any,
    users: Any,
    listed_from: Any,
    listed_items: Any,
    only_listed: bool,
    depth: int,
    seed: int,
) -> Any:
    n_items = scores.shape[1]
    top = np.full((len(users), depth), -1, np.int32)
    best = np.full((len(users), depth), np.nan, np.float32)
    hashes = np.empty(depth, np.uint64)
    barred = np.zeros(n_items, np.bool_)
    for row in range(len(users)):
        user, values = users[row], best[row]
        listed = listed_items[listed_from[user] : listed_from[user + 1]]
        barred[:] = only_listed
        barred[listed] = not only_listed
        count = 0
        for item in range(n_items):
            value = _known(scores[row, item])
            if barred[item] or (count == depth and value < values[depth - 1]):
                continue
            order = _tie_break(seed, user, item)
            place = count if count < depth else depth
            while place > 0 and (
                value > values[place - 1]
                or (value == values[place - 1] and order < hashes[place - 1])
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
    return top, best


def top_items(
    scores: NDArray[np.float32],
    users: Ints,
    listed: csr_matrix,
    depth: int,
    seed: int,
    *,
    only_listed: bool = False,
) -> tuple[Ints, NDArray[np.float32]]:
    """The `depth` best candidates of each row of `scores` and their scores, best first, (len(users), depth) each.

    Row r belongs to users[r]. Its candidates are all items but those `listed` in the user's row, or only these. NaN
    ranks below every number; equal scores are ordered by a hash of (seed, user, item), so neither the item's index
    nor the order of users matters. Where candidates run out there are -1 and NaN. Compiled, because one pass that
    keeps the best few beats any partial sort, and ties cost nothing.
    """
    top, best = _top_items(scores, users, listed.indptr, listed.indices, only_listed, depth, seed)
    return top, best


def pessimistic_ranks(best: NDArray[np.float32]) -> Ints:
    """Ranks from 0 of all but the last column of `best`, in which equal scores share the worst place of their group.

    A group that reaches the last column may go on beyond it, so its rank is that column: out of every list.
    """
    ranks = np.empty(best.shape, np.int32)
    ranks[:, -1] = best.shape[1] - 1
    for place in range(best.shape[1] - 2, -1, -1):
        tied = best[:, place] == best[:, place + 1]
        ranks[:, place] = np.where(tied, ranks[:, place + 1], place)
    return ranks[:, :-1]


@compile_lazily()
def _auc(
    scores: Any,
    users: Any,
    listed_from: Any,
    listed_items: Any,
    only_listed: bool,
    relevant_from: Any,
    relevant_items: Any,
    pessimistic: bool,
) -> Any:
    n_items = scores.shape[1]
    found = np.full(len(users), np.nan)
    barred = np.zeros(n_items, np.bool_)
    is_relevant = np.zeros(n_items, np.bool_)
    for row in range(len(users)):
        user = users[row]
        listed = listed_items[listed_from[user] : listed_from[user + 1]]
        relevant = relevant_items[relevant_from[user] : relevant_from[user + 1]]
        barred[:] = only_listed
        barred[listed] = not only_listed
        is_relevant[relevant] = True
        liked = np.empty(len(relevant), np.float32)
        n_liked = 0
        for item in relevant:
            if not barred[item]:
                liked[n_liked] = _known(scores[row, item])
                n_liked += 1
        liked = np.sort(liked[:n_liked])
        below, ties, n_others = 0.0, 0.0, 0
        for item in range(n_items):
            if barred[item] or is_relevant[item]:
                continue
            value = _known(scores[row, item])
            low, high = (
                0,
                n_liked,
            )  # bisection: in the end `low` liked items have a score of at most `value`
            while low < high:
                middle = (low + high) // 2
                if liked[middle] <= value:
                    low = middle + 1
                else:
                    high = middle
            at_most = low
            while at_most > 0 and liked[at_most - 1] == value:
                at_most -= 1
                ties += 1.0
            below += n_liked - low
            n_others += 1
        if n_liked > 0 and n_others > 0:
            if pessimistic:
                same = 0
                for place in range(1, n_liked):  # each pair of tied liked items costs one
                    same = same + 1 if liked[place] == liked[place - 1] else 0
                    below -= same
                ties = 0.0
            found[row] = (below + ties / 2) / (n_liked * n_others)
        is_relevant[relevant] = False
    return found


def auc_by_user(
    scores: NDArray[np.float32],
    users: Ints,
    listed: csr_matrix,
    relevant: csr_matrix,
    *,
    only_listed: bool = False,
    pessimistic: bool = False,
) -> NDArray[np.float64]:
    """The share of (relevant, other) pairs of candidates that each row of `scores` orders rightly, (len(users),).

    Candidates and NaN are as in `top_items`. A tie counts a half; if `pessimistic`, nothing, and ties among relevant
    items cost a pair each, as in LightFM's `auc_score`. NaN for a user without candidates of either kind.
    """
    arrays = (
        listed.indptr,
        listed.indices,
        only_listed,
        relevant.indptr,
        relevant.indices,
        pessimistic,
    )
    return np.asarray(_auc(scores, users, *arrays))
