"""From a fitted algorithm to its raw answers, and from raw answers to metrics.

`questions` decides who is asked and what the candidates are, `ranking` breaks ties, `cell_metrics`
does fallback and clipping and computes every metric, `fallback` recommends to cold-start users in
columns of its own, `slices` groups users and items, `raw_scores` says whether predictions are
ratings at all, `numbers` does all of it for a cell. `stopwatch` times single questions, `foreign`
asks files in place of an algorithm. Execution comes in to ask and to compute, planning and
verification to compute again, models to rank and to be timed, records and reports for what answers,
slices and raw scores are. It exports one function for each of these steps and what they return; no
library's own evaluator is trusted.
"""

from recbench.benchmarks.evaluation.cell_metrics import (
    CellMetrics,
    complete_predictions,
    compute_metrics,
)
from recbench.benchmarks.evaluation.foreign import (
    collect_foreign_answers,
    limit_to_lists,
    read_foreign_answers,
)
from recbench.benchmarks.evaluation.known import KnownRatings
from recbench.benchmarks.evaluation.numbers import Numbers, Predicts, evaluate_answers
from recbench.benchmarks.evaluation.questions import (
    Answers,
    DivergedError,
    check_form,
    collect_answers,
    user_item_matrix,
)
from recbench.benchmarks.evaluation.ranking import auc_by_user, top_items
from recbench.benchmarks.evaluation.raw_scores import RawScores, suggest_remedy
from recbench.benchmarks.evaluation.slices import RANKING_METRICS, Slice, compute_slices
from recbench.benchmarks.evaluation.stopwatch import time_questions

__all__ = [
    "RANKING_METRICS",
    "Answers",
    "CellMetrics",
    "DivergedError",
    "KnownRatings",
    "Numbers",
    "Predicts",
    "RawScores",
    "Slice",
    "auc_by_user",
    "check_form",
    "collect_answers",
    "collect_foreign_answers",
    "complete_predictions",
    "compute_metrics",
    "compute_slices",
    "evaluate_answers",
    "limit_to_lists",
    "read_foreign_answers",
    "suggest_remedy",
    "time_questions",
    "top_items",
    "user_item_matrix",
]
