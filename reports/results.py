"""Records as a table: rows in families, means with their spread, and what has no mean."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from recbench.adapters import Recommender, available
from recbench.adapters.base import NOT_SAID, Origin
from recbench.benchmarks.certainty import (
    Bootstrap,
    UserShares,
    bootstrap_users,
    explain_too_few_users,
    level_by_name,
    read_user_shares,
)
from recbench.benchmarks.metrics import STANDARD, Metric, find_metric, parse_column
from recbench.benchmarks.records import (
    MADE_ELSEWHERE,
    Record,
    Run,
    RunDescription,
    Serving,
    describe_fold_in,
    group_by_role,
)
from recbench.benchmarks.splits import (
    asks_new_users,
    filter_of_split,
    is_seeded,
    share_of_growth,
)
from recbench.benchmarks.tuning import History, read_histories
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
from recbench.datasets.profile import Profile, read_profile
from recbench.reports.fold_spread import Spread

# What a plan has to say of its run.
ABOUT = (
    "command",
    "reproduce",
    "metrics",
    "protocol",
    "published",
    "data",
    "environment",
)

# The row that predicts the mean of the training part for every pair: what an error has to beat.
CONSTANT = "global-mean"

# Of the reason why a row without `fold_in` is skipped where users are new.
UNSEEN = "has not seen"

# Of two errors: what rounding makes of equal ones.
SAME = 1e-6


@dataclass(frozen=True)
class Row:
    """One line of the report: an algorithm with its hyperparameters, and one record a fold."""

    name: str
    family: str
    records: tuple[Record, ...]
    # Folds of the first division, fitted again with other seeds; see `--repeats`.
    initialisations: tuple[Record, ...] = ()
    # The folds of another split; see `--also-split`.
    also: tuple[Record, ...] = ()
    # Folds trained behind filters; see `--filters`.
    filtered: tuple[Record, ...] = ()
    # Folds on samples of the users; see `--grow`.
    grown: tuple[Record, ...] = ()
    epochs_hyperparameter: str | None = None
    # Where the defaults of its hyperparameters come from; None: not said.
    origin: Origin | None = None
    # Where the values come from that were given, see `--parameters`; None: nobody says.
    values_from: Origin | None = None
    how_it_folds_in: str = ""  # how it answers a new user, in words; empty: not said

    @property
    def given(self) -> list[str]:
        """The hyperparameters that somebody has set, sorted; all others have their defaults."""
        return sorted(self.records[0].cell.given)

    @property
    def is_tuned(self) -> bool:
        """Whether its hyperparameters were searched for in this run, see `--tune`."""
        return self.records[0].cell.tuning is not None

    @property
    def is_external(self) -> bool:
        """Whether its answers come from files, so that nothing of what they cost is known."""
        return self.records[0].cell.external is not None

    @property
    def defaults(self) -> str:
        """Where the values of its hyperparameters come from, on one line."""
        if self.is_external:
            return MADE_ELSEWHERE
        searches = [record.cell.tuning for record in self.records]
        counts = sorted({search["n_trials"] for search in searches if search is not None})
        if counts:
            most = f" to {counts[-1]}" if len(counts) > 1 else ""
            return f"tuned in this run, trials on each fold: {counts[0]}{most}"
        said = self.origin.text if self.origin else NOT_SAID
        if not self.given:
            return said
        if self.values_from is not None:
            return f"{self.values_from.text}; others {said}"
        return f"given: {', '.join(self.given)}; others {said}"

    def was_tuned_on(self, dataset: str) -> bool:
        """Whether any value that it has by default was tuned on this data set."""
        if self.is_tuned:
            return False  # on nothing but the training part of each fold
        if self.values_from is not None and self.values_from.was_tuned_on(dataset):
            return True
        if self.origin is None or not self.origin.was_tuned_on(dataset):
            return False
        return not set(self.origin.chosen) <= set(self.given)

    @cached_property
    def elsewhere(self) -> "Row":
        """The same row under the other split."""
        return replace(self, records=self.also, initialisations=(), also=(), filtered=(), grown=())

    @property
    def planned_epochs(self) -> int | None:
        """How often a fit may pass over the training part; None if its adapter does not say."""
        if self.epochs_hyperparameter is None:
            return None
        n_epochs = self.records[0].cell.parameters.get(self.epochs_hyperparameter)
        return n_epochs if isinstance(n_epochs, int) else None

    @property
    def cannot_fold_in(self) -> bool:
        """Whether it was skipped because it cannot answer users that it has not seen."""
        return any(
            record.status == "skipped" and UNSEEN in (record.reason or "")
            for record in self.records
        )

    @cached_property
    def failures(self) -> tuple[Record, ...]:
        """The records that are not ok."""
        everything = (*self.records, *self.initialisations)
        return tuple(record for record in everything if record.status != "ok")

    @property
    def failure(self) -> str:
        """Such as `timeout in 1 of 5 folds`; empty if all is well."""
        if not self.failures:
            return ""

        statuses = [record.status.replace("_", " ") for record in self.failures]
        distinct = ", ".join(dict.fromkeys(statuses))
        n_failed = len(self.failures)
        n_cells = len(self.records) + len(self.initialisations)
        folds = "fold" if len(self.records) == 1 else "folds"
        return f"{distinct} in {n_failed} of {n_cells} {folds}"

    def values(self, column: str) -> list[float | None]:
        """The metric by fold, as recorded."""
        return [record.metrics.get(column) for record in self.records]

    def spread(self, column: str) -> Spread | None:
        """Mean and spread over all planned folds.

        None unless every one of them is ok and has a value.
        """
        values = [value for value in self.values(column) if value is not None]
        is_whole = len(values) == len(self.records) and not self.failures
        if not values or not is_whole:
            return None
        return Spread.of(values)

    def mean(self, column: str) -> float | None:
        """The mean of `spread`; None where that is."""
        spread = self.spread(column)
        return spread.mean if spread else None

    def mean_of_seeds(self, column: str) -> float | None:
        """The mean over all initialisations where the split has one division; else `mean`."""
        mean = self.mean(column)
        if mean is None or is_seeded(self.records[0].cell.split):
            return mean

        known = []
        for record in (*self.records, *self.initialisations):
            value = record.metrics.get(column)
            if value is not None:
                known.append(value)
        return sum(known) / len(known)

    def missing(self, column: str) -> str:
        """Why `spread` is None, in words; empty if it is not."""
        if self.failures:
            return self.failure
        absent = [record.cell.fold for record in self.records if record.metrics.get(column) is None]
        if not absent:
            return ""

        needed = "ratings" if find_metric(column).kind == "rating" else "lists"
        if self.is_external and needed not in self.records[0].cell.kinds_of_files:
            return "not in its files"
        were_asked = all(record.fold is None or record.fold.test > 0 for record in self.records)
        if find_metric(column).needs_ratings and were_asked and len(absent) == len(self.records):
            return "ranks only"
        return f"undefined in fold {', '.join(map(str, absent))}"

    def seconds(self, *phases: str) -> float | None:
        """Mean over the folds of the wall time of these phases together, each phase the median of
        its samples.

        None if a fold has none of them. Where nobody is asked for a ranking that phase takes no
        time, so of several phases the known ones count.
        """
        times = []
        for record in self.records:
            known = [record.seconds(phase) for phase in phases]
            seconds = [time for time in known if time is not None]
            if not seconds or self.failures:
                return None
            times.append(sum(seconds))
        return statistics.fmean(times)

    @property
    def cold_seconds(self) -> float | None:
        """What the row takes once, before anything is timed: the most of any fold.

        None if a fold does not say, or has failed.
        """
        cold = [record.cold.seconds for record in self.records if record.cold is not None]
        if len(cold) < len(self.records) or self.failures:
            return None
        return max(cold)

    @cached_property
    def serving(self) -> Serving | None:
        """What serving it would cost, or why nobody knows; None if nobody asked, see `--latency`.

        One fold of a row says it.
        """
        said = [record.serving for record in self.records if record.serving is not None]
        return said[0] if said else None

    def samples(self, phase: str) -> list[int]:
        """How often the phase was timed in a fold: the different counts, in order."""
        counts = set()
        for record in self.records:
            cost = record.costs.get(phase)
            counts.add(len(cost.samples) if cost else 0)
        return sorted(counts)

    def memory_mb(self, cost: str) -> float | None:
        """The greatest `peak_mb` or `grown_mb` of any phase in any fold, in MB.

        None if it was not measured everywhere.
        """
        used: list[float | None] = [
            getattr(costs, cost) for record in self.records for costs in record.costs.values()
        ]
        known = [megabytes for megabytes in used if megabytes is not None]
        if not known or len(known) < len(used) or self.failures:
            return None
        return max(known)

    @property
    def contended(self) -> bool:
        """Whether other cells ran at the same time in any fold, so that times are doubtful."""
        if self.is_external:
            return False
        ran = [record for record in self.records if record.status == "ok"]
        return any(record.environment.contended for record in ran)


@dataclass(frozen=True)
class DefaultsByOrigin:
    """The rows that have hyperparameters, by where their values come from, seen from these data.

    What has nothing to choose is in none of the lists, nor is what was made elsewhere.
    """

    tuned: list[Row]  # at least one default was tuned on these data
    untuned: list[Row]  # the defaults were chosen without these data
    given: list[Row]  # hyperparameters were set, and no default that is left was tuned on the data
    unsaid: list[Row]  # nobody says where the defaults come from
    found: list[Row]  # values were given that searches have found, see `--parameters`

    @property
    def are_mixed(self) -> bool:
        """Whether rows with defaults tuned on these data stand beside rows without."""
        return bool(self.tuned and self.untuned)


@dataclass(frozen=True)
class Results:
    """All that a report shows: what the plan says of its run, and a record a planned cell."""

    about: RunDescription
    records: list[Record]
    run: Run

    @staticmethod
    def read(directory: Path) -> "Results":
        """The results in `directory`; UsageError if there are none or the plan is incomplete."""
        run = Run(directory)
        _, about = run.read_plan()
        absent = about.lacks(ABOUT)
        if absent:
            raise UsageError(
                f"{directory / 'plan.json'} lacks {', '.join(absent)}: run "
                f"`{command_to_type('run')}` again"
            )
        for column in about.metrics:
            find_metric(column)
        records = run.records()
        if not records:
            plan = directory / "plan.json"
            raise UsageError(f"{plan} plans no cells, so there is nothing to report")
        return Results(about, records, run)

    @property
    def columns(self) -> list[str]:
        """The metric columns that are shown."""
        return list(self.about.metrics)

    @property
    def hosts(self) -> list[str]:
        """The machines on which cells were measured, as far as the records name them."""
        names = {record.environment.host for record in self.records if record.status != "not_run"}
        return sorted(names - {""})

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.about.data.simulated

    @cached_property
    def profile(self) -> Profile | None:
        """What the run's profile says of the data; None for a run made before there were any."""
        return read_profile(self.run.directory / "profile.json", self.about.data.digest)

    @cached_property
    def fairly_tuned(self) -> set[str]:
        """The rows that are there tuned, too; none unless all searches had the same budget."""
        budgets = {search.budget for search in self.searches}
        is_fair = len(budgets) == 1 and all(search.is_over for search in self.searches)
        return {search.row for search in self.searches} if is_fair else set()

    @cached_property
    def searches(self) -> list[History]:
        """The searches of the tuned rows that are shown; none in a run that was not tuned."""
        tuned = {record.cell.untuned_row for record in self.records if record.cell.tuning}
        return [one for one in read_histories(self.run.directory) if one.row in tuned]

    @cached_property
    def searches_not_blind(self) -> list[History]:
        """The searches that chose the row's own hyperparameters, if these were tuned on the data.

        Whoever tuned them saw ratings that are test ratings here, so what they are worth is not
        known from the training part alone.
        """
        data = self.about.data.name
        tuned_on_data = {row.name for row in self.rows if row.was_tuned_on(data)}
        return [
            one
            for one in self.searches
            if one.row in tuned_on_data and one.chosen == one.parameters
        ]

    @cached_property
    def rows(self) -> list[Row]:
        """The rows, families together; families and the rows in them in the plan's order."""
        adapters = available()
        by_name: dict[str, list[Record]] = {}
        for record in self.records:
            by_name.setdefault(record.cell.row, []).append(record)

        rows = []
        for name, records in by_name.items():
            # Older plans do not say it, and then a plug-in's rows look other without it.
            adapter = adapters.get(records[0].cell.algorithm)
            family = adapter.family if adapter else "other"
            epochs = adapter.epochs_hyperparameter if adapter else None
            origin = _origin_of_equal_defaults(adapter, records[0])
            described = self.about.algorithms.get(name)
            if described is not None and described.family is not None:
                family = described.family
                epochs = described.epochs_hyperparameter
            if described is not None and described.says("origin"):
                origin = described.origin
            values_from = described.values_from if described is not None else None
            how = describe_fold_in(adapter) if adapter else ""
            if described is not None and described.says("folds_in"):
                how = described.folds_in or ""
            main, initialisations, elsewhere = map(tuple, group_by_role(records))
            also: list[Record] = []
            behind_filters: list[Record] = []
            grown: list[Record] = []
            for record in elsewhere:
                if share_of_growth(record.cell.split) is not None:
                    grown.append(record)
                elif filter_of_split(record.cell.split) is not None:
                    behind_filters.append(record)
                else:
                    also.append(record)
            rows.append(
                Row(
                    name=name,
                    family=family,
                    records=main,
                    initialisations=initialisations,
                    also=tuple(also),
                    filtered=tuple(behind_filters),
                    grown=tuple(grown),
                    epochs_hyperparameter=epochs,
                    origin=origin,
                    values_from=values_from,
                    how_it_folds_in=how,
                )
            )
        order = list(dict.fromkeys(row.family for row in rows))
        return sorted(rows, key=lambda row: order.index(row.family))

    @cached_property
    def n_failures(self) -> int:
        """How many cells are not ok."""
        return sum(record.status != "ok" for record in self.records)

    def first_error(self) -> str | None:
        """The first shown column in which lower is better."""
        return next(
            (column for column in self.columns if find_metric(column).better == "lower"), None
        )

    def first_ranking(self) -> str | None:
        """The first nDCG column, else the first ranking column; other protocols come last."""
        ranking = [column for column in self.columns if find_metric(column).kind == "ranking"]
        return min(ranking, key=_ranking_order, default=None)

    @cached_property
    def oracle(self) -> Row | None:
        """The row that knows the truth, on simulated data: no algorithm competes with it."""
        return next((row for row in self.rows if row.family == "oracle"), None)

    @cached_property
    def contestants(self) -> list[Row]:
        """All rows but the oracle."""
        return [row for row in self.rows if row is not self.oracle]

    @cached_property
    def compared(self) -> list[Row]:
        """The contestants that ran to the end on all planned folds: they alone have means."""
        return [row for row in self.contestants if not row.failures]

    @property
    def asks_new_users(self) -> bool:
        """Whether the users of the test part are in no training part of the main split."""
        return asks_new_users(self.records[0].cell.split)

    @cached_property
    def knew_new_users(self) -> list[Row]:
        """The rows whose defaults were chosen on these data, with the users who are held out here
        among all others; none where no user is.
        """
        if not self.asks_new_users:
            return []
        return [row for row in self.compared if row.was_tuned_on(self.about.data.name)]

    @property
    def has_one_fold(self) -> bool:
        """Whether every mean is that of a single fold."""
        return all(len(row.records) == 1 for row in self.rows)

    @cached_property
    def external(self) -> list[Row]:
        """The rows whose answers come from files."""
        return [row for row in self.rows if row.is_external]

    @cached_property
    def defaults(self) -> DefaultsByOrigin:
        """The rows that are compared by where the values of their hyperparameters come from.

        Without the rows that are there tuned, too, under a budget that was the same for all.
        """
        by_origin = DefaultsByOrigin([], [], [], [], [])
        for row in self.compared:
            is_told_apart = row.is_tuned or row.name in self.fairly_tuned
            if not row.records[0].cell.parameters or is_told_apart or row.is_external:
                continue
            if row.values_from is not None:
                by_origin.found.append(row)
            elif row.was_tuned_on(self.about.data.name):
                by_origin.tuned.append(row)
            elif row.given:
                by_origin.given.append(row)
            elif row.origin is None:
                by_origin.unsaid.append(row)
            elif row.origin.kind != "none":
                by_origin.untuned.append(row)
        return by_origin

    def hidden_by(self, column: str) -> str:
        """Why these data name no best row in `column`, in a few words; empty if they do."""
        for spot in self.about.blind_spots:
            if column in spot.hides:
                return spot.kind
        return ""

    def has_blind_spot(self, kind: str) -> bool:
        """Whether the data of the run have the blind spot so called; False in early plans."""
        return any(spot.kind == kind for spot in self.about.blind_spots)

    def best(self, column: str) -> list[Row]:
        """The rows with the best mean; several only if their means are equal.

        Empty if no row has a mean, and if these data name no best row, see `hidden_by`.
        """
        if self.hidden_by(column):
            return []
        losses = self.losses(column)
        lowest = min(losses.values(), default=None)
        return [row for row in self.contestants if losses.get(row.name, np.inf) == lowest]

    def losses(self, column: str) -> dict[str, float]:
        """The mean of each contestant that has one as something that is better the lower it is.

        Rows that are equal but for rounding have the same: whoever ranks rows ranks these.
        """
        return levelled_losses(self.contestants, column)

    @cached_property
    def _samples(self) -> dict[str, dict[str, UserShares]]:
        """What users add to each row whose answers are there, for each column over users."""
        return self._read_samples(self.contestants, self.columns)

    def user_shares(self, column: str) -> dict[str, UserShares]:
        """What users add to `column`, of each contestant whose answers are there."""
        return self._samples.get(column, {})

    def _read_samples(
        self, rows: Sequence[Row], columns: Sequence[str]
    ) -> dict[str, dict[str, UserShares]]:
        """What users add to each of `rows` whose answers are there, for each column over users."""
        whole = {}
        for row in rows:
            has_answers = all(self.run.has_answers_of(record) for record in row.records)
            if row.records and not row.failures and has_answers:
                whole[row.name] = row.records
        over_users = [column for column in columns if find_metric(column).kind != "set"]
        return read_user_shares(self.run, whole, over_users)

    def unknown(self, column: str) -> str:
        """Why nothing is known of the certainty of `column`; empty if it is known."""
        return _explain_unknown(self._samples.get(column))

    @cached_property
    def certainty(self) -> dict[str, "Certainty"]:
        """For each column whose users are known and not too few: how sure its differences are."""
        return _judge_columns(self.contestants, self._samples)

    def contestants_under(self, split: str) -> list[Row]:
        """The contestants with their cells under the split of the run, or `--also-split`."""
        if split == self.records[0].cell.split:
            return self.contestants
        return [row.elsewhere for row in self.contestants if row.also]

    def certainty_under(self, split: str, columns: Sequence[str]) -> dict[str, "Certainty"]:
        """As `certainty`, for any columns and under any split of the run."""
        known = self._certainty_by_split.setdefault(split, {})
        if split == self.records[0].cell.split and set(columns) & set(self.columns):
            known |= dict.fromkeys(self.columns) | self.certainty

        unknown = [column for column in columns if column not in known]
        if unknown:
            rows = self.contestants_under(split)
            known |= dict.fromkeys(unknown) | _judge_columns(
                rows, self._read_samples(rows, unknown)
            )

        certainty = {}
        for column in columns:
            judged = known[column]
            if judged is not None:
                certainty[column] = judged
        return certainty

    @cached_property
    def _certainty_by_split(self) -> dict[str, dict[str, "Certainty | None"]]:
        """What was asked for so far, by split and column; None where nothing can be said."""
        return {}

    def constant_error(self, column: str) -> float | None:
        """The error of predicting the mean of the training part for every pair.

        That of the row `global-mean`; without one the RMSE that the records of the others hold.
        None for what is no error of ratings, and where nobody knows.
        """
        if find_metric(column).unit != "rating points" or find_metric(column).better != "lower":
            return None
        if self._constant is not None:
            return self._constant.mean(column)
        if column != "rmse":
            return None

        for row in self.contestants:
            scores = [record.raw_scores for record in row.records]
            errors = [score.constant_rmse for score in scores if score is not None]
            known = [error for error in errors if error is not None]
            if len(known) == len(row.records):
                return statistics.fmean(known)
        return None

    @cached_property
    def _constant(self) -> Row | None:
        """The row `global-mean`, if it ran on all folds."""
        for row in self.contestants:
            if row.name == CONSTANT and not row.failures:
                return row
        return None

    def above_constant(self, column: str) -> list[Row]:
        """The rows whose error is above that of the constant, the lowest error first."""
        constant = self.constant_error(column)
        if constant is None:
            return []
        limit = constant * (1 + SAME)
        above = [row for row in self.contestants if (row.mean(column) or 0.0) > limit]
        return sorted(above, key=lambda row: row.mean(column) or 0.0)

    def worse_than_constant(self, column: str) -> list[Row]:
        """Those `above_constant` that are significantly worse, as far as users can tell."""
        certainty = self.certainty.get(column)
        above = self.above_constant(column)
        if certainty is None or self._constant not in certainty.rows:
            return []
        worse = certainty.worse_than(self._constant)
        return [row for row in above if row in worse]

    def near(self, column: str) -> list[Row]:
        """The rows that are not significantly different from the best, best first, without it.

        Empty if the certainty of the best is not known; see `Certainty.tied`.
        """
        best = self.best(column)
        certainty = self.certainty.get(column)
        if not best or certainty is None:
            return []
        if not all(row in certainty.rows for row in best):
            return []

        tied = [row for row in certainty.tied if row not in best]
        losses = self.losses(column)
        return sorted(tied, key=lambda row: losses[row.name])


def levelled_losses(rows: Iterable[Row], column: str) -> dict[str, float]:
    """What `Results.losses` says, of any rows."""
    metric = find_metric(column)
    losses = {}
    for row in rows:
        mean = row.mean(column)
        if mean is not None:
            losses[row.name] = metric.loss(mean)
    return level_by_name(losses)


@dataclass(frozen=True)
class Certainty:
    """The bootstrap of one column and the rows that it is about, in its order."""

    rows: list[Row]
    bootstrap: Bootstrap

    @property
    def tied(self) -> list[Row]:
        """The best row, and those not significantly different from it, all pairs tested."""
        return [self.rows[index] for index in self.bootstrap.tied_with_best]

    def worse_than(self, row: Row) -> list[Row]:
        """The rows significantly worse than `row`, all pairs tested."""
        places = self.bootstrap.rows_worse_than(self.rows.index(row))
        return [self.rows[place] for place in places]

    @property
    def order(self) -> list[int]:
        """The places of the rows in `rows`, best first."""
        losses = self.bootstrap.losses_of_values
        return [int(place) for place in np.argsort(losses, kind="stable")]

    def difference(self, row: Row, other: Row) -> tuple[float, float, float] | None:
        """Value of `row` - value of `other`, and the two ends of its 95 % interval, which is
        adjusted for all pairs.

        None if the answers of either are missing.
        """
        if row not in self.rows or other not in self.rows:
            return None
        return self.bootstrap.difference(self.rows.index(row), self.rows.index(other))

    def interval(self, row: Row) -> tuple[float, float] | None:
        """The 95 % interval of a row's value over users, or None if its answers are missing."""
        if row not in self.rows:
            return None
        return self.bootstrap.interval(self.rows.index(row))


def _explain_unknown(sample_by_row: Mapping[str, UserShares] | None) -> str:
    """Why these samples of one column tell nothing of its certainty; empty if they do."""
    if not sample_by_row:
        return "no row has all its folds and their raw answers"
    return explain_too_few_users(min(sample.n_users for sample in sample_by_row.values()))


def _judge_columns(
    rows: Sequence[Row], samples: Mapping[str, Mapping[str, UserShares]]
) -> dict[str, Certainty]:
    """The certainty of each column whose samples, by row, suffice."""
    by_column = {}
    for column, sample_by_row in samples.items():
        if _explain_unknown(sample_by_row):
            continue
        known = [row for row in rows if row.name in sample_by_row]
        draws = bootstrap_users(find_metric(column), [sample_by_row[row.name] for row in known])
        by_column[column] = Certainty(known, draws)
    return by_column


def _origin_of_equal_defaults(adapter: type[Recommender] | None, record: Record) -> Origin | None:
    """What an adapter says of its defaults, for a record of before plans said it.

    None unless the row had the defaults that the adapter has today.
    """
    if adapter is None:
        return None
    cell = record.cell

    of_record = {name: value for name, value in cell.parameters.items() if name not in cell.given}
    of_today = {}
    for field in fields(cast(Any, adapter)):
        if field.name not in cell.given:
            of_today[field.name] = field.default

    if of_record != of_today:
        return None
    return adapter.origin


def _ranking_order(column: str) -> tuple[bool, bool]:
    """Sorts ranking columns: the bench's own protocol before others, and in it nDCG first."""
    protocol, metric = parse_column(column)
    return protocol != STANDARD, not metric.startswith("ndcg@")


def metrics(results: Results) -> dict[str, Metric]:
    """The metric behind each shown column."""
    return {column: find_metric(column) for column in results.columns}
