"""What a run says once about its data and its algorithms, so that a report needs nothing but the run's directory."""

import inspect
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import metadata, packages_distributions
from typing import Any

from recbench.adapters import available
from recbench.benchmarks.records.cell import Cell
from recbench.datasets.ratings import Dataset


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What every record says about the data: counts, scale, digest and the whole provenance."""
    ratings = dataset.ratings
    return {
        "name": dataset.name,
        "users": ratings.n_users,
        "items": ratings.n_items,
        "ratings": len(ratings),
        "scale": list(ratings.scale),
        "digest": dataset.digest,
        "timed": ratings.times is not None,
        **asdict(dataset.provenance),
    }


def describe_algorithms(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """By row: `definition`, its docstring with formula and paper, and `libraries`, each with version and licence."""
    owners, adapters = packages_distributions(), available()
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if cell.row in found:
            continue
        libraries = []
        for module in adapters[cell.algorithm].requires:
            if version := cell.libraries.get(module):
                name = owners[module][0]
                libraries.append(f"{name} {version} ({_licence(name)})")
        definition = inspect.getdoc(adapters[cell.algorithm]) or "not described"
        found[cell.row] = {"definition": definition, "libraries": libraries}
    return found


def _licence(distribution: str) -> str:
    """As its metadata say: the expression, the classifier, or the first line of what stands there."""
    said = metadata(distribution).json
    classified = [
        text.rpartition(" :: ")[2]
        for text in said.get("classifier", [])
        if text.startswith("License ::")
    ]
    for text in (said.get("license_expression"), *classified, said.get("license")):
        if text and str(text).strip():
            return str(text).strip().splitlines()[0]
    return "no licence stated"
