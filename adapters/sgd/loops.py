"""The loops of `numba-sgd` in machine code: one epoch, rating by rating, and the order of them."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters.shared.prefetch import BYTES_IN_LINE, FLOATS_IN_LINE, make_fetch
from recbench.datasets.foundation import compile_lazily

LANES = FLOATS_IN_LINE  # as many as in the widest vector register
AHEAD = 4  # ratings: how long before its turn the factors of an item are fetched

fetch_line: Any = None  # what `make_fetch` makes, for compiled loops to find by this name


def align_rows(factors: NDArray[Any]) -> NDArray[Any]:
    """A copy whose rows begin at a cache line and fill four or more of them.

    Of shape (n_rows, a multiple of LANES): behind the factors are zeros, which stay zeros while one
    descends.
    """
    n_rows, n_factors = factors.shape
    n_lines = -(-n_factors // LANES)  # rounded up
    width = max(4, n_lines) * LANES
    n_entries = n_rows * width

    # NumPy may begin anywhere, so there is a line more than is needed to begin at the next one.
    space = np.zeros(n_entries + LANES, factors.dtype)
    bytes_to_next_line = -space.ctypes.data % BYTES_IN_LINE
    start = bytes_to_next_line // factors.itemsize

    rows = space[start : start + n_entries].reshape(-1, width)
    rows[:, :n_factors] = factors
    return rows


@cache
def make_descent(n_lines: int, biased: bool, literal: bool) -> Any:
    """A compiled function that descends for one epoch, for aligned factors of `n_lines` lines.

    The three arguments are constants to the compiler. Loops over factors go lane by lane: the
    compiler unrolls the inner loop, and makes each of its lines one vector instruction for all
    lanes. Sums may be taken in any order (fastmath), but NaN and infinity stay what they are.

    The function takes blocks (n_blocks, 2) of rows in the order of the epoch, the columns of the
    ratings, the parameters of the model, which it moves in place, and its constants: the mean, the
    learning rate, what regularisation leaves of a parameter, and the ends of the scale. It returns
    the sum of the squared errors met on the way. `literal` clips predictions to the scale and moves
    an item's factors with the already moved ones of the user.
    """

    global fetch_line
    fetch_line = make_fetch()

    @compile_lazily(fastmath={"reassoc", "contract", "nsz", "arcp"})
    def descend(
        blocks: Any,
        users: Any,
        items: Any,
        values: Any,
        P: Any,
        Q: Any,
        user_biases: Any,
        item_biases: Any,
        mean: Any,
        rate: Any,
        keep: Any,
        lowest: Any,
        highest: Any,
    ) -> float:
        squared_error = 0.0
        for block in range(len(blocks)):
            for row in range(blocks[block, 0], blocks[block, 1]):
                u = users[row]
                i = items[row]
                p = P[u]
                q = Q[i]
                if not literal:
                    next_item = items[min(row + AHEAD, len(items) - 1)]
                    for line in range(n_lines):
                        fetch_line(Q, next_item, line)

                predicted = mean + user_biases[u] + item_biases[i]
                if literal:
                    for lane in range(LANES):
                        for line in range(n_lines):
                            predicted += p[line * LANES + lane] * q[line * LANES + lane]
                    predicted = min(max(predicted, lowest), highest)
                else:
                    # In one sum each addition would wait for the one before it; more than two
                    # take longer to be added up than they save.
                    even = odd = p.dtype.type(0)
                    for lane in range(LANES):
                        for line in range(0, n_lines, 2):
                            even += p[line * LANES + lane] * q[line * LANES + lane]
                        for line in range(1, n_lines, 2):
                            odd += p[line * LANES + lane] * q[line * LANES + lane]
                    predicted += even + odd

                error = values[row] - predicted
                squared_error += error * error
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
        return squared_error

    return descend


@cache
def make_grouping() -> Any:
    """A compiled function that groups ratings by blocks of users and shuffles each block.

    The function takes the columns of the ratings, the number of users in a block, the bounds
    (n_blocks, 2) of the blocks in its result, and a generator. It returns the columns in their new
    order, and reads the old ones once, in order.
    """

    @compile_lazily()
    def group(users: Any, items: Any, values: Any, size: Any, bounds: Any, rng: Any) -> Any:
        grouped_users = np.empty_like(users)
        grouped_items = np.empty_like(items)
        grouped_values = np.empty_like(values)

        next_places = bounds[:, 0].copy()
        for row in range(len(users)):
            block = users[row] // size
            place = next_places[block]
            next_places[block] += 1
            grouped_users[place] = users[row]
            grouped_items[place] = items[row]
            grouped_values[place] = values[row]

        # the shuffle of Fisher and Yates, block by block
        for block in range(len(bounds)):
            start = bounds[block, 0]
            for last in range(bounds[block, 1] - 1, start, -1):
                other = start + int(rng.random() * (last + 1 - start))
                user = grouped_users[last]
                grouped_users[last] = grouped_users[other]
                grouped_users[other] = user
                item = grouped_items[last]
                grouped_items[last] = grouped_items[other]
                grouped_items[other] = item
                value = grouped_values[last]
                grouped_values[last] = grouped_values[other]
                grouped_values[other] = value
        return grouped_users, grouped_items, grouped_values

    return group
