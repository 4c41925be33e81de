"""The composite action with the inputs of the README's workflow, executed as GitHub does it, on
pull requests to a scratch repository.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

ADAPTER = """
import time
from dataclasses import dataclass

import numpy as np

from recbench.adapters.base import Recommender


@dataclass(eq=False)
class Mine(Recommender):
    "The mean of the training part, as far off as OFFSET says."

    name = "mine"
    family = "baseline"
    predicts = "ratings"

    def fit(self, train, seed):
        begun = time.process_time()
        while time.process_time() - begun < SECONDS:
            pass
        self.mean_ = train.mean + OFFSET

    def score(self, users, items):
        return np.full(len(users), self.mean_, np.float32)
"""


def read_workflow_of_readme() -> dict[str, str]:
    """The inputs that the README's workflow gives to the action."""
    (workflow,) = re.findall(
        r"```yaml\n(# \.github/.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    steps = yaml.safe_load(workflow)["jobs"]["accuracy"]["steps"]
    given: dict[str, str] = steps[-1]["with"]
    return given


RUN = read_workflow_of_readme()["run"]
LIMITS = read_workflow_of_readme()["limits"]
LIMITS_ON_TIMES = '--fail-on "rmse:+1%" --fail-on "fit_seconds:+100% for mine"'


def write_adapter(directory: Path, offset: float = 0.3, seconds: float = 0.12) -> None:
    source = ADAPTER.replace("OFFSET", str(offset)).replace("SECONDS", str(seconds))
    (directory / "my_adapters.py").write_text(source)


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with ratings, an adapter and one commit, the base of all pull requests."""
    directory = tmp_path / "repository"
    directory.mkdir()
    rng = np.random.default_rng(0)
    lines = ["user_id,item_id,rating"]
    for user in range(40):
        for item in rng.choice(30, 16, replace=False):
            lines.append(f"{user},{item},{rng.integers(1, 6)}")
    (directory / "ratings.csv").write_text("\n".join(lines) + "\n")
    write_adapter(directory)
    git(directory, "init", "-q", "-b", "main")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "base <b>| of all")
    return directory


def execute(
    repository: Path,
    base: str,
    tmp_path: Path,
    limits: str = LIMITS,
    more: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, str]:
    """The exit code of the action's last step, and the table that it leaves."""
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "what the pull request brings")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    step = action["runs"]["steps"][-1]
    assert step["shell"] == "bash"
    runner = tmp_path / "runner"
    runner.mkdir()
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ,
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(repository),
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(runner),
        "RECBENCH_DATA": str(tmp_path / "data"),
        "RUN": RUN,
        "LIMITS": limits,
        "BASE": base,
        **more,
    }
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert summary.exists(), done.stdout + done.stderr
    return done.returncode, summary.read_text()


def verdict_of(table: str, column: str) -> str:
    """The verdict on the row in a column, from the table."""
    (line,) = [
        line for line in table.splitlines() if f"| mine | {column}" in line.replace("\\", "")
    ]
    return line.split("|")[-2].strip()


def test_a_worse_row_fails(repository: Path, tmp_path: Path) -> None:
    write_adapter(repository, offset=0.9)
    code, table = execute(repository, "main~1", tmp_path)
    assert code == 1
    assert verdict_of(table, "rmse") == "REGRESSED"
    assert "**The row fails.**" in table
    assert "40 users, 30 items, 640 ratings" in table
    assert r"base &lt;b&gt;\| of all" in table and "<b>" not in table


def test_a_better_row_passes(repository: Path, tmp_path: Path) -> None:
    write_adapter(repository, offset=0.27)
    code, table = execute(repository, "main~1", tmp_path)
    assert code == 0
    assert "The row passes." in table
    assert verdict_of(table, "rmse") == "IMPROVED"


def test_a_slower_row_fails(repository: Path, tmp_path: Path) -> None:
    """Sixty times slower, where twice is the limit, in seconds of the processor: so certain that
    what else the machine does changes nothing. Nor do other tests hold its processors: the locks
    lie in the directory for temporary files.
    """
    write_adapter(repository, seconds=0.005)
    git(repository, "commit", "-qam", "a fast base")
    write_adapter(repository, seconds=0.3)
    with tempfile.TemporaryDirectory() as own:  # not below tmp_path, too long a name for a socket
        code, table = execute(repository, "main~1", tmp_path, LIMITS_ON_TIMES, {"TMPDIR": own})
    assert code == 1
    assert verdict_of(table, "fit_seconds") == "REGRESSED"
    assert "slower in every fold, as a multiple of a fixed kernel" in table
    assert verdict_of(table, "rmse") == "PASS"


@pytest.mark.parametrize("crash", ["raise ValueError('no <i>|')", "import a_module_that_is_absent"])
def test_new_code_that_crashes_is_a_row_of_the_table(
    repository: Path, tmp_path: Path, crash: str
) -> None:
    source = (repository / "my_adapters.py").read_text()
    place = "begun = time.process_time()" if crash.startswith("raise") else "import time"
    (repository / "my_adapters.py").write_text(source.replace(place, crash))
    code, table = execute(repository, "main~1", tmp_path)
    assert code == 4
    assert verdict_of(table, "rmse") == "CRASHED"
    assert len(re.findall("ValueError|a_module_that_is_absent|a\\\\_module", table)) == 1
    assert "<i>" not in table


def test_the_first_pull_request_with_the_adapter_is_new(repository: Path, tmp_path: Path) -> None:
    git(repository, "rm", "-q", "--cached", "my_adapters.py")
    git(repository, "commit", "-q", "--amend", "-m", "nothing yet")
    code, table = execute(repository, "main~1", tmp_path)
    assert code == 0
    assert verdict_of(table, "rmse") == "NEW"
    assert "base:" in table and "no results" in table


def test_the_workflow_of_the_readme_uses_the_inputs_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    given = read_workflow_of_readme()
    assert set(given) <= set(action["inputs"])
    needed = {name for name, facts in action["inputs"].items() if facts.get("required")}
    assert needed <= set(given)
