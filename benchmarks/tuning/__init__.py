"""Tuning: which hyperparameters to try next, on which division, and for how long.

`api` runs `Searches`: these say which cells they want measured next and are told the records, so
that trials are ordinary cells. Planning comes in for the budget and for what there is to tune,
reports and verification for the `History` that a run keeps of its searches, and for
its `Blend`s. Nothing is measured
here.
"""

from recbench.benchmarks.tuning.blends import Blend, read_blends, write_blends
from recbench.benchmarks.tuning.budget import TuningBudget, parse_budget
from recbench.benchmarks.tuning.design import TuningDesign
from recbench.benchmarks.tuning.found_values import (
    SHIPPED,
    FoundValues,
    collect_found_values,
    read_found_values,
    shipped_names,
)
from recbench.benchmarks.tuning.history import (
    FILE,
    History,
    Trial,
    read_histories,
    write_histories,
)
from recbench.benchmarks.tuning.inner_split import choose_inner_split
from recbench.benchmarks.tuning.quality import Quality, expect_best
from recbench.benchmarks.tuning.search import (
    RowSearch,
    describe_search,
    find_replay_errors,
)
from recbench.benchmarks.tuning.searches import Searches, find_trials
from recbench.benchmarks.tuning.spaces import Dimension, find_space

__all__ = [
    "FILE",
    "SHIPPED",
    "Blend",
    "Dimension",
    "FoundValues",
    "History",
    "Quality",
    "RowSearch",
    "Searches",
    "Trial",
    "TuningBudget",
    "TuningDesign",
    "choose_inner_split",
    "collect_found_values",
    "describe_search",
    "expect_best",
    "find_replay_errors",
    "find_space",
    "find_trials",
    "parse_budget",
    "read_blends",
    "read_found_values",
    "read_histories",
    "shipped_names",
    "write_blends",
    "write_histories",
]
