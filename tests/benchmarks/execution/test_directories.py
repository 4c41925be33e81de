"""Adapters that change the directory: their rows are as good as others, and nothing is written
elsewhere.
"""

import os
from pathlib import Path

import pytest

from recbench.benchmarks.records.record import Run
from tests.conftest import ROOT
from tests.forked_commands import Commands

PLUGIN = """
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbench.adapters.base import Recommender
from recbench.datasets.storage.fetch import data_directory

if os.environ["EVERYWHERE"]:
    os.chdir("elsewhere")


@dataclass(eq=False)
class Wanders(Recommender):
    'Zero for every pair; changes the directory on its way.'

    name = "wanders"
    family = "faulty"
    predicts = "ratings"
    requires = ("wandering_library",) if os.environ["EVERYWHERE"] else ()
    phase: str = "fit"

    def __post_init__(self):
        if self.phase == "init":
            os.chdir("/")

    def fit(self, data, seed):
        assert Path("start.txt").exists() or self.phase == "init", f"begins in {Path.cwd()}"
        self.mean = data.mean
        os.chdir("elsewhere" if self.phase == "fit" else "/")
        sought = str(data_directory())
        assert sought == os.environ["EXPECTED_DATA"], f"data are sought in {sought}"
        assert all(map(os.path.isabs, os.environ["PYTHONPATH"].split(os.pathsep)))
        from lazy import HALF

        self.mean += 0 * HALF

    def score(self, users, items):
        assert not Path("start.txt").exists(), "stays where fit has gone"
        return np.full(len(users), self.mean, np.float32)
"""


@pytest.mark.parametrize(
    "everywhere", [False, True], ids=["in fit", "in imports and the constructor too"]
)
def test_who_changes_the_directory_has_good_rows_and_writes_nothing_elsewhere(
    everywhere: bool, ratings_file: Path, commands: Commands, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    (start / "elsewhere").mkdir(parents=True)
    (start / "modules").mkdir()
    (start / "start.txt").write_text("here")
    (start / "ratings.csv").write_bytes(ratings_file.read_bytes())
    (start / "modules" / "wanderer.py").write_text(PLUGIN)
    (start / "modules" / "lazy.py").write_text("HALF = 0.5\n")
    (start / "modules" / "wandering_library.py").write_text("import os\nos.chdir('/')\n")
    rows = ["wanders", *(["wanders[phase=init]"] if everywhere else []), "global-mean"]
    arguments = [part for row in rows for part in ("--algorithm", row)]
    arguments += [
        "--dataset",
        "table:ratings.csv",
        "--folds",
        "2",
        "--plugin",
        "wanderer",
        "--out",
        "results",
    ]
    if not everywhere:
        arguments += ["--no-report"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(["modules", str(ROOT)]),
        "RECBENCH_DATA": "data",
        "RECBENCH_CACHE": "cache",
        "EVERYWHERE": "yes" if everywhere else "",
        "EXPECTED_DATA": str(start / "data"),
    }
    result = commands.run("benchmarks.run", arguments, environment, directory=start)
    assert result.returncode == 0, result.stdout + result.stderr
    records = Run(start / "results").records()
    assert [(record.cell.row, record.status) for record in records] == [
        (row, "ok") for row in rows for _ in "12"
    ]
    by_row = {(record.cell.row, record.cell.fold): record.metrics["rmse"] for record in records}
    assert len({by_row[row, 0] for row in rows}) == 1, "each answers with the mean"
    names = {"cache", "elsewhere", "modules", "ratings.csv", "results", "start.txt"}
    assert {path.name for path in start.iterdir()} - {"data"} == names
    assert not list((start / "elsewhere").iterdir())
