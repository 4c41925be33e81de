"""Spark's least squares: without Spark a row that says what to install, with it as good as `als`.

`make spark` installs it; Java 17 has to be there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recbench.adapters import create
from recbench.adapters.base import Floats
from recbench.adapters.spark import session
from recbench.benchmarks.execution.subject import MissingLibrary, require_library
from recbench.benchmarks.splits import divide
from recbench.datasets import Dataset
from recbench.datasets.ratings import Catalogue, Ratings

NO_ITEMS = Catalogue((), (), ())


def test_without_spark_the_row_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)  # as if it were not there
    algorithm = create("spark-als")
    with pytest.raises(MissingLibrary, match="`make spark` installs pyspark; it needs Java 17"):
        require_library("pyspark", algorithm.install)


def make_java(directory: Path, version: str) -> None:
    """A program that says of itself what Java would."""
    java = directory / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-04-16' >&2\n")
    java.chmod(0o755)


@pytest.mark.parametrize(("version", "is_refused"), [("11.0.22", True), ("17.0.15", False)])
def test_an_old_java_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_refused: bool
) -> None:
    make_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    reason = session.explain_no_java()
    assert (reason is not None) == is_refused
    if reason is not None:
        assert "Java 17 or newer" in reason and "is 11" in reason
        assert "openjdk-17-jre-headless" in reason


def test_without_java_the_row_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    first = np.zeros(1, np.int32)
    train = Ratings(first, first, np.ones(1, np.float32), 1, 1, (1.0, 5.0))
    reason = create("spark-als").skip(train, NO_ITEMS, 1024.0)
    assert reason is not None and "there is none" in reason


@pytest.fixture(scope="module")
def spark() -> None:
    """Spark itself; skips where it is not installed."""
    pytest.importorskip("pyspark", reason="`make spark` installs it")
    reason = session.explain_no_java()
    if reason is not None:
        pytest.skip(reason)


def predict(name: str, train: Ratings, test: Ratings, parameters: dict[str, object]) -> Floats:
    algorithm = create(name, parameters)
    assert algorithm.skip(train, NO_ITEMS, 4096.0) is None
    algorithm.prepare(train, threads=2)
    algorithm.fit(algorithm.convert(train, NO_ITEMS), 0)
    return algorithm.score(test.users, test.items)


@pytest.mark.slow
def test_it_is_as_good_as_least_squares_with_the_same_objective(
    spark: None, movielens: Dataset
) -> None:
    train_rows, test_rows = divide(movielens, "holdout", 1, 0, 0)
    train = movielens.ratings.take(train_rows)
    test = movielens.ratings.take(test_rows)
    equal: dict[str, object] = {"n_factors": 10, "n_epochs": 20, "regularisation": 0.1}
    theirs = predict("spark-als", train, test, equal)
    ours = predict("als", train, test, {**equal, "biased": False})

    is_known = ~np.isnan(theirs)
    is_cold = ~np.isin(test.users, train.users) | ~np.isin(test.items, train.items)
    assert (is_known == ~is_cold).all(), "no opinion of whom it has not seen, and of nobody else"

    def rmse(scores: Floats) -> float:
        errors = np.clip(scores[is_known], *train.scale) - test.values[is_known]
        return float(np.sqrt(np.mean(errors**2)))

    assert rmse(theirs) == pytest.approx(rmse(ours), abs=0.005)


@pytest.mark.slow
def test_the_heap_is_a_share_of_the_limit_and_nothing_stays(spark: None, tmp_path: Path) -> None:
    """In a process of its own: a session's heap is fixed once."""
    program = """
from recbench.adapters.spark.session import announce_memory, open_session
announce_memory(2000.0)
session = open_session(threads=1)
print(session.conf.get("spark.driver.memory"), session.sparkContext.master)
print(session.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory() // 2**20)
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    configured, heap_mb = result.stdout.strip().splitlines()[-2:]
    assert configured == "1200m local[1]"
    assert int(heap_mb) <= 1200
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith("recbench-spark-")]
    assert left == [], "its checkpoints go with it"
    shutil.rmtree(tmp_path)
