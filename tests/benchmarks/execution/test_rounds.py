"""Rows that are not deterministic run with three seeds, and rounds repeat all phases of all rows in
turn.
"""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.planning import add_seeds
from recbench.benchmarks.records.cell import PHASES, Cell
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.facts import PhaseCost
from recbench.benchmarks.records.record import Record, Run
from tests.conftest import RunBench
from tests.reports.invented_runs import failed, normal, ok, write

PLUGIN = '''
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

@dataclass(eq=False)
class Racy(Recommender):
    """Scores that are its own in each fit."""
    name = "racy"
    family = "racy"
    predicts = "ratings"
    def nondeterminism(self):
        return "it draws as it likes"
    def fit(self, data, seed):
        self.scores_ = np.random.default_rng().uniform(2, 4, self.n_items_).astype(np.float32)
    def score(self, users, items):
        return self.scores_[items]
'''


@pytest.fixture(scope="module")
def measured(
    ratings_file: Path, run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, list[str]]:
    """A real run of a steady and a racy row in two rounds, and the lines that it printed."""
    home = tmp_path_factory.mktemp("rounds")
    (home / "racy_module.py").write_text(PLUGIN)
    chosen = ["--algorithm", "item-mean", "--algorithm", "racy", "--plugin", "racy_module"]
    result = run_bench(
        "--dataset", f"table:{ratings_file}", "--folds", 2, *chosen, "--rounds", 2,
        "--no-report", "--out", home / "out", path=home, check=0,
    )  # fmt: skip
    return Run(home / "out"), result.stdout.splitlines()


def test_a_row_that_is_not_deterministic_runs_with_three_seeds(
    measured: tuple[Run, list[str]],
) -> None:
    run, printed = measured
    seeds = {
        name: sorted({r.cell.seed for r in run.records() if r.cell.algorithm == name})
        for name in ("item-mean", "racy")
    }
    assert seeds == {"item-mean": [0], "racy": [0, 1, 2]}
    assert len(run.records()) == 2 + 6
    assert "  not deterministic, so measured with other seeds too: racy" in printed


def test_rounds_keep_every_sample_of_every_phase(measured: tuple[Run, list[str]]) -> None:
    run, printed = measured
    for record in run.records():
        assert record.rounds == 2
        counts = [len(record.costs[phase].samples) for phase in PHASES]
        assert counts == [6, 6, 2, 2]  # short fits are measured three times in each round
        for cost in record.costs.values():
            assert len(cost.cpu_samples) == len(cost.samples)
            assert cost.seconds == np.median(cost.samples)
        assert run.has_answers(record.cell)

    start = printed.index("  round 2 of 2")
    rows = [line.split()[1] for line in printed[start + 1 : start + 9]]
    assert rows == ["item-mean"] * 2 + ["racy"] * 6  # the whole plan again, row after row


def test_cells_say_what_they_took_cold_and_what_else_the_machine_did(
    measured: tuple[Run, list[str]],
) -> None:
    run, _ = measured
    for record in run.records():
        assert record.cold is not None
        assert record.cold.import_seconds >= 0
        assert record.cold.warm_up_seconds > 0
        assert record.environment.load is not None
        assert 0 <= (record.environment.steal or 0) <= 1
    with (run.directory / "results.csv").open() as file:
        for line in csv.DictReader(file):
            assert float(line["warm_up_seconds"]) > 0
            assert float(line["import_seconds"]) >= 0


def test_the_next_run_keeps_the_seeds_and_the_rounds(
    measured: tuple[Run, list[str]], ratings_file: Path, run_bench: RunBench
) -> None:
    run, _ = measured
    chosen = ["--algorithm", "item-mean", "--algorithm", "racy", "--plugin", "racy_module"]
    result = run_bench(
        "--dataset", f"table:{ratings_file}", "--folds", 2, *chosen, "--dry-run",
        "--out", run.directory, path=run.directory.parent, check=0,
    )  # fmt: skip
    assert "8 cells, 0 to run" in result.stdout
    assert "goes" not in result.stdout


def test_seeds_are_added_only_where_records_say_that_the_row_varies(tmp_path: Path) -> None:
    varies = Certificate("not deterministic", 0.1, "2 fits", None)
    records = [
        replace(record, determinism=varies) if record.cell.row == "keras-mf" else record
        for record in normal()
    ]
    run = Run(write(tmp_path, records))
    cells = [record.cell for record in records]
    more = add_seeds(cells, run)[len(cells) :]
    assert {(cell.row, cell.seed) for cell in more} == {("keras-mf", 1), ("keras-mf", 2)}
    assert len(more) == 2 * 5

    beside = [*cells, *(replace(cell, seed=1) for cell in cells if cell.row == "keras-mf")]
    assert {cell.seed for cell in add_seeds(beside, run)[len(beside) :]} == {2}
    elsewhere: list[Cell] = [*cells, *(replace(cell, split="time") for cell in cells)]
    assert all(cell.split == "kfold" for cell in add_seeds(elsewhere, run)[len(elsewhere) :])


def test_a_later_round_that_fails_takes_nothing_away() -> None:
    first = normal()[0]
    lost = first.with_round(failed(first.cell, "timeout", "killed after 600 s"))
    assert lost == replace(first, lost_round="timeout: killed after 600 s")
    assert Record.from_json(lost.to_json()).lost_round == "timeout: killed after 600 s"

    again = ok(first.cell, 0.9)
    slow = PhaseCost(seconds=9.0, cpu_seconds=8.0, peak_mb=900.0, samples=[9.0], cpu_samples=[8.0])
    again = replace(again, costs=again.costs | {"rank": slow}, kernel_seconds=0.3)
    both = replace(lost, kernel_seconds=0.1).with_round(again)
    assert both.kernel_seconds == pytest.approx(0.2)
    assert (both.rounds, both.lost_round) == (2, None)
    assert both.metrics == first.metrics
    rank = both.costs["rank"]
    assert rank.samples == [1.234, 9.0]
    assert rank.seconds == pytest.approx((1.234 + 9.0) / 2)
    assert rank.peak_mb == 900.0
