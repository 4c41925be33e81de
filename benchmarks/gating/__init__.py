"""Whether a run is worse than another by more than is tolerated, and more than chance explains.

The commands `compare` and `accept` come in: for tolerances as they are typed, one verdict for each
row and tolerance, and the verdicts as a table. `MACHINE_FACTS` serves reports that compare times,
too.
"""

from recbench.benchmarks.gating.gate import (
    judge_runs,
    refuse_absent_columns,
    refuse_idle_tolerances,
)
from recbench.benchmarks.gating.tolerances import Tolerance, parse_tolerance
from recbench.benchmarks.gating.verdict_table import (
    format_markdown,
    open_console,
    tabulate_verdicts,
)
from recbench.benchmarks.gating.verdicts import FAILING, MACHINE_FACTS, Verdict

__all__ = [
    "FAILING",
    "MACHINE_FACTS",
    "Tolerance",
    "Verdict",
    "format_markdown",
    "judge_runs",
    "open_console",
    "parse_tolerance",
    "refuse_absent_columns",
    "refuse_idle_tolerances",
    "tabulate_verdicts",
]
