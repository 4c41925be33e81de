"""The columns of a text table: read by polars where its bytes allow that, else record by record."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import SurplusJoiner, learn_joiner
from recbench.datasets.table.columns import (
    BLANKS,
    KNOWN_NAMES,
    N_SAMPLE,
    ChooseColumns,
    ColumnChoice,
    Columns,
    Place,
    count_places,
    plain_name,
)
from recbench.datasets.table.dialect import (
    BLANK,
    COLONS,
    COMMENT_MARKS,
    SEPARATORS,
    Dialect,
    Record,
)
from recbench.datasets.table.survey import Survey, survey_file

CHUNK_ROWS = 100_000
BLOCK_BYTES = 1 << 20
FEWEST_KNOWN_NAMES = 2  # in a comment that has the names of the columns
FEWEST_NAMED_ROWS = 3  # records that all have one field too many
LONGEST_SHOWN = 100  # characters of a record in a message
MOST_LEFT_OUT = 0.01  # of the lines about items, which may have too many or too few fields
SAMPLE_BYTES = 1 << 24  # in which a quote behind a backslash is looked for
SEPARATOR_NAMES = [name for name in SEPARATORS if name.isalpha()]
SEPARATORS_IN_WORDS = {
    ",": "commas", "\t": "tabs", ";": "semicolons", COLONS: "double colons", "|": "bars",
    BLANK: "blanks",
}  # fmt: skip
BYTE_ORDER_MARK = "\ufeff"
DATE_AND_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:[0-5]\d"
BETWEEN_DATE_AND_TIME = 10  # where in it the T or the blank stands


Reopen = Callable[[], AbstractContextManager[Path]]  # the text once more, gone with the context


UNQUOTED = (
    "Quotes are taken for characters like others; all lines have the same number of fields so. "
    "quote=double takes them for quotes."
)
BY_LINE = (
    "Some quotes stand astray: those of a line mean what they do in CSV where all of the line fits "
    "that, and are characters like others elsewhere."
)


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
    choice: ColumnChoice
    first: Record  # of the records below the header, if there is one
    text_roles: frozenset[str]  # roles that are never read as numbers
    joiner: SurplusJoiner | None = None  # makes lines fit in which a title has separators

    @property
    def header(self) -> list[str]:
        """The names of all columns."""
        return self.choice.header

    @property
    def positions(self) -> dict[str, int]:
        """The position of the column that plays each role."""
        return self.choice.positions

    @property
    def n_rows(self) -> int:
        """Records that are not blank, without the header."""
        return self.survey.rows - self.choice.n_header

    def read_rows(self, file: Path) -> Iterator[tuple[int, list[str] | None]]:
        """First line and fields of every record below the header, None where their number is wrong.

        An empty last field too many is left out. Comments are left out if they have another number
        of fields.
        """
        for line, fields in self.read_all(file):
            fitting = self.fit(fields)
            if fitting is not None or not is_comment(fields):
                yield line, fitting

    def fit(self, fields: list[str]) -> list[str] | None:
        """As many fields as there are columns; None if they are too many or too few."""
        if self.joiner is not None and len(fields) > len(self.header):
            joined = self.joiner.join(fields)
            if joined is not None:
                return joined
        return _fit_to_width(fields, self.header)

    def read_all(self, file: Path) -> Iterator[Record]:
        """First line and fields of every record below the header, whatever it is."""
        return islice(self.dialect.read_records(file), self.choice.n_header, None)


def read_text(
    plain: Path,
    dialect: Dialect,
    choose: ChooseColumns,
    text_roles: frozenset[str],
    reopen: Reopen,
    *,
    settle_quotes: bool = True,
    is_lenient: bool = False,
) -> Columns:
    """The columns that `choose` picks from the text `plain`; nothing in it is passed over.

    `plain` may be gone by the time when a row is asked for: `reopen` gives it again. Whether
    quotes mean something is found out unless `settle_quotes` is false. UsageError, with its line,
    for a byte, a quote or a number of fields that does not fit, and if there are no ratings. If it
    `is_lenient`, quotes may stand astray, what is too much on a line is joined into the column of
    free text, and a very few lines that do not fit even so are left out; all is counted.
    """
    table, remarks = _open_table(plain, dialect, choose, text_roles, settle_quotes, is_lenient)
    frame = _read_with_polars(table)
    if frame is None:
        frame, more_remarks = _read_record_by_record(table, is_lenient)
        remarks += more_remarks

    def place_of_row(row: int) -> Place:
        """Line and texts of a row, read again from the file that the user has named."""
        with reopen() as file:
            fitting = ((line, row) for line, row in table.read_rows(file) if row is not None)
            line, fields = next(islice(fitting, row, None))
        texts = {role: fields[position] for role, position in table.positions.items()}
        return Place(f"line {line}", texts)

    names = {role: table.header[position] for role, position in table.positions.items()}
    return Columns(
        dialect.origin,
        names,
        frame.to_dict(),
        place_of_row,
        (*remarks, *table.choice.remarks),
    )


def _open_table(
    plain: Path,
    dialect: Dialect,
    choose: ChooseColumns,
    text_roles: frozenset[str],
    settle_quotes: bool,
    is_lenient: bool,
) -> tuple[TextTable, list[str]]:
    """The table in `plain` before its columns are read, and remarks on how it is written.

    UsageError for a file that is no text, is empty, or has a header and nothing below it.
    """
    dialect, survey = _survey(plain, dialect, settle_quotes, is_lenient)
    remarks = _remark_on_dialect(dialect)
    is_odd = survey.multiline or not survey.regular
    if settle_quotes and is_odd and dialect.is_quoted:
        dialect, remark = _settle_quotes(plain, dialect, survey, is_lenient)
        survey = survey_file(plain, dialect)
        remarks += remark

    start = list(islice(dialect.read_records(plain), N_SAMPLE))
    if not start:
        problem = "is empty: expected a header line and one rating a line"
        raise UsageError(f"{dialect.origin} {problem}")

    names = _find_names_in_comment(plain, dialect, start[0][1])
    if names:
        choice = replace(choose([names, *(fields for _, fields in start)], True), n_header=0)
        remarks.append("The last of them has the names of the columns.")
    else:
        choice = choose([fields for _, fields in start], False)
    if len(start) <= choice.n_header:
        problem = "expected ratings below the header line, found none"
        raise UsageError(f"{dialect.origin}: {problem}")

    joiner = _learn_joiner(dialect, choice, start) if choice.free_text else None
    if choice.n_header and not joiner and _has_row_names(start, choice.header):
        _refuse_split_numbers(dialect, start)
        # As R writes tables: the names of rows have no name themselves
        positions = {role: position + 1 for role, position in choice.positions.items()}
        choice = replace(choice, header=["", *choice.header], positions=positions)
        remarks.append("The first column has no name and is left out: names of rows.")
    table = TextTable(
        file=plain,
        dialect=dialect,
        survey=survey,
        choice=choice,
        first=start[choice.n_header],
        text_roles=text_roles,
        joiner=joiner,
    )
    return table, remarks


def _learn_joiner(
    dialect: Dialect, choice: ColumnChoice, start: list[Record]
) -> SurplusJoiner | None:
    """How lines with too many fields are made to fit; None if that is not clear, or none has.

    Nor if a first column seems to have no name, as with the names of rows that R writes: then no
    line has as many fields as the header, and the next column has what could be ids.
    """
    width = len(choice.header)
    records = [fields for _, fields in start[choice.n_header :]]
    if _has_row_names(start, choice.header):
        next_to_id = choice.positions["id"] + 1
        texts = {fields[next_to_id] for fields in records}
        could_be_ids = len(texts) == len(records) and not any(" " in text for text in texts)
        if could_be_ids:
            return None

    place = choice.positions[choice.free_text]
    listing = choice.positions.get("genres")
    return learn_joiner(records, width, place, dialect.separator, listing=listing)


def _find_names_in_comment(plain: Path, dialect: Dialect, first: list[str]) -> list[str]:
    """The names of the columns if the last line of comment has them, as in "# user,item"; else [].

    It has them if it has as many fields as the `first` record, which has none of the usual names.
    """
    has_names = any(plain_name(field) in KNOWN_NAMES for field in first)
    if not dialect.n_comments or has_names:
        return []
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    with plain.open(newline="", encoding=encoding) as text:
        *_, last = islice(text, dialect.n_comments)

    marks = "".join(COMMENT_MARKS) + BLANKS
    names = dialect.split_line(last.lstrip(marks))
    n_known = sum(1 for name in names if plain_name(name) in KNOWN_NAMES)
    if len(names) != len(first) or n_known < FEWEST_KNOWN_NAMES:
        return []
    return names


def _survey(
    plain: Path, dialect: Dialect, settle_quotes: bool, is_lenient: bool
) -> tuple[Dialect, Survey]:
    """What the bytes say, and the dialect: without quotes if a stray one swallows all the rest.

    UsageError for what is no text, before anything decodes it, and for endless records.
    """
    try:
        return dialect, survey_file(plain, dialect)
    except UsageError:
        if not (settle_quotes and dialect.is_quoted):
            raise
        unquoted = replace(dialect, quoting="none")
        survey = survey_file(plain, unquoted)  # raises the same for what is no text at all
        if survey.fewest == survey.most:
            return unquoted, survey
        if is_lenient:
            return replace(dialect, quoting="by-line"), survey
        raise


def _remark_on_dialect(dialect: Dialect) -> list[str]:
    """What a reader should know of an unusual way of writing."""
    remarks = []
    if dialect.n_comments:
        marks = " or ".join(COMMENT_MARKS)
        remarks.append(
            f"Lines left out at the top: {dialect.n_comments}, as they begin with {marks}, or say "
            "sep= for Excel."
        )
    if dialect.quoting == "none":
        remarks.append(UNQUOTED)
    if dialect.quoting == "by-line":
        remarks.append(BY_LINE)
    if dialect.separator == BLANK:
        remarks.append("Blanks separate the columns; sep=NAME names another separator.")
    return remarks


def _settle_quotes(
    plain: Path, dialect: Dialect, survey: Survey, is_lenient: bool
) -> tuple[Dialect, list[str]]:
    """What quotes mean in a file with some that are odd, and a remark if that is unusual.

    Quotes as in CSV stay what they are if they fit. Where they do not, or lines end within them,
    and every line has the same number of separators, they are characters like others. Else, if it
    `is_lenient`, each line is read as it allows, if more lines fit so.
    """
    fits = _is_readable(plain, dialect)
    if fits and not survey.multiline:
        return dialect, []

    backslash = replace(dialect, quoting="backslash")
    if not fits and b'\\"' in _bytes_of(plain) and _is_readable(plain, backslash):
        return backslash, ['Quotes within fields are written \\".']

    unquoted = replace(dialect, quoting="none")
    lines = survey_file(plain, unquoted)
    if lines.fewest == lines.most > 0 and lines.rows > 1:
        return unquoted, [UNQUOTED]

    by_line = replace(dialect, quoting="by-line")
    others = (dialect, backslash)
    n_most = max(_count_regular(plain, other) for other in others)
    if is_lenient and _count_regular(plain, by_line) > n_most:
        return by_line, [BY_LINE]
    return dialect, []


def _count_regular(plain: Path, dialect: Dialect) -> int:
    """How many records are as long as the first, or longer; 0 if the quotes do not fit."""
    n_regular = 0
    width = 0
    try:
        for _, fields in dialect.read_records(plain):
            width = width or len(fields)
            n_regular += len(fields) >= width
    except UsageError:
        return 0
    return n_regular


def _is_readable(plain: Path, dialect: Dialect) -> bool:
    """Whether the quotes of the whole file fit, and all its records are equally long."""
    try:
        widths = Counter(len(fields) for _, fields in dialect.read_records(plain))
    except UsageError:
        return False
    return dialect.quoting == "double" or len(widths) == 1


def _bytes_of(plain: Path) -> bytes:
    """The first bytes of a file."""
    with plain.open("rb") as binary:
        return binary.read(SAMPLE_BYTES)


def _has_row_names(start: list[Record], header: list[str]) -> bool:
    """Whether every record has one field more than the header, and it is not an empty last one."""
    if len(start) <= FEWEST_NAMED_ROWS:
        return False
    return all(len(fields) == len(header) + 1 and fields[-1].strip() for _, fields in start[1:])


def _refuse_split_numbers(dialect: Dialect, start: list[Record]) -> None:
    """UsageError if a column without a name repeats itself: then it has no names of rows.

    It is there as well where numbers with a decimal comma, such as 4,5, are cut in two.
    """
    first = [fields[0] for _, fields in start[1:]]
    if len(set(first)) == len(first):
        return

    line, fields = start[1]
    n_names = len(start[0][1])
    raise UsageError(
        f"{dialect.origin}: line 1 has {n_names} names, and all lines below it {len(fields)} "
        f"fields, as line {line}: {dialect.separator.join(fields)[:LONGEST_SHOWN]!r}. If numbers "
        "have decimal commas, as 4,5: quote them, or write them with points. If there is a column "
        "before all others: add its name to line 1"
    )


def is_comment(fields: list[str]) -> bool:
    """Whether a record that does not fit is a line of comment."""
    return fields[0].lstrip(BLANKS).startswith(COMMENT_MARKS)


def _fit_to_width(fields: list[str], header: list[str]) -> list[str] | None:
    """As many fields as the header has: without an empty last one, or with it. None for others."""
    if len(fields) == len(header):
        return fields
    if len(fields) == len(header) + 1 and not fields[-1].strip(BLANKS):
        return fields[:-1]
    if len(fields) == len(header) - 1 and header[-1] == "":
        return [*fields, ""]
    return None


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

    is_split_alike = table.dialect.quoting == "double"  # polars knows no other quotes
    if starts_marked or not same_length or not table.survey.regular or not is_split_alike:
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
        quote_char='"' if table.dialect.is_quoted else None,
        glob=False,
    )
    frame = lazy.select(**columns).collect(engine="streaming")

    # Blank lines are rows of nothing to polars
    if len(frame) != table.n_rows:
        is_blank = pl.all_horizontal(pl.col(*table.positions).is_null())
        frame = frame.filter(~is_blank)
    return frame


def _read_record_by_record(table: TextTable, is_lenient: bool) -> tuple[pl.DataFrame, list[str]]:
    """The columns by role as categories of text, and remarks on what was joined or left out.

    UsageError, with its line, for the first record whose number of fields is not the header's,
    unless it `is_lenient` and they are very few.
    """
    rows = table.read_rows(table.file)
    chunks = []
    misfits: list[int] = []
    while chunk := list(islice(rows, CHUNK_ROWS)):
        misfits += [line for line, fields in chunk if fields is None]
        fitting = [fields for _, fields in chunk if fields is not None]
        texts = {
            role: pl.Series([fields[position] for fields in fitting], dtype=pl.String)
            for role, position in table.positions.items()
        }
        chunks.append(pl.DataFrame(texts).cast(pl.Categorical))
    n_rows = sum(map(len, chunks)) + len(misfits)
    if misfits and not (is_lenient and len(misfits) <= MOST_LEFT_OUT * n_rows):
        raise _refuse_widths(table, misfits)

    frame = pl.concat(chunks) if chunks else pl.DataFrame()
    n_comments = _count_comments(table)
    if not len(frame):
        raise UsageError(f"{table.dialect.origin}: expected ratings below the header, found none")
    remarks = []
    if n_comments:
        remarks.append(f"{n_comments} lines begin with # or % and are no ratings: comments.")
    n_joined = _count_joined(table)
    if n_joined:
        separators = SEPARATORS_IN_WORDS[table.dialect.separator]
        remarks.append(
            f"{n_joined:,} of {n_rows:,} lines had {separators} in their {table.choice.free_text}s "
            "without quotes around them; they were joined."
        )
    if misfits:
        places = count_places(len(misfits), n_rows, f"line {misfits[0]}")
        remarks.append(
            f"Left out: {places}, with more or fewer fields than the {len(table.header)} of the "
            "first line."
        )
    return frame, remarks


def _count_joined(table: TextTable) -> int:
    """On how many lines a title has separators, and was joined."""
    if table.joiner is None:
        return 0
    width = len(table.header)
    n_joined = 0
    for _, fields in table.read_all(table.file):
        is_padded = table.joiner.is_padded and not fields[-1].strip(BLANKS)
        n_joined += len(fields) - is_padded > width and table.joiner.join(fields) is not None
    return n_joined


def _count_comments(table: TextTable) -> int:
    """How many lines of comment stand among the ratings."""
    n_comments = 0
    for _, fields in table.read_all(table.file):
        if is_comment(fields) and _fit_to_width(fields, table.header) is None:
            n_comments += 1
    return n_comments


def _refuse_widths(table: TextTable, misfits: list[int]) -> UsageError:
    """The error about the records, by their lines, with another number of fields than the header's.

    It shows the first.
    """
    records = table.read_all(table.file)
    n_rows = sum(1 for _ in table.read_rows(table.file))
    fields = next(fields for line, fields in records if line == misfits[0])
    shown = table.dialect.separator.join(fields)[:LONGEST_SHOWN]
    places = count_places(len(misfits), n_rows, f"line {misfits[0]}")
    advice = f"Correct the line, or name the separator: sep={' or '.join(SEPARATOR_NAMES)}"
    if table.choice.free_text and len(fields) > len(table.header):
        separators = SEPARATORS_IN_WORDS[table.dialect.separator]
        advice = (
            f"It is not clear which column has {separators} in its texts: put quotes around a "
            "field that has some."
        )
    return UsageError(
        f"{table.dialect.origin}, {places}: expected {len(table.header)} fields, as in the "
        f"first line, got {len(fields)}: {shown!r}. {advice}"
    )
