"""The command lines of the bench: those of `datasets.foundation`, and what breaks the bench."""

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
    build_application,
    end_in_order,
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
    build_application,
    foreseen={HarnessError: ("the bench itself broke", BROKEN)},
    interrupted="interrupted: finished cells are kept, and the same command goes on from here",
)


def serve(main: Main) -> None:
    """Run `main` as the command line of this process."""
    recbench.forget_short_names()
    end_in_order()
    application(main)()


def import_plugin(module: str) -> None:
    """Import a module with more adapters, which may lie in the working directory.

    UsageError if it cannot be imported, with what to write where it uses the short name of ours.
    """
    # Last on the path, as in the processes of the cells: in front, the root of a checkout would
    # hide another package called `datasets` from the plug-in.
    working_directory = str(Path.cwd())
    sys.path.append(working_directory)
    try:
        # Whatever it does, relative paths on the command line mean the same afterwards.
        with contextlib.chdir(working_directory):
            importlib.import_module(module)
    except (Exception, SystemExit) as error:  # it is the user's code: anything can happen in it
        problem = f"--plugin {module}: cannot import it: {type(error).__name__}: {error}"
        advice = recbench.advise_on_short_name(error)
        raise UsageError(f"{problem} {advice}".rstrip()) from None
    finally:
        _remove_last(working_directory)


def _remove_last(entry: str) -> None:
    """Take the last `entry` off Python's path, unless the imported module has done so itself."""
    for place in reversed(range(len(sys.path))):
        if sys.path[place] == entry:
            del sys.path[place]
            return
