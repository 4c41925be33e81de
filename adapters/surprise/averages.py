"""Surprise's two models of averages of whole ratings: Slope One and co-clustering."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from recbench.adapters.base import NOTHING_TO_CHOOSE, Indices
from recbench.adapters.shared.memory import reason_to_skip_item_pairs
from recbench.adapters.shared.parameters import DECADE, Count, Search
from recbench.adapters.surprise.base import Converted, Doubles, SurpriseModel, group_by_row
from recbench.datasets.ratings import Catalogue, Ratings

PAIRS_AT_ONCE = 4096  # a pair has as many terms as its user has ratings


@dataclass(eq=False)
class SlopeOne(SurpriseModel):
    """mu_u + the mean of dev(i, j) over the items j that u rated and that share a rater with i.

    dev(i, j) is the mean of r_vi - r_vj over the users v who rated both (Lemire 2005). Without such
    a j the score is mu_u; for an unknown user or item it is the training mean. Surprise truncates
    ratings to integers here. So ratings with fractions are fitted as multiples of their step
    (halves, tenths ...) and the scores divided again: the textbook's numbers for half stars,
    Surprise's own for whole ones.
    """

    name = "surprise-slope-one"
    personal = False  # where tastes are opposite, its deviations cancel out
    truncates = True
    origin = NOTHING_TO_CHOOSE

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Deviations and counts are two dense matrices of 8 bytes over all pairs of items."""
        n_items = len(np.unique(train.items))
        return reason_to_skip_item_pairs(n_items, 2 * 8, memory_mb)

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's SlopeOne; nothing in it is random."""
        from surprise import SlopeOne

        return SlopeOne()

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        self.mean_if_unknown_ = True
        self.base_ = 0.0
        self._keep_biases(np.array(algorithm.user_mean) * data.unit, 0, data)

        # The index behind each inner id, and back; deviations stay in the library's order of items.
        self.known_ = data.known_items
        self.inner_items_ = np.zeros(data.ratings.n_items, np.int32)
        self.inner_items_[self.known_] = np.arange(len(self.known_), dtype=np.int32)

        # Whether two items have a rater in common; what the library holds for others is no number.
        have_raters = algorithm.freq > 0
        self.common_ = have_raters.astype(np.float32)
        self.deviations_ = np.where(have_raters, algorithm.dev, 0.0) * data.unit

        ones = np.ones(len(data.items), np.float32)
        shape = (data.ratings.n_users, len(self.known_))
        self.rated_ = group_by_row(data.ratings.users, data.items, ones, shape)

    def _personal_of_pairs(self, users: Indices, items: Indices) -> Doubles:
        sums = np.zeros(len(users))
        counts = np.zeros(len(users))
        for start in range(0, len(users), PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            rated = self.rated_[users[pairs]]
            n_pairs = rated.shape[0]

            # A term for each item j that the user of a pair has rated.
            n_terms = np.diff(rated.indptr)
            pair_of_term = np.repeat(np.arange(n_pairs), n_terms)
            inner_items = self.inner_items_[items[pairs]]
            i = inner_items[pair_of_term]
            j = rated.indices

            deviations = self.deviations_[i, j]
            in_common = self.common_[i, j]
            sums[pairs] = np.bincount(pair_of_term, deviations, n_pairs)
            counts[pairs] = np.bincount(pair_of_term, in_common, n_pairs)
        return np.divide(sums, counts, out=sums, where=counts > 0)

    def _personal_of_items(self, users: Indices) -> Doubles:
        rated = self.rated_[users]
        sums = -(rated @ self.deviations_)  # dev(j, i) = -dev(i, j), which spares a transposed copy
        counts = rated @ self.common_

        personal = np.zeros((len(users), self.n_items_))
        personal[:, self.known_] = np.divide(sums, counts, out=sums, where=counts > 0)
        return personal


@dataclass(eq=False)
class CoClustering(SurpriseModel):
    """C_ui + (mu_u - C_u) + (mu_i - C_i) with the means C of the clusters of u, i and both.

    George 2005. An unknown user or item gets the training mean, as in Surprise, whose documentation
    promises mu_i or mu_u. Defaults: Surprise's. Half stars: as in `surprise-slope-one`.
    """

    name = "surprise-co-clustering"
    epochs_hyperparameter = "n_epochs"
    truncates = True
    n_cltr_u: Annotated[Count, Search(1, 30, DECADE, log=True)] = 3
    n_cltr_i: Annotated[Count, Search(1, 30, DECADE, log=True)] = 3
    n_epochs: Annotated[Count, Search(5, 100, DECADE, log=True)] = 20

    def make_algorithm(self, seed: int) -> Any:
        """Surprise's CoClustering."""
        from surprise import CoClustering

        return CoClustering(**asdict(self), random_state=seed)

    def _keep_arrays(self, algorithm: Any, data: Converted) -> None:
        self.mean_if_unknown_ = True
        self.base_ = 0.0

        # How far each user and item is from its cluster.
        user_part = algorithm.user_mean - algorithm.avg_cltr_u[algorithm.cltr_u]
        item_part = algorithm.item_mean - algorithm.avg_cltr_i[algorithm.cltr_i]
        self._keep_biases(user_part * data.unit, item_part * data.unit, data)

        self.user_clusters_ = np.zeros(data.ratings.n_users, np.intp)
        self.user_clusters_[data.known_users] = algorithm.cltr_u
        self.item_clusters_ = np.zeros(data.ratings.n_items, np.intp)
        self.item_clusters_[data.known_items] = algorithm.cltr_i
        self.both_: Doubles = algorithm.avg_cocltr * data.unit

    def _personal_of_pairs(self, users: Indices, items: Indices) -> Doubles:
        return self.both_[self.user_clusters_[users], self.item_clusters_[items]]

    def _personal_of_items(self, users: Indices) -> Doubles:
        return self.both_[self.user_clusters_[users]][:, self.item_clusters_]
