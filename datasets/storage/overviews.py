"""What films are about: The Movies Dataset's `movies_metadata.csv`, joined by title with the year
as tie-break.
"""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage.fetch import find_placed

PARSER = 2  # raise it when what is parsed from the same bytes changes
FILE = "overviews/movies_metadata.csv"  # below the data directory
NEEDED = ("title", "overview", "release_date", "vote_count")
MORE_VOTES_THAN = 10
UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what stands for bytes that are not UTF-8
NO_OVERVIEW = {"", "no overview", "no overview found.", "no overview available."}
ARTICLES = (
    "the|a|an|la|le|les|l'|el|los|las|il|lo|gli|i|der|die|das|ein|eine|un|une|una|den|det|de|het|"
    "o|os|as"
)

Titles = dict[str, list["Film"]]


@dataclass(frozen=True)
class Film:
    """A usable row: how often it was voted on, when it came out (None: unknown), and what it is
    about.
    """

    n_votes: float
    year: int | None
    overview: str


def match_overviews(
    path: Path, titles: Sequence[str], years: Sequence[int | None]
) -> tuple[tuple[str, ...], str]:
    """The overview of each film, "" where there is none, and a remark on how many matched and what
    was not used.

    A title matches in lower case, with its article in front or behind ("Matrix, The"), without or
    as what it has in parentheses, and either as `title` or as `original_title`. Of several films
    with the title, the one from that year or the nearest is meant, then the one with the most
    votes. Rows with other fields than the header has, with text where a number belongs, or with
    bytes that are not UTF-8 are malformed: counted, and not used. UsageError if it is not that file
    at all.
    """
    table = _read_films(path)
    films = [
        _match_film(table.by_title, title, year) for title, year in zip(titles, years, strict=True)
    ]
    matched = [(film, year) for film, year in zip(films, years, strict=True) if film]
    n_far = sum(
        year is not None and film.year is not None and abs(film.year - year) > 1
        for film, year in matched
    )

    percent = 100 * len(matched) / max(len(titles), 1)
    remark = (
        f"Overviews from {path.name}: {len(matched):,} of {len(titles):,} titles matched "
        f"({percent:.1f} %), {n_far:,} with a year more than one apart; used were the "
        f"{table.n_used:,} of {table.n_rows:,} rows with an overview and more than "
        f"{MORE_VOTES_THAN} votes; {table.n_malformed:,} malformed rows were left out."
    )
    return tuple(film.overview if film else "" for film in films), remark


def find_overviews_file() -> Path | None:
    """The file with overviews in the data directory, if there is one."""
    return find_placed(FILE)


def wanted(dataset: Dataset) -> bool:
    """Whether overviews from outside belong to `dataset`: it is real, has titles, and no overviews
    of its own.
    """
    catalogue = dataset.catalogue
    named = any(
        title != str(raw)
        for title, raw in zip(catalogue.titles, dataset.item_ids.tolist(), strict=True)
    )
    return named and not catalogue.overviews and not dataset.provenance.simulated


def attach_overviews(dataset: Dataset) -> Dataset:
    """`dataset` with overviews and a remark, if it wants them and the file is there; else `dataset`
    itself.
    """
    path = find_overviews_file()
    if path is None or not wanted(dataset):
        return dataset
    found, remark = match_overviews(path, dataset.catalogue.titles, dataset.catalogue.years)
    provenance = replace(dataset.provenance, remarks=(*dataset.provenance.remarks, remark))
    return replace(
        dataset, catalogue=replace(dataset.catalogue, overviews=found), provenance=provenance
    )


@dataclass
class _FilmTable:
    """The usable films by title, and how many rows there are, are used, and are malformed."""

    by_title: Titles = field(default_factory=dict)
    n_rows: int = 0
    n_used: int = 0
    n_malformed: int = 0


def _read_films(path: Path) -> _FilmTable:
    """What the file at `path` says. UsageError if it lacks a needed column."""
    table = _FilmTable()
    for row in _rows(path):
        table.n_rows += 1
        film = _film(row) if row else None
        if film is None:
            table.n_malformed += 1
        elif film.n_votes > MORE_VOTES_THAN and film.overview:
            table.n_used += 1
            titles = {_plain(row.get("title", "")), _plain(row.get("original_title", ""))}
            for title in titles - {""}:
                table.by_title.setdefault(title, []).append(film)
    return table


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Each record by column, or {} if it has more or fewer fields than the header, or bytes that
    are not UTF-8.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as text:
        records = _records(text)
        line, header = next(records, (1, []))
        names = [name.strip() for name in header]
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise UsageError(
                f"{path}, line {line}: expected the columns {', '.join(NEEDED)}, but "
                f"{', '.join(missing)} is missing. "
                "Fetch movies_metadata.csv of The Movies Dataset again."
            )
        for _, fields in records:
            whole = len(fields) == len(names) and not any(UNREADABLE in field for field in fields)
            yield dict(zip(names, fields, strict=True)) if whole else {}


def _records(text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The last line and the fields of each record that is not blank; no fields where the csv module
    gives up.
    """
    reader = csv.reader(text)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # such as a quote that is never closed: it goes on with the next line
            yield reader.line_num, []
        else:
            if fields:
                yield reader.line_num, fields


def _film(row: dict[str, str]) -> Film | None:
    """The film of a row, or None if the row is malformed."""
    shifted = (
        row.get("adult", "False") not in ("True", "False") or not row.get("id", "0").isdecimal()
    )
    try:
        n_votes = float(row["vote_count"])
    except ValueError:
        return None
    if shifted or not (math.isfinite(n_votes) and n_votes >= 0):
        return None
    overview = row["overview"].strip()
    date = re.match(r"(\d{4})-\d{2}-\d{2}$", row["release_date"].strip())
    return Film(
        n_votes, int(date[1]) if date else None, "" if overview.lower() in NO_OVERVIEW else overview
    )


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _names(title: str) -> Iterator[str]:
    """What a film may be called elsewhere, best first: "City of Lost Children, The (Cité des
    enfants perdus, La)".
    """
    yield _plain(title)
    outside = re.sub(r"\([^()]*\)", " ", title)
    inside = [
        re.sub(r"^a\.?k\.?a\.?\s+", "", part.strip(), flags=re.IGNORECASE)
        for part in re.findall(r"\(([^()]*)\)", title)
    ]
    for name in (title, outside, *inside):
        plain = _plain(name)
        behind = re.fullmatch(rf"(?P<rest>.+), (?P<article>{ARTICLES})", plain)
        if behind:
            gap = "" if behind["article"].endswith("'") else " "
            yield f"{behind['article']}{gap}{behind['rest']}"
        yield plain


def _match_film(films: Titles, title: str, year: int | None) -> Film | None:
    for name in _names(title):
        if name and name in films:
            return min(films[name], key=lambda film: (_distance(film.year, year), -film.n_votes))
    return None


def _distance(film: int | None, year: int | None) -> float:
    if year is None:
        return 0
    return math.inf if film is None else abs(film - year)
