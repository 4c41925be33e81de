"""Adapters from outside the repository: named on the command line, or by an installed
distribution.
"""

import os
import subprocess
from pathlib import Path

import pytest

from recbench.benchmarks.records.record import Run
from tests.conftest import RunBench
from tests.forked_commands import Commands

SOURCE = """
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

@dataclass(eq=False)
class Seven(Recommender):
    \"\"\"The number that is given, for every pair.\"\"\"

    name = "tiny-number"
    family = "tiny"
    predicts = "ratings"
    number: float = 3.5

    def fit(self, data, seed):
        pass

    def score(self, users, items):
        return np.full(len(users), self.number, np.float32)
"""
ROW = "tiny-number[number=4]"


def installed(directory: Path, source: str = SOURCE, *, entry_point: str = "tiny_plugin") -> Path:
    """What `pip install tiny-recommenders` would leave in a directory of the Python path."""
    (directory / "tiny_plugin.py").write_text(source)
    about = directory / "tiny_recommenders-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-recommenders\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text(f"[recbench.adapters]\ntiny = {entry_point}\n")
    return directory


def listed(commands: Commands, path: Path) -> "subprocess.CompletedProcess[str]":
    more = {"PYTHONPATH": str(path), "COLUMNS": "200"}
    return commands.run("benchmarks.list", ["algorithms"], os.environ | more)


@pytest.mark.parametrize("entry_point", ["tiny_plugin", "tiny_plugin:Seven"])
def test_an_installed_distribution_adds_its_adapters(
    entry_point: str,
    ratings_file: Path,
    run_bench: RunBench,
    commands: Commands,
    tmp_path: Path,
) -> None:
    path = installed(tmp_path, entry_point=entry_point)
    result = listed(commands, path)
    assert result.returncode == 0, result.stderr
    assert "tiny-number" in result.stdout and "The number that is given" in result.stdout
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        ROW,
        "--folds",
        2,
        "--no-report",
        "--out",
        tmp_path / "out",
    ]
    run_bench(*arguments, path=path, check=0)
    records = Run(tmp_path / "out").records()
    assert [record.status for record in records] == ["ok", "ok"]
    assert all(
        len(record.cell.libraries["tiny_plugin"]) == 12 for record in records
    )  # which source it was


def test_a_module_named_on_the_command_line_adds_its_adapters(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    (tmp_path / "tiny_plugin.py").write_text(SOURCE)
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        ROW,
        "--folds",
        2,
        "--no-report",
        "--out",
        tmp_path / "out",
    ]
    assert "unknown algorithm" in run_bench(*arguments, path=tmp_path, check=2).stderr
    run_bench(*arguments, "--plugin", "tiny_plugin", path=tmp_path, check=0)
    assert [record.status for record in Run(tmp_path / "out").records()] == ["ok", "ok"]


def test_a_module_that_is_installed_and_named_counts_once(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        ROW,
        "--plugin",
        "tiny_plugin",
        "--dry-run",
    ]
    run_bench(*arguments, path=installed(tmp_path), check=0)


@pytest.mark.parametrize(
    ("source", "entry_point", "reason"),
    [
        ("raise RuntimeError('no such luck')", "tiny_plugin", "RuntimeError: no such luck"),
        ("this is no Python", "tiny_plugin", "SyntaxError"),
        ("import sys; sys.exit(0)", "tiny_plugin", "SystemExit"),
        (SOURCE, "tiny_plugin:Eight", "AttributeError"),
        (SOURCE, "no_such_module", "ModuleNotFoundError"),
    ],
)
def test_a_broken_distribution_is_named(
    source: str, entry_point: str, reason: str, commands: Commands, tmp_path: Path
) -> None:
    result = listed(commands, installed(tmp_path, source, entry_point=entry_point))
    assert result.returncode == 2
    for part in ("tiny-recommenders", f"tiny = {entry_point}", reason, "uninstall"):
        assert part in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
