"""One cell, one process: starting, watching, killing, measuring, and sealing off the data while an
algorithm runs.

Commands come in with cells and get records back. Everything else of the harness does not know which
executor runs.
"""

from recbench.benchmarks.execution.fork_pool import HarnessError, Pool
from recbench.benchmarks.execution.measure import environment
from recbench.benchmarks.execution.watch import Limits
from recbench.benchmarks.execution.worker import describe_fold

__all__ = ["HarnessError", "Limits", "Pool", "describe_fold", "environment"]
