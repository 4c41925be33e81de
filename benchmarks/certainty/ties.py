"""Which numbers are equal but for rounding: the one rule by which rows share a rank.

The same terms added in another order differ in the last digits of a double. Two rows that are as
good as each other are then a tie, and neither is the better one.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from recbench.benchmarks.metrics import Doubles

# Far above what sums of half a million terms round, far below what any report shows
RELATIVE = 1e-10
ABSOLUTE = 1e-14  # where 0 is reached by subtraction


def level_ties(losses: ArrayLike) -> Doubles:
    """`losses`, (n_rows,) or (n_rows, n_columns), where those of a column that only rounding tells
    apart are one number: the lowest of them.

    >>> level_ties([0.31, 0.1 + 0.2, 0.3]).tolist()
    [0.31, 0.3, 0.3]
    """
    values = np.asarray(losses, np.float64)
    if len(values) < 2:
        return values
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)

    # Each number begins a group of its own, unless it equals the one below; so does NaN
    begins = np.ones(values.shape, bool)
    begins[1:] = ~np.isclose(ascending[1:], ascending[:-1], rtol=RELATIVE, atol=ABSOLUTE)
    places = np.arange(len(values)).reshape(-1, *(1,) * (values.ndim - 1))
    first_of_group = np.maximum.accumulate(np.where(begins, places, 0), axis=0)

    levelled = np.empty_like(values)
    lowest = np.take_along_axis(ascending, first_of_group, axis=0)
    np.put_along_axis(levelled, order, lowest, axis=0)
    return levelled


def level_by_name(losses: Mapping[str, float]) -> dict[str, float]:
    """`losses` by the names of their rows, levelled as `level_ties` does.

    >>> level_by_name({"mean": 0.1 + 0.2, "median": 0.3, "mode": 0.31})
    {'mean': 0.3, 'median': 0.3, 'mode': 0.31}
    """
    levelled = level_ties(list(losses.values()))
    return dict(zip(losses, levelled.tolist(), strict=True))
