"""The loops of `numba-sgd` in machine code: one epoch, rating by rating, and the order of the ratings."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import compile_lazily

LANES = 16  # float32 in a cache line, and in the widest vector register


def aligned(factors: NDArray[Any]) -> NDArray[Any]:
    """A copy whose rows begin at a cache line and fill four or more, with zeros at the end, which stay zeros."""
    width = max(4, -(-factors.shape[1] // LANES)) * LANES
    space = np.zeros(len(factors) * width + LANES, factors.dtype)
    start = -space.ctypes.data % (4 * LANES) // factors.itemsize
    rows = space[start : start + len(factors) * width].reshape(-1, width)
    rows[:, : factors.shape[1]] = factors
    return rows


@cache
def compiled_descent(n_lines: int, biased: bool, literal: bool) -> Any:
    """One epoch in machine code, kept on disk. What it closes over are constants to the compiler.

    Loops over factors go lane by lane: the compiler unrolls the inner loop, and makes each of its lines one vector
    instruction for all lanes. Sums may be taken in any order (fastmath), but NaN and infinity stay what they are.
    """

    @compile_lazily(fastmath={"reassoc", "contract", "nsz", "arcp"})
    def descend(
        blocks: Any, users: Any, items: Any, values: Any, P: Any, Q: Any, user_biases: Any, item_biases: Any,
        mean: Any, rate: Any, keep: Any, lowest: Any, highest: Any,
    ) -> float:  # fmt: skip
        squared = 0.0
        for block in range(len(blocks)):
            for row in range(blocks[block, 0], blocks[block, 1]):
                u, i = users[row], items[row]
                p, q = P[u], Q[i]
                predicted = mean + user_biases[u] + item_biases[i]
                for lane in range(LANES):
                    for line in range(n_lines):
                        predicted += p[line * LANES + lane] * q[line * LANES + lane]
                if literal:
                    predicted = min(max(predicted, lowest), highest)
                error = values[row] - predicted
                squared += error * error
                step = rate * error
                if biased:
                    user_biases[u] = keep * user_biases[u] + step
                    item_biases[i] = keep * item_biases[i] + step
                for lane in range(LANES):
                    for line in range(n_lines):
                        f = line * LANES + lane
                        moved = keep * p[f] + step * q[f]
                        q[f] = keep * q[f] + step * (moved if literal else p[f])
                        p[f] = moved
        return squared

    return descend


@cache
def compiled_grouping() -> Any:
    """The ratings grouped by blocks of `size` users, and shuffled within each. Reads its columns once, in order."""

    @compile_lazily()
    def grouped(users: Any, items: Any, values: Any, size: Any, bounds: Any, rng: Any) -> Any:
        us, its, vs = np.empty_like(users), np.empty_like(items), np.empty_like(values)
        places = bounds[:, 0].copy()
        for row in range(len(users)):
            block = users[row] // size
            place = places[block]
            places[block] += 1
            us[place], its[place], vs[place] = users[row], items[row], values[row]
        for block in range(len(bounds)):
            start = bounds[block, 0]
            for last in range(bounds[block, 1] - 1, start, -1):
                other = start + int(rng.random() * (last + 1 - start))
                us[last], us[other] = us[other], us[last]
                its[last], its[other] = its[other], its[last]
                vs[last], vs[other] = vs[other], vs[last]
        return us, its, vs

    return grouped
