"""What the user has typed behind `table:`, and how a message spells what to type instead."""

from dataclasses import asdict, dataclass, fields
from typing import Literal

from recbench.datasets.foundation import format_spec
from recbench.datasets.transforms import Policy

Encoding = Literal["utf-8", "latin-1", "cp1252"]
Ids = Literal["auto", "text"]
Quote = Literal["auto", "double", "none"]
Header = Literal["auto", "none"]
Layout = Literal["long", "wide"]
Decimal = Literal["auto", ".", ","]
Overviews = Literal["none", "films"]

NONE = "none"  # time=none: a column that is called like one is none; rating=none: all are positives
COUNT = "count"  # rating=count: counts of plays or purchases, not ratings


@dataclass(frozen=True)
class TableOptions:
    """What the user has given with the file; "" and "auto" leave it to the loader."""

    user: str = ""
    item: str = ""
    rating: str = ""
    time: str = ""
    count: str = ""
    sep: str = ""
    quote: Quote = "auto"
    header: Header = "auto"
    layout: Layout = "long"
    decimal: Decimal = "auto"
    scale: str = ""
    missing: str = ""
    where: str = ""
    time_format: str = ""
    duplicates: Policy = "last"
    encoding: Encoding = "utf-8"
    ids: Ids = "auto"
    member: str = ""
    items: str = ""
    items_id: str = ""
    items_title: str = ""
    overviews: Overviews = "none"

    @property
    def is_implicit(self) -> bool:
        """Whether the user has said that the table has no ratings: all positives, or counts."""
        return self.rating in (NONE, COUNT) or self.count != ""


@dataclass(frozen=True)
class TableRequest:
    """A table as it was asked for: its path as it was typed, and the options."""

    path: str
    options: TableOptions

    def spell(self, **changes: str) -> str:
        """What to type for the same table with these options changed; "" takes one away.

        >>> TableRequest("a.csv", TableOptions(sep=";")).spell(time="none")
        'table:a.csv[sep=;,time=none]'
        """
        given = {**asdict(self.options), **changes}
        defaults = {field.name: field.default for field in fields(TableOptions)}
        parameters = {
            name: value for name, value in given.items() if value and value != defaults[name]
        }
        return format_spec(f"table:{self.path}", parameters)
