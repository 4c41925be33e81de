"""The Netflix Prize's list of movies: `movie_titles.csv`."""

import re
from typing import NamedTuple

from recbench.datasets.foundation import UsageError

LONGEST_SHOWN = 60  # characters of a line in a message
NO_YEAR = "NULL"


class Movie(NamedTuple):
    """What the list says of a movie; the year is None where it says NULL."""

    title: str
    year: int | None


MoviesById = dict[int, Movie]  # by raw movie id


def read_titles(content: bytes, name: str) -> MoviesById:
    """Title and year by raw movie id from `movie_titles.csv`: lines id,year,title, latin-1.

    Titles are unquoted and may hold commas. UsageError, with the file's `name` and line, for any
    other line or an id given twice.
    """
    titles: MoviesById = {}
    for number, line in enumerate(content.rstrip(b"\r\n").split(b"\n"), start=1):
        text = line.decode("latin-1").removesuffix("\r")
        match = re.fullmatch(rf"([0-9]{{1,9}}),({NO_YEAR}|[0-9]{{4}}),(.+)", text)
        if match is None:
            problem = "expected id,year,title with a year of 4 digits or NULL"
            raise _refusal(name, number, text, problem)

        movie_id = int(match[1])
        if movie_id in titles:
            raise _refusal(name, number, text, "this id came before")
        year = None if match[2] == NO_YEAR else int(match[2])
        titles[movie_id] = Movie(match[3], year)
    return titles


def _refusal(name: str, number: int, text: str, problem: str) -> UsageError:
    """The error to raise for line `number` of the file `name`, with the start of the line."""
    shown = text[:LONGEST_SHOWN]
    advice = "Mend the line or fetch the file again."
    return UsageError(f"{name}, line {number}: {shown!r}: {problem}. {advice}")
