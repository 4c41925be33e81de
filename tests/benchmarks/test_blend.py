"""Blends: lists by hand, weights that see no test answer, and what a run of tuned rows gives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench import datasets
from recbench.benchmarks.api import Settings, find_run, measure_plan, parse_limits
from recbench.benchmarks.behave import measure_behaviour, perturb_histories
from recbench.benchmarks.blend import Kind, blend, blend_lists, choose_weights, find_members
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.metrics import Evaluation, find_metric
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Run
from recbench.benchmarks.tuning import find_trials, read_blends
from recbench.benchmarks.tuning.blends import BLENDS_FILE
from recbench.datasets.foundation import UsageError
from recbench.reports.build import build
from recbench.reports.results import Results
from recbench.reports.sections.occasional.blends import blends as describe_blends

RATERS = ("als", "user-item-bias")
RANKERS = ("ease", "item-knn")


@pytest.fixture(scope="module")
def tuned(ratings_file: Path, own_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    name = f"table:{ratings_file}"
    request = Request(name, algorithms=RATERS + RANKERS, split="holdout", folds=2, tune="2")
    out = tmp_path_factory.mktemp("tuned") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        settings = Settings(find_run(name, out), parse_limits("60s", None, None), debug=True)
        measure_plan(check_request(request), settings, "a test")
    return Run(out)


@pytest.fixture(scope="module")
def of_new_users(
    ratings_file: Path, own_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A tuned run whose tested users are in no training part."""
    name = f"table:{ratings_file}"
    split = "new-users[share=.3,given=.7]"
    request = Request(name, algorithms=RATERS + RANKERS, split=split, tune="2")
    out = tmp_path_factory.mktemp("new-users") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        settings = Settings(find_run(name, out), parse_limits("60s", None, None), debug=True)
        measure_plan(check_request(request), settings, "a test")
    return Run(out)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(application(blend), [str(argument) for argument in arguments])


def test_lists_are_blended_by_weight_over_rank() -> None:
    first = np.array([[5, 2, 7], [1, -1, -1]], np.int32)
    second = np.array([[2, 9, -1], [4, 1, 3]], np.int32)
    # item 2: 1/2 + 2/1, item 9: 2/2, item 5: 1, item 7: 1/3; item 4: 2, item 1: 1 + 2/2, item 3
    expected = [[2, 5, 9, 7], [1, 4, 3, -1]]
    np.testing.assert_array_equal(blend_lists([first, second], np.array([1.0, 2.0])), expected)
    # who has no weight adds no item
    alone = blend_lists([first, second], np.array([1.0, 0.0]))
    np.testing.assert_array_equal(alone, [[5, 2, 7], [1, -1, -1]])


def test_blending_one_list_gives_it_back() -> None:
    rng = np.random.default_rng(3)
    lists = np.array([rng.permutation(50)[:20] for _ in range(6)], np.int32)
    np.testing.assert_array_equal(blend_lists([lists], np.array([0.3])), lists)
    # such as those of a run with --k 50
    deeper = np.array([rng.permutation(50) for _ in range(6)], np.int32)
    np.testing.assert_array_equal(blend_lists([deeper], np.array([0.3])), deeper)


@pytest.mark.slow
def test_weights_are_chosen_without_a_test_answer(
    tuned: Run, ratings_file: Path, tmp_path: Path
) -> None:
    data = datasets.load(f"table:{ratings_file}")
    copy = Run(tmp_path / "copy")
    shutil.copytree(tuned.directory, copy.directory)
    for path in (copy.directory / "records").glob("*.npz"):
        path.unlink()

    groups: list[tuple[tuple[str, ...], Kind]] = [(RATERS, "ratings"), (RANKERS, "lists")]
    for rows, kind in groups:
        for fold in range(2):
            weights = [
                choose_weights(run, find_members(run, rows), fold, data, kind, Evaluation())
                for run in (tuned, copy)
            ]
            whole, without = weights
            np.testing.assert_array_equal(whole, without)
            assert whole.min() >= 0
            assert whole.max() > 0

    # and it is the answers of trials that they come from
    spoiled = Run(tmp_path / "spoiled")
    shutil.copytree(tuned.directory, spoiled.directory)
    for member in find_members(tuned, RATERS):
        trials = find_trials(spoiled)
        record = member.trials[0]
        answers = trials.answers(record.cell)
        answers["scores"] = answers["scores"][::-1].copy()
        trials.write(record, answers)
    before = choose_weights(tuned, find_members(tuned, RATERS), 0, data, "ratings", Evaluation())
    after = choose_weights(spoiled, find_members(spoiled, RATERS), 0, data, "ratings", Evaluation())
    assert not np.allclose(before, after)


@pytest.mark.slow
def test_a_run_is_blended_by_kind(tuned: Run, tmp_path: Path) -> None:
    result = call(tuned.directory, "--json", tmp_path / "blends.json")
    assert result.exit_code == 0, result.output
    ratings, lists = json.loads((tmp_path / "blends.json").read_text())
    assert ratings["row"] == "blend[als+user-item-bias]"
    assert lists["row"] == "blend[ease+item-knn]"
    assert ratings["column"] == "rmse" and lists["column"] == "ndcg@10"
    for each in (ratings, lists):
        assert len(each["weights"]) == 2
        assert each["best_member"] in each["weights"][0]
        assert each["difference"][0] == pytest.approx(each["value"] - each["best_value"])
        low, high = each["interval"]
        assert low <= each["value"] <= high
    for weights in lists["weights"]:
        assert sum(weights.values()) == pytest.approx(1)

    # a member's value is that of the run's own records
    records = [each for each in tuned.records() if each.cell.row == "als (tuned)"]
    means = np.mean([record.metrics["rmse"] or 0 for record in records])
    others = [each for each in tuned.records() if each.cell.row == "user-item-bias (tuned)"]
    best = min(means, np.mean([record.metrics["rmse"] or 0 for record in others]))
    assert ratings["best_value"] == pytest.approx(best, abs=1e-6)

    printed = call(tuned.directory)
    assert printed.exit_code == 0
    assert "its best member on the test parts" in printed.output


@pytest.mark.slow
def test_what_cannot_be_blended_is_refused(tuned: Run, ratings_file: Path, tmp_path: Path) -> None:
    one_of_each = call(tuned.directory, "--row", "als", "--row", "ease")
    assert one_of_each.exit_code == 2
    assert "two tuned rows that both predict ratings" in " ".join(one_of_each.output.split())

    unknown = call(tuned.directory, "--row", "svd")
    assert unknown.exit_code == 2
    assert "there are: als" in " ".join(unknown.output.split())

    name = f"table:{ratings_file}"
    settings = Settings(find_run(name, tmp_path), parse_limits("60s", None, None), debug=True)
    plan = check_request(Request(name, algorithms=("item-mean",), folds=2))
    measure_plan(plan, settings, "a test")
    untuned = call(tmp_path)
    assert untuned.exit_code == 2
    assert "run again with --tune 20" in " ".join(untuned.output.split())


@pytest.mark.parametrize("split", ["holdout", "new-users"])
def test_a_report_has_the_blends_as_rows_until_its_records_change(
    request: pytest.FixtureRequest, tmp_path: Path, split: str
) -> None:
    run: Run = request.getfixturevalue("tuned" if split == "holdout" else "of_new_users")
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.directory, copy.directory)
    (copy.directory / BLENDS_FILE).unlink(missing_ok=True)
    assert describe_blends(Results.read(copy.directory)) is None

    result = call(copy.directory)
    assert result.exit_code == 0, result.output
    assert f"kept as {copy.directory / BLENDS_FILE}" in result.output.replace("\n", "")
    ratings, lists = read_blends(copy.directory)
    # a member is worth what the run's own record says
    for blended, column in ((ratings, "rmse"), (lists, "ndcg@10")):
        of_member = [
            record.metrics[column] or 0.0
            for record in copy.records()
            if record.cell.row == f"{blended.best_member} (tuned)"
        ]
        assert blended.best_value == pytest.approx(np.mean(of_member), abs=1e-6)

    build(copy.directory, out=tmp_path / "out", sections=["blends"])
    report = (tmp_path / "out" / "report.md").read_text().replace("\\", "")
    for blended in (ratings, lists):
        (line,) = [line for line in report.splitlines() if line.startswith(f"| {blended.row} |")]
        assert f"| {blended.value:.4f}<br>" in line
        assert f"| {blended.best_value:.4f}<br>{blended.best_member} |" in line
        _, low, high = blended.difference
        losses = [find_metric(blended.column).loss(end) for end in (low, high)]
        assert blended.beats_best == (max(losses) < 0)
    assert "fitted to the answers of the best trials on the validation part" in report

    # other records than those that were blended
    file = json.loads((copy.directory / BLENDS_FILE).read_text())
    file["blends"][0]["answers"][0] = "0" * 64
    (copy.directory / BLENDS_FILE).write_text(json.dumps(file))
    build(copy.directory, out=tmp_path / "stale", sections=["blends"])
    stale = (tmp_path / "stale" / "report.md").read_text().replace("\\", "")
    assert "There are blends of other records" in stale
    assert ratings.row not in stale and lists.row in stale


def test_a_damaged_file_of_blends_is_named(tmp_path: Path) -> None:
    (tmp_path / BLENDS_FILE).write_text("{}")
    with pytest.raises(UsageError, match=r"blends\.json cannot be read.*blend again"):
        read_blends(tmp_path)


def test_the_behaviour_of_tuned_rows_to_new_users_is_described(
    of_new_users: Run, ratings_file: Path
) -> None:
    """Who is perturbed are the new users, by what is told of them."""
    data = datasets.load(f"table:{ratings_file}")
    (record,) = [one for one in of_new_users.records() if one.cell.row == "ease (tuned)"]
    changes = perturb_histories(record, data)
    assert record.fold is not None and len(changes) <= (record.fold.cold_users or 0)
    assert 0 < changes.mean() < 1

    described = measure_behaviour(of_new_users, data)
    rows = {behaviour.row for behaviour in described}
    assert {"ease (tuned)", "als (tuned)", "ease"} <= rows
    assert {behaviour.n_users for behaviour in described if behaviour.measure == "gini"} <= set(
        range(1, 1 + (record.fold.cold_users or 0))
    )
