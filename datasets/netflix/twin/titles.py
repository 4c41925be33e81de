"""Movie titles that nobody ever gave a movie, and descriptions of them, in the formats of the real lists."""

import csv
import io
from collections.abc import Sequence
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
UNKNOWN_YEARS = 7  # movies whose year is NULL


# For each planted factor the words and the genre of its two ends: what such movies are about.
THEMES = [
    (
        "Romance",
        "love wedding heart kiss summer letter bride promise tender longing dance marriage",
    ),
    ("Horror", "blood scream grave haunted demon curse nightmare corpse shadow evil flesh terror"),
    ("Comedy", "hilarious clumsy prank roommate party mishap goofy laugh silly wacky blunder joke"),
    ("War", "soldier battle trench general army enemy front mission regiment siege bomb courage"),
    (
        "Family",
        "puppy child school magic friend toy kingdom adventure talking grandmother picnic holiday",
    ),
    (
        "Crime",
        "detective murder gangster heist police alibi mob witness clue evidence suspect prison",
    ),
    (
        "Science Fiction",
        "planet robot alien future spaceship laboratory clone galaxy machine android orbit signal",
    ),
    (
        "History",
        "king court palace empire century throne revolution duke painter letters exile estate",
    ),
    (
        "Action",
        "explosion chase agent bullet hijack helicopter assassin terrorist rescue countdown car fist",
    ),
    (
        "Drama",
        "family mother grief illness memory father farm silence loss village winter forgiveness",
    ),
    ("Music", "band singer song stage guitar concert piano jazz record tour opera chorus"),
    (
        "Thriller",
        "conspiracy stalker secret hostage blackmail obsession poison betrayal trap double spy paranoia",
    ),
    (
        "Western",
        "cowboy sheriff saloon ranch outlaw gunfight cattle frontier horse bounty desert canyon",
    ),
    (
        "Animation",
        "cartoon animated hero dragon colourful creature forest wizard tiny quest castle voice",
    ),
    (
        "Documentary",
        "footage interview archive true narrator scientist nature climate history witness account record",
    ),
    (
        "Fantasy",
        "sword prophecy elf realm sorcerer spell ring darkness ancient crown kingdom portal",
    ),
    (
        "Mystery",
        "disappearance island riddle stranger mansion missing diary hidden footprint fog key lighthouse",
    ),
    (
        "Adventure",
        "expedition treasure jungle river map storm voyage captain mountain ruins survival temple",
    ),
    (
        "Foreign",
        "paris train cafe stranger market widow street neighbour bicycle bakery tram lover",
    ),
    (
        "TV Movie",
        "season episode pilot host contest reunion special studio series finale cast audience",
    ),
]
FILLERS = """
    a the of and in with his her their who must when after young old two one from to for into an on by new town
    years life finds world story takes becomes begins until man woman group journey against between
"""
DESCRIBED = 0.8  # share of the movies that have a description
N_WORDS, N_TELLING = (
    40,
    14,
)  # words of a description, and how many of them follow the movie's factors
METADATA = (
    "adult",
    "genres",
    "id",
    "original_title",
    "overview",
    "release_date",
    "title",
    "vote_count",
)
BROKEN_LINES = "Avalanche of Lines, the second half of a description that lost its first\n"  # as in the real file


def movie_titles(rng: np.random.Generator, years: NDArray[Any]) -> list[str]:
    """One title for each movie; the same one comes twice only with different years."""
    patterns, sequels = PATTERNS.split("|"), SEQUELS.split("|")
    words = [text.split() for text in (NOUNS, NOUNS, ADJECTIVES, PLACES)]
    taken: dict[tuple[str, int], str] = {}
    for year in years.tolist():
        while True:
            pattern, *parts, sequel = (
                options[rng.integers(len(options))] for options in (patterns, *words, sequels)
            )
            title = f"{pattern.format(*parts)}{sequel}"
            if taken.setdefault((title.lower(), year), title) is title:
                break
    return list(taken.values())


def titles_file(rng: np.random.Generator, titles: Sequence[str], years: NDArray[Any]) -> bytes:
    """Lines "id,year,title" in latin-1 for the movies from id 1: unquoted, some with commas, some years NULL."""
    unknown = set(rng.choice(len(years), min(UNKNOWN_YEARS, len(years)), replace=False).tolist())
    lines = (
        f"{k + 1},{'NULL' if k in unknown else year},{title}\n"
        for k, (title, year) in enumerate(zip(titles, years.tolist(), strict=True))
    )
    return "".join(lines).encode("latin-1")


def metadata(
    rng: np.random.Generator,
    titles: Sequence[str],
    years: NDArray[Any],
    factors: NDArray[Any],
    reach: NDArray[Any],
) -> str:
    """Descriptions in the format of The Movies Dataset's `movies_metadata.csv`: some of its columns and its oddities.

    A movie's `factors` choose its genres and N_TELLING of the words, its `reach` the number of votes; a fifth of the
    movies is not described, and some lines are broken.
    """
    strengths = factors.astype(np.float64) ** 2
    strengths /= strengths.sum(axis=1, keepdims=True)
    drawn = (
        rng.random((len(titles), N_TELLING, 1)) > np.cumsum(strengths, axis=1)[:, None, :-1]
    ).sum(axis=2)
    ends = 2 * drawn + (np.take_along_axis(factors, drawn, axis=1) > 0)  # index into THEMES
    words = [text.split() for _, text in THEMES]
    fillers, picks = FILLERS.split(), rng.integers(0, 1 << 30, (len(titles), N_WORDS))
    order = np.argsort(rng.random((len(titles), N_WORDS)), axis=1)
    described, votes = (
        rng.random(len(titles)) < DESCRIBED,
        np.exp(3.5 + 1.3 * (reach - reach.mean()) / reach.std()),
    )
    months, days = rng.integers(1, 13, len(titles)), rng.integers(1, 29, len(titles))
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(METADATA)
    for k in np.flatnonzero(described).tolist():
        telling = [
            words[end][pick % len(words[end])] for end, pick in zip(ends[k], picks[k], strict=False)
        ]
        text = telling + [fillers[pick % len(fillers)] for pick in picks[k][N_TELLING:]]
        names = [
            THEMES[end][0]
            for end in dict.fromkeys(sorted(ends[k].tolist(), key=ends[k].tolist().count)[::-1])
        ]
        genres = [{"id": index, "name": name} for index, name in enumerate(names[:2])]
        date = f"{years[k]}-{months[k]:02}-{days[k]:02}"
        overview = " ".join(text[j] for j in order[k]).capitalize() + "."
        table.writerow(
            ("False", genres, k + 1, titles[k], overview, date, titles[k], int(votes[k]))
        )
        if k % 7919 == 7:
            file.write(BROKEN_LINES)
    return file.getvalue()
