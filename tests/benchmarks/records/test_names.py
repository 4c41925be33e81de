"""Names that come from files: a plan or a record from elsewhere never leads out of its
directory.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench import datasets
from recbench.benchmarks.accept import accept
from recbench.benchmarks.compare import compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.verify import verify
from recbench.datasets import UsageError
from recbench.datasets.storage.cache import Damaged, reopen_entry, sum_up_description
from recbench.reports.build import main as build
from tests.conftest import RunHere

DOES_NOT_FIT = "cannot be the name of an algorithm: expected printable text without /"
NAMES = [
    "../../../x",
    "/x",
    "..",
    ".hidden",
    "a/b",
    "a\\b",
    "c:x",
    "a\0b",
    "a\nb",
    "\u202ex",
    "\udce9",
    "x" * 101,
    "",
    5,
    None,
]


@pytest.fixture(scope="module")
def base(ratings_file: Path, run_here: RunHere, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of one algorithm on two folds."""
    directory = tmp_path_factory.mktemp("base")
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        "--algorithm",
        "item-mean",
        "--out",
        directory,
    ]
    run_here(*arguments, "--no-report", check=0)
    return directory


@pytest.fixture
def foreign(base: Path, tmp_path: Path) -> Path:
    """A whole run whose plan and records call its algorithm `../../../x`; the records are where
    that leads.
    """
    directory = Path(shutil.copytree(base, tmp_path / "a" / "b" / "foreign"))
    run = Run(directory)
    cells, about = run.read_plan()
    forged = []
    for cell in cells:
        record = run.read(cell)
        assert record is not None
        with np.load(run.path(cell, ".npz")) as arrays:
            answers = dict(arrays)
        other = replace(cell)
        object.__setattr__(other, "algorithm", "../../../x")
        run.write(replace(record, cell=other), answers)
        forged.append(other)
    run.write_plan(forged, about)
    return directory


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


COMMANDS: dict[str, Callable[[Path, Path, Path], Result]] = {
    "accept": lambda run, base, new: invoke(accept, run, new / "baseline", "--fail-on", "rmse:+1%"),
    "compare the base": lambda run, base, new: invoke(compare, run, base, "--fail-on", "rmse:+1%"),
    "compare the head": lambda run, base, new: invoke(compare, base, run, "--fail-on", "rmse:+1%"),
    "verify": lambda run, base, new: invoke(verify, run),
    "verify without data": lambda run, base, new: invoke(verify, run, "--without-data"),
    "rerun": lambda run, base, new: invoke(verify, run, "--rerun", Run(base).read_plan()[0][0].key),
    "report": lambda run, base, new: invoke(build, run, "--out", new),
    "report on several": lambda run, base, new: invoke(build, base, run, "--out", new),
}


def invoke(command: Callable[..., int], *arguments: object) -> Result:
    return CliRunner().invoke(application(command), [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_foreign_plan_leads_nowhere(
    command: str, base: Path, foreign: Path, tmp_path: Path
) -> None:
    (tmp_path / "new" / "deep" / "er").mkdir(parents=True)
    before = snapshot(tmp_path)
    result = COMMANDS[command](foreign, base, tmp_path / "new" / "deep" / "er")
    assert result.exit_code == 2, result.output
    assert (
        f"{foreign / 'plan.json'} cannot be read: '../../../x' {DOES_NOT_FIT}"
        in result.output.replace("\n", "")
    )
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_plan_or_a_record_is_checked_when_it_is_read(
    name: Any, base: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(base, tmp_path / "run"))
    record = next((directory / "records").glob("*.json"))
    fields = json.loads(record.read_text())
    fields["cell"]["algorithm"] = name
    with pytest.raises(ValueError, match=r"not a record: .*algorithm"):
        Record.with_key(json.dumps(fields))
    plan = json.loads((directory / "plan.json").read_text())
    plan["cells"][0]["algorithm"] = name
    (directory / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(
        UsageError, match=r"plan\.json cannot be read: .* cannot be the name of an algorithm"
    ):
        Run(directory).read_plan()


@pytest.mark.parametrize("name", ["../stolen", "/stolen", ".", "a/../../stolen", 5])
def test_a_column_in_the_cache_is_a_file_of_its_entry(
    name: Any, ratings_file: Path, tmp_path: Path
) -> None:
    stored = datasets.load(f"table:{ratings_file}").stored
    assert stored is not None
    entry = Path(shutil.copytree(stored, tmp_path / "a" / "entry"))
    for place in (tmp_path, tmp_path / "a"):
        shutil.copy(
            entry / "truth.npy" if (entry / "truth.npy").exists() else entry / "values.npy",
            place / "stolen.npy",
        )
    about = json.loads((entry / "about.json").read_text())
    about["columns"][name] = (tmp_path / "stolen.npy").stat().st_size
    about["sha256"] = sum_up_description(json.loads(json.dumps(about)))
    (entry / "about.json").write_text(json.dumps(about))
    with pytest.raises(Damaged, match="is no column"):
        reopen_entry(entry)
