"""How algorithms are compared: the commands one can type, and a room for each step from plan to
verdict.

`run`, `compare`, `verify`, `accept`, `export`, `list` and `doctor` are what one can type; what they
do is in the rooms. `api` is `run` for Python: `recbench.run(...)`. Nothing here knows of
reports, but for `api`, which builds one where it is asked for.
"""

import recbench

recbench.refuse_short_name(__name__)
