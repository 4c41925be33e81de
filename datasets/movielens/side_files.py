"""The small files of MovieLens, about films, genres and users, in the formats of its releases."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import LAST_ID

T = TypeVar("T")


class Film(NamedTuple):
    """What is known about a film; the year is None where it is not given."""

    title: str
    year: int | None
    genres: tuple[str, ...]


Films = dict[int, Film]  # by raw film id
FilmLinks = dict[int, int]  # by raw film id, its id in The Movie Database
UserFacts = dict[int, tuple[str, ...]]  # by raw user id, what the file says in the order it does

TITLE_WITH_YEAR = re.compile(
    r"(?P<title>.*?)\s*\((?P<year>[0-9]{4})(?:\s*[-–]\s*(?:[0-9]{4})?)?\)\s*(?:\(V\))?", re.DOTALL
)
NO_GENRES = "(no genres listed)"
MOST_NAMES_SHOWN = 5  # columns that a message names; u.item has two dozen


def split_title_and_year(text: str) -> tuple[str, int | None]:
    """The title without its year, and the year, or None if the text does not end in one.

    Of a span of years the first counts; a "(V)", for video, goes.

    >>> split_title_and_year("Toy Story (1995)")
    ('Toy Story', 1995)
    """
    match = TITLE_WITH_YEAR.fullmatch(text.strip())
    if match is None:
        return text.strip(), None
    return match["title"], int(match["year"])


def parse_films_csv(content: bytes, where: str) -> Films:
    """The films of `movies.csv`: movieId,title,genres in UTF-8.

    Titles with commas are quoted, genres separated by "|". UsageError, with `where` and line, for
    another header, other columns, a bad id, one that comes twice, or quotes that do not fit.
    """
    films: Films = {}
    columns = ("movieId", "title", "genres")
    text = _decode(content, where, "utf-8").rstrip("\r\n")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if header != list(columns):
            problem = "expected the header line 'movieId,title,genres'"
            raise _refusal(where, 1, ",".join(header), problem)
        for fields in reader:
            _add_line(films, where, reader.line_num, fields, columns, _film_of_three_fields)
    except csv.Error as error:
        raise _refusal(where, reader.line_num, "", f"{error}") from None
    return films


def parse_links_csv(content: bytes, where: str) -> FilmLinks:
    """The ids in The Movie Database by film of `links.csv`: movieId,imdbId,tmdbId.

    Films without one are left out. UsageError, with `where` and line, for another header, other
    columns, or an id that is no number.
    """
    links: FilmLinks = {}
    header = ["movieId", "imdbId", "tmdbId"]
    for number, line in _numbered_lines(content, where, "utf-8"):
        fields = line.split(",")
        if number == 1:
            if fields != header:
                problem = f"expected the header line {','.join(header)!r}"
                raise _refusal(where, number, line, problem)
            continue

        problem = "expected movieId,imdbId,tmdbId, numbers all of them"
        if len(fields) != len(header):
            raise _refusal(where, number, line, problem)

        # Some films have no tmdbId.
        film_id, _, tmdb_id = fields
        if not film_id.isdecimal() or not (tmdb_id == "" or tmdb_id.isdecimal()):
            raise _refusal(where, number, line, problem)
        if tmdb_id:
            links[int(film_id)] = int(tmdb_id)
    return links


def parse_films_dat(content: bytes, where: str, encoding: str) -> Films:
    """The films of `movies.dat`: id::title::genres; latin-1 in MovieLens 1M, UTF-8 in 10M.

    UsageError, with `where` and line, for other columns, a bad id or one that comes twice.
    """
    films: Films = {}
    columns = ("id", "title", "genres")
    for number, line in _numbered_lines(content, where, encoding):
        _add_line(films, where, number, line.split("::"), columns, _film_of_three_fields)
    return films


def parse_films_item(content: bytes, where: str, genres: list[str]) -> Films:
    """The films of `u.item`: id|title|release|video|url and a 0 or 1 for each of `genres`, latin-1.

    UsageError, with `where` and line, for other columns or flags, a bad id or one that comes twice.
    """

    def film_of_flags(fields: list[str]) -> Film:
        """The film of a line; ValueError for a flag that is neither 0 nor 1."""
        title, year = split_title_and_year(fields[1])
        flags = fields[5:]
        if not set(flags) <= {"0", "1"}:
            raise ValueError("expected genre flags that are 0 or 1")
        chosen = (genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")
        return Film(title, year, tuple(chosen))

    films: Films = {}
    columns = ("id", "title", "release", "video", "url", *genres)
    for number, line in _numbered_lines(content, where, "latin-1"):
        _add_line(films, where, number, line.split("|"), columns, film_of_flags)
    return films


def parse_films_atomic(content: bytes, where: str) -> Films:
    """The films of RecBole's `.item`: a typed header line, then id, title, year and genres, UTF-8.

    Columns are separated by tabs, genres by blanks. UsageError, with `where` and line, for other
    columns, a bad id or one that comes twice.
    """

    def film_of_four_fields(fields: list[str]) -> Film:
        """The film of the fields id, title, year and genres."""
        _, title, year, genres = fields
        if title == "unkonwn":  # RecBole's slip for the film that u.item calls "unknown"
            return Film("unknown", None, tuple(genres.split()))
        return Film(*split_title_and_year(f"{title} ({year})"), tuple(genres.split()))

    films: Films = {}
    columns = ("id", "title", "year", "genres")
    for number, line in _numbered_lines(content, where, "utf-8"):
        if number > 1:
            _add_line(films, where, number, line.split("\t"), columns, film_of_four_fields)
    return films


def parse_genre_names(content: bytes, where: str) -> list[str]:
    """The genres of `u.genre`, lines name|index in latin-1, in the order of the flags in `u.item`.

    UsageError, with `where` and line, if the indices do not count up from 0.
    """
    names = []
    for number, line in _numbered_lines(content, where, "latin-1"):
        name, _, index = line.partition("|")
        if index != str(number - 1):
            raise _refusal(where, number, line, f"expected name|{number - 1}")
        names.append(name)
    return names


def parse_user_facts(
    content: bytes,
    where: str,
    separator: str,
    fact_names: tuple[str, ...],
    n_header_lines: int = 0,
) -> UserFacts:
    """What a file says of each user, by raw id: the texts of `fact_names`, one of which is "age".

    One line for each user, latin-1: the raw id, then the facts. UsageError, with `where` and line,
    for other columns, an age that is no number, a bad id or one that comes twice.
    """
    age_position = 1 + fact_names.index("age")

    def facts_of_fields(fields: list[str]) -> tuple[str, ...]:
        """All fields but the id; ValueError for an age that is no number."""
        age = fields[age_position]
        if not re.fullmatch("[0-9]{1,3}", age):
            raise ValueError(f"expected an age in years, got {age[:20]!r}")
        return tuple(fields[1:])

    facts: UserFacts = {}
    columns = ("id", *fact_names)
    for number, line in _numbered_lines(content, where, "latin-1"):
        if number > n_header_lines:
            _add_line(facts, where, number, line.split(separator), columns, facts_of_fields)
    return facts


def _film_of_three_fields(fields: list[str]) -> Film:
    """The film of the fields id, title with its year, and genres separated by "|"."""
    _, full_title, genre_text = fields
    title, year = split_title_and_year(full_title)
    if genre_text in ("", NO_GENRES):
        return Film(title, year, ())
    return Film(title, year, tuple(genre_text.split("|")))


def _add_line(
    known: dict[int, T],
    where: str,
    number: int,
    fields: list[str],
    columns: tuple[str, ...],
    make: Callable[[list[str]], T],
) -> None:
    """Add what `make` makes of the line's `fields` to `known`, under the raw id in the first field.

    UsageError, with `where` and the line's `number`, if there are not as many fields as `columns`,
    the id is none or came before, or `make` raises a ValueError.
    """
    problem = _problem_of_fields(known, fields, columns)
    if not problem:
        try:
            known[int(fields[0])] = make(fields)
        except ValueError as error:
            problem = str(error)
    if problem:
        raise _refusal(where, number, "|".join(fields), problem)


def _problem_of_fields(known: dict[int, T], fields: list[str], columns: tuple[str, ...]) -> str:
    """What is wrong with the number of `fields` or the id in the first of them, or ""."""
    if len(fields) != len(columns):
        names = ", ".join(columns[:MOST_NAMES_SHOWN])
        if len(columns) > MOST_NAMES_SHOWN:
            names += ", ..."
        expected = f"{len(columns)} columns {names}"
        return f"expected {expected}, got {len(fields)}; the file may be cut off"

    raw_id = fields[0]
    if not (re.fullmatch("[1-9][0-9]{0,9}", raw_id) and int(raw_id) <= LAST_ID):
        return f"expected an id from 1 to {LAST_ID}, got {raw_id[:20]!r}"
    if int(raw_id) in known:
        return "this id came before"
    return ""


def _numbered_lines(content: bytes, where: str, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; they end in LF or CRLF, and blank ones may follow the last.

    UsageError, with `where` and line, for bytes that are not in the encoding.
    """
    text = _decode(content, where, encoding).rstrip("\r\n")
    lines = text.split("\n")  # splitlines would also cut at latin-1's \x85
    for number, line in enumerate(lines, start=1):
        yield number, line.removesuffix("\r")


def _decode(content: bytes, where: str, encoding: str) -> str:
    """The text of `content`; UsageError, with `where` and line, if it is not in the encoding."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        line = content.split(b"\n")[number - 1].decode("latin-1")
        problem = f"expected {encoding.upper()}, which byte {error.start} is not"
        raise _refusal(where, number, line, problem) from None


def _refusal(where: str, number: int, line: str, problem: str) -> UsageError:
    """The error to raise for line `number` of the file `where`, with the start of the line."""
    shown = f" {line[:60]!r}:" if line else ""
    message = f"{where}, line {number}:{shown} {problem}. Mend the line or fetch the file again."
    return UsageError(message)
