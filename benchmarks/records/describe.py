"""What a run says once about its data and its algorithms, so that a report needs nothing but the run's directory."""

import inspect
from collections.abc import Iterable
from importlib.metadata import metadata, packages_distributions

from recbench.adapters import available
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.facts import AlgorithmDescription, DataDescription
from recbench.datasets.ratings import Dataset


def describe_data(dataset: Dataset) -> DataDescription:
    """What every record says about the data: counts, scale, digest and the whole provenance."""
    ratings = dataset.ratings
    provenance = dataset.provenance
    return DataDescription(
        name=dataset.name,
        users=ratings.n_users,
        items=ratings.n_items,
        ratings=len(ratings),
        scale=ratings.scale,
        digest=dataset.digest,
        timed=ratings.times is not None,
        sources=provenance.sources,
        licence=provenance.licence,
        citation=provenance.citation,
        simulated=provenance.simulated,
        notice=provenance.notice,
        steps=provenance.steps,
        remarks=provenance.remarks,
        calibration=provenance.calibration,
    )


def describe_algorithms(cells: Iterable[Cell]) -> dict[str, AlgorithmDescription]:
    """By row: its docstring with formula and paper, and the libraries that it wraps, with version and licence."""
    owners, adapters = packages_distributions(), available()
    descriptions: dict[str, AlgorithmDescription] = {}
    for cell in cells:
        if cell.row in descriptions:
            continue
        libraries = []
        for module in adapters[cell.algorithm].requires:
            if version := cell.libraries.get(module):
                name = owners[module][0]
                libraries.append(f"{name} {version} ({_licence(name)})")
        definition = inspect.getdoc(adapters[cell.algorithm]) or "not described"
        descriptions[cell.row] = AlgorithmDescription(definition=definition, libraries=libraries)
    return descriptions


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
