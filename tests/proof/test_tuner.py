"""The tuner finds what the authors of a published table of tuned rows have found."""

import shutil
from pathlib import Path

import pytest

from recbench.benchmarks.planning import read_suite
from recbench.benchmarks.records import Run
from recbench.benchmarks.tuning import read_histories
from recbench.benchmarks.verification import Ledger, check_files, check_searches
from recbench.datasets import Dataset
from tests.benchmarks.splits.test_from_file import placed_bits
from tests.conftest import RunBench, movielens_directory

METRIC = "tois-2021:precision@10"
TOLERANCE = 0.005
N_TRIALS = 50

# The row that is tuned, with nothing given but what makes it the paper's algorithm, and the row of
# the suite that has the values of the paper. Neither has a default of ours among its trials.
ROWS = {
    "ease[relevant_share=0]": "ease[regularisation=458.0,relevant_share=0.0]",
    "pure-svd[relevant_share=0]": "pure-svd[n_factors=13,relevant_share=0.0]",
    "rp3beta[relevant_share=0,trim_columns=true]": "rp3beta[alpha=0.8593,beta=0.6574,"
    "n_neighbours=324,relevant_share=0.0,trim_columns=True]",
    "item-knn[profiles=likes,relevant_share=0]": "item-knn[k=886,profiles=likes,relevant_share=0.0,"
    "shrink=403.0,weighting=bm25]",
    "slim[relevant_share=0]": "slim[l1=0.0237,l2=209.8,n_neighbours=605,relevant_share=0.0]",
}


def published_precision(row: str) -> float:
    """What the paper says of the row with its own values."""
    (value,) = [
        number.value
        for number in read_suite("tois-2021-ml100k").published
        if number.row == row and number.column == METRIC
    ]
    return value


def test_the_rows_have_published_numbers() -> None:
    assert [published_precision(row) for row in ROWS.values()] == [
        0.3739,
        0.3545,
        0.3435,
        0.3293,
        0.377,
    ]


@pytest.mark.proof
def test_fifty_trials_without_the_default_reach_the_tois_table(
    movielens: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    run_bench: RunBench,
    tmp_path: Path,
) -> None:
    data = movielens_directory(tmp_path_factory)
    shutil.copy(placed_bits(), data)
    arguments: list[object] = ["--dataset", movielens.name, "--split", "mcrec", "--metric", METRIC]
    for row in ROWS:
        arguments += ["--algorithm", row]
    arguments += ["--tune", N_TRIALS, "--no-default-trial", "--no-report", "--out", tmp_path]
    run_bench(*arguments, data=data, check=0)

    run = Run(tmp_path)
    tuned = {record.cell.algorithm: record for record in run.records() if record.cell.tuning}
    histories = {history.algorithm: history for history in read_histories(tmp_path)}
    for history in histories.values():
        assert len(history.trials) == N_TRIALS and not history.default_trial
        assert (history.metric, history.inner) == (METRIC, "user-kfold")
        best = history.best
        assert best is not None
        print(history.row, "best of", N_TRIALS, "trials:", best.number, best.tried, best.value)

    reached = {}
    for row, published_row in ROWS.items():
        precision = tuned[row.partition("[")[0]].metrics[METRIC]
        assert precision is not None
        reached[row] = precision - published_precision(published_row)
    print({row: round(difference, 4) for row, difference in reached.items()})
    assert min(reached.values()) >= -TOLERANCE, reached

    ledger = Ledger()
    check_searches(run, [record.cell for record in check_files(run, ledger)], ledger)
    assert ledger.findings == []
