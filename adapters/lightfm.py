"""LightFM with four losses, and its hybrid.

Kula 2015, "Metadata embeddings for user and item cold-start recommendations".
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, hstack, identity

from recbench.adapters.base import Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.parameters import Choose, Count, NonNegative, Positive, Search, Share
from recbench.adapters.shared.texts import tfidf_of_items
from recbench.datasets.ratings import Catalogue, Ratings, share_of_scale

# The random search of LightFM's author, at https://stackoverflow.com/a/49983651, made wider
KULA = "Kula 2018, wider"


class LightFMData(NamedTuple):
    """What the library is given: who liked what, and of what the items consist."""

    interactions: coo_matrix
    item_features: csr_matrix | None = None


@dataclass(eq=False)
class _LightFM(Factorised):
    """What the rows share: score(u, i) = b_u + b_i + p_u . q_i, and what counts as liked.

    `positives` says which entries the library gets. "liked": a one for each rating of at least
    `relevant_share` of the scale (4 on 1 to 5), other ratings are left out. "raw-ratings": every
    rating with its value, as in the source notebook, which meant the values as weights; but LightFM
    only looks whether a value is above 0 (and k-OS not even that), so one star out of five is a
    like as good as five.
    """

    family = "lightfm"
    predicts = "order"
    units = "library"
    requires: ClassVar[tuple[str, ...]] = ("lightfm",)
    epochs_hyperparameter = "epochs"
    origin = Origin("library", "LightFM; components and epochs of the source notebook")
    loss: ClassVar[str]
    dislikes: ClassVar[bool] = False  # whether the loss learns from entries of -1
    no_components: Annotated[Count, Search(5, 200, KULA, log=True)] = 20
    epochs: Annotated[Count, Search(5, 100, KULA, log=True)] = 20
    learning_schedule: Annotated[Literal["adagrad", "adadelta"], Choose(KULA)] = "adagrad"
    learning_rate: Annotated[Positive, Search(0.001, 0.5, KULA, log=True)] = 0.05
    item_alpha: Annotated[NonNegative, Search(1e-9, 1e-2, KULA, log=True)] = 0.0
    user_alpha: Annotated[NonNegative, Search(1e-9, 1e-2, KULA, log=True)] = 0.0
    max_sampled: Count = 10
    positives: Literal["liked", "raw-ratings"] = "liked"
    relevant_share: Share = 0.75

    def nondeterminism(self) -> str | None:
        """Threads update the same factors without locks."""
        if self.threads > 1:
            return "LightFM's threads race for the same factors (Hogwild)"
        return None

    def convert(self, train: Ratings, catalogue: Catalogue) -> LightFMData:
        """Interactions in the order of the ratings, and the features of the hybrid.

        Indices are int32 and values float32.
        """
        liked = train.values >= share_of_scale(train.scale, self.relevant_share)
        if self.positives == "raw-ratings":
            rows = np.ones(len(train), bool)
            values = train.values
        elif self.dislikes:
            rows = np.ones(len(train), bool)
            values = np.where(liked, np.float32(1), np.float32(-1))
        else:
            rows = liked
            values = np.ones(len(train), np.float32)

        # Selecting copies, and the library wants arrays that it may write to.
        pairs = (train.users[rows], train.items[rows])
        interactions = coo_matrix((values[rows], pairs), (train.n_users, train.n_items))
        return LightFMData(interactions, self._item_features(catalogue))

    def _item_features(self, catalogue: Catalogue) -> csr_matrix | None:
        """The items x features matrix, or None where every item stands for itself."""
        return None

    def make_model(self, seed: int) -> Any:
        """The library's model with these hyperparameters, not yet fitted."""
        from lightfm import LightFM

        return LightFM(
            no_components=self.no_components,
            loss=self.loss,
            learning_schedule=self.learning_schedule,
            learning_rate=self.learning_rate,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            max_sampled=self.max_sampled,
            random_state=seed,
        )

    def fit(self, data: LightFMData, seed: int) -> None:
        """Train, then keep the biases and factors of users and of whole items as plain arrays."""
        model = self.make_model(seed)
        model.fit(
            data.interactions,
            item_features=data.item_features,
            epochs=self.epochs,
            num_threads=self.threads,
        )
        self.user_biases_, self.P_ = model.get_user_representations()
        self.item_biases_, self.Q_ = model.get_item_representations(data.item_features)


@dataclass(eq=False)
class LightFMWarp(_LightFM):
    """LightFM with the WARP loss: b_u + b_i + p_u . q_i, learned to put liked items first.

    WARP (Weston, Bengio and Usunier 2011, "Wsabie") draws up to `max_sampled` items until one comes
    within 1 of a liked one's score, and takes a step that weighs log of (items / draws): less the
    longer it searched. Defaults are LightFM's (Kula 2015), but for 20 components and 20 epochs,
    which are the source notebook's. `positives` = "raw-ratings" is that notebook's way, in which
    every rating is a like.
    """

    name = "lightfm-warp"
    loss = "warp"
    max_sampled: Annotated[Count, Search(5, 100, KULA, log=True)] = 10


@dataclass(eq=False)
class LightFMBPR(_LightFM):
    """LightFM with the BPR loss: b_u + b_i + p_u . q_i, learned to put likes before others.

    By gradient ascent on log sigmoid(s_ui - s_uj). Bayesian personalised ranking (Rendle et al.
    2009): i is liked, j is drawn from the likes of all users, so popular items are drawn more
    often; `max_sampled` plays no part. Defaults as of `lightfm-warp`.
    """

    name = "lightfm-bpr"
    loss = "bpr"


@dataclass(eq=False)
class LightFMLogistic(_LightFM):
    """LightFM with the logistic loss: b_u + b_i + p_u . q_i, fitted to likes and dislikes.

    P(u likes i) is the sigmoid of that. The one loss that learns from dislikes: ratings below
    `relevant_share` of the scale are entries of -1 here (as in LightFM's own tests), not left out;
    it draws no others (Kula 2015). It therefore predicts how a film will be liked by who watches
    it, not which films will be watched, and ranks worse than the others over the whole catalogue.
    With "raw-ratings" nothing is a dislike on a scale above 0. `max_sampled` plays no part.
    Defaults as of `lightfm-warp`.
    """

    name = "lightfm-logistic"
    loss = "logistic"
    dislikes = True


@dataclass(eq=False)
class LightFMWarpKOS(_LightFM):
    """LightFM with the k-OS WARP loss: b_u + b_i + p_u . q_i, learned from the k-th best like.

    k-th order statistic (Weston, Yee and Weiss 2013, "Learning to rank recommendations with the
    k-order statistic loss"): of `n` likes drawn from a user's, the one with the `k`-th highest
    score (the lowest, if there are fewer) takes the WARP step. Every stored entry is a like,
    whatever its value. Defaults as of `lightfm-warp`; k and n are LightFM's.
    """

    name = "lightfm-warp-kos"
    loss = "warp-kos"
    max_sampled: Annotated[Count, Search(5, 100, KULA, log=True)] = 10
    k: Count = 5
    n: Count = 10

    def make_model(self, seed: int) -> Any:
        """The library's model with its k and n."""
        model = super().make_model(seed)
        model.k = self.k
        model.n = self.n
        return model

    def fit(self, data: LightFMData, seed: int) -> None:
        """As the others; all scores are 0 where nobody has k likes.

        The library's numbers become NaN there.
        """
        most_likes = np.bincount(data.interactions.row, minlength=1).max()
        if most_likes >= self.k:
            super().fit(data, seed)
            return

        n_users, n_items = data.interactions.shape
        self.P_ = np.zeros((n_users, self.no_components), np.float32)
        self.Q_ = np.zeros((n_items, self.no_components), np.float32)
        self.user_biases_ = np.zeros(n_users, np.float32)
        self.item_biases_ = np.zeros(n_items, np.float32)


@dataclass(eq=False)
class LightFMHybrid(LightFMWarp):
    """LightFM's hybrid with the WARP loss: an item's bias and factors are sums over its features.

    score(u, i) = b_u + sum of f_ia * c_a + p_u . (sum of f_ia * e_a) over the features a of item i
    (Kula 2015): the item itself, without which items with equal features would be one; its genres;
    and the TF-IDF of its overview, or of its title and genres. Rows have length one (rows that sum
    to one, as LightFM's Dataset makes them, rank worse on MovieLens 100k). An item without ratings
    is scored by its genres and words. `max_features` keeps the most frequent words only. Defaults
    as of `lightfm-warp`.
    """

    name = "lightfm-hybrid"
    requires = (*LightFMWarp.requires, "sklearn")
    max_features: Count | None = None

    def _item_features(self, catalogue: Catalogue) -> csr_matrix:
        return features_of_items(catalogue, self.max_features)


def features_of_items(catalogue: Catalogue, max_features: int | None) -> csr_matrix:
    """Per item: itself, its genres in alphabetical order, its words; float32 rows of length one."""
    n_items = len(catalogue.titles)
    words = tfidf_of_items(catalogue, max_features)
    blocks = [identity(n_items), _genres_of_items(catalogue), words]
    not_empty = [block for block in blocks if block.shape[1]]
    features = hstack(not_empty, format="csr", dtype=np.float32)

    # No row is without length, for every item is its own feature.
    squares = np.asarray(features.multiply(features).sum(axis=1)).ravel()
    features.data /= np.repeat(np.sqrt(squares), np.diff(features.indptr))
    return features


def _genres_of_items(catalogue: Catalogue) -> csr_matrix:
    """The items x genres matrix of ones, the genres in alphabetical order."""
    all_genres = sorted({genre for genres in catalogue.genres for genre in genres})
    column_of_genre = {genre: column for column, genre in enumerate(all_genres)}

    pairs = [
        (item, column_of_genre[genre])
        for item, genres in enumerate(catalogue.genres)
        for genre in set(genres)
    ]
    rows, columns = np.array(pairs, np.int32).reshape(-1, 2).T
    return csr_matrix(
        (np.ones(len(pairs)), (rows, columns)), (len(catalogue.genres), len(all_genres))
    )
