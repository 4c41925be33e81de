"""How ratings are divided into training and test parts: every way by name, and the rows of a fold.

Planning, execution and verification come in. The same split, fold and seed give the same rows
everywhere.
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
