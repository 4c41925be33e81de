"""How rows stand on several data sets: won, tied or behind on each, how far from the best, at what
time, and between which mean ranks they lie.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from recbench.benchmarks.metrics import Doubles, find_metric
from recbench.benchmarks.records import PHASES
from recbench.datasets.foundation import Bounds
from recbench.reports.results import Results, Row
from recbench.reports.several.critical_difference import Ranking

# How a row stands on one data set: it has the best mean; it is not significantly different from
# it; it is significantly worse; it has a mean, and nobody knows how sure the difference is; none.
Outcome = Literal["won", "tied", "behind", "not known", "no mean"]

SEED = 0


@dataclass(frozen=True)
class Standing:
    """One row by one column: its outcome on each data set, and by which share of the best mean it
    is worse there; None where that is not known.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    gaps: tuple[float | None, ...]

    def count(self, *outcomes: Outcome) -> int:
        """On how many data sets it stands so."""
        return sum(outcome in outcomes for outcome in self.outcomes)

    @property
    def is_never_behind(self) -> bool:
        """Whether it has the best mean, or one not significantly different, on every data set."""
        return self.count("won", "tied") == len(self.outcomes)

    @property
    def is_best_everywhere(self) -> bool:
        """Whether it has the best mean on every data set."""
        return self.count("won") == len(self.outcomes)

    @property
    def mean_gap(self) -> float | None:
        """The mean over the data sets of its gaps; None unless all are known."""
        known = [gap for gap in self.gaps if gap is not None]
        return statistics.fmean(known) if len(known) == len(self.gaps) else None

    @property
    def largest_gap(self) -> float | None:
        """The largest of its gaps; None unless all are known."""
        known = [gap for gap in self.gaps if gap is not None]
        return max(known) if len(known) == len(self.gaps) else None


def stand_rows(
    runs: Mapping[str, Results], names: Iterable[str], column: str
) -> dict[str, Standing]:
    """The standing of every row with one of these names and a mean in any run, in their order."""
    rows_by_run = [{row.name: row for row in results.rows} for results in runs.values()]
    best_by_run = [results.best(column) for results in runs.values()]
    near_by_run = [results.near(column) for results in runs.values()]
    standings = {}
    for name in names:
        outcomes: list[Outcome] = []
        gaps = []
        for place, results in enumerate(runs.values()):
            row = rows_by_run[place].get(name)
            best = best_by_run[place]
            outcomes.append(_find_outcome(results, column, row, best, near_by_run[place]))
            gaps.append(_find_gap(column, row, best))
        if set(outcomes) != {"no mean"}:
            standings[name] = Standing(name, tuple(outcomes), tuple(gaps))
    return standings


def _find_outcome(
    results: Results, column: str, row: Row | None, best: list[Row], near: list[Row]
) -> Outcome:
    """How a row stands in one run."""
    if row is None or row.mean(column) is None:
        return "no mean"
    if row in best:
        return "won"
    if row in near:
        return "tied"

    certainty = results.certainty.get(column)
    tested = certainty.rows if certainty is not None else []
    is_tested = bool(best) and row in tested and all(one in tested for one in best)
    return "behind" if is_tested else "not known"


def _find_gap(column: str, row: Row | None, best: list[Row]) -> float | None:
    """By which share of the best mean a row is worse; None if either has no mean."""
    mean = row.mean(column) if row is not None else None
    best_mean = best[0].mean(column) if best else None
    if mean is None or best_mean is None:
        return None

    loss = find_metric(column).loss
    distance = loss(mean) - loss(best_mean)
    if distance == 0:
        return 0.0
    return distance / abs(best_mean) if best_mean else None


def bound_mean_ranks(
    runs: Mapping[str, Results], ranking: Ranking, column: str
) -> dict[str, Bounds]:
    """The 95 % interval of the mean rank of each row that has one; empty where it is not known.

    Quantiles of draws: the data sets are drawn again with replacement, and in each the users, all
    rows with the same draw. Known only if the answers of all ranked rows are there.
    """
    if len(ranking.names) < 2:
        return {}

    drawn_ranks = []
    for results in runs.values():
        ranks = _draw_ranks(results, column, ranking)
        if ranks is None:
            return {}
        drawn_ranks.append(ranks)

    n_draws = min(ranks.shape[1] for ranks in drawn_ranks)
    n_data_sets = len(drawn_ranks)
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(0, n_data_sets, (n_data_sets, n_draws))
    sums = np.zeros((len(ranking.names), n_draws))
    for places in chosen:
        # Of each draw another data set, and of that any of its draws of users.
        draws = rng.integers(0, n_draws, n_draws)
        for place, ranks in enumerate(drawn_ranks):
            is_chosen = places == place
            sums[:, is_chosen] += ranks[:, draws[is_chosen]]

    low, high = np.quantile(sums / n_data_sets, [0.025, 0.975], axis=1)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return dict(zip(ranking.names, ends, strict=True))


def _draw_ranks(results: Results, column: str, ranking: Ranking) -> Doubles | None:
    """The ranks of the ranked rows in each draw of a run's users, (n_rows, n_draws).

    None if the answers of one are missing.
    """
    certainty = results.certainty.get(column)
    if certainty is None:
        return None
    place_by_row = {row.name: place for place, row in enumerate(certainty.rows)}
    if not all(name in place_by_row for name in ranking.names):
        return None
    places = [place_by_row[name] for name in ranking.names]
    return np.asarray(stats.rankdata(certainty.bootstrap.losses[places], axis=0))


def mean_seconds(rows: Iterable[Row | None]) -> float | None:
    """The geometric mean over a row's runs of the seconds of all phases of a fold.

    None unless it was timed in each. Large data sets would else decide alone.
    """
    logarithms = []
    for row in rows:
        seconds = row.seconds(*PHASES) if row is not None else None
        if seconds is None or seconds <= 0:
            return None
        logarithms.append(math.log(seconds))
    return math.exp(statistics.fmean(logarithms))


def share_of_fallbacks(row: Row | None, column: str) -> float:
    """The share of predictions that are the training mean, for want of an opinion, behind an error.

    0 for what is no error of predicted ratings, and where nobody knows.
    """
    if row is None or not find_metric(column).needs_ratings:
        return 0.0
    coverage = row.mean("coverage")
    return 0.0 if coverage is None else 1 - coverage
