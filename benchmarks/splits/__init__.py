"""How ratings are divided into training and test parts: every split by name, and the rows of a
fold.

A split of the bench is a function in `built_in` with its decorator; `from_file` reads test parts
that a file gives; `folds` reads what a user has typed and divides; `fold_digest` tells folds apart.
Planning, execution, records, certainty, verification, reports and the commands `list` and `export`
come in; the same split, fold and seed give the same rows everywhere.
"""

from recbench.benchmarks.splits.built_in import SPLITS
from recbench.benchmarks.splits.fold_digest import digest_of_fold, digest_of_parts
from recbench.benchmarks.splits.folds import (
    asks_new_users,
    canonical_spec,
    digest_of_split,
    divide,
    filter_of_split,
    filtered_spec,
    fingerprint_rows,
    grown_specs,
    has_cuts,
    is_seeded,
    order_in_time,
    refuse_empty_parts,
    resolve_n_folds,
    rows_of_histories,
    share_of_growth,
)
from recbench.benchmarks.splits.from_file import PUBLISHED, files_of_split, is_given_by_file

__all__ = [
    "PUBLISHED",
    "SPLITS",
    "asks_new_users",
    "canonical_spec",
    "digest_of_fold",
    "digest_of_parts",
    "digest_of_split",
    "divide",
    "files_of_split",
    "filter_of_split",
    "filtered_spec",
    "fingerprint_rows",
    "grown_specs",
    "has_cuts",
    "is_given_by_file",
    "is_seeded",
    "order_in_time",
    "refuse_empty_parts",
    "resolve_n_folds",
    "rows_of_histories",
    "share_of_growth",
]
