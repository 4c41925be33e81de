"""What the README promises by example, and the names on its tour of the source."""

import ast
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.export import export
from recbench.benchmarks.records.record import Run
from tests.benchmarks.console.test_command_line import bench
from tests.conftest import ROOT, RunBench
from tests.foreign_program import answer_folds


def test_the_algorithm_of_the_readme_is_one_file_and_runs(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    [source] = [code for code in blocks if "(Recommender):" in code]
    (tmp_path / "my_module.py").write_text(source)
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--plugin",
        "my_module",
        "--algorithm",
        "my-user-mean",
    ]
    arguments += ["--folds", "2", "--no-report", "--out", str(tmp_path / "out")]
    run_bench(*arguments, path=tmp_path, check=0)
    assert [record.status for record in Run(tmp_path / "out").records()] == ["ok", "ok"]
    assert len(source.splitlines()) <= 25


@pytest.mark.slow
def test_every_command_of_the_readme_is_accepted(
    ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [f"table:{ratings_file}", "--folds", "5", "--out", "folds"]
    assert CliRunner().invoke(application(export), arguments).exit_code == 0
    answer_folds(Path("folds"), Path("mine"))

    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^python -m benchmarks\.run (.*?)(?: +#.*)?$", readme, re.M)
    assert len(commands) >= 4
    for command in commands:
        options = re.sub(r"--dataset +(\"[^\"]*\"|\S+)", "", command).replace('"', "").split()
        given = ["--dataset", f"table:{ratings_file}", *options, "--out", tmp_path / "out"]
        result = bench(*given, "--dry-run")
        assert result.exit_code == 0, result.output


MOST_LINES = 600  # of the tour: what one reads in thirty minutes


def tour_stops() -> list[tuple[Path, str]]:
    """The files and the names in them that the tour leads to, in its order."""
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Thirty minutes with the source")[2].partition("\n## ")[0]
    stops = []
    for path, names in re.findall(r"`([\w/]+\.py)` \(((?:`[\w.]+`(?:,\s+)?)+)\)", section):
        stops += [(ROOT / path, name) for name in re.findall(r"`([\w.]+)`", names)]
    return stops


def definition_of(path: Path, name: str) -> ast.stmt:
    """The function, class or method (`Class.method`) of this name; fails if there is none."""
    body = ast.parse(path.read_text()).body
    for part in name.split("."):
        found = [
            node
            for node in body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == part
        ]
        assert len(found) == 1, f"{path.relative_to(ROOT)} has no {name}"
        node = found[0]
        body = node.body
    return node


def test_the_tour_of_the_source_leads_to_what_is_there_and_is_short() -> None:
    stops = tour_stops()
    assert len(stops) >= 12
    n_lines = 0
    for path, name in stops:
        node = definition_of(path, name)
        assert node.end_lineno is not None
        n_lines += node.end_lineno - node.lineno + 1
    assert n_lines <= MOST_LINES
