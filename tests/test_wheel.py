"""One name: what a wheel of recbench installs, beside another package that is called `datasets`."""

import ast
import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import recbench
from recbench.benchmarks.records import Run
from tests.conftest import ROOT

# What Hugging Face's `datasets` is to us: a package of that name, with modules called as ours are.
THEIR_FILES = {
    "datasets/__init__.py": "NUMBER = 4.0\n",
    "datasets/ratings.py": "NUMBER = 2.0\n",
    "datasets/splits.py": "",
}

# A plug-in that needs both. It notes which modules are loaded, in the run and in the cell.
NEEDS_BOTH = '''
import atexit, json, os, sys
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
from recbench.adapters.base import Recommender

def note_modules(place):
    loaded = [
        [name, id(module), os.path.realpath(module.__file__)]
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None)
    ]
    path = Path(os.environ["NOTES"], f"{place}-{os.getpid()}.json")
    path.write_text(json.dumps(loaded))

atexit.register(note_modules, "run")

@dataclass(eq=False)
class TheirNumber(Recommender):
    """The sum of two numbers that the other package called datasets knows, for every pair."""

    name = "their-number"
    family = "theirs"
    predicts = "ratings"

    def fit(self, data, seed):
        import datasets.ratings
        self.number_ = datasets.NUMBER + datasets.ratings.NUMBER - 3
        note_modules("cell")

    def score(self, users, items):
        return np.full(len(users), self.number_, np.float32)
'''


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it has printed, in one line."""

    exit_code: int
    text: str


def run_command(
    command: Iterable[object],
    *,
    directory: Path,
    more: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> Outcome:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=variables | dict(more or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Outcome(result.returncode, " ".join((result.stdout + result.stderr).split()))


def run_pip(arguments: Iterable[object], *, directory: Path, more: Mapping[str, str]) -> Outcome:
    quietly = ["--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", *quietly, *arguments]
    return run_command(command, directory=directory, more=more)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent

    with (base / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(base.glob("wheel/*.whl")):
            build_wheel(base)
    return next(base.glob("wheel/*.whl"))


def build_wheel(base: Path) -> None:
    """Build from a copy without the `build` of an older layout; skip if there is no setuptools."""
    copy = base / "source"
    left_out = shutil.ignore_patterns(".*", "build", "runs", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out, dirs_exist_ok=True)

    locked = str(ROOT / "requirements-build.lock")
    constraints = {"PIP_CONSTRAINT": locked, "PIP_BUILD_CONSTRAINT": locked}
    isolation = ["--no-build-isolation"] if has_setuptools() else []
    arguments = ["wheel", "--no-deps", *isolation, "--wheel-dir", base / "wheel", copy]
    outcome = run_pip(arguments, directory=base, more=constraints)
    if "No matching distribution found for setuptools" in outcome.text:
        pytest.skip("no registry can bring the setuptools with which wheels are built")
    assert outcome.exit_code == 0, outcome.text


def has_setuptools() -> bool:
    """Whether this environment's setuptools can build recbench; a new venv's is too old."""
    needed = re.search(r'"setuptools>=(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert needed
    try:
        return int(version("setuptools").partition(".")[0]) >= int(needed[1])
    except PackageNotFoundError:
        return False


def make_their_wheel(directory: Path) -> Path:
    """A distribution called `datasets`, of nothing but THEIR_FILES."""
    about = "datasets-1.0.dist-info"
    files = THEIR_FILES | {
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: datasets\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{about}/RECORD,,"]
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record.append(f"{name},sha256={digest.decode().rstrip('=')},{len(text)}")

    path = directory / "datasets-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{about}/RECORD", "\n".join(record) + "\n")
    return path


class Scratch:
    """An environment with the given wheels and the packages of this one, but for its recbench.

    Those packages come by a path file, whose entries are not searched for path files in turn, so
    the editable recbench of this environment is not seen.
    """

    def __init__(self, directory: Path, wheels: Iterable[Path]) -> None:
        self.directory = directory
        self.variables = {
            "RECBENCH_DATA": str(directory / "data"),
            "NOTES": str(directory / "notes"),
            "COLUMNS": "200",
        }
        (directory / "notes").mkdir(parents=True)

        create = [sys.executable, "-m", "venv", "--without-pip", directory / "env"]
        assert run_command(create, directory=directory).exit_code == 0
        self.packages = next((directory / "env" / "lib").glob("*/site-packages"))

        install = ["install", "--no-deps", "--no-index", "--no-compile", *wheels]
        self.pip(*install)
        self.path_file = self.packages / "shared.pth"
        self.path_file.write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *arguments: object) -> None:
        target = ["--python", self.directory / "env"]
        outcome = run_pip([*target, *arguments], directory=self.directory, more={})
        assert outcome.exit_code == 0, outcome.text

    def uninstall(self, name: str) -> None:
        # Without the path file pip cannot even see the packages that are shared.
        self.path_file.unlink()
        self.pip("uninstall", "--yes", name)

    def run(self, program: str, *arguments: object) -> Outcome:
        """Run a program of the environment in its directory, which is no checkout."""
        command = [self.directory / "env" / "bin" / program, *arguments]
        return run_command(command, directory=self.directory, more=self.variables)


def loaded_modules(notes: Path, place: str) -> list[tuple[str, int, Path]]:
    """The name, identity and file of each module that a process at `place` had loaded."""
    paths = sorted(notes.glob(f"{place}-*.json"))
    assert paths
    return [
        (name, identity, Path(file))
        for path in paths[:1]
        for name, identity, file in json.loads(path.read_text())
    ]


def assert_one_name_each(notes: Path, home: Path) -> None:
    """No file below `home` is loaded twice, in the run or in a cell; `datasets` is theirs."""
    folders = [(home / package).resolve() for package in recbench.PACKAGES]
    for place in ("run", "cell"):
        modules = loaded_modules(notes, place)
        identities = defaultdict(set)
        for _, identity, file in modules:
            if any(file.is_relative_to(folder) for folder in folders):
                identities[file].add(identity)
        assert len(identities) > 20  # they were looked for where they are
        assert [file for file, several in identities.items() if len(several) > 1] == []

        by_short_name = {name: file for name, _, file in modules if name in recbench.PACKAGES}
        assert set(by_short_name) == {"datasets"}
        assert by_short_name["datasets"].parent.parent.name == "site-packages"


def statuses(directory: Path) -> dict[str, set[str]]:
    """How the cells of each algorithm ended."""
    found = defaultdict(set)
    for record in Run(directory).records():
        found[record.cell.algorithm].add(record.status)
    return dict(found)


def plugin_of_the_readme() -> str:
    blocks: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    return next(block for block in blocks if "(Recommender)" in block)


# What can be seen without building anything


def test_pyproject_names_every_package_and_every_file_that_is_no_module() -> None:
    """The list is written by hand: a room that it forgets is missing in the wheel only."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {"recbench"}
    for package in recbench.PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            packages.add(".".join(["recbench", *path.parent.relative_to(ROOT).parts]))
    assert settings["packages"] == sorted(packages)

    folders = {f"recbench.{package}": package for package in recbench.PACKAGES}
    assert settings["package-dir"] == folders


@pytest.mark.parametrize("package", recbench.PACKAGES)
def test_what_python_m_itself_imports_holds_no_state(package: str) -> None:
    """`python -m benchmarks.run` loads `benchmarks/__init__.py` under its short name as well."""
    for node in ast.parse((ROOT / package / "__init__.py").read_text()).body:
        text = ast.unparse(node)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_guard = text == "recbench.refuse_short_name(__name__)"
        assert is_import or is_docstring or is_guard or text.startswith("__all__ = ["), text


# The wheel


@pytest.mark.slow
def test_the_wheel_holds_one_name_and_every_file(wheel: Path) -> None:
    expected = {
        f"recbench/{name}" for name in ("__init__.py", "command.py", "py.typed", "pytest_plugin.py")
    }
    for package in recbench.PACKAGES:
        for path in (ROOT / package).rglob("*"):
            inside = path.relative_to(ROOT)
            is_output = inside.parts[:2] in (("reports", "published"), ("reports", "baselines"))
            if path.is_file() and "__pycache__" not in inside.parts and not is_output:
                expected.add(f"recbench/{inside.as_posix()}")

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == expected


@pytest.mark.slow
def test_beside_another_package_called_datasets(
    wheel: Path, ratings_file: Path, tmp_path: Path
) -> None:
    """Both work in one process, commands work anywhere, uninstalling leaves theirs whole."""
    scratch = Scratch(tmp_path, [wheel, make_their_wheel(tmp_path)])
    (tmp_path / "my_module.py").write_text(plugin_of_the_readme())
    (tmp_path / "needs_both.py").write_text(NEEDS_BOTH)

    arguments: list[object] = ["--dataset", f"table:{ratings_file}", "--folds", 2, "--out", "out"]
    arguments += ["--plugin", "my_module", "--algorithm", "my-user-mean"]
    arguments += ["--plugin", "needs_both", "--algorithm", "their-number"]
    outcome = scratch.run("recbench", "run", *arguments, "--algorithm", "item-mean")
    assert outcome.exit_code == 0, outcome.text

    expected = {name: {"ok"} for name in ("item-mean", "my-user-mean", "their-number")}
    assert statuses(tmp_path / "out") == expected
    assert_one_name_each(tmp_path / "notes", scratch.packages / "recbench")

    # What is printed can be typed there.
    about = json.loads((tmp_path / "out" / "plan.json").read_text())["about"]
    assert about["command"].startswith("recbench run --dataset")
    assert about["reproduce"].startswith("recbench run --dataset")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "python -m" not in report and "\nrecbench verify DIR --rerun KEY\n" in report

    # The fixture is there for any project; without bytecode of pytest's, which pip does not know.
    test = "def test_mine(recbench_gate): recbench_gate('x', 'mine', fail_on='rmse:+1%')\n"
    (tmp_path / "test_mine.py").write_text(test)
    gated = scratch.run("python", "-B", "-m", "pytest", "-p", "no:cacheprovider", "test_mine.py")
    assert gated.exit_code == 1, gated.text
    assert "recbench_gate: there is no baseline at" in gated.text
    assert "pytest test_mine.py::test_mine --recbench-update" in gated.text

    theirs = {name: scratch.packages / name for name in THEIR_FILES}
    scratch.uninstall("recbench")
    assert {name: path.read_text() for name, path in theirs.items()} == THEIR_FILES
    assert scratch.run("python", "-c", "import datasets.ratings").exit_code == 0
    assert not (scratch.packages / "recbench").exists()
    assert not (tmp_path / "env" / "bin" / "recbench").exists()


@pytest.mark.slow
def test_a_plugin_of_the_old_names_is_told_what_to_write_beside_the_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    scratch = Scratch(tmp_path, [wheel])
    (tmp_path / "old_adapter.py").write_text("from adapters.base import Recommender\n")
    outcome = scratch.run("recbench", "run", "--dataset", "filmtrust", "--plugin", "old_adapter")
    assert outcome.exit_code == 2
    assert "If recbench's is meant, write recbench.adapters" in outcome.text
    assert "`from recbench.adapters.base import Recommender`" in outcome.text

    outcome = scratch.run("recbench", "no-such-command")
    assert outcome.exit_code == 2
    assert "unknown command 'no-such-command' usage: recbench COMMAND" in outcome.text


# The checkout


@pytest.mark.slow
def test_a_checkout_beside_another_package_called_datasets(
    ratings_file: Path, tmp_path: Path
) -> None:
    """`python -m benchmarks.run`, from the root, with a plug-in that needs theirs."""
    their_home = tmp_path / "site-packages"
    with zipfile.ZipFile(make_their_wheel(tmp_path)) as archive:
        archive.extractall(their_home)
    (their_home / "needs_both.py").write_text(NEEDS_BOTH)
    (tmp_path / "notes").mkdir()

    arguments: list[object] = ["--dataset", f"table:{ratings_file}", "--folds", 2, "--no-report"]
    arguments += [
        "--plugin",
        "needs_both",
        "--algorithm",
        "their-number",
        "--out",
        tmp_path / "out",
    ]
    variables = {"PYTHONPATH": str(their_home), "NOTES": str(tmp_path / "notes")}
    command = [sys.executable, "-m", "benchmarks.run", *arguments]
    outcome = run_command(command, directory=ROOT, more=variables)
    assert outcome.exit_code == 0, outcome.text
    assert statuses(tmp_path / "out") == {"their-number": {"ok"}}
    assert_one_name_each(tmp_path / "notes", ROOT)


@pytest.mark.slow
def test_a_plugin_of_the_old_names_is_told_what_to_write_in_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "old_adapter.py").write_text("from adapters.base import Recommender\n")
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", "filmtrust"]
    command += ["--plugin", "old_adapter"]
    outcome = run_command(command, directory=ROOT, more={"PYTHONPATH": str(tmp_path)})
    assert outcome.exit_code == 2
    assert "write recbench.adapters for adapters" in outcome.text
    assert "`from recbench.adapters.base import Recommender`" in outcome.text
