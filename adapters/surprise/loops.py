"""The loops behind the nearest neighbours of Surprise, compiled.

Rows come as the arrays of a CSR matrix: where each row starts, its columns, its values.
"""

from typing import Any

import numpy as np

from recbench.adapters.surprise.base import Doubles
from recbench.datasets.foundation import compile_lazily


@compile_lazily()
def near_pairs(xs: Any, ys: Any, similar: Any, by_y: Any, k: int, min_k: int) -> Doubles:
    """For each pair (x, y) the mean residual of y's `k` nearest raters, weighted by similarity.

    0 where fewer than `min_k` are of positive similarity; others never count. `by_y` holds the rows
    (starts, raters, residuals) of the ys in rating order, and ties keep that order as in
    `heapq.nlargest`, which Surprise uses.
    """
    starts, raters, residuals = by_y
    means = np.zeros(len(xs))
    similarities = np.empty(np.diff(starts).max())
    for pair in range(len(xs)):
        row = similar[xs[pair]]
        begin = starts[ys[pair]]
        end = starts[ys[pair] + 1]

        # Who may be a neighbour at all.
        size = 0
        for entry in range(begin, end):
            if row[raters[entry]] > 0:
                similarities[size] = row[raters[entry]]
                size += 1

        # The similarity of the last of k neighbours, and how many that are just as near may join.
        least = 0.0
        ties = 0
        if size > k:
            least = np.partition(similarities[:size], size - k)[size - k]
            above = 0
            for place in range(size):
                above += similarities[place] > least
            ties = k - above

        weight = 0.0
        total = 0.0
        for entry in range(begin, end):
            similarity = row[raters[entry]]
            if similarity > least or (similarity == least and ties > 0):
                ties -= similarity == least
                weight += similarity
                total += similarity * residuals[entry]

        if size > 0 and min(size, k) >= min_k:
            means[pair] = total / weight
    return means


@compile_lazily()
def near_grid(
    xs: Any, order: Any, similar: Any, by_x: Any, by_y: Any, k: int, min_k: int
) -> Doubles:
    """What `near_pairs` finds for each of `xs` with each row y of `by_y`, of shape (len(xs), n_y).

    Walks the neighbours of x from the nearest on, in the `order` given, and adds each of their
    ratings (rows `by_x`) to its y until that has `k`: no selection per pair. With the ys in falling
    order of their ratings those that are full come first in every row, and the processor guesses
    right. Where equally near neighbours share the last places of a y, these go to the first in
    rating order: its sum is made anew.
    """
    starts, rated, residuals = by_x
    y_starts, raters, y_residuals = by_y
    n_y = len(y_starts) - 1
    means = np.zeros((len(xs), n_y))
    tied = np.empty(np.diff(y_starts).max() if n_y else 0)
    for x in range(len(xs)):
        row = similar[xs[x]]
        weight = np.zeros(n_y)
        total = np.zeros(n_y)
        left = np.full(n_y, k)  # the places of each y that are not yet taken
        least = np.zeros(n_y)  # the similarity of its last neighbour; negative if others share it

        for neighbour in order[x]:
            similarity = row[neighbour]
            if not similarity > 0:
                break
            for entry in range(starts[neighbour], starts[neighbour + 1]):
                y = rated[entry]
                if left[y] > 0:
                    left[y] -= 1
                    weight[y] += similarity
                    total[y] += similarity * residuals[entry]
                    if left[y] == 0:
                        least[y] = similarity
                elif least[y] == similarity:
                    least[y] = -similarity

        for y in range(n_y):
            if least[y] < 0:
                # The weight is right, whoever of those that are equally near is taken.
                total[y] = 0.0
                n_tied = 0
                places = k
                for entry in range(y_starts[y], y_starts[y + 1]):
                    similarity = row[raters[entry]]
                    if similarity > -least[y]:
                        total[y] += similarity * y_residuals[entry]
                        places -= 1
                    elif similarity == -least[y]:
                        tied[n_tied] = y_residuals[entry]
                        n_tied += 1
                for place in range(places):
                    total[y] -= least[y] * tied[place]

            if left[y] < k and k - left[y] >= min_k:
                means[x, y] = total[y] / weight[y]
    return means
