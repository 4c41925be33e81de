"""The metrics, one pure function each, and the protocols under which rankings are judged.

A metric is a function in any file of this room with a decorator of `registry`; its docstring is the
definition that reports print. Whoever needs a metric by its column's name comes in, and finds the
registry, the protocols, the types that metrics are made from, and what a cold start is.
"""

from recbench.benchmarks.metrics.cold_starts import ColdStarts, find_cold_starts
from recbench.benchmarks.metrics.protocols import (
    CANDIDATES,
    PROTOCOLS,
    STANDARD,
    TIES,
    Evaluation,
    Protocol,
    column_name,
    parse_column,
    protocols_of_columns,
)
from recbench.benchmarks.metrics.registry import (
    ARROWS,
    METRICS,
    Doubles,
    Metric,
    Population,
    Predictions,
    RankedHits,
    RecommendationLists,
    Shares,
    column_of,
    find_metric,
    metric_columns,
)

__all__ = [
    "ARROWS",
    "CANDIDATES",
    "METRICS",
    "PROTOCOLS",
    "STANDARD",
    "TIES",
    "ColdStarts",
    "Doubles",
    "Evaluation",
    "Metric",
    "Population",
    "Predictions",
    "Protocol",
    "RankedHits",
    "RecommendationLists",
    "Shares",
    "column_name",
    "column_of",
    "find_cold_starts",
    "find_metric",
    "metric_columns",
    "parse_column",
    "protocols_of_columns",
]
