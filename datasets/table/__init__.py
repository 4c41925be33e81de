"""Anybody's ratings in a text file or Parquet, as the data set kind `table:PATH`.

`loader` registers itself; who has ratings in a DataFrame comes in with `keep_frame`, which makes a
file of them. A file goes through `kinds` (what it is), `dialect` and `survey` (how its text is
written), `text` or `read` (its columns), `values` (ids, ratings and times) and `items` (titles);
what does not fit is refused with its line.
"""

from recbench.datasets.table.frame import is_frame, keep_frame

__all__ = ["is_frame", "keep_frame"]
