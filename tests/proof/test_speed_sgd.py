"""Descent by hand against Surprise's SVD, for `make speed`: 100 factors, 20 epochs, what `fit`
takes, and test RMSE.

The large set is the simulated twin of the filtered Netflix data with all its users, written once
into $RECBENCH_SPEED_DATA (else into pytest's temporary directory, which takes some minutes).
RECBENCH_FULL=1 adds the training on a hundred million ratings.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

from recbench import datasets
from recbench.adapters import create
from recbench.benchmarks.splits.built_in import kfold
from recbench.datasets import Dataset
from recbench.datasets.ratings import Catalogue, Ratings
from tests.conftest import ROOT
from tests.proof.speed import print_processor

SIZE = {"n_factors": 100, "n_epochs": 20}
NAMES = ["surprise-svd", "numpy-sgd", "numba-sgd"]
Measured = dict[str, tuple[float, float]]  # the fewest seconds and the mean RMSE of each algorithm

HUNDRED_MILLION = """
import json, sys, time
import numpy as np
from recbench.adapters import create
from recbench.datasets.ratings import Catalogue, Ratings
n, n_users, n_items = 100_000_000, 480_189, 17_770
rng = np.random.default_rng(0)
# The file's order: by item.
items = np.sort((n_items * rng.random(n, np.float32) ** 3).astype(np.int32))
users = rng.integers(0, n_users, n, np.int32)
values = rng.integers(1, 4, n, np.int8).astype(np.float32)
values += (users + items) % 2 * 2  # what can be learned
ratings = Ratings(users, items, values, n_users, n_items, (1.0, 5.0), np.ones(n, np.int64))
del users, items, values
model = create(sys.argv[1], {"n_epochs": int(sys.argv[2])})
model.prepare(ratings)
model.fit(model.convert(ratings, Catalogue((), (), ())), 0)
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**20
print(json.dumps({"peak_gb": peak, "trace": model.trace_}))
"""


def fitted(name: str, train: Ratings, test: Ratings, seed: int) -> tuple[float, float]:
    """CPU seconds of the fit with one thread, since machines are seldom quiet; test RMSE."""
    model = create(name, SIZE)
    model.prepare(train)
    data = model.convert(train, Catalogue((), (), ()))
    with threadpool_limits(1):  # idle threads of a matrix library would count too
        begun = process_time()
        model.fit(data, seed)
        seconds = process_time() - begun
    errors = np.clip(model.score(test.users, test.items), *train.scale) - test.values
    return seconds, float(np.sqrt(np.mean(errors**2)))


def compared(ratings: Ratings, n_folds: int, seeds: int) -> Measured:
    """All three on the same fold, in turn for each seed."""
    train, test = (ratings.take(rows) for rows in kfold(ratings, n_folds, 0, 0))
    toy = train.take(np.arange(50))
    found = {}
    for name in NAMES:
        fitted(name, toy, toy, 0)  # compiles
    runs = [[fitted(name, train, test, seed) for name in NAMES] for seed in range(seeds)]
    for name, results in zip(NAMES, zip(*runs, strict=True), strict=True):
        found[name] = (
            min(seconds for seconds, _ in results),
            float(np.mean([rmse for _, rmse in results])),
        )
    print_processor()
    theirs, _ = found["surprise-svd"]
    for name, (seconds, rmse) in found.items():
        print(
            f"{len(train):>11,} ratings  {name:<12} {seconds:8.3f} s  x "
            f"{theirs / seconds:5.1f}  RMSE {rmse:.4f}"
        )
    return found


def test_on_a_hundred_thousand_ratings(benchmark: BenchmarkFixture, movielens: Dataset) -> None:
    arguments = (movielens.ratings, 5, 7)
    found: Measured = benchmark.pedantic(compared, arguments, rounds=1)  # type: ignore[no-untyped-call]
    (theirs, their_rmse), (_, numpy_rmse), (seconds, rmse) = (found[name] for name in NAMES)
    assert theirs >= 10 * seconds
    assert max(rmse, numpy_rmse) <= their_rmse


def test_on_four_million_ratings(
    benchmark: BenchmarkFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_DATA", os.environ.get("RECBENCH_SPEED_DATA") or str(tmp_path))
    ratings = datasets.load("netflix-filtered[simulated_users=1]").ratings
    assert len(ratings) > 4_000_000
    found: Measured = benchmark.pedantic(compared, (ratings, 40, 2), rounds=1)  # type: ignore[no-untyped-call]
    (theirs, their_rmse), (numpy_seconds, numpy_rmse), (seconds, rmse) = (
        found[name] for name in NAMES
    )
    assert theirs >= 10 * seconds
    assert theirs >= 1.3 * numpy_seconds
    assert max(rmse, numpy_rmse) <= their_rmse


@pytest.mark.skipif(
    not os.environ.get("RECBENCH_FULL"), reason="takes minutes and 6 GB: set RECBENCH_FULL=1"
)
@pytest.mark.parametrize(("name", "n_epochs"), [("numba-sgd", 3), ("numpy-sgd", 2)])
def test_a_hundred_million_ratings_train_within_16_gigabytes(
    benchmark: BenchmarkFixture, name: str, n_epochs: int
) -> None:
    def run() -> str:
        command = [sys.executable, "-c", HUNDRED_MILLION, name, str(n_epochs)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    found = json.loads(benchmark.pedantic(run, rounds=1))  # type: ignore[no-untyped-call]
    for point in found["trace"]:
        print(
            f"{name} epoch {point['epoch']}: {point['seconds']:.0f} s, training RMSE "
            f"{point['train_rmse']:.3f}"
        )
    print(f"{name}: peak {found['peak_gb']:.1f} GB")
    assert found["peak_gb"] < 16
    assert found["trace"][-1]["train_rmse"] < 1.0  # 1.29 were nothing learned, .82 is the noise
