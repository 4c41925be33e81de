"""How sure the numbers are: users' shares in a metric, the paired bootstrap over users, intervals,
corrections.

The gate and reports come in. Nothing here decides what is good enough.
"""

from recbench.benchmarks.certainty.bootstrap import (
    Bootstrap,
    Sample,
    bootstrap,
    runs_alike,
    too_few,
)
from recbench.benchmarks.certainty.estimate import LEVEL, Estimate
from recbench.benchmarks.certainty.samples import KEPT, samples

__all__ = [
    "KEPT",
    "LEVEL",
    "Bootstrap",
    "Estimate",
    "Sample",
    "bootstrap",
    "runs_alike",
    "samples",
    "too_few",
]
