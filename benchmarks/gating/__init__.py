"""Whether a run is worse than another by more than chance explains: tolerances, verdicts, exit
codes.

`compare` and `accept` come in.
"""

from recbench.benchmarks.gating.gate import (
    judge_runs,
    parse_tolerance,
    refuse_absent_columns,
    refuse_idle_tolerances,
)
from recbench.benchmarks.gating.verdicts import FAILING, MACHINE_FACTS, Verdict

__all__ = [
    "FAILING",
    "MACHINE_FACTS",
    "Verdict",
    "judge_runs",
    "parse_tolerance",
    "refuse_absent_columns",
    "refuse_idle_tolerances",
]
