"""What is known about ratings: who wants some asks `load(name)`, and `names()` says what there is.

The door for whoever wants data. Below it are rooms for the formats that ratings come in
(`movielens`, `netflix`, `table`) and for what they share (`foundation`, `parsing`, `storage`,
`transforms`). Nothing here knows of algorithms or metrics.
"""

import recbench
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from recbench.datasets.registry import Loader, check_spec, dataset, find_loader, load, names

__all__ = [
    "Catalogue",
    "Dataset",
    "Loader",
    "Provenance",
    "Ratings",
    "UsageError",
    "check_spec",
    "dataset",
    "find_loader",
    "load",
    "names",
]

recbench.refuse_short_name(__name__)
