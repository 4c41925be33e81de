"""What no algorithm can beat on average: the truth itself, which only simulated data have."""

from dataclasses import dataclass

import numpy as np

from recbench.adapters.base import NOTHING_TO_CHOOSE, Floats, Indices, Recommender
from recbench.datasets.ratings import Catalogue, Ratings

MOST_TRAINED = 0.99  # of the ratings; with all of them there would be no chance of a test rating


@dataclass(eq=False)
class Oracle(Recommender):
    """The best that can be done, knowing how the data were simulated: never available on real data.

    Its rating is the expected one, so its RMSE is irreducible: what is left is noise, mood and
    time, which no function of user and item explains. Its ranking is by the chance that a pair that
    is not in the training part is in the test part with a relevant rating, p (1 - t) / (1 - t p) q,
    which maximises the expected precision@k for a random split: p is the chance that the pair is
    rated, q that a rating of it is relevant (at least three quarters of the scale), t the training
    part's share of the ratings.
    """

    name = "oracle"
    family = "oracle"
    predicts = "ratings"
    sees_truth = True
    origin = NOTHING_TO_CHOOSE

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Skipped wherever nobody knows the truth."""
        if self.truth_ is None:
            return "only simulated data know the truth about their ratings"
        return None

    def fit(self, data: Ratings, seed: int) -> None:
        """Learn nothing but the training part's share of all ratings that were to be expected."""
        assert self.truth_ is not None  # or it would have been skipped
        self.expected_, self.rated_, self.relevant_ = self.truth_

        n_expected = float(self.rated_.sum(dtype=float))
        self.share_ = min(len(data) / n_expected, MOST_TRAINED)

    def score(self, users: Indices, items: Indices) -> Floats:
        """The expected ratings of the pairs."""
        expected: Floats = self.expected_[users, items]
        return expected

    def score_items(self, users: Indices) -> Floats:
        """The chances of a relevant rating in the test part, but for the factor 1 - t."""
        rated = self.rated_[users]
        relevant = self.relevant_[users]
        chances: Floats = rated * relevant / (1 - np.float32(self.share_) * rated)
        return chances
