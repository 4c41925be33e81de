"""Descriptions of simulated movies in the format of The Movies Dataset's `movies_metadata.csv`."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Theme(NamedTuple):
    """What movies at one end of a factor are about: their genre and their words."""

    genre: str
    words: str


# Two for each planted factor: its low end and its high end
THEMES = [
    Theme(
        "Romance",
        "love wedding heart kiss summer letter bride promise tender longing dance marriage",
    ),
    Theme(
        "Horror",
        "blood scream grave haunted demon curse nightmare corpse shadow evil flesh terror",
    ),
    Theme(
        "Comedy",
        "hilarious clumsy prank roommate party mishap goofy laugh silly wacky blunder joke",
    ),
    Theme(
        "War",
        "soldier battle trench general army enemy front mission regiment siege bomb courage",
    ),
    Theme(
        "Family",
        "puppy child school magic friend toy kingdom adventure talking grandmother picnic holiday",
    ),
    Theme(
        "Crime",
        "detective murder gangster heist police alibi mob witness clue evidence suspect prison",
    ),
    Theme(
        "Science Fiction",
        "planet robot alien future spaceship laboratory clone galaxy machine android orbit signal",
    ),
    Theme(
        "History",
        "king court palace empire century throne revolution duke painter letters exile estate",
    ),
    Theme(
        "Action",
        "explosion chase agent bullet hijack helicopter "
        "assassin terrorist rescue countdown car fist",
    ),
    Theme(
        "Drama",
        "family mother grief illness memory father farm silence loss village winter forgiveness",
    ),
    Theme("Music", "band singer song stage guitar concert piano jazz record tour opera chorus"),
    Theme(
        "Thriller",
        "conspiracy stalker secret hostage blackmail obsession "
        "poison betrayal trap double spy paranoia",
    ),
    Theme(
        "Western",
        "cowboy sheriff saloon ranch outlaw gunfight cattle frontier horse bounty desert canyon",
    ),
    Theme(
        "Animation",
        "cartoon animated hero dragon colourful creature forest wizard tiny quest castle voice",
    ),
    Theme(
        "Documentary",
        "footage interview archive true narrator scientist "
        "nature climate history witness account record",
    ),
    Theme(
        "Fantasy",
        "sword prophecy elf realm sorcerer spell ring darkness ancient crown kingdom portal",
    ),
    Theme(
        "Mystery",
        "disappearance island riddle stranger mansion missing "
        "diary hidden footprint fog key lighthouse",
    ),
    Theme(
        "Adventure",
        "expedition treasure jungle river map storm voyage captain mountain ruins survival temple",
    ),
    Theme(
        "Foreign",
        "paris train cafe stranger market widow street neighbour bicycle bakery tram lover",
    ),
    Theme(
        "TV Movie",
        "season episode pilot host contest reunion special studio series finale cast audience",
    ),
]
FILLERS = """
    a the of and in with his her their who must when after young old two one from to for into an
    on by new town years life finds world story takes becomes begins until man woman group
    journey against between
"""

WORDS_OF_THEMES = [theme.words.split() for theme in THEMES]
FILLER_WORDS = FILLERS.split()

DESCRIBED_SHARE = 0.8  # of the movies have a description
N_WORDS = 40  # of a description
N_TELLING = 14  # how many of them follow the movie's factors
MOST_GENRES = 2
LARGEST_PICK = 1 << 30  # a pick is a number below it; its remainder chooses a word

# Votes are lognormal: their mean and deviation
LOG_VOTES_MEAN = 3.5
LOG_VOTES_SD = 1.3

COLUMNS = (
    "adult",
    "genres",
    "id",
    "original_title",
    "overview",
    "release_date",
    "title",
    "vote_count",
)
BROKEN_LINES = "Avalanche of Lines, the second half of a description that lost its first\n"
BROKEN_EVERY = 7919  # such lines follow every so many movies, the first of them this one:
BROKEN_AFTER = 7


def describe_movies(
    rng: np.random.Generator,
    titles: Sequence[str],
    years: NDArray[Any],
    factors: NDArray[Any],
    reach: NDArray[Any],
) -> str:
    """The text of `movies_metadata.csv`: some of its columns, and oddities such as broken lines.

    A movie's `factors` (movies, N_FACTORS) choose its genres and N_TELLING of the words, its
    `reach` the number of votes; a fifth of the movies is not described.
    """
    n_movies = len(titles)
    themes = _draw_themes(rng, factors)
    picks = rng.integers(0, LARGEST_PICK, (n_movies, N_WORDS))
    word_order = np.argsort(rng.random((n_movies, N_WORDS)), axis=1)
    is_described = rng.random(n_movies) < DESCRIBED_SHARE

    # Movies that reach many have the most votes
    fame = (reach - reach.mean()) / reach.std()
    log_votes = LOG_VOTES_MEAN + LOG_VOTES_SD * fame
    votes = np.exp(log_votes)

    months = rng.integers(1, 13, n_movies)
    days = rng.integers(1, 29, n_movies)

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for movie in np.flatnonzero(is_described).tolist():
        overview = _write_overview(themes[movie], picks[movie], word_order[movie])
        date = f"{years[movie]}-{months[movie]:02}-{days[movie]:02}"
        genres = _genres_of_themes(themes[movie])
        title = titles[movie]
        n_votes = int(votes[movie])
        writer.writerow(("False", genres, movie + 1, title, overview, date, title, n_votes))
        if movie % BROKEN_EVERY == BROKEN_AFTER:
            file.write(BROKEN_LINES)
    return file.getvalue()


def _draw_themes(rng: np.random.Generator, factors: NDArray[Any]) -> NDArray[np.int64]:
    """For each movie N_TELLING indices into THEMES, drawn by the squares of its factors."""
    strengths = factors.astype(np.float64) ** 2
    strengths /= strengths.sum(axis=1, keepdims=True)
    bounds = np.cumsum(strengths, axis=1)[:, None, :-1]
    chances = rng.random((len(factors), N_TELLING, 1))
    drawn_factors = (chances > bounds).sum(axis=2)

    # The sign of a factor says which of its two ends is meant
    values_of_drawn = np.take_along_axis(factors, drawn_factors, axis=1)
    is_high_end = values_of_drawn > 0
    return np.asarray(2 * drawn_factors + is_high_end)


def _write_overview(
    themes: NDArray[np.int64], picks: NDArray[np.int64], word_order: NDArray[np.int64]
) -> str:
    """A sentence of N_WORDS words: the first picks are words of `themes`, the others fillers."""
    telling_picks = picks[:N_TELLING]
    filler_picks = picks[N_TELLING:]

    words = []
    for theme, pick in zip(themes, telling_picks, strict=True):
        options = WORDS_OF_THEMES[theme]
        words.append(options[pick % len(options)])

    for pick in filler_picks:
        words.append(FILLER_WORDS[pick % len(FILLER_WORDS)])

    in_order = [words[position] for position in word_order]
    sentence = " ".join(in_order).capitalize()
    return f"{sentence}."


def _genres_of_themes(themes: NDArray[np.int64]) -> list[dict[str, object]]:
    """The genres of the most frequent themes, as the real file writes them: with an id."""
    indices = themes.tolist()
    by_frequency = sorted(indices, key=indices.count)[::-1]
    distinct = list(dict.fromkeys(by_frequency))[:MOST_GENRES]
    return [{"id": index, "name": THEMES[theme].genre} for index, theme in enumerate(distinct)]
