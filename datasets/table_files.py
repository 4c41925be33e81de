"""From a file to its columns of interest: text in every dialect, and Parquet."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from datasets.spec import UsageError
from datasets.table_text import BLANKS, Form, separator_of, shape, unpacked

CHUNK_ROWS = 100_000
Names = Callable[[list[str]], dict[str, int]]  # from the header's names to the position of each role's column


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


def read_columns(file: Path, choose: Names, separator: str, encoding: str, as_text: frozenset[str]) -> Columns:
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
        frame = lazy.select(**{role: pl.col(name) for role, name in chosen.items()}).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"{file} cannot be read as Parquet: {error}. Write or fetch it again.") from None
    if not len(frame):
        raise UsageError(f"{file}: expected ratings below the header, found none")
    return Columns(file, chosen, frame.to_dict(), lambda row: (f"row {row + 1}", {}))


class _Text:
    """A text table on its way from lines to columns: by polars if its bytes allow it, else record by record."""

    def __init__(self, shown: Path, file: Path, form: Form, choose: Names, as_text: frozenset[str]) -> None:
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
        doubled = 2 if self.form.separator == "::" else 1  # polars sees an empty column in each "::"
        exact = self.shape.separators == self.shape.rows * (self.width - 1) * doubled
        if not (exact and self.shape.regular and (self.form.encoding == "utf-8" or self._is_ascii())):
            return None
        types = {role: self._type(role) for role in self.roles} if self.shape.plain else {}
        for guess in (types, {}) if types else ({},):
            with suppress(pl.exceptions.PolarsError):
                frame = self._scan(guess, doubled)
                if frame is not None and len(frame) == n_rows:
                    return frame
        return None

    def _is_ascii(self) -> bool:
        with self.file.open("rb") as binary:
            return all(block.isascii() for block in iter(lambda: binary.read(1 << 20), b""))

    def _type(self, role: str) -> type[pl.DataType]:
        text = self.sample[self.roles[role]] if len(self.sample) == self.width else ""
        if role == "rating":
            return pl.Float64
        return pl.Int64 if role not in self.as_text and text.lstrip("-").isdecimal() else pl.Categorical

    def _scan(self, types: Mapping[str, type[pl.DataType]], doubled: int) -> pl.DataFrame | None:
        """The columns by polars; blank lines are dropped. None if a line is shorter than the header."""
        at = {position * doubled: types.get(role, pl.Categorical) for role, position in self.roles.items()}
        width = (self.width - 1) * doubled + 1
        schema = {f"c{position}": at.get(position, pl.String) for position in range(width)}
        lazy = pl.scan_csv(
            self.file,
            has_header=False,
            skip_lines=self.first_line - 1,
            schema=schema,
            separator=self.form.separator[0],
            quote_char=None if doubled > 1 else '"',
            glob=False,
        )
        columns = {role: pl.col(f"c{position * doubled}") for role, position in self.roles.items()}
        gaps = [pl.col(f"c{position}").is_not_null() for position in range(1, width, 2)] if doubled > 1 else []
        frame = lazy.select(
            **columns, last=pl.col(f"c{width - 1}").is_null(), gap=pl.any_horizontal(pl.lit(value=False), *gaps)
        ).collect(engine="streaming")
        if frame["last"].any():
            frame = frame.filter(~(pl.col("last") & pl.all_horizontal(pl.col(*self.roles).is_null())))
        return None if frame["last"].any() or frame["gap"].any() else frame.drop("last", "gap")

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
            texts = {role: [fields[position] for _, fields in chunk] for role, position in self.roles.items()}
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
