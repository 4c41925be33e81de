"""What films are about: The Movies Dataset's `movies_metadata.csv`, joined by ids where the data
have them, else by title and year.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from recbench.datasets.foundation import UsageError, read_bounded_lines
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage.fetch import find_placed

PARSER = 4  # raise it when what is parsed from the same bytes changes
FILE = "overviews/movies_metadata.csv"  # below the data directory
NEEDED = ("title", "overview", "release_date", "vote_count")
MORE_VOTES_THAN = 10
MOST_YEARS_APART = 1  # of two dates of one film: its premiere, and its release elsewhere
LONGEST_FIELD = 131_072  # characters; a quote that is never closed costs no more rows than that
UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what stands for bytes that are not UTF-8
NO_OVERVIEW = {"", "no overview", "no overview found.", "no overview available."}
ARTICLES = (
    "the|a|an|la|le|les|l'|el|los|las|il|lo|gli|i|der|die|das|ein|eine|un|une|una|den|det|de|het|"
    "o|os|as"
)

FilmsByTitle = dict[str, list["DescribedFilm"]]


@dataclass(frozen=True)
class DescribedFilm:
    """A usable row: how often it was voted on, when it came out (None: unknown), and what it is
    about.
    """

    n_votes: float
    year: int | None
    overview: str


def match_overviews(
    path: Path,
    titles: Sequence[str],
    years: Sequence[int | None],
    tmdb_ids: Sequence[int | None] | None = None,
    *,
    most_years_apart: float = MOST_YEARS_APART,
) -> tuple[tuple[str, ...], str]:
    """The overview of each film, "" where there is none, and a remark on how many matched and what
    was not used.

    A film with an id of The Movie Database, which is the column `id` of the file, is found by it. A
    title matches in lower case, with its article in front or behind ("Matrix, The"), without or as
    what it has in parentheses, and either as `title` or as `original_title`. Of several films with
    the title, the one from that year or the nearest is meant, then the one with the most votes; one
    whose year is more than `most_years_apart` from it is another film. Rows with other fields than
    the header has, with text where a number belongs, or with bytes that are not UTF-8 are
    malformed: counted, and not used. UsageError if it is not that file at all.
    """
    table = _read_films(path)
    wanted_ids = tmdb_ids or [None] * len(titles)
    overviews = []
    n_by_id = 0
    n_of_other_years = 0
    for title, year, tmdb_id in zip(titles, years, wanted_ids, strict=True):
        film = None if tmdb_id is None else table.by_id.get(tmdb_id)
        if film is not None:
            n_by_id += 1
        else:
            film = _match_film(table.by_title, title, year)
            if film is not None and _is_of_other_year(film, year, most_years_apart):
                n_of_other_years += 1
                film = None

        overviews.append(film.overview if film else "")

    n_matched = len(overviews) - overviews.count("")
    percent = 100 * n_matched / max(len(titles), 1)
    of_other_years = ""
    if math.isfinite(most_years_apart):
        of_other_years = (
            f" {n_of_other_years:,} more have the title of a film that is more than "
            f"{most_years_apart:g} year older or younger, and no text;"
        )
    by_id = f", {n_by_id:,} of them by the ids that the data have" if tmdb_ids else ""
    remark = (
        f"Overviews from {path.name}: {n_matched:,} of {len(titles):,} titles matched "
        f"({percent:.1f} %){by_id};{of_other_years} used were the "
        f"{table.n_used:,} of {table.n_rows:,} rows with an overview and more than "
        f"{MORE_VOTES_THAN} votes; {table.n_malformed:,} malformed rows were left out."
    )
    return tuple(overviews), remark


def _is_of_other_year(film: DescribedFilm, year: int | None, most_years_apart: float) -> bool:
    """Whether both years are known, and too far apart for one film."""
    if year is None or film.year is None:
        return False
    return abs(film.year - year) > most_years_apart


def find_overviews_file() -> Path | None:
    """The file with overviews in the data directory, if there is one."""
    return find_placed(FILE)


def lacks_overviews(dataset: Dataset) -> bool:
    """Whether overviews from outside belong to `dataset`: it is real, has titles, and no overviews
    of its own.
    """
    catalogue = dataset.catalogue
    if dataset.provenance.simulated or catalogue.overviews:
        return False
    # Loaders without titles give the raw ids in their place.
    raw_ids = map(str, dataset.item_ids.tolist())
    return any(title != raw for title, raw in zip(catalogue.titles, raw_ids, strict=True))


def attach_overviews(
    path: Path, dataset: Dataset, tmdb_ids: Mapping[int, int] | None = None
) -> Dataset:
    """`dataset` with overviews from `path` and a remark, or itself if it has its own, or no titles.

    `tmdb_ids` are the films' ids in The Movie Database by their raw ids in the data.
    """
    if not lacks_overviews(dataset):
        return dataset

    ids_in_order = None
    if tmdb_ids:
        ids_in_order = [tmdb_ids.get(film_id) for film_id in dataset.item_ids.tolist()]
    catalogue = dataset.catalogue
    texts, remark = match_overviews(path, catalogue.titles, catalogue.years, ids_in_order)
    provenance = replace(dataset.provenance, remarks=(*dataset.provenance.remarks, remark))
    described = replace(catalogue, overviews=texts)
    return replace(dataset, catalogue=described, provenance=provenance)


@dataclass
class _FilmTable:
    """The usable films by title and by id; how many rows there are, are used, and are malformed."""

    by_title: FilmsByTitle = field(default_factory=dict)
    by_id: dict[int, DescribedFilm] = field(default_factory=dict)
    n_rows: int = 0
    n_used: int = 0
    n_malformed: int = 0


def _read_films(path: Path) -> _FilmTable:
    """What the file at `path` says. UsageError if it lacks a needed column."""
    table = _FilmTable()
    for row in _read_rows(path):
        table.n_rows += 1
        film = _parse_film(row) if row else None
        if film is None:
            table.n_malformed += 1
            continue
        if film.n_votes <= MORE_VOTES_THAN or not film.overview:
            continue

        table.n_used += 1
        if row.get("id"):
            table.by_id[int(row["id"])] = film
        title = _normalise_title(row.get("title", ""))
        original_title = _normalise_title(row.get("original_title", ""))
        for name in {title, original_title} - {""}:
            table.by_title.setdefault(name, []).append(film)
    return table


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Each record of the file as texts by column; {} for a malformed one.

    That is one with more or fewer fields than the header, or with bytes that are not UTF-8.
    UsageError if the header lacks a needed column.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as text:
        records = _split_records(read_bounded_lines(text, str(path)))
        line, header = next(records, (1, []))

        columns = [name.strip() for name in header]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise UsageError(
                f"{path}, line {line}: expected the columns {', '.join(NEEDED)}, but "
                f"{', '.join(missing)} is missing. "
                "Fetch movies_metadata.csv of The Movies Dataset again."
            )

        for _, fields in records:
            is_readable = not any(UNREADABLE in field for field in fields)
            if is_readable and len(fields) == len(columns):
                yield dict(zip(columns, fields, strict=True))
            else:
                yield {}


def _split_records(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """The last line (from 1) and the fields of each record that is not blank.

    A record in which the csv module gives up has no fields.
    """
    reader = csv.reader(lines)
    while True:
        # The limit is that of the whole process, and tables of ratings want a far higher one.
        usual_limit = csv.field_size_limit(LONGEST_FIELD)
        try:
            fields: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # Such as a quote that is never closed: the reader goes on with the next line.
            fields = None
        finally:
            csv.field_size_limit(usual_limit)

        if fields is None:
            yield reader.line_num, []
        elif fields:
            yield reader.line_num, fields


def _parse_film(row: dict[str, str]) -> DescribedFilm | None:
    """The film of a row, or None if the row is malformed.

    Its fields may have slipped into other columns, which shows in those of a known form.
    """
    has_flag = row.get("adult", "False") in ("True", "False")
    has_id = row.get("id", "0").isdecimal()
    if not (has_flag and has_id):
        return None

    try:
        n_votes = float(row["vote_count"])
    except ValueError:
        return None
    if not math.isfinite(n_votes) or n_votes < 0:
        return None

    date = re.match(r"(\d{4})-\d{2}-\d{2}$", row["release_date"].strip())
    year = int(date[1]) if date else None
    overview = row["overview"].strip()
    if overview.lower() in NO_OVERVIEW:
        overview = ""
    return DescribedFilm(n_votes, year, overview)


def _normalise_title(title: str) -> str:
    """The title in lower case, with single blanks and none around it."""
    return " ".join(title.lower().split())


def _list_names(title: str) -> Iterator[str]:
    """What a film may be called elsewhere, normalised, the best first; some come twice.

    >>> list(dict.fromkeys(_list_names("City of Lost Children, The (Cité, La)")))[1:]
    ['the city of lost children', 'city of lost children, the', 'la cité', 'cité, la']
    """
    yield _normalise_title(title)

    without_parentheses = re.sub(r"\([^()]*\)", " ", title)
    in_parentheses = []
    for text in re.findall(r"\(([^()]*)\)", title):
        # "a.k.a." introduces another title.
        name = re.sub(r"^a\.?k\.?a\.?\s+", "", text.strip(), flags=re.IGNORECASE)
        in_parentheses.append(name)

    for variant in (title, without_parentheses, *in_parentheses):
        name = _normalise_title(variant)
        match = re.fullmatch(rf"(?P<rest>.+), (?P<article>{ARTICLES})", name)
        if match:
            # The article comes to the front: "matrix, the" is "the matrix".
            gap = "" if match["article"].endswith("'") else " "
            yield f"{match['article']}{gap}{match['rest']}"
        yield name


def _match_film(films: FilmsByTitle, title: str, year: int | None) -> DescribedFilm | None:
    """The film that `title` means, by the first of its names that `films` has; None if none has.

    Of several with that name, the one nearest to `year`, then the one with the most votes.
    """
    for name in _list_names(title):
        if name and name in films:
            return min(films[name], key=lambda film: (_years_apart(film.year, year), -film.n_votes))
    return None


def _years_apart(film_year: int | None, year: int | None) -> float:
    """How far a film's year is from the `year` sought: 0 if none is sought, infinite if the film
    has none.
    """
    if year is None:
        return 0
    if film_year is None:
        return math.inf
    return abs(film_year - year)
