"""Names with parameters, `name[key=value,...]`, and the errors that a user can mend."""

import difflib
import importlib
import inspect
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError

LONGEST_NAME = 100  # bytes; with a key and endings it stays below the 255 of file systems


class UsageError(ValueError):
    """Something the user can mend; exit code 2.

    The message says what came, what is valid and what to do.
    """


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Split `name[key=value,...]` into the name and its parameters, still text.

    >>> parse_spec("surprise-svd[n_factors=20,lr_all=.01]")
    ('surprise-svd', {'n_factors': '20', 'lr_all': '.01'})

    In `kind:PATH[key=value,...]` the path may hold brackets and commas, and so may values: the
    last bracket that begins with `key=` opens the parameters, and only a comma before another
    `key=` ends a value.

    >>> parse_spec("table:a, b[1].csv[sep=,,items=c,d.csv]")
    ('table:a, b[1].csv', {'sep': ',', 'items': 'c,d.csv'})

    UsageError if it does not look like that, or if a key comes twice.
    """
    has_path = re.match(r"\s*[\w-]+:", spec) is not None
    if has_path:
        name, inside = _split_path(spec.strip())
        parts = re.split(r",(?=\s*[\w.]+\s*=)", inside)
    else:
        name, inside = _split_name(spec)
        parts = inside.split(",")

    parameters: dict[str, str] = {}
    for part in filter(None, map(str.strip, parts)):
        key, value = _split_parameter(part, spec)
        if key in parameters:
            raise UsageError(f"{key!r} is given twice in {spec!r}: give it once")
        parameters[key] = value
    return name, parameters


def _split_name(spec: str) -> tuple[str, str]:
    """The name, and what stands in its one pair of brackets. UsageError if there is more."""
    match = re.fullmatch(r"(?P<name>[^\[\]]+)(?:\[(?P<inside>[^\[\]]*)\])?", spec.strip())
    if match is None:
        raise UsageError(
            f"cannot read {spec!r}: expected name or name[key=value,...], with one pair of brackets"
        )
    return match["name"].strip(), match["inside"] or ""


def _split_path(spec: str) -> tuple[str, str]:
    """`kind:PATH`, and what stands between its last brackets if it begins with `key=`.

    The second is "" if there is no such pair of brackets at the end: then they belong to the path.
    """
    if not spec.endswith("]"):
        return spec, ""

    openings = [match.start() for match in re.finditer(r"\[\s*[\w.]+\s*=", spec)]
    if not openings:
        return spec, ""

    last_opening = openings[-1]
    name = spec[:last_opening].strip()
    inside = spec[last_opening + 1 : -1]
    return name, inside


def _split_parameter(part: str, spec: str) -> tuple[str, str]:
    """Key and value of `key=value`. UsageError, which quotes `spec`, for anything else."""
    key, equals, value = part.partition("=")
    if not (key.strip() and equals):
        raise UsageError(
            f"cannot read {part!r} in {spec!r}: expected key=value, as in name[key=value,...]"
        )
    return key.strip(), value.strip()


def format_spec(name: str, parameters: Mapping[str, Any]) -> str:
    """The text that `parse_spec` reads back; keys in alphabetical order."""
    if not parameters:
        return name
    inside = ",".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    return f"{name}[{inside}]"


def pick_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """`name` if it is one of `valid`; else UsageError with the nearest match and all valid ones."""
    choices = sorted(valid)
    if name in choices:
        return name

    similar = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f" Did you mean {similar[0]!r}?" if similar else ""
    listed = ", ".join(choices) or "(none)"
    raise UsageError(f"unknown {kind} {name!r}.{hint} Valid: {listed}")


def refuse_path(kind: str, name: object) -> None:
    """UsageError unless `name`, wherever it comes from, can begin a file's name and is no path.

    Such a name is a printable text of 1 to 100 bytes. `kind` is what the message calls it, as in
    "the name of an algorithm".
    """
    if isinstance(name, str) and _is_file_name(name):
        return

    # It may hold anything, so the message has it in ASCII, and cut.
    written = ascii(name)
    if len(written) > LONGEST_NAME:
        written = f"{written[:LONGEST_NAME]}..."
    raise UsageError(
        f"{written} cannot be the name of an {kind}: expected printable text without / \\ and :, "
        f"at most {LONGEST_NAME} bytes long, that does not begin with a dot"
    )


def _is_file_name(name: str) -> bool:
    """Whether `name` is printable, no path, not hidden, and at most `LONGEST_NAME` bytes long."""
    if not name or name.startswith(".") or set(name) & set("/\\:"):
        return False
    # What cannot be encoded is not printable either, so this comes first.
    return name.isprintable() and len(name.encode()) <= LONGEST_NAME


def validate_arguments(
    owner: str, function: Callable[..., Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """`parameters` as keyword arguments of `function`, converted and checked by its annotations.

    Text such as "20" or ".01" becomes what the annotation asks for; bounds are pydantic's, as in
    `Annotated[int, Field(ge=1)]`. UsageError, which names the `owner`, for an unknown name, a
    value that does not fit, or a number that is not finite.
    """
    annotations = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            annotations[parameter.name] = parameter.annotation

    arguments = {}
    for name, value in parameters.items():
        if not annotations:
            raise UsageError(
                f"{owner} takes no parameters, but {name}={value} was given: leave it out"
            )
        pick_name(f"parameter of {owner}", name, annotations)
        arguments[name] = _convert_argument(owner, name, value, annotations[name])
    return arguments


def _convert_argument(owner: str, name: str, value: object, annotation: Any) -> object:
    """`value` as the `annotation` asks for it. UsageError if it does not fit or is not finite."""
    try:
        converted: object = TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        # The first problem is enough; pydantic puts a word before those of our own validators.
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"{owner}: {name}={value} does not fit: {problem}") from None

    # pydantic takes "nan" and "inf" for numbers.
    if isinstance(converted, float) and not math.isfinite(converted):
        raise UsageError(f"{owner}: {name}={value} does not fit: expected a finite number")
    return converted


def import_all(package: ModuleType) -> None:
    """Import every module of `package`, so that its registrations run."""
    prefix = f"{package.__name__}."
    for module in pkgutil.walk_packages(package.__path__, prefix):
        # Command lines register nothing, and bring what prints and parses options.
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
