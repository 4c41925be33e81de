"""The small files of MovieLens: films, users and official splits, in the three formats it came in over the years."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import LAST_ID, Layout, Lines, read_lines
from recbench.datasets.ratings import Rows
from recbench.datasets.storage import Archive

T = TypeVar("T")
Film = tuple[str, int | None, tuple[str, ...]]  # title, year, genres
Films = dict[int, Film]  # by raw id
Facts = dict[int, tuple[str, ...]]  # by raw user id
TITLE = re.compile(
    r"(?P<title>.*?)\s*\((?P<year>[0-9]{4})(?:\s*[-–]\s*(?:[0-9]{4})?)?\)\s*(?:\(V\))?", re.DOTALL
)
NO_GENRES = "(no genres listed)"
SPLITS = {"u": ("u1", "u2", "u3", "u4", "u5"), "ua": ("ua",), "ub": ("ub",)}  # of MovieLens 100k


def title_and_year(text: str) -> tuple[str, int | None]:
    """`Toy Story (1995)` -> ("Toy Story", 1995). Of a span of years the first counts; a "(V)", for video, goes."""
    found = TITLE.fullmatch(text.strip())
    return (found["title"], int(found["year"])) if found else (text.strip(), None)


def films_csv(content: bytes, where: str) -> Films:
    """`movies.csv`: movieId,title,genres in UTF-8; titles with commas are quoted, genres separated by "|"."""
    films: Films = {}
    text = _decoded(content, where, "utf-8").rstrip("\r\n")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if (header := next(reader, [])) != ["movieId", "title", "genres"]:
            raise _refusal(
                where, 1, ",".join(header), "expected the header line 'movieId,title,genres'"
            )
        for fields in reader:
            _add(films, where, reader.line_num, fields, ("movieId", "title", "genres"), _film)
    except csv.Error as error:
        raise _refusal(where, reader.line_num, "", f"{error}") from None
    return films


def films_dat(content: bytes, where: str, encoding: str) -> Films:
    """`movies.dat`: id::title::genres; latin-1 in MovieLens 1M, UTF-8 in 10M."""
    films: Films = {}
    for number, line in _lines(content, where, encoding):
        _add(films, where, number, line.split("::"), ("id", "title", "genres"), _film)
    return films


def films_item(content: bytes, where: str, genres: list[str]) -> Films:
    """`u.item`: id|title|release|video|url and a 0 or 1 for each of `genres`, latin-1."""
    films: Films = {}

    def film(fields: list[str]) -> Film:
        flags = fields[5:]
        if not set(flags) <= {"0", "1"}:
            raise ValueError("expected genre flags that are 0 or 1")
        chosen = tuple(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")
        return *title_and_year(fields[1]), chosen

    for number, line in _lines(content, where, "latin-1"):
        _add(
            films,
            where,
            number,
            line.split("|"),
            ("id", "title", "release", "video", "url", *genres),
            film,
        )
    return films


def films_atomic(content: bytes, where: str) -> Films:
    """RecBole's `.item`: a typed header line, tabs, the year split from the title, genres separated by blanks."""
    films: Films = {}

    def film(fields: list[str]) -> Film:
        _, title, year, genres = fields
        if title == "unkonwn":  # RecBole's slip for the film that u.item calls "unknown"
            return "unknown", None, tuple(genres.split())
        return *title_and_year(f"{title} ({year})"), tuple(genres.split())

    for number, line in _lines(content, where, "utf-8"):
        if number > 1:
            _add(films, where, number, line.split("\t"), ("id", "title", "year", "genres"), film)
    return films


def genre_names(content: bytes, where: str) -> list[str]:
    """`u.genre`: name|index, in the order of the flags in `u.item`."""
    names = []
    for number, line in _lines(content, where, "latin-1"):
        name, _, index = line.partition("|")
        if index != str(number - 1):
            raise _refusal(where, number, line, f"expected name|{number - 1}")
        names.append(name)
    return names


def user_facts(
    content: bytes, where: str, separator: str, names: tuple[str, ...], skip: int = 0
) -> Facts:
    """One line for each user: the raw id, then what `names` says, as text, latin-1; `skip` header lines."""
    facts: Facts = {}

    def values(fields: list[str]) -> tuple[str, ...]:
        if not re.fullmatch("[0-9]{1,3}", age := fields[1 + names.index("age")]):
            raise ValueError(f"expected an age in years, got {age[:20]!r}")
        return tuple(fields[1:])

    for number, line in _lines(content, where, "latin-1"):
        if number > skip:
            _add(facts, where, number, line.split(separator), ("id", *names), values)
    return facts


def official_splits(archive: Archive, lines: Lines, layout: Layout) -> dict[str, tuple[Rows, ...]]:
    """The test rows of u1 to u5, ua and ub, as far as their files are inside.

    UsageError if a .test file holds a rating that is not in `lines`, or if .base and .test are not all of `lines`.
    """
    splits = {}
    for name, parts in SPLITS.items():
        if all(archive.find(f"{part}.test") for part in parts):
            splits[name] = tuple(_test_rows(archive, part, lines, layout) for part in parts)
    return splits


def leading_splits(users: NDArray[np.int32]) -> dict[str, tuple[Rows, ...]]:
    """The splits ua and ub made again, as the archive's `allbut.pl` makes them from `u.data`.

    ua tests on each user's first ten ratings in the order of the file, ub on the ten after them.
    """
    order = np.argsort(users, kind="stable")
    starts = np.searchsorted(users[order], users[order])
    places = np.empty(len(users), np.int64)
    places[order] = np.arange(len(users)) - starts
    return {
        "ua": (np.flatnonzero(places < 10),),
        "ub": (np.flatnonzero((places >= 10) & (places < 20)),),
    }


def _test_rows(archive: Archive, part: str, lines: Lines, layout: Layout) -> Rows:
    rows = []
    for ending in ("test", "base"):
        member = archive.need(f"{part}.{ending}")
        with archive.open(member) as file:
            found = read_lines(file, archive.where(member), layout)
        rows.append(_rows(found, lines))
    everything = np.sort(np.concatenate(rows))
    if not np.array_equal(everything, np.arange(len(lines))):
        problem = f"{part}.base and {part}.test are not the ratings of u.data, each once"
        raise UsageError(f"{archive.path}: {problem}. Fetch the archive again.")
    return np.sort(rows[0])


def _rows(found: Lines, lines: Lines) -> Rows:
    """The row of each rating of `found` in `lines`."""
    known, wanted = (part.users.astype(np.int64) << 32 | part.items for part in (lines, found))
    order = np.argsort(known)
    rows: Rows = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(order) - 1)]
    same = (
        (known[rows] == wanted)
        & (lines.values[rows] == found.values)
        & (lines.times[rows] == found.times)
    )
    if not same.all():
        where = found.describe(int(np.argmin(same)))
        raise UsageError(f"{where}: this rating is not in {lines.where}. Fetch the archive again.")
    return rows


def _film(fields: list[str]) -> Film:
    genres = () if fields[2] in ("", NO_GENRES) else tuple(fields[2].split("|"))
    return *title_and_year(fields[1]), genres


def _add(
    known: dict[int, T],
    where: str,
    number: int,
    fields: list[str],
    names: tuple[str, ...],
    make: Callable[[list[str]], T],
) -> None:
    """Add what `make` makes of the line `fields` to `known`, under the raw id in its first field."""
    shown = f"{len(names)} columns {', '.join(names[:5])}" + ("" if len(names) <= 5 else ", ...")
    problem = ""
    if len(fields) != len(names):
        problem = f"expected {shown}, got {len(fields)}; the file may be cut off"
    elif not (re.fullmatch("[1-9][0-9]{0,9}", fields[0]) and int(fields[0]) <= LAST_ID):
        problem = f"expected an id from 1 to {LAST_ID}, got {fields[0][:20]!r}"
    elif int(fields[0]) in known:
        problem = "this id came before"
    else:
        try:
            known[int(fields[0])] = make(fields)
        except ValueError as error:
            problem = str(error)
    if problem:
        raise _refusal(where, number, "|".join(fields), problem)


def _lines(content: bytes, where: str, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; they end in LF or CRLF, and blank ones may follow the last."""
    text = _decoded(content, where, encoding).rstrip("\r\n")
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # splitlines would also cut at latin-1's \x85
        yield number, line.removesuffix("\r")


def _decoded(content: bytes, where: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        line = content.split(b"\n")[number - 1].decode("latin-1")
        raise _refusal(
            where, number, line, f"expected {encoding.upper()}, which byte {error.start} is not"
        ) from None


def _refusal(where: str, number: int, line: str, problem: str) -> UsageError:
    shown = f" {line[:60]!r}:" if line else ""
    return UsageError(
        f"{where}, line {number}:{shown} {problem}. Mend the line or fetch the file again."
    )
