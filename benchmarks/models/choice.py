"""Which row of a run to train: by name, or the best one by a metric, and what it was worth."""

import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recbench.adapters import available
from recbench.benchmarks.certainty import (
    Bootstrap,
    bootstrap_users,
    explain_too_few_users,
    level_by_name,
    read_user_shares,
)
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.models.description import MeasuredNumber, Measurement
from recbench.benchmarks.planning import dataset_of
from recbench.benchmarks.records import PHASES, Record, Run, RunDescription, group_by_role
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, pick_name

ORACLE = "oracle"  # the family that takes no part in the contest


@dataclass(frozen=True)
class MeasuredRun:
    """The rows of a run with their records on the folds of its split, in the order of the plan."""

    run: Run
    about: RunDescription
    rows: dict[str, list[Record]]

    @staticmethod
    def read(directory: Path) -> "MeasuredRun":
        """What a run has left; UsageError if it is no run, or damaged."""
        run = Run(directory)
        _, about = run.read_plan()
        if about.shard:
            raise UsageError(
                f"{directory} is the shard {about.shard} of a run, and has some of its cells only: "
                f"join all shards with `{command_to_type('merge')}`, and train from that"
            )
        return MeasuredRun(run, about, group_rows(run.records()))

    @property
    def dataset(self) -> str:
        """How the data of the run were named."""
        return dataset_of(self.about) or self.about.data.name

    def find(self, row: str) -> list[Record]:
        """The records of a row; UsageError, with the nearest name, if there is none."""
        return self.rows[pick_name("row", row, self.rows)]

    def choose(self, column: str, options: Sequence[str] = ()) -> "Choice":
        """The best row by a metric of the report, and those not significantly different from it.

        UsageError for a metric that the run has not, and if its data or rows name no best one. It
        says which command trains a row all the same; `options` are what else was typed.
        """
        column = pick_name("--best", column, self.about.metrics)
        best = find_best(self.rows, column)
        for spot in self.about.blind_spots:
            if column in spot.hides:
                raise UsageError(
                    f"--best {column}: these data name no best row ({spot.kind})"
                    f"{self._advise_row(best, options)}"
                )
        if best is None:
            raise UsageError(
                f"--best {column}: no row of {self.run.directory} that can be trained has a value "
                f"in all its folds{self._advise_row(None, options)}"
            )
        tied = self._list_tied(best, column)
        seconds = {row: mean_seconds(self.rows[row]) for row in (best, *tied)}
        known = {row: time for row, time in seconds.items() if time is not None}
        cheapest = min(known, key=lambda row: known[row], default=best)
        return Choice(best, column, tied, cheapest)

    def _advise_row(self, row: str | None, options: Sequence[str]) -> str:
        """What to type to train a row that is named: this one, or the first that has no failure;
        and which others there are. Empty if no row can be trained.
        """
        names = [
            name
            for name, records in self.rows.items()
            if can_be_trained(records) and all(record.status == "ok" for record in records)
        ]
        if not names:
            return ""
        named = names[0] if row is None else row
        directory = str(self.run.directory)
        command = shlex.join([directory, "--row", named, *options])
        advice = f"; to train one all the same: {command_to_type('train')} {command}"
        others = [name for name in names if name != named]
        if others:
            advice += f" (or another row: {', '.join(map(shlex.quote, others))})"
        return advice

    def _list_tied(self, best: str, column: str) -> list[str]:
        """The rows not significantly different from the best, without it; none if nobody knows."""
        draws = self._draw(column)
        if draws is None or best not in draws.rows:
            return []
        tied = [draws.rows[place] for place in draws.bootstrap.tied_with_best]
        return [row for row in tied if row != best]

    def _draw(self, column: str, only: str = "") -> "_Draws | None":
        """The bootstrap of all contestants, or of the row `only`; None if nothing can be said."""
        if find_metric(column).kind == "set":
            return None  # no mean over users
        whole = {}
        for row, records in self.rows.items():
            is_asked_for = row == only if only else can_be_trained(records)
            if is_asked_for and all(self.run.has_answers_of(record) for record in records):
                whole[row] = records
        shares = read_user_shares(self.run, whole, [column])[column]
        if not shares or explain_too_few_users(min(one.n_users for one in shares.values())):
            return None
        bootstrap = bootstrap_users(find_metric(column), list(shares.values()))
        return _Draws(list(shares), bootstrap)

    def measure(self, row: str, choice: "Choice | None" = None) -> Measurement:
        """What the run says of a row: each metric of its report, with intervals, and the time."""
        records = self.find(row)
        first = records[0].cell
        columns = {}
        for column in self.about.metrics:
            mean = mean_of(records, column)
            if mean is None:
                continue
            draws = self._draw(column, row)
            low, high = draws.bootstrap.interval(0) if draws is not None else (None, None)
            columns[column] = MeasuredNumber(value=mean, low=low, high=high)
        return Measurement(
            run=str(self.run.directory),
            row=row,
            split=first.split,
            n_folds=first.n_folds,
            seed=first.seed,
            columns=columns,
            seconds=mean_seconds(records),
            best_by=choice.column if choice else "",
            not_different=choice.not_different if choice else [],
            cheapest=choice.cheapest if choice else "",
        )


@dataclass(frozen=True)
class _Draws:
    rows: list[str]
    bootstrap: Bootstrap


@dataclass(frozen=True)
class Choice:
    """The best row of a run by a metric."""

    row: str
    column: str
    not_different: list[str]  # rows not significantly different from it
    cheapest: str  # of these and the best: the one that takes the least time in all phases


def group_rows(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records by row, of the run's own split and first seed."""
    by_row: dict[str, list[Record]] = {}
    for record in records:
        by_row.setdefault(record.cell.row, []).append(record)
    return {row: group_by_role(of_row)[0] for row, of_row in by_row.items()}


def find_best(rows: dict[str, list[Record]], column: str) -> str | None:
    """The row with the best mean over all its folds, the first of equal ones; None without any.

    Of those that can be trained.
    """
    metric = find_metric(column)
    losses = {}
    for row, records in rows.items():
        mean = mean_of(records, column)
        if mean is not None and can_be_trained(records):
            losses[row] = metric.loss(mean)
    if not losses:
        return None
    levelled = level_by_name(losses)
    return min(levelled, key=lambda row: levelled[row])


def mean_of(records: Sequence[Record], column: str) -> float | None:
    """The mean over the folds; None if one of them has no value."""
    values = [record.metrics.get(column) for record in records if record.status == "ok"]
    known = [value for value in values if value is not None]
    if len(known) < len(records):
        return None
    return statistics.fmean(known)


def mean_seconds(records: Sequence[Record]) -> float | None:
    """The time of all phases together, mean over the folds; None if one has failed."""
    times = []
    for record in records:
        known = [record.seconds(phase) for phase in PHASES]
        seconds = [time for time in known if time is not None]
        if record.status != "ok" or not seconds:
            return None
        times.append(sum(seconds))
    return statistics.fmean(times)


def can_be_trained(records: Sequence[Record]) -> bool:
    """Whether a row is an algorithm that can be fitted to all ratings.

    An oracle, which takes no part in the contest, is none, and no answers from files are.
    """
    return records[0].cell.external is None and not _is_oracle(records)


def _is_oracle(records: Sequence[Record]) -> bool:
    adapter = available().get(records[0].cell.algorithm)
    return adapter is not None and adapter.family == ORACLE
