"""The seam between what is measured and where: jobs go in, records come out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from recbench.benchmarks.execution.cluster import Cluster
from recbench.benchmarks.execution.fork_pool import ForkPool
from recbench.benchmarks.execution.in_process import InProcess
from recbench.benchmarks.execution.job import Job, Limits
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

    def refuse_unsuitable(
        self, cells: Sequence[Cell], limits: Limits, plugins: Sequence[str] = ()
    ) -> None:
        """UsageError, before anything is written, for what cannot be measured there."""

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = ...
    ) -> Iterator[Record]:
        """Carry out each job and yield its record once that is written; `on_start` hears of each
        that begins.

        The order is that in which cells end. HarnessError if the executor itself breaks.
        """


@contextmanager
def open_executor(
    threads: int, cells_at_once: int = 1, *, debug: bool = False, cluster: str = ""
) -> Iterator[Executor]:
    """The executor for cells of `threads` threads each, `cells_at_once` of them at the same time.

    Usually this is the fork pool, which imports libraries while the caller loads the data. To
    `debug`, cells run in this process, one after the other; on a `cluster`, one on each worker.
    """
    if debug:
        yield InProcess(threads)
        return
    if cluster:
        with Cluster(cluster, threads) as workers:
            yield workers
        return
    with ForkPool(threads, cells_at_once) as pool:
        yield pool
