"""SAR: what is seen together with what the user rated, the more so the more recently."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.interactions import ItemItem, gram_matrix, matrix_of_likes
from recbench.adapters.shared.memory import reason_to_skip_item_pairs
from recbench.adapters.shared.parameters import Choose, Positive, Search
from recbench.datasets.ratings import Catalogue, Ratings

Similarity = Literal["jaccard", "lift", "cooccurrence"]

SIMILARITIES = "Microsoft Recommenders' documentation"
DECAY = "here: a day to three years, around Microsoft Recommenders' 30 days"
DAY_SECONDS = 24 * 60 * 60


@dataclass(eq=False)
class SAR(ItemItem):
    """score(u, j) = sum over the user's items i of a_ui s_ij: affinity times similarity.

    The Simple Algorithm for Recommendation of Microsoft Recommenders (Graham, Min and Wu 2019).
    With c_ij = how many users rated both i and j, s_ij is c_ij / (c_ii + c_jj - c_ij) for
    `jaccard`, c_ij / (c_ii c_jj) for `lift` and c_ij for `cooccurrence`. a_ui = sum of
    r_ui 2^(-(t - t_ui) / (`time_decay_coefficient` days)) over the user's ratings of i; no decay
    with None, or for data without times. t is the last time in the training data there and the
    user's own last time here: the order for each user is the same, and the scores of users long
    gone do not vanish in single precision.

    Defaults: those of their benchmark (jaccard, 30 days). Limits: every rating counts as interest,
    a low one as a little, and the similarity does not look at ratings at all; memory grows with the
    square of the number of items.
    """

    name = "sar"
    family = "neighbours"
    requires = ("numba",)
    predicts = "order"
    units = "scale"
    personal = False  # where everybody rates everything, all similarities are alike
    origin = Origin("library", "Microsoft Recommenders, its benchmark")
    similarity_type: Annotated[Similarity, Choose(SIMILARITIES)] = "jaccard"
    time_decay_coefficient: Annotated[Positive | None, Search(1, 1000, DECAY, log=True)] = 30.0

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The counts, the similarities and what lies between have to fit, all dense."""
        return reason_to_skip_item_pairs(train.n_items, 3 * 4, memory_mb)

    def fit(self, data: Ratings, seed: int) -> None:
        """Count, compare, weigh; nothing is random."""
        self.X_ = self.profiles_of(data)

        who_rated_what = matrix_of_likes(data, relevant_share=0.0)
        counts = gram_matrix(who_rated_what)
        self.W_ = self._similarities_of(counts)

    def profiles_of(self, ratings: Ratings) -> csr_matrix:
        """The users' affinities to the items; a pair rated twice has the sum of both."""
        affinities = ratings.values * self._decay_of_ratings(ratings)
        pairs = (ratings.users, ratings.items)
        shape = (ratings.n_users, ratings.n_items)
        return csr_matrix((affinities, pairs), shape)

    def _decay_of_ratings(self, data: Ratings) -> Floats:
        """The factor by which each rating counts less for its age, float32, at most 1."""
        half_life_days = self.time_decay_coefficient
        if half_life_days is None or data.times is None or not len(data):
            return np.ones(len(data), np.float32)

        # Each user's own last time takes the place of the present.
        last_of_user = np.full(data.n_users, data.times.min())
        np.maximum.at(last_of_user, data.users, data.times)
        seconds = last_of_user[data.users] - data.times

        days = seconds / DAY_SECONDS
        decay = np.exp2(-days / half_life_days)
        return decay.astype(np.float32)

    def _similarities_of(self, counts: Floats) -> Floats:
        """The similarity of each pair of items, from how many users rated both; 0 where none did.

        Both have the shape (n_items, n_items). For `cooccurrence` the counts themselves come back.
        """
        if self.similarity_type == "cooccurrence":
            return counts

        n_raters = counts.diagonal()
        if self.similarity_type == "lift":
            divisors = n_raters[:, None] * n_raters
        else:
            divisors = n_raters[:, None] + n_raters - counts

        similarities = np.zeros_like(counts)
        np.divide(counts, divisors, out=similarities, where=divisors > 0)
        return similarities
