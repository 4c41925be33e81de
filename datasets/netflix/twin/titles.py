"""Movie titles that nobody ever gave a movie, and their list in the format of the real one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ADJECTIVES = """
    Amber Bitter Borrowed Broken Careless Crimson Crooked Distant Electric Empty Faithful
    Fearless Forgotten Frozen Gilded Golden Hidden Hollow Hungry Innocent Last Lonely Lucky
    Midnight Northern Paper Patient Quiet Reckless Restless Savage Second Secret Seventh Silent
    Silver Sleepless Stolen Strange Sudden Tender Thirteenth Velvet
"""
NOUNS = """
    Affair Alibi Angel Archive Autumn Bargain Bride Carnival Castle Circus Clockmaker Cowboy
    Dancer Detective Empire Exile Farewell Frontier Gambler Garden Harbor Heiress Holiday
    Horizon Island Journey Kingdom Lantern Letter Lighthouse Magician Mirror Neighbor Orchard
    Outlaw Passenger Piano Promise River Robot Season Shadow Sister Soldier Stranger Summer
    Thief Tiger Train Voyage Wedding Winter Witness
"""
PLACES = """
    Alaska Bombay Brooklyn Cairo Córdoba Dakota Dover Geneva Havana Kyoto Lisbon Málaga
    Marrakech Memphis Montréal Naples Odessa Oslo Reno São-Luís Shanghai Tulsa Vermont Zürich
"""
# {0} and {1} are nouns, {2} is an adjective, {3} a place
PATTERNS = [
    "The {2} {0}",
    "{2} {0}",
    "The {0} and the {1}",
    "The {0} of {3}",
    "A {0} in {3}",
    "{0} of the {1}",
    "Two {2} Days",
    "{3} {0}",
    "Goodbye, {2} {0}",
    "The {0}, the {1} and the {2} Man",
    "{2} {0}: The {1}",
    "{0} Without a {1}",
]
SEQUELS = [
    "",
    "",
    "",
    "",
    "",
    " II",
    ": Season 1",
    " (Bonus Material)",
    ": The Director's Cut",
]
N_UNKNOWN_YEARS = 7  # movies whose year is NULL


def draw_titles(rng: np.random.Generator, years: NDArray[Any]) -> list[str]:
    """One title for each movie; the same one comes twice only with different years."""
    options = [PATTERNS, NOUNS.split(), NOUNS.split(), ADJECTIVES.split(), PLACES.split(), SEQUELS]
    titles = []
    taken: set[tuple[str, int]] = set()
    for year in years.tolist():
        title = _draw_title(rng, options)
        while (title.lower(), year) in taken:
            title = _draw_title(rng, options)
        taken.add((title.lower(), year))
        titles.append(title)
    return titles


def _draw_title(rng: np.random.Generator, options: list[list[str]]) -> str:
    """A title of a pattern, two nouns, an adjective, a place and a sequel, in this order drawn."""
    drawn = [choices[rng.integers(len(choices))] for choices in options]
    pattern, *words, sequel = drawn
    return f"{pattern.format(*words)}{sequel}"


def write_title_list(rng: np.random.Generator, titles: Sequence[str], years: NDArray[Any]) -> bytes:
    """Lines "id,year,title" in latin-1 for the movies from id 1.

    Unquoted, some with commas, some years NULL, as in the real file.
    """
    n_movies = len(years)
    n_unknown = min(N_UNKNOWN_YEARS, n_movies)
    unknown = rng.choice(n_movies, n_unknown, replace=False)
    unknown_indices = set(unknown.tolist())

    lines = []
    for index, (title, year) in enumerate(zip(titles, years.tolist(), strict=True)):
        shown_year = "NULL" if index in unknown_indices else year
        movie_id = index + 1
        lines.append(f"{movie_id},{shown_year},{title}\n")
    return "".join(lines).encode("latin-1")
