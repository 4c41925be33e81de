"""What all command lines share: exit codes, and errors in words instead of tracebacks."""

import functools
import traceback
from collections.abc import Callable, Mapping

import typer
from rich.console import Console

from recbench.datasets.foundation.spec import UsageError

FINE, USAGE, BROKEN, INCOMPLETE, INTERRUPTED = 0, 2, 3, 4, 130

Main = Callable[..., int]
Foreseen = Mapping[
    type[Exception], tuple[str, int]
]  # what an exception is called, and its exit code


def build_application(
    *mains: Main, foreseen: Foreseen | None = None, interrupted: str = "interrupted"
) -> typer.Typer:
    """`mains`, whose results are exit codes, as a command line: one alone, or several as commands by their names.

    A UsageError is printed in one message and ends with exit code 2, and so is what else is `foreseen`. Anything
    else is a bug: exit code 3, with a traceback.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    for main in mains:
        name = main.__name__.strip("_").replace("_", "-")
        app.command(name)(
            _guarded(main, {UsageError: ("error", USAGE), **(foreseen or {})}, interrupted)
        )
    return app


def _guarded(main: Main, foreseen: Foreseen, interrupted: str) -> Callable[..., None]:
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

    @functools.wraps(main)
    def guarded(*args: object, **kwargs: object) -> None:
        try:
            code = main(*args, **kwargs)
        except tuple(foreseen) as error:
            called, code = next(foreseen[kind] for kind in type(error).__mro__ if kind in foreseen)
            errors.print(f"{called}: {error}", style="bold red")
        except KeyboardInterrupt:
            errors.print(interrupted)
            code = INTERRUPTED
        except Exception:
            traceback.print_exc()
            errors.print(
                "the bench itself broke; this is a bug, please report it", style="bold red"
            )
            code = BROKEN
        raise typer.Exit(code)

    return guarded
