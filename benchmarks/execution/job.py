"""What an executor carries out: one cell with all that it takes, in a form that can cross a process
or a host.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from recbench.adapters import available
from recbench.benchmarks.evaluation import Predicts
from recbench.benchmarks.records import (
    Cell,
    DataDescription,
    Environment,
    Run,
    describe_data,
    predicts_of,
)
from recbench.benchmarks.splits import files_of_split
from recbench.datasets.ratings import Dataset, Source
from recbench.datasets.storage import digest_of

MODEL_ENDING = ".model"


@dataclass(frozen=True)
class Limits:
    """What a cell may use, its loading and warm-up included; and how long all cells together may
    take.

    None means as long as it takes.
    """

    seconds: float | None
    memory_mb: float
    budget_seconds: float | None = None


@dataclass(frozen=True)
class Job:
    """One cell to be measured. Every path is absolute: who carries it out may stand in another
    directory.

    What only the executor knows, it fills in when the cell starts.
    """

    cell: Cell
    dataset: Path  # the cache entry that holds the data
    directory: Path  # of the run: where record and raw answers are written
    working_directory: Path  # where the algorithm runs
    limits: Limits
    data: DataDescription
    environment: Environment
    # What the adapter's class says of itself: who has the test ratings does not import it
    predicts: Predicts
    abstains: bool
    sees_truth: bool
    units: Literal["data", "scale", "library"]
    evaluation: str  # the code that makes the metrics, see `records.evaluation_source`
    plugins: tuple[str, ...] = ()  # modules with more adapters
    requires: tuple[str, ...] = ()  # libraries of the adapter, by the names they are imported by
    folds_in: bool = False  # whether it can answer users that it has not seen
    is_timed: bool = True  # warmed up on a toy first, and short fits repeated
    expected_seconds: float | None = None  # that the whole cell will take; None: nobody knows
    is_served: bool = False  # saved in the end, loaded from disk and asked, see `--latency`
    started: str = ""  # ISO 8601, UTC
    processors: tuple[int, ...] = ()  # the cell is bound to these; empty: to none
    import_seconds: float = 0.0  # what it took the executor to import what the adapter requires
    log: Path | None = None  # where what the cell prints goes; None: nowhere but to the terminal

    def __post_init__(self) -> None:
        """ValueError for a relative path."""
        for path in (self.dataset, self.directory, self.working_directory, self.log):
            if path is not None and not path.is_absolute():
                raise ValueError(f"job of {self.cell.name}: expected absolute paths, got {path}")

    @property
    def is_attended(self) -> bool:
        """Whether the cell has the terminal of the command, so that somebody may sit there and
        debug.
        """
        return self.log is None

    @property
    def run(self) -> Run:
        """The run that the cell belongs to."""
        return Run(self.directory)

    @property
    def model_directory(self) -> Path:
        """Where the fitted algorithm is saved while its latency is measured."""
        return self.run.path(self.cell, MODEL_ENDING)

    @property
    def closed_files(self) -> tuple[Source, ...]:
        """What the data were read from, and what divides them: files that tell of test ratings."""
        closed = list(self.data.sources)
        for path in files_of_split(self.cell.split):
            closed.append(Source(path.name, digest_of(path, "sha256"), path.stat().st_size))
        return tuple(closed)

    def to_json(self) -> bytes:
        """One line of JSON, without its end."""
        return _JOB.dump_json(self, exclude_unset=True)

    @staticmethod
    def from_json(line: bytes) -> "Job":
        """The inverse of `to_json`. ValueError for anything else."""
        return _JOB.validate_json(line)


_JOB = TypeAdapter(Job)


def make_jobs(
    cells: Iterable[Cell],
    run: Run,
    dataset: Dataset,
    *,
    environment: Environment,
    evaluation: str,
    limits: Limits,
    plugins: Sequence[str] = (),
) -> list[Job]:
    """A job for each of `cells`, whose records go into `run`.

    `dataset` is in the cache: the cells read it there. `environment` is what `Executor.environment`
    says.
    """
    assert dataset.stored is not None, "a data set that was loaded is stored in the cache"
    adapters = available()
    data = describe_data(dataset)
    return [
        Job(
            cell=cell,
            dataset=dataset.stored.absolute(),
            directory=run.directory.absolute(),
            working_directory=Path.cwd(),
            limits=limits,
            data=data,
            environment=environment,
            evaluation=evaluation,
            plugins=tuple(plugins),
            requires=adapters[cell.algorithm].requires,
            predicts=predicts_of(cell),
            abstains=adapters[cell.algorithm].abstains,
            sees_truth=adapters[cell.algorithm].sees_truth,
            units=adapters[cell.algorithm].units,
            folds_in=adapters[cell.algorithm].folds_in(),
        )
        for cell in cells
    ]
