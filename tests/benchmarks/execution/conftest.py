"""Cells of rows that misbehave, run by a fork pool of this process, without a command around it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recbench import datasets
from recbench.benchmarks import planning as plan
from recbench.benchmarks.execution import Job, Limits, make_jobs
from recbench.benchmarks.execution.fork_pool import ForkPool
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import Environment, Record, Run

MakeJobs = Callable[..., list[Job]]
Measure = Callable[..., list[Record]]


@pytest.fixture
def jobs_of(ratings_file: Path, tmp_path: Path) -> MakeJobs:
    """Jobs for rows of the house or of a plug-in, in two folds of the small table."""

    def make(
        *rows: str,
        plugin: str = "tests.plugins.faulty",
        folds: slice = slice(1),
        seconds: float | None = 60,
        memory_mb: float = 4000,
        table: Path = ratings_file,
    ) -> list[Job]:
        __import__(plugin)
        data = datasets.load(f"table:{table}")
        design = plan.Design("kfold", 2, 0, Evaluation())
        cells = plan.plan_cells(data, plan.parse_rows(list(rows)), design)
        return make_jobs(
            [cell for cell in cells if cell.fold in range(2)[folds]],
            Run(tmp_path / "out"),
            data,
            environment=Environment(threads=1, contended=False),
            evaluation="0123456789ab",
            limits=Limits(seconds=seconds, memory_mb=memory_mb),
            plugins=[plugin],
        )

    return make


@pytest.fixture(scope="module")
def pool() -> Iterator[ForkPool]:
    """One for all tests of a file: what happened to it in one must not show in the next."""
    with ForkPool(threads=1) as pool:
        yield pool


@pytest.fixture
def measure(pool: ForkPool, jobs_of: MakeJobs) -> Measure:
    """The records of rows, one fold each unless `folds` says more."""

    def run(*rows: str, **options: object) -> list[Record]:
        return list(pool.execute(jobs_of(*rows, **options)))

    return run
