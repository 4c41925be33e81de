"""What a run keeps of its searches, in `tuning.json`: every trial, and what was chosen."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.tuning.kept_list import KeptList
from recbench.benchmarks.tuning.spaces import Dimension

FILE = "tuning.json"

Value = bool | int | float | str | None


class Trial(BaseModel):
    """One configuration that was tried on the inner division of a fold."""

    model_config = ConfigDict(frozen=True)

    number: int  # from 0
    cell: str  # the name of its record below `tuning/records`
    tried: dict[str, Value]  # the searched hyperparameters
    status: str  # of its record: a failure is a trial, too
    value: float | None  # of the metric on the inner test part; None if it has none
    cpu_seconds: float  # processor time of all calls; of a failure the wall time of its cell
    epochs: int | None = None  # that the fit ran, early stopping included; None if it has no trace


class History(BaseModel):
    """The search of a row on one fold."""

    model_config = ConfigDict(frozen=True)

    row: str  # the row that is tuned
    algorithm: str
    split: str
    n_folds: int
    fold: int
    split_seed: int
    inner: str  # the split of the training part
    metric: str
    budget: str  # as it is typed
    seed: int  # of the sampler
    sampler: str  # its library, with the version
    space: dict[str, Dimension]
    parameters: dict[str, Value]  # all hyperparameters of the row itself
    default_trial: bool = True  # whether these were the first trial
    trials: list[Trial]
    is_over: bool  # False: it was stopped before its budget was spent

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, the earliest of equal ones; None if none has a value."""
        metric = find_metric(self.metric)
        valued = [trial for trial in self.trials if trial.value is not None]
        return min(valued, key=lambda trial: metric.loss(trial.value or 0.0), default=None)

    @property
    def chosen(self) -> dict[str, Any]:
        """All hyperparameters of the tuned row on this fold: the defaults if no trial has a
        value.
        """
        best = self.best
        return self.parameters | (best.tried if best is not None else {})

    @property
    def borders(self) -> list[str]:
        """The chosen hyperparameters that lie on the border of the space."""
        return [
            name for name, dimension in self.space.items() if dimension.is_border(self.chosen[name])
        ]

    @property
    def cpu_seconds(self) -> float:
        """What all trials have cost."""
        return sum(trial.cpu_seconds for trial in self.trials)

    @property
    def values_so_far(self) -> list[float | None]:
        """The best value after each trial; None as long as there is none."""
        metric = find_metric(self.metric)
        best: float | None = None
        values: list[float | None] = []
        for trial in self.trials:
            is_better = trial.value is not None and (
                best is None or metric.loss(trial.value) < metric.loss(best)
            )
            if is_better:
                best = trial.value
            values.append(best)
        return values


_HISTORIES = KeptList(FILE, "searches", TypeAdapter(list[History]), "run again")


def write_histories(directory: Path, histories: Iterable[History]) -> Path:
    """Write `tuning.json` into the directory of a run; its path."""
    return _HISTORIES.write(directory, histories)


def read_histories(directory: Path) -> list[History]:
    """The searches of a run; none for one that was not tuned. UsageError if the file is damaged."""
    return _HISTORIES.read(directory)
