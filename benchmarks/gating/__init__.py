"""Whether a run is worse than another by more than chance explains: tolerances, verdicts, exit
codes.

`compare` and `accept` come in.
"""

from recbench.benchmarks.gating.gate import compare, parse, refuse_absent, refuse_idle
from recbench.benchmarks.gating.verdicts import FAILING, MACHINE, Verdict

__all__ = ["FAILING", "MACHINE", "Verdict", "compare", "parse", "refuse_absent", "refuse_idle"]
