"""Loading the Netflix Prize at full size, for `make speed`: time against the notebook's pandas
code, and memory.

The input is the simulated twin with all its users, written once into $RECBENCH_SPEED_DATA (else
into pytest's temporary directory: two minutes, 500 MB) and placed as if it were real.
RECBENCH_FULL=1 adds the test of all four files, which takes some minutes more and 6 GB of disk.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recbench.datasets.netflix.twin.write import write_simulated_netflix
from tests.conftest import ROOT

# Each runs in a process of its own, since a process's peak of memory never falls.
CLOSE = """
seconds = time.perf_counter() - begun
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak, "counts": counts}))
"""
OURS = """
import io, json, sys, time
from recbench import datasets
from recbench.datasets.netflix.ratings_files import Reader, Text
datasets.names()
reader = Reader()
reader.read_text(Text("toy", io.BytesIO(b"1:\\n1,1,2000-01-01\\n")))
# What numba compiled once is loaded here.
reader.raw.keep_only(reader.raw.user_counts > 0, reader.raw.movie_counts > 0)
begun = time.perf_counter()
found = datasets.load(sys.argv[1])
ratings = found.ratings
counts = [len(ratings), ratings.n_users, ratings.n_items]
"""
SECOND = "\n".join(
    line for line in OURS.splitlines() if "eader" not in line
)  # nothing is parsed any more
# The source notebook's way, step by step: one table, a copy of its slice per movie, all put
# together, filtered.
NOTEBOOK = """
import json, sys, time
import pandas as pd
begun = time.perf_counter()
lines = pd.read_csv(sys.argv[1], header=None, names=["user", "stars", "date"])
starts = lines.index[lines["stars"].isna()]  # a movie's line, such as 123:, has one column only
parts = []
for start, end in zip(starts, [*starts[1:], len(lines)]):
    part = lines.iloc[start + 1 : end].copy()
    part["movie"] = int(lines["user"].iat[start].rstrip(":"))
    parts.append(part)
ratings = pd.concat(parts)
del parts, part, lines
per_movie, per_user = ratings["movie"].value_counts(), ratings["user"].value_counts()
movies, users = per_movie.index[per_movie > 10000], per_user.index[per_user > 200]
kept = ratings[ratings["movie"].isin(movies) & ratings["user"].isin(users)]
counts = [len(kept), kept["user"].nunique(), kept["movie"].nunique()]
"""


@pytest.fixture(scope="module")
def speed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(os.environ.get("RECBENCH_SPEED_DATA") or tmp_path_factory.mktemp("speed"))


def placed(speed_data: Path, directory: Path, n_files: int) -> Path:
    """A data directory in which the full-size twin lies as if it were real."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(speed_data))
        twin = write_simulated_netflix(1.0, 0, n_files)
    (directory / "netflix").mkdir()
    for name in (
        "movie_titles.csv",
        *(f"combined_data_{number}.txt" for number in range(1, n_files + 1)),
    ):
        (directory / "netflix" / name).symlink_to(twin / name)
    return directory


def measured(code: str, argument: object, data: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", code + CLOSE, str(argument)]
    environment = os.environ | {"RECBENCH_DATA": str(data)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    print(f"{found['seconds']:8.3f} s {found['peak_mb']:8.0f} MB  {found['counts']}")
    return found


def test_a_full_file_is_parsed_and_filtered_eight_times_as_fast_as_by_the_notebook(
    benchmark: BenchmarkFixture, speed_data: Path, tmp_path: Path
) -> None:
    """Ours includes the sha256 of the source, the digest and writing the cache; theirs ends with a
    data frame.
    """
    data = placed(speed_data, tmp_path, 1)
    measured(
        OURS, "netflix-filtered[min_user_ratings=1000]", data
    )  # warms the file up for both, and numba
    shutil.rmtree(data / "cache" / "digests")  # so that the sum of the file is made again
    ours = benchmark.pedantic(measured, (OURS, "netflix-filtered", data), rounds=1)  # type: ignore[no-untyped-call]
    again = measured(SECOND, "netflix-filtered", data)
    theirs = measured(NOTEBOOK, data / "netflix" / "combined_data_1.txt", data)
    print(f"notebook / recbench: {theirs['seconds'] / ours['seconds']:.1f}")
    assert ours["counts"] == theirs["counts"] == again["counts"]
    assert theirs["seconds"] > 8 * ours["seconds"]
    assert ours["peak_mb"] < 1200
    assert again["seconds"] < 0.1


@pytest.mark.skipif(
    not os.environ.get("RECBENCH_FULL"), reason="takes minutes and 6 GB: set RECBENCH_FULL=1"
)
def test_a_hundred_million_ratings_fit_into_four_gigabytes(
    benchmark: BenchmarkFixture, speed_data: Path, tmp_path: Path
) -> None:
    data = placed(speed_data, tmp_path, 4)
    ours = benchmark.pedantic(measured, (OURS, "netflix", data), rounds=1)  # type: ignore[no-untyped-call]
    again = measured(SECOND, "netflix", data)
    assert (
        ours["counts"] == again["counts"]
        and ours["counts"][0] > 90_000_000
        and ours["counts"][2] == 17_770
    )
    assert ours["peak_mb"] < 4000
