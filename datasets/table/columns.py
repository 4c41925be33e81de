"""The columns of a table that play a role: how they are usually called, and what they hold."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import ColumnProfile
from recbench.datasets.table.options import TableOptions, TableRequest

# The names of each role's column, written as `plain_name` writes them
# fmt: off
USUAL_NAMES = {
    "user": (
        "user", "userid", "users", "uid", "customer", "customerid", "custid", "reviewer",
        "reviewerid", "username", "profilename", "reviewprofilename", "author", "authorid",
        "member", "memberid", "account", "accountid", "visitor", "visitorid", "viewer", "viewerid",
        "reader", "readerid", "player", "playerid", "steamid", "person", "personid", "client",
        "clientid", "consumer", "consumerid", "student", "studentid", "learner", "learnerid",
        "nutzer", "benutzer", "utilisateur", "usuario",
    ),
    "item": (
        "item", "itemid", "items", "iid", "movie", "movieid", "film", "filmid", "book", "bookid",
        "isbn", "product", "productid", "asin", "song", "songid", "artist", "artistid", "joke",
        "jokeid", "anime", "animeid", "recipe", "recipeid", "business", "businessid", "game",
        "gameid", "app", "appid", "track", "trackid", "video", "videoid", "beer", "beerid",
        "beerbeerid", "restaurant", "restaurantid", "hotel", "hotelid", "place", "placeid",
        "venue", "venueid", "course", "courseid", "article", "articleid", "news", "newsid",
        "manga", "mangaid", "album", "albumid", "show", "showid", "wine", "wineid", "content",
        "contentid", "sku", "stockcode", "gmapid", "postid", "artikel", "produkt", "buch",
        "livre", "pelicula", "libro",
    ),
    "rating": (
        "rating", "ratings", "stars", "score", "value", "overall", "bookrating", "starrating",
        "reviewoverall", "reviewrating", "reviewscore", "userrating", "userscore", "myscore",
        "star", "points", "grade",
        "preference", "relevance", "bewertung", "calificacion",
    ),
    "time": (
        "timestamp", "time", "unixreviewtime", "unixtime", "datetime", "date", "ratedat",
        "reviewtime", "reviewdate", "ratingdate", "ratingtimestamp", "ratingtime",
        "reviewtimestamp", "dateadded", "createdat", "tstamp", "ts",
        "eventtime", "submissiondate", "datum", "fecha",
    ),
}
COUNT_NAMES = (
    "plays", "playcount", "weight", "count", "counts", "hours", "playtime", "playtimeforever",
    "hoursplayed", "listens", "clicks", "views", "quantity", "qty", "purchases", "n", "freq",
    "frequency", "times", "listencount", "watchcount", "viewcount", "clickcount", "numplays",
    "totalplays", "amount",
)
ROW_NAMES = (  # of columns that number the rows
    "", "index", "id", "rowid", "row", "unnamed0", "reviewid", "ratingid", "orderid", "sessionid",
    "eventid", "transactionid",
)
# Words in the names of columns that are no ratings, whatever stands in them
OTHER_WORDS = frozenset({
    "price", "cost", "sales", "sale", "discount", "disc", "age", "year", "month", "day", "hour",
    "minute", "second", "week", "date", "time", "lat", "lon", "lng", "latitude", "longitude",
    "duration", "length", "size", "category", "cat", "status", "code", "zip", "pin", "votes",
    "helpful", "funny", "useful", "cool", "page", "step", "rank", "position", "channel", "store",
    "city", "country", "id", "key", "no", "nr", "number", "ms", "isbn",
})
EVENT_WORDS = frozenset({
    "type", "action", "behavior", "behaviour", "event", "activity", "interaction",
})
# What events are called that one would count as positives, the likeliest first
POSITIVE_KINDS = ("play", "buy", "purchase", "order", "transaction", "like", "click", "pv", "view")
# What columns of ids that have no usual name end with, and what is part of their names
ID_ENDINGS = ("id", "code", "key", "no", "nr", "md5")
STEMS = {
    "user": (
        "user", "customer", "member", "reviewer", "person", "client", "account", "household",
        "visitor", "author", "buyer", "player", "viewer", "student", "respondent", "worker",
    ),
    "item": (
        "item", "movie", "film", "book", "product", "game", "song", "artist", "place", "article",
        "stock", "sku", "asin", "isbn", "post", "course", "video", "track", "recipe", "business",
        "restaurant", "hotel", "beer", "anime", "joke", "title", "album", "venue", "poi", "show",
    ),
}
# fmt: on
ROLES = tuple(USUAL_NAMES)
BLANKS = " \t\u00a0"  # what is ignored around names and values
N_SAMPLE = 1_000  # records that are looked at before the columns are chosen
LONGEST_SHOWN = 60  # characters of a field in a message
LONGEST_NAME_SHOWN = 40
N_COLUMNS_SHOWN = 12

Records = Sequence[Sequence[str]]  # the first of a table, as text


def plain_name(name: str) -> str:
    """A column's name as it is compared, without case, blanks, marks and RecBole's type.

    >>> [plain_name(name) for name in ("Movie ID", "movie_id:token", "rating (1-5)")]
    ['movieid', 'movieid', 'rating']
    """
    without_type = name.partition(":")[0].partition("(")[0]
    return re.sub(r"[ _./-]", "", without_type.strip(BLANKS).lower())


KNOWN_NAMES = frozenset(name for names in USUAL_NAMES.values() for name in names if len(name) > 2)


def name_columns(records: Records, has_header: bool) -> list[str]:
    """The names of all columns; "1", "2", "3" and so on if there is no header."""
    if has_header:
        return [name.strip(BLANKS) for name in records[0]]
    return [str(position + 1) for position in range(len(records[0]))]


@dataclass(frozen=True)
class ColumnChoice:
    """Which columns of a table play a role: what they are called, and where they stand.

    A role is "user", "item", "rating", "time", "where" or "id", "title", "year", "genres".
    """

    header: list[str]  # names of all columns; "1", "2", "3" where the file has none
    positions: dict[str, int]  # by role
    n_header: (
        int  # records above the first row: 0 without a header, 1 with one, 3 in Orange's files
    )
    remarks: tuple[str, ...] = ()
    free_text: str = ""  # the role whose column takes what is too much on a line; "" if none does


@dataclass(frozen=True)
class TableStart:
    """The beginning of a table, by which its columns are chosen, and a message names them."""

    request: TableRequest
    file: Path
    header: list[str]
    n_header: int
    profiles: list[ColumnProfile]
    rows: Records
    first: Sequence[str]  # the very first record, names or not
    n_records: int  # with those that have more or fewer fields than the first

    @property
    def has_header(self) -> bool:
        """Whether the columns have names."""
        return self.n_header > 0

    @property
    def options(self) -> TableOptions:
        """What the user has given."""
        return self.request.options

    def plain_name_of(self, position: int) -> str:
        """The name of a column as it is compared."""
        return plain_name(self.header[position])

    def words_in_name(self, position: int) -> set[str]:
        """The words in a column's name, in lower case, as in play_count or playCount."""
        found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", self.header[position])
        return {word.lower() for word in found}

    def spell_column(self, position: int) -> str:
        """How a column is named by the user: by its name if that is clear, else by its number."""
        name = self.header[position]
        is_clear = name != "" and self.header.count(name) == 1
        return name if is_clear else str(position + 1)

    def list_columns(self) -> str:
        """The names of the columns, not all of many, and cut where they are long."""
        shown = [repr(name[:LONGEST_NAME_SHOWN]) for name in self.header[:N_COLUMNS_SHOWN]]
        if len(self.header) > N_COLUMNS_SHOWN:
            shown.append(f"... ({len(self.header):,} in all)")
        return ", ".join(shown) or "none"

    def roles_needed(self) -> list[str]:
        """The roles that must have a column."""
        if self.options.is_implicit:
            return ["user", "item"]
        return ["user", "item", "rating"]

    def may_be_ratings(self, position: int) -> bool:
        """Whether a column may be proposed as ratings, by its name and what it holds."""
        profile = self.profiles[position]
        is_count = plain_name(profile.name) in COUNT_NAMES
        is_other = bool(profile.numbers) and not profile.could_be_ratings
        is_called_otherwise = bool(self.words_in_name(position) & (OTHER_WORDS | EVENT_WORDS))
        return not is_count and not is_other and not is_called_otherwise


# From the first records of a file, as text, to the columns that play a role; the second says
# whether the first record is known to be the names
ChooseColumns = Callable[[Records, bool], ColumnChoice]


class Place(NamedTuple):
    """What errors call a row, such as "line 7", and the text that stands in its roles' fields."""

    name: str
    texts: dict[str, str]  # by role; empty if it is not known


@dataclass(frozen=True)
class Columns:
    """The columns that play a role: integers, floats, dates or categories of text.

    Null where nothing stood. All have one entry for each row of the file.
    """

    file: Path
    names: dict[str, str]  # what the file calls the column of each role
    series: dict[str, pl.Series]  # by role
    place_of_row: Callable[[int], Place]
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.series.values())))

    def keep(self, is_kept: pl.Series) -> "Columns":
        """The same without the rows for which the boolean `is_kept` is false."""
        rows = np.flatnonzero(is_kept.to_numpy())
        place_of_row = self.place_of_row
        return replace(
            self,
            series={role: series.gather(rows) for role, series in self.series.items()},
            place_of_row=lambda row: place_of_row(int(rows[row])),
        )

    def count(self, bad: pl.Series) -> str:
        """How many rows are `bad`, and which is the first: "1 of 173 lines, line 6"."""
        n_bad = int(bad.sum())
        place = self.place_of_row(int(bad.arg_max() or 0))
        return count_places(n_bad, len(bad), place.name)

    def show(self, role: str, row: int) -> str:
        """What stands in the column of `role` in a row, as the file writes it where that is known.

        Cut, if it is long.
        """
        content = self.place_of_row(row).texts.get(role, self.series[role][row])
        text = "" if content is None else str(content)
        return text[:LONGEST_SHOWN]

    def refuse_rows(
        self, role: str, bad: pl.Series, expected: str, advice: str | Callable[[], str] = ""
    ) -> None:
        """UsageError if a row is `bad`; `bad` has a boolean for each row.

        It says how many are, then the first one's line, its column, what was `expected` and what
        stood there, and the `advice`: without one, to correct the lines.
        """
        if not bad.any():
            return

        row = int(bad.arg_max() or 0)
        place = self.place_of_row(row)
        content = place.texts.get(role, self.series[role][row])
        shown = "" if content is None else content
        if callable(advice):
            advice = advice()
        if not advice:
            unit = place.name.split()[0]
            several = "" if int(bad.sum()) == 1 else "s"
            advice = f"Correct the {unit}{several}, or leave {'them' if several else 'it'} out."
        raise UsageError(
            f"{self.file}, {self.count(bad)}: expected {expected} in column "
            f"{self.names[role]!r}, got {shown!r:.80}. {advice}"
        )


def count_places(n_bad: int, n_all: int, first: str) -> str:
    """How many of the lines (or rows, records) something is said of, and the `first` of them.

    >>> count_places(1, 173, "line 6"), count_places(173, 173, "line 2")
    ('1 of 173 lines, line 6', 'all 173 lines, first line 2')
    """
    unit = first.split()[0]
    units = f"{unit}s"
    if n_all == 1:
        units = unit

    if n_bad == n_all and n_all > 1:
        return f"all {n_all:,} {units}, first {first}"
    if n_bad == 1:
        return f"1 of {n_all:,} {units}, {first}"
    return f"{n_bad:,} of {n_all:,} {units}, first {first}"
