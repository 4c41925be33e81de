"""From the bytes of rating files to columns: the compiled parsers for one rating a line, in every
usual form.

The rooms of the formats (`movielens`, `netflix`) and `filmtrust` come in. What a column means is
their business.
"""

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
from recbench.datasets.parsing.rating_lines import LAST_ID, LineFormat, Lines, dense_ids, read_lines
from recbench.datasets.parsing.text_blocks import read_blocks, refusal_of_line

__all__ = [
    "LAST_ID",
    "LAST_MOVIE",
    "LAST_USER",
    "SHORTEST_LINE",
    "LineFormat",
    "Lines",
    "count_netflix_ratings",
    "day_numbers",
    "dense_ids",
    "explain_netflix_line",
    "keep_netflix_ratings",
    "parse_netflix_lines",
    "read_blocks",
    "read_lines",
    "refusal_of_line",
]
