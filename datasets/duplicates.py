"""What to do when a user has rated an item more than once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from datasets.filters import sizes
from datasets.ratings import Ratings, Step
from datasets.spec import UsageError

Policy = Literal["last", "mean", "error"]


def resolve(ratings: Ratings, policy: Policy, describe_row: Callable[[int], str]) -> tuple[Ratings, Step | None]:
    """Each pair once, where its last rating stands, and what that dropped; None if no pair came twice.

    "last" keeps the last rating, "mean" the mean of all (with the time of the last), "error" raises UsageError, in
    which `describe_row(row)` says where the rows stand.
    """
    pairs = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    ordered = np.sort(pairs)
    if not (ordered[1:] == ordered[:-1]).any():
        return ratings, None
    del ordered
    order = np.argsort(pairs, kind="stable")
    group_ends = np.append(np.flatnonzero(np.diff(pairs[order])), len(order) - 1)
    starts = np.append(0, group_ends[:-1] + 1)
    if policy == "error":
        twice = np.flatnonzero(group_ends > starts)
        row = order[starts[twice] + 1].min()
        earlier = order[starts[twice[np.argmin(order[starts[twice] + 1])]]]
        raise UsageError(
            f"{describe_row(int(row))}: this pair was rated before, at {describe_row(int(earlier))}, and "
            "duplicates=error. Mend the file, or say duplicates=last or duplicates=mean."
        )
    rows = order[group_ends]
    kept = np.argsort(rows)
    resolved = ratings.take(rows[kept])
    if policy == "mean":
        sums = np.add.reduceat(ratings.values[order].astype(np.float64), starts)
        means = (sums / (group_ends - starts + 1)).astype(np.float32)
        resolved = replace(resolved, values=means[kept])
    return resolved, Step(f"the {policy} rating of each pair", sizes(ratings), sizes(resolved))
