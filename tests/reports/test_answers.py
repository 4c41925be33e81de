"""The claims of the first screen are those of the records, in every kind of run."""

import statistics
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pytest

from recbench.adapters import available
from recbench.benchmarks.certainty import LEVEL
from recbench.benchmarks.records import describe_algorithms
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.facts import BlindSpot
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.tuning import RowSearch, TuningBudget, TuningDesign, write_histories
from recbench.reports import words
from recbench.reports.answers import (
    Claim,
    describe_run,
    list_cautions,
    list_claims,
    rank_rows,
    write_answers,
)
from recbench.reports.results import Results
from recbench.reports.sections.method import method
from tests.reports.invented_runs import (
    ENVIRONMENT,
    LEVELS,
    ROWS,
    cell,
    half_failed,
    normal,
    ok,
    write,
)
from tests.reports.pages import page

PHASES = ("convert", "fit", "rate", "rank")


def won() -> list[Record]:
    """One row is far ahead of the others."""
    levels = {"item-mean": 1.2, "surprise-svd": 0.8, "user-item-bias": 1.1}
    return [ok(cell(name, fold), level) for name, level in levels.items() for fold in range(5)]


def equal() -> list[Record]:
    """Two rows whose numbers are the same."""
    records = [ok(cell(name, fold), 1.0) for name in ROWS[:2] for fold in range(5)]
    return [replace(record, metrics=records[0].metrics) for record in records]


def single() -> list[Record]:
    return [ok(cell("surprise-svd", fold), 0.934) for fold in range(5)]


def order_only() -> list[Record]:
    return [ok(cell("popularity", fold), 1.4, ranks_only=True) for fold in range(5)]


def contended() -> list[Record]:
    busy = ENVIRONMENT.replaced(contended=True)
    return [replace(record, environment=busy) for record in normal()]


KINDS: dict[str, Callable[[], list[Record]]] = {
    "won": won,
    "tied": normal,
    "failed": half_failed,
    "single": single,
    "equal": equal,
    "order only": order_only,
    "contended": contended,
    "one fold": lambda: normal(n_folds=1),
}


@pytest.fixture(scope="module", params=KINDS)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("run"), KINDS[request.param]()))


def means_of(results: Results, column: str) -> dict[str, float]:
    """The mean over the folds of every row that has all of them, from the records alone."""
    values: dict[str, list[float | None]] = {}
    for record in Run(results.run.directory).records():
        value = record.metrics.get(column) if record.status == "ok" else None
        values.setdefault(record.cell.row, []).append(value)
    return {
        row: statistics.fmean(value for value in found if value is not None)
        for row, found in values.items()
        if None not in found
    }


def seconds_of(results: Results) -> dict[str, float]:
    """The mean over the folds of all phases together, from the records alone."""
    times: dict[str, list[float]] = {}
    for record in Run(results.run.directory).records():
        spent = [record.costs[phase].seconds for phase in PHASES if phase in record.costs]
        times.setdefault(record.cell.row, []).append(sum(spent))
    return {row: statistics.fmean(spent) for row, spent in times.items()}


def claims_of(results: Results) -> dict[str, Claim]:
    return {claim.question: claim for claim in list_claims(results)}


@pytest.mark.slow
def test_the_best_are_those_with_the_best_means(results: Results) -> None:
    claims = claims_of(results)
    for question, column, choose in (
        ("Best at predicting ratings", "rmse", min),
        ("Best at top-10 lists", "ndcg@10", max),
    ):
        claim = claims[question]
        means = means_of(results, column)
        if not means:
            assert claim.rows == () and claim.remark == f"No row has a mean {claim_name(column)}."
            continue
        best = choose(means.values())
        assert {row.name for row in claim.rows} == {
            row for row, mean in means.items() if mean == best
        }
        assert claim.value.startswith(f"{claim_name(column)} {best:.4f} [")


def claim_name(column: str) -> str:
    return {"rmse": "RMSE", "ndcg@10": "nDCG@10"}[column]


def test_what_is_said_of_the_others_is_what_the_bootstrap_found(results: Results) -> None:
    for claim in list_claims(results)[:2]:
        means = means_of(results, claim.column)
        if not means:
            continue
        certainty = results.certainty[claim.column]
        # by the test behind the matrix of all pairs: a first screen must not say more than it does
        boot = certainty.bootstrap
        is_tied = boot.pairwise_p_values[boot.best_row] >= LEVEL
        tied = {row.name for row, alike in zip(certainty.rows, is_tied, strict=True) if alike}
        near = tied - {row.name for row in claim.rows}
        if len(means) == 1:
            assert claim.remark.startswith("The only row with a mean")
        elif len(claim.rows) == len(means):
            assert claim.remark == "All rows have this mean."
        elif near:
            assert claim.remark.startswith("Not significantly different: ")
            assert all(name in claim.remark for name in near)
        else:
            assert claim.remark == "Every other row is significantly worse."


def test_the_best_value_is_the_cheapest_within_one_percent(results: Results) -> None:
    claim = claims_of(results)["Best value"]
    means = means_of(results, "ndcg@10")
    times = seconds_of(results)
    within = [row for row, mean in means.items() if mean >= 0.99 * max(means.values())]
    cheapest = min(within, key=lambda row: times[row])
    assert [row.name for row in claim.rows] == [cheapest]
    assert claim.value.endswith(f" in {words.duration(times[cheapest])}")

    if len(within) > 1:
        assert f"The cheapest of the {len(within)} rows within 1 % of the best" in claim.remark
    faster = {row: mean for row, mean in means.items() if times[row] < times[cheapest]}
    if faster:
        named = max(faster, key=lambda row: faster[row])
        assert f"worse than the best: {named}, {words.duration(times[named])}." in claim.remark
    assert ("Times are contended." in claim.remark) == any(row.contended for row in results.rows)


def test_the_table_is_in_the_order_of_the_means(results: Results) -> None:
    means = means_of(results, "ndcg@10")
    ranking = rank_rows(results, "ndcg@10")
    assert [ranked.value for ranked in ranking.rows] == sorted(means.values(), reverse=True)[:10]
    for ranked in ranking.rows:
        better = [mean for mean in means.values() if mean > ranked.value]
        assert ranked.rank == len(better) + 1
        assert ranked.value == means[ranked.row.name]
        assert ranked.seconds == pytest.approx(seconds_of(results)[ranked.row.name])
    assert len(ranking.rows) + ranking.n_more == len(means)
    assert {row.name for row in ranking.without_mean} == set(times_rows(results)) - set(means)


def times_rows(results: Results) -> list[str]:
    return [record.cell.row for record in Run(results.run.directory).records()]


def test_failures_are_counted_and_named(results: Results) -> None:
    records = Run(results.run.directory).records()
    n_ok = sum(record.status == "ok" for record in records)
    assert describe_run(results).endswith(f"{n_ok} of {len(records)} cells ran")
    texts = [caution.text for caution in list_cautions(results)]
    said = [text for text in texts if "not ok" in text]
    assert bool(said) == (n_ok < len(records))
    if said:
        lost = {record.cell.row for record in records if record.status != "ok"}
        assert said[0].startswith(f"{len(records) - n_ok} of {len(records)} cells are not ok.")
        assert all(row in said[0] for row in lost)


@pytest.mark.slow
def test_the_terminal_and_the_page_say_the_same(results: Results) -> None:
    lines = " ".join(write_answers(results))
    markdown = page(results.run.directory, "md", ["summary"]).replace("\\", "")
    html = page(results.run.directory, "html", ["summary"])
    for claim in list_claims(results):
        for text in (claim.winner, claim.value, claim.remark):
            assert text in lines and text in markdown and text in html
    for caution in list_cautions(results):
        assert caution.text in lines and caution.text in markdown


def test_data_that_name_no_best_row_name_none(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, normal()))
    hides = ["precision@10", "recall@10", "ndcg@10"]
    spot = BlindSpot(kind="every rating is relevant", sentence="All are.", hides=hides)
    blind = replace(results, about=results.about.replaced(blind_spots=[spot]))
    claims = claims_of(blind)
    lists = claims["Best at top-10 lists"]
    assert lists.rows == () and lists.winner == "no answer"
    assert lists.remark == "These data name no best row in nDCG@10: every rating is relevant."
    assert claims["Best value"].column == "rmse"  # what is left is ranked by
    texts = [caution.text for caution in list_cautions(blind)]
    assert "What these data cannot tell: every rating is relevant." in texts
    assert not any("nDCG@10 0" in line for line in write_answers(blind))


def test_means_that_only_rounding_tells_apart_share_a_rank(tmp_path: Path) -> None:
    records = []
    for record in equal():
        noise = 1e-15 if record.cell.row == ROWS[0] else 0.0
        metrics = {name: value and value + noise for name, value in record.metrics.items()}
        records.append(replace(record, metrics=metrics))
    results = Results.read(write(tmp_path, records))
    means = [row.mean("rmse") for row in results.rows]
    assert means[0] != means[1]
    assert [row.name for row in results.best("rmse")] == list(ROWS[:2])
    assert [ranked.rank for ranked in rank_rows(results, "rmse").rows] == [1, 1]


@pytest.mark.slow
def test_what_was_not_tested_is_not_called_worse(tmp_path: Path) -> None:
    write(tmp_path, normal())
    best = min(LEVELS, key=lambda row: LEVELS[row])
    for record in Results.read(tmp_path).records:
        if record.cell.row == best:
            Run(tmp_path).path(record.cell, ".npz").unlink()
    claim = claims_of(Results.read(tmp_path))["Best at predicting ratings"]
    assert claim.remark == (f"How sure that is, is not known: raw answers of {best} are missing.")
    assert claim.value == f"RMSE {means_of(Results.read(tmp_path), 'rmse')[best]:.4f}"


def test_a_best_that_is_no_better_than_the_mean_rating_says_so(tmp_path: Path) -> None:
    records = [ok(cell("global-mean", fold), 1.0) for fold in range(5)]
    records += [ok(cell("random", fold), 1.5) for fold in range(5)]
    claim = claims_of(Results.read(write(tmp_path, records)))["Best at predicting ratings"]
    assert claim.winner == "global-mean"
    assert "No better than always predicting the mean rating (" in claim.remark


def test_nothing_has_run_yet(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, [], [record.cell for record in normal()]))
    assert [claim.winner for claim in list_claims(results)] == ["no answer"] * 3
    assert describe_run(results).endswith("0 of 35 cells ran")


def tuned_run(directory: Path, budgets: tuple[int, ...]) -> Results:
    """Two rows as they are and tuned, each with the budget of so many trials."""
    records = []
    searches = []
    rows: list[Cell] = []
    for name in ("ease", "surprise-svd"):
        defaults = {field.name: field.default for field in fields(cast(Any, available()[name]))}
        rows.append(replace(cell(name, 0, 1), parameters=defaults))
    for row, trials in zip(rows, budgets, strict=True):
        search = RowSearch(row, TuningDesign(TuningBudget(trials=trials)))
        while not search.is_over:
            search.tell(ok(search.next_cell, 1.0), 0.0)
        records += [ok(row, 1.0), ok(search.tune(row), 0.9)]
        searches.append(search.history)
    write_histories(directory, searches)
    return Results.read(write(directory, records))


@pytest.mark.parametrize(("budgets", "is_fair"), [((1, 1), True), ((1, 2), False)])
def test_tuned_rows_are_counted(tmp_path: Path, budgets: tuple[int, ...], is_fair: bool) -> None:
    results = tuned_run(tmp_path, budgets)
    (text,) = [one.text for one in list_cautions(results) if one.section == "accuracy"]
    assert text.startswith("Tuned in this run: 2 of 4 rows, on the training part of each fold")
    assert ("not with the same budget" in text) != is_fair


def test_rows_without_hyperparameters_are_not_called_tuned(tmp_path: Path) -> None:
    texts = [caution.text for caution in list_cautions(Results.read(write(tmp_path, normal())))]
    assert "No row has hyperparameters, so none is tuned." in texts


def test_a_row_that_breaks_a_law_on_purpose_is_named_first(tmp_path: Path) -> None:
    row = cell("keras-recommender-net", 0, 1, dot="tensordot", epochs=1)
    described = describe_algorithms([row, cell("item-mean", 0, 1)])
    assert not described["item-mean"].says("broken_law")
    results = Results.read(write(tmp_path, [ok(row, 0.9), ok(cell("item-mean", 0, 1), 1.0)]))
    results = replace(results, about=results.about.replaced(algorithms=described))
    text = list_cautions(results)[0].text
    assert text.startswith(f"Measured with its mistake: {row.row}: the score of a pair depends on")
    assert "BREAKS A LAW ON PURPOSE" in str(method(results))
