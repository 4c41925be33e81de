"""The columns of a table that play a role, on their way from the file to ratings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recbench.datasets.foundation import UsageError

# From the names in the header to the position of each role's column; a role is "user", "item",
# "rating" or "time"
ChooseColumns = Callable[[list[str]], dict[str, int]]


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
    has_header: bool = True

    def refuse_rows(self, role: str, bad: pl.Series, expected: str) -> None:
        """UsageError for the first row that is `bad`, if one is; `bad` has a boolean for each row.

        It says the row's line, its column, what was `expected` and what stood there.
        """
        if not bad.any():
            return

        row = int(bad.arg_max() or 0)
        place = self.place_of_row(row)
        content = place.texts.get(role, self.series[role][row])
        shown = "" if content is None else content
        unit = place.name.split()[0]
        raise UsageError(
            f"{self.file}, {place.name}: expected {expected} in column {self.names[role]!r}, "
            f"got {shown!r}. Correct the {unit}, or leave it out."
        )
