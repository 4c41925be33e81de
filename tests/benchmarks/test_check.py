"""What authors get: a file that keeps every law, and a ruling for each law that another breaks."""

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.check import check
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.new_adapter import new_adapter
from tests.conftest import ROOT
from tests.forked_commands import Commands

MOST_LINES = 35


def call(main: object, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(application(main), texts)  # type: ignore[arg-type]


def check_apart(
    commands: Commands, module: str, directory: Path
) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: what a module defines is known to this one for good."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return commands.run("recbench.benchmarks.check", [module], environment, directory=directory)


def test_a_new_adapter_keeps_every_law(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = call(new_adapter, "fresh-means")
    assert written.exit_code == 0, written.output
    source = (tmp_path / "fresh_means.py").read_text()
    assert len(source.splitlines()) <= MOST_LINES

    result = check_apart(commands, "fresh_means", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All laws are kept" in result.stdout
    assert "kept       saved as a model and loaded in a fresh process" in result.stdout

    again = call(new_adapter, "fresh-means")
    assert again.exit_code == 2
    assert "already" in again.output


BROKEN = """
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

@dataclass(eq=False)
class Careless(Recommender):
    \"\"\"Random.\"\"\"

    name = "careless-in-a-test"
    family = "factors"
    predicts = "ratings"

    def fit(self, data, seed):
        self.weights = np.random.default_rng().random(data.n_items)
        self.model_ = object()

    def score(self, users, items):
        return (100 * self.weights[items]).astype(np.float32)

    def score_items(self, users):
        return np.ones((len(users), self.n_items_))
"""


def test_each_broken_law_has_a_verdict_and_a_way_to_mend_it(
    commands: Commands, tmp_path: Path
) -> None:
    (tmp_path / "careless_module.py").write_text(BROKEN)
    result = check_apart(commands, "careless_module", tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("  BROKEN")]
    assert len(lines) >= 5
    assert result.stdout.count("to mend it:") == len(lines)
    for words in (
        "score_items gave float64, expected a float32 array",
        "its docstring is",
        "write a docstring",
        "fit has left weights, and only attributes that end in _ are kept",
    ):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (check, ["no_such_module"], "cannot import it"),
        (check, ["json"], "json defines no algorithm"),
        (new_adapter, ["My Means"], "expected small letters"),
        (new_adapter, ["ease"], "there is an algorithm ease already"),
    ],
)
def test_what_cannot_be_checked_is_said(
    main: object,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(main, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
