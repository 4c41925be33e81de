"""Records as a table: rows in families, means with their spread, and what has no mean."""

import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters import available
from recbench.benchmarks.certainty import Bootstrap, Sample, bootstrap, samples, too_few
from recbench.benchmarks.metrics import STANDARD, Metric, find, named
from recbench.benchmarks.records import Record, Run, RunDescription, parted
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
from recbench.datasets.profile import read_profile
from recbench.reports.spread import Spread

ABOUT = (
    "command",
    "reproduce",
    "metrics",
    "protocol",
    "published",
    "data",
    "environment",
)  # what a plan has to say


@dataclass(frozen=True)
class Row:
    """One row of the table: an algorithm with its parameters, and one record a fold."""

    name: str
    family: str
    records: tuple[Record, ...]
    initialisations: tuple[
        Record, ...
    ] = ()  # folds of the first division, fitted again with other seeds
    also: tuple[Record, ...] = ()  # the folds of another split, see `--also-split`

    @cached_property
    def elsewhere(self) -> "Row":
        """The same row under the other split."""
        return Row(self.name, self.family, self.also)

    @cached_property
    def failures(self) -> tuple[Record, ...]:
        """The records that are not ok."""
        return tuple(
            record for record in (*self.records, *self.initialisations) if record.status != "ok"
        )

    @property
    def failure(self) -> str:
        """Such as `timeout in 1 of 5 folds`; empty if all is well."""
        if not self.failures:
            return ""
        statuses = dict.fromkeys(record.status.replace("_", " ") for record in self.failures)
        n, folds = (
            len(self.records) + len(self.initialisations),
            "fold" if len(self.records) == 1 else "folds",
        )
        return f"{', '.join(statuses)} in {len(self.failures)} of {n} {folds}"

    def values(self, column: str) -> list[float | None]:
        """The metric by fold, as recorded."""
        return [record.metrics.get(column) for record in self.records]

    def spread(self, column: str) -> Spread | None:
        """Mean and spread over all planned folds; None unless every one of them is ok and has a value."""
        values = [value for value in self.values(column) if value is not None]
        return (
            Spread.of(values)
            if values and len(values) == len(self.records) and not self.failures
            else None
        )

    def mean(self, column: str) -> float | None:
        """The mean of `spread`."""
        spread = self.spread(column)
        return spread.mean if spread else None

    def missing(self, column: str) -> str:
        """Why `spread` is None, in words; empty if it is not."""
        if self.failures:
            return self.failure
        absent = [record.cell.fold for record in self.records if record.metrics.get(column) is None]
        asked = all(record.fold is None or record.fold.test > 0 for record in self.records)
        if find(column).needs_ratings and asked and len(absent) == len(self.records):
            return "only ranks"
        return f"undefined in fold {', '.join(map(str, absent))}" if absent else ""

    def seconds(self, phase: str) -> float | None:
        """Mean over the folds of a phase's wall time (each the median of its samples); None if a fold has none."""
        found = [record.seconds(phase) for record in self.records]
        known = [seconds for seconds in found if seconds is not None]
        return statistics.fmean(known) if len(known) == len(found) and not self.failures else None

    def samples(self, phase: str) -> list[int]:
        """How often the phase was timed in a fold: the different counts, in order."""
        counts = set()
        for record in self.records:
            cost = record.costs.get(phase)
            counts.add(len(cost.samples) if cost else 0)
        return sorted(counts)

    def memory_mb(self, cost: str) -> float | None:
        """The greatest `peak_mb` or `grown_mb` of any phase in any fold; None if it was not measured everywhere."""
        found = [getattr(costs, cost) for record in self.records for costs in record.costs.values()]
        known = [megabytes for megabytes in found if megabytes is not None]
        return max(known) if known and len(known) == len(found) and not self.failures else None

    @property
    def contended(self) -> bool:
        """Whether other cells ran at the same time in any fold."""
        return any(record.environment.contended for record in self.records if record.status == "ok")


@dataclass(frozen=True)
class Results:
    """All that a report shows: what the plan says about itself, and one record for each planned cell."""

    about: RunDescription
    records: list[Record]
    run: Run

    @staticmethod
    def read(directory: Path) -> "Results":
        """The results in `directory`; UsageError if there are none or if the plan cannot be reported."""
        run = Run(directory)
        _, about = run.read_plan()
        absent = about.lacks(ABOUT)
        if absent:
            raise UsageError(
                f"{directory / 'plan.json'} lacks {', '.join(absent)}: run "
                f"`{command_to_type('run')}` again"
            )
        for column in about.metrics:
            find(column)
        records = run.records()
        if not records:
            raise UsageError(
                f"{directory / 'plan.json'} plans no cells, so there is nothing to report"
            )
        return Results(about, records, run)

    @property
    def columns(self) -> list[str]:
        """The metric columns that are shown."""
        return list(self.about.metrics)

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.about.data.simulated

    @cached_property
    def profile(self) -> dict[str, Any] | None:
        """What `datasets.profile` has found in the data; None for a run made before there were profiles."""
        return read_profile(self.run.directory / "profile.json", self.about.data.digest)

    @cached_property
    def rows(self) -> list[Row]:
        """The rows, families together; families and the rows in them in the plan's order."""
        adapters, names = available(), dict.fromkeys(record.cell.row for record in self.records)
        rows = []
        for name in names:
            records = [record for record in self.records if record.cell.row == name]
            adapter = adapters.get(records[0].cell.algorithm)
            main, again, also = map(tuple, parted(records))
            rows.append(Row(name, adapter.family if adapter else "other", main, again, also))
        order = list(dict.fromkeys(row.family for row in rows))
        return sorted(rows, key=lambda row: order.index(row.family))

    @cached_property
    def n_failures(self) -> int:
        """How many cells are not ok."""
        return sum(record.status != "ok" for record in self.records)

    def first_error(self) -> str | None:
        """The first shown column in which lower is better."""
        return next((column for column in self.columns if find(column).better == "lower"), None)

    def first_ranking(self) -> str | None:
        """The first nDCG column, else the first ranking column; other protocols come last."""
        ranking = {
            column: named(column) for column in self.columns if find(column).kind == "ranking"
        }
        place = {
            c: (protocol != STANDARD, not rest.startswith("ndcg@"))
            for c, (protocol, rest) in ranking.items()
        }
        return min(place, key=lambda column: place[column], default=None)

    @cached_property
    def oracle(self) -> Row | None:
        """The row that knows the truth, on simulated data: no algorithm competes with it."""
        return next((row for row in self.rows if row.family == "oracle"), None)

    @cached_property
    def contestants(self) -> list[Row]:
        """All rows but the oracle."""
        return [row for row in self.rows if row is not self.oracle]

    def best(self, column: str) -> list[Row]:
        """The rows with the best mean; more than one only if the means are equal. Empty if no row has a mean."""
        losses = [
            (row, find(column).loss(m))
            for row in self.contestants
            if (m := row.mean(column)) is not None
        ]
        return [row for row, lost in losses if lost == min(other for _, other in losses)]

    @cached_property
    def _samples(self) -> dict[str, dict[str, Sample]]:
        """For each shown column that is a ratio over users: what users add to the rows whose answers are there."""
        whole = {
            row.name: row.records
            for row in self.contestants
            if not row.failures and all(self.run.has_answers(record.cell) for record in row.records)
        }
        return samples(
            self.run, whole, [column for column in self.columns if find(column).kind != "set"]
        )

    def unknown(self, column: str) -> str:
        """Why nothing is known of the certainty of `column`; empty if it is known."""
        by_row = self._samples.get(column)
        if not by_row:
            return "no row has all its folds and their raw answers"
        return too_few(min(sample.n_users for sample in by_row.values()))

    @cached_property
    def certainty(self) -> dict[str, "Certainty"]:
        """For each column whose users are known and not too few: how sure its differences are."""
        found = {}
        for column, by_row in self._samples.items():
            rows = [row for row in self.contestants if row.name in by_row]
            if not self.unknown(column):
                found[column] = Certainty(
                    rows, bootstrap(find(column), [by_row[row.name] for row in rows])
                )
        return found

    def near(self, column: str) -> list[Row]:
        """The rows, best first and the best left out, that cannot be told from the best; see `Certainty.tied`."""
        best, metric = self.best(column), find(column)
        if column not in self.certainty or not all(
            row in self.certainty[column].rows for row in best
        ):
            return []
        tied = [row for row in self.certainty[column].tied if row not in best]
        return sorted(tied, key=lambda row: metric.loss(row.mean(column) or 0.0))


@dataclass(frozen=True)
class Certainty:
    """The bootstrap of one column and the rows that it is about, in its order."""

    rows: list[Row]
    bootstrap: Bootstrap

    @property
    def tied(self) -> list[Row]:
        """The best row, and those whose difference to it is not significant at 5 % after Holm's correction."""
        return [self.rows[index] for index in self.bootstrap.tied]

    @property
    def order(self) -> list[int]:
        """The places of the rows in `rows`, best first."""
        return [
            int(place)
            for place in np.argsort(
                self.bootstrap.metric.loss(self.bootstrap.values), kind="stable"
            )
        ]

    def interval(self, row: Row) -> tuple[float, float] | None:
        """The 95 % interval of a row's value over users, or None if its answers are missing."""
        return self.bootstrap.interval(self.rows.index(row)) if row in self.rows else None


def metrics(results: Results) -> dict[str, Metric]:
    """The metric behind each shown column."""
    return {column: find(column) for column in results.columns}
