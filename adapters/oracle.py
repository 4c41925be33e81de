"""What no algorithm can beat on average: the truth itself, which only simulated data have."""

from dataclasses import dataclass

from adapters.base import Floats, Indices, Recommender
from datasets.ratings import Catalogue, Ratings


@dataclass(eq=False)
class Oracle(Recommender):
    """The expected rating of every pair, as the simulation planted it: never available on real data.

    Its RMSE is irreducible: what is left is noise, mood and time, which no function of user and item explains. Its
    ranking is by expected rating. The best reachable precision@k would rank by the chance of a relevant rating in the
    test part; the two orders differ only where users differ in noise, or items in their chance to be rated at all. So
    this precision@k is close to the best for ranking by taste; what guesses who rates what may pass it.
    """

    name = "oracle"
    family = "oracle"
    predicts = "ratings"
    sees_truth = True

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Skipped wherever nobody knows the truth."""
        return "only simulated data know their expected ratings" if self.truth_ is None else None

    def fit(self, data: Ratings, seed: int) -> None:
        """There is nothing to learn."""

    def score(self, users: Indices, items: Indices) -> Floats:
        """The expected ratings of the pairs."""
        assert self.truth_ is not None  # or it would have been skipped
        return self.truth_[users, items]

    def score_items(self, users: Indices) -> Floats:
        """The expected ratings of all items."""
        assert self.truth_ is not None
        return self.truth_[users]
