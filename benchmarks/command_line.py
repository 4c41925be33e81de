"""What all command lines share: exit codes, and errors in words instead of tracebacks."""

import functools
import traceback
from collections.abc import Callable

import typer
from rich.console import Console

from benchmarks.pool import HarnessError
from datasets.spec import UsageError

FINE, USAGE, BROKEN, INCOMPLETE, INTERRUPTED = 0, 2, 3, 4, 130


def application(main: Callable[..., int]) -> typer.Typer:
    """`main`, whose result is the exit code, as a command line.

    A UsageError is printed in one message and ends with exit code 2. Anything unforeseen is the bench's own fault:
    exit code 3, with a traceback.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

    @functools.wraps(main)
    def guarded(*args: object, **kwargs: object) -> None:
        try:
            code = main(*args, **kwargs)
        except UsageError as error:
            errors.print(f"error: {error}", style="bold red")
            code = USAGE
        except HarnessError as error:
            errors.print(f"the bench itself broke: {error}", style="bold red")
            code = BROKEN
        except KeyboardInterrupt:
            errors.print("interrupted: finished cells are kept, and the same command goes on from here")
            code = INTERRUPTED
        except Exception:
            traceback.print_exc()
            errors.print("the bench itself broke; this is a bug, please report it", style="bold red")
            code = BROKEN
        raise typer.Exit(code)

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(guarded)
    return app


def serve(main: Callable[..., int]) -> None:
    """Run `main` as the command line of this process."""
    application(main)()
