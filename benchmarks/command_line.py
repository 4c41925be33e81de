"""The command lines of the bench: those of `datasets.command_line`, which also know what breaks the bench."""

import functools

from benchmarks.pool import HarnessError
from datasets import command_line
from datasets.command_line import BROKEN, FINE, INCOMPLETE, INTERRUPTED, USAGE, Main

__all__ = ["BROKEN", "FINE", "INCOMPLETE", "INTERRUPTED", "USAGE", "application", "serve"]

application = functools.partial(
    command_line.application,
    foreseen={HarnessError: ("the bench itself broke", BROKEN)},
    interrupted="interrupted: finished cells are kept, and the same command goes on from here",
)


def serve(main: Main) -> None:
    """Run `main` as the command line of this process."""
    application(main)()
