"""Anybody's ratings in a text file or Parquet: what kind of file it is, its columns, its values,
its items.

Nobody comes in: the loader registers itself as `table:PATH`. Whatever does not fit is refused with
its line and what to do.
"""
