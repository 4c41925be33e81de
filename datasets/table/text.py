"""The columns of a text table: read by polars where its bytes allow that, else record by record."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import ChooseColumns, Columns, Place
from recbench.datasets.table.dialect import BLANKS, COLONS, Dialect, Record
from recbench.datasets.table.kinds import unpacked
from recbench.datasets.table.survey import Survey, survey_file

CHUNK_ROWS = 100_000
BLOCK_BYTES = 1 << 20
LONGEST_SHOWN = 100  # characters of a record in a message
BYTE_ORDER_MARK = "\ufeff"
DATE_AND_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:[0-5]\d"
BETWEEN_DATE_AND_TIME = 10  # where in it the T or the blank stands


class Reading(NamedTuple):
    """How polars reads a column: as which type, and what is made of that.

    What is not of the type becomes null, or makes polars give up.
    """

    dtype: type[pl.DataType]
    convert: Callable[[pl.Expr], pl.Expr] = lambda column: column


AS_TEXT = Reading(pl.Categorical)


@dataclass(frozen=True)
class TextTable:
    """A text table that has been looked at, and whose columns have been chosen."""

    file: Path  # the text without compression
    dialect: Dialect
    survey: Survey
    header: list[str]  # names of all columns
    positions: dict[str, int]  # of the column that plays each role
    has_header: bool
    first: Record  # of the records below the header, if there is one
    text_roles: frozenset[str]  # roles that are never read as numbers

    @property
    def n_rows(self) -> int:
        """Records that are not blank, without the header."""
        return self.survey.rows - self.has_header

    def place_of_row(self, row: int) -> Place:
        """Line and texts of row number `row`, read again from the file that the user has named.

        `file` may be a temporary copy that is gone by now.
        """
        with unpacked(self.dialect.origin) as file:
            records = self.dialect.read_records(file)
            line, fields = next(islice(records, row + self.has_header, None))
        texts = {role: fields[position] for role, position in self.positions.items()}
        return Place(f"line {line}", texts)


def read_text(
    plain: Path, dialect: Dialect, choose: ChooseColumns, text_roles: frozenset[str]
) -> Columns:
    """The columns that `choose` picks from the text `plain`; nothing in it is passed over.

    UsageError, with its line, for a byte, a quote or a number of fields that does not fit, and if
    there are no ratings.
    """
    table = _open_table(plain, dialect, choose, text_roles)
    frame = _read_with_polars(table)
    if frame is None:
        frame = _read_record_by_record(table)

    names = {role: table.header[position] for role, position in table.positions.items()}
    return Columns(
        dialect.origin, names, frame.to_dict(), table.place_of_row, has_header=table.has_header
    )


def _open_table(
    plain: Path, dialect: Dialect, choose: ChooseColumns, text_roles: frozenset[str]
) -> TextTable:
    """The table in `plain` before its columns are read.

    A first line of nothing but numbers is no header: its columns are then called "1", "2", "3" and
    so on. UsageError for a file that is no text, is empty, or has a header and nothing below it.
    """
    survey = survey_file(plain, dialect)  # refuses what is no text before anything decodes it
    start = list(islice(dialect.read_records(plain), 2))
    if not start:
        problem = "is empty: expected a header line and one rating a line"
        raise UsageError(f"{dialect.origin} {problem}")

    _, first_fields = start[0]
    header = [name.strip(BLANKS) for name in first_fields]
    has_header = not (len(header) > 2 and all(_is_number(name) for name in header))
    if not has_header:
        header = [str(position + 1) for position in range(len(header))]

    positions = choose(header)
    if len(start) <= has_header:
        problem = "expected ratings below the header line, found none"
        raise UsageError(f"{dialect.origin}: {problem}")
    return TextTable(
        file=plain,
        dialect=dialect,
        survey=survey,
        header=header,
        positions=positions,
        has_header=has_header,
        first=start[int(has_header)],
        text_roles=text_roles,
    )


def _read_with_polars(table: TextTable) -> pl.DataFrame | None:
    """The columns by role as polars reads them, or None if that might not be what the file says.

    Columns are first read as what their first field is; where that fails, all are read as text.
    """
    if not _is_fit_for_polars(table):
        return None

    typed = {role: _reading_of_column(table, role) for role in table.positions}
    frame = _scan_completely(table, typed)
    if frame is None:
        frame = _scan_completely(table, {})
    return frame


def _is_fit_for_polars(table: TextTable) -> bool:
    """Whether polars splits this table into the same records and fields as csv does."""
    # Polars takes records of other lengths without a word
    n_separators = (len(table.header) - 1) * _columns_between(table)
    same_length = table.survey.fewest == table.survey.most == n_separators

    # Polars drops a byte order mark before the first row, though it is none there
    _, first_fields = table.first
    starts_marked = first_fields[0].startswith(BYTE_ORDER_MARK)

    if starts_marked or not same_length or not table.survey.regular:
        return False
    return table.dialect.encoding == "utf-8" or _is_ascii(table.file)


def _columns_between(table: TextTable) -> int:
    """How many columns further polars sees the next field: two with "::", which it sees as ":"."""
    return 2 if table.dialect.separator == COLONS else 1


def _is_ascii(file: Path) -> bool:
    """Whether all bytes of `file` mean the same in every encoding."""
    with file.open("rb") as binary:
        while block := binary.read(BLOCK_BYTES):
            if not block.isascii():
                return False
    return True


def _reading_of_column(table: TextTable, role: str) -> Reading:
    """How to read the column of `role`, judged by its first field.

    As numbers only if that cannot change what the column says.
    """
    _, fields = table.first
    text = fields[table.positions[role]] if len(fields) == len(table.header) else ""
    is_whole = text.lstrip("-").isdecimal()

    if role in ("user", "item"):
        if table.survey.plain and is_whole and role not in table.text_roles:
            return Reading(pl.Int64)
        return AS_TEXT
    if role == "rating":
        return _reading_of_numbers(table, pl.Float64)
    if is_whole:
        return _reading_of_numbers(table, pl.Int64)
    if re.fullmatch(DATE_AND_TIME, text):
        return Reading(pl.String, _converter_of_dates(text[BETWEEN_DATE_AND_TIME]))
    return AS_TEXT


def _reading_of_numbers(table: TextTable, dtype: type[pl.DataType]) -> Reading:
    """Numbers of `dtype`: straight away, or by way of text where quotes or blanks surround some."""
    if table.survey.plain:
        return Reading(dtype)
    return Reading(pl.String, lambda column: column.cast(dtype, strict=False))


def _converter_of_dates(between: str) -> Callable[[pl.Expr], pl.Expr]:
    """A function from text to dates with times, `between` which stands a T or a blank.

    Whatever is written in another way becomes null.
    """

    def convert_dates(column: pl.Expr) -> pl.Expr:
        """Dates with times, null where the text is written in another way."""
        dates = column.str.to_datetime(f"%Y-%m-%d{between}%H:%M:%S", strict=False, time_unit="ms")
        return pl.when(column.str.contains(f"^{DATE_AND_TIME}$")).then(dates)

    return convert_dates


def _scan_completely(table: TextTable, readings: Mapping[str, Reading]) -> pl.DataFrame | None:
    """The columns by role, as text where no reading is given.

    None if polars gives up, reads another number of rows, or with `readings` leaves a field empty:
    then not all of a column is what its first field is, or nothing stands there, and text tells.
    """
    try:
        frame = _scan_columns(table, readings)
    except pl.exceptions.PolarsError:
        return None

    if len(frame) != table.n_rows:
        return None
    if readings and any(frame.null_count().row(0)):
        return None
    if "gap" in frame.columns and frame["gap"].any():
        return None
    return frame.select(*table.positions)


def _scan_columns(table: TextTable, readings: Mapping[str, Reading]) -> pl.DataFrame:
    """The columns by role as polars reads them, as text where no reading is given.

    Between "::" there is one more column, `gap`: true where that is no pair of colons. PolarsError
    where a field is not of its type.
    """
    step = _columns_between(table)
    width = (len(table.header) - 1) * step + 1
    schema: dict[str, type[pl.DataType]] = {f"c{position}": pl.String for position in range(width)}
    columns: dict[str, pl.Expr] = {}
    for role, position in table.positions.items():
        name = f"c{position * step}"
        reading = readings.get(role, AS_TEXT)
        schema[name] = reading.dtype
        columns[role] = reading.convert(pl.col(name))
    if step > 1 and width > 1:
        gaps = [pl.col(f"c{position}").is_not_null() for position in range(1, width, step)]
        columns["gap"] = pl.any_horizontal(*gaps)

    first_line, _ = table.first
    lazy = pl.scan_csv(
        table.file,
        has_header=False,
        skip_lines=first_line - 1,
        schema=schema,
        separator=table.dialect.separator[0],
        quote_char='"' if step == 1 else None,
        glob=False,
    )
    frame = lazy.select(**columns).collect(engine="streaming")

    # Blank lines are rows of nothing to polars
    if len(frame) != table.n_rows:
        is_blank = pl.all_horizontal(pl.col(*table.positions).is_null())
        frame = frame.filter(~is_blank)
    return frame


def _read_record_by_record(table: TextTable) -> pl.DataFrame:
    """The columns by role as categories of text.

    UsageError, with its line, for the first record whose number of fields is not the header's.
    """
    records = islice(table.dialect.read_records(table.file), table.has_header, None)
    chunks = []
    while chunk := list(islice(records, CHUNK_ROWS)):
        for record in chunk:
            _check_width(table, record)
        texts = {
            role: [fields[position] for _, fields in chunk]
            for role, position in table.positions.items()
        }
        chunks.append(pl.DataFrame(texts).cast(pl.Categorical))
    return pl.concat(chunks)


def _check_width(table: TextTable, record: Record) -> None:
    """UsageError, with its line, if `record` has another number of fields than the header."""
    line, fields = record
    if len(fields) == len(table.header):
        return

    shown = table.dialect.separator.join(fields)[:LONGEST_SHOWN]
    raise UsageError(
        f"{table.dialect.origin}, line {line}: expected {len(table.header)} fields, as in the "
        f"first line, got {len(fields)}: {shown!r}. Correct the line."
    )


def _is_number(text: str) -> bool:
    """Whether `text` is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
