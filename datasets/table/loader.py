"""The loader of `table:PATH`: anybody's own ratings in CSV, TSV or Parquet, packed or not."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from recbench.datasets import dataset
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from recbench.datasets.storage import load_cached
from recbench.datasets.table.items import plain_name, read_catalogue
from recbench.datasets.table.read import read_columns
from recbench.datasets.table.values import parse_scale, read_ids, read_ratings, read_times
from recbench.datasets.transforms import Policy, resolve_duplicates

PARSER = 2  # raise it when what is parsed from the same bytes changes

# The names of each role's column, written as `plain_name` writes them; the order of the roles is
# that of the columns of a file without a header
# fmt: off
USUAL_NAMES = {
    "user": (
        "user", "userid", "users", "uid", "customer", "customerid", "custid", "reviewer",
        "reviewerid",
    ),
    "item": (
        "item", "itemid", "items", "iid", "movie", "movieid", "film", "filmid", "book", "bookid",
        "isbn", "product", "productid", "asin", "song", "songid", "artist", "artistid", "joke",
        "jokeid", "anime", "animeid",
    ),
    "rating": ("rating", "ratings", "stars", "score", "value", "overall", "bookrating"),
    "time": ("timestamp", "time", "date", "datetime", "ratedat", "unixreviewtime"),
}
# fmt: on
NO_HEADER_REMARK = "No header line: the columns were taken in the order they have."
NO_TIME = "none"  # time=none: a column that is called like one is none

Encoding = Literal["utf-8", "latin-1"]
Ids = Literal["auto", "text"]


@dataclass(frozen=True)
class Options:
    """What the user has given with the file; "" leaves it to the loader."""

    user: str
    item: str
    rating: str
    time: str
    sep: str
    scale: str
    duplicates: Policy
    encoding: Encoding
    ids: Ids

    @property
    def names(self) -> dict[str, str]:
        """The name that was given for the column of each role, or ""."""
        return {"user": self.user, "item": self.item, "rating": self.rating, "time": self.time}


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
    encoding: Encoding = "utf-8",
    ids: Ids = "auto",
) -> Dataset:
    """Your own ratings: CSV, TSV or Parquet, also gzipped, one rating a line.

    Columns are recognised by their usual names (user, item, rating, optionally timestamp) or named
    by `user`, `item`, `rating` and `time`; the separator (comma, tab, semicolon, pipe or ::) by the
    first line, or named by `sep`. The scale is the narrowest usual one that holds all ratings and
    their steps, unless `scale=1:5` gives it. `items=PATH` names a file with the items' titles,
    years and genres. Of several ratings of one pair the last counts, or their mean, or they are an
    error: `duplicates`. Ids are integers if all are, unless `ids=text`. Users and items are indexed
    by first appearance; ratings keep the file's order. UsageError, with file and line, for what
    does not fit.
    """
    ratings_file = _existing_file("table:", path)
    items_file = _existing_file("items=", items) if items else None
    parse_scale(scale)  # refuses a bad one before anything is read

    options = Options(user, item, rating, time, sep, scale, duplicates, encoding, ids)
    sources = [ratings_file]
    if items_file:
        sources.append(items_file)
    return load_cached(
        f"table:{ratings_file.name}",
        sources,
        {**asdict(options), "parser": PARSER},
        partial(parse_table, ratings_file, items_file, options),
    )


def _existing_file(option: str, path: str) -> Path:
    """The file at `path`; UsageError, which begins with `option`, if there is none."""
    file = Path(path).expanduser()
    if not file.is_file():
        hint = " Parameters are written [key=value,...]." if path.endswith("]") else ""
        raise UsageError(f"{option}{path}: there is no file {file.absolute()}.{hint}")
    return file


def parse_table(ratings_file: Path, items_file: Path | None, options: Options) -> Dataset:
    """The data set in `ratings_file`, with the titles of `items_file` if there is one.

    Its remarks say what was inferred. UsageError, with file and line, for what does not fit.
    """
    as_text = options.ids == "text"
    text_roles = frozenset(("user", "item")) if as_text else frozenset[str]()
    choose = partial(_choose_columns, ratings_file, options.names)
    columns = read_columns(ratings_file, choose, options.sep, options.encoding, text_roles)
    remarks = [] if columns.has_header else [NO_HEADER_REMARK]

    # Each column is let go as soon as it is understood: 200 MB of 25 million ratings
    users, user_ids = read_ids(columns, "user", as_text)
    del columns.series["user"]
    items, item_ids = read_ids(columns, "item", as_text)
    del columns.series["item"]
    values, scale, scale_remark = read_ratings(columns, parse_scale(options.scale))
    del columns.series["rating"]
    remarks.append(scale_remark)
    times = None
    if "time" in columns.series:
        times, times_remark = read_times(columns)
        remarks.append(times_remark)
    columns.series.clear()

    def describe_row(row: int) -> str:
        """File and line of a row, for messages."""
        return f"{ratings_file}, {columns.place_of_row(row).name}"

    ratings = Ratings(users, items, values, len(user_ids), len(item_ids), scale, times)
    ratings, duplicates_step = resolve_duplicates(ratings, options.duplicates, describe_row)

    if items_file:
        catalogue, items_remark = read_catalogue(items_file, item_ids, options.encoding)
        remarks.append(items_remark)
    else:
        catalogue = _catalogue_of_ids(item_ids)

    provenance = Provenance(
        sources=(),
        licence="as its owner says",
        citation=f"{ratings_file.name}, given by the user",
        steps=(duplicates_step,) if duplicates_step else (),
        remarks=tuple(remarks),
    )
    name = f"table:{ratings_file.name}"
    return Dataset(name, ratings, catalogue, user_ids, item_ids, provenance)


def _catalogue_of_ids(item_ids: NDArray[Any]) -> Catalogue:
    """A catalogue that knows nothing but the items' ids, which are their titles."""
    n_items = len(item_ids)
    return Catalogue(
        titles=tuple(str(item_id) for item_id in item_ids.tolist()),
        years=(None,) * n_items,
        genres=((),) * n_items,
    )


def _choose_columns(file: Path, names: dict[str, str], header: list[str]) -> dict[str, int]:
    """The position of each role's column in `header`, by the names given or else the usual ones.

    No "time" if there is no such column. UsageError if another is missing, if several could be
    meant, or if one is meant twice.
    """
    positions: dict[str, int] = {}
    for role, given in names.items():
        position = _find_column(file, header, role, given)
        if position is not None:
            positions[role] = position

    for role, position in positions.items():
        for other in positions:
            if other != role and positions[other] == position:
                problem = f"column {header[position]!r} cannot be both {role} and {other}"
                raise UsageError(f"{file}: {problem}: name another")
    return positions


def _find_column(file: Path, header: list[str], role: str, given: str) -> int | None:
    """The position in `header` of the column for `role`, called `given` if that is not "".

    None if there is no time. UsageError if there is not exactly one such column.
    """
    if role == "time" and given == NO_TIME and NO_TIME not in header:
        return None

    has_no_header = all(name.isdecimal() for name in header)
    if has_no_header and not given and len(header) in (3, 4):
        position = list(USUAL_NAMES).index(role)
        return position if position < len(header) else None

    if role == "rating" and re.fullmatch(r"-?[0-9.]+", given):
        raise UsageError(
            f"{file}, line 1: {given!r} looks like a rating, not like the name of a column. If the "
            "file has no header line, write one above its first line."
        )

    if given:
        positions = _positions_where(name == given for name in header)
    else:
        positions = _positions_where(plain_name(name) in USUAL_NAMES[role] for name in header)
    if len(positions) == 1:
        return positions[0]
    if role == "time" and not given and not positions:
        return None

    article = "an" if role == "item" else "a"
    wanted = repr(given) if given else f"one of {', '.join(USUAL_NAMES[role])}"
    problem = "more than one fits" if positions else "none fits"
    raise UsageError(
        f"{file}, line 1: expected {article} {role} column, {wanted}, but {problem}; the columns "
        f"are {', '.join(map(repr, header))}. Name it: table:{file}[{role}=COLUMN]"
    )


def _positions_where(flags: Iterable[bool]) -> list[int]:
    """The positions of those that are true."""
    return [position for position, flag in enumerate(flags) if flag]
