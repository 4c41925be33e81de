"""Commands as processes that need not import libraries first.

A new process of `python -m benchmarks.run` spends most of its time on imports of NumPy, SciPy,
pydantic and the like. Here one process, for each worker of pytest-xdist, has imported them, and
forks for each command: the fork gets the arguments, environment, directory, path and streams that
a new process would have, imports recbench again if it shall come from elsewhere, and runs the
module as `python -m` does. How Python itself starts a command is left to tests that start one.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What importing ours sets in the environment, such as the backend of Keras, a command has too.
ENVIRONMENT_BEFORE = dict(os.environ)

# Nothing that starts a thread when it is imported, which a fork would lose.
PRELOADED = (
    __name__,  # first, so that it knows the environment of before
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.dates",
    "matplotlib.figure",
    "numba",
    "numpy",
    "platformdirs",
    "polars",
    "psutil",
    "pydantic",
    "rich.live",
    "rich.progress",
    "rich.table",
    "scipy.sparse.linalg",
    "scipy.special",
    "scipy.stats",
    "threadpoolctl",
    "typer",
    "recbench.benchmarks.run",
    "recbench.reports.build",
)


@dataclass(frozen=True)
class Command:
    """What a process is told: a module with its arguments, and where it finds what it needs."""

    module: str
    arguments: list[str]
    directory: Path
    environment: dict[str, str]
    library_path: list[str]  # of Python, without what the environment and the directory add
    streams: Path  # a directory with the files `input`, `output` and `errors`


class Commands:
    """Runs commands in forks of a process that has imported the libraries."""

    def __init__(self) -> None:
        """Start the process; it imports while the caller does other things."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))
        outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ask = [sys.executable, "-P", "-c", "import sys; print(*sys.path, sep='\\n')"]
        answer = subprocess.run(ask, env=outside, capture_output=True, text=True, check=True)
        self._library_path = answer.stdout.splitlines()
        with chdir("/"), module_path(ROOT):  # so that ours is found as the tests find it
            forkserver.ensure_running()

    def run(
        self,
        module: str,
        arguments: Sequence[object],
        environment: Mapping[str, str],
        *,
        directory: Path = ROOT,
        typed: str = "",
        timeout: float = 300,
    ) -> "subprocess.CompletedProcess[str]":
        """What comes of `python -m module arguments`, which gets `typed` as its input.

        TimeoutExpired if it takes longer than `timeout` seconds.
        """
        words = [str(argument) for argument in arguments]
        with tempfile.TemporaryDirectory() as streams:
            command = Command(
                module, words, directory, dict(environment), self._library_path, Path(streams)
            )
            (command.streams / "input").write_text(typed)
            process = self._context.Process(target=become, args=[command])
            process.start()
            process.join(timeout)
            if process.exitcode is None:
                process.kill()
                raise subprocess.TimeoutExpired([module, *words], timeout)

            code = process.exitcode
            process.close()
            output = (command.streams / "output").read_text()
            errors = (command.streams / "errors").read_text()
        return subprocess.CompletedProcess([module, *words], code, output, errors)


@contextmanager
def module_path(directory: Path) -> Iterator[None]:
    """Have processes that are started meanwhile look for modules in `directory`, too."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(directory)
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def become(command: Command) -> None:
    """Be the process of `command`: SystemExit or another exception ends it as it would end that."""
    for number, name, flags in (
        (0, "input", os.O_RDONLY),
        (1, "output", os.O_WRONLY | os.O_CREAT),
        (2, "errors", os.O_WRONLY | os.O_CREAT),
    ):
        descriptor = os.open(command.streams / name, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # streams end with the process
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115

    set_by_imports = os.environ.keys() - ENVIRONMENT_BEFORE.keys()
    from_imports = {name: os.environ[name] for name in set_by_imports}
    os.environ.clear()
    os.environ.update(from_imports | command.environment)
    os.chdir(command.directory)

    added = command.environment.get("PYTHONPATH", "")
    more = [str(Path(entry).absolute()) for entry in added.split(os.pathsep) if entry]
    sys.path[:] = [str(command.directory), *more, *command.library_path]
    forget_modules("tests")
    if not is_ours(sys.path):
        forget_modules("recbench")
    sys.argv[:] = ["-m", *command.arguments]
    try:
        runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()


def is_ours(path: Sequence[str]) -> bool:
    """Whether what is found as recbench on `path` is the copy beside these tests, and is loaded."""
    homes = [Path(entry) for entry in path if Path(entry, "recbench", "__init__.py").exists()]
    loaded = sys.modules.get("recbench")
    is_loaded = loaded is not None and Path(loaded.__file__ or "").parent.parent == ROOT
    return is_loaded and bool(homes) and homes[0].resolve() == ROOT


def forget_modules(package: str) -> None:
    """Have the modules of a package imported again when they are next needed."""
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            del sys.modules[name]
