"""Movie titles that nobody ever gave a movie, in the format of the real list with its oddities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ADJECTIVES = """
    Amber Bitter Borrowed Broken Careless Crimson Crooked Distant Electric Empty Faithful Fearless Forgotten Frozen
    Gilded Golden Hidden Hollow Hungry Innocent Last Lonely Lucky Midnight Northern Paper Patient Quiet Reckless
    Restless Savage Second Secret Seventh Silent Silver Sleepless Stolen Strange Sudden Tender Thirteenth Velvet
"""
NOUNS = """
    Affair Alibi Angel Archive Autumn Bargain Bride Carnival Castle Circus Clockmaker Cowboy Dancer Detective Empire
    Exile Farewell Frontier Gambler Garden Harbor Heiress Holiday Horizon Island Journey Kingdom Lantern Letter
    Lighthouse Magician Mirror Neighbor Orchard Outlaw Passenger Piano Promise River Robot Season Shadow Sister
    Soldier Stranger Summer Thief Tiger Train Voyage Wedding Winter Witness
"""
PLACES = """
    Alaska Bombay Brooklyn Cairo Córdoba Dakota Dover Geneva Havana Kyoto Lisbon Málaga Marrakech Memphis Montréal
    Naples Odessa Oslo Reno São-Luís Shanghai Tulsa Vermont Zürich
"""
PATTERNS = (  # {0} and {1} are nouns, {2} is an adjective, {3} a place
    "The {2} {0}|{2} {0}|The {0} and the {1}|The {0} of {3}|A {0} in {3}|{0} of the {1}|Two {2} Days|{3} {0}|"
    "Goodbye, {2} {0}|The {0}, the {1} and the {2} Man|{2} {0}: The {1}|{0} Without a {1}"
)
SEQUELS = "||||| II|: Season 1| (Bonus Material)|: The Director's Cut"
UNKNOWN_YEARS = 3  # movies whose year is NULL


def movie_titles(rng: np.random.Generator, years: NDArray[Any]) -> bytes:
    """Lines "id,year,title" in latin-1 for the movies from id 1: unquoted, some with commas, some years NULL."""
    patterns, sequels = PATTERNS.split("|"), SEQUELS.split("|")
    words = [text.split() for text in (NOUNS, NOUNS, ADJECTIVES, PLACES)]
    unknown = set(rng.choice(len(years), min(UNKNOWN_YEARS, len(years)), replace=False).tolist())
    lines = []
    for k, year in enumerate(years.astype(int).tolist()):
        chosen, *title = (choices[rng.integers(len(choices))] for choices in (patterns, *words, sequels))
        lines.append(f"{k + 1},{'NULL' if k in unknown else year},{chosen.format(*title[:-1])}{title[-1]}\n")
    return "".join(lines).encode("latin-1")
