"""The oracle: in every report of simulated data, in none of real data, and better than whatever
learns.
"""

from pathlib import Path

import numpy as np
import pytest

from recbench.adapters import create
from recbench.benchmarks.planning.suite import parse_rows, with_truth_seers
from recbench.benchmarks.records.record import Run
from recbench.datasets import load
from recbench.datasets.netflix.twin.model import Twin
from recbench.datasets.ratings import Catalogue
from tests.conftest import RunHere

SMALL = "netflix-filtered[simulated_users=0.01]"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oracle")


@pytest.fixture
def data(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECBENCH_DATA", str(directory))
    return directory


@pytest.mark.slow
def test_the_truth_is_that_of_the_pairs_and_mapped_from_the_cache(data: Path) -> None:
    found = load(SMALL)
    assert isinstance(found.truth, np.memmap) and not found.truth.flags.writeable
    shape = (found.ratings.n_users, found.ratings.n_items)
    assert found.truth.shape == (3, *shape) and found.truth.dtype == np.float32
    twin = Twin.load(next((data / "simulated").glob("netflix-users0.01-*/")))
    users = found.ratings.users[::7]
    items = found.ratings.items[::7]
    expected = twin.expected_stars(found.user_ids[users], found.item_ids[items])
    ratings, rated, relevant = found.truth
    np.testing.assert_allclose(ratings[users, items], expected, atol=1e-5)
    assert (
        ratings.min() >= 1
        and ratings.max() <= 5
        and found.truth[1:].min() >= 0
        and found.truth[1:].max() <= 1
    )
    assert abs(rated.sum() / len(found.ratings) - 1) < 0.03
    likely = relevant[found.ratings.users, found.ratings.items]
    for low in (0.1, 0.3, 0.5, 0.7):
        near = (likely >= low) & (likely < low + 0.2)
        assert abs(float((found.ratings.values[near] >= 4).mean() - likely[near].mean())) < 0.03


@pytest.mark.slow
def test_too_many_pairs_have_no_truth_but_a_remark(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recbench.datasets.netflix.loaders.MOST_PAIRS", 1000)
    found = load("netflix-filtered[simulated_users=0.01,min_user_ratings=201]")
    assert found.truth is None and any(
        "too much to keep (1,000 at most)" in r for r in found.provenance.remarks
    )


def test_the_oracle_joins_the_table_of_simulated_data_only(data: Path) -> None:
    simulated = load(SMALL)
    table = parse_rows(["item-mean"])
    assert [row.name for row in with_truth_seers(table, simulated)] == ["item-mean", "oracle"]
    assert with_truth_seers(parse_rows(["oracle"]), simulated) == parse_rows(["oracle"])
    (data / "ratings.csv").write_text(
        "user,item,rating\n" + "".join(f"{k % 3},{k},4\n" for k in range(9))
    )
    assert with_truth_seers(table, load(f"table:{data / 'ratings.csv'}")) == table
    reason = create("oracle").skip(simulated.ratings, Catalogue((), (), ()), 1e9)
    assert reason and "only simulated data know" in reason


def test_a_simulated_run_has_an_oracle_that_wins_and_its_calibration(
    data: Path, run_here: RunHere
) -> None:
    arguments = ["--dataset", SMALL, "--folds", 2, "--no-report", "--out", data / "out"]
    run_here(
        *arguments, "--algorithm", "user-item-bias", "--algorithm", "oracle", data=data, check=0
    )
    records = Run(data / "out").records()
    rmse = {record.cell.row: (record.metrics or {})["rmse"] for record in records}
    assert 0.7 < rmse["oracle"] < rmse["user-item-bias"]  # type: ignore[operator]
    table = load(SMALL).provenance.calibration
    assert records[0].data.calibration == table and len(table) == 19
    assert all(
        quantity.tolerance is None for quantity in table
    )  # so small a share promises nothing
    planned = run_here(
        "--dataset",
        SMALL,
        "--dry-run",
        "--force",
        "oracle",
        "--out",
        data / "dry",
        data=data,
        check=0,
    )
    assert planned.stdout.count("  oracle  fold") == 3
