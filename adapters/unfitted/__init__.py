"""Rows that learn nothing: the oracle, which knows the truth of a simulation, and answers that
another program has given, in files.

Adapters are found by themselves. Who exports folds, plans external rows, and asks files in place of
an algorithm comes in for the form of these files.
"""

from recbench.adapters.unfitted.external import (
    SIDECAR,
    AnswerFolder,
    External,
    ForeignAnswers,
    Questions,
    Sidecar,
    find_folders,
    read_answers,
)

__all__ = [
    "SIDECAR",
    "AnswerFolder",
    "External",
    "ForeignAnswers",
    "Questions",
    "Sidecar",
    "find_folders",
    "read_answers",
]
