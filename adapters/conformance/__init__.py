"""The laws of the contract, as an author can run them: each on a board with a planted answer.

`boards` makes the data, `laws` asks of an adapter what the bench relies on and says how to mend
what is broken. The command `check` comes in, and the tests, which hold every adapter of the bench
to the same laws. It knows nothing of measuring.
"""

from recbench.adapters.conformance.boards import (
    LARGE,
    SCALES,
    UNSEEN,
    area_under_curve,
    checkerboard,
    describe_items,
    draw_new_users,
    fit_to_board,
    loved,
    plant_truth,
    take_users,
)
from recbench.adapters.conformance.laws import LAWS, Law, Ruling, Student, judge_adapter

__all__ = [
    "LARGE",
    "LAWS",
    "SCALES",
    "UNSEEN",
    "Law",
    "Ruling",
    "Student",
    "area_under_curve",
    "checkerboard",
    "describe_items",
    "draw_new_users",
    "fit_to_board",
    "judge_adapter",
    "loved",
    "plant_truth",
    "take_users",
]
