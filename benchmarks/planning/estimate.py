"""What the cells of a plan will take on these data and on this machine, before any of them runs.

From the cost model, corrected by how fast the machine is now, and by the records that are there.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from recbench.adapters import create
from recbench.adapters.shared.units import Units
from recbench.benchmarks.planning.cost_model import (
    CostModel,
    Costs,
    Likely,
    Size,
    read_cost_model,
)
from recbench.benchmarks.planning.resume import DivisionId, division_of
from recbench.benchmarks.records import Cell, Record
from recbench.benchmarks.splits import asks_new_users, divide
from recbench.datasets.foundation import format_seconds
from recbench.datasets.ratings import Dataset

MEASURED_FACTOR = 1.3  # how well another fold of the same row tells what a cell takes
LEAST_TELLING_SECONDS = 2.0  # of a cell: shorter ones are mostly what the bench itself does
UNLIKE_CALIBRATION = 3.0  # new users are folded in, and that was not calibrated
COMMON_FACTOR = 1.15  # of error that all cells share, above all the speed of the machine
EVEN_SPLITS = ("kfold", "user-kfold")  # dividing many ratings takes seconds: these need not be


@dataclass(frozen=True)
class RowCosts:
    """What a row of the table will take: all its cells that are to be measured."""

    row: str
    n_cells: int
    seconds: Likely | None  # of all its cells together; None: nothing is known of the algorithm
    peak_mb: Likely | None  # the greatest of its cells
    refusal: str | None = None  # which limit it would exceed, in words; None: it may keep both
    declined: str | None = None  # why the algorithm itself would decline the data


@dataclass
class Estimator:
    """Estimates cells of one data set."""

    data: Dataset
    speed: float  # of this machine, where that of the calibration is 1
    model: CostModel = field(default_factory=read_cost_model)
    is_served: Callable[[Cell], bool] = lambda cell: False  # and asked as a model, see `--latency`
    _sizes: dict[DivisionId, Size] = field(default_factory=dict)
    _measured: dict[tuple[str, str, int], list[Record]] = field(default_factory=dict)  # other folds
    _ratios: dict[str, list[float]] = field(default_factory=dict)  # measured / estimated

    @staticmethod
    def for_machine(
        data: Dataset, kernel_seconds: float, is_served: Callable[[Cell], bool] = lambda cell: False
    ) -> "Estimator":
        """For a machine that does the fixed piece of work in so many seconds."""
        model = read_cost_model()
        return Estimator(data, model.origin.kernel_seconds / kernel_seconds, model, is_served)

    def learn(self, records: Iterable[Record]) -> None:
        """Correct what is estimated from now on by what cells have taken.

        A fold is as other folds of its row on the same data; other rows of an algorithm are
        corrected by the mean ratio of what was measured to what was estimated. Contended times are
        left out, and those in which the algorithm had next to no share.
        """
        for record in records:
            cell = record.cell
            if record.status != "ok" or record.whole is None or record.environment.contended:
                continue
            if cell.digest == self.data.digest and not cell.inner:
                self._measured.setdefault(_place_of(cell), []).append(record)

            expected = self.model.estimate_cell(
                cell.algorithm, cell.parameters, _size_of_record(record), self.speed
            )
            if expected is not None and record.whole.seconds > LEAST_TELLING_SECONDS:
                ratio = record.whole.seconds / expected.seconds.value
                self._ratios.setdefault(cell.algorithm, []).append(ratio)

    def estimate_whole(self, cell: Cell) -> Costs | None:
        """What `cell` will take with what comes after its record, its latency if that is asked for.

        None if nothing is known of its algorithm. No limit on a cell counts the latter.
        """
        costs = self.estimate(cell)
        if costs is None or not self.is_served(cell):
            return costs
        size = self._measure_size(cell)
        serving = self.model.estimate_serving(cell.algorithm, cell.parameters, size, self.speed)
        if serving is None:
            return costs
        return Costs(add_likely([costs.seconds, serving], share_error=True), costs.peak_mb)

    def estimate(self, cell: Cell) -> Costs | None:
        """What `cell` will take until its record; None if nothing is known of its algorithm."""
        measured = self._measured.get(_place_of(cell))
        if measured and not cell.inner:
            return _average_costs(measured)

        expected = self._estimate_by_model(cell)
        ratios = self._ratios.get(cell.algorithm)
        if expected is None or not ratios:
            return expected
        ratio = math.exp(sum(map(math.log, ratios)) / len(ratios))
        return Costs(expected.seconds.scaled(ratio), expected.peak_mb)

    def explain_refusal(self, cell: Cell, seconds: float | None, memory_mb: float) -> str | None:
        """Why `cell` would exceed a limit, in words; None if it may keep both.

        Only where four of five such cells would: what is skipped wrongly is run with `--no-skip`,
        and what is not skipped is ended after its limit, with nothing to show for it.
        """
        costs = self.estimate(cell)
        if costs is None:
            return None
        if seconds is not None and costs.seconds.exceeds(seconds):
            return (
                f"would take about {_describe_seconds(costs.seconds)}, and {seconds:g} s are "
                "allowed: raise --time-limit, or run it all the same with --no-skip"
            )
        if costs.peak_mb.exceeds(memory_mb):
            return (
                f"would need about {_describe_megabytes(costs.peak_mb)}, and {memory_mb:,.0f} MB "
                "are allowed: raise --memory-limit, or run it all the same with --no-skip"
            )
        return None

    @property
    def start_seconds(self) -> float:
        """What it takes until the first cell runs: libraries, data, plan."""
        return self.model.bench.start_seconds / self.speed

    def estimate_report(self, n_rows: int) -> float:
        """Seconds that the report will take."""
        return self.model.estimate_report(n_rows, self.data.ratings.n_users, self.speed)

    def _estimate_by_model(self, cell: Cell) -> Costs | None:
        size = self._measure_size(cell)
        costs = self.model.estimate_cell(cell.algorithm, cell.parameters, size, self.speed)
        if costs is None or not asks_new_users(cell.inner or cell.split):
            return costs
        return Costs(costs.seconds.widened(UNLIKE_CALIBRATION), costs.peak_mb)

    def _measure_size(self, cell: Cell) -> Size:
        """The sizes of both parts of the cell's fold."""
        division = division_of(cell)
        if division not in self._sizes:
            self._sizes[division] = size_of_division(self.data, division)
        return self._sizes[division]


def size_of_division(data: Dataset, division: DivisionId) -> Size:
    """How large both parts of a division are."""
    ratings = data.ratings
    split, n_folds, *_, inner = division
    if split in EVEN_SPLITS and not inner:
        tested = len(ratings) // n_folds
        return Size(len(ratings) - tested, ratings.n_users, ratings.n_items, tested)

    train_rows, test_rows = divide(data, *division)
    users = np.bincount(ratings.users[train_rows], minlength=1)
    items = np.bincount(ratings.items[train_rows], minlength=1)
    return Size(
        ratings=len(train_rows),
        users=int(np.count_nonzero(users)),
        items=int(np.count_nonzero(items)),
        tested=len(test_rows),
    )


def estimate_rows(
    estimator: Estimator, cells: Sequence[Cell], seconds: float | None, memory_mb: float
) -> list[RowCosts]:
    """What the rows of `cells`, which are to be measured under these limits, will take."""
    by_row: dict[str, list[Cell]] = {}
    for cell in cells:
        by_row.setdefault(cell.row, []).append(cell)
    return [
        _estimate_row(estimator, row, of_row, seconds, memory_mb) for row, of_row in by_row.items()
    ]


def _estimate_row(
    estimator: Estimator, row: str, cells: Sequence[Cell], seconds: float | None, memory_mb: float
) -> RowCosts:
    """What the cells of one row will take; those that would be skipped count in full."""
    refusals = [estimator.explain_refusal(cell, seconds, memory_mb) for cell in cells]
    refusal = next((words for words in refusals if words is not None), None)
    declined = _explain_skip(estimator.data, cells[0], memory_mb)

    known = [costs for costs in map(estimator.estimate_whole, cells) if costs is not None]
    if not known:
        return RowCosts(row, len(cells), None, None, refusal, declined)
    return RowCosts(
        row=row,
        n_cells=len(cells),
        seconds=add_likely([costs.seconds for costs in known], share_error=True),
        peak_mb=max((costs.peak_mb for costs in known), key=lambda likely: likely.value),
        refusal=refusal,
        declined=declined,
    )


def _explain_skip(data: Dataset, cell: Cell, memory_mb: float) -> str | None:
    """Why the algorithm itself declines data of this kind and size; asked of all ratings."""
    if cell.external is not None:
        return None  # its files were found good
    algorithm = create(cell.algorithm, cell.arguments)
    if algorithm.sees_truth:
        return None  # it is given the truth where it runs
    ratings = Units.choose(algorithm, data.ratings.scale).convert_ratings(data.ratings)
    return algorithm.skip(ratings, data.catalogue, memory_mb)


def add_likely(parts: Sequence[Likely], *, share_error: bool = False) -> Likely:
    """The sum of some quantities, whose errors are independent unless they `share_error`."""
    value = sum(part.value for part in parts)
    if not value:
        return Likely(0.0, 1.0)
    excesses = [part.high - part.value for part in parts]
    excess = sum(excesses) if share_error else math.hypot(*excesses)
    factor = 1 + excess / value
    return Likely(value, factor if share_error else factor * COMMON_FACTOR)


def _place_of(cell: Cell) -> tuple[str, str, int]:
    """What cells share that differ in fold and seeds alone: they take about as long."""
    return cell.row, cell.split, cell.n_folds


def _size_of_record(record: Record) -> Size:
    """How large the cell of a record was that is ok."""
    assert record.fold is not None, "an ok cell has divided its data"
    return Size(
        ratings=record.fold.train,
        users=record.data.users,
        items=record.data.items,
        tested=record.fold.test,
    )


def _average_costs(records: Sequence[Record]) -> Costs:
    """What another fold of the same row is expected to take."""
    seconds = [record.whole.seconds for record in records if record.whole is not None]
    peaks = [record.peak_mb or 0.0 for record in records]
    return Costs(
        Likely(sum(seconds) / len(seconds), MEASURED_FACTOR),
        Likely(max(peaks), MEASURED_FACTOR),
    )


def _describe_seconds(likely: Likely) -> str:
    """As in `820 s (550 to 1,230)`."""
    low, value, high = map(format_seconds, (likely.low, likely.value, likely.high))
    return f"{value} s ({low} to {high})"


def _describe_megabytes(likely: Likely) -> str:
    """As in `9,100 MB (7,000 to 12,000)`."""
    return f"{likely.value:,.0f} MB ({likely.low:,.0f} to {likely.high:,.0f})"
