"""The seam between what is measured and where: jobs go in, records come out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from recbench.benchmarks.execution.fork_pool import ForkPool
from recbench.benchmarks.execution.in_process import InProcess
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.records import Cell, Environment, Record


class Executor(Protocol):
    """Carries out jobs. Where, and how many at a time, is known to nobody else."""

    @property
    def environment(self) -> Environment:
        """The machine, the versions and the commit: what its records say unless a cell has met with
        worse.
        """

    def wait_until_ready(self) -> None:
        """Return once cells can be run. HarnessError if they cannot."""

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = ...
    ) -> Iterator[Record]:
        """Carry out each job and yield its record once that is written; `on_start` hears of each
        that begins.

        The order is that in which cells end. HarnessError if the executor itself breaks.
        """


@contextmanager
def open_executor(
    threads: int, cells_at_once: int = 1, *, debug: bool = False
) -> Iterator[Executor]:
    """The executor for cells of `threads` threads each, `cells_at_once` of them at the same time.

    Usually this is the fork pool, which imports libraries while the caller loads the data. To
    `debug`, cells run in this process, one after the other.
    """
    if debug:
        yield InProcess(threads)
        return
    with ForkPool(threads, cells_at_once) as pool:
        yield pool
