"""The schema and the statuses of what a run writes, and what is said of a plan or a record that cannot be read."""

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
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)  # what reading damaged JSON raises


class NewerSchema(ValueError):
    """A later version of the bench wrote the file: it is not damaged, and not to be deleted for that."""


def refuse_schema(schema: object, kind: str) -> None:
    """ValueError unless a file of this schema can be read; NewerSchema if a later version of the bench can."""
    said = f"expected a {kind} of schema {SCHEMA}, got schema {schema}"
    if type(schema) is int and schema > SCHEMA:
        remedy = f"this version reads schema {SCHEMA}, and a newer recbench wrote it: use that, or another directory"
        raise NewerSchema(f"{said}; {remedy}")
    if type(schema) is not int or schema != SCHEMA:
        raise ValueError(said)


def unreadable_record(path: Path, error: Exception) -> UsageError:
    """What is said of the record at `path`, and what to do."""
    if isinstance(error, NewerSchema):
        return UsageError(f"{path} cannot be read: {error}")
    return UsageError(f"{path} is damaged: {error}. Delete it to measure this cell again.")


def unreadable_plan(path: Path, error: Exception) -> UsageError:
    """What is said of the plan at `path`."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError(
            f"{path.parent} holds no results: expected {path}, written by "
            f"`{command_to_type('run')}`"
        )
    if isinstance(error, NewerSchema):
        return UsageError(f"{path} cannot be read: {error}")
    reason = str(error)
    if isinstance(error, OSError):
        reason = str(error.strerror)
    elif isinstance(error, ValidationError):
        reason = f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}"
    elif isinstance(error, KeyError):
        reason = f"it lacks {error}"
    return UsageError(
        f"{path} cannot be read: {reason} (it is damaged, or no plan of `{command_to_type('run')}`)"
    )
