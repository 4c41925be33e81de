"""Anybody's ratings in whatever file they have them, as the data set kind `table:PATH`.

`loader` registers itself; who has ratings in a DataFrame comes in with `keep_frame`, which makes a
file of them. Once `parsing` has said what kind of file it is, it goes through `dialect` and
`survey` (how its text is written), `roles` (which column is what, and `advice` where that is not
clear) or `matrix` (users by items), `text` or `read` (its columns), `values` and `times` (ids,
ratings, seconds), `plausibility` (whether that can be meant) and `items` (titles); what does not
fit is refused with its line and with what to type instead, which `options` spells.
"""

from recbench.datasets.table.frame import is_frame, keep_frame

__all__ = ["is_frame", "keep_frame"]
