"""The laws of the house that can be read off the source."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = ["datasets", "adapters", "benchmarks", "reports"]


def sources() -> list[Path]:
    return [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_one_arrow(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = LAYERS[layer + 1 :]
    if path == ROOT / "benchmarks" / "run.py":
        return  # the composition root builds the report at the end
    assert not {
        name
        for name in imported(path)
        if name.startswith(tuple(f"recbench.{layer}" for layer in above))
    }


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_all_imports_go_by_the_one_name(path: Path) -> None:
    assert not {name for name in imported(path) if name.partition(".")[0] in LAYERS}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_command_lines_print_and_nobody_unpickles(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "print" not in calls
    assert not {"pickle", "joblib", "dill"} & imported(path)
    assert "allow_pickle=True" not in path.read_text()


# Where anything at all may be raised, and what becomes of it.
BROAD = {
    "command_line.py": 1,  # a bug of the bench itself: traceback and exit code 3
    "forkserver.py": 2,  # a cell that did not even start: traceback in its log; and its last flush
    "worker.py": 2,  # an algorithm's failure becomes a status; its failure on a toy is only noted
}


def test_exceptions_are_caught_by_name_but_for_a_few_places() -> None:
    found: dict[str, int] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            caught = node.type if isinstance(node, ast.ExceptHandler) else None
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "suppress":
                caught = node.args[0]
            broad = caught is not None and re.search(r"'(Base)?Exception'", ast.dump(caught))
            if (
                broad and "raise" not in ast.unparse(node).split("\n")[-1]
            ):  # another error in its place is fine
                found[path.name] = found.get(path.name, 0) + 1
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), (
                f"{path}: bare except"
            )
    assert found == BROAD


def test_no_data_set_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout, so there is no list of the repository's files")
    endings = (".zip", ".whl", ".npy", ".npz", ".parquet", ".inter", ".data", ".dat")
    ours = ("tests/historic/", "reports/baselines/")  # made up; sums of errors
    names = [name for name in listed.stdout.splitlines() if not name.startswith(ours)]
    assert not [name for name in names if name.endswith(endings)]
