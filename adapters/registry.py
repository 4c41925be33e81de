"""Adapters by name, this package's and those of plug-ins, held to the form of the contract."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any, ClassVar, get_origin, get_type_hints
from weakref import WeakSet

import recbench
from recbench.adapters.base import UNITS, Origin, Recommender
from recbench.datasets.foundation import (
    UsageError,
    import_all,
    pick_name,
    refuse_path,
    validate_arguments,
)

# The entry points by which an installed distribution names modules with adapters.
PLUGINS = "recbench.adapters"

# Those that were found to keep the form of the contract: it is looked at once, and this is asked
# for each cell several times.
_sound: WeakSet[type[Recommender]] = WeakSet()


def available() -> dict[str, type[Recommender]]:
    """Every concrete adapter by its name, in alphabetical order.

    That is, of this package, of installed plug-ins and of modules that were imported before.
    UsageError if one of them does not keep the form of the contract, or two have the same name.
    """
    import_own()
    _import_installed()

    adapters: dict[str, type[Recommender]] = {}
    for adapter in _named_adapters():
        is_sound = adapter in _sound
        if not is_sound:
            _refuse_fields_of_the_contract(adapter)
        if adapter.name in adapters:
            _refuse_second_of_a_name(adapter, adapters[adapter.name])
        if not is_sound:
            _refuse_malformed(adapter)
            _sound.add(adapter)
        adapters[adapter.name] = adapter
    return dict(sorted(adapters.items()))


def create(name: str, parameters: Mapping[str, Any] | None = None) -> Recommender:
    """A new, unfitted algorithm with these hyperparameters; those that are not given have defaults.

    UsageError for an unknown name, an unknown hyperparameter or a value out of range.
    """
    adapters = available()
    adapter = adapters[pick_name("algorithm", name, adapters)]
    arguments = validate_arguments(name, adapter, parameters or {})

    # Whatever it does, relative paths of the command line mean the same afterwards.
    with chdir(Path.cwd()):
        return adapter(**arguments)


def _named_adapters() -> Iterator[type[Recommender]]:
    """The subclasses of Recommender, at any depth, that give themselves a name.

    The others are bases of several adapters. A name that is only declared, as a field without a
    default, counts as well, so that it can be refused.
    """
    pending = Recommender.__subclasses__()
    seen: set[type[Recommender]] = set()
    of_notebook: set[str] = set()
    while pending:
        adapter = pending.pop()  # newer ones first
        if adapter in seen:  # it has two bases that are adapters
            continue
        seen.add(adapter)
        pending += adapter.__subclasses__()

        # The cell of a notebook that defines it may have been run again
        if adapter.__module__ == "__main__":
            if adapter.__qualname__ in of_notebook:
                continue
            of_notebook.add(adapter.__qualname__)

        if "name" in vars(adapter) or "name" in _field_names(adapter):
            yield adapter


def _field_names(adapter: type[Recommender]) -> set[str]:
    """The names of the fields of a dataclass; none if it is not yet one."""
    if not is_dataclass(adapter):
        return set()
    return {field.name for field in fields(adapter)}


@cache
def import_own() -> None:
    """Import every adapter of this package, once, and find out which plug-ins are installed.

    None of these is imported: cells that are forked from here do so themselves, but need not look.
    """
    import_all(sys.modules["recbench.adapters"])
    _find_installed()


@cache
def _find_installed() -> EntryPoints:
    """What installed distributions name as their plug-ins."""
    return entry_points(group=PLUGINS)


@cache
def _import_installed() -> None:
    """Import what installed distributions name as their plug-ins.

    UsageError if one cannot be imported; it names the distribution whose it is.
    """
    for point in _find_installed():
        try:
            with chdir(Path.cwd()):
                point.load()
        except (Exception, SystemExit) as error:  # it is somebody else's code: anything can happen
            owner = point.dist.name if point.dist else "an unnamed distribution"
            problem = (
                f"the plug-in {point.name} = {point.value} of {owner} cannot be imported: "
                f"{type(error).__name__}: {error}"
            )
            advice = recbench.advise_on_short_name(error) or f"Mend or uninstall {owner}."
            raise UsageError(f"{problem}. {advice}") from None


# The form of the contract. Each function raises UsageError, or does nothing.


def _full_name(adapter: type[Recommender]) -> str:
    return f"{adapter.__module__}.{adapter.__name__}"


def _refuse_fields_of_the_contract(adapter: type[Recommender]) -> None:
    """UsageError if what an adapter says of itself has become a hyperparameter by mistake.

    That is what `name: str = "mine"` does in a dataclass, where `name = "mine"` is meant.
    """
    mistaken = sorted(_names_of_the_class() & _field_names(adapter))
    if mistaken:
        name = mistaken[0]
        raise UsageError(
            f"{_full_name(adapter)}: {', '.join(mistaken)} would be among the hyperparameters, "
            f"because a field of a dataclass has a type: write `{name} = ...` instead of "
            f"`{name}: ... = ...`"
        )


@cache
def _names_of_the_class() -> frozenset[str]:
    """What the contract declares of classes, and not of their instances."""
    declared = get_type_hints(Recommender)
    return frozenset(name for name, type_ in declared.items() if get_origin(type_) is ClassVar)


def _refuse_second_of_a_name(adapter: type[Recommender], first: type[Recommender]) -> None:
    """UsageError that names both adapters."""
    raise UsageError(
        f"{_full_name(adapter)} has the name {adapter.name!r} of {_full_name(first)}: rename it"
    )


def _refuse_malformed(adapter: type[Recommender]) -> None:
    """UsageError if `adapter` lacks something that the contract asks for."""
    who = _full_name(adapter)
    refuse_path(f"algorithm ({who})", adapter.name)

    if not is_dataclass(adapter):
        raise UsageError(f"{who} must be a dataclass: put @dataclass(eq=False) above it")

    missing = sorted(getattr(adapter, "__abstractmethods__", ()))
    if missing:
        raise UsageError(f"{who} lacks the methods {', '.join(missing)}, see adapters/base.py")

    says_what_it_predicts = getattr(adapter, "predicts", None) in ("ratings", "order")
    says_its_family = bool(getattr(adapter, "family", ""))
    if not (says_what_it_predicts and says_its_family):
        raise UsageError(f'{who} must say its family, and that it predicts "ratings" or "order"')

    if adapter.units not in UNITS:
        raise UsageError(
            f"{who} says units = {adapter.units!r}: expected one of {', '.join(UNITS)}, "
            "see adapters/base.py"
        )

    if adapter.sees_truth != (adapter.family == "oracle"):
        raise UsageError(
            f'{who}: family "oracle", which takes no part in the contest, is for what sees the '
            "truth"
        )

    epochs = adapter.epochs_hyperparameter
    if epochs is not None and epochs not in _field_names(adapter):
        raise UsageError(
            f"{who} says that {epochs!r} counts its epochs, but has no such hyperparameter: "
            "name one of its fields in epochs_hyperparameter, or leave it out"
        )

    origin = adapter.origin
    if origin is not None and not isinstance(origin, Origin):
        raise UsageError(
            f"{who} says origin = {origin!r}: expected an Origin as in adapters/base.py, such as "
            'Origin("library", "its name"); leave it out if you do not know'
        )
    unknown = sorted(set(origin.chosen) - _field_names(adapter)) if origin else []
    if unknown:
        raise UsageError(
            f"{who} says in its origin that {', '.join(unknown)} was tuned, but has no such "
            "hyperparameter: name its fields in `chosen`"
        )

    if not _has_own_docstring(adapter):
        raise UsageError(
            f"{who} has no docstring: say below its first line what it computes, with the formula, "
            "its source and where the defaults come from; the list of algorithms shows it"
        )


def _has_own_docstring(adapter: type[Recommender]) -> bool:
    """Whether somebody has written one; else a dataclass makes up "Mine(damping: float = 1.0)"."""
    documented = (adapter.__doc__ or "").strip()
    return bool(documented) and not documented.startswith(f"{adapter.__name__}(")
