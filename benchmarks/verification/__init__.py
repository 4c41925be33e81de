"""Whether the numbers hold: files against each other, metrics computed again, cells fitted again.

`verify` comes in. Every discrepancy is one line.
"""

from recbench.benchmarks.verification.files import Ledger, audit
from recbench.benchmarks.verification.numbers import from_shares, recompute
from recbench.benchmarks.verification.rerun import find_cell, rerun

__all__ = ["Ledger", "audit", "find_cell", "from_shares", "recompute", "rerun"]
