"""The rows in the order of one metric, with what a reader compares first."""

from dataclasses import dataclass

from recbench.benchmarks.records import PHASES
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.results import Results, Row

MOST_ROWS = 10


@dataclass(frozen=True)
class RankedRow:
    """A row with its mean of a metric; means that are equal but for rounding share a `rank`.

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
    loss_by_row = results.losses(column)
    known = []
    for row in results.contestants:
        mean = row.mean(column)
        if mean is not None:
            known.append((mean, row))
    known.sort(key=lambda entry: loss_by_row[entry[1].name])

    best = results.best(column)
    near = results.near(column)
    losses = sorted(loss_by_row.values())
    ranked = []
    for mean, row in known[:most]:
        ranked.append(
            RankedRow(
                rank=1 + losses.index(loss_by_row[row.name]),
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
