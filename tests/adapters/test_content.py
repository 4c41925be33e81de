"""Content: profiles in words, and titles most similar to one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from recbench.adapters import create
from recbench.datasets import Catalogue, Dataset, Ratings

OVERVIEWS = (
    "A robot dreams of stars and distant planets.",
    "Robots and planets: a war among the stars.",
    "A love letter is lost in Paris.",
    "Two strangers find love in Paris in the rain.",
    "",  # its title and genres speak for it
    "the of and",  # nothing but stop words
)
CATALOGUE = Catalogue(
    ("One", "Two", "Three", "Four", "Planets", "Six"),
    (None,) * 6,
    ((), (), (), (), ("Robot",), ()),
    OVERVIEWS,
)
TEXTS = [*OVERVIEWS[:4], "Planets Robot", OVERVIEWS[5]]


def train() -> Ratings:
    """User 0 likes stars, user 1 likes Paris, user 2 rates all the same and likes none, user 3 has
    no ratings.
    """
    users = np.array([0, 0, 1, 1, 2, 2], np.int32)
    items = np.array([0, 2, 2, 0, 1, 3], np.int32)
    return Ratings(users, items, np.array([5, 1, 4, 2, 3, 3], np.float32), 4, 6, (1.0, 5.0))


def fitted(
    catalogue: Catalogue = CATALOGUE, ratings: Ratings | None = None, **parameters: Any
) -> Any:
    ratings = ratings or train()
    algorithm: Any = create("tfidf-content", parameters)
    algorithm.prepare(ratings)
    algorithm.fit(algorithm.convert(ratings, catalogue), 0)
    return algorithm


def cosines() -> Any:
    return cosine_similarity(TfidfVectorizer(stop_words="english").fit_transform(TEXTS))


@pytest.mark.parametrize("profile", ["liked", "centred"])
def test_scores_are_cosines_of_profiles(profile: str) -> None:
    terms = TfidfVectorizer(stop_words="english").fit_transform(TEXTS).toarray()
    liked = {0: terms[0], 1: terms[2]}
    centred = {0: 2 * terms[0] - 2 * terms[2], 1: terms[2] - terms[0]}
    scores = fitted(profile=profile).score_items(np.arange(4, dtype=np.int32))
    for user, sums in (liked if profile == "liked" else centred).items():
        expected = cosine_similarity(sums[None], terms)[0]
        np.testing.assert_allclose(scores[user], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(
        scores[2:], 0
    )  # nothing liked, or nothing above or below the mean; no ratings
    np.testing.assert_array_equal(scores[:, 5], 0)
    assert scores[0, 1] > scores[0, 3]
    assert scores[1, 3] > scores[1, 1]


def test_pairs_are_picked_from_rows() -> None:
    users, items = (np.array(column, np.int32).ravel() for column in np.mgrid[:4, :6])
    algorithm = fitted()
    rows = algorithm.score_items(np.arange(4, dtype=np.int32))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(algorithm.score(users, items), rows.ravel(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("item", range(6))
def test_most_similar_titles(item: int) -> None:
    expected = cosines()[item]
    items, found = fitted().similar(item, 3)
    assert item not in items
    assert len(items) == 3
    np.testing.assert_allclose(found, expected[items], rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        found, np.sort(np.delete(expected, item))[::-1][:3], rtol=0, atol=1e-6
    )


def test_similar_has_no_more_than_the_other_items() -> None:
    items, found = fitted().similar(0, 100)
    assert sorted(items.tolist()) == [1, 2, 3, 4, 5]
    assert np.isfinite(found).all()
    one = Ratings(
        np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.float32), 1, 1, (1.0, 5.0)
    )
    assert len(fitted(Catalogue(("A",), (None,), ((),)), one).similar(0)[0]) == 0


@pytest.mark.parametrize("title", ["", "The", "5"])
def test_no_words_at_all(title: str) -> None:
    """A constant scorer stood on the Pareto front."""
    catalogue = Catalogue((title,) * 6, (None,) * 6, ((),) * 6)
    scores = fitted(catalogue).score_items(np.arange(4, dtype=np.int32))
    np.testing.assert_array_equal(scores, 0)
    ids = replace(catalogue, titles=("10", "11", "12", "13", "14", "15"))
    for without_words in (catalogue, ids):
        reason = create("tfidf-content").skip(train(), without_words, memory_mb=4000)
        assert reason and "no two items share a word of their titles, genres or overviews" in reason
    assert create("tfidf-content").skip(train(), CATALOGUE, memory_mb=4000) is None


def test_the_sequels_of_a_film_are_near(movielens: Dataset) -> None:
    titles = movielens.catalogue.titles
    items, _ = fitted(movielens.catalogue, movielens.ratings).similar(
        titles.index("Star Trek: First Contact"), 8
    )
    assert sum(titles[item].startswith("Star Trek") for item in items) >= 5
