"""An optional file about the items of a table: id, title, and if it has them year and genres."""

import re
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue
from recbench.datasets.table.columns import (
    BLANKS,
    Choice,
    Columns,
    Records,
    name_columns,
    plain_name,
)
from recbench.datasets.table.options import Options, Request
from recbench.datasets.table.read import read_columns
from recbench.datasets.table.values import WHOLE

# The names of each role's column, written as `plain_name` writes them
# fmt: off
USUAL_NAMES = {
    "id": (
        "item", "itemid", "id", "movie", "movieid", "film", "filmid", "book", "bookid", "isbn",
        "product", "productid", "asin", "anime", "animeid", "recipe", "recipeid", "business",
        "businessid", "game", "gameid", "appid", "artist", "artistid", "track", "trackid", "song",
        "songid", "beer", "beerid", "joke", "jokeid",
    ),
    "title": (
        "title", "name", "movietitle", "booktitle", "originaltitle", "itemname", "itemtitle",
        "artistname", "gamename", "productname",
    ),
    "year": (
        "year", "releaseyear", "yearofpublication", "releasedate", "originalpublicationyear",
    ),
    "genres": ("genres", "genre", "categories", "category"),
}
# fmt: on
# The genres of MovieLens 100k, in the order of their columns in u.item, which has no header: 0 or 1
# in each, behind id, title, two dates and an address.
FIRST_FLAG = 5
GENRES_OF_FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
NO_GENRES = "(no genres listed)"
N_SHOWN = 3  # ids of the file in a message


class ItemFacts(NamedTuple):
    """What a file says about an item; the year is None where it is not given."""

    title: str
    year: int | None
    genres: tuple[str, ...]


def read_catalogue(
    file: Path, item_ids: NDArray[Any], request: Request
) -> tuple[Catalogue, list[str]]:
    """What `file` says about each of `item_ids`, in their order, and remarks on how many it knows.

    The others have their id as title. The file may be of any kind that ratings may be. UsageError,
    with its line, for a record that does not fit or an id that comes twice, and if the file knows
    none of the items.
    """
    asked = request.options
    options = Options(encoding=asked.encoding, quote=asked.quote)
    roles = frozenset(USUAL_NAMES)
    columns = read_columns(file, partial(_choose_columns, request, file), options, roles)
    facts_by_id = _read_facts(columns)

    texts = [str(item_id) for item_id in item_ids.tolist()]
    n_known = sum(text in facts_by_id for text in texts)
    if not n_known:
        examples = ", ".join([*facts_by_id][:N_SHOWN])
        raise UsageError(
            f"{file}: expected the ids of rated items such as {item_ids[0]}, got {examples} in "
            f"column {columns.names['id']!r}. Name the file whose ids are those of the ratings, or "
            "the column: items_id=COLUMN"
        )

    facts = [facts_by_id.get(text, ItemFacts(text, None, ())) for text in texts]
    catalogue = Catalogue(
        titles=tuple(item.title for item in facts),
        years=tuple(item.year for item in facts),
        genres=tuple(item.genres for item in facts),
    )
    described = f"{file.name} describes {n_known:,} of the {len(facts):,} rated items."
    return catalogue, [described, *columns.remarks]


def _choose_columns(request: Request, file: Path, records: Records, names_known: bool) -> Choice:
    """The columns of a file about items; without a header those of movies.dat.

    UsageError if there is no id or title, with the columns that there are.
    """
    options = request.options
    has_header = True
    header = name_columns(records, has_header)
    positions = _positions_of_roles(header, options)
    if "id" not in positions and not names_known and _is_headerless(header):
        has_header = False
        header = name_columns(records, has_header)
        positions = {**_positions_without_header(header), **_given_positions(header, options)}
        if _has_flags(records):
            positions |= {genre: FIRST_FLAG + n for n, genre in enumerate(GENRES_OF_FLAGS)}

    problems = []
    for role, option in (("id", "items_id"), ("title", "items_title")):
        given = getattr(options, option)
        if role not in positions:
            names = f"one of {', '.join(USUAL_NAMES[role][:8])}"
            wanted = repr(given) if given else names
            problems.append(f"expected a column for the {role}, {wanted}")
    if problems:
        columns = ", ".join(map(repr, header[:12]))
        taken = set(positions.values())
        free = [name for position, name in enumerate(header) if position not in taken]
        named = {}
        for role, option in (("id", "items_id"), ("title", "items_title")):
            if role not in positions and free:
                named[option] = free.pop(0)
        raise UsageError(
            f"{file}, line 1: {'; '.join(problems)}; the columns are {columns}. Name them, for "
            f"example: {request.spell(**named)}"
        )

    roles = {role: position for role, position in positions.items() if role in USUAL_NAMES}
    used = ", ".join(f"{header[position]!r} is {role}" for role, position in roles.items())
    if len(roles) < len(positions):
        used += f", {FIRST_FLAG + 1} to {len(header)} are genres as u.item has them"
    unused = [name for position, name in enumerate(header) if position not in positions.values()]
    remark = f"Of {file.name}, column {used}"
    if unused:
        remark += f"; unused: {', '.join(unused[:8])}{' ...' if len(unused) > 8 else ''}"
    return Choice(header, positions, int(has_header), (f"{remark}.",))


def _given_positions(header: list[str], options: Options) -> dict[str, int]:
    """The columns that the user has named for id and title, by name or by number from 1."""
    positions = {}
    for role, given in (("id", options.items_id), ("title", options.items_title)):
        if given and given in header:
            positions[role] = header.index(given)
        elif given.isdecimal() and 1 <= int(given) <= len(header):
            positions[role] = int(given) - 1
    return positions


def _positions_of_roles(header: list[str], options: Options) -> dict[str, int]:
    """For each role the position of its column: as named, or as ratings call the item, or usual."""
    plain_names = [plain_name(name) for name in header]
    positions = _given_positions(header, options)
    if options.item and options.item in header and "id" not in positions and not options.items_id:
        positions["id"] = header.index(options.item)
    for role, usual_names in USUAL_NAMES.items():
        is_given = getattr(options, f"items_{role}", "") != ""
        for position, name in enumerate(plain_names):
            is_free = position not in positions.values()
            if role not in positions and not is_given and name in usual_names and is_free:
                positions[role] = position
    return positions


def _is_headerless(first_fields: list[str]) -> bool:
    """Whether the first record is about an item already, as in movies.dat: it begins with an id."""
    return len(first_fields) > 1 and first_fields[0].strip(BLANKS).isdecimal()


def _positions_without_header(header: list[str]) -> dict[str, int]:
    """The order of movies.dat: id, title and, if there is a third column, genres."""
    positions = {"id": 0, "title": 1}
    if len(header) == 3:  # u.item has dates there, and genres in columns of their own
        positions["genres"] = 2
    return positions


def _has_flags(records: Records) -> bool:
    """Whether the records are those of u.item: a 0 or 1 in the column of each genre."""
    n_columns = FIRST_FLAG + len(GENRES_OF_FLAGS)
    return all(
        len(record) == n_columns and set(record[FIRST_FLAG:]) <= {"0", "1"} for record in records
    )


def _read_facts(columns: Columns) -> dict[str, ItemFacts]:
    """What each record says, by the item's id as text.

    UsageError, with its line, for an empty id, and for one that comes twice with other facts.
    """
    texts = {role: _texts_of(series) for role, series in columns.series.items()}
    has_years = "year" in texts
    ids = texts["id"]
    columns.refuse_rows("id", pl.Series([not text for text in ids]), "an item's id")

    facts_by_id: dict[str, ItemFacts] = {}
    rows: dict[str, int] = {}
    for row, item_id in enumerate(ids):
        record = {role: column[row] for role, column in texts.items()}
        facts = _parse_record(record, has_years=has_years)
        if item_id in facts_by_id and facts_by_id[item_id] != facts:
            place = columns.place_of_row(row).name
            before = columns.place_of_row(rows[item_id]).name
            raise UsageError(
                f"{columns.file}, {place}: item {item_id} is described before, in {before}; leave "
                "one of them out"
            )
        facts_by_id[item_id] = facts
        rows[item_id] = row
    return facts_by_id


def _texts_of(series: pl.Series) -> list[str]:
    """A column as texts without blanks around them; whole numbers have no point."""
    if series.dtype.is_float() and (series.drop_nulls() % 1 == 0).all():
        series = series.cast(pl.Int64)
    if series.dtype == pl.Binary:
        series = series.cast(pl.String, strict=False)
    texts = series.cast(pl.String).fill_null("").str.strip_chars(BLANKS)
    if texts.str.contains(WHOLE).all():
        texts = texts.str.strip_suffix(".0")
    return texts.to_list()


def _parse_record(texts: dict[str, str], *, has_years: bool) -> ItemFacts:
    """What a record says about an item, from the texts of its roles; a missing title is the id.

    Without a column for it the year is taken from a title that ends in "(1995)".
    Genres are those whose flag is 1, or stand in a column together.
    """
    title = texts["title"]
    year_text = texts.get("year", "")
    with_year = re.fullmatch(r"(?P<title>.*\S)\s*\((?P<year>\d{4})\)", title, re.DOTALL)
    if with_year and not has_years:
        title = with_year["title"]
        year_text = with_year["year"]

    flagged = tuple(genre for genre in GENRES_OF_FLAGS if texts.get(genre) == "1")
    genres = flagged or _parse_genres(texts.get("genres", ""))
    year = re.match(r"\d{4}(?!\d)", year_text)
    return ItemFacts(
        title=title or texts["id"],
        year=int(year[0]) if year else None,
        genres=genres,
    )


def _parse_genres(text: str) -> tuple[str, ...]:
    """The genres between "|", without blanks around them and without empty ones.

    >>> _parse_genres("Comedy | |Drama")
    ('Comedy', 'Drama')
    """
    if text == NO_GENRES:
        return ()
    genres = (genre.strip(BLANKS) for genre in text.split("|"))
    return tuple(genre for genre in genres if genre)
