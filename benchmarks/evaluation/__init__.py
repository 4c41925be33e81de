"""From a fitted algorithm to its raw answers, and from answers to numbers: candidates, ties,
fallback, clipping, slices.

Execution comes in to ask, planning and verification to compute again. No library's own evaluator is
trusted.
"""

from recbench.benchmarks.evaluation.questions import Answers, DivergedError, ask, pairs
from recbench.benchmarks.evaluation.ranking import auc, top_items
from recbench.benchmarks.evaluation.scoring import Scored, rated, score
from recbench.benchmarks.evaluation.slices import RANKING, Slice, slices

__all__ = [
    "RANKING",
    "Answers",
    "DivergedError",
    "Scored",
    "Slice",
    "ask",
    "auc",
    "pairs",
    "rated",
    "score",
    "slices",
    "top_items",
]
