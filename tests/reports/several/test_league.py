"""The claims of the league are those of the records: won, tied, disagreeing, and with a cell that
is missing.
"""

import json
import math
import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from recbench.benchmarks.evaluation import Slice
from recbench.benchmarks.records.record import Record
from recbench.reports.build import describe_comparison, describe_sections, render_page
from recbench.reports.results import Results
from recbench.reports.several.claims import (
    LeagueClaim,
    list_league_cautions,
    list_league_claims,
    rank_league,
    write_league_answers,
)
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.standings import share_of_fallbacks
from tests.reports.invented_runs import MARKUP, failed
from tests.reports.several.test_report_several import LEVELS, ROWS, on, unchanged

COLUMNS = {"rmse": 1, "ndcg@10": -1}  # and the sign that makes a loss of it
PHASES = ("convert", "fit", "rate", "rank")
Levels = dict[str, tuple[float, ...]]

WON: Levels = dict.fromkeys(LEVELS, (1.52, 1.02, 0.945, 0.85, 1.4))
# On each data set another of two rows has the best mean, by less than users vary
TIED: Levels = {
    "movielens-100k": (1.52, 1.02, 0.9352, 0.935, 1.4),
    "filmtrust": (1.50, 0.98, 0.800, 0.8002, 1.2),
    "my-ratings": (1.60, 1.03, 0.9002, 0.900, 1.3),
}


def lose_a_fold(record: Record) -> Record:
    """One row has lost a fold, and another has no opinion on a quarter of the ratings."""
    if record.cell.algorithm == "item-mean" and record.cell.fold == 1:
        return failed(record.cell, "timeout", MARKUP)
    if record.cell.algorithm == "user-item-bias":
        return replace(record, metrics=record.metrics | {"coverage": 0.75})
    return record


KINDS: dict[str, tuple[Levels, Callable[[Record], Record]]] = {
    "won": (WON, unchanged),
    "tied": (TIED, unchanged),
    "disagreeing": (dict(LEVELS), unchanged),
    "missing cell": (WON, lose_a_fold),
}


@pytest.fixture(scope="module", params=KINDS)
def league(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, DatasetComparison]:
    levels, change = KINDS[request.param]
    base = tmp_path_factory.mktemp("league")
    runs = []
    for name in LEVELS:
        changed = change if name == "filmtrust" else unchanged
        runs.append(on(base / name, name, changed, levels=levels[name]))
    return request.param, DatasetComparison.read(runs, base / "out")


def means_by_run(comparison: DatasetComparison, column: str) -> list[dict[str, float]]:
    """For each run the mean of every row that has all folds, from the files of the records."""
    found = []
    for results in comparison.runs.values():
        values: dict[str, list[float | None]] = {}
        for path in sorted((results.run.directory / "records").glob("*.json")):
            record = json.loads(path.read_text())
            value = record["metrics"].get(column) if record["status"] == "ok" else None
            values.setdefault(record["cell"]["algorithm"], []).append(value)
        means = {}
        for row, of_row in values.items():
            known = [value for value in of_row if value is not None]
            if len(known) == len(of_row):
                means[row] = statistics.fmean(known)
        found.append(means)
    return found


def near_best(results: Results, column: str) -> set[str]:
    return {row.name for row in (*results.best(column), *results.near(column))}


def claims_of(comparison: DatasetComparison) -> dict[str, LeagueClaim]:
    return {claim.question: claim for claim in list_league_claims(comparison)}


def test_a_winner_is_named_where_the_data_sets_agree_and_nowhere_else(
    league: tuple[str, DatasetComparison],
) -> None:
    kind, comparison = league
    claims = claims_of(comparison)
    for question, column in (
        ("Best at predicting ratings", "rmse"),
        ("Best at top-10 lists", "ndcg@10"),
    ):
        claim = claims[question]
        by_run = means_by_run(comparison, column)
        best = []
        for means in by_run:
            losses = {row: COLUMNS[column] * mean for row, mean in means.items()}
            lowest = min(losses.values())
            best.append({row for row, loss in losses.items() if loss == lowest})
        everywhere = set.intersection(*best)
        close = [near_best(results, column) for results in comparison.runs.values()]
        never_behind = set.intersection(*close)
        named = everywhere or (never_behind if len(never_behind) == 1 else set())
        assert set(claim.names) == named

        if kind in ("won", "missing cell"):
            assert claim.winner == "surprise-svd" and "mean rank 1.00 [1.00, 1.00]" in claim.value
            assert claim.remark.startswith("The best mean on all 3 data sets.")
        else:
            assert claim.winner == "no winner" and claim.value == ""
            assert claim.remark.startswith("The data sets disagree: ")
        if kind == "tied":
            both = "Never significantly behind: user-item-bias and surprise-svd."
            assert claim.remark.endswith(both) and len(never_behind) == 2
        if kind == "disagreeing":
            assert "surprise-svd on movielens-100k and my-ratings" in claim.remark
            assert claim.remark.endswith("Every row is significantly behind on at least one.")


def test_best_value_is_the_cheapest_within_one_percent_on_every_data_set(
    league: tuple[str, DatasetComparison],
) -> None:
    _, comparison = league
    claim = claims_of(comparison)["Best value"]
    by_run = means_by_run(comparison, "ndcg@10")
    rows = set.intersection(*(set(means) for means in by_run))
    within = []
    for row in rows:
        gaps = [1 - means[row] / max(means.values()) for means in by_run]
        if max(gaps) <= 0.01:
            within.append(row)
    if not within:
        assert claim.names == () and "No row is within 1 % of the best" in claim.remark
        return
    times = {row: comparison.mean_seconds(row) or 0.0 for row in within}
    assert claim.names == (min(times, key=lambda row: times[row]),)


def test_standings_count_what_the_means_and_the_bootstrap_say(
    league: tuple[str, DatasetComparison],
) -> None:
    kind, comparison = league
    for column, sign in COLUMNS.items():
        by_run = means_by_run(comparison, column)
        standings = comparison.standings(column)
        for name, standing in standings.items():
            places = zip(comparison.runs.values(), by_run, standing.outcomes, strict=True)
            for results, means, outcome in places:
                if name not in means:
                    assert outcome == "no mean"
                    continue
                losses = {row: sign * mean for row, mean in means.items()}
                is_best = losses[name] == min(losses.values())
                assert (outcome == "won") == is_best
                assert (outcome == "behind") == (name not in near_best(results, column))
            for means, gap in zip(by_run, standing.gaps, strict=True):
                if name not in means:
                    assert gap is None
                    continue
                best = min(means.values(), key=lambda mean: sign * mean)
                assert gap == pytest.approx(sign * (means[name] - best) / abs(best))
        if kind == "missing cell" and column == "rmse":
            assert standings["item-mean"].count("no mean") == 1
            assert standings["item-mean"].mean_gap is None
            assert "item-mean" not in [row.name for row in rank_league(comparison, column)]
            texts = [caution.text for caution in list_league_cautions(comparison)]
            text = "without a rank (none is imputed): RMSE: item-mean; nDCG@10: item-mean."
            assert any(text in caution for caution in texts)
            assert "1 of 30 cells is not ok: item-mean on filmtrust." in texts


def test_imputed_predictions_are_flagged(league: tuple[str, DatasetComparison]) -> None:
    kind, comparison = league
    texts = " ".join(caution.text for caution in list_league_cautions(comparison))
    subject = describe_comparison(comparison)
    page = render_page(subject, describe_sections(subject, ["standings"]), "md")
    if kind == "missing cell":
        assert "1 row on filmtrust (up to 0.25)" in texts
        assert page.count("25.0% fallback") == 1
        row = comparison.by_run["filmtrust"]["user-item-bias"]
        assert share_of_fallbacks(row, "rmse") == 0.25 and share_of_fallbacks(row, "ndcg@10") == 0
    else:
        assert "imputed, the training mean" not in texts and "% fallback" not in page
    assert ("timeout in 1 of 2 folds" in page) == (kind == "missing cell")


def test_mean_ranks_have_the_intervals_of_data_sets_and_users_drawn_again(
    league: tuple[str, DatasetComparison],
) -> None:
    kind, comparison = league
    bounds = comparison.rank_bounds("rmse")
    ranking = comparison.ranking("rmse")
    assert list(bounds) == ranking.names
    for name, mean in zip(ranking.names, ranking.means, strict=True):
        low, high = bounds[name]
        assert 1 <= low <= mean <= high <= len(ranking.names)
    if kind == "disagreeing":
        # Users decide nothing here, so the data sets alone do: 27 equal draws of three of them
        ranks = ranking.ranks[ranking.names.index("surprise-svd")]
        draws = [np.mean(ranks[list(chosen)]) for chosen in np.ndindex(3, 3, 3)]
        expected = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
        assert bounds["surprise-svd"] == tuple(expected)
    order = [row.mean_rank for row in rank_league(comparison, "rmse")]
    assert order == sorted(order)


def test_times_are_geometric_means_and_the_terminal_says_what_the_page_says(
    league: tuple[str, DatasetComparison],
) -> None:
    _, comparison = league
    seconds = []
    for results in comparison.runs.values():
        row = next(row for row in results.rows if row.name == "surprise-svd")
        seconds.append(row.seconds(*PHASES) or math.nan)
    assert comparison.mean_seconds("surprise-svd") == pytest.approx(stats.gmean(seconds))

    subject = describe_comparison(comparison)
    page = render_page(subject, describe_sections(subject, ["summary"]), "md").replace("\\", "")
    for claim in list_league_claims(comparison):
        assert f"- {claim.question}: **{claim.winner}**" in page and claim.remark in page
    lines = write_league_answers(comparison)
    assert len(lines) >= 3 + len(ROWS) - 1
    for caution in list_league_cautions(comparison):
        assert f"read with care: {caution.text}" in lines and caution.text in page
    assert "3 chosen data sets are no sample" in page


def test_groups_and_pitfalls_stand_by_data_set(league: tuple[str, DatasetComparison]) -> None:
    kind, comparison = league
    if kind != "missing cell":
        return
    subject = describe_comparison(comparison)
    names = [part.name for part in describe_sections(subject)]
    assert "slices" not in names  # these records have no groups
    page = render_page(subject, describe_sections(subject, ["method"]), "md").replace("\\", "")
    line = next(line for line in page.splitlines() if "Are all folds averaged?" in line)
    assert line.split(" | ")[1:4] == ["yes", "yes", "yes"]
    assert "filmtrust: by construction" in line and "item-mean lack a fold" in line


def test_tables_of_groups_have_regions_that_name_their_data_set(tmp_path: Path) -> None:
    """What a screen reader lists as regions is told apart, as axe asks for."""

    def group(record: Record) -> Record:
        about = {"kind": "users", "size": 10, "n_test": 100, "lowest": 1, "highest": 9, "rmse": 1.0}
        groups = [Slice.model_validate(about | {"group": name}) for name in ("most", "least")]
        return replace(record, slices=groups)

    runs = [on(tmp_path / name, name, group) for name in ("movielens-100k", "filmtrust")]
    subject = describe_comparison(DatasetComparison.read(runs, tmp_path / "out"))
    page = render_page(subject, describe_sections(subject, ["slices"]), "html")
    regions = re.findall(r'role="region" aria-label="([^"]*)"', page)
    assert "RMSE by groups of users, filmtrust" in regions
    assert len(set(regions)) == len(regions)
