"""The command lines of the bench: those of `datasets.foundation`, which also know what breaks the bench."""

import contextlib
import functools
import importlib
import sys
from pathlib import Path

import recbench
from recbench.benchmarks.execution import HarnessError
from recbench.datasets.foundation import (
    BROKEN,
    FINE,
    INCOMPLETE,
    INTERRUPTED,
    USAGE,
    Main,
    UsageError,
    command_line,
)

__all__ = [
    "BROKEN",
    "FAILED",
    "FINE",
    "INCOMPLETE",
    "INTERRUPTED",
    "USAGE",
    "application",
    "import_plugin",
    "serve",
]

FAILED = 1  # a gate or a verification: what was asked for was done, and the answer is no

application = functools.partial(
    command_line.application,
    foreseen={HarnessError: ("the bench itself broke", BROKEN)},
    interrupted="interrupted: finished cells are kept, and the same command goes on from here",
)


def serve(main: Main) -> None:
    """Run `main` as the command line of this process."""
    recbench.forget_short_names()
    application(main)()


def import_plugin(module: str) -> None:
    """Import a module with more adapters, which may lie in the working directory; UsageError if it cannot be."""
    working_directory = str(Path.cwd())
    sys.path.insert(0, working_directory)
    try:
        with contextlib.chdir(
            working_directory
        ):  # relative paths on the command line mean the same afterwards
            importlib.import_module(module)
    except (Exception, SystemExit) as error:  # it is the user's code: anything can happen in it
        raise UsageError(
            f"--plugin {module}: cannot import it: {type(error).__name__}: {error}"
        ) from None
    finally:
        with contextlib.suppress(ValueError):  # the module has taken it away itself
            sys.path.remove(working_directory)
