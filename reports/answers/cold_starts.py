"""Warm and cold apart under each split of a run, and whether two splits order the rows alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.stats import kendalltau

from recbench.benchmarks.certainty import level_ties
from recbench.benchmarks.metrics import Doubles, Population, column_of, find_metric
from recbench.benchmarks.records import Record
from recbench.datasets.foundation import Bounds
from recbench.reports.results import Certainty, Results, Row, levelled_losses

POPULATIONS: tuple[Population, ...] = ("warm", "cold", "fallback")

# Of the test ratings: where fewer are cold, hardly a digit of a mean hangs on them.
FEWEST_COLD = 0.01

# Kendall's tau from which on two orders are called alike: three of four pairs of rows agree.
ALIKE = 0.5


@dataclass(frozen=True)
class ColdCount:
    """A number of things, and how many of them are cold."""

    n_all: int
    n_cold: int

    @property
    def n_warm(self) -> int:
        """How many are warm."""
        return self.n_all - self.n_cold

    @property
    def share(self) -> float:
        """Which share of them is cold; 0 of nothing."""
        return self.n_cold / self.n_all if self.n_all else 0.0


@dataclass(frozen=True)
class Division:
    """One split of a run: the contestants under it, and what of its test part is cold."""

    results: Results
    split: str

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The contestants with their cells under this split."""
        return self.results.contestants_under(self.split)

    @cached_property
    def _whole_row(self) -> Sequence[Record]:
        """The records of a row that has them all; none if no row has, or if they say too little."""
        for row in self.rows:
            if row.records and not row.failures and all(map(_is_told, row.records)):
                return row.records
        return ()

    @property
    def n_folds(self) -> int:
        """How many cells of one row the numbers of ratings and users add up."""
        return len(self._whole_row)

    @cached_property
    def ratings(self) -> ColdCount:
        """The test ratings of all folds; cold are those of a cold user or item."""
        folds = [record.fold for record in self._whole_row if record.fold is not None]
        n_cold = sum(fold.cold_ratings or 0 for fold in folds)
        return ColdCount(sum(fold.test for fold in folds), n_cold)

    @cached_property
    def ranked_users(self) -> ColdCount:
        """The users of all folds that are asked for a ranking, each once a fold."""
        n_all = 0
        n_cold = 0
        for record in self._whole_row:
            for group in record.slices:
                if group.kind != "users":
                    continue
                n_all += group.n_lists or 0
                if group.group == "cold":
                    n_cold += group.n_lists or 0
        return ColdCount(n_all, n_cold)

    @property
    def has_cold_starts(self) -> bool:
        """Whether enough of the test part is cold to be looked at apart."""
        return max(self.ratings.share, self.ranked_users.share) >= FEWEST_COLD

    def part_of(self, column: str) -> ColdCount:
        """What the populations of a column part: test ratings, or users asked for a ranking."""
        is_of_ratings = find_metric(column).kind == "rating"
        return self.ratings if is_of_ratings else self.ranked_users

    def populations(self, column: str) -> dict[Population, str]:
        """The columns of the same metric over warm, over cold, and with the fallback for cold
        users; those in which any row has a mean.
        """
        columns = {}
        for population in POPULATIONS:
            limited = column_of(population, column)
            if limited and any(row.mean(limited) is not None for row in self.rows):
                columns[population] = limited
        return columns

    def certainty(self, column: str) -> Certainty | None:
        """How sure the means of a column are; None where nothing is known of it."""
        columns = [column]
        if self.has_cold_starts:  # read together, since they are shown together
            columns += self.populations(column).values()
        return self.results.certainty_under(self.split, columns).get(column)

    def interval(self, row: Row, column: str) -> Bounds | None:
        """The 95 % interval of a row's mean over users; None where it is not known."""
        certainty = self.certainty(column)
        return certainty.interval(row) if certainty else None


def _is_told(record: Record) -> bool:
    """Whether a record says how much of its test part is cold.

    Early ones do not; and where new users have histories, it counts them as cold, and metrics as
    warm.
    """
    fold = record.fold
    has_counts = fold is not None and fold.cold_ratings is not None and fold.history is None
    return has_counts and bool(record.slices)


def main_division(results: Results) -> Division:
    """The split of the run."""
    return Division(results, results.records[0].cell.split)


def other_division(results: Results) -> Division | None:
    """The split of `--also-split`; None without one."""
    for row in results.contestants:
        if row.also:
            return Division(results, row.also[0].cell.split)
    return None


@dataclass(frozen=True)
class TwoMeans:
    """A row with a mean under both splits; `warm_mean` is that without cold starts, if known."""

    main: Row
    other: Row
    main_mean: float
    other_mean: float
    warm_mean: float | None

    @property
    def name(self) -> str:
        """That of the row."""
        return self.main.name


@dataclass(frozen=True)
class OrderComparison:
    """The rows of one column that have a mean under both splits, best under the main one first.

    `warm_column` is the same metric over the warm users or ratings of the other split; None where
    that has no cold starts, or where a row has no mean of it.
    """

    column: str
    warm_column: str | None
    main: Division
    other: Division
    rows: Sequence[TwoMeans]

    @cached_property
    def _main_losses(self) -> Doubles:
        loss = find_metric(self.column).loss
        return level_ties([loss(row.main_mean) for row in self.rows])

    @cached_property
    def _other_losses(self) -> Doubles:
        loss = find_metric(self.column).loss
        return level_ties([loss(row.other_mean) for row in self.rows])

    @cached_property
    def _warm_losses(self) -> Doubles:
        """Of all rows, or none."""
        loss = find_metric(self.column).loss
        losses = [loss(row.warm_mean) for row in self.rows if row.warm_mean is not None]
        return level_ties(losses)

    def rank_in_main(self, row: TwoMeans) -> int:
        """Its place in the order of the main split, from 1."""
        return _rank_among(self._main_losses, self.rows.index(row))

    def rank_in_other(self, row: TwoMeans) -> int:
        """Its place in the order of the other split, from 1."""
        return _rank_among(self._other_losses, self.rows.index(row))

    def rank_in_warm(self, row: TwoMeans) -> int | None:
        """Its place among warm users or ratings of the other split; None where that is unknown."""
        if self.warm_column is None:
            return None
        return _rank_among(self._warm_losses, self.rows.index(row))

    @cached_property
    def tau(self) -> float | None:
        """Kendall's tau between the orders of both splits; None where there are no two rows."""
        return _kendalls_tau(self._main_losses, self._other_losses)

    @cached_property
    def warm_tau(self) -> float | None:
        """Kendall's tau between the main order and that over warm users or ratings of the other."""
        return _kendalls_tau(self._main_losses, self._warm_losses)

    @property
    def disagrees(self) -> bool:
        """Whether the splits order the rows differently, by more than the choice of users.

        Either over all rows, or since the best row of the main split is significantly worse than
        the best of the other.
        """
        if self.tau is None:
            return False
        return self.tau < ALIKE or self._loses_its_best

    @property
    def _loses_its_best(self) -> bool:
        first = self.rows[0]
        certainty = self.other.certainty(self.column)
        if certainty is None or first.other not in certainty.rows:
            return False
        return first.other not in certainty.tied


def compare_orders(main: Division, other: Division, column: str) -> OrderComparison:
    """The rows that have a mean of `column` under both splits."""
    warm_column = other.populations(column).get("warm") if other.has_cold_starts else None
    others = {row.name: row for row in other.rows}
    rows = []
    for row in main.rows:
        beside = others.get(row.name)
        main_mean = row.mean(column)
        if beside is None or main_mean is None:
            continue
        other_mean = beside.mean(column)
        if other_mean is None:
            continue
        warm_mean = beside.mean(warm_column) if warm_column else None
        rows.append(TwoMeans(row, beside, main_mean, other_mean, warm_mean))

    if any(row.warm_mean is None for row in rows):
        warm_column = None
    losses = levelled_losses([row.main for row in rows], column)
    rows.sort(key=lambda row: losses[row.name])
    return OrderComparison(column, warm_column, main, other, rows)


def _rank_among(losses: Doubles, place: int) -> int:
    """The rank from 1 of the loss at `place`; equal losses share the better rank."""
    return 1 + int((losses < losses[place]).sum())


def _kendalls_tau(losses: Doubles, others: Doubles) -> float | None:
    """Kendall's tau-b of two orders; None with fewer than two rows, or if one has all equal."""
    if len(losses) != len(others) or len(set(losses)) < 2 or len(set(others)) < 2:
        return None
    return float(kendalltau(losses, others).statistic)
