"""What the README promises by example."""

import re
from pathlib import Path

from recbench.benchmarks.records.record import Run
from tests.conftest import ROOT, RunBench


def test_the_algorithm_of_the_readme_is_one_file_and_runs(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    source = next(
        code for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    )
    (tmp_path / "my_module.py").write_text(source)
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--plugin",
        "my_module",
        "--algorithm",
        "my-user-mean",
    ]
    run_bench(*arguments, "--folds", 2, "--out", tmp_path / "out", path=tmp_path, check=0)
    assert [record.status for record in Run(tmp_path / "out").records()] == ["ok", "ok"]
    assert len(source.splitlines()) <= 25


def test_every_command_of_the_readme_is_accepted(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^python -m benchmarks\.run (.*?)(?: +#.*)?$", readme, re.M)
    assert len(commands) >= 4
    for command in commands:
        options = re.sub(r"--dataset +(\"[^\"]*\"|\S+)", "", command).replace('"', "").split()
        run_bench(
            "--dataset", f"table:{ratings_file}", *options, "--dry-run", "--out", tmp_path, check=0
        )
