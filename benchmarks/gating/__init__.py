"""Whether a run is worse than another by more than is tolerated, for any choice of users.

The commands `compare` and `accept` come in: for tolerances as they are typed, one verdict for each
row and tolerance, what they come to, and the verdicts as a table; for baselines also the plug-in
of pytest. The command `history` and its report come in for lines over many runs. `MACHINE_FACTS`
serves reports that compare times, `suspect_rows` whoever shows a single run.
"""

from recbench.benchmarks.gating.baseline import (
    Judgement,
    judge_against_baseline,
    refuse_baseline,
    write_baseline,
)
from recbench.benchmarks.gating.gate import (
    explain_idle_tolerances,
    judge_one_run,
    judge_runs,
    list_everything,
)
from recbench.benchmarks.gating.history import (
    Break,
    DatedRun,
    History,
    HistoryLine,
    Move,
    Point,
    read_history,
)
from recbench.benchmarks.gating.outcome import Outcome, conclude
from recbench.benchmarks.gating.suspicion import suspect_rows
from recbench.benchmarks.gating.tolerances import TIMES, Tolerance, parse_tolerance
from recbench.benchmarks.gating.verdict_table import (
    Side,
    format_markdown,
    open_wide_console,
    tabulate_verdicts,
)
from recbench.benchmarks.gating.verdicts import MACHINE_FACTS, Verdict

__all__ = [
    "MACHINE_FACTS",
    "TIMES",
    "Break",
    "DatedRun",
    "History",
    "HistoryLine",
    "Judgement",
    "Move",
    "Outcome",
    "Point",
    "Side",
    "Tolerance",
    "Verdict",
    "conclude",
    "explain_idle_tolerances",
    "format_markdown",
    "judge_against_baseline",
    "judge_one_run",
    "judge_runs",
    "list_everything",
    "open_wide_console",
    "parse_tolerance",
    "read_history",
    "refuse_baseline",
    "suspect_rows",
    "tabulate_verdicts",
    "write_baseline",
]
