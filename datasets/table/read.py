"""From a file of any kind to the columns that play a role."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import (
    DamagedParquet,
    Kind,
    read_outline,
    recognise_kind,
    refuse_arrow_expansion,
    unpacked,
    write_excel_as_csv,
    write_json_as_csv,
)
from recbench.datasets.table.columns import N_SAMPLE, ChooseColumns, Columns, Place
from recbench.datasets.table.dialect import Dialect, Quoting, recognise_dialect
from recbench.datasets.table.options import TableOptions
from recbench.datasets.table.text import read_text

# Of a damaged file polars says so in either way; a panic is no Exception.
POLARS_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
PARTS = ("*.parquet", "*.pq")  # what the files in a folder of parts are called
CONVERTED = ",", "utf-8"  # how what was no text is written as such


def list_parts(folder: Path) -> list[Path]:
    """The Parquet files in a folder, in alphabetical order, without those that begin with _ or .

    UsageError if there is none.
    """
    parts = [
        part
        for pattern in PARTS
        for part in sorted(folder.rglob(pattern))
        if part.is_file() and not part.name.startswith(("_", "."))
    ]
    if not parts:
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise UsageError(
            f"{folder} is a folder: expected the parts of a Parquet file in it, found {inside}. "
            "Name the file itself."
        )
    return parts


def read_columns(
    file: Path,
    choose: ChooseColumns,
    options: TableOptions,
    text_roles: frozenset[str],
    *,
    is_lenient: bool = False,
) -> Columns:
    """The columns that `choose` picks from the table in `file`, or in a folder of Parquet parts.

    Columns of `text_roles` are never read as numbers. Whether a text `is_lenient`, see `read_text`.
    UsageError for a file that is no such table.
    """
    if file.is_dir():
        return _read_parquet(file, list_parts(file), choose)

    with unpacked(file, options.member) as plain:
        kind = recognise_kind(file, plain)
        if kind is Kind.PARQUET:
            return _read_parquet(file, [plain], choose)
        if kind is Kind.ARROW:
            return _read_arrow(file, plain, choose)
        with as_text(file, plain) as (text, remarks):
            columns = _read_text(file, text, kind, choose, options, text_roles, is_lenient)
    return Columns(
        columns.file,
        columns.names,
        columns.series,
        columns.place_of_row,
        (*remarks, *columns.remarks),
    )


def _read_text(
    file: Path,
    text: Path,
    kind: Kind,
    choose: ChooseColumns,
    options: TableOptions,
    text_roles: frozenset[str],
    is_lenient: bool,
) -> Columns:
    """The columns that `choose` picks from `text`, the content of `file` in whatever kind it is."""

    @contextmanager
    def reopen() -> Iterator[Path]:
        """The text of `file` once more."""
        with unpacked(file, options.member) as plain, as_text(file, plain) as (again, _):
            yield again

    if kind is not Kind.TEXT:
        separator, encoding = CONVERTED
        dialect = Dialect(separator, encoding, file)
        return read_text(text, dialect, choose, text_roles, reopen, settle_quotes=False)

    quoting: Quoting = "none" if options.quote == "none" else "double"
    dialect = recognise_dialect(text, file, options.sep, options.encoding, quoting)
    return read_text(
        text,
        dialect,
        choose,
        text_roles,
        reopen,
        settle_quotes=options.quote == "auto",
        is_lenient=is_lenient,
    )


@contextmanager
def as_text(file: Path, plain: Path) -> Iterator[tuple[Path, list[str]]]:
    """`plain`, the content of `file`, as a text, and remarks; JSON and Excel become CSV for it."""
    converters: dict[Kind, Callable[[Path, Path, str], list[str] | None]] = {
        Kind.JSON: write_json_as_csv,
        Kind.EXCEL: write_excel_as_csv,
    }
    convert = converters.get(recognise_kind(file, plain))
    if convert is None:
        yield plain, []
        return
    with TemporaryDirectory() as directory:
        target = Path(directory) / "table.csv"
        remarks = convert(plain, target, str(file))
        yield target, remarks or []


def _read_parquet(file: Path, parts: list[Path], choose: ChooseColumns) -> Columns:
    """The columns that `choose` picks from a Parquet file, or from all `parts` of one.

    UsageError if it is damaged or empty, or unpacks to more than its size allows.
    """
    try:
        outlines = [read_outline(part) for part in parts]
        _refuse_different_parts(file, parts)
    except (*POLARS_ERRORS, DamagedParquet, OSError) as error:
        raise _refuse_damaged(file, Kind.PARQUET, error) from None

    def refuse_expansion(names: Collection[str]) -> None:
        """UsageError if the columns so called unpack to too much."""
        for outline in outlines:
            outline.refuse_expansion(names)

    lazy = pl.scan_parquet(parts, glob=False)
    return _read_frame(file, lazy, choose, Kind.PARQUET, refuse_expansion)


def _refuse_different_parts(folder: Path, parts: list[Path]) -> None:
    """UsageError if the parts in a folder do not have the same columns, of the same types."""
    first = pl.read_parquet_schema(parts[0])
    for part in parts[1:]:
        schema = pl.read_parquet_schema(part)
        differing = [
            f"{name!r} ({first.get(name, 'none')} and {schema.get(name, 'none')})"
            for name in {**first, **schema}
            if first.get(name) != schema.get(name)
        ]
        if differing:
            raise UsageError(
                f"{folder}: expected parts with the same columns, but {parts[0].name} and "
                f"{part.name} differ in {', '.join(differing[:6])}. Keep only those in the folder "
                "that belong together, or name one file"
            )


def _read_arrow(file: Path, plain: Path, choose: ChooseColumns) -> Columns:
    """The columns that `choose` picks from an Arrow file, as Feather is one.

    UsageError if it is damaged or empty, or unpacks to more than its size allows.
    """

    def refuse_expansion(_: Collection[str]) -> None:
        """UsageError if the buffers of the file unpack to too much."""
        refuse_arrow_expansion(plain, str(file))

    return _read_frame(file, pl.scan_ipc(plain), choose, Kind.ARROW, refuse_expansion)


def _refuse_damaged(file: Path, kind: Kind, error: BaseException) -> UsageError:
    """The error to raise about a file that polars cannot read."""
    return UsageError(f"{file} cannot be read as {kind.value}: {error}. Write or fetch it again.")


def _read_frame(
    file: Path,
    lazy: pl.LazyFrame,
    choose: ChooseColumns,
    kind: Kind,
    refuse_expansion: Callable[[Collection[str]], None],
) -> Columns:
    """The columns that `choose` picks from a file with types; UsageError if damaged or empty."""
    try:
        schema = lazy.collect_schema()
        flat = [name for name, dtype in schema.items() if not dtype.is_nested()]
        refuse_expansion(flat)

        first_rows = lazy.select(flat).head(N_SAMPLE).collect(engine="streaming")
        choice = choose([flat, *_sample_texts(first_rows)], True)
        names = {role: choice.header[position] for role, position in choice.positions.items()}

        columns = {role: pl.col(name) for role, name in names.items()}
        frame = lazy.select(**columns).collect(engine="streaming")
    except (*POLARS_ERRORS, DamagedParquet, OSError) as error:
        raise _refuse_damaged(file, kind, error) from None

    if not len(frame):
        raise UsageError(f"{file}: expected ratings below the header, found none")
    return Columns(file, names, frame.to_dict(), _place_in_frame, choice.remarks)


def _sample_texts(frame: pl.DataFrame) -> Sequence[Sequence[str]]:
    """The rows of `frame` as texts, "" for null and for what has no text."""
    rows = []
    for row in frame.iter_rows():
        rows.append(
            ["" if value is None or isinstance(value, bytes) else str(value) for value in row]
        )
    return rows


def _place_in_frame(row: int) -> Place:
    """What errors call a row of a file with types; its texts are not known, as it has values."""
    return Place(f"row {row + 1}", {})
