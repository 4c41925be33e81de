"""The rows in the order of one metric, with what a reader compares first."""

from dataclasses import dataclass

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PHASES
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.results import Results, Row

MOST_ROWS = 10


@dataclass(frozen=True)
class RankedRow:
    """A row with its mean of a metric; equal means share a `rank`.

    `seconds` are those of all phases of a fold, None if they were not measured.
    """

    rank: int
    row: Row
    value: float
    bounds: Bounds | None
    seconds: float | None
    is_best: bool
    is_near: bool  # not significantly different from the best

    @property
    def text(self) -> str:
        """The value, with the digits that its interval carries."""
        return words.number(self.value, self.bounds)


@dataclass(frozen=True)
class BestRows:
    """The best rows of a column, best first, and how many others there are."""

    column: str
    rows: list[RankedRow]
    n_more: int  # with a mean, and not among `rows`
    without_mean: list[Row]

    @property
    def extent(self) -> tuple[float, float]:
        """The least and the greatest end of any interval."""
        ends = [end for row in self.rows for end in (row.bounds or (row.value, row.value))]
        return min(ends), max(ends)


def rank_rows(results: Results, column: str, most: int = MOST_ROWS) -> BestRows:
    """The contestants with a mean of `column`, at most so many; equal ones in their order."""
    metric = find_metric(column)
    known = []
    for row in results.contestants:
        mean = row.mean(column)
        if mean is not None:
            known.append((metric.loss(mean), mean, row))
    known.sort(key=lambda entry: entry[0])

    best = results.best(column)
    near = results.near(column)
    losses = [loss for loss, _, _ in known]
    ranked = []
    for loss, mean, row in known[:most]:
        ranked.append(
            RankedRow(
                rank=1 + losses.index(loss),
                row=row,
                value=mean,
                bounds=words.interval(results, row, column),
                seconds=row.seconds(*PHASES),
                is_best=row in best,
                is_near=row in near,
            )
        )

    without = [row for row in results.contestants if row.mean(column) is None]
    return BestRows(column, ranked, len(known) - len(ranked), without)
