"""What an item is about, and nothing of what others thought of it."""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import NOTHING_TO_CHOOSE, Floats, Indices
from recbench.adapters.shared.interactions import ScoresWholeRows, matrix_of_likes
from recbench.adapters.shared.likeness import list_most_similar
from recbench.adapters.shared.parameters import Choose, Count, Search, Share
from recbench.adapters.shared.texts import tfidf_of_items
from recbench.datasets.ratings import Catalogue, Ratings

# A shorter sum of texts is one that has cancelled out, and rounding is left of it.

OF_TERMS = "here: up to about the 24,144 terms of the fourth source notebook"
SHORTEST_PROFILE = 1e-6


class _Described(NamedTuple):
    """How much each item counts in each user's profile, and what the items are about."""

    weights: csr_matrix  # users x items
    terms: csr_matrix  # items x terms


@dataclass(eq=False)
class TfidfContent(ScoresWholeRows):
    """Items whose texts are like those of the user's items: the cosine of profile and text.

    score(u, i) = cos(p_u, t_i) with p_u = sum of w_uj * t_j. t_i is the TF-IDF vector of i's
    overview or, without one, of its title and genres (Salton and Buckley 1988, "Term-weighting
    approaches in automatic text retrieval"; Pazzani and Billsus 2007, "Content-based recommendation
    systems"); words are TfidfVectorizer's without English stop words, as in the source notebook,
    and `max_features` keeps the most frequent of them. j runs over the user's training items: by
    default w_uj = 1 for the liked (at least `relevant_share` of the scale); with `profile` =
    "centred" w_uj = r_uj - the user's mean, which takes what is disliked for the opposite of what
    is liked.

    `similar` gives the items nearest to one item. Known limits: a user without a profile, or an
    item without words, scores 0 (there is nothing to compare, and popularity is another row's
    claim); no score knows how good a film is.
    """

    name = "tfidf-content"
    family = "content"
    predicts = "order"
    units = "scale"
    requires = ("sklearn",)
    origin = NOTHING_TO_CHOOSE
    profile: Annotated[Literal["liked", "centred"], Choose("here: both")] = "liked"
    max_features: Annotated[Count | None, Search(300, 30_000, OF_TERMS, log=True)] = None
    relevant_share: Share = 0.75

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Where no two items share a word, all scores would be 0.

        That is so without titles: then an item's id stands in their place.
        """
        n_items_of_word = tfidf_of_items(catalogue, self.max_features).getnnz(axis=0)
        if n_items_of_word.max() > 1:
            return None
        return (
            "no two items share a word of their titles, genres or overviews: none is like another"
        )

    def convert(self, train: Ratings, catalogue: Catalogue) -> _Described:
        """The weights of the ratings, and the texts as TF-IDF."""
        terms = tfidf_of_items(catalogue, self.max_features)
        return _Described(self._weigh_ratings(train), terms)

    def _weigh_ratings(self, ratings: Ratings) -> csr_matrix:
        """How much each item counts for each user."""
        if self.profile == "liked":
            return matrix_of_likes(ratings, self.relevant_share)
        return _center_ratings(ratings)

    def fit(self, data: _Described, seed: int) -> None:
        """Keep both; nothing is learned, and profiles in words would be large."""
        self.weights_ = data.weights
        self.terms_ = data.terms

    def score_items(self, users: Indices) -> Floats:
        """The cosines of the users' profiles to all items."""
        return self._compare_profiles(self.weights_[users])

    def fold_in(self, ratings: Ratings) -> Floats:
        """Cosines of all texts with the profile of the told items' texts, as for everybody."""
        return self._compare_profiles(self._weigh_ratings(ratings))

    def _compare_profiles(self, weights: csr_matrix) -> Floats:
        profiles = weights @ self.terms_
        squares = profiles.multiply(profiles)
        squared_lengths = np.asarray(squares.sum(axis=1), np.float64)
        lengths = np.sqrt(squared_lengths.ravel())

        # The texts have length one, so only the profiles' lengths are left to divide by.
        has_profile = lengths > SHORTEST_PROFILE
        inverse_lengths = np.zeros_like(lengths)
        np.divide(1, lengths, out=inverse_lengths, where=has_profile)

        products = (profiles @ self.terms_.T).toarray()
        cosines = products * inverse_lengths[:, None]
        return np.asarray(cosines, np.float32)

    def similar(self, item: int, n: int = 10) -> tuple[Indices, Floats]:
        """The `n` items most similar to `item`, itself left out, and their cosines.

        The most similar first, ties by index; fewer than `n` where there are no more items.
        """
        terms_of_item = self.terms_[item].T
        cosines = (self.terms_ @ terms_of_item).toarray().ravel()
        return list_most_similar(cosines, item, n)

    def explain(self, user: int, item: int) -> tuple[Indices, Floats]:
        """The weight of each of the user's items, times its cosine to `item`."""
        profile = self.weights_[[user]]
        cosines = (self.terms_[profile.indices] @ self.terms_[item].T).toarray().ravel()
        return profile.indices, np.asarray(profile.data * cosines, np.float32)


def _center_ratings(train: Ratings) -> csr_matrix:
    """The users x items matrix of ratings less the mean of their user, float64."""
    counts = np.bincount(train.users, minlength=train.n_users)
    totals = np.bincount(train.users, train.values, train.n_users)
    means = totals / np.maximum(counts, 1)

    centred = train.values - means[train.users]
    pairs = (train.users, train.items)
    shape = (train.n_users, train.n_items)
    return csr_matrix((centred, pairs), shape)
