"""Several data sets in one report: the same experiment on each of them, side by side."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PHASES, DataDescription, RunDescription
from recbench.datasets.foundation import Bounds, UsageError
from recbench.reports import words
from recbench.reports.drawing import (
    ALL_PHASES,
    Column,
    Heatmap,
    Line,
    Square,
    accuracy_heatmap,
    cost_heatmap,
)
from recbench.reports.results import Results, Row
from recbench.reports.several.comparable import refuse_mixture
from recbench.reports.several.critical_difference import Ranking
from recbench.reports.several.standings import (
    Standing,
    bound_mean_ranks,
    mean_seconds,
    stand_rows,
)


@dataclass(frozen=True)
class Overview(Heatmap):
    """A heatmap of rows against data sets, whose numbers come from the heatmaps of the runs."""

    @property
    def legend(self) -> list[str]:
        """As of any heatmap, but for what is hatched and what is not there."""
        entries = []
        for text in super().legend:
            if not text.startswith("hatched"):
                entries.append(text.replace("(see below)", "(see the run's own report)"))

        squares = [square for line in self.lines for square in line.squares]
        if any(square.failed for square in squares):
            entries.append("hatched: not every fold ran, so there is no mean")

        if any(square.text == words.NONE for square in squares):
            entries.append("–: not in this run, or no such number")
        return entries


@dataclass(frozen=True)
class DatasetComparison:
    """The results of several runs by their data, each cut down to the metrics that all show."""

    runs: dict[str, Results]
    out: Path  # where the report goes

    @staticmethod
    def read(directories: Sequence[Path], out: Path) -> "DatasetComparison":
        """The results in `directories`; UsageError, naming the key, if they are not comparable."""
        return DatasetComparison.of([Results.read(directory) for directory in directories], out)

    @staticmethod
    def of(runs: Sequence[Results], out: Path) -> "DatasetComparison":
        """From several runs; UsageError, naming the key, if they are not comparable."""
        refuse_mixture(runs)
        common = list_common_columns(runs)
        if not common:
            named = words.listed(str(results.run.directory) for results in runs)
            raise UsageError(
                f"{named} show no metric in common (metrics): run one again with --metric"
            )

        cut = [replace(results, about=results.about.replaced(metrics=common)) for results in runs]
        return DatasetComparison(dict(zip(label_runs(runs), cut, strict=True)), out)

    @property
    def first(self) -> Results:
        """Any of the runs, for what is the same in all of them."""
        return next(iter(self.runs.values()))

    @property
    def columns(self) -> list[str]:
        """The metrics that all runs show."""
        return self.first.columns

    @property
    def headline(self) -> dict[str, str]:
        """`error` and `ranking`: the first column of each kind, as far as there is one."""
        columns = {"error": self.first.first_error(), "ranking": self.first.first_ranking()}
        return {name: column for name, column in columns.items() if column}

    @property
    def simulated(self) -> bool:
        """Whether any of the data are simulated."""
        return bool(self.imitations)

    @property
    def imitations(self) -> list[str]:
        """The data sets that are simulated."""
        return [label for label, results in self.runs.items() if results.simulated]

    @property
    def about(self) -> RunDescription:
        """What the page's head says of its data."""
        notices = []
        for label in self.imitations:
            text = self.runs[label].about.data.notice
            notices.append(f"{label}: {text.removeprefix('SIMULATED: ')}")

        data = DataDescription(
            name=words.listed(self.runs),
            simulated=self.simulated,
            notice="\n".join(notices),
        )
        return RunDescription(data=data)

    @cached_property
    def rows(self) -> dict[str, str]:
        """Row -> family, families together, the rows of the first run first."""
        family_by_row = {
            row.name: row.family for results in self.runs.values() for row in results.rows
        }
        order = list(dict.fromkeys(family_by_row.values()))
        return dict(sorted(family_by_row.items(), key=lambda row: order.index(row[1])))

    @cached_property
    def contestants(self) -> list[str]:
        """All rows but an oracle."""
        return [name for name, family in self.rows.items() if family != "oracle"]

    @cached_property
    def by_run(self) -> dict[str, dict[str, Row]]:
        """Data set -> row -> its records."""
        return {
            label: {row.name: row for row in results.rows} for label, results in self.runs.items()
        }

    def means(self, column: str) -> dict[str, list[float | None]]:
        """Row -> its mean on each data set; None where there is none."""
        means_by_row = {}
        for name in self.rows:
            rows = [rows.get(name) for rows in self.by_run.values()]
            means_by_row[name] = [row.mean(column) if row else None for row in rows]
        return means_by_row

    def seconds(self) -> dict[str, list[float | None]]:
        """Row -> its mean seconds of all phases on each data set; None where there are none."""
        seconds_by_row = {}
        for name in self.rows:
            rows = [rows.get(name) for rows in self.by_run.values()]
            seconds_by_row[name] = [row.seconds(*PHASES) if row else None for row in rows]
        return seconds_by_row

    def ranking(self, column: str) -> Ranking:
        """The ranks on each data set, best first, of the contestants with a mean on all of them.

        Others are left out, see `rows_without_rank`; it may be empty.
        """
        if column not in self._rankings:
            self._rankings[column] = self._rank_rows(column)
        return self._rankings[column]

    def standings(self, column: str) -> dict[str, Standing]:
        """How each contestant with a mean on any data set stands on all of them."""
        if column not in self._standings:
            self._standings[column] = stand_rows(self.runs, self.contestants, column)
        return self._standings[column]

    def rank_bounds(self, column: str) -> dict[str, Bounds]:
        """The 95 % interval of each mean rank in `ranking`; empty where it is not known."""
        if column not in self._rank_bounds:
            ranking = self.ranking(column)
            self._rank_bounds[column] = bound_mean_ranks(self.runs, ranking, column)
        return self._rank_bounds[column]

    def mean_seconds(self, name: str) -> float | None:
        """A row's seconds of all phases, geometric mean over the data sets; None without one."""
        return mean_seconds(rows.get(name) for rows in self.by_run.values())

    # What was asked for so far, by column.
    @cached_property
    def _rankings(self) -> dict[str, Ranking]:
        return {}

    @cached_property
    def _standings(self) -> dict[str, dict[str, Standing]]:
        return {}

    @cached_property
    def _rank_bounds(self) -> dict[str, dict[str, Bounds]]:
        return {}

    def _rank_rows(self, column: str) -> Ranking:
        loss = find_metric(column).loss
        names = []
        losses = []
        for name, means in self.means(column).items():
            known = [mean for mean in means if mean is not None]
            if name in self.contestants and len(known) == len(means):
                names.append(name)
                losses.append([loss(mean) for mean in known])

        shape = (len(names), len(self.runs))
        return Ranking.of(names, np.array(losses).reshape(shape))

    def rows_without_rank(self, column: str) -> dict[str, list[str]]:
        """Why contestants have no mean rank -> which ones.

        The first data set without a mean counts.
        """
        rows_by_reason: dict[str, list[str]] = {}
        for name in self.contestants:
            reason = self._why_unranked(name, column)
            if reason:
                rows_by_reason.setdefault(reason, []).append(name)
        return rows_by_reason

    def _why_unranked(self, name: str, column: str) -> str:
        """Why a row lacks a mean on the first data set where it lacks one; empty if it has all."""
        for label, rows in self.by_run.items():
            reason = rows[name].missing(column) if name in rows else "not in the run"
            if reason == "ranks only":
                return reason
            if reason:
                return f"{reason} on {label}"
        return ""

    @cached_property
    def _accuracy_by_run(self) -> dict[str, Heatmap]:
        return {label: accuracy_heatmap(results) for label, results in self.runs.items()}

    @cached_property
    def _cost_by_run(self) -> dict[str, Heatmap]:
        return {label: cost_heatmap(results) for label, results in self.runs.items()}

    def draw_accuracies(self) -> list[Overview]:
        """Rows against data sets, for each headline metric."""
        return [
            self._draw_overview(
                name,
                f"mean {words.field_name(column)} over folds",
                self._accuracy_by_run,
                words.field_name(column),
            )
            for name, column in self.headline.items()
        ]

    def draw_times(self) -> Overview:
        """Rows against data sets: seconds of all phases."""
        title = "time of all phases, mean over folds"
        return self._draw_overview("time", title, self._cost_by_run, ALL_PHASES)

    def _draw_overview(
        self, name: str, title: str, heatmap_by_run: dict[str, Heatmap], column: str
    ) -> Overview:
        """Rows against data sets: `column` of each run's own heatmap, colours and all.

        Rows without a number or a failure on any data set are left out.
        """
        heads = []
        squares_by_row: dict[str, list[Square]] = {row: [] for row in self.rows}
        for label, drawn in heatmap_by_run.items():
            place = [head.name for head in drawn.columns].index(column)
            head = drawn.columns[place]
            unit = f"{head.unit}, SIMULATED" if label in self.imitations else head.unit
            heads.append(Column(label, unit, head.arrow))

            line_by_row = {line.name: line for line in drawn.lines}
            for row, squares in squares_by_row.items():
                squares.append(self._draw_square(label, row, line_by_row.get(row), place))

        lines = []
        for row, family in self.rows.items():
            squares = squares_by_row[row]
            if any(square.value is not None or square.failed for square in squares):
                lines.append(Line(row, family, squares))

        return Overview(name, title, heads, lines)

    def _draw_square(self, label: str, row: str, line: Line | None, place: int) -> Square:
        """One number of a run, the status in its place, or a dash."""
        if line is None:
            return Square(words.NONE, f"{label}\n{row}: not in this run")
        if line.failure:
            failures = self.by_run[label][row].failures
            statuses = [record.status.replace("_", " ") for record in failures]
            distinct = ", ".join(dict.fromkeys(statuses))
            tip = f"{label}\n{row}: {line.failure}\n{line.reason}"
            return Square(distinct, tip, failed=True)

        square = line.squares[place]
        return replace(square, tip=f"{label}\n{square.tip}")

    def link(self, path: Path) -> str:
        """The address of a file, relative to the report."""
        return quote(Path(os.path.relpath(path.resolve(), self.out.resolve())).as_posix())

    def embedded(self) -> dict[str, Any]:
        """What the page holds as JSON: where the numbers come from, and each of them unrounded."""
        runs = [
            {
                "data": label,
                "directory": str(results.run.directory),
                "digest": results.about.data.digest,
                "simulated": results.simulated,
                "command": results.about.command,
            }
            for label, results in self.runs.items()
        ]
        means = {column: self.means(column) for column in self.columns}
        return {"runs": runs, "means": means, "seconds": self.seconds()}


def list_common_columns(runs: Sequence[Results]) -> list[str]:
    """The metrics that all runs show, in the first one's order."""
    first = runs[0]
    return [
        column for column in first.columns if all(column in results.columns for results in runs)
    ]


def label_runs(runs: Sequence[Results], *, by_folder: bool = False) -> list[str]:
    """A name for each run: that of its data, with that of its directory where these are alike.

    Directories are named by their last part, or, where that is alike too, as they were given. With
    `by_folder` without the data, which are the same.
    """

    def name_folder_alone(results: Results) -> str:
        return results.run.directory.resolve().name

    def name_directory_alone(results: Results) -> str:
        return str(results.run.directory)

    def name_data(results: Results) -> str:
        return results.about.data.name

    def name_folder(results: Results) -> str:
        return f"{name_data(results)} ({results.run.directory.resolve().name})"

    def name_directory(results: Results) -> str:
        return f"{name_data(results)} ({results.run.directory})"

    ways: tuple[Callable[[Results], str], ...] = (name_data, name_folder, name_directory)
    if by_folder:
        ways = (name_folder_alone, name_directory_alone)
    labels: list[str] = []
    for name_run in ways:
        labels = [name_run(results) for results in runs]
        if len(set(labels)) == len(runs):
            break

    return labels
