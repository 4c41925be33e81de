"""Adapters by name, those of this package and those of plug-ins, held to the form of the contract."""

import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from recbench.adapters.base import Recommender
from recbench.datasets.foundation import (
    UsageError,
    import_all,
    pick_name,
    refuse_path,
    validate_arguments,
)

PLUGINS = "recbench.adapters"  # the entry points by which an installed distribution names modules with adapters


def available() -> dict[str, type[Recommender]]:
    """Every concrete adapter by name: of this package, of installed plug-ins and of modules imported before."""
    import_all(sys.modules["recbench.adapters"])
    _import_installed()
    found: dict[str, type[Recommender]] = {}
    pending = Recommender.__subclasses__()
    while pending:
        adapter = pending.pop()
        pending += adapter.__subclasses__()
        if "name" in vars(adapter):
            _check(adapter, found.get(adapter.name))
            found[adapter.name] = adapter
    return dict(sorted(found.items()))


@cache
def _import_installed() -> None:
    """Import what installed distributions name as their plug-ins. UsageError, naming whose it is, if one breaks."""
    for point in entry_points(group=PLUGINS):
        try:
            with chdir(Path.cwd()):
                point.load()
        except (
            Exception,
            SystemExit,
        ) as error:  # it is somebody else's code: anything can happen in it
            owner = point.dist.name if point.dist else "an unnamed distribution"
            raise UsageError(
                f"the plug-in {point.name} = {point.value} of {owner} cannot be imported: "
                f"{type(error).__name__}: {error}. Mend or uninstall {owner}."
            ) from None


def _check(adapter: type[Recommender], other: type[Recommender] | None) -> None:
    """UsageError if `adapter` does not keep the form of the contract, or has the name of an `other` one."""
    who = f"{adapter.__module__}.{adapter.__name__}"
    if other is not None:
        raise UsageError(
            f"{who} has the name {adapter.name!r} of {other.__module__}.{other.__name__}: rename it"
        )
    refuse_path(f"algorithm ({who})", adapter.name)
    if not is_dataclass(adapter):
        raise UsageError(f"{who} must be a dataclass: put @dataclass(eq=False) above it")
    if missing := sorted(getattr(adapter, "__abstractmethods__", ())):
        raise UsageError(f"{who} lacks the methods {', '.join(missing)}, see adapters/base.py")
    if getattr(adapter, "predicts", None) not in ("ratings", "order") or not getattr(
        adapter, "family", ""
    ):
        raise UsageError(f'{who} must say its family, and that it predicts "ratings" or "order"')
    epochs = adapter.epochs_hyperparameter
    if epochs is not None and epochs not in {field.name for field in fields(adapter)}:
        raise UsageError(
            f"{who} says that {epochs!r} counts its epochs, but has no such hyperparameter: "
            "name one of its fields in epochs_hyperparameter, or leave it out"
        )
    if adapter.sees_truth != (adapter.family == "oracle"):
        raise UsageError(
            f'{who}: family "oracle", which takes no part in the contest, is for what sees the truth'
        )


def create(name: str, parameters: Mapping[str, Any] | None = None) -> Recommender:
    """A new, unfitted algorithm. UsageError for an unknown name, an unknown parameter or a value out of range."""
    adapters = available()
    adapter = adapters[pick_name("algorithm", name, adapters)]
    arguments = validate_arguments(name, adapter, parameters or {})
    with chdir(
        Path.cwd()
    ):  # whatever it does, relative paths of the command line mean the same afterwards
        return adapter(**arguments)
