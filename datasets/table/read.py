"""From a file to its columns of interest: text in every dialect, and Parquet."""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.dialect import BLANKS, Form, separator_of, shape, unpacked

CHUNK_ROWS = 100_000
Names = Callable[
    [list[str]], dict[str, int]
]  # from the header's names to the position of each role's column


@dataclass(frozen=True)
class Columns:
    """The columns that play a role, as integers, floats, dates or categories of text; null where nothing stood.

    `where` gives, for a row's number, what errors call the row and, if it is known, the text of its fields.
    """

    shown: Path
    names: dict[str, str]  # of each role's column in the file
    series: dict[str, pl.Series]
    where: Callable[[int], tuple[str, dict[str, str]]]
    has_header: bool = True

    def refuse(self, role: str, bad: pl.Series, expected: str) -> None:
        """UsageError for the first row that is `bad`, with its line, its column and what stood there."""
        if bad.any():
            row = int(bad.arg_max() or 0)
            place, texts = self.where(row)
            came = texts.get(role, self.series[role][row])
            raise UsageError(
                f"{self.shown}, {place}: expected {expected} in column {self.names[role]!r}, "
                f"got {'' if came is None else came!r}. Correct the {place.split()[0]}, or leave it out."
            )


class Reading(NamedTuple):
    """How polars reads a column: as what, and what is made of it. What cannot be read is null."""

    kind: type[pl.DataType]
    meaning: Callable[[pl.Expr], pl.Expr] = lambda column: column


TEXT = Reading(pl.Categorical)
MOMENT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:[0-5]\d"


def _moment(between: str) -> Callable[[pl.Expr], pl.Expr]:
    """Dates with times, `between` which stands a T or a blank."""

    def read(column: pl.Expr) -> pl.Expr:
        moment = column.str.to_datetime(f"%Y-%m-%d{between}%H:%M:%S", strict=False, time_unit="ms")
        return pl.when(column.str.contains(f"^{MOMENT}$")).then(moment)

    return read


def read_columns(
    file: Path, choose: Names, separator: str, encoding: str, as_text: frozenset[str]
) -> Columns:
    """The columns that `choose` picks from the header; UsageError for a file that is no such table.

    Roles in `as_text` are never read as numbers. A first line of nothing but numbers is no header: its columns are
    then called "1", "2", "3" and so on.
    """
    with unpacked(file) as plain, plain.open("rb") as start:
        if start.read(4) == b"PAR1" or file.suffix.lower() == ".parquet":
            return _parquet(file, choose)
        form = Form(separator_of(plain, file, separator, encoding), encoding, file)
        return _Text(file, plain, form, choose, as_text).read()


def _parquet(file: Path, choose: Names) -> Columns:
    try:
        lazy = pl.scan_parquet(file, glob=False)
        header = lazy.collect_schema().names()
        chosen = {role: header[position] for role, position in choose(header).items()}
        frame = lazy.select(**{role: pl.col(name) for role, name in chosen.items()}).collect(
            engine="streaming"
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(
            f"{file} cannot be read as Parquet: {error}. Write or fetch it again."
        ) from None
    if not len(frame):
        raise UsageError(f"{file}: expected ratings below the header, found none")
    return Columns(file, chosen, frame.to_dict(), lambda row: (f"row {row + 1}", {}))


class _Text:
    """A text table on its way from lines to columns: by polars if its bytes allow it, else record by record."""

    def __init__(
        self, shown: Path, file: Path, form: Form, choose: Names, as_text: frozenset[str]
    ) -> None:
        self.shown, self.file, self.form, self.as_text = shown, file, form, as_text
        self.shape = shape(file, form)  # refuses what is no text before anything decodes it
        start = list(islice(form.records(file), 2))
        if not start:
            raise UsageError(f"{shown} is empty: expected a header line and one rating a line")
        names = [name.strip(BLANKS) for name in start[0][1]]
        self.has_header = not (len(names) > 2 and all(map(_is_number, names)))
        if not self.has_header:
            names = [str(position + 1) for position in range(len(names))]
        self.roles, self.width = choose(names), len(names)
        self.names = {role: names[position] for role, position in self.roles.items()}
        if len(start) <= self.has_header:
            raise UsageError(f"{shown}: expected ratings below the header line, found none")
        self.first_line, self.sample = start[int(self.has_header)]

    def read(self) -> Columns:
        frame = self._fast()
        series = (self._slow() if frame is None else frame).to_dict()
        return Columns(self.shown, self.names, series, self._place, self.has_header)

    def _fast(self) -> pl.DataFrame | None:
        """What polars reads, or None if it might not be what stands in the file."""
        n_rows = self.shape.rows - self.has_header
        doubled = (
            2 if self.form.separator == "::" else 1
        )  # polars sees an empty column in each "::"
        width = (self.width - 1) * doubled
        marked = self.sample[0].startswith(
            "\ufeff"
        )  # polars drops a byte order mark there, though it is none
        exact = (
            not marked and self.shape.fewest == self.shape.most == width
        )  # polars takes other lines without a word
        if not (
            exact and self.shape.regular and (self.form.encoding == "utf-8" or self._is_ascii())
        ):
            return None
        for readings in ({role: self._reading(role) for role in self.roles}, {}):
            with suppress(
                pl.exceptions.PolarsError
            ):  # not all of a column is what its first row is
                frame = self._scan(readings, doubled)
                unread = readings and any(
                    frame.null_count().row(0)
                )  # not numbers, or nothing: text will tell
                if (
                    len(frame) == n_rows
                    and not unread
                    and not ("gap" in frame.columns and frame["gap"].any())
                ):
                    return frame.select(*self.roles)
        return None

    def _is_ascii(self) -> bool:
        with self.file.open("rb") as binary:
            return all(block.isascii() for block in iter(lambda: binary.read(1 << 20), b""))

    def _reading(self, role: str) -> Reading:
        """How to read a column whose first field is like that: as numbers if this cannot change what it says."""
        text = self.sample[self.roles[role]] if len(self.sample) == self.width else ""
        plain = self.shape.plain
        whole = text.lstrip("-").isdecimal()
        if role in ("user", "item"):
            return Reading(
                pl.Int64 if plain and whole and role not in self.as_text else pl.Categorical
            )
        if role == "rating":
            return (
                Reading(pl.Float64)
                if plain
                else Reading(pl.String, lambda column: column.cast(pl.Float64, strict=False))
            )
        if whole:
            return (
                Reading(pl.Int64)
                if plain
                else Reading(pl.String, lambda column: column.cast(pl.Int64, strict=False))
            )
        return (
            Reading(pl.String, _moment(text[10]))
            if re.fullmatch(MOMENT, text)
            else Reading(pl.Categorical)
        )

    def _scan(self, readings: Mapping[str, Reading], doubled: int) -> pl.DataFrame:
        """The columns by polars, as text where no reading is given; and `gap`, where a "::" is no pair of colons."""
        at = {position * doubled: readings.get(role, TEXT) for role, position in self.roles.items()}
        width = (self.width - 1) * doubled + 1
        lazy = pl.scan_csv(
            self.file,
            has_header=False,
            skip_lines=self.first_line - 1,
            schema={
                f"c{position}": at[position].kind if position in at else pl.String
                for position in range(width)
            },
            separator=self.form.separator[0],
            quote_char=None if doubled > 1 else '"',
            glob=False,
        )
        columns = {}
        for role, position in self.roles.items():
            columns[role] = readings.get(role, TEXT).meaning(pl.col(f"c{position * doubled}"))
        gaps = (
            [pl.col(f"c{position}").is_not_null() for position in range(1, width, 2)]
            if doubled > 1
            else []
        )
        frame = lazy.select(
            **columns, **({"gap": pl.any_horizontal(*gaps)} if gaps else {})
        ).collect(engine="streaming")
        if len(frame) != self.shape.rows - self.has_header:  # blank lines
            frame = frame.filter(~pl.all_horizontal(pl.col(*self.roles).is_null()))
        return frame

    def _slow(self) -> pl.DataFrame:
        """The same columns record by record. UsageError for the first whose number of fields is not the header's."""
        records, chunks = islice(self.form.records(self.file), self.has_header, None), []
        while chunk := list(islice(records, CHUNK_ROWS)):
            for line, fields in chunk:
                if len(fields) != self.width:
                    raise UsageError(
                        f"{self.shown}, line {line}: expected {self.width} fields, as in the first line, got "
                        f"{len(fields)}: {self.form.separator.join(fields)[:100]!r}. Correct the line."
                    )
            texts = {
                role: [fields[position] for _, fields in chunk]
                for role, position in self.roles.items()
            }
            chunks.append(pl.DataFrame(texts).cast(pl.Categorical))
        return pl.concat(chunks)

    def _place(self, row: int) -> tuple[str, dict[str, str]]:
        with unpacked(self.shown) as file:  # the first copy may be gone by now
            line, fields = next(islice(self.form.records(file), row + self.has_header, None))
        return f"line {line}", {role: fields[position] for role, position in self.roles.items()}


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
