"""The schema and the statuses of what a run writes.

And what is said of a plan or a record that cannot be read.
"""

from pathlib import Path

from pydantic import ValidationError

from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError

SCHEMA = 1
STATUSES = (
    "ok",
    "skipped",
    "not_installed",
    "failed",
    "diverged",
    "timeout",
    "out_of_memory",
    "crashed",
    "not_run",
)

# What reading damaged JSON raises
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


class NewerSchema(ValueError):
    """A later version of the bench wrote the file: it is not damaged, and not to be deleted."""


def refuse_schema(schema: object, kind: str) -> None:
    """ValueError unless this version can read a file of this schema, which is a `kind` of file.

    NewerSchema, which is a ValueError, if a later version of the bench can.
    """
    problem = f"expected a {kind} of schema {SCHEMA}, got schema {schema}"
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise ValueError(problem)  # true, which equals 1, is no schema

    if schema > SCHEMA:
        raise NewerSchema(
            f"{problem}; this version reads schema {SCHEMA}, and a newer recbench wrote it: "
            "use that, or another directory"
        )
    if schema < SCHEMA:
        raise ValueError(problem)


def unreadable_record_error(path: Path, error: Exception) -> UsageError:
    """The error, to be raised, that says why the record at `path` cannot be read, and what to do.

    `error` is what reading it has raised.
    """
    if isinstance(error, NewerSchema):
        return UsageError(f"{path} cannot be read: {error}")
    return UsageError(f"{path} is damaged: {error}. Delete it to measure this cell again.")


def unreadable_plan_error(path: Path, error: Exception) -> UsageError:
    """The error, to be raised, that says why the plan at `path` cannot be read, or is not there.

    `error` is what reading it has raised.
    """
    command = command_to_type("run")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError(
            f"{path.parent} holds no results: expected {path}, written by `{command}`"
        )
    if isinstance(error, NewerSchema):
        return UsageError(f"{path} cannot be read: {error}")

    reason = _describe_damage(error)
    return UsageError(f"{path} cannot be read: {reason} (it is damaged, or no plan of `{command}`)")


def _describe_damage(error: Exception) -> str:
    """What is wrong with a plan, in words, as the error says that reading it has raised."""
    if isinstance(error, OSError):
        return str(error.strerror)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return str(error)
