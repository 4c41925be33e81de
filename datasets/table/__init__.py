"""Anybody's ratings in a text file or Parquet, as the data set kind `table:PATH`.

Nobody comes in and nothing is exported: `loader` registers itself. A file goes through `kinds`
(what it is), `dialect` and `survey` (how its text is written), `text` or `read` (its columns),
`values` (ids, ratings and times) and `items` (titles); what does not fit is refused with its line.
"""
