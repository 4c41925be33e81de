"""What cells will take before they run: the arithmetic, what ships, and who is skipped.

How well it tells what was measured is `tests/proof/test_estimates.py`.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from typer.testing import CliRunner

from recbench import datasets
from recbench.adapters import create
from recbench.benchmarks import planning as plan
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.execution import Limits, make_jobs, subject
from recbench.benchmarks.execution.watch import Budget
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.models import latency
from recbench.benchmarks.models import serving as serving_of_rows
from recbench.benchmarks.planning import cost_model
from recbench.benchmarks.planning.cost_model import (
    FITS,
    FITTED_AGAIN_BELOW_SECONDS,
    AlgorithmCosts,
    BenchCosts,
    CostModel,
    Likely,
    Size,
    Term,
    read_cost_model,
)
from recbench.benchmarks.planning.estimate import Estimator, add_likely, size_of_division
from recbench.benchmarks.records import (
    Cell,
    CellCost,
    DataDescription,
    Environment,
    FoldFacts,
    PhaseCost,
    Record,
    Run,
)
from recbench.benchmarks.run import run
from recbench.benchmarks.splits import grown_specs
from recbench.datasets import Dataset
from tests.conftest import RunBench

# The twin of netflix-filtered with all users, one holdout of a fifth: processor seconds of whole
# cells on the processor of the calibration (29 November 2026)
FULL_SIZE = Size(ratings=3_385_702, users=21_141, items=486, tested=846_426)
CELLS_THERE = {
    "user-item-bias": 2.2,
    "item-knn": 5.7,
    "sar": 3.6,
    "cosine-user": 10.2,
    "ease": 2.5,
    "pure-svd": 2.4,
    "als": 8.7,
    "implicit-als": 7.9,
    "bpr": 22.8,
    "implicit-bpr": 24.7,
    "myfm-mf": 176.6,
}
MINUTES_THERE = ("surprise-knn-basic", "surprise-svdpp", "keras-recommender-net")


def costs(fit: list[Term], factor: float = 1.5) -> AlgorithmCosts:
    return AlgorithmCosts(
        warm_up_seconds=0.5,
        fit=fit,
        rank=[Term(coefficient=1e-6, powers={"asked": 1, "items": 1})],
        rate=[],
        peak_mb=[Term(coefficient=100.0), Term(coefficient=1e-3, powers={"ratings": 1})],
        seconds_factor=factor,
        memory_factor=1.25,
    )


@pytest.fixture
def model() -> CostModel:
    """Item-mean as if it were expensive: a second for each of its training ratings and dampings."""
    term = Term(coefficient=1.0, powers={"ratings": 1, "damping": 1})
    return CostModel(
        origin=read_cost_model().origin.model_copy(update={"largest": {"ratings": 10_000.0}}),
        bench=BenchCosts(
            serving_seconds=1.0, cell=[Term(coefficient=0.25)], start_seconds=6.0, report=[]
        ),
        algorithms={"item-mean": costs([term])},
    )


def test_a_cell_is_the_sum_of_its_terms(model: CostModel) -> None:
    size = Size(ratings=1000, users=50, items=20, tested=100)
    found = model.estimate_cell("item-mean", {"damping": 2.0}, size)
    assert found is not None
    assert found.seconds.value == pytest.approx(2000 + 50 * 20 * 1e-6 + 0.25 + 0.5)
    assert found.peak_mb == Likely(101.0, 1.25)
    assert found.seconds.factor == 1.5

    fast = model.estimate_cell("item-mean", {"damping": 2.0}, size, speed=2.0)
    assert fast is not None and fast.seconds.value == pytest.approx(found.seconds.value / 2)
    assert model.estimate_cell("of a plug-in", {}, size) is None


def test_short_fits_count_as_often_as_they_are_repeated(model: CostModel) -> None:
    assert (FITS, FITTED_AGAIN_BELOW_SECONDS) == (subject.REPEATS, subject.REPEAT_BELOW_SECONDS)
    size = Size(ratings=1, users=1, items=0, tested=1)
    found = model.estimate_cell("item-mean", {"damping": 0.1}, size)
    assert found is not None
    assert found.seconds.value == pytest.approx(3 * 0.1 + 0.25 + 0.5)


def test_beyond_what_was_measured_an_estimate_is_less_certain(model: CostModel) -> None:
    size = Size(ratings=1_000_000, users=50, items=20, tested=100)  # two decades beyond
    found = model.estimate_cell("item-mean", {}, size)
    assert found is not None
    assert found.seconds.factor == pytest.approx(1.5 * 1.5**2)
    assert found.peak_mb.factor == pytest.approx(1.25 * 3**2)


def test_errors_of_a_row_add_up_and_those_of_rows_partly_cancel() -> None:
    parts = [Likely(10.0, 2.0)] * 4
    assert add_likely(parts, share_error=True) == Likely(40.0, 2.0)
    whole = add_likely(parts)
    assert whole.value == 40.0 and 1.5 < whole.factor < 2.0
    assert add_likely([]) == Likely(0.0, 1.0)


def test_the_calibration_that_ships_knows_every_row_and_says_where_it_comes_from() -> None:
    model = read_cost_model()
    rows = {row.algorithm for row in plan.read_suite("standard").rows}
    assert rows <= model.algorithms.keys()
    assert model.origin.cpu and model.origin.commit and len(model.origin.data) >= 4
    assert model.origin.kernel_seconds > 0
    for name, each in model.algorithms.items():
        assert each.seconds_factor >= 1 and each.memory_factor >= 1, name
        assert all(term.coefficient > 0 for term in each.fit + each.rank + each.rate), name


def test_full_size_is_told_from_less() -> None:
    """Of most rows this is three times the ratings that were calibrated, and eleven times the pairs
    of users; the caches of the processor, which is that of the calibration, hold less of it.
    """
    model = read_cost_model()

    def estimate(name: str) -> float:
        found = model.estimate_cell(name, plan.hyperparameters_of(create(name)), FULL_SIZE)
        assert found is not None
        return found.seconds.value

    for name, seconds in CELLS_THERE.items():
        assert seconds / 3 < estimate(name) < 3 * seconds, name
    for name in MINUTES_THERE:
        assert estimate(name) > 180, name


@pytest.fixture
def data(ratings_file: Path) -> Dataset:
    return datasets.load(f"table:{ratings_file}")


def cells_of(data: Dataset, *rows: str) -> list[Cell]:
    design = plan.Design("kfold", 2, 0, Evaluation())
    return plan.plan_cells(data, plan.parse_rows(list(rows)), design)


def test_what_would_exceed_a_limit_four_times_of_five_is_refused(
    data: Dataset, model: CostModel
) -> None:
    """750 training ratings: 750 s, nine times of ten at least 500 or at most 1,125."""
    (cell, _) = cells_of(data, "item-mean[damping=1]")
    estimator = Estimator(data, 1.0, model)
    assert estimator.explain_refusal(cell, 620, 4000) is None  # expected to exceed it, not sure to
    assert estimator.explain_refusal(cell, None, 4000) is None
    assert estimator.explain_refusal(cell, 620, 95) is None

    too_slow = estimator.explain_refusal(cell, 600, 4000)
    assert too_slow is not None
    assert "about 751 s (501 to 1,130), and 600 s are allowed" in too_slow
    assert "--time-limit" in too_slow and "--no-skip" in too_slow
    too_large = estimator.explain_refusal(cell, 620, 85)
    assert too_large is not None and "about 101 MB (81 to 126), and 85 MB" in too_large


def test_four_of_five_draws_are_above_what_is_exceeded() -> None:
    likely = Likely(100.0, 2.0)
    logarithms = np.random.default_rng(0).normal(np.log(100), np.log(2) / 1.645, 100_000)
    border = np.quantile(np.exp(logarithms), 0.2)
    assert likely.exceeds(0.98 * border) and not likely.exceeds(1.02 * border)
    assert np.mean(np.exp(logarithms) > likely.low) == pytest.approx(0.95, abs=0.005)


def test_sizes_are_those_of_the_parts_also_without_dividing(data: Dataset) -> None:
    kfold = size_of_division(data, ("kfold", 3, 0, 0, ""))
    assert kfold == Size(1000, data.ratings.n_users, data.ratings.n_items, 500)
    (split, *_) = grown_specs([0.25, 1.0])
    grown = size_of_division(data, (split, 1, 0, 0, ""))
    assert grown.users < data.ratings.n_users and grown.tested > 0


def record_of(cell: Cell, data: Dataset, seconds: float, *, contended: bool = False) -> Record:
    return Record(
        cell=cell,
        status="ok",
        reason=None,
        started="2026-01-01T00:00:00+00:00",
        data=DataDescription(name=data.name, users=80, items=50, digest=data.digest),
        environment=Environment(contended=contended),
        costs={"fit": PhaseCost(seconds=seconds, peak_mb=321.0)},
        whole=CellCost(seconds=seconds),
        fold=FoldFacts(train=750, test=750, threshold=4.0),
    )


def test_records_that_are_there_correct_estimates(data: Dataset, model: CostModel) -> None:
    first, second = cells_of(data, "item-mean[damping=1]")
    (other, _) = cells_of(data, "item-mean[damping=2]")
    (unknown, unknown_second) = cells_of(data, "global-mean")
    estimator = Estimator(data, 1.0, model)
    before = estimator.estimate(other)
    assert before is not None

    estimator.learn(
        [
            record_of(first, data, 75.0),
            record_of(first, data, 9999.0, contended=True),
            record_of(unknown, data, 5.0),
        ]
    )
    measured = estimator.estimate(second)
    assert measured is not None
    assert (measured.seconds.value, measured.peak_mb.value) == (75.0, 321.0)
    assert estimator.explain_refusal(second, 80, 4000) is None, "it has run, so it is not skipped"
    corrected = estimator.estimate(other)
    assert corrected is not None
    assert corrected.seconds.value == pytest.approx(before.seconds.value / 10, rel=0.02)
    assert estimator.estimate(unknown_second) is not None, "another fold was measured"


def test_a_machine_of_half_the_speed_takes_twice_as_long(data: Dataset) -> None:
    (cell, _) = cells_of(data, "surprise-svdpp[n_epochs=50000]")  # fitted once on either
    there = read_cost_model().origin.kernel_seconds
    usual = Estimator.for_machine(data, there).estimate(cell)
    slow = Estimator.for_machine(data, 2 * there).estimate(cell)
    assert usual is not None and slow is not None
    assert slow.seconds.value == pytest.approx(2 * usual.seconds.value)
    assert slow.peak_mb == usual.peak_mb


def test_a_budget_takes_rows_that_have_room_whole(data: Dataset, tmp_path: Path) -> None:
    """Two rows of two folds: the first has room with both, the second only with one of them."""
    cells = cells_of(data, "item-mean", "user-mean")
    jobs = make_jobs(
        cells,
        Run(tmp_path),
        data,
        environment=Environment(),
        evaluation="",
        limits=Limits(seconds=60, memory_mb=1000, budget_seconds=100.0),
    )
    jobs = [replace(job, expected_seconds=40.0) for job in jobs]
    budget = Budget(jobs)
    assert budget.explain_refusal(jobs[0]) is None
    assert budget.explain_refusal(jobs[1]) is None
    alone = [replace(job, expected_seconds=60.0) for job in jobs]
    refusal = Budget(alone).explain_refusal(alone[2])
    assert refusal is not None
    assert "100 s are left, and the row would take about 120 s" in refusal
    assert Budget(alone, cells_at_once=2).explain_refusal(alone[2]) is None

    budget.book_seconds(cells[0].row, 101.0)  # what was measured tells more than what was expected
    assert "the next cell would take about 101 s" in (budget.explain_refusal(jobs[1]) or "")


def test_a_dry_run_says_what_each_row_and_the_whole_will_take(
    ratings_file: Path, tmp_path: Path
) -> None:
    arguments = ["--dataset", f"table:{ratings_file}", "--folds", "3", "--out", str(tmp_path / "o")]
    for row in ("surprise-svd", "surprise-svdpp[n_epochs=5000000]"):
        arguments += ["--algorithm", row]
    result = CliRunner().invoke(application(run), [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    (row,) = [line for line in lines if line.startswith("surprise-svd ")]
    assert row.split()[1] == "3" and " to " in row
    (skipped,) = [line for line in lines if "skipped beforehand" in line]
    assert skipped.startswith("surprise-svdpp[n_epochs=5000000]: ") and "--no-skip" in skipped
    assert any(line.startswith("the whole: about ") for line in lines)

    result = CliRunner().invoke(application(run), [*arguments, "--dry-run", "--no-skip"])
    assert "run all the same" in result.output


def test_latency_is_counted_once_a_row_and_in_no_limit(data: Dataset, model: CostModel) -> None:
    """1,000 users alone in 5 rounds, each at most 10 s, then up to 4,096 of them at once."""
    first, second = cells_of(data, "item-mean[damping=1]")
    asked = Estimator(data, 1.0, model, is_served=lambda cell: cell.fold == 0)
    plain = Estimator(data, 1.0, model)

    def seconds_of(estimator: Estimator, cell: Cell) -> float:
        costs = estimator.estimate_whole(cell)
        assert costs is not None
        return costs.seconds.value

    # the bench's own second; 0.2 ms for each of 5,000 calls; and ranking for 80 users in 5 rounds
    rank = 1e-6 * data.ratings.n_items
    serving = seconds_of(asked, first) - seconds_of(plain, first)
    assert serving == pytest.approx(1 + 5000 * (0.0002 + rank) + 5 * 80 * rank)
    assert seconds_of(asked, second) == seconds_of(plain, second)
    assert asked.estimate(first) == plain.estimate(first)
    limits = (499, 4000)
    assert asked.explain_refusal(first, *limits) == plain.explain_refusal(first, *limits)

    slow = model.algorithms["item-mean"].model_copy(update={"call_seconds": 3600.0})
    model.algorithms["item-mean"] = slow
    serving = seconds_of(asked, first) - seconds_of(plain, first)
    assert serving == pytest.approx(1 + 5 * 10 + 5 * 80 * rank)


def test_what_latency_asks_is_what_is_estimated() -> None:
    assert cost_model.SERVED_USERS == latency.N_DRAWN
    assert cost_model.SERVED_ROUNDS == latency.N_ROUNDS
    assert cost_model.SERVED_IN_BULK == latency.N_IN_BULK
    assert cost_model.MOST_SECONDS_IN_BULK == latency.BULK_SECONDS
    assert cost_model.MOST_SECONDS_OF_ROUND == serving_of_rows.ROUND_SECONDS


def test_a_dry_run_counts_latency(ratings_file: Path, tmp_path: Path) -> None:
    arguments = ["--dataset", f"table:{ratings_file}", "--out", str(tmp_path / "o"), "--dry-run"]
    arguments += ["--algorithm", "item-mean", "--folds", "2"]
    seconds = []
    for more in ([], ["--latency"]):
        result = CliRunner().invoke(application(run), [*arguments, *more])
        assert result.exit_code == 0, result.output
        (line,) = [line for line in result.output.splitlines() if line.startswith("item-mean ")]
        seconds.append(float(line.split()[2]))
    assert seconds[1] > seconds[0] + 0.3


@pytest.mark.slow
def test_a_row_beyond_the_limit_is_skipped_with_its_estimate(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    arguments = ["--algorithm", "random", "--algorithm", "surprise-svdpp[n_epochs=5000000]"]
    arguments += ["--folds", "2", "--no-report", "--out", str(tmp_path)]
    run_bench("--dataset", f"table:{ratings_file}", *arguments, check=4)
    records = Run(tmp_path).records()
    assert [record.status for record in records] == ["ok", "ok", "skipped", "skipped"]
    assert "would take about" in (records[-1].reason or "")

    whole = json.loads(Run(tmp_path).path(records[0].cell).read_text())["whole"]
    assert whole["cpu_seconds"] > 0 and whole["seconds"] > 0


def test_the_speed_of_the_machine_is_that_of_one_thread(
    ratings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine threads that wait for each other are 25 times slower than cells are."""
    threads: set[int] = set()

    def count_threads(n_tries: int) -> float:
        threads.update(library["num_threads"] for library in threadpool_info())
        return 1.0

    monkeypatch.setattr("recbench.benchmarks.api.kernel_seconds", count_threads)
    chosen = ["--dataset", f"table:{ratings_file}", "--algorithm", "ease", "--dry-run"]
    with threadpool_limits(2):
        result = CliRunner().invoke(application(run), chosen)
    assert result.exit_code == 0, result.output
    assert threads == {1}
