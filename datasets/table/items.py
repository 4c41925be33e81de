"""An optional file about the items of a table: id, title, and if it has them year and genres."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import is_number
from recbench.datasets.ratings import Catalogue
from recbench.datasets.table.columns import (
    BLANKS,
    ColumnChoice,
    Columns,
    Records,
    name_columns,
    plain_name,
)
from recbench.datasets.table.options import TableOptions, TableRequest
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
N_UNUSED_SHOWN = 8  # columns
N_SHOWN = 3  # ids of the file in a message


class ItemFacts(NamedTuple):
    """What a file says about an item; the year is None where it is not given."""

    title: str
    year: int | None
    genres: tuple[str, ...]


def read_catalogue(
    file: Path, item_ids: NDArray[Any], request: TableRequest
) -> tuple[Catalogue, list[str]]:
    """What `file` says about each of `item_ids`, in their order, and remarks on how many it knows.

    The others have their id as title. The file may be of any kind that ratings may be. UsageError,
    with its line, for a record that does not fit or an id that comes twice, and if the file knows
    none of the items.
    """
    texts = [str(item_id) for item_id in item_ids.tolist()]
    asked = request.options
    options = TableOptions(encoding=asked.encoding, quote=asked.quote)
    roles = frozenset(USUAL_NAMES)
    items_file = _ItemsFile(file, request, frozenset(texts))
    columns = read_columns(file, items_file.choose, options, roles, is_lenient=True)
    facts_by_id = _read_facts(columns)

    n_known = sum(text in facts_by_id for text in texts)
    if not n_known:
        examples = ", ".join([*facts_by_id][:N_SHOWN])
        raise UsageError(
            f"{file}: expected the ids of rated items such as {item_ids[0]}, got {examples} in "
            f"column {columns.names['id']!r}. {items_file.advise_on_ids(columns.names['id'])}"
        )

    facts = [facts_by_id.get(text, ItemFacts(text, None, ())) for text in texts]
    catalogue = Catalogue(
        titles=tuple(item.title for item in facts),
        years=tuple(item.year for item in facts),
        genres=tuple(item.genres for item in facts),
    )
    described = f"{file.name} describes {n_known:,} of the {len(facts):,} rated items."
    return catalogue, [described, *columns.remarks]


@dataclass
class _ItemsFile:
    """A file about items, and the ids of rated items that are sought in it."""

    file: Path
    request: TableRequest
    rated: frozenset[str]
    header: list[str] = field(default_factory=list)  # as `choose` has seen it
    rows: Records = ()  # the first of the file

    def choose(self, records: Records, names_known: bool) -> ColumnChoice:
        """The columns of the file; without a header those of movies.dat.

        Of several that are called like ids the one with most rated items is taken. UsageError if
        there is no id or title, with the columns that there are.
        """
        options = self.request.options
        has_header = True
        header = name_columns(records, has_header)
        self.header = header
        self.rows = [record for record in records[1:] if len(record) == len(header)]
        positions = _positions_of_roles(header, options, self._rank_by_rated_ids())
        if "id" not in positions and not names_known and _is_headerless(header):
            has_header = False
            header = name_columns(records, has_header)
            self.header = header
            positions = {**_positions_without_header(header), **_given_positions(header, options)}
            if _has_flags(records):
                positions |= {genre: FIRST_FLAG + n for n, genre in enumerate(GENRES_OF_FLAGS)}

        if "id" not in positions or "title" not in positions:
            self._refuse(positions)
        remark = self._describe(positions)
        return ColumnChoice(header, positions, int(has_header), (remark,), free_text="title")

    def advise_on_ids(self, column: str) -> str:
        """What to type where `column` has no id of a rated item."""
        others = [k for k in self._rank_by_rated_ids() if self.header[k] != column]
        if others and self._count_rated(others[0]):
            other = self.header[others[0]]
            title = self.request.options.items_title
            named = {"items_id": other, "items_title": "" if title == other else title}
            return f"Column {other!r} has some: {self.request.spell(**named)}"
        return (
            "Nor does another column seem to have them. Name the file whose ids are those of the "
            f"ratings, or go on without titles: {self._spell_without()}"
        )

    def _rank_by_rated_ids(self) -> list[int]:
        """The positions of all columns, those first in which most fields are rated items' ids."""
        return sorted(range(len(self.header)), key=lambda k: -self._count_rated(k))

    def _count_rated(self, position: int) -> int:
        """On how many of the first rows the field at this position is a rated item's id."""
        return sum(row[position].strip(BLANKS) in self.rated for row in self.rows)

    def _spell_without(self) -> str:
        """What to type for the table without this file."""
        return self.request.spell(items="", items_id="", items_title="")

    def _refuse(self, positions: dict[str, int]) -> None:
        """The UsageError about a file in which not both id and title have a column."""
        options = self.request.options
        problems = []
        for role, given in (("id", options.items_id), ("title", options.items_title)):
            if role not in positions:
                names = f"one of {', '.join(USUAL_NAMES[role][:8])}"
                wanted = repr(given) if given else names
                problems.append(f"expected a column for the {role}, {wanted}")

        columns = ", ".join(map(repr, self.header[:12]))
        raise UsageError(
            f"{self.file}, line 1: {'; '.join(problems)}; the columns are {columns}. "
            f"{self._advise_on_names(positions)}"
        )

    def _advise_on_names(self, positions: dict[str, int]) -> str:
        """What to type where id or title has no column: by what the others hold."""
        free = [k for k in range(len(self.header)) if k not in positions.values()]
        named = {}
        if "id" not in positions:
            best = [k for k in self._rank_by_rated_ids() if k in free and self._count_rated(k)]
            if not best:
                return (
                    "No other column seems to have the ids of rated items. Name the file whose ids "
                    f"are those of the ratings, or go on without titles: {self._spell_without()}"
                )
            named["items_id"] = self.header[best[0]]
            free.remove(best[0])
        if "title" not in positions:
            titles = [k for k in free if self._has_texts(k)] or free
            if not titles:
                return (
                    "There is no other column for titles. Name another file, or go on without "
                    f"titles: {self._spell_without()}"
                )
            named["items_title"] = self.header[titles[0]]
        return f"Name them, for example: {self.request.spell(**named)}"

    def _has_texts(self, position: int) -> bool:
        """Whether most of the first rows have something that is no number at this position."""
        texts = [row[position].strip(BLANKS) for row in self.rows]
        return sum(bool(text) and not is_number(text) for text in texts) * 2 > len(texts)

    def _describe(self, positions: dict[str, int]) -> str:
        """What the columns were taken for, and which are unused."""
        used = []
        for role, position in positions.items():
            if role in USUAL_NAMES:
                used.append(f"{self.header[position]!r} is {role}")
        if len(used) < len(positions):
            used.append(f"{FIRST_FLAG + 1} to {len(self.header)} are genres as u.item has them")
        remark = f"Of {self.file.name}, column {', '.join(used)}"

        unused = []
        for position, name in enumerate(self.header):
            if position not in positions.values():
                unused.append(name)
        if unused:
            remark += f"; unused: {', '.join(unused[:N_UNUSED_SHOWN])}"
        if len(unused) > N_UNUSED_SHOWN:
            remark += " ..."
        return f"{remark}."


def _given_positions(header: list[str], options: TableOptions) -> dict[str, int]:
    """The columns that the user has named for id and title, by name or by number from 1."""
    positions = {}
    for role, given in (("id", options.items_id), ("title", options.items_title)):
        if given and given in header:
            positions[role] = header.index(given)
        elif given.isdecimal() and 1 <= int(given) <= len(header):
            positions[role] = int(given) - 1
    return positions


def _positions_of_roles(
    header: list[str], options: TableOptions, by_rated_ids: Iterable[int]
) -> dict[str, int]:
    """For each role the position of its column: as named, or as ratings call the item, or usual.

    Of several usual names for the id the first `by_rated_ids` counts.
    """
    plain_names = [plain_name(name) for name in header]
    positions = _given_positions(header, options)
    is_id_given = options.items_id != ""
    if options.item in header and options.item and not is_id_given:
        positions["id"] = header.index(options.item)

    for role, usual_names in USUAL_NAMES.items():
        is_given = getattr(options, f"items_{role}", "") != ""
        if role in positions or is_given:
            continue
        for position in by_rated_ids if role == "id" else range(len(header)):
            is_fitting = plain_names[position] in usual_names
            is_free = position not in positions.values()
            if is_fitting and is_free:
                positions[role] = position
                break
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
    if series.dtype.is_float():
        is_whole = series.drop_nulls() % 1 == 0
        if is_whole.all():
            series = series.cast(pl.Int64)
    if series.dtype == pl.Binary:
        series = series.cast(pl.String, strict=False)

    texts = series.cast(pl.String).fill_null("")
    texts = texts.str.strip_chars(BLANKS)
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
