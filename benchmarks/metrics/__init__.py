"""The metrics, one pure function each, and the protocols under which rankings are judged.

A metric is a function in any file of this room; its docstring is the definition that reports print.
Whoever needs a metric by its column's name comes in.
"""

from recbench.benchmarks.metrics.protocols import (
    CANDIDATES,
    PROTOCOLS,
    STANDARD,
    TIES,
    Evaluation,
    Protocol,
    named,
    prefixed,
    used,
)
from recbench.benchmarks.metrics.registry import (
    ARROWS,
    METRICS,
    Floats,
    Listed,
    Metric,
    Ranked,
    Rated,
    Shares,
    columns,
    find,
)

__all__ = [
    "ARROWS",
    "CANDIDATES",
    "METRICS",
    "PROTOCOLS",
    "STANDARD",
    "TIES",
    "Evaluation",
    "Floats",
    "Listed",
    "Metric",
    "Protocol",
    "Ranked",
    "Rated",
    "Shares",
    "columns",
    "find",
    "named",
    "prefixed",
    "used",
]
