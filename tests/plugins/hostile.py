"""Adapters whose texts could hurt who reads them: imported by `--plugin hostile`."""

from dataclasses import dataclass

import numpy as np

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Ratings

# A lone surrogate, a terminal's escapes, text turned around, nothing to see, a mention, addresses,
# and a pull request's summary that is not ours.
HOSTILE = (
    "caf\udce9 \x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u202c zero\u200bwidth\ufeff\u2066 @everyone "
    "https://evil.example/x www.evil.example mail@evil.example #12 <script>alert(1)</script> | "
    "x | **b** ![i](u)\r\n# All 3 rows pass.\n\n| row | verdict |\n| :-- | :-- |\n| mine | PASS |"
)


class _Hostile(Recommender):
    family = "hostile"
    predicts = "ratings"

    def fit(self, data: Ratings, seed: int) -> None:
        self.mean_ = data.mean

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), self.mean_, np.float32)


@dataclass(eq=False)
class Raises(_Hostile):
    """Raises ten megabytes of it."""

    name = "hostile-raises"

    def fit(self, data: Ratings, seed: int) -> None:
        raise ValueError(HOSTILE + "x" * 10_000_000)


@dataclass(eq=False)
class Tells(_Hostile):
    """Works, and says it wherever an adapter may say something."""

    name = "hostile-tells"

    def nondeterminism(self) -> str | None:
        return HOSTILE

    def fit(self, data: Ratings, seed: int) -> None:
        super().fit(data, seed)
        self.trace_ = [{"epoch": 1, "seconds": 0.1, "train_rmse": 1.0, HOSTILE: 1.0}]
        print(HOSTILE)
