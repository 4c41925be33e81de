"""From what the user asked for to the cells that answer it: suites, rows, published numbers, where
results go, what is kept.

Commands come in. Everything is checked here, before any long work; nothing is measured.
"""

from recbench.benchmarks.planning.cells import hyperparameters, library_versions
from recbench.benchmarks.planning.destination import (
    choose_directory,
    describe_replacement,
    files_of,
)
from recbench.benchmarks.planning.resume import (
    Division,
    division_of,
    evaluate_answers,
    misfits,
    resume,
    state_of,
)

__all__ = [
    "Division",
    "choose_directory",
    "describe_replacement",
    "division_of",
    "evaluate_answers",
    "files_of",
    "hyperparameters",
    "library_versions",
    "misfits",
    "resume",
    "state_of",
]
