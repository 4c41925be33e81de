"""Whether the numbers hold: files against each other, metrics computed again, cells fitted again.

`verify` comes in. Every discrepancy is one line.
"""

from recbench.benchmarks.verification.files import Ledger, check_files
from recbench.benchmarks.verification.recomputation import check_against_shares, recompute_metrics
from recbench.benchmarks.verification.refit import find_cell, refit_cell

__all__ = [
    "Ledger",
    "check_against_shares",
    "check_files",
    "find_cell",
    "recompute_metrics",
    "refit_cell",
]
