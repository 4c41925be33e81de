"""What all command lines share: exit codes, and errors in words instead of tracebacks.

Everybody imports this room, also the processes of cells, which print nothing: what prints and
parses options is imported when a command line is built.
"""

import contextlib
import errno
import functools
import signal
import traceback
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from recbench.datasets.foundation.legible import open_console
from recbench.datasets.foundation.spec import UsageError

if TYPE_CHECKING:
    import typer
    import typer.core
    from rich.console import Console

# Exit codes; 1 is left to those who answer a question with no, as the gate does.
FINE = 0
USAGE = 2
BROKEN = 3
INCOMPLETE = 4
INTERRUPTED = 130
SIGNALLED = 128  # and the number of the signal
STOPPING = (signal.SIGTERM, signal.SIGHUP)  # like Ctrl-C: everything is put in order first


class Stopped(KeyboardInterrupt):
    """Somebody has sent SIGTERM, or the terminal was closed."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


Main = Callable[..., int]
# What the user can mend: a full disk, a file that may not be written, too many open files.
OF_THE_MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EFBIG,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.ENFILE,
}
NO_MEMORY = (
    "the memory of this machine does not suffice for this. What was written before is kept: free "
    "some, or take smaller data, and run the same command again"
)

# What `--help` calls values of these types.
VALUE_WORDS: dict[object, str] = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}

# What an exception is called in its message, and the exit code.
Foreseen = Mapping[type[Exception], tuple[str, int]]


def build_application(
    *mains: Main, foreseen: Foreseen | None = None, interrupted: str = "interrupted"
) -> "typer.Typer":
    """`mains`, whose results are exit codes, as a command line.

    One alone, or several as commands by their names. A UsageError is printed in one message and
    ends with exit code 2, and so is what else is `foreseen`, with its own code. Ctrl-C prints
    `interrupted`, and so does a signal after `end_in_order`. Anything else is a bug: exit code 3,
    with a traceback.
    """
    import typer
    import typer.core

    known_errors: dict[type[Exception], tuple[str, int]] = {UsageError: ("error", USAGE)}
    known_errors.update(foreseen or {})

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    for main in mains:
        # A function may end in "_" so as not to hide a built-in: `list_` is the command "list".
        name = main.__name__.strip("_").replace("_", "-")
        _name_values(main)
        add_command = app.command(name, cls=_make_command_class())
        add_command(_guard_main(main, known_errors, interrupted))
    return app


def _name_values(main: Main) -> None:
    """Give the options of `main` that name no kind of value a word for it, which `--help` shows.

    Without one it shows the type in the words of Python, such as `<list[str]>`.
    """
    import typer.models

    for hint in typing.get_type_hints(main, include_extras=True).values():
        if typing.get_origin(hint) is not Annotated:
            continue
        annotation, *metadata = typing.get_args(hint)
        word = _word_of_type(annotation)
        for info in metadata:
            if isinstance(info, typer.models.OptionInfo) and info.metavar is None:
                info.metavar = word


def _make_command_class() -> "type[typer.core.TyperCommand]":
    """Commands whose `--help` shows arguments by their names alone, without `<list[Path]>`."""
    import typer.core

    class Command(typer.core.TyperCommand):
        def __init__(self, *positional: Any, **named: Any) -> None:
            super().__init__(*positional, **named)
            for parameter in self.params:
                if isinstance(parameter, typer.core.TyperArgument):
                    vars(parameter)["display_type_rich"] = _show_no_type

    return Command


def _show_no_type(ctx: object) -> None:
    """In place of the type of an argument in the words of Python."""


def _word_of_type(annotation: object) -> str | None:
    """What a value of this type is called: of `list[str] | None` that of `str`; a switch has none.

    >>> _word_of_type(list[str] | None), _word_of_type(int), _word_of_type(bool)
    ('TEXT', 'NUMBER', None)
    """
    for part in typing.get_args(annotation):
        word = _word_of_type(part)
        if word is not None:
            return word
    return VALUE_WORDS.get(annotation)


def end_in_order() -> None:
    """Have SIGTERM and a hang-up end this process as Ctrl-C does, by an exception.

    So the cursor is shown again, and no process is left behind. What is ignored, as by `nohup`,
    stays ignored.
    """
    for number in STOPPING:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    """Raise Stopped where the process is; only once, since putting things in order takes time."""
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def _guard_main(main: Main, foreseen: Foreseen, interrupted: str) -> Callable[..., None]:
    """`main` as a function that ends with typer.Exit, whatever happens in it.

    The exit code is what `main` returns, or what `foreseen` has for its error; INTERRUPTED after
    Ctrl-C, when `interrupted` is printed; USAGE for what the machine refuses, such as a full disk
    or too little memory; BROKEN, with a traceback, for any other error.
    """
    import typer
    import typer.core

    errors = open_console(stderr=True, soft_wrap=True)

    @functools.wraps(main)
    def guarded(*args: object, **kwargs: object) -> None:
        try:
            code = main(*args, **kwargs)
        except tuple(foreseen) as error:
            name, code = _find_foreseen(error, foreseen)
            errors.print(f"{name}: {error}", style="bold red")
        except MemoryError:
            errors.print(f"error: {NO_MEMORY}", style="bold red")
            code = USAGE
        except OSError as error:
            if error.errno not in OF_THE_MACHINE:
                _report_bug(errors)
                code = BROKEN
            else:
                errors.print(f"error: {_describe_os_error(error)}", style="bold red")
                code = USAGE
        except KeyboardInterrupt as interruption:
            with contextlib.suppress(OSError):  # the terminal has gone
                errors.print(interrupted)
            code = INTERRUPTED
            if isinstance(interruption, Stopped):
                code = SIGNALLED + interruption.number
        except Exception:
            _report_bug(errors)
            code = BROKEN
        raise typer.Exit(code)

    return guarded


def _report_bug(errors: "Console") -> None:
    """Print the traceback of the error that is being handled, and that this is a bug."""
    errors.print(traceback.format_exc())
    errors.print("the bench itself broke; this is a bug, please report it", style="bold red")


def _describe_os_error(error: OSError) -> str:
    """What the system has refused, and what becomes of what was done so far, as a sentence."""
    names = [name for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(str(name) for name in names)
    reason = error.strerror or str(error)
    return (
        f"{where or 'a file'} cannot be read or written: {reason}. What was written before is "
        "kept: mend this, and run the same command again"
    )


def _find_foreseen(error: Exception, foreseen: Foreseen) -> tuple[str, int]:
    """What `foreseen` says about the class of `error`, or about the nearest of its bases.

    That is the word before the message, and the exit code. KeyError if it has none of them.
    """
    # The class itself comes first in this order, then its bases, the nearest before the others.
    for kind in type(error).__mro__:
        if kind in foreseen:
            return foreseen[kind]
    raise KeyError(type(error))
