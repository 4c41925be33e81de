"""How sure the numbers are: users' shares in a metric, the paired bootstrap over users, intervals,
corrections.

The gate and reports come in, for an `Estimate` of a value or a difference, and for which rows are
not significantly different; so does the command `accept`, for the arrays that shares are kept in.
Nothing here decides what is good enough.
"""

from recbench.benchmarks.certainty.bootstrap import (
    Bootstrap,
    bootstrap_users,
    explain_too_few_users,
    longest_alike_groups,
)
from recbench.benchmarks.certainty.estimate import LEVEL, Estimate
from recbench.benchmarks.certainty.user_shares import SHARE_ARRAYS, UserShares, read_user_shares

__all__ = [
    "LEVEL",
    "SHARE_ARRAYS",
    "Bootstrap",
    "Estimate",
    "UserShares",
    "bootstrap_users",
    "explain_too_few_users",
    "longest_alike_groups",
    "read_user_shares",
]
