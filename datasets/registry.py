"""The data sets by name: who registers a loader with `@dataset`, and how `load(name)` finds it."""

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
    """Register a function that loads the data set `name`; its keyword arguments are the data set's parameters.

    The name "table:PATH" gives the text after the colon to the function's first argument.
    """

    def register(function: Callable[..., Dataset]) -> Callable[..., Dataset]:
        prefix, colon, _ = name.partition(":")
        _loaders[prefix] = Loader(function, bool(colon), licence, citation)
        return function

    return register


def names() -> list[str]:
    """The names that `load` knows."""
    import_all(sys.modules["recbench.datasets"])
    return sorted(
        f"{name}:PATH" if loader.takes_path else name for name, loader in _loaders.items()
    )


def find_loader(name: str) -> Loader:
    """What `names` calls `name`."""
    names()
    return _loaders[name.partition(":")[0]]


def _resolve(spec: str) -> tuple[Loader, list[str], dict[str, Any]]:
    valid = names()
    name, parameters = parse_spec(spec)
    prefix, colon, path = name.partition(":")
    if prefix not in _loaders or _loaders[prefix].takes_path != bool(colon):
        pick_name("data set", name, valid)
    loader = _loaders[prefix]
    return loader, [path] if colon else [], validate_arguments(prefix, loader.function, parameters)


def check_spec(spec: str) -> None:
    """UsageError, with the valid choices, if `spec` names no data set or a parameter that it does not have."""
    _resolve(spec)


def load(spec: str, *, real_only: bool = False) -> Dataset:
    """The data set `name`, `name[key=value,...]` or `table:PATH[...]`, memory-mapped from the cache.

    `real_only` makes a loader that can simulate missing files refuse instead. UsageError (or its child MissingData)
    for an unknown name or parameter, missing files, or content that does not fit; the message says what to do.
    """
    loader, path, arguments = _resolve(spec)
    if real_only and "real_only" in inspect.signature(loader.function).parameters:
        arguments["real_only"] = True
    try:
        return loader.function(*path, **arguments)
    except OSError as error:
        raise UsageError(
            f"{spec}: cannot read or write {error.filename or 'its files'}: {error.strerror or error}. Data are "
            f"in {data_directory()}, parsed data in {cache_directory()}; RECBENCH_DATA and RECBENCH_CACHE move them."
        ) from None
