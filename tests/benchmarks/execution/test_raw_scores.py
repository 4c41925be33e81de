"""What the harness makes of scores in another unit, or far outside the scale."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.adapters.base import Floats, Indices, Recommender
from recbench.benchmarks import planning as plan
from recbench.benchmarks.evaluation import RawScores, suggest_remedy
from recbench.benchmarks.execution import Limits, describe_environment, make_jobs, open_executor
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import Record, Run
from recbench.datasets.ratings import Ratings

Measure = Callable[..., list[Record]]


@pytest.fixture
def measure(tmp_path: Path, ratings_file: Path) -> Measure:
    """Measures rows on fold 0 of the stars r of `ratings_file` as a r + b, in this process."""

    def measure(rows: Sequence[str], a: float = 1, b: float = 0) -> list[Record]:
        lines = list(csv.reader(ratings_file.open()))
        path = tmp_path / f"times-{a}-plus-{b}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(lines[0])
            for user, item, stars, time in lines[1:]:
                table.writerow([user, item, a * float(stars) + b, time])

        data = datasets.load(f"table:{path}[scale={a + b}:{5 * a + b}]")
        cells = plan.plan_cells(
            data, plan.parse_rows(rows), plan.Design("kfold", 2, 0, Evaluation())
        )
        jobs = make_jobs(
            [cell for cell in cells if cell.fold == 0],
            Run(tmp_path / path.stem),
            data,
            environment=describe_environment(threads=1, cells_at_once=1),
            evaluation="",
            limits=Limits(seconds=None, memory_mb=4000),
            plugins=[],
        )
        with open_executor(threads=1, debug=True) as executor:
            return list(executor.execute(jobs))

    return measure


@dataclass(eq=False)
class Shifted(Recommender):
    """Answers what it is told to, whatever it was given."""

    name = "shifted"
    family = "baseline"
    predicts = "ratings"
    answer: float = 3.0

    def fit(self, data: Ratings, seed: int) -> None:
        self.given_ = data.scale

    def score(self, users: Indices, items: Indices) -> Floats:
        signs = np.where((users + items) % 2 == 0, 1, -1)
        return (signs * self.answer).astype(np.float32)


@pytest.mark.slow
def test_stars_times_twenty_give_the_same_errors_times_twenty(measure: Measure) -> None:
    """Hyperparameters act in rating points, so als and numba-sgd fell behind a constant."""
    rows = ["global-mean", "als", "numba-sgd[n_factors=10]", "surprise-svd", "surprise-slope-one"]
    stars = measure(rows)
    points = measure(rows, a=20)
    around_zero = measure(rows, a=5, b=-15)
    for row, in_stars, times_twenty, shifted in zip(rows, stars, points, around_zero, strict=True):
        for column in ("rmse", "mae"):
            expected = in_stars.metrics[column]
            assert expected is not None
            assert times_twenty.metrics[column] == pytest.approx(20 * expected, rel=1e-5), row
            assert shifted.metrics[column] == pytest.approx(5 * expected, rel=1e-4), row
        assert times_twenty.metrics["ndcg@10"] == pytest.approx(in_stars.metrics["ndcg@10"])
        assert in_stars.units == "data", row
        if in_stars.trace:
            expected = in_stars.trace[-1]["train_rmse"]
            assert times_twenty.trace[-1]["train_rmse"] == pytest.approx(20 * (expected or 0))
        assert times_twenty.units == ("data" if row == "global-mean" else "scale"), row
        assert times_twenty.fold and times_twenty.fold.threshold == 80, "relevance is the data's"


@pytest.mark.slow
def test_a_plugin_keeps_its_data(measure: Measure) -> None:
    (record,) = measure(["shifted[answer=60]"], a=20)
    assert record.units == "data"
    assert record.raw_scores and record.raw_scores.highest == 60


@pytest.mark.parametrize("answer", [1e30, 40.0])
@pytest.mark.slow
def test_finite_nonsense_has_diverged(measure: Measure, answer: float) -> None:
    """Clipped, plus and minus 1e30 had a RMSE of 2.68 and the status ok."""
    (record,) = measure([f"shifted[answer={answer}]"])
    assert record.status == "diverged"
    reason = record.reason or ""
    assert "on a scale from 1 to 5, 100% of them outside" in reason
    assert "see with --debug what it answers" in reason
    assert record.raw_scores and record.raw_scores.highest == pytest.approx(answer)


@pytest.mark.slow
def test_a_record_keeps_the_range_and_the_clipped_share(measure: Measure) -> None:
    (record,) = measure(["shifted[answer=3.5]"])
    assert record.status == "ok"
    raw = record.raw_scores
    assert raw and (raw.lowest, raw.highest) == (-3.5, 3.5)
    assert raw.clipped and raw.clipped == pytest.approx(0.5, abs=0.1)
    assert raw.excess == pytest.approx(4.5 / 4 * raw.clipped**0.5)
    assert Record.from_json(record.to_json()) == record


def test_an_algorithm_that_only_ranks_has_a_range_and_no_scale(measure: Measure) -> None:
    (record,) = measure(["popularity"])
    raw = record.raw_scores
    assert raw and raw.highest and raw.highest > 5
    assert raw.clipped is None and not raw.are_no_ratings


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        ("numba-sgd[learning_rate=5]", "lower learning_rate (5) or raise regularisation (0.02)"),
        ("surprise-svd[lr_all=1]", "lower lr_all (1) or raise reg_all (0.02)"),
    ],
)
def test_a_divergence_names_what_to_lower(measure: Measure, row: str, remedy: str) -> None:
    (record,) = measure([row])
    assert record.status == "diverged"
    assert (record.reason or "").endswith(remedy)


def test_without_a_hyperparameter_to_turn_one_looks_at_the_answers() -> None:
    assert "--debug" in suggest_remedy({"k": 40, "biased": True})
    assert suggest_remedy({"learning_rate": 0.1}) == "lower learning_rate (0.1)"
    assert suggest_remedy({"reg_pu": 0.06, "lr_bu": 0.005}) == "raise reg_pu (0.06)"


def test_the_constant_stands_beside_the_scores(measure: Measure) -> None:
    constant, other = measure(["global-mean", "item-mean"])
    assert constant.raw_scores and other.raw_scores
    assert constant.raw_scores.constant_rmse == pytest.approx(constant.metrics["rmse"])
    assert other.raw_scores.constant_rmse == constant.raw_scores.constant_rmse


def test_a_record_of_before_has_none(measure: Measure) -> None:
    (record,) = measure(["item-mean"])
    early = replace(record, units=None, raw_scores=None)
    assert Record.from_json(early.to_json()) == early
    assert not RawScores().are_no_ratings
