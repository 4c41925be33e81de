"""From a block of scores to each user's best candidates and their AUC: compiled, a few passes
each.

Here ties are broken: at random by `tie_break`, or in nobody's favour by `pessimistic_ranks`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.datasets.foundation import GOLDEN_GAMMA, compile_lazily, mix_bits

Indices = NDArray[np.int32]

# So many relevant items of a user are faster compared with all others than looked up by bisection.
COMPARED_PAIR_BY_PAIR = 256

# Into so many groups a user's candidates are divided to bound the worst score of the list, and into
# more for a long list: the bound is good as long as few of the best share a group. A catalogue
# of fewer items than the third number has fewer groups, and where a group would have but a few
# items, candidates are looked at one by one: that is sooner.
GROUPS = 256
GROUPS_PER_PLACE = 4
FEWEST_IN_GROUPS = 2048
GROUPS_PER_PLACE_OF_FEW = 2
FEWEST_IN_GROUP = 4

_mix_bits = compile_lazily()(mix_bits)


@compile_lazily()
def tie_break(seed: int, user: int, item: int) -> np.uint64:
    """A pseudo-random number that depends on its arguments only (SplitMix64's mixing function).

    Of two candidates with equal scores the one with the lower number comes first.
    """
    pair = (np.uint64(user) << np.uint64(32)) + np.uint64(item)
    return _mix_bits(pair + np.uint64(seed) * GOLDEN_GAMMA)


@compile_lazily()
def _rankable(score: np.float32) -> np.float32:
    """`score`, or minus infinity for NaN, which ranks below every number."""
    return np.float32(-np.inf) if np.isnan(score) else score


@compile_lazily()
def _list_candidates(scores_of_user: Any, listed: Any, only_listed: bool, candidates: Any) -> None:
    """Fill `candidates` with a user's scores, one an item.

    NaN marks an item that is no candidate: every comparison with it is false.
    """
    if only_listed:
        candidates[:] = np.nan
        for item in listed:
            candidates[item] = _rankable(scores_of_user[item])
        return

    for item in range(len(candidates)):
        candidates[item] = _rankable(scores_of_user[item])
    candidates[listed] = np.nan


@compile_lazily()
def _bound_list(candidates: Any, depth: int, best_of_group: Any) -> Any:
    """A score that every candidate of the list reaches, and few others unless many are equal.

    Minus infinity where fewer than `depth` groups have a candidate. Each group has its best
    candidate, so the best `depth` of these reach the worst of them. Items are dealt out in turn, so
    that the groups' places lie beside each other and many are compared at once. `best_of_group` is
    room for one score a group.
    """
    n_groups = len(best_of_group)
    best_of_group[:] = -np.inf
    if n_groups < depth:
        return np.float32(-np.inf)

    for start in range(0, len(candidates), n_groups):
        one_of_each = candidates[start : start + n_groups]
        for group in range(len(one_of_each)):
            score = one_of_each[group]
            best = best_of_group[group]
            best_of_group[group] = score if score > best else best
    return np.partition(best_of_group, n_groups - depth)[n_groups - depth]


@compile_lazily()
def _fill_top_items(
    scores: Any,
    users: Any,
    listed_from: Any,
    listed_items: Any,
    only_listed: bool,
    depth: int,
    seed: int,
) -> Any:
    """The arrays of `top_items`; `listed_from` and `listed_items` are the rows of a csr_matrix."""
    n_items = scores.shape[1]
    top = np.full((len(users), depth), -1, np.int32)
    best = np.full((len(users), depth), np.nan, np.float32)
    hashes = np.empty(depth, np.uint64)  # of the items that stand in the list so far
    candidates = np.empty(n_items, np.float32)
    n_groups = max(GROUPS, GROUPS_PER_PLACE * depth)
    if n_items < max(FEWEST_IN_GROUPS, n_groups):
        n_groups = GROUPS_PER_PLACE_OF_FEW * depth
    if n_items < FEWEST_IN_GROUP * n_groups:
        n_groups = 1
    best_of_group = np.empty(n_groups, np.float32)

    for row in range(len(users)):
        user = users[row]
        values = best[row]
        listed = listed_items[listed_from[user] : listed_from[user + 1]]
        _list_candidates(scores[row], listed, only_listed, candidates)
        bound = _bound_list(candidates, depth, best_of_group)

        # The list is kept sorted: each candidate moves up from the end to its place.
        length = 0
        for group in range(n_groups):
            if not best_of_group[group] >= bound:
                continue
            for item in range(group, n_items, n_groups):
                value = candidates[item]
                if not value >= bound:
                    continue

                tie_hash = tie_break(seed, user, item)
                place = length if length < depth else depth
                while place > 0 and (
                    value > values[place - 1]
                    or (value == values[place - 1] and tie_hash < hashes[place - 1])
                ):
                    place -= 1
                if place == depth:
                    continue

                # Those behind it move down by one, and the last may fall out.
                length = min(length + 1, depth)
                for later in range(length - 1, place, -1):
                    values[later] = values[later - 1]
                    hashes[later] = hashes[later - 1]
                    top[row, later] = top[row, later - 1]
                values[place] = value
                hashes[place] = tie_hash
                top[row, place] = item
                if length == depth:
                    bound = max(bound, values[depth - 1])
    return top, best


def top_items(
    scores: NDArray[np.float32],
    users: Indices,
    listed: csr_matrix,
    depth: int,
    seed: int,
    *,
    only_listed: bool = False,
) -> tuple[Indices, NDArray[np.float32]]:
    """The `depth` best candidates of each user and their scores, best first.

    Both have the shape (len(users), depth). Row r of `scores` belongs to users[r]. Its candidates
    are all items but those `listed` in the user's row, or only these. NaN ranks below every number;
    equal scores are ordered by a hash of (seed, user, item), so neither the item's index nor the
    order of users matters. Where candidates run out there are -1 and NaN.

    Compiled, because a bound from one pass leaves so few that sorting them beats any partial sort,
    and ties cost nothing.
    """
    top, best = _fill_top_items(
        scores, users, listed.indptr, listed.indices, only_listed, depth, seed
    )
    return top, best


def pessimistic_ranks(best: NDArray[np.float32]) -> Indices:
    """Ranks from 0, in which equal scores share the worst place of their group.

    `best` holds the scores of each user's list, best first. The ranks are those of all its columns
    but the last, of shape (n_lists, depth - 1). A group that reaches the last column may go on
    beyond it, so its rank is that column: out of every list.
    """
    last = best.shape[1] - 1
    ranks = np.empty(best.shape, np.int32)
    ranks[:, last] = last

    # From the worst place up, so that a tie hands on the rank of the place behind it.
    for place in reversed(range(last)):
        behind = place + 1
        is_tied = best[:, place] == best[:, behind]
        rank_of_tied = ranks[:, behind]
        ranks[:, place] = np.where(is_tied, rank_of_tied, place)
    return ranks[:, :last]


@compile_lazily()
def _count_at_most(ascending: Any, value: np.float32) -> int:
    """How many of the `ascending` numbers are at most `value`, by bisection."""
    low = 0
    high = len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@compile_lazily()
def _compare_by_bisection(ascending: Any, others: Any) -> tuple[int, int]:
    """How many pairs of one of the `ascending` numbers and one of the `others` have the first above
    the second, and how many are equal; NaN is neither.
    """
    n_above = 0
    n_equal = 0
    for value in others:
        if np.isnan(value):
            continue
        n_at_most = _count_at_most(ascending, value)
        n_above += len(ascending) - n_at_most
        while n_at_most > 0 and ascending[n_at_most - 1] == value:
            n_at_most -= 1
            n_equal += 1
    return n_above, n_equal


# Counted in float32, as wide as a score, so that as many are added at once; in which order whole
# numbers below 2 ** 24 are added changes nothing.
@compile_lazily(fastmath={"reassoc"})
def _compare_all(numbers: Any, others: Any) -> tuple[int, int]:
    """The same, pair by pair: the compiler makes many comparisons at once of the inner loop."""
    n_above = 0
    n_equal = 0
    for number in numbers:
        n_lower = np.float32(0)
        n_same = np.float32(0)
        for place in range(len(others)):
            other = others[place]
            n_lower += np.float32(1) if other < number else np.float32(0)
            n_same += np.float32(1) if other == number else np.float32(0)
        n_above += int(n_lower)
        n_equal += int(n_same)
    return n_above, n_equal


@compile_lazily()
def _count_equal_pairs(ascending: Any) -> int:
    """How many pairs of the `ascending` numbers are equal."""
    n_pairs = 0
    n_equal_before = 0
    for place in range(1, len(ascending)):
        if ascending[place] == ascending[place - 1]:
            n_equal_before += 1
        else:
            n_equal_before = 0
        n_pairs += n_equal_before
    return n_pairs


@compile_lazily()
def _fill_auc(
    scores: Any,
    users: Any,
    listed_from: Any,
    listed_items: Any,
    only_listed: bool,
    relevant_from: Any,
    relevant_items: Any,
    pessimistic: bool,
) -> Any:
    """The array of `auc_by_user`; the `_from` and `_items` are the rows of csr_matrices."""
    n_items = scores.shape[1]
    areas = np.full(len(users), np.nan)
    others = np.empty(n_items, np.float32)  # scores of the candidates that are not relevant, or NaN

    for row in range(len(users)):
        user = users[row]
        listed = listed_items[listed_from[user] : listed_from[user + 1]]
        relevant = relevant_items[relevant_from[user] : relevant_from[user + 1]]
        _list_candidates(scores[row], listed, only_listed, others)
        n_candidates = len(listed) if only_listed else n_items - len(listed)

        # The scores of the relevant candidates, sorted, leave the others.
        relevant_scores = np.empty(len(relevant), np.float32)
        n_relevant = 0
        for item in relevant:
            if not np.isnan(others[item]):
                relevant_scores[n_relevant] = others[item]
                n_relevant += 1
                others[item] = np.nan
        relevant_scores = np.sort(relevant_scores[:n_relevant])
        n_others = n_candidates - n_relevant

        # Each other candidate against all of them.
        if n_relevant > 0 and n_others > 0:
            if n_relevant <= COMPARED_PAIR_BY_PAIR:
                n_ordered, n_tied = _compare_all(relevant_scores, others)
            else:
                n_ordered, n_tied = _compare_by_bisection(relevant_scores, others)
            if pessimistic:
                n_ordered -= _count_equal_pairs(relevant_scores)
                n_tied = 0
            areas[row] = (n_ordered + n_tied / 2) / (n_relevant * n_others)
    return areas


def auc_by_user(
    scores: NDArray[np.float32],
    users: Indices,
    listed: csr_matrix,
    relevant: csr_matrix,
    *,
    only_listed: bool = False,
    pessimistic: bool = False,
) -> NDArray[np.float64]:
    """The share of (relevant, other) pairs of candidates that each user's scores order rightly.

    Of shape (len(users),). Candidates and NaN are as in `top_items`, but no row of `listed` may
    name an item twice. A tie counts a half; if `pessimistic`, nothing, and ties among relevant
    items cost a pair each, as in LightFM's `auc_score`. NaN for a user without candidates of either
    kind. Of at most 2 ** 24 items.
    """
    areas = _fill_auc(
        scores,
        users,
        listed.indptr,
        listed.indices,
        only_listed,
        relevant.indptr,
        relevant.indices,
        pessimistic,
    )
    return np.asarray(areas)
