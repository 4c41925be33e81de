"""The first sheet of an Excel workbook as a CSV file: what the text parsers read."""

from pathlib import Path

import fastexcel
import polars as pl

from recbench.datasets.foundation import Expansion, UsageError
from recbench.datasets.storage import Archive

BLOCK_BYTES = 1 << 20


def write_excel_as_csv(source: Path, target: Path, where: str) -> list[str]:
    """Write the first sheet with rows of the workbook `source` to `target` as CSV; remarks on it.

    Dates are written as ISO dates, whole numbers without a point. UsageError, which names it
    `where`, for a damaged workbook, one that unpacks to too much, and one without rows.
    """
    _refuse_expansion(source, where)
    try:
        workbook = fastexcel.read_excel(source.read_bytes())
        for name in workbook.sheet_names:
            sheet = workbook.load_sheet(name, header_row=None, dtypes="string").to_polars()
            if len(sheet):
                break
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            f"{where} cannot be read as an Excel workbook: {error}. Save the sheet as CSV UTF-8."
        ) from None
    if not len(sheet):
        raise UsageError(f"{where} is empty: expected a header line and one rating a line")

    sheet.write_csv(target, include_header=False)
    n_sheets = len(workbook.sheet_names)
    if n_sheets == 1:
        return []
    return [f"The sheet {name!r} is read, the first with rows of {n_sheets}."]


def _refuse_expansion(source: Path, where: str) -> None:
    """UsageError if the workbook's parts unpack to too much, or are not what it says of them."""
    expansion = Expansion(where, source.stat().st_size)
    with Archive(source) as archive:
        for name in archive.sizes:
            with archive.open(name) as part:
                while block := part.read(BLOCK_BYTES):
                    expansion.add(len(block), name)
