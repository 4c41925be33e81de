"""Rows of a run, and algorithms without one, become models that say what they are."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recbench
from recbench.benchmarks.models import (
    MeasuredRun,
    measure_training_precision,
    read_description,
)
from recbench.benchmarks.records.facts import BlindSpot
from recbench.datasets import UsageError
from recbench.reports.results import Results
from tests.adapters.test_lightfm import in_the_library
from tests.benchmarks.models.boards import train_on_board
from tests.benchmarks.models.conftest import Shop


@pytest.mark.slow
def test_a_row_of_a_run_says_what_it_was_worth_there(shop: Shop) -> None:
    described = read_description(shop.model("pure-svd[n_factors=2]"))
    assert described.parameters["n_factors"] == 2
    assert described.training.seed == 0
    assert described.measured is not None

    results = Results.read(shop.run)
    row = next(row for row in results.rows if row.name == "pure-svd[n_factors=2]")
    number = described.measured.columns["ndcg@10"]
    assert number.value == row.mean("ndcg@10")
    assert (number.low, number.high) == results.certainty["ndcg@10"].interval(row)
    assert "rmse" not in described.measured.columns, "it ranks only"
    for word in ("pure-svd", "1,500 ratings", "Licence", "95 % interval", "n_factors=2"):
        assert word in described.card


def test_the_best_row_is_that_of_the_report_with_those_as_good_and_the_cheapest(
    shop: Shop, tmp_path: Path
) -> None:
    result = shop.train(shop.run, "--best", "rmse", "--out", tmp_path / "model")
    assert result.exit_code == 0, result.output
    measured = read_description(tmp_path / "model").measured
    assert measured is not None

    results = Results.read(shop.run)
    best = results.best("rmse")[0]
    near = [row.name for row in results.near("rmse")]
    assert measured.row == best.name
    assert sorted(measured.not_different) == sorted(near)
    times = {name: MeasuredRun.read(shop.run).measure(name).seconds for name in (best.name, *near)}
    assert measured.cheapest == min(times, key=lambda name: times[name] or 0)
    assert "best row of the run in rmse" in result.output


def test_where_the_data_name_no_best_row_the_refusal_says_what_to_type(
    shop: Shop, tmp_path: Path
) -> None:
    measured = MeasuredRun.read(shop.run)
    spot = BlindSpot(kind="too few users", sentence="Only 3.", hides=["rmse"])
    blind = replace(measured, about=measured.about.replaced(blind_spots=[spot]))
    out = tmp_path / "my model"
    with pytest.raises(UsageError, match=r"no best row \(too few users\); to train") as error:
        blind.choose("rmse", ["--out", str(out)])
    assert blind.choose("ndcg@10").row in blind.rows

    # what it says can be typed as it stands
    command, _, others = str(error.value).partition("benchmarks.train ")[2].partition(" (or ")
    result = shop.train(*shlex.split(command))
    assert result.exit_code == 0, result.output
    assert read_description(out).row in measured.rows
    assert "'pure-svd[n_factors=2]'" in others


def test_the_parameters_and_the_seed_are_those_of_the_row_and_all_ratings_are_learned(
    shop: Shop,
) -> None:
    model = recbench.load_model(shop.model("item-mean"))
    frame = np.genfromtxt(shop.table, delimiter=",", skip_header=1)
    assert model.rated.nnz == len(frame) == 1500
    for item in ("7", "31"):
        of_item = frame[frame[:, 1] == int(item), 2]
        predicted = model.predict("1003", item)
        assert predicted[0] == pytest.approx(of_item.mean(), abs=1e-5)


def test_without_a_run_the_data_and_the_algorithm_are_named(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = shop.train(
        "--dataset", shop.dataset, "--algorithm", "als[n_epochs=3]", "--trace", "--out", out
    )
    assert result.exit_code == 0, result.output
    described = read_description(out)
    assert described.measured is None
    assert described.parameters["n_epochs"] == 3
    assert "given: n_epochs" in described.parameters_from
    assert "epoch 3: train_rmse" in result.output
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_python_has_the_same(shop: Shop, tmp_path: Path) -> None:
    by_command = recbench.load_model(shop.model("ease"))
    model = recbench.train(run=shop.run, row="ease")
    assert model.description.probe == by_command.description.probe
    saved = model.save(tmp_path / "model")
    assert saved.description.probe == model.description.probe
    assert recbench.train(shop.dataset, "ease").description.probe == model.description.probe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN"], "which row of"),
        (["RUN", "--row", "eas"], "Did you mean 'ease'?"),
        (["RUN", "--best", "rmsee"], "Did you mean 'rmse'?"),
        (["RUN", "--row", "ease", "--best", "rmse"], "give one of them"),
        (["RUN", "--row", "ease", "--parameters-of", "0"], "was not tuned"),
        (["RUN", "--dataset", "TABLE"], "not both"),
        (["RUN", "--algorithm", "ease"], "in a run a row is named with --row"),
        (["--dataset", "TABLE"], "which algorithm?"),
        (["--dataset", "TABLE", "--algorithm", "ease", "--row", "x"], "that is for a row of a run"),
        (["--dataset", "TABLE", "--algorithm", "eaze"], "Did you mean 'ease'?"),
        (["--dataset", "TABLE", "--algorithm", "item-mean", "--tune", "x"], "expected a number"),
        (["--dataset", "TABLE", "--algorithm", "random", "--tune", "3"], "nothing to tune"),
        (["--dataset", "TABLE", "--algorithm", "oracle"], "only simulated data know the truth"),
        (["/nowhere"], "holds no results"),
        ([], "what to train on?"),
    ],
)
def test_what_cannot_be_had_is_said_and_nothing_is_written(
    arguments: list[str], message: str, shop: Shop, tmp_path: Path
) -> None:
    names = {"RUN": str(shop.run), "TABLE": shop.dataset}
    typed = [names.get(argument, argument) for argument in arguments]
    result = shop.train(*typed, "--out", tmp_path / "model")
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_not_replaced_and_a_model_is(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    result = shop.train(shop.run, "--row", "ease", "--out", tmp_path)
    assert result.exit_code == 2
    assert "holds files and no model" in " ".join(result.output.split())

    out = tmp_path / "model"
    for row in ("popularity", "item-mean"):
        assert shop.train(shop.run, "--row", row, "--out", out).exit_code == 0
    assert read_description(out).row == "item-mean"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt", "model"]


def test_data_that_have_changed_since_the_run_are_refused(shop: Shop, tmp_path: Path) -> None:
    plan = json.loads((shop.run / "plan.json").read_text())
    plan["about"]["data"]["digest"] = "0" * 64
    for cell in plan["cells"]:
        cell["digest"] = "0" * 64
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UsageError, match="is not what it was when"):
        recbench.train(run=tmp_path, row="ease")


def test_a_shard_is_to_be_joined_first(shop: Shop, tmp_path: Path) -> None:
    plan = json.loads((shop.run / "plan.json").read_text())
    plan["about"]["shard"] = "1/2"
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UsageError, match=r"is the shard 1/2 of a run.*merge"):
        recbench.train(run=tmp_path, row="ease")


@pytest.mark.slow
def test_a_tuned_row_is_searched_again_on_all_ratings_or_takes_the_values_of_a_fold(
    shop: Shop, tmp_path: Path
) -> None:
    recbench.run(shop.dataset, ["item-mean"], folds=2, out=tmp_path / "run", tune=3)
    row = "item-mean (tuned)"
    model = recbench.train(run=tmp_path / "run", row=row)
    search = model.description.search
    assert search is not None
    assert len(search.trials) == 3
    assert (search.split, search.inner) == ("holdout", "")
    assert model.description.parameters == search.chosen
    assert "searched on all ratings: 3 trials by rmse" in model.description.parameters_from

    records = MeasuredRun.read(tmp_path / "run").find(row)
    of_fold = recbench.train(run=tmp_path / "run", row=row, parameters_of=1)
    assert of_fold.description.parameters == records[1].cell.parameters
    with pytest.raises(UsageError, match="has the folds 0, 1"):
        recbench.train(run=tmp_path / "run", row=row, parameters_of=2)


def test_precision_on_the_training_part_is_that_of_lightfm(shop: Shop, tmp_path: Path) -> None:
    """The fifth notebook's .9568: rated items are candidates, and every rating counts."""
    from lightfm.evaluation import precision_at_k

    model = train_on_board("lightfm-warp", {"positives": "raw-ratings"})
    theirs = precision_at_k(in_the_library(model.algorithm, 20), model.rated, k=7).mean()
    assert measure_training_precision(model, 7) == pytest.approx(float(theirs), abs=1e-6)

    out = tmp_path / "model"
    options = ("--row", "popularity", "--training-precision", 20)
    result = shop.train(shop.run, *options, "--out", out)
    assert result.exit_code == 0, result.output
    precision = measure_training_precision(recbench.load_model(out), 20)
    assert f"training precision@20 {precision:.4f}: " in result.output
