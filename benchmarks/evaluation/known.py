"""What the bench knows of users when it asks an algorithm, beside the test part."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from recbench.datasets.ratings import Ratings


@dataclass(frozen=True, eq=False)
class KnownRatings(Ratings):
    """The training part, and behind it what is told of new users, who are in no training part."""

    n_told: int = 0  # ratings of the histories; 0: no user is new

    @staticmethod
    def of(known: Ratings, n_told: int) -> "KnownRatings":
        """`known`, whose last `n_told` ratings are those of the histories."""
        columns = {field.name: getattr(known, field.name) for field in fields(Ratings)}
        return KnownRatings(**columns, n_told=n_told)

    @cached_property
    def mean(self) -> float:
        """The mean of what was learned from, which stands in for a missing opinion."""
        return self.training.mean

    @property
    def training(self) -> Ratings:
        """What was learned from."""
        return self.take(np.arange(len(self) - self.n_told))

    @property
    def histories(self) -> Ratings:
        """What is told with the questions."""
        return self.take(np.arange(len(self) - self.n_told, len(self)))
