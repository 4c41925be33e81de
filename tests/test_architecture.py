"""The laws of the house that can be read off the source."""

import ast
import re
import subprocess
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("datasets", "adapters", "benchmarks", "reports")  # each may import those before it

# They put everything together, so they may reach up, to build a report at the end.
COMPOSITION_ROOTS = ("benchmarks/api.py", "benchmarks/history.py")

# Its exports are its modules, so that the code behind an adapter's answers is known exactly.
EXPORTS_MODULES = "recbench.adapters.shared"

MOST_NAMES = 15  # of files and folders in a room
MOST_ROOMS = 12  # of benchmarks
COMMANDS = {
    "accept",
    "behave",
    "blend",
    "check",
    "compare",
    "doctor",
    "export",
    "history",
    "list",
    "merge",
    "new_adapter",
    "recommend",
    "run",
    "train",
    "verify",
}


@dataclass(frozen=True)
class Import:
    """What one import statement names: `from module import name`, or `import module`."""

    module: str
    name: str | None


def module_name(path: Path) -> str:
    """The dotted name of a source file; a package's `__init__` has that of the package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(["recbench", *parts])


SOURCES = {
    module_name(path): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
ROOMS = sorted(
    name
    for name, path in SOURCES.items()
    if path.name == "__init__.py" and name.count(".") > 1  # the four packages are no rooms
)


def room_of(module: str) -> str:
    """The innermost room in which a module lies; a module at the top of a package is its own."""
    parts = module.split(".")
    for length in range(len(parts), 2, -1):
        candidate = ".".join(parts[:length])
        if candidate in ROOMS:
            return candidate
    return module


def imports_of(path: Path) -> list[Import]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative import"
            found += [Import(node.module, alias.name) for alias in node.names]
    return found


def imported_module(statement: Import) -> str:
    """The module of the house that is meant: `from package import module` names the module."""
    inside = f"{statement.module}.{statement.name}"
    return inside if inside in SOURCES else statement.module


def exports_of(room: str) -> set[str]:
    """What stands in the `__all__` of a room's `__init__`."""
    for node in ast.parse(SOURCES[room].read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


every_source = pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES.keys())
every_room = pytest.mark.parametrize("room", ROOMS)


@every_source
def test_imports_follow_the_one_arrow(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if name in COMPOSITION_ROOTS:
        return
    above = PACKAGES[PACKAGES.index(name.partition("/")[0]) + 1 :]
    reached = {imported_module(statement) for statement in imports_of(path)}
    upwards = {
        module for module in reached if module.startswith(tuple(f"recbench.{p}" for p in above))
    }
    assert not upwards


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_do_not_import_each_other_in_a_circle(package: str) -> None:
    arrows: dict[str, set[str]] = {}
    for module, path in SOURCES.items():
        if not module.startswith(f"recbench.{package}."):
            continue
        here = room_of(module)
        reached = {room_of(imported_module(statement)) for statement in imports_of(path)}
        inside = {room for room in reached if room.startswith(f"recbench.{package}.")}
        arrows.setdefault(here, set()).update(inside - {here})
    try:
        tuple(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        pytest.fail(f"rooms in a circle: {' -> '.join(error.args[1])}")


@every_source
def test_other_rooms_are_entered_by_their_doors(path: Path) -> None:
    """What is imported from a room stands in its `__all__`, or the room exports its modules."""
    here = room_of(module_name(path))
    for statement in imports_of(path):
        module = imported_module(statement)
        there = room_of(module)
        if there not in ROOMS or there == here or here.startswith(f"{there}."):
            continue
        if there == EXPORTS_MODULES:
            assert module != there, f"{statement}: name the module"
            continue
        assert statement.module == there, f"{statement} goes past the door of {there}"
        assert statement.name in exports_of(there), f"{there} exports no {statement.name}"


@every_source
def test_no_private_name_crosses_a_room(path: Path) -> None:
    here = room_of(module_name(path))
    for statement in imports_of(path):
        if room_of(imported_module(statement)) != here:
            names = [*statement.module.split("."), statement.name or ""]
            private = [name for name in names if name.startswith("_") and name != "__future__"]
            assert not private, statement


@every_source
def test_all_imports_go_by_the_one_name(path: Path) -> None:
    first_names = {statement.module.partition(".")[0] for statement in imports_of(path)}
    assert not first_names & set(PACKAGES)


@every_room
def test_a_room_says_what_it_is_and_holds_no_more_than_one_can_see(room: str) -> None:
    folder = SOURCES[room].parent
    documented = ast.get_docstring(ast.parse(SOURCES[room].read_text())) or ""
    assert len(re.findall(r"[.:](\s|$)", documented)) >= 2, (
        "say what lives there and who may come in"
    )
    names = [path.name for path in folder.iterdir() if not path.name.startswith(("__", "."))]
    assert len(names) <= MOST_NAMES


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_shows_its_rooms_at_a_glance(package: str) -> None:
    paths = [path for path in (ROOT / package).iterdir() if not path.name.startswith(("__", "."))]
    if package != "benchmarks":
        assert len(paths) <= MOST_NAMES
        return
    files = {path.stem for path in paths if path.is_file()}
    assert files <= COMMANDS | {"api"}
    assert len(paths) - len(files) <= MOST_ROOMS


@every_source
def test_only_command_lines_print_and_nobody_unpickles(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "print" not in calls
    assert not {"pickle", "joblib", "dill"} & {statement.module for statement in imports_of(path)}
    assert "allow_pickle=True" not in path.read_text()


# Where anything at all may be raised, and what becomes of it.
BROAD = {
    # whatever breaks a worker's pool is heard of by who waits for a cell; and what a worker that
    # lacks our modules may raise
    "cluster.py": 2,
    "command_line.py": 1,  # a bug of the bench itself: traceback and exit code 3
    # a cell that did not even start: traceback in its log; its last flush; and a library's import
    "forkserver.py": 3,
    "laws.py": 1,  # what an author's algorithm raises breaks a law of the contract
    "keeper.py": 1,  # an algorithm's failure becomes a message to the keeper
    # what fails on a toy is only noted; and of a latency that cannot be measured, the reason
    "subject.py": 2,
    "worker.py": 1,  # an algorithm's failure becomes a status
}


@pytest.mark.slow
def test_exceptions_are_caught_by_name_but_for_a_few_places() -> None:
    found: dict[str, int] = {}
    for path in SOURCES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            caught = node.type if isinstance(node, ast.ExceptHandler) else None
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "suppress":
                caught = node.args[0]
            is_broad = caught is not None and re.search(r"'(Base)?Exception'", ast.dump(caught))
            if is_broad and "raise" not in ast.unparse(node).split("\n")[-1]:
                found[path.name] = found.get(path.name, 0) + 1
            is_bare = isinstance(node, ast.ExceptHandler) and node.type is None
            assert not is_bare, f"{path}: bare except"
    assert found == BROAD


def test_no_data_set_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout, so there is no list of the repository's files")
    endings = (".zip", ".whl", ".npy", ".npz", ".parquet", ".inter", ".data", ".dat")
    ours = ("tests/historic/", "reports/baselines/")  # made up; sums of errors
    names = [name for name in listed.stdout.splitlines() if not name.startswith(ours)]
    assert not [name for name in names if name.endswith(endings)]
