"""Whether the numbers of a run hold: one thing in steps, and every discrepancy is one line.

`check_files` compares its files with each other, `recompute_metrics` makes every metric again from
the raw answers (`check_against_shares` without the data), `check_searches` asks whether tuned rows
have what was chosen, `check_descriptions` what is said of the data, `check_report` has the report
built again, `refit_cell` fits one cell again; `archives` are runs packed for a reviewer. The
command `verify` comes in with a `Ledger`, in which each step writes what it compared and found;
reports come in to pack.
"""

from recbench.benchmarks.verification.archives import (
    MANIFEST,
    Manifest,
    check_manifest,
    digest_bytes,
    open_run_directory,
)
from recbench.benchmarks.verification.descriptions import check_descriptions, check_report
from recbench.benchmarks.verification.files import check_files
from recbench.benchmarks.verification.ledger import Ledger
from recbench.benchmarks.verification.recomputation import check_against_shares, recompute_metrics
from recbench.benchmarks.verification.refit import find_cell, refit_cell
from recbench.benchmarks.verification.searches import check_searches

__all__ = [
    "MANIFEST",
    "Ledger",
    "Manifest",
    "check_against_shares",
    "check_descriptions",
    "check_files",
    "check_manifest",
    "check_report",
    "check_searches",
    "digest_bytes",
    "find_cell",
    "open_run_directory",
    "recompute_metrics",
    "refit_cell",
]
