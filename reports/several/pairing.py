"""Two runs on the same data in one report: their rows side by side, compared user by user.

Rows are matched by their names: before and after a change of code, libraries or hyperparameters;
and each tuned row with the same row as it is by default, from either run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from recbench.benchmarks.certainty import (
    LEVEL,
    Bootstrap,
    UserShares,
    adjust_by_holm,
    bootstrap_users,
    explain_too_few_users,
)
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PHASES, TUNED, RunDescription
from recbench.datasets.foundation import UsageError
from recbench.reports.results import Results, Row
from recbench.reports.several.comparable import (
    Difference,
    describe_rows,
    list_changes,
    refuse_unlike_pair,
)
from recbench.reports.several.comparison import label_runs, list_common_columns

Kind = Literal["same row", "default and tuned"]
Verdict = Literal["better", "worse", "not significant", "equal", "not known"]


@dataclass(frozen=True)
class Pair:
    """Two rows that are compared: what the pair is called, both rows, and whose run each is from.

    `changes` are what else fixes the numbers and is not the same in both.
    """

    name: str
    first: Row
    second: Row
    first_run: Results
    second_run: Results
    changes: tuple[Difference, ...] = ()

    def seconds(self) -> tuple[float | None, float | None]:
        """The mean seconds of all phases of a fold, of both rows."""
        return self.first.seconds(*PHASES), self.second.seconds(*PHASES)


@dataclass(frozen=True)
class PairedDifference:
    """By how much the second row of a pair differs from the first in one column.

    `bounds` is the 95 % interval of the difference over users, None where it is not known, and then
    `reason` says why; `gain` is the difference with its sign turned so that above 0 is better.
    """

    pair: Pair
    before: float | None
    after: float | None
    bounds: tuple[float, float] | None
    verdict: Verdict
    gain: float
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """The second mean minus the first; None where one is missing."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


@dataclass(frozen=True)
class TwoRuns:
    """Two runs on the same data, cut down to the metrics that both show; `labels` name them."""

    first: Results
    second: Results
    labels: tuple[str, str]
    out: Path

    @staticmethod
    def of(runs: Sequence[Results], out: Path) -> "TwoRuns":
        """From two runs; UsageError, naming the key, if their users cannot be compared."""
        first, second = runs
        refuse_unlike_pair(first, second)
        columns = list_common_columns(runs)
        if not columns:
            names = f"{first.run.directory} and {second.run.directory}"
            raise UsageError(f"{names} show no metric in common: run one again with --metric")
        one, other = label_runs(runs, by_folder=True)
        return TwoRuns(
            first=replace(first, about=first.about.replaced(metrics=columns)),
            second=replace(second, about=second.about.replaced(metrics=columns)),
            labels=(one, other),
            out=out,
        )

    @property
    def runs(self) -> dict[str, Results]:
        """Both runs by their labels."""
        return dict(zip(self.labels, (self.first, self.second), strict=True))

    @property
    def columns(self) -> list[str]:
        """The metrics that both show."""
        return self.first.columns

    @property
    def headline(self) -> list[str]:
        """The first ranking and the first error, as far as there are any."""
        columns = (self.first.first_ranking(), self.first.first_error())
        return [column for column in columns if column is not None]

    @property
    def about(self) -> RunDescription:
        """What the page's head says of the data."""
        return self.first.about

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.first.simulated

    @cached_property
    def pairs(self) -> dict[Kind, list[Pair]]:
        """The rows of one name in both runs, and each row by default beside itself tuned."""
        return {
            "same row": self._match_names(),
            "default and tuned": self._match_tuned(),
        }

    @cached_property
    def unmatched(self) -> dict[str, list[str]]:
        """Run -> its rows that are in no pair."""
        matched = {
            name
            for pairs in self.pairs.values()
            for pair in pairs
            for name in (pair.first.name, pair.second.name)
        }
        rows = {}
        for label, results in self.runs.items():
            names = [row.name for row in results.contestants]
            rows[label] = [name for name in names if name not in matched]
        return rows

    def _match_names(self) -> list[Pair]:
        second_rows = {row.name: row for row in self.second.contestants}
        facts = [describe_rows(self.first), describe_rows(self.second)]
        pairs = []
        for row in self.first.contestants:
            other = second_rows.get(row.name)
            if other is None:
                continue
            changes: list[Difference] = []
            if row.name in facts[0] and row.name in facts[1]:
                changes = list_changes(facts[0][row.name], facts[1][row.name])
            pairs.append(Pair(row.name, row, other, self.first, self.second, tuple(changes)))
        return pairs

    def _match_tuned(self) -> list[Pair]:
        """Of a row in both runs the first one's default and the second one's tuned one count."""
        defaults: dict[str, tuple[Results, Row]] = {}
        tuned: dict[str, tuple[Results, Row]] = {}
        for results in (self.second, self.first):
            for row in results.contestants:
                if not row.is_tuned:
                    defaults[row.name] = (results, row)
        for results in (self.first, self.second):
            for row in results.contestants:
                if row.is_tuned:
                    tuned[row.name.removesuffix(TUNED)] = (results, row)

        pairs = []
        for name, (results, row) in defaults.items():
            if name in tuned:
                other_results, other = tuned[name]
                pairs.append(Pair(name, row, other, results, other_results))
        return pairs

    def compare(self, kind: Kind, column: str) -> list[PairedDifference]:
        """The differences of all pairs of that kind in one column, in the order of the pairs.

        Of errors without the rows that rank only.
        """
        known = self._differences
        if (kind, column) not in known:
            pairs = [pair for pair in self.pairs[kind] if not _ranks_only(pair, column)]
            known[kind, column] = _compare_pairs(pairs, column)
        return known[kind, column]

    @cached_property
    def _differences(self) -> dict[tuple[Kind, str], list[PairedDifference]]:
        """What was asked for so far."""
        return {}

    def embedded(self) -> dict[str, Any]:
        """What the page holds as JSON: both runs, and every difference unrounded."""
        runs = []
        for label, results in self.runs.items():
            runs.append(
                {
                    "run": label,
                    "directory": str(results.run.directory),
                    "digest": results.about.data.digest,
                    "simulated": results.simulated,
                    "command": results.about.command,
                }
            )
        differences = []
        for kind, pairs in self.pairs.items():
            for column in self.columns if pairs else []:
                for one in self.compare(kind, column):
                    differences.append(
                        {
                            "pair": kind,
                            "row": one.pair.name,
                            "column": column,
                            "first": one.before,
                            "second": one.after,
                            "interval": one.bounds,
                            "verdict": one.verdict,
                        }
                    )
        return {"runs": runs, "differences": differences}


def _ranks_only(pair: Pair, column: str) -> bool:
    return all(row.missing(column) == "ranks only" for row in (pair.first, pair.second))


def _compare_pairs(pairs: Sequence[Pair], column: str) -> list[PairedDifference]:
    """The paired bootstrap of all pairs at once, whose p-values are corrected for their number."""
    sides = _read_sides(pairs, column)
    testable = [place for place, side in enumerate(sides) if isinstance(side, tuple)]
    shares: list[UserShares] = []
    for place in testable:
        side = sides[place]
        assert isinstance(side, tuple)
        shares += side

    boot = bootstrap_users(find_metric(column), shares) if shares else None
    p_values = []
    for number in range(len(testable)):
        assert boot is not None
        p_values.append(boot.p_value(2 * number + 1, 2 * number))
    adjusted = dict(zip(testable, adjust_by_holm(p_values).tolist(), strict=True))

    differences = []
    for place, pair in enumerate(pairs):
        side = sides[place]
        if isinstance(side, str):
            differences.append(_describe_unknown(pair, column, side))
            continue
        assert boot is not None
        number = testable.index(place)
        differences.append(_judge_pair(pair, column, boot, number, adjusted[place]))
    return differences


def _read_sides(pairs: Sequence[Pair], column: str) -> list[tuple[UserShares, UserShares] | str]:
    """For each pair what users add to both rows; or why they cannot be compared by users."""
    sides: list[tuple[UserShares, UserShares] | str] = []
    for pair in pairs:
        hidden = pair.first_run.hidden_by(column) or pair.second_run.hidden_by(column)
        missing = pair.first.missing(column) or pair.second.missing(column)
        first = pair.first_run.user_shares(column).get(pair.first.name)
        second = pair.second_run.user_shares(column).get(pair.second.name)
        if hidden or missing:
            sides.append(missing or hidden)
        elif first is None or second is None:
            sides.append("raw answers are missing")
        else:
            few = explain_too_few_users(min(first.n_users, second.n_users))
            sides.append(few or (first, second))
    return sides


def _describe_unknown(pair: Pair, column: str, reason: str) -> PairedDifference:
    """The difference of two means about which nobody can say how sure it is."""
    before = pair.first.mean(column)
    after = pair.second.mean(column)
    return PairedDifference(pair, before, after, None, "not known", 0.0, reason)


def _judge_pair(
    pair: Pair, column: str, boot: Bootstrap, number: int, p_value: float
) -> PairedDifference:
    """The difference of a pair whose rows are the two with these places in the bootstrap."""
    first = 2 * number
    estimate = boot.estimate_difference(first + 1, first)
    difference = estimate.value
    low, high = estimate.interval()
    before = float(boot.values[first])
    after = float(boot.values[first + 1])
    loss = find_metric(column).loss
    gain = float(loss(before) - loss(after))

    verdict: Verdict = "not significant"
    if difference == 0 and low == high == 0:
        verdict = "equal"
    elif p_value < LEVEL:
        verdict = "better" if gain > 0 else "worse"
    return PairedDifference(pair, before, after, (low, high), verdict, gain)
