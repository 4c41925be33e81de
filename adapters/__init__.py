"""The algorithms of the bench: `available()` lists them, `create()` makes one. A new file here is found by itself."""

import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from adapters.base import Recommender
from datasets.spec import import_all, pick, validated

__all__ = ["Recommender", "available", "create"]


def available() -> dict[str, type[Recommender]]:
    """Every concrete adapter by name: those of this package and of any plug-in module already imported."""
    import_all(sys.modules[__name__])
    found: dict[str, type[Recommender]] = {}
    pending = Recommender.__subclasses__()
    while pending:
        adapter = pending.pop()
        pending += adapter.__subclasses__()
        if "name" in vars(adapter):
            if not is_dataclass(adapter):
                raise TypeError(f"{adapter.__module__}.{adapter.__name__} must be a dataclass, as every adapter is")
            found[adapter.name] = adapter
    return dict(sorted(found.items()))


def create(name: str, parameters: Mapping[str, Any] | None = None) -> Recommender:
    """A new, unfitted algorithm. UsageError for an unknown name, an unknown parameter or a value out of range."""
    adapters = available()
    adapter = adapters[pick("algorithm", name, adapters)]
    return adapter(**validated(name, adapter, parameters or {}))
