"""An optional file about the items of a table: id, title, and if it has them year and genres."""

import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue
from recbench.datasets.table.dialect import BLANKS, Form, separator_of, shape, unpacked

Fact = tuple[str, int | None, tuple[str, ...]]  # title, year, genres
USUAL_NAMES = {
    "id": (
        "item",
        "itemid",
        "id",
        "movie",
        "movieid",
        "book",
        "bookid",
        "isbn",
        "product",
        "productid",
        "asin",
    ),
    "title": ("title", "name", "movietitle", "booktitle"),
    "year": ("year", "releaseyear", "yearofpublication", "releasedate"),
    "genres": ("genres", "genre", "categories"),
}


def plain_name(name: str) -> str:
    """A column's name as it is compared: "Movie ID", "movie_id" and RecBole's "movie_id:token" are "movieid"."""
    return re.sub(r"[ _.-]", "", name.partition(":")[0].strip(BLANKS).lower())


def catalogue(file: Path, item_ids: NDArray[Any], encoding: str) -> tuple[Catalogue, str]:
    """What `file` says about each of `item_ids`, and a remark on how many it knows; the rest have their id as title.

    UsageError, with its line, for a record that does not fit or an id that comes twice.
    """
    with unpacked(file) as plain:
        facts = _facts(plain, Form(separator_of(plain, file, "", encoding), encoding, file))
    found = [facts.get(str(item_id), (str(item_id), None, ())) for item_id in item_ids.tolist()]
    known = sum(str(item_id) in facts for item_id in item_ids.tolist())
    if not known:
        raise UsageError(
            f"{file}: expected the ids of rated items such as {item_ids[0]}, got {', '.join([*facts][:3])}. "
            f"Name the file whose ids are those of the ratings."
        )
    titles, years, genres = zip(*found, strict=True)
    return Catalogue(
        titles, years, genres
    ), f"{file.name} describes {known:,} of the {len(found):,} rated items."


def _facts(file: Path, form: Form) -> dict[str, Fact]:
    shape(file, form)  # refuses what is no text
    records = form.records(file)
    line, header = next(records, (1, []))
    at: dict[str, int] = {}
    for role, usual in USUAL_NAMES.items():
        positions = [position for position, name in enumerate(header) if plain_name(name) in usual]
        at |= {role: positions[0]} if positions else {}
    facts: dict[str, Fact] = {}
    if (
        "id" not in at and header and header[0].strip(BLANKS).isdecimal() and len(header) > 1
    ):  # as in movies.dat
        at = {"id": 0, "title": 1} | ({"genres": 2} if len(header) > 2 else {})
        facts |= _fact(form, line, header, at)
    for role in ("id", "title"):
        if role not in at:
            expected = f"expected a column for the {role}, one of {', '.join(USUAL_NAMES[role])}"
            raise UsageError(
                f"{form.shown}, line {line}: {expected}; the columns are {', '.join(header)}"
            )
    for line, fields in records:
        if len(fields) != len(header):
            raise UsageError(
                f"{form.shown}, line {line}: expected {len(header)} fields, got {len(fields)}: {fields}"
            )
        (fact,) = _fact(form, line, fields, at).items()
        if fact[0] in facts:
            raise UsageError(
                f"{form.shown}, line {line}: item {fact[0]} is described before; leave one of them out"
            )
        facts |= {fact[0]: fact[1]}
    return facts


def _fact(form: Form, line: int, fields: list[str], at: dict[str, int]) -> dict[str, Fact]:
    text = {role: fields[position].strip(BLANKS) for role, position in at.items()}
    if not text["id"]:
        raise UsageError(
            f"{form.shown}, line {line}: expected an item's id, got nothing. Correct it or leave it out."
        )
    title, year = text["title"], text.get("year", "")
    in_title = re.fullmatch(r"(?P<title>.*\S)\s*\((?P<year>\d{4})\)", title, re.DOTALL)
    if in_title and "year" not in at:
        title, year = in_title["title"], in_title["year"]
    digits = re.match(r"\d{4}(?!\d)", year)
    genres = tuple(
        part for genre in text.get("genres", "").split("|") if (part := genre.strip(BLANKS))
    )
    if genres == ("(no genres listed)",):
        genres = ()
    return {text["id"]: (title or text["id"], int(digits[0]) if digits else None, genres)}
