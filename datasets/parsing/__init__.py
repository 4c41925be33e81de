"""From the bytes of rating files to columns: what kind of file it is, how far it unpacks, compiled
parsers for one rating a line, converters of JSON and Excel into text, and what columns look like.

The rooms of the formats (`movielens`, `netflix`, `table`) and `filmtrust` come in. What a column
means is their business.
"""

from recbench.datasets.parsing.arrow_buffers import refuse_arrow_expansion
from recbench.datasets.parsing.column_profiles import (
    ColumnProfile,
    is_date,
    is_number,
    profile_column,
)
from recbench.datasets.parsing.json_records import write_json_as_csv
from recbench.datasets.parsing.kinds_of_file import Kind, recognise_kind, unpacked
from recbench.datasets.parsing.netflix_lines import (
    LAST_MOVIE,
    LAST_USER,
    SHORTEST_LINE,
    count_netflix_ratings,
    day_numbers,
    explain_netflix_line,
    keep_netflix_ratings,
    parse_netflix_lines,
)
from recbench.datasets.parsing.parquet_pages import DamagedParquet, read_outline
from recbench.datasets.parsing.rating_lines import LAST_ID, LineFormat, Lines, dense_ids, read_lines
from recbench.datasets.parsing.spreadsheets import write_excel_as_csv
from recbench.datasets.parsing.surplus_fields import SurplusJoiner, learn_joiner
from recbench.datasets.parsing.text_blocks import read_blocks, refusal_of_line

__all__ = [
    "LAST_ID",
    "LAST_MOVIE",
    "LAST_USER",
    "SHORTEST_LINE",
    "ColumnProfile",
    "DamagedParquet",
    "Kind",
    "LineFormat",
    "Lines",
    "SurplusJoiner",
    "count_netflix_ratings",
    "day_numbers",
    "dense_ids",
    "explain_netflix_line",
    "is_date",
    "is_number",
    "keep_netflix_ratings",
    "learn_joiner",
    "parse_netflix_lines",
    "profile_column",
    "read_blocks",
    "read_lines",
    "read_outline",
    "recognise_kind",
    "refusal_of_line",
    "refuse_arrow_expansion",
    "unpacked",
    "write_excel_as_csv",
    "write_json_as_csv",
]
