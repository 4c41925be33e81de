"""For whom the numbers hold: groups that add up, against a slow reference, and what the report says
of them.
"""

import json
import math
import re
import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbench.adapters import create
from recbench.adapters.base import Recommender
from recbench.benchmarks.evaluation.cell_metrics import compute_metrics
from recbench.benchmarks.evaluation.questions import Answers, collect_answers
from recbench.benchmarks.evaluation.slices import (
    ITEMS,
    USERS,
    Slice,
    compute_slices,
    group_by_thirds,
)
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.metrics.registry import METRICS
from recbench.benchmarks.records.record import Record, Run
from recbench.datasets.ratings import Catalogue, Ratings
from recbench.reports.build import build
from recbench.reports.results import Results
from tests.adapters.planted import EMPTY, direct, taste
from tests.conftest import RunBench
from tests.reports.invented_runs import failed, normal, write
from tests.reports.pages import page
from tests.reports.test_reports import plain

K = 10


def divided(ratings: Ratings, seed: int = 0) -> tuple[Ratings, Ratings]:
    """A random half each, with some users and items in the test part only."""
    is_test = np.random.default_rng(seed).random(len(ratings)) < 0.5
    is_test |= (ratings.users < 3) | (ratings.items == 1)
    return ratings.take(np.flatnonzero(~is_test)), ratings.take(np.flatnonzero(is_test))


def answered(
    algorithm: Recommender, train: Ratings, test: Ratings
) -> tuple[Answers, list[dict[str, Any]]]:
    algorithm.prepare(train)
    algorithm.fit(algorithm.convert(train, EMPTY), 0)
    answers = collect_answers(algorithm, train, test, Evaluation((K, 5)), 0, direct)
    about = Catalogue(("film",) * train.n_items, (None,) * train.n_items, ((),) * train.n_items)
    rates = algorithm.predicts == "ratings"
    scored = compute_metrics(
        answers, train, test, about, Evaluation((K, 5)), predicts_ratings=rates
    )
    slices = compute_slices(answers, scored, train, test, K, predicts_ratings=rates)
    return answers, [entry.to_json() for entry in slices]


def slow(answers: Answers, train: Ratings, test: Ratings, entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry should say, one rating after the other, given the borders it states."""
    side = entry["kind"]
    counts = Counter(getattr(train, side).tolist())
    lowest = entry["lowest"]
    highest = entry["highest"]
    size = train.n_users if side == "users" else train.n_items
    mine = {
        index for index in range(size) if lowest is not None and lowest <= counts[index] <= highest
    }
    errors = []
    n_fallback = 0
    for row, index in enumerate(getattr(test, side).tolist()):
        if index in mine:
            given_ = float(test.values[row])
            said = float(answers.scores[row])
            n_fallback += math.isnan(said)
            said = train.mean if math.isnan(said) else said
            errors.append(min(max(said, 1.0), 5.0) - given_)
    found: dict[str, Any] = {"size": len(mine), "n_test": len(errors)}
    found["fallback"] = n_fallback / len(errors) if errors else None
    found["rmse"] = math.sqrt(statistics.fmean(e * e for e in errors)) if errors else None
    found["mae"] = statistics.fmean(map(abs, errors)) if errors else None
    lists = answers.lists["standard"]
    tops = {
        int(u): [int(i) for i in top[:K] if i >= 0]
        for u, top in zip(lists.users, lists.top_items, strict=True)
    }
    if side == "items":
        shown = [item for top in tops.values() for item in top]
        return found | {"recommended": sum(item in mine for item in shown) / len(shown)}
    rows = zip(test.users.tolist(), test.items.tolist(), test.values.tolist(), strict=True)
    liked = {(user, item) for user, item, value in rows if value >= 4}
    precisions = []
    gains = []
    for user in mine & set(tops):
        hits = [(user, item) in liked for item in tops[user]]
        n_liked = sum(pair[0] == user for pair in liked)
        precisions.append(sum(hits) / K)
        ideal = sum(1 / math.log2(2 + place) for place in range(min(K, n_liked)))
        gains.append(sum(1 / math.log2(2 + place) for place, hit in enumerate(hits) if hit) / ideal)
    means = [statistics.fmean(values) if values else None for values in (precisions, gains)]
    return found | {"n_lists": len(gains), "precision@10": means[0], "ndcg@10": means[1]}


@pytest.mark.parametrize("name", ["user-item-bias", "random", "surprise-knn-basic"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_entry_equals_a_slow_reference(name: str, seed: int) -> None:
    train, test = divided(taste(), seed)
    answers, found = answered(create(name), train, test)
    assert [(e["kind"], e["group"]) for e in found] == [("users", g) for g in USERS] + [
        ("items", g) for g in ITEMS
    ]
    for entry in found:
        expected = slow(answers, train, test, entry)
        assert set(entry) == {"kind", "group", "lowest", "highest", *expected}
        for column, value in expected.items():
            assert entry[column] == (value if value is None else pytest.approx(value, rel=1e-9)), (
                entry,
                column,
            )
    for kind, size in (("users", train.n_users), ("items", train.n_items)):
        mine = [entry for entry in found if entry["kind"] == kind]
        assert sum(entry["size"] for entry in mine) == size
        assert sum(entry["n_test"] for entry in mine) == len(test)
        assert mine[0]["lowest"] == mine[0]["highest"] == 0, "there are cold ones in this test"
    n_lists = sum(entry["n_lists"] for entry in found if entry["kind"] == "users")
    assert n_lists == len(answers.lists["standard"].users)
    json.dumps(found, allow_nan=False)


class Mute(Recommender):
    """Has no opinion at all; its class has no name, so that no list of algorithms shows it."""

    family = "tests"
    predicts = "ratings"
    abstains = True

    def __init__(self) -> None:
        self.__dict__["name"] = "mute"

    def fit(self, data: Ratings, seed: int) -> None:
        pass

    def score(self, users: Any, items: Any) -> Any:
        return np.full(len(users), np.nan, np.float32)


def test_who_never_has_an_opinion_falls_back_everywhere_and_who_only_ranks_has_no_errors() -> None:
    train, test = divided(taste())
    for entry in answered(Mute(), train, test)[1]:
        assert entry["fallback"] == (1.0 if entry["n_test"] else None)
    for entry in answered(create("popularity"), train, test)[1]:
        assert entry["rmse"] is None and entry["mae"] is None
        assert entry["fallback"] == (0.0 if entry["n_test"] else None)
    cold, tail, middle, head = (
        e["recommended"] for e in answered(create("popularity"), train, test)[1][4:]
    )
    assert cold + tail < middle + head and cold + tail + middle + head == pytest.approx(1)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
@settings(max_examples=200)
def test_groups_are_ordered_and_as_equal_as_equal_counts_allow(counts: list[int]) -> None:
    array = np.array(counts)
    for weights in (array > 0, array):
        groups = group_by_thirds(array, weights)
        assert np.array_equal(groups == 0, array == 0)
        for group in (1, 2):
            below = array[(groups <= group) & (array > 0)]
            above = array[groups > group]
            assert not len(below) or not len(above) or below.max() < above.min()
        total = weights.sum()
        heaviest = max((weights[array == count].sum() for count in set(counts)), default=0)
        for group in (1, 2):
            reached = weights[(groups <= group) & (array > 0)].sum()
            assert abs(reached - total * group / 3) <= max(heaviest, total / 3)


def test_thirds_of_users_and_of_ratings() -> None:
    counts = np.array([0, 1, 2, 3, 4, 5, 6, 0])
    assert group_by_thirds(counts, counts > 0).tolist() == [0, 1, 1, 2, 2, 3, 3, 0]
    counts = np.array([1, 1, 1, 1, 4, 4, 0])
    assert group_by_thirds(counts, counts).tolist() == [1, 1, 1, 1, 3, 3, 0], (
        "equal counts stay together"
    )
    assert group_by_thirds(np.zeros(3, int), np.zeros(3)).tolist() == [0, 0, 0]


def test_a_run_keeps_them_and_its_report_says_what_they_say(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    rows = ["user-item-bias", "user-mean", "popularity", "faulty-abstains"]
    chosen = [part for row in rows for part in ("--algorithm", row)]
    arguments = ["--folds", 2, "--plugin", "faulty", "--debug", "--no-report", "--out", tmp_path]
    run_bench("--dataset", f"table:{ratings_file}", *chosen, *arguments, check=0)
    records = Run(tmp_path).records()
    for record in records:
        assert Record.from_json(record.to_json()) == record
        older = json.loads(record.to_json())
        del older["slices"]
        assert Record.from_json(json.dumps(older)).slices == []
        for kind in ("users", "items"):
            assert (
                record.fold is not None
                and sum(e.n_test for e in record.slices if e.kind == kind) == record.fold.test
            )
    report = build(tmp_path, sections=["slices"])
    text = plain(report.with_suffix(".md").read_text())
    part = text.partition("## For whom?")[2].partition("\n## ")[0]

    def mean(row: str, group: str, column: str) -> float:
        mine = [record for record in records if record.cell.row == row]
        entries = [entry for r in mine for entry in r.slices if entry.group == group]
        return statistics.fmean(entry.value(column) or 0.0 for entry in entries)

    assert f"{mean('user-item-bias', 'least active', 'rmse'):.4f}" in part
    assert f"{mean('popularity', 'most active', 'ndcg@10'):.4f}" in part
    assert f"in the lists of popularity ({mean('popularity', 'head', 'recommended'):.1%})" in part
    assert f"{mean('faulty-abstains', 'head', 'fallback'):.1%} fallback" in part
    raters = [row for row in rows if row != "popularity"]
    best = min(raters, key=lambda row: mean(row, "least active", "rmse"))
    said = re.search(
        r"Lowest mean RMSE for the least active users \([^)]*\): (\S+) \((\S+)\)", part
    )
    assert said and said.groups() == (best, f"{mean(best, 'least active', 'rmse'):.4f}")
    assert "For whom?" in report.read_text()


def sliced(record: Record, level: float) -> Record:
    """`record` with the same groups in every row; no cold items were tested in fold 2."""
    if record.status != "ok":
        return record
    common = {"fallback": 0.0, "mae": 0.7, "lowest": 1, "highest": 9, "size": 100, "n_test": 5000}
    only = {"rmse": None, "mae": None} if record.metrics["rmse"] is None else {"rmse": level}
    entries: list[dict[str, Any]] = []
    for kind, names in (("users", USERS), ("items", ITEMS)):
        more = (
            {"n_lists": 90, "precision@10": 0.2, "ndcg@10": 0.25}
            if kind == "users"
            else {"recommended": 0.25}
        )
        entries += [{"kind": kind, "group": name} | common | more | only for name in names]
    entries[0] |= {"size": 0, "n_test": 0, "rmse": None, "lowest": None, "highest": None}
    entries[4] |= {"lowest": 0, "highest": 0} | (
        {"n_test": 0, "rmse": None} if record.cell.fold == 2 else {}
    )
    return replace(record, slices=[Slice(**entry) for entry in entries])


@pytest.mark.slow
def test_nothing_is_averaged_over_some_folds_and_old_records_have_no_section(
    tmp_path: Path,
) -> None:
    records = [sliced(record, 0.9 + record.cell.fold / 100) for record in normal()]
    records[0] = failed(records[0].cell, "timeout", "too slow")
    text = plain(page(write(tmp_path / "a", records), "md"))
    part = text.partition("## For whom?")[2].partition("\n## ")[0]
    first, _, of_items, _ = re.findall(r"(?:^\|.*\n)+", part, re.M)
    head, _, *lines = of_items.splitlines()
    cells = {
        line.split(" | ")[0].removeprefix("| "): line.removesuffix(" |").split(" | ")[1:]
        for line in lines
    }
    assert cells["random"] == ["– (no mean: timeout in 1 of 5 folds)", "–", "–", "–"]
    assert cells["surprise-svd"] == ["–", "0.9200", "0.9200", "0.9200"], (
        "fold 2 has no cold test rating"
    )
    assert "no training rating<br>on average 100 items, 4,000 test ratings a fold" in head
    assert "cold" not in first, "an empty group is no column"
    text = plain(page(write(tmp_path / "b", normal()), "md"))
    assert "For whom?" not in text


@pytest.mark.slow
def test_metrics_that_no_column_shows_are_defined_below_the_tables(tmp_path: Path) -> None:
    directory = write(tmp_path, [sliced(record, 0.9) for record in normal()])
    results = Results.read(directory)
    part = f"nDCG@10: {METRICS['ndcg'].definition}"
    for columns, wanted in (
        (["rmse", "ndcg@10"], 0),
        (["rmse", "precision@10"], 0),
        (["lightfm:precision@1"], 1),
    ):
        cells = [record.cell for record in results.records]
        results.run.write_plan(cells, results.about.replaced(metrics=columns))
        text = plain(build(directory, sections=["slices"]).with_suffix(".md").read_text())
        assert text.count(part) == wanted, columns
        assert text.count(f"RMSE: {METRICS['rmse'].definition}") == wanted, columns
