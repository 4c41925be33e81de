"""The algorithms of the bench: `available()` lists them, `create()` makes one. A new file here is
found by itself.

`base.py` is the whole contract and `registry.py` holds adapters to its form; every other file is an
algorithm or a family of them, but for two rooms: `shared`, which holds what some of them share, and
`conformance`, which asks whether they keep the contract. Adapters know ratings, and nothing of how
they are measured.
"""

import recbench
from recbench.adapters.base import Recommender
from recbench.adapters.registry import available, create, import_own

__all__ = ["Recommender", "available", "create", "import_own"]

recbench.refuse_short_name(__name__)
