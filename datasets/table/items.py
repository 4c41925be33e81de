"""An optional file about the items of a table: id, title, and if it has them year and genres."""

import re
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue
from recbench.datasets.table.dialect import BLANKS, Dialect, Record, recognise_dialect
from recbench.datasets.table.kinds import unpacked
from recbench.datasets.table.survey import survey_file

# The names of each role's column, written as `plain_name` writes them
# fmt: off
USUAL_NAMES = {
    "id": (
        "item", "itemid", "id", "movie", "movieid", "book", "bookid", "isbn", "product",
        "productid", "asin",
    ),
    "title": ("title", "name", "movietitle", "booktitle"),
    "year": ("year", "releaseyear", "yearofpublication", "releasedate"),
    "genres": ("genres", "genre", "categories"),
}
# fmt: on
NO_GENRES = "(no genres listed)"
N_SHOWN = 3  # ids of the file in a message


class ItemFacts(NamedTuple):
    """What a file says about an item; the year is None where it is not given."""

    title: str
    year: int | None
    genres: tuple[str, ...]


def plain_name(name: str) -> str:
    """A column's name as it is compared, without case, blanks, marks and RecBole's type.

    >>> [plain_name(name) for name in ("Movie ID", "movie_id", "movie_id:token")]
    ['movieid', 'movieid', 'movieid']
    """
    without_type = name.partition(":")[0]
    return re.sub(r"[ _.-]", "", without_type.strip(BLANKS).lower())


def read_catalogue(file: Path, item_ids: NDArray[Any], encoding: str) -> tuple[Catalogue, str]:
    """What `file` says about each of `item_ids`, in their order, and a remark on how many it knows.

    The others have their id as title. UsageError, with its line, for a record that does not fit or
    an id that comes twice, and if the file knows none of the items.
    """
    with unpacked(file) as plain:
        dialect = recognise_dialect(plain, file, "", encoding)
        facts_by_id = _read_facts(plain, dialect)

    texts = [str(item_id) for item_id in item_ids.tolist()]
    n_known = sum(text in facts_by_id for text in texts)
    if not n_known:
        examples = ", ".join([*facts_by_id][:N_SHOWN])
        raise UsageError(
            f"{file}: expected the ids of rated items such as {item_ids[0]}, got {examples}. "
            "Name the file whose ids are those of the ratings."
        )

    facts = [facts_by_id.get(text, ItemFacts(text, None, ())) for text in texts]
    catalogue = Catalogue(
        titles=tuple(item.title for item in facts),
        years=tuple(item.year for item in facts),
        genres=tuple(item.genres for item in facts),
    )
    return catalogue, f"{file.name} describes {n_known:,} of the {len(facts):,} rated items."


def _read_facts(file: Path, dialect: Dialect) -> dict[str, ItemFacts]:
    """What each record of `file` says, by the item's id as text.

    Without a header the columns are those of movies.dat. UsageError, with its line, for bytes that
    are no text, a header without id or title, a record with another number of fields, an empty id,
    and an id that comes twice.
    """
    survey_file(file, dialect)  # refuses what is no text
    records = dialect.read_records(file)
    header_line, header = next(records, (1, []))
    positions = _positions_of_roles(header)
    if "id" not in positions and _is_headerless(header):
        positions = _positions_without_header(header)
        records = chain([(header_line, header)], records)

    for role in ("id", "title"):
        if role not in positions:
            expected = f"expected a column for the {role}, one of {', '.join(USUAL_NAMES[role])}"
            columns = f"the columns are {', '.join(header)}"
            raise UsageError(f"{dialect.origin}, line {header_line}: {expected}; {columns}")

    facts_by_id: dict[str, ItemFacts] = {}
    for line, fields in records:
        where = f"{dialect.origin}, line {line}"
        if len(fields) != len(header):
            expected = f"expected {len(header)} fields, got {len(fields)}"
            raise UsageError(f"{where}: {expected}: {fields}")
        item_id, facts = _parse_record(dialect, (line, fields), positions)
        if item_id in facts_by_id:
            problem = f"item {item_id} is described before; leave one of them out"
            raise UsageError(f"{where}: {problem}")
        facts_by_id[item_id] = facts
    return facts_by_id


def _positions_of_roles(header: list[str]) -> dict[str, int]:
    """For each role that a column is usually called by, the position of the first such column."""
    plain_names = [plain_name(name) for name in header]
    positions: dict[str, int] = {}
    for role, usual_names in USUAL_NAMES.items():
        for position, name in enumerate(plain_names):
            if name in usual_names:
                positions[role] = position
                break
    return positions


def _is_headerless(first_fields: list[str]) -> bool:
    """Whether the first record is about an item already, as in movies.dat: it begins with an id."""
    return len(first_fields) > 1 and first_fields[0].strip(BLANKS).isdecimal()


def _positions_without_header(first_fields: list[str]) -> dict[str, int]:
    """The order of movies.dat: id, title and, if there is a third column, genres."""
    positions = {"id": 0, "title": 1}
    if len(first_fields) > 2:
        positions["genres"] = 2
    return positions


def _parse_record(
    dialect: Dialect, record: Record, positions: dict[str, int]
) -> tuple[str, ItemFacts]:
    """The item's id as text, and what the record says about it; a missing title is the id.

    Without a column for it the year is taken from a title that ends in "(1995)". UsageError for an
    empty id.
    """
    line, fields = record
    texts = {role: fields[position].strip(BLANKS) for role, position in positions.items()}
    if not texts["id"]:
        problem = "expected an item's id, got nothing. Correct it or leave it out."
        raise UsageError(f"{dialect.origin}, line {line}: {problem}")

    title = texts["title"]
    year_text = texts.get("year", "")
    with_year = re.fullmatch(r"(?P<title>.*\S)\s*\((?P<year>\d{4})\)", title, re.DOTALL)
    if with_year and "year" not in positions:
        title = with_year["title"]
        year_text = with_year["year"]

    year = re.match(r"\d{4}(?!\d)", year_text)
    facts = ItemFacts(
        title=title or texts["id"],
        year=int(year[0]) if year else None,
        genres=_parse_genres(texts.get("genres", "")),
    )
    return texts["id"], facts


def _parse_genres(text: str) -> tuple[str, ...]:
    """The genres between "|", without blanks around them and without empty ones.

    >>> _parse_genres("Comedy | |Drama")
    ('Comedy', 'Drama')
    """
    if text == NO_GENRES:
        return ()
    genres = (genre.strip(BLANKS) for genre in text.split("|"))
    return tuple(genre for genre in genres if genre)
