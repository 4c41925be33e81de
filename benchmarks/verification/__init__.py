"""Whether the numbers of a run hold: one thing in steps, and every discrepancy is one line.

`check_files` compares its files with each other, `recompute_metrics` makes every metric again from
the raw answers (`check_against_shares` without the data), `check_searches` asks whether tuned rows
have what was chosen, `check_descriptions` what is said of the data, `check_report` has the report
built again, `refit_cell` fits one cell again. The command `verify` comes in with a `Ledger`, in
which each step writes what it compared and found.
"""

from recbench.benchmarks.verification.descriptions import check_descriptions, check_report
from recbench.benchmarks.verification.files import check_files
from recbench.benchmarks.verification.ledger import Ledger
from recbench.benchmarks.verification.recomputation import check_against_shares, recompute_metrics
from recbench.benchmarks.verification.refit import find_cell, refit_cell
from recbench.benchmarks.verification.searches import check_searches

__all__ = [
    "Ledger",
    "check_against_shares",
    "check_descriptions",
    "check_files",
    "check_report",
    "check_searches",
    "find_cell",
    "recompute_metrics",
    "refit_cell",
]
