"""Where cells are measured: each in a process of its own, watched and killed, with the data sealed
off while an algorithm runs; or, to debug, in the process of the command.

`api` and verification come in with jobs and get records back: who wants to measure makes jobs
(`make_jobs`) and gives them to an executor (`open_executor`). On which processors it runs them, and
in which processes, is its own business. The doctor asks whether an executor can start and what a
library does when it is imported, and takes the toy that cells warm up with (`make_toy`); command
lines ask what it is like when an executor breaks (`HarnessError`).
"""

from recbench.benchmarks.execution.determinism import make_toy
from recbench.benchmarks.execution.executor import Executor, open_executor
from recbench.benchmarks.execution.fork_pool import HarnessError, explain_broken_library
from recbench.benchmarks.execution.job import Job, Limits, make_jobs
from recbench.benchmarks.execution.measure import describe_environment, kernel_seconds
from recbench.benchmarks.execution.outcome import keep_record, record_ending, remove_leftovers
from recbench.benchmarks.execution.worker import describe_fold

__all__ = [
    "Executor",
    "HarnessError",
    "Job",
    "Limits",
    "describe_environment",
    "describe_fold",
    "explain_broken_library",
    "keep_record",
    "kernel_seconds",
    "make_jobs",
    "make_toy",
    "open_executor",
    "record_ending",
    "remove_leftovers",
]
