"""Canaries: each check below holds for the harness, and dies in one that was broken on purpose.

A check raises AssertionError, or what the harness itself raises, when something of the test part
has leaked.
"""

import gc
import hashlib
import json
import mmap
import os
import shutil
import sqlite3
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

from recbench import datasets
from recbench.adapters import available
from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.user_shares import read_user_shares
from recbench.benchmarks.evaluation import cell_metrics
from recbench.benchmarks.evaluation import questions as evaluate
from recbench.benchmarks.evaluation.cell_metrics import find_hits
from recbench.benchmarks.evaluation.questions import Lists
from recbench.benchmarks.execution import subject, worker
from recbench.benchmarks.execution.determinism import sample_scores
from recbench.benchmarks.execution.executor import open_executor
from recbench.benchmarks.execution.job import Job, Limits, make_jobs
from recbench.benchmarks.execution.sealing import Seal, SealedError, sealed
from recbench.benchmarks.gating.gate import judge_runs
from recbench.benchmarks.gating.tolerances import parse_tolerance
from recbench.benchmarks.metrics.protocols import PROTOCOLS, STANDARD, Evaluation
from recbench.benchmarks.metrics.registry import find_metric
from recbench.benchmarks.planning import cells as plan
from recbench.benchmarks.planning import parse_rows
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.describe import describe_data
from recbench.benchmarks.records.facts import Environment, RunDescription
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.splits import built_in as divisions
from recbench.benchmarks.splits import folds
from recbench.benchmarks.splits.folds import divide
from recbench.benchmarks.tuning import RowSearch, TuningBudget, TuningDesign
from recbench.datasets import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Source
from recbench.datasets.storage.cache import reopen_entry, save_entry
from recbench.datasets.storage.fetch import cache_directory
from recbench.reports.fold_spread import Spread
from recbench.reports.results import Results, Row
from tests.adapters.planted import taste
from tests.conftest import RunBench
from tests.plugins import cheats
from tests.reports.invented_runs import COLUMNS, failed, normal, write

N_USERS = 200
N_ITEMS = 61
N_ROWS = 5000
Patch = pytest.MonkeyPatch
HOW = plan.Design("kfold", 2, 0, Evaluation())
ENVIRONMENT = Environment(threads=1, contended=False)
LEARNERS = [
    "user-item-bias",
    "numpy-sgd[n_epochs=5]",
    "popularity",
    "ease",
    "surprise-svd[n_epochs=5]",
]


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    """As in the fork server: the collections that come before each measured call skip what is there
    already.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    """No cheat remembers another test."""
    yield
    cheats._hoard.clear()
    cheats.Listener.heard.clear()
    cheats.Spy.seen.clear()
    cheats.EarlyStopper.validation = None


def wrapped(ratings: Ratings) -> Dataset:
    """`ratings` as a data set of its own."""
    about = Catalogue(
        ("film",) * ratings.n_items, (None,) * ratings.n_items, ((),) * ratings.n_items
    )
    ids = np.arange(ratings.n_users), np.arange(ratings.n_items)
    return Dataset("planted", ratings, about, *ids, Provenance((), "", ""))


PLANTED = wrapped(taste(N_USERS, N_ITEMS, N_ROWS))


def changed(rows: NDArray[np.int64], **columns: NDArray[Any]) -> Dataset:
    """The planted data with other users, items or values in some rows."""
    ratings = PLANTED.ratings
    fields = {name: getattr(ratings, name).copy() for name in ("users", "items", "values")}
    for name, column in columns.items():
        fields[name][rows] = column
    return wrapped(
        Ratings(**fields, n_users=ratings.n_users, n_items=ratings.n_items, scale=ratings.scale)
    )


@dataclass(frozen=True)
class Bench:
    """Measures cells in this process, as `benchmarks.execution.worker` does it in a process for
    each.
    """

    directory: Path

    def measure(
        self, spec: str, fold: int = 0, dataset: Dataset = PLANTED, cell: Cell | None = None
    ) -> tuple[Record, dict[str, Any]]:
        """The record and the raw answers of one cell."""
        entry = self.directory / "cache" / "datasets" / dataset.digest[:12]
        if not entry.exists():
            save_entry(dataset, entry)
        is_trial = cell is not None
        if cell is None:
            cell = plan.plan_cells(dataset, parse_rows([spec]), HOW)[fold]
        run = Run(self.directory / dataset.digest[:6])
        adapter = available()[cell.algorithm]
        job = Job(
            cell=cell,
            dataset=entry,
            directory=run.directory,
            working_directory=Path.cwd(),
            limits=Limits(seconds=None, memory_mb=4000),
            data=describe_data(dataset),
            environment=ENVIRONMENT,
            predicts=adapter.predicts,
            abstains=adapter.abstains,
            sees_truth=adapter.sees_truth,
            units=adapter.units,
            folds_in=adapter.folds_in(),
            evaluation="",
            is_timed=not is_trial,
            started="2025-11-21T12:00:00+00:00",
        )
        worker.measure_cell(job)
        record = run.read(cell)
        assert record is not None
        if record.status != "ok":
            return record, {}
        with np.load(run.path(cell, ".npz")) as arrays:
            return record, dict(arrays)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: Patch) -> Bench:
    monkeypatch.setattr(plan, "library_versions", lambda adapter: {})  # slow, and the same for all
    return Bench(tmp_path)


def parts(fold: int = 0, dataset: Dataset = PLANTED) -> tuple[Ratings, Ratings]:
    rows = divide(dataset, "kfold", 2, fold, 0)
    return dataset.ratings.take(rows[0]), dataset.ratings.take(rows[1])


# The test part is not known before it is asked for


def check_blind(bench: Bench, spec: str) -> None:
    """Nothing an algorithm answers may change when only the test part does: its values, then its
    items.
    """
    _, test_rows = divide(PLANTED, "kfold", 2, 0, 0)
    values = PLANTED.ratings.values[test_rows]
    items = PLANTED.ratings.items[test_rows]
    record, answers = bench.measure(spec)
    assert record.status == "ok", record.reason
    _, with_other_values = bench.measure(spec, dataset=changed(test_rows, values=6 - values))
    assert np.array_equal(answers["scores"], with_other_values["scores"], equal_nan=True), (
        "test values are known"
    )
    _, with_other_items = bench.measure(
        spec, dataset=changed(test_rows, items=(items + 7) % N_ITEMS)
    )
    for other in (with_other_values, with_other_items):
        _, mine, theirs = np.intersect1d(answers["users"], other["users"], return_indices=True)
        assert len(mine) > N_USERS / 2
        assert np.array_equal(answers["top_items"][mine], other["top_items"][theirs]), (
            "the test part is known"
        )


def train_on_everything(patch: Patch) -> None:
    def broken(dataset: Dataset, *arguments: Any) -> Any:
        return np.arange(len(dataset.ratings)), divide(dataset, *arguments)[1]

    patch.setattr(worker, "divide", broken)


def fit_everything(patch: Patch) -> None:
    """The algorithm gets all ratings, everything else the right ones."""
    whole: list[Ratings] = []
    fit = subject._fit_once
    take = Ratings.take

    def remember(ratings: Ratings, rows: Any) -> Ratings:
        whole[:] = [ratings]
        return take(ratings, rows)

    def broken(cell: Any, train: Ratings, *rest: Any) -> Any:
        return fit(cell, whole[0] if train.n_users == N_USERS else train, *rest)

    patch.setattr(Ratings, "take", remember)
    patch.setattr(subject, "_fit_once", broken)


def keep_the_mean(patch: Patch) -> None:
    """What was fitted on all data, here their mean, comes along with a part of them."""
    take = Ratings.take

    def broken(ratings: Ratings, rows: Any) -> Ratings:
        part = take(ratings, rows)
        part.__dict__["mean"] = ratings.mean
        return part

    patch.setattr(Ratings, "take", broken)


def validate_on_test(patch: Patch) -> None:
    def broken(dataset: Dataset, *arguments: Any) -> Any:
        rows = divide(dataset, *arguments)
        cheats.EarlyStopper.validation = dataset.ratings.take(rows[1])
        return rows

    patch.setattr(worker, "divide", broken)


@pytest.mark.parametrize("spec", [*LEARNERS, "global-mean", "cheats-early-stopper"])
@pytest.mark.slow
def test_answers_do_not_depend_on_the_test_part(bench: Bench, spec: str) -> None:
    check_blind(bench, spec)


@pytest.mark.parametrize(
    ("spec", "broken"),
    [
        ("user-item-bias", train_on_everything),
        ("popularity", train_on_everything),
        ("ease", fit_everything),
        ("global-mean", keep_the_mean),
        ("cheats-early-stopper", validate_on_test),
    ],
)
@pytest.mark.slow
def test_a_harness_that_leaks_the_test_part_is_caught(
    bench: Bench, monkeypatch: Patch, spec: str, broken: Callable[[Patch], None]
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError, match="known"):
        check_blind(bench, spec)


def check_rows_are_divided(bench: Bench) -> None:
    record, _ = bench.measure("global-mean")
    assert record.status == "ok", record.reason


def test_a_split_that_puts_a_row_into_both_parts_is_refused(
    bench: Bench, monkeypatch: Patch
) -> None:
    check_rows_are_divided(bench)

    def overlapping(ratings: Ratings, n_folds: int, fold: int, seed: int) -> Any:
        train, test = divisions.kfold(ratings, n_folds, fold, seed)
        return np.append(train, test[:3]), test

    monkeypatch.setitem(divisions.SPLITS, "kfold", divisions.Split(overlapping, "parts"))
    with pytest.raises(AssertionError, match="3 ratings are in the training and in the test part"):
        check_rows_are_divided(bench)


def check_users_are_held_out(bench: Bench) -> None:
    """No user of the test part is in training, where the split says so; see also
    `test_new_users`.
    """
    new_users = replace(HOW, split="new-users", n_folds=1)
    (cell,) = plan.plan_cells(PLANTED, parse_rows(["popularity"]), new_users)
    record, _ = bench.measure("popularity", cell=cell)
    assert record.status == "ok", record.reason


def test_a_held_out_users_rating_in_training_is_caught(bench: Bench, monkeypatch: Patch) -> None:
    check_users_are_held_out(bench)

    def leaking(*arguments: Any, **parameters: Any) -> Any:
        train, test, history = divisions.new_users(*arguments, **parameters)
        return np.append(train, history[:1]), test, history[1:]

    broken = replace(divisions.SPLITS["new-users"], divide=leaking)
    monkeypatch.setitem(divisions.SPLITS, "new-users", broken)
    with pytest.raises(AssertionError, match="1 ratings of users who are held out are in the tr"):
        check_users_are_held_out(bench)


# What an algorithm gets holds nothing but the training part


def reachable(root: Any) -> list[Any]:
    """Everything that can be got at from `root`, the arrays behind views included, but for code."""
    code = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType)
    found: dict[int, Any] = {}
    pending = [root]
    while pending:
        thing = pending.pop()
        if id(thing) in found or isinstance(thing, code):
            continue
        found[id(thing)] = thing
        pending += gc.get_referents(thing)
        base = getattr(thing, "base", None)
        pending += [base] if isinstance(thing, np.ndarray) and base is not None else []
    return list(found.values())


def check_nothing_else_in_reach(bench: Bench) -> None:
    """From the arguments of all calls up to the ranking, only arrays of the training part's size
    can be reached.
    """
    bench.measure("cheats-spy")
    calls = dict(cheats.Spy.seen)  # of each the last, after the warm-up
    assert set(calls) == {"skip", "prepare", "convert", "fit", "score_items"}
    train, test = parts()
    assert len(test) not in (N_USERS, N_ITEMS)
    for call, arguments in calls.items():
        for thing in reachable(arguments):
            assert not isinstance(thing, np.memmap | mmap.mmap | Dataset | Path), (
                f"{call}: {type(thing)} in reach"
            )
            if isinstance(thing, np.ndarray):
                assert thing.size <= len(train), f"{call}: {thing.size} numbers in reach"
                for column in (test.users, test.items, test.values):
                    assert not np.array_equal(thing, column), f"{call}: a test column in reach"
            if isinstance(thing, Ratings):
                columns = (
                    (getattr(thing, c), getattr(train, c)) for c in ("users", "items", "values")
                )
                assert all(np.array_equal(*pair) for pair in columns), (
                    f"{call}: other ratings in reach"
                )


def test_nothing_but_the_training_part_is_in_reach(bench: Bench) -> None:
    check_nothing_else_in_reach(bench)


def test_views_of_the_whole_and_parts_that_hold_the_whole_are_caught(
    bench: Bench, monkeypatch: Patch
) -> None:
    def view(ratings: Ratings, rows: NDArray[np.int64]) -> Ratings:
        n = len(rows)
        shape = (ratings.n_users, ratings.n_items, ratings.scale)
        return Ratings(ratings.users[:n], ratings.items[:n], ratings.values[:n], *shape)

    take = Ratings.take

    def holding(ratings: Ratings, rows: NDArray[np.int64]) -> Ratings:
        part = take(ratings, rows)
        part.__dict__["whole"] = ratings
        return part

    for broken in (view, holding):
        cheats.Spy.seen.clear()
        monkeypatch.setattr(Ratings, "take", broken)
        with pytest.raises(AssertionError, match="in reach"):
            check_nothing_else_in_reach(bench)


def test_only_the_oracle_sees_the_truth() -> None:
    for name, adapter in available().items():
        assert adapter.sees_truth == (adapter.family == "oracle"), name


# Numbers are made from the training part's mean, and lists without its items


def check_fallback(bench: Bench) -> None:
    """What has no prediction is predicted by the mean of the training part."""
    train, test = parts()
    record, answers = bench.measure("cheats-hoarder")
    assert np.isnan(answers["scores"]).all() and record.metrics["coverage"] == 0
    expected = np.sqrt(np.mean((test.values.astype(float) - train.values.mean(dtype=float)) ** 2))
    assert record.metrics["rmse"] == pytest.approx(expected, rel=1e-9)


def test_the_fallback_is_the_training_mean_and_the_whole_mean_is_caught(
    bench: Bench, monkeypatch: Patch
) -> None:
    check_fallback(bench)
    cheats._hoard.clear()
    whole = PLANTED.ratings.mean
    rated = cell_metrics.complete_predictions
    monkeypatch.setattr(
        cell_metrics,
        "complete_predictions",
        lambda answers, test, mean: rated(answers, test, whole),
    )
    with pytest.raises(AssertionError):
        check_fallback(bench)


def check_candidates(bench: Bench) -> None:
    """No recommendation is an item of the user's training part."""
    train, _ = parts()
    _, answers = bench.measure("popularity")
    known = train.users.astype(int) * N_ITEMS + train.items
    recommended = answers["users"][:, None].astype(int) * N_ITEMS + answers["top_items"]
    assert not np.isin(recommended[answers["top_items"] >= 0], known).any(), (
        "training items are recommended"
    )


@pytest.mark.parametrize("candidates", ["all", "unliked"])
def test_training_items_among_the_candidates_are_caught(
    bench: Bench, monkeypatch: Patch, candidates: Any
) -> None:
    check_candidates(bench)
    monkeypatch.setitem(PROTOCOLS, STANDARD, replace(PROTOCOLS[STANDARD], candidates=candidates))
    with pytest.raises(AssertionError, match="training items"):
        check_candidates(bench)


# Trials of a search see the training part of their fold only

SEARCHED = ["user-item-bias", "ease"]


def search_inside(bench: Bench, spec: str, dataset: Dataset = PLANTED) -> list[dict[str, Any]]:
    """What the trials of a search on the first of two folds tried, and got, in their order."""
    cell = plan.plan_cells(dataset, parse_rows([spec]), HOW)[0]
    search = RowSearch(cell, TuningDesign(TuningBudget(trials=3)))
    trials = []
    while not search.is_over:
        record, answers = bench.measure(spec, dataset=dataset, cell=search.next_cell)
        assert record.status == "ok", record.reason
        search.tell(record, 0.0)
        tried = dict(search.trials[-1].tried)
        trials.append({"tried": tried, "metrics": record.metrics, "scores": answers["scores"]})
    return trials


def check_search_is_blind(bench: Bench, spec: str) -> None:
    """With the ratings of the test part dealt out anew, all trials try and get the same."""
    _, test_rows = divide(PLANTED, "kfold", 2, 0, 0)
    rng = np.random.default_rng(3)
    values = rng.permutation(PLANTED.ratings.values[test_rows])
    items = rng.permutation(PLANTED.ratings.items[test_rows])
    permuted = changed(test_rows, values=values, items=items)
    for mine, theirs in zip(
        search_inside(bench, spec), search_inside(bench, spec, permuted), strict=True
    ):
        assert mine["tried"] == theirs["tried"], "the search knows the test part"
        assert mine["metrics"] == theirs["metrics"], "a trial knows the test part"
        assert np.array_equal(mine["scores"], theirs["scores"], equal_nan=True)


def let_test_rows_into_the_inner_part(patch: Patch) -> None:
    """The inner split divides all ratings, and not the training part."""

    def broken(dataset: Dataset, *arguments: Any) -> Any:
        *outer, inner = arguments
        if inner:
            everything = np.arange(len(dataset.ratings))
            again = folds.divide_again(dataset.ratings, everything, inner, outer[-1])
            return again.train, again.test
        return divide(dataset, *outer)

    patch.setattr(worker, "divide", broken)


def judge_trials_by_the_test_part(patch: Patch) -> None:
    def broken(dataset: Dataset, *arguments: Any) -> Any:
        train, _ = divide(dataset, *arguments)
        return train, divide(dataset, *arguments[:-1])[1]

    patch.setattr(worker, "divide", broken)


@pytest.mark.parametrize("spec", SEARCHED)
@pytest.mark.slow
def test_a_search_does_not_depend_on_the_test_part(bench: Bench, spec: str) -> None:
    check_search_is_blind(bench, spec)


@pytest.mark.parametrize("spec", SEARCHED)
@pytest.mark.parametrize(
    "broken", [let_test_rows_into_the_inner_part, judge_trials_by_the_test_part]
)
@pytest.mark.slow
def test_a_harness_that_lets_a_search_see_the_test_part_is_caught(
    bench: Bench, monkeypatch: Patch, spec: str, broken: Callable[[Patch], None]
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError, match="knows the test part"):
        check_search_is_blind(bench, spec)


# Algorithms are compared on the same folds, by the mean of all of them


def check_same_rows(bench: Bench) -> None:
    records = [bench.measure(spec)[0] for spec in ("global-mean", "item-mean")]
    run = Run(bench.directory / PLANTED.digest[:6])
    run.write_plan([record.cell for record in records], RunDescription())
    assert all(record.fold and len(record.fold.train_rows or "") == 12 for record in run.records())


def divide_with(patch: Patch, *seeds: int) -> None:
    """One cell after the other is divided with the next seed, whatever it asks for."""
    left = iter(seeds)

    def broken(dataset: Dataset, spec: str, n_folds: int, fold: int, *_: Any) -> Any:
        return divide(dataset, spec, n_folds, fold, next(left))

    patch.setattr(worker, "divide", broken)


def test_folds_that_differ_between_algorithms_are_refused(bench: Bench, monkeypatch: Patch) -> None:
    check_same_rows(bench)
    divide_with(monkeypatch, 0, 1)
    with pytest.raises(
        UsageError, match="fold 0: global-mean and item-mean were not measured on the same ratings"
    ):
        check_same_rows(bench)


def test_the_gate_does_not_compare_other_folds(
    bench: Bench, tmp_path: Path, monkeypatch: Patch
) -> None:
    limits = [parse_tolerance("rmse:+1%")]
    runs = []
    for name, seed in (("base", 0), ("same", 0), ("other", 1)):
        with monkeypatch.context() as patch:
            divide_with(patch, seed)
            one = Bench(tmp_path / name)
            record, _ = one.measure("item-mean")
        runs.append(Run(one.directory / PLANTED.digest[:6]))
        runs[-1].write_plan([record.cell], RunDescription())
    base, same, other = runs
    assert [verdict.verdict for verdict in judge_runs(base, same, limits, 0.1)] == ["PASS"]
    [verdict] = judge_runs(base, other, limits, 0.1)
    assert (verdict.verdict, verdict.reason) == (
        "INCOMPARABLE",
        "the folds have other ratings: train_rows differ",
    )


def check_means(directory: Path) -> None:
    """A row's number is the mean over all its folds, in the table as in the statistics; none if a
    fold has failed.
    """
    records = normal()
    lost = [failed(records[0].cell, "timeout", "too slow"), *records[1:]]
    for written, name in ((records, "all"), (lost, "lost")):
        results = Results.read(write(directory / name, written))
        for row in results.rows:
            values = [record.metrics.get("ndcg@10") for record in row.records]
            if row.failures:
                assert row.mean("ndcg@10") is None, "a mean over the folds that survived"
                continue
            known = [value for value in values if value is not None]
            assert row.mean("ndcg@10") == pytest.approx(np.mean(known), rel=1e-12), (
                "not the mean of the folds"
            )
            drawn = read_user_shares(results.run, {row.name: row.records}, COLUMNS)["ndcg@10"][
                row.name
            ]
            value = bootstrap_users(find_metric("ndcg@10"), [drawn], n_draws=1).values[0]
            assert value == pytest.approx(np.mean(known), rel=1e-5)


@pytest.mark.slow
def test_the_best_fold_and_the_mean_of_survivors_are_caught(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    check_means(tmp_path / "real")
    with monkeypatch.context() as patch:
        patch.setattr(
            Spread,
            "of",
            lambda values: Spread(max(values), None, min(values), max(values), len(values)),
        )
        with pytest.raises(AssertionError, match="not the mean"):
            check_means(tmp_path / "best")

    def surviving(row: Row, column: str) -> Spread | None:
        values = [value for value in row.values(column) if value is not None]
        return Spread.of(values) if values else None

    monkeypatch.setattr(Row, "spread", surviving)
    with pytest.raises(AssertionError, match="survived"):
        check_means(tmp_path / "survivors")


# Nobody remembers


def check_asked_too_early(bench: Bench) -> None:
    """Who remembers every pair it was asked about recommends no better than who does not."""
    found = []
    for listens in ("true", "false"):
        cheats.Listener.heard.clear()
        _, answers = bench.measure(f"cheats-listener[listens={listens}]")
        found.append(answers["top_items"])
    assert np.array_equal(*found), "the test pairs were known before recommendations were asked for"


def rate_first(patch: Patch) -> None:
    def broken(algorithm: Any, train: Ratings, test: Ratings, *rest: Any) -> Any:
        algorithm.score(test.users, test.items)
        return evaluate.collect_answers(algorithm, train, test, *rest)

    patch.setattr(worker, "collect_answers", broken)


def sample_the_test_part(patch: Patch) -> None:
    _, test = parts()
    patch.setattr(subject, "sample_scores", lambda algorithm, train: sample_scores(algorithm, test))


@pytest.mark.parametrize("broken", [rate_first, sample_the_test_part])
@pytest.mark.slow
def test_test_pairs_told_before_the_ranking_are_caught(
    bench: Bench, monkeypatch: Patch, broken: Callable[[Patch], None]
) -> None:
    check_asked_too_early(bench)
    broken(monkeypatch)
    with pytest.raises(AssertionError, match="known before"):
        check_asked_too_early(bench)


def check_folds_are_strangers(records: list[Record]) -> None:
    assert [record.metrics.get("coverage") for record in records] == [0, 0], (
        "a fold knows what another one trained on"
    )


def test_in_a_real_run_folds_are_strangers_and_the_data_closed(
    bench: Bench, ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    reader = "cheats-reader"
    rows = [
        "cheats-hoarder",
        f"{reader}[dataset=table:{ratings_file}]",
        f"{reader}[file={ratings_file}]",
        reader,
    ]
    chosen = [part for row in rows for part in ("--algorithm", row)]
    more = ["--folds", 2, "--plugin", "cheats", "--no-report", "--out", tmp_path / "out"]
    run_bench("--dataset", f"table:{ratings_file}", *chosen, *more, check=4)
    records = {
        row: [r for r in Run(tmp_path / "out").records() if r.cell.row == row] for row in rows
    }
    check_folds_are_strangers(records[rows[0]])
    for row in rows[1:3]:
        for record in records[row]:
            assert record.status == "failed" and "no algorithm may open it" in (record.reason or "")
    assert [record.status for record in records[reader]] == ["ok", "ok"], "the data are still there"
    with pytest.raises(AssertionError, match="another one"):  # one process for both folds
        check_folds_are_strangers([bench.measure("cheats-hoarder", fold)[0] for fold in (0, 1)])


def check_alone_as_in_company(bench: Bench, spec: str, forget: Callable[[], None]) -> None:
    """A fold that is measured alone, with nothing left over from before, gives the same answers as
    after another.
    """
    bench.measure(spec, 0)
    _, after = bench.measure(spec, 1)
    forget()
    _, alone = bench.measure(spec, 1)
    assert all(
        np.array_equal(after[name], alone[name], equal_nan=True) for name in ("scores", "top_items")
    ), "a fold depends on what ran before"


@pytest.mark.slow
def test_an_algorithm_that_remembers_in_a_file_is_found_out(bench: Bench, tmp_path: Path) -> None:
    check_alone_as_in_company(bench, "numpy-sgd[n_epochs=2]", lambda: None)
    file = tmp_path / "hoard"
    with pytest.raises(AssertionError, match="what ran before"):
        check_alone_as_in_company(bench, f"cheats-hoarder[where=file,file={file}]", file.unlink)


def check_files_are_closed(bench: Bench, column: str) -> None:
    entry = bench.directory / "cache" / "datasets" / PLANTED.digest[:12]
    bench.measure("global-mean")
    record, _ = bench.measure(f"cheats-reader[file={entry / column}]")
    assert record.status == "failed" and SealedError.__name__ in (record.reason or ""), (
        "test ratings can be read"
    )
    assert len(reopen_entry(entry).ratings) == N_ROWS, "and the entry is as it was"


@pytest.mark.parametrize("column", ["values.npy", "about.json"])
def test_the_files_of_the_data_set_are_closed_to_algorithms(
    bench: Bench, monkeypatch: Patch, column: str
) -> None:
    check_files_are_closed(bench, column)
    monkeypatch.setattr(subject, "sealed", lambda *arguments: nullcontext())
    with pytest.raises(AssertionError, match="can be read"):
        check_files_are_closed(bench, column)


WAYS: dict[str, Callable[[Path], object]] = {
    "open": lambda file: file.open(),
    "os.open": lambda file: os.open(file, os.O_RDONLY),
    "a link": lambda file: (file.parent / "link").read_bytes(),
    "numpy text": np.loadtxt,
    "numpy bytes": np.fromfile,
    "numpy map": np.memmap,
    "pandas": pd.read_csv,
    "pandas in Python": lambda file: pd.read_csv(file, engine="python"),
    "sqlite": sqlite3.connect,
    "a copy": lambda file: shutil.copy(file, file.with_name("copy")),
}


def seal_file(file: Path) -> Seal:
    """A seal on the content of a file, as one that a data set was read from."""
    content = file.read_bytes()
    source = Source(file.name, hashlib.sha256(content).hexdigest(), len(content))
    return Seal(file.parent / "no entry", (source,))


@pytest.mark.parametrize("way", WAYS)
def test_what_python_opens_is_closed_while_sealed(tmp_path: Path, way: str) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("1\n2\n3\n")
    (tmp_path / "link").symlink_to(file)
    WAYS[way](file)
    for seal in (Seal(tmp_path, ()), seal_file(file)):
        with sealed(seal), pytest.raises(SealedError, match="no algorithm may open it"):
            WAYS[way](file)


def test_renamed_and_linked_files_are_closed_and_a_file_of_the_same_name_is_not(
    tmp_path: Path,
) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "values.npy").write_bytes(b"ratings")
    (tmp_path / "ratings.csv").write_text("1\n2\n3\n")
    (tmp_path / "another").mkdir()
    namesake = tmp_path / "another" / "ratings.csv"
    namesake.write_text("7\n8\n9\n")  # of the same size
    source = seal_file(tmp_path / "ratings.csv")
    os.link(entry / "values.npy", tmp_path / "linked")
    with sealed(Seal(entry, source.sources)):
        (tmp_path / "ratings.csv").rename(tmp_path / "renamed")
        (entry / "values.npy").rename(tmp_path / "moved")
        for name in ("renamed", "linked", "moved"):
            with pytest.raises(SealedError):
                (tmp_path / name).read_bytes()
        assert namesake.read_text() == "7\n8\n9\n"


def read_from_directory(file: Path) -> str:
    """The last line, by a path relative to the open directory."""
    directory = os.open(file.parent, os.O_RDONLY)
    with os.fdopen(os.open(file.name, os.O_RDONLY, dir_fd=directory)) as opened:
        os.close(directory)
        return opened.read().split()[-1]


NATIVE: dict[str, Callable[[Path], str]] = {
    "an open directory": read_from_directory,
    "polars": lambda file: str(pl.read_csv(file, has_header=False).item(2, 0)),
    "another process": lambda file: (
        subprocess.run(["tail", "-1", file], capture_output=True, text=True).stdout
    ),
}


@pytest.mark.parametrize("way", NATIVE)
def test_the_limits_of_the_seal_are_directories_and_what_native_code_opens(
    tmp_path: Path, way: str
) -> None:
    """No promise but a fact that README and benchmarks/execution/sealing.py state: Python does not
    tell of these.

    Should this fail, the seal has become tighter than they say.
    """
    file = tmp_path / "ratings.csv"
    file.write_text("1\n2\n3\n")
    with sealed(Seal(tmp_path / "elsewhere", seal_file(file).sources)):
        assert NATIVE[way](file).strip() == "3"


# The process of an algorithm holds no test rating at all

N_NEEDLES = 3
NEEDLE_ROWS = 6  # consecutive ratings: no others look like these by chance


@dataclass(frozen=True)
class Hidden:
    """A table whose ratings are all different, and what to look for in a process."""

    table: Path
    needles: Path


@pytest.fixture
def hidden(tmp_path: Path) -> Hidden:
    """1,500 ratings with many digits; of the first of two folds what is sought.

    As the data set has them in a row, and as the parts of the fold do.
    """
    rng = np.random.default_rng(5)
    users, items = np.divmod(rng.choice(60 * 40, 1500, replace=False), 40)
    values = rng.uniform(1, 5, 1500).astype(np.float32)
    table = tmp_path / "hidden.csv"
    rows = zip(users.tolist(), items.tolist(), values.tolist(), strict=True)
    lines = [f"{user},{item},{value!r}" for user, item, value in rows]
    table.write_text("\n".join(["user_id,item_id,rating", *lines, ""]))

    data = datasets.load(f"table:{table}[scale=1:5]")
    train_rows, test_rows = divide(data, "kfold", 2, 0, 0)
    values = data.ratings.values
    whole = [rows for rows in windows(np.arange(1500)) if np.isin(rows, test_rows).any()]
    sought = {
        "training part": hexadecimal(values, windows(train_rows)),
        "test part": hexadecimal(values, windows(test_rows)),
        "whole": hexadecimal(values, whole),
    }
    needles = tmp_path / "needles.json"
    needles.write_text(json.dumps(sought))
    return Hidden(table, needles)


def windows(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows that follow each other."""
    return [rows[start : start + NEEDLE_ROWS] for start in range(0, len(rows) - NEEDLE_ROWS, 37)]


def hexadecimal(values: NDArray[np.float32], rows: list[NDArray[np.int64]]) -> list[str]:
    """The bytes of some ratings as they lie in a column."""
    return [values[some].tobytes().hex() for some in rows[:N_NEEDLES]]


def search_process(hidden: Hidden, out: Path, *, debug: bool) -> dict[str, dict[str, int]]:
    """How many of each kind a cheat finds in its own process, by phase."""
    out.mkdir()
    data = datasets.load(f"table:{hidden.table}[scale=1:5]")
    row = f"cheats-searcher[needles={hidden.needles},report={out / 'found'},only_fit={debug}]"
    cells = plan.plan_cells(data, parse_rows([row]), HOW)[:1]
    jobs = make_jobs(
        cells,
        Run(out),
        data,
        environment=ENVIRONMENT,
        evaluation="",
        limits=Limits(seconds=120, memory_mb=4000),
        plugins=["tests.plugins.cheats"],
    )
    with open_executor(1, debug=debug) as executor:
        [record] = executor.execute(jobs)
    assert record.status == "ok", record.reason
    assert record.environment.apart == (not debug), "records say so"
    phases = ["fit"] if debug else ["fit", "score_items", "score"]
    return {phase: json.loads((out / f"found-{phase}-memory").read_text()) for phase in phases}


def check_memory_is_clean(found: dict[str, dict[str, int]]) -> None:
    for phase, kinds in found.items():
        assert kinds["training part"] >= N_NEEDLES, f"{phase}: the search does not work"
        assert kinds["test part"] == kinds["whole"] == 0, f"{phase}: test ratings are in memory"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="searches /proc")
def test_no_test_rating_is_in_the_process_of_an_algorithm(hidden: Hidden, tmp_path: Path) -> None:
    out = tmp_path / "own process"
    check_memory_is_clean(search_process(hidden, out, debug=False))
    for phase in ("fit", "score_items", "score"):
        files = (out / f"found-{phase}-files").read_text()
        assert str(tmp_path / "hidden.csv") not in files
        assert str(cache_directory()) not in files
        frames = (out / f"found-{phase}-frames").read_text().split()
        assert not [name for name in frames if name.endswith((".test", ".fold", ".dataset"))]

    # In the process of the bench itself, where cells are debugged, it finds them
    with pytest.raises(AssertionError, match="test ratings are in memory"):
        check_memory_is_clean(search_process(hidden, tmp_path / "one process", debug=True))


# From noise nothing can be learned


def _losses(answers: dict[str, Any], test: Ratings, *, of_values: bool) -> NDArray[np.float64]:
    """What each user adds to the squared error, or to the precision at 10 with its sign turned."""
    if of_values:
        squares = (np.clip(answers["scores"], 1, 5) - test.values) ** 2
        return np.bincount(test.users, squares, N_USERS).astype(np.float64)
    lists = Lists(*(answers[name] for name in ("users", "top_items", "ranks", "auc")))
    return -find_hits(lists, test).n_hits(10) / 10


def check_no_skill(bench: Bench, shuffled: str, spec: str, baseline: str) -> None:
    """Trained on labels dealt out anew, no algorithm may beat the baseline by more than three
    standard errors.
    """
    train_rows, _ = divide(PLANTED, "kfold", 2, 0, 0)
    labels = np.random.default_rng(0).permutation(getattr(PLANTED.ratings, shuffled)[train_rows])
    noise = changed(train_rows, **{shuffled: labels})
    losses = []
    for row in (spec, baseline):
        record, answers = bench.measure(row, dataset=noise)
        assert record.status == "ok", record.reason
        losses.append(_losses(answers, parts(dataset=noise)[1], of_values=shuffled == "values"))
    gain = losses[1] - losses[0]
    assert gain.mean() <= 3 * gain.std() / np.sqrt(len(gain)), f"{spec} has learned from noise"


SKILLS = [
    ("values", "user-item-bias", "global-mean"),
    ("values", "numpy-sgd[n_epochs=20]", "global-mean"),
    ("values", "surprise-svd", "global-mean"),
    ("items", "ease", "popularity"),
    ("items", "als", "popularity"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("shuffled", "spec", "baseline"), SKILLS)
def test_nothing_is_learned_from_permuted_labels(
    bench: Bench, shuffled: str, spec: str, baseline: str
) -> None:
    check_no_skill(bench, shuffled, spec, baseline)


@pytest.mark.slow
@pytest.mark.parametrize(("shuffled", "spec", "baseline"), SKILLS)
def test_what_is_learned_in_spite_of_permuted_labels_is_a_leak(
    bench: Bench, monkeypatch: Patch, shuffled: str, spec: str, baseline: str
) -> None:
    fit_everything(monkeypatch)
    with pytest.raises(AssertionError, match="learned from noise"):
        check_no_skill(bench, shuffled, spec, baseline)
