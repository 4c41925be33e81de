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


class UsageError(ValueError):
    """Something the user can mend. The message says what came, what is valid and what to do; exit code 2."""


def parse_spec(spec: str) -> tuple[str, dict[str, str]]:
    """Split `name[key=value,...]` into the name and its parameters, still text.

    >>> parse_spec("surprise-svd[n_factors=20,lr_all=.01]")
    ('surprise-svd', {'n_factors': '20', 'lr_all': '.01'})

    In `kind:PATH[key=value,...]` the path may hold brackets and commas, and so may values: the last bracket that
    begins with `key=` opens the parameters, and only a comma before another `key=` ends a value.

    >>> parse_spec("table:a, b[1].csv[sep=,,items=c,d.csv]")
    ('table:a, b[1].csv', {'sep': ',', 'items': 'c,d.csv'})
    """
    if re.match(r"\s*[\w-]+:", spec):
        name, inside = _split_path(spec.strip())
        parts = re.split(r",(?=\s*[\w.]+\s*=)", inside)
    else:
        found = re.fullmatch(r"(?P<name>[^\[\]]+)(?:\[(?P<parameters>[^\[\]]*)\])?", spec.strip())
        if found is None:
            raise UsageError(
                f"cannot read {spec!r}: expected name or name[key=value,...], with one pair of brackets"
            )
        name, parts = found["name"].strip(), (found["parameters"] or "").split(",")
    parameters: dict[str, str] = {}
    for part in filter(None, map(str.strip, parts)):
        key, equals, value = (p.strip() for p in part.partition("="))
        if not (key and equals):
            raise UsageError(
                f"cannot read {part!r} in {spec!r}: expected key=value, as in name[key=value,...]"
            )
        if key in parameters:
            raise UsageError(f"{key!r} is given twice in {spec!r}: give it once")
        parameters[key] = value
    return name, parameters


def _split_path(spec: str) -> tuple[str, str]:
    """`kind:PATH` and what stands between its last brackets, if these begin with `key=`; else all of it, and ""."""
    starts = (
        [found.start() for found in re.finditer(r"\[\s*[\w.]+\s*=", spec)]
        if spec.endswith("]")
        else []
    )
    return (spec[: starts[-1]].strip(), spec[starts[-1] + 1 : -1]) if starts else (spec, "")


def format_spec(name: str, parameters: Mapping[str, Any]) -> str:
    """The text that `parse_spec` reads back; keys in alphabetical order."""
    inside = ",".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    return f"{name}[{inside}]" if inside else name


def pick_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """`name` if it is one of `valid`; else a UsageError with the nearest match and all valid ones."""
    choices = sorted(valid)
    if name in choices:
        return name
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"unknown {kind} {name!r}.{hint} Valid: {', '.join(choices) or '(none)'}")


NAME_BYTES = 100  # with a key, an ending and a temporary file's addition it stays below the 255 of file systems


def refuse_path(kind: str, name: object) -> None:
    """UsageError unless `name`, wherever it comes from, is a text that can begin the name of a file and no path."""
    if isinstance(name, str):
        plain = name.isprintable() and not set(name) & set("/\\:")
        if name and plain and not name.startswith(".") and len(name.encode()) <= NAME_BYTES:
            return
    written = ascii(name)
    shown = written if len(written) <= NAME_BYTES else f"{written[:NAME_BYTES]}..."
    raise UsageError(
        f"{shown} cannot be the name of an {kind}: expected printable text without / \\ and :, at most {NAME_BYTES} "
        "bytes long, that does not begin with a dot"
    )


def validate_arguments(
    owner: str, function: Callable[..., Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """`parameters` as the keyword arguments of `function`, converted and checked by their annotations.

    Text such as "20" or ".01" becomes what the annotation asks for; bounds are pydantic's, as in
    `Annotated[int, Field(ge=1)]`. Raises UsageError for an unknown name or a value that does not fit.
    """
    types = {
        name: parameter.annotation
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    converted = {}
    for name, value in parameters.items():
        if not types:
            raise UsageError(
                f"{owner} takes no parameters, but {name}={value} was given: leave it out"
            )
        pick_name(f"parameter of {owner}", name, types)
        try:
            converted[name] = TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UsageError(f"{owner}: {name}={value} does not fit: {problem}") from None
        if isinstance(converted[name], float) and not math.isfinite(converted[name]):
            raise UsageError(f"{owner}: {name}={value} does not fit: expected a finite number")
    return converted


def import_all(package: ModuleType) -> None:
    """Import every module of `package`, so that its registrations run: dropping in a file is enough."""
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
