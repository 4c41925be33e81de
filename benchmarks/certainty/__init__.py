"""How sure the numbers are: users' shares in a metric, the paired bootstrap over users, intervals,
corrections, ties, drifts in a sequence of runs; and the blind spots, what the data of a run cannot
tell at all.

The gate and reports come in, for an `Estimate` of a value or a difference, and for which rows are
not significantly different; a run, its plan and verification for blind spots; verification and the
command `accept` for the arrays that shares are kept in. Nothing here decides what is good enough.
"""

from recbench.benchmarks.certainty.blind_spots import find_blind_spots, name_moment
from recbench.benchmarks.certainty.bootstrap import (
    Bootstrap,
    adjust_by_holm,
    bootstrap_users,
    explain_too_few_users,
    longest_alike_groups,
)
from recbench.benchmarks.certainty.drift import (
    ALARM_LEVEL,
    Drift,
    can_be_searched,
    count_values_needed,
    find_drifts,
)
from recbench.benchmarks.certainty.estimate import LEVEL, Estimate
from recbench.benchmarks.certainty.ties import level_by_name, level_ties
from recbench.benchmarks.certainty.user_shares import SHARE_ARRAYS, UserShares, read_user_shares

__all__ = [
    "ALARM_LEVEL",
    "LEVEL",
    "SHARE_ARRAYS",
    "Bootstrap",
    "Drift",
    "Estimate",
    "UserShares",
    "adjust_by_holm",
    "bootstrap_users",
    "can_be_searched",
    "count_values_needed",
    "explain_too_few_users",
    "find_blind_spots",
    "find_drifts",
    "level_by_name",
    "level_ties",
    "longest_alike_groups",
    "name_moment",
    "read_user_shares",
]
