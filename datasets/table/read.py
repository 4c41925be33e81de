"""From a file of any kind to the columns that play a role."""

from pathlib import Path

import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import ChooseColumns, Columns, Place
from recbench.datasets.table.dialect import recognise_dialect
from recbench.datasets.table.kinds import is_parquet, unpacked
from recbench.datasets.table.parquet_pages import DamagedParquet, read_outline
from recbench.datasets.table.text import read_text

# Of a damaged file polars says so in either way; a panic is no Exception.
POLARS_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_columns(
    file: Path, choose: ChooseColumns, separator: str, encoding: str, text_roles: frozenset[str]
) -> Columns:
    """The columns that `choose` picks from the header of `file`, which is Parquet or text.

    `separator` may be "" for the likeliest. Columns of `text_roles` are never read as numbers.
    UsageError for a file that is no such table.
    """
    with unpacked(file) as plain:
        if is_parquet(file, plain):
            return _read_parquet(file, choose)
        dialect = recognise_dialect(plain, file, separator, encoding)
        return read_text(plain, dialect, choose, text_roles)


def _read_parquet(file: Path, choose: ChooseColumns) -> Columns:
    """The columns that `choose` picks from a Parquet file.

    UsageError if it is damaged or empty, or unpacks to more than its size allows.
    """
    try:
        outline = read_outline(file)
        lazy = pl.scan_parquet(file, glob=False)
        header = lazy.collect_schema().names()
        names = {role: header[position] for role, position in choose(header).items()}
        outline.refuse_expansion(names.values())
        columns = {role: pl.col(name) for role, name in names.items()}
        frame = lazy.select(**columns).collect(engine="streaming")
    except (*POLARS_ERRORS, DamagedParquet, OSError) as error:
        problem = f"{file} cannot be read as Parquet: {error}. Write or fetch it again."
        raise UsageError(problem) from None

    if not len(frame):
        raise UsageError(f"{file}: expected ratings below the header, found none")
    return Columns(file, names, frame.to_dict(), _place_in_parquet)


def _place_in_parquet(row: int) -> Place:
    """What errors call a row of a Parquet file; its texts are not known, as it has values."""
    return Place(f"row {row + 1}", {})
