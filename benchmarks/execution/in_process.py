"""Cells in the process of the command itself, for debugging: prints, breakpoints and whole
tracebacks.

What a process of its own gives is missing here. No limit on time or memory is held; an algorithm
that ends the process ends the run; what an algorithm keeps in a module, the next cell finds there;
and libraries have been imported long ago, with threads as they like (those of BLAS and OpenMP are
limited). Records say `"in_process": true` in their environment, and count as contended, so that no
gate compares their times and reports show them grey. Cells are not warmed up and fitted once: a
breakpoint in `fit` is met once a cell, and no certificate of determinism is given.
"""

import gc
import traceback
from bdb import BdbQuit
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from threadpoolctl import threadpool_limits

from recbench.benchmarks.execution.job import Job, Limits
from recbench.benchmarks.execution.measure import describe_environment
from recbench.benchmarks.execution.outcome import keep_record, record_ending, remove_leftovers
from recbench.benchmarks.execution.watch import Budget
from recbench.benchmarks.execution.worker import measure_cell
from recbench.benchmarks.records import Cell, Environment, Record


class InProcess:
    """Runs cells one after the other in this process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @property
    def environment(self) -> Environment:
        """As of the pool, marked: times are not comparable with those of the pool."""
        environment = describe_environment(self._threads, cells_at_once=1)
        return environment.replaced(bound=False, contended=True, in_process=True)

    def wait_until_ready(self) -> None:
        """Nothing has to be started."""

    def refuse_unsuitable(
        self, cells: Sequence[Cell], limits: Limits, plugins: Sequence[str] = ()
    ) -> None:
        """Nothing is unsuitable: cells have the code and the machine of the command."""

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = lambda cell: None
    ) -> Iterator[Record]:
        """Run each cell and yield its record; of the limits, only the budget of all cells together
        holds.

        KeyboardInterrupt, with no record of the cell, if the user leaves the debugger.
        """
        jobs = list(jobs)
        budget = Budget(jobs)
        gc.freeze()  # the collections before each call skip what this process has had before
        try:
            for job in jobs:
                refusal = budget.explain_refusal(job)
                if refusal is not None:
                    yield keep_record(job, record_ending(job, "not_run", refusal))
                    continue
                on_start(job.cell)
                used_before = budget.seconds_used
                yield self._measure(job)
                budget.book_seconds(job.cell.row, budget.seconds_used - used_before)
        finally:
            gc.unfreeze()

    def _measure(self, job: Job) -> Record:
        """The record of one cell, which is written."""
        job = replace(job, started=datetime.now(UTC).isoformat(), is_timed=False, log=None)
        try:
            with chdir(Path.cwd()), threadpool_limits(self._threads):
                measure_cell(job)
        except BdbQuit:
            raise KeyboardInterrupt from None
        except SystemExit as leaving:
            traceback.print_exc()
            reason = f"the algorithm left the process: SystemExit: {leaving.code}"
            keep_record(job, record_ending(job, "crashed", reason))

        remove_leftovers(job.run, [job.cell])  # of an attempt in a process of its own
        record = job.run.read(job.cell)
        assert record is not None, "a measured cell has written its record"
        return record
