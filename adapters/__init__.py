"""The algorithms of the bench: `available()` lists them, `create()` makes one. A new file here is
found by itself.

`base.py` is the whole contract; every other file is an algorithm or a family of them, but for the
room `shared`, which holds what some of them share. Adapters know ratings, and nothing of how they
are measured.
"""

import recbench
from recbench.adapters.base import Recommender
from recbench.adapters.registry import available, create, import_own

__all__ = ["Recommender", "available", "create", "import_own"]

recbench.refuse_short_name(__name__)
