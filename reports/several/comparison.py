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
from recbench.benchmarks.records import DataDescription, RunDescription
from recbench.datasets.foundation import UsageError
from recbench.reports import words
from recbench.reports.drawing import Column, Heatmap, Line, Square
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.results import Results, Row
from recbench.reports.several.comparable import refuse_mixture
from recbench.reports.several.critical_difference import Ranking


@dataclass(frozen=True)
class Overview(Heatmap):
    """A heatmap of rows against data sets, whose numbers come from the heatmaps of the runs."""

    @property
    def legend(self) -> list[str]:
        """As of any heatmap, but for what is hatched and what is not there."""
        squares = [square for line in self.lines for square in line.squares]
        kept = [text for text in super().legend if not text.startswith("hatched")]
        kept = [text.replace("(see below)", "(see the run's own report)") for text in kept]
        hatched = (
            ["hatched: not every fold ran, so there is no mean"]
            if any(s.failed for s in squares)
            else []
        )
        absent = (
            ["–: not in this run, or no such number"]
            if any(s.text == words.NONE for s in squares)
            else []
        )
        return kept + hatched + absent


@dataclass(frozen=True)
class Comparison:
    """The results of several runs by the names of their data, each cut down to the metrics that all of them show."""

    runs: dict[str, Results]
    out: Path  # where the report goes

    @staticmethod
    def read(directories: Sequence[Path], out: Path) -> "Comparison":
        """The results in `directories`; UsageError, naming the key, if they are not comparable."""
        found = [Results.read(directory) for directory in directories]
        refuse_mixture(found)
        shown = [
            column
            for column in found[0].columns
            if all(column in results.columns for results in found)
        ]
        if not shown:
            named = words.listed(map(str, directories))
            raise UsageError(
                f"{named} show no metric in common (metrics): run one again with --metric"
            )
        cut = [replace(results, about=results.about.replaced(metrics=shown)) for results in found]
        return Comparison(dict(zip(_labels(found), cut, strict=True)), out)

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
        found = {"error": self.first.first_error(), "ranking": self.first.first_ranking()}
        return {name: column for name, column in found.items() if column}

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
        said = {label: str(self.runs[label].about.data.notice) for label in self.imitations}
        notice = "\n".join(
            f"{label}: {text.removeprefix('SIMULATED: ')}" for label, text in said.items()
        )
        name = words.listed(self.runs)
        data = DataDescription(name=name, simulated=self.simulated, notice=notice)
        return RunDescription(data=data)

    @cached_property
    def rows(self) -> dict[str, str]:
        """Row -> family, families together, the rows of the first run first."""
        found = {row.name: row.family for results in self.runs.values() for row in results.rows}
        order = list(dict.fromkeys(found.values()))
        return dict(sorted(found.items(), key=lambda row: order.index(row[1])))

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
        found = {}
        for name in self.rows:
            rows = [rows.get(name) for rows in self.by_run.values()]
            found[name] = [row.mean(column) if row else None for row in rows]
        return found

    def ranking(self, column: str) -> Ranking:
        """The ranks of the contestants that have a mean on every data set."""
        means = {
            name: means for name, means in self.means(column).items() if name in self.contestants
        }
        whole = {name: values for name, values in means.items() if None not in values}
        losses = [
            [find_metric(column).loss(value or 0.0) for value in values]
            for values in whole.values()
        ]
        return Ranking.of(list(whole), np.array(losses).reshape(len(whole), len(self.runs)))

    def left_out(self, column: str) -> dict[str, list[str]]:
        """Why contestants have no mean rank -> which ones; the first data set without a mean is what counts."""
        found: dict[str, list[str]] = {}
        for name in self.contestants:
            for label, rows in self.by_run.items():
                reason = rows[name].missing(column) if name in rows else "not in the run"
                if reason:
                    only = reason == "only ranks"
                    found.setdefault(reason if only else f"{reason} on {label}", []).append(name)
                    break
        return found

    @cached_property
    def _drawn(self) -> dict[str, dict[str, Heatmap]]:
        makers = {"accuracy": heatmaps.accuracy, "cost": heatmaps.cost}
        return {
            kind: {label: make(run) for label, run in self.runs.items()}
            for kind, make in makers.items()
        }

    def accuracies(self) -> list[Overview]:
        """Rows against data sets, for each headline metric."""
        return [
            self._overview(name, f"mean {column} over folds", "accuracy", column)
            for name, column in self.headline.items()
        ]

    def fits(self) -> Overview:
        """Rows against data sets: fit times."""
        return self._overview("fit-time", "seconds of a fit, mean over folds", "cost", "fit")

    def _overview(self, name: str, title: str, kind: str, column: str) -> Overview:
        """Rows with any number against data sets: `column` of each run's own heatmap of `kind`, colours and all."""
        heads, squares = [], dict[str, list[Square]]((row, []) for row in self.rows)
        for label, drawn in self._drawn[kind].items():
            place = [head.name for head in drawn.columns].index(column)
            head = drawn.columns[place]
            unit = f"{head.unit}, SIMULATED" if label in self.imitations else head.unit
            heads.append(Column(label, unit, head.arrow))
            lines = {line.name: line for line in drawn.lines}
            for row in self.rows:
                squares[row].append(self._square(label, row, lines.get(row), place))
        told = {
            row: [one for one in found if one.value is not None or one.failed]
            for row, found in squares.items()
        }
        kept = [Line(row, family, squares[row]) for row, family in self.rows.items() if told[row]]
        return Overview(name, title, heads, kept)

    def _square(self, label: str, row: str, line: Line | None, place: int) -> Square:
        """One number of a run, the status in its place, or a dash."""
        if line is None:
            return Square(words.NONE, f"{label}\n{row}: not in this run")
        if line.failure:
            statuses = dict.fromkeys(
                record.status.replace("_", " ") for record in self.by_run[label][row].failures
            )
            tip = f"{label}\n{row}: {line.failure}\n{line.reason}"
            return Square(", ".join(statuses), tip, failed=True)
        square = line.squares[place]
        return replace(square, tip=f"{label}\n{square.tip}")

    def link(self, path: Path) -> str:
        """The address of a file, relative to the report."""
        return quote(Path(os.path.relpath(path.resolve(), self.out.resolve())).as_posix())

    def shown(self) -> dict[str, Any]:
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
        fit = {
            name: [
                row.seconds("fit") if (row := rows.get(name)) else None
                for rows in self.by_run.values()
            ]
            for name in self.rows
        }
        return {
            "runs": runs,
            "means": {column: self.means(column) for column in self.columns},
            "fit_seconds": fit,
        }


def _labels(runs: Sequence[Results]) -> list[str]:
    """A name for each run: that of its data, and with it that of its directory where the first is not enough."""
    ways: list[Callable[[Results], str]] = [
        lambda results: str(results.about.data.name),
        lambda results: f"{results.about.data.name} ({results.run.directory.resolve().name})",
        lambda results: f"{results.about.data.name} ({results.run.directory})",
    ]
    tried = [[way(results) for results in runs] for way in ways]
    return next((labels for labels in tried if len(set(labels)) == len(runs)), tried[-1])
