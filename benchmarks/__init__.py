"""How algorithms are compared: the commands one can type, and a room for each step from plan to
verdict.

Every file here but `api` is a command that one can type, such as `python -m benchmarks.run`; what
it does is in the rooms. `api` is the same for Python: `recbench.run(...)`. Nothing here knows of
reports, but for `api` and `history`, which have them built.
"""

import recbench

recbench.refuse_short_name(__name__)
