"""The data sets by name: `@dataset` registers a loader, and `load(name)` finds it."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recbench.datasets.foundation import (
    UsageError,
    import_all,
    parse_spec,
    pick_name,
    validate_arguments,
)
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage import cache_directory, data_directory


@dataclass(frozen=True)
class Loader:
    """A data set that can be loaded: its loader, and what can be said without loading it."""

    function: Callable[..., Dataset]
    takes_path: bool
    licence: str
    citation: str

    @property
    def description(self) -> str:
        """The first line of the loader's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


_loaders: dict[str, Loader] = {}


def dataset(
    name: str, *, licence: str = "", citation: str = ""
) -> Callable[[Callable[..., Dataset]], Callable[..., Dataset]]:
    """A decorator: the function that it stands over loads the data set `name`.

    The function stays what it is; its keyword arguments are the data set's parameters. The name
    "table:PATH" gives the text after the colon to the function's first argument.
    """
    prefix, colon, _ = name.partition(":")
    takes_path = colon != ""

    def register(function: Callable[..., Dataset]) -> Callable[..., Dataset]:
        """Enter `function` under its name, and give it back as it is."""
        _loaders[prefix] = Loader(function, takes_path, licence, citation)
        return function

    return register


def names() -> list[str]:
    """The names that `load` knows, sorted; "table:PATH" for one that takes a path."""
    _import_loaders()
    known = []
    for prefix, loader in _loaders.items():
        known.append(f"{prefix}:PATH" if loader.takes_path else prefix)
    return sorted(known)


def find_loader(name: str) -> Loader:
    """The loader of a data set as `names` calls it. KeyError if there is none."""
    _import_loaders()
    prefix = name.partition(":")[0]
    return _loaders[prefix]


def _import_loaders() -> None:
    """Import every module of the package, so that each loader registers itself."""
    import_all(sys.modules["recbench.datasets"])


@dataclass(frozen=True)
class _Call:
    """What a spec asks for: a loader, with the arguments that it is to get."""

    loader: Loader
    path: list[str]  # the text after the colon, if the loader takes one
    arguments: dict[str, Any]


def _read_spec(spec: str) -> _Call:
    """The loader that `spec` names, and its checked arguments; nothing is loaded.

    UsageError, with the valid choices, if there is no such data set or parameter, or if a value
    does not fit.
    """
    valid = names()
    name, parameters = parse_spec(spec)
    prefix, colon, path = name.partition(":")
    has_path = colon != ""

    loader = _loaders.get(prefix)
    if loader is None or loader.takes_path != has_path:
        pick_name("data set", name, valid)

    # Here it is known: a name that `valid` does not have has been refused.
    loader = _loaders[prefix]
    arguments = validate_arguments(prefix, loader.function, parameters)
    return _Call(loader, [path] if has_path else [], arguments)


def check_spec(spec: str) -> None:
    """UsageError, with the valid choices, if `spec` names no data set or an unknown parameter.

    Also if the value of a parameter does not fit. Nothing is loaded.
    """
    _read_spec(spec)


def load(spec: str, *, real_only: bool = False) -> Dataset:
    """The data set `name`, `name[key=value,...]` or `table:PATH[...]`, mapped from the cache.

    `real_only` makes a loader that can simulate missing files refuse instead. UsageError (or its
    child MissingData) for an unknown name or parameter, missing files, or content that does not
    fit; the message says what to do.
    """
    call = _read_spec(spec)
    arguments = call.arguments
    can_simulate = "real_only" in inspect.signature(call.loader.function).parameters
    if real_only and can_simulate:
        arguments["real_only"] = True

    try:
        return call.loader.function(*call.path, **arguments)
    except OSError as error:
        files = error.filename or "its files"
        reason = error.strerror or error
        raise UsageError(
            f"{spec}: cannot read or write {files}: {reason}. Data are in "
            f"{data_directory()}, parsed data in {cache_directory()}; "
            "RECBENCH_DATA and RECBENCH_CACHE move them."
        ) from None
