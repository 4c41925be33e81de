"""How ratings are divided into training and test parts: every split by name, and the rows of a
fold.

A split of the bench is a function in `built_in` with its decorator; `folds` reads what a user has
typed and divides. Planning, execution, records, verification, reports and the command `list` come
in; the same split, fold and seed give the same rows everywhere.
"""

from recbench.benchmarks.splits.built_in import SPLITS
from recbench.benchmarks.splits.folds import (
    canonical_spec,
    digest_of_split,
    divide,
    fingerprint_rows,
    is_seeded,
    order_in_time,
    refuse_empty_parts,
    resolve_n_folds,
)

__all__ = [
    "SPLITS",
    "canonical_spec",
    "digest_of_split",
    "divide",
    "fingerprint_rows",
    "is_seeded",
    "order_in_time",
    "refuse_empty_parts",
    "resolve_n_folds",
]
