"""Whether the same seed gives the same numbers: declared by the adapter, or found by fitting twice and comparing."""

from collections.abc import Sequence

import numpy as np

from recbench.adapters import Recommender
from recbench.adapters.base import Floats
from recbench.benchmarks.records import Certificate, Verdict
from recbench.datasets.ratings import Catalogue, Ratings

TOLERANCE = 1e-4  # of the range of the scores
N_PAIRS = 4096


def certify(reason: str | None, fits: Sequence[Floats], checked_on: str) -> Certificate | None:
    """The verdict on the scores that several fits gave to the same pairs; None where there are no two to compare.

    A `reason` declared by the adapter always wins: that two fits agreed once proves nothing then.
    """
    difference, same = None, True
    if len(fits) > 1:
        scores = np.stack(fits).astype(np.float64)
        known = np.isfinite(scores)  # no opinion is NaN
        values = scores[:, known.all(0)]
        difference = float(np.ptp(values, axis=0).max(initial=0))
        extent = float(np.ptp(values)) if values.size else 0.0
        same = np.array_equal(known.all(0), known.any(0)) and difference <= TOLERANCE * extent
    elif reason is None:
        return None
    verdict: Verdict = "not deterministic"
    if reason is None and same:
        verdict = "within tolerance" if difference else "bit-identical"
    return Certificate(verdict, difference, checked_on, reason)


def sample(algorithm: Recommender, train: Ratings) -> Floats:
    """The scores of the first training pairs: always the same call, so that the batch's size explains no difference.

    Not of test pairs, since these are no algorithm's business before it has been asked for its recommendations.
    """
    return algorithm.score(train.users[:N_PAIRS], train.items[:N_PAIRS]).copy()


def toy(scale: tuple[float, float]) -> tuple[Ratings, Catalogue, Floats]:
    """Half of the pairs of 40 users and 30 items, with a planted taste; their catalogue and their truth."""
    n_users, n_items = 40, 30
    users, items = np.divmod(np.arange(n_users * n_items, dtype=np.int32), np.int32(n_items))
    loved = (users + items) % 2 == 0
    keep = (users * 7 + items * 5) % 11 % 2 == 0
    values = np.where(loved, scale[1], scale[0]).astype(np.float32)
    times = np.arange(len(users), dtype=np.int64)
    ratings = Ratings(users[keep], items[keep], values[keep], n_users, n_items, scale, times[keep])
    titles = tuple(f"Toy {item}" for item in range(n_items))
    genres = tuple((("Comedy",), ("Drama", "War"))[item % 2] for item in range(n_items))
    return (
        ratings,
        Catalogue(titles, (None,) * n_items, genres),
        np.full((3, n_users, n_items), 0.5, np.float32),
    )
