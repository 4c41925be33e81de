"""Speeds as ratios within one run, for `make speed`; not part of `make test`, since machines are
noisy.
"""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from surprise import Dataset as SurpriseDataset
from surprise import Reader
from surprise.model_selection import KFold, cross_validate

from recbench.adapters import available, create
from recbench.adapters.surprise.base import SurpriseModel
from recbench.benchmarks.planning.suite import read_suite
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.splits.folds import divide
from recbench.datasets import Dataset
from tests.conftest import RunBench, movielens_directory


def test_the_harness_is_faster_than_surprises_cross_validate(
    benchmark: BenchmarkFixture,
    movielens: Dataset,
    run_bench: RunBench,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Eleven algorithms, five folds: everything here, ranking metrics included, against RMSE and
    MAE only there.
    """
    ratings = movielens.ratings
    reader = Reader(rating_scale=(1, 5))
    data = SurpriseDataset(reader)
    columns = (movielens.user_ids[ratings.users], movielens.item_ids[ratings.items], ratings.values)
    data.raw_ratings = [(str(u), str(i), float(r), None) for u, i, r in zip(*columns, strict=True)]

    seconds = {}
    for row in read_suite("surprise-readme").rows:
        adapter = create(row.algorithm)
        assert isinstance(adapter, SurpriseModel)
        algorithm = adapter.make_algorithm(seed=0)
        np.random.seed(0)
        random.seed(0)
        begun = time.perf_counter()
        cross_validate(algorithm, data, ["rmse", "mae"], KFold(5, random_state=0))
        seconds[row.name] = time.perf_counter() - begun

    def ours() -> float:
        begun = time.perf_counter()
        arguments = [
            "--dataset",
            "movielens-100k",
            "--suite",
            "surprise-readme",
            "--out",
            tmp_path,
            "--no-report",
        ]
        run_bench(*arguments, data=movielens_directory(tmp_path_factory), check=0)
        return time.perf_counter() - begun

    mine = benchmark.pedantic(ours, rounds=1)  # type: ignore[no-untyped-call]
    theirs = sum(seconds.values())
    for name, value in seconds.items():
        print(f"cross_validate {name:<28} {value:7.1f} s")
    print(
        f"all eleven: cross_validate {theirs:.1f} s, recbench with ranking {mine:.1f} s, "
        f"ratio {theirs / mine:.2f}"
    )
    assert mine < theirs


def test_scores_come_many_times_as_fast_as_from_surprises_test(
    benchmark: BenchmarkFixture, movielens: Dataset
) -> None:
    """The whole catalogue for all users, from models of one training part.

    `algo.test` is run for every tenth user, which is 159,790 of the 1,586,126 pairs, and its
    seconds are scaled to all; ours are those for all users. Both in processor seconds, which a busy
    machine disturbs least.
    """
    ratings = movielens.ratings
    everybody = np.arange(movielens.ratings.n_users, dtype=np.int32)
    train = ratings.take(divide(movielens, "kfold", 5, 0, 0)[0])
    tenth = everybody[::10]
    pairs = [(user, item, 3.0) for user in tenth.tolist() for item in range(ratings.n_items)]
    ratios = {}

    def compare(name: str) -> None:
        adapter = create(name)
        assert isinstance(adapter, SurpriseModel)
        adapter.prepare(train)
        data = adapter.convert(train, movielens.catalogue)
        algorithm = adapter.make_algorithm(0).fit(data.trainset)
        begun = time.process_time()
        algorithm.test(pairs)
        theirs = (time.process_time() - begun) * len(everybody) / len(tenth)
        adapter.fit(data, 0)
        adapter.score_items(everybody[:2])  # compiles
        begun = time.process_time()
        rounds = 5
        for _ in range(rounds):
            adapter.score_items(everybody)
        mine = (time.process_time() - begun) / rounds
        ratios[name] = theirs / mine
        print(
            f"{name:<28} algo.test {theirs:6.1f} s, score_items {mine:6.3f} s, "
            f"{ratios[name]:6.0f} times as fast"
        )

    names = [name for name, adapter in available().items() if adapter.family == "surprise"]
    benchmark.pedantic(lambda: list(map(compare, names)), rounds=1)  # type: ignore[no-untyped-call]
    assert len(ratios) == 11
    for name, ratio in ratios.items():
        assert ratio >= (100 if "-knn-" in name or name == "surprise-svdpp" else 30), name


def test_a_cell_starts_in_well_under_a_tenth_of_a_second(
    benchmark: BenchmarkFixture, ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    """From the request to the first line of the cell's process; Keras is imported once, before its
    first cell.
    """
    rows = [
        "--algorithm",
        "global-mean",
        "--algorithm",
        "surprise-svd",
        "--algorithm",
        "keras-mf[epochs=1]",
    ]

    def run() -> list[Record]:
        arguments = [
            "--dataset",
            f"table:{ratings_file}",
            "--folds",
            5,
            *rows,
            "--out",
            tmp_path,
            "--no-report",
        ]
        run_bench(*arguments, "--force", "global-mean", check=0)
        return Run(tmp_path).records()

    records = benchmark.pedantic(run, rounds=1)  # type: ignore[no-untyped-call]
    for row in dict.fromkeys(record.cell.row for record in records):
        seconds = [record.start_seconds or 0.0 for record in records if record.cell.row == row][1:]
        print(f"{row:<20} starts in {1000 * min(seconds):.0f} to {1000 * max(seconds):.0f} ms")
        assert sorted(seconds)[len(seconds) // 2] < 0.1
