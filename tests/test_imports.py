"""Libraries are imported where they are used, so that commands begin soon and cells are small."""

import json
import subprocess
import sys

import pytest

from recbench.adapters import available
from tests.conftest import ROOT

# Each stage imports more, all in one process; what was loaded then is printed as JSON.
STAGES = """
import json, sys
loaded = {}

def note(stage):
    loaded[stage] = sorted({name.partition(".")[0] for name in sys.modules})

import recbench
note("recbench")
from recbench.adapters.surprise import averages, factors, neighbours
note("the adapters of Surprise")
from recbench import datasets
datasets.names()
note("the list of data sets")
from recbench import adapters
adapters.available()
note("the list of algorithms")
import recbench.benchmarks.execution.worker
note("what a cell needs")
import recbench.benchmarks.run
note("the command `run`")
print(json.dumps(loaded))
"""

# What wraps nothing and is used in some calls only.
SELDOM = {"jinja2", "matplotlib", "pandas", "pooch", "requests"}
PRINTS = {"click", "rich", "typer"}


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The top-level modules that are loaded after each of the stages above."""
    command = [sys.executable, "-c", STAGES]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    stages: dict[str, list[str]] = json.loads(result.stdout)
    return {stage: set(names) for stage, names in stages.items()}


def wrapped() -> set[str]:
    """The libraries that adapters wrap."""
    names = {module for adapter in available().values() for module in adapter.requires}
    return names - {"numpy", "scipy"}


@pytest.mark.parametrize(
    ("stage", "absent"),
    [
        ("recbench", {"numpy", "pydantic", "pandas"}),
        ("the adapters of Surprise", {"numba", "scipy", "surprise", *PRINTS}),
        ("the list of data sets", {"numba", *SELDOM, *PRINTS}),
        ("the list of algorithms", SELDOM | PRINTS),
        ("what a cell needs", SELDOM | PRINTS),
        ("the command `run`", SELDOM),
    ],
)
@pytest.mark.slow
def test_it_does_without(stage: str, absent: set[str], loaded: dict[str, set[str]]) -> None:
    assert not absent & loaded[stage]


def test_listing_algorithms_imports_none_of_their_libraries(loaded: dict[str, set[str]]) -> None:
    assert {"keras", "lightfm", "numba", "sklearn", "surprise"} <= wrapped()
    for stage in ("the list of algorithms", "what a cell needs", "the command `run`"):
        assert not wrapped() & loaded[stage], stage
