"""Anybody's own ratings: CSV, TSV or Parquet, packed or not."""

import re
from functools import partial
from pathlib import Path
from typing import Literal

from recbench.datasets import dataset
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from recbench.datasets.storage import load_cached
from recbench.datasets.table.items import catalogue, plain_name
from recbench.datasets.table.read import read_columns
from recbench.datasets.table.values import raw_ids, scale_of, times, values
from recbench.datasets.transforms import Policy, resolve_duplicates

PARSER = 2  # raise it when what is parsed from the same bytes changes
USUAL_NAMES = {  # without blanks, underscores and hyphens
    "user": (
        "user",
        "userid",
        "users",
        "uid",
        "customer",
        "customerid",
        "custid",
        "reviewer",
        "reviewerid",
    ),
    "item": (
        *(
            "item",
            "itemid",
            "items",
            "iid",
            "movie",
            "movieid",
            "film",
            "filmid",
            "book",
            "bookid",
            "isbn",
        ),
        *(
            "product",
            "productid",
            "asin",
            "song",
            "songid",
            "artist",
            "artistid",
            "joke",
            "jokeid",
            "anime",
            "animeid",
        ),
    ),
    "rating": ("rating", "ratings", "stars", "score", "value", "overall", "bookrating"),
    "time": ("timestamp", "time", "date", "datetime", "ratedat", "unixreviewtime"),
}


@dataset("table:PATH")
def table(
    path: str,
    *,
    user: str = "",
    item: str = "",
    rating: str = "",
    time: str = "",
    sep: str = "",
    scale: str = "",
    items: str = "",
    duplicates: Policy = "last",
    encoding: Literal["utf-8", "latin-1"] = "utf-8",
    ids: Literal["auto", "text"] = "auto",
) -> Dataset:
    """Your own ratings: CSV, TSV or Parquet, also gzipped, one rating a line.

    Columns are recognised by their usual names (user, item, rating, optionally timestamp) or named by `user`, `item`,
    `rating` and `time`; the separator (comma, tab, semicolon, pipe or ::) by the first line, or named by `sep`. The
    scale is the narrowest usual one that holds all ratings and their steps, unless `scale=1:5` gives it. `items=PATH`
    names a file with the items' titles, years and genres. Of several ratings of one pair the last counts, or their
    mean, or they are an error: `duplicates`. Ids are integers if all are, unless `ids=text`. Users and items are
    indexed by first appearance; ratings keep the file's order. UsageError, with file and line, for what does not fit.
    """
    files = [_existing("table:", path)] + ([_existing("items=", items)] if items else [])
    scale_of(scale)
    name = f"table:{files[0].name}"
    names = {"user": user, "item": item, "rating": rating, "time": time}
    how = {"sep": sep, "scale": scale, "duplicates": duplicates, "encoding": encoding, "ids": ids}
    return load_cached(
        name, files, {**names, **how, "parser": PARSER}, partial(_parse, name, files, names, how)
    )


def _existing(option: str, path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        hint = " Parameters are written [key=value,...]." if path.endswith("]") else ""
        raise UsageError(f"{option}{path}: there is no file {file.absolute()}.{hint}")
    return file


def _parse(name: str, files: list[Path], names: dict[str, str], how: dict[str, str]) -> Dataset:
    file, as_text = files[0], frozenset(("user", "item") if how["ids"] == "text" else ())
    columns = read_columns(
        file, partial(_choose, file, names), how["sep"], how["encoding"], as_text
    )
    on_header = (
        ""
        if columns.has_header
        else "No header line: the columns were taken in the order they have."
    )
    has_times = "time" in columns.series
    users, user_ids = raw_ids(columns, "user", bool(as_text))
    del columns.series["user"]  # 200 MB of 25 million ratings each, and no longer needed
    items, item_ids = raw_ids(columns, "item", bool(as_text))
    del columns.series["item"]
    stars, scale, on_scale = values(columns, scale_of(how["scale"]))
    del columns.series["rating"]
    seconds, on_times = times(columns) if has_times else (None, "")
    columns.series.clear()
    ratings = Ratings(users, items, stars, len(user_ids), len(item_ids), scale, seconds)
    policy: Policy = how["duplicates"]  # type: ignore[assignment]
    ratings, step = resolve_duplicates(
        ratings, policy, lambda row: f"{file}, {columns.where(row)[0]}"
    )
    on_items, titles = "", tuple(map(str, item_ids.tolist()))
    about = Catalogue(titles, (None,) * len(titles), ((),) * len(titles))
    if len(files) > 1:
        about, on_items = catalogue(files[1], item_ids, how["encoding"])
    remarks = tuple(filter(None, (on_header, on_scale, on_times, on_items)))
    steps = (step,) if step else ()
    provenance = Provenance(
        (), "as its owner says", f"{file.name}, given by the user", steps=steps, remarks=remarks
    )
    return Dataset(name, ratings, about, user_ids, item_ids, provenance)


def _choose(file: Path, names: dict[str, str], header: list[str]) -> dict[str, int]:
    """The position of each role's column in `header`. UsageError if one is missing or two could be meant."""
    at = {
        role: found
        for role, given in names.items()
        if (found := _position(file, header, role, given)) is not None
    }
    for role, position in at.items():
        twin = next((other for other in at if other != role and at[other] == position), None)
        if twin:
            raise UsageError(
                f"{file}: column {header[position]!r} cannot be both {role} and {twin}: name another"
            )
    return at


def _position(file: Path, header: list[str], role: str, given: str) -> int | None:
    if role == "time" and given == "none" and "none" not in header:
        return None
    bare = all(map(str.isdecimal, header))  # no header line
    if bare and not given and len(header) in (3, 4):
        place = list(USUAL_NAMES).index(role)
        return place if place < len(header) else None
    if role == "rating" and re.fullmatch(r"-?[0-9.]+", given):
        raise UsageError(
            f"{file}, line 1: {given!r} looks like a rating, not like the name of a column. If the file has no "
            "header line, write one above its first line."
        )
    if given:
        found = [position for position, name in enumerate(header) if name == given]
    else:
        found = [
            position
            for position, name in enumerate(header)
            if plain_name(name) in USUAL_NAMES[role]
        ]
    if len(found) == 1:
        return found[0]
    if not given and not found and role == "time":
        return None
    wanted = repr(given) if given else f"one of {', '.join(USUAL_NAMES[role])}"
    article = "an" if role == "item" else "a"
    problem = "more than one fits" if found else "none fits"
    raise UsageError(
        f"{file}, line 1: expected {article} {role} column, {wanted}, but {problem}; the columns are "
        f"{', '.join(map(repr, header))}. Name it: table:{file}[{role}=COLUMN]"
    )
