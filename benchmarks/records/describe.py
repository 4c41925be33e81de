"""What a run says once about its data and algorithms.

So a report needs nothing but the run's directory.
"""

import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import metadata

from recbench.adapters import Recommender, available, create
from recbench.benchmarks.evaluation import Predicts
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.distributions import distributions_by_module
from recbench.benchmarks.records.facts import AlgorithmDescription, DataDescription
from recbench.datasets.ratings import Dataset

LICENCE_CLASSIFIER = "License ::"


def describe_data(dataset: Dataset) -> DataDescription:
    """What every record says about the data: counts, scale, digest and the whole provenance."""
    ratings = dataset.ratings
    provenance = dataset.provenance
    description = DataDescription(
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
    if dataset.feedback == "implicit":  # said only then, so that others stay what they were
        description = description.replaced(feedback="implicit")
    return description


def predicts_of(cell: Cell) -> Predicts:
    """What its algorithm predicts, or what the files hold that its answers come from."""
    if cell.external is None:
        return available()[cell.algorithm].predicts
    return "ratings" if "ratings" in cell.kinds_of_files else "lists"


def describe_algorithms(cells: Iterable[Cell]) -> dict[str, AlgorithmDescription]:
    """By row: what a report says of its adapter, and the libraries that this wraps.

    Of these only the installed ones.
    """
    adapters = available()
    owners = distributions_by_module()
    descriptions: dict[str, AlgorithmDescription] = {}
    for cell in cells:
        if cell.row not in descriptions:
            adapter = adapters[cell.algorithm]
            description = AlgorithmDescription(
                definition=inspect.getdoc(adapter) or "not described",
                libraries=_describe_libraries(adapter, cell.libraries, owners),
                predicts="ratings" if predicts_of(cell) == "ratings" else "order",
                family=adapter.family,
                epochs_hyperparameter=adapter.epochs_hyperparameter,
                origin=adapter.origin,
                folds_in=describe_fold_in(adapter),
            )
            broken = create(cell.algorithm, cell.parameters).broken_law()
            if broken is not None:  # said only then, so that others stay what they were
                description = description.replaced(broken_law=broken)
            descriptions[cell.row] = description
    return descriptions


def describe_fold_in(adapter: type[Recommender]) -> str:
    """How it answers a new user: the first sentence of its `fold_in`; empty if it has none."""
    if not adapter.folds_in():
        return ""
    first, _, _ = (inspect.getdoc(adapter.fold_in) or "not described").partition("\n\n")
    return " ".join(first.split()).removesuffix(".")


def _describe_libraries(
    adapter: type[Recommender], versions: Mapping[str, str], owners: Mapping[str, list[str]]
) -> list[str]:
    """Such as `scikit-surprise 1.1.5 (BSD License)`, for each module it needs that is installed."""
    libraries = []
    for module in adapter.requires:
        version = versions.get(module)
        if version:
            distribution = owners[module][0]
            libraries.append(f"{distribution} {version} ({_licence_of(distribution, version)})")
    return libraries


@lru_cache(maxsize=256)
def _licence_of(distribution: str, version: str) -> str:
    """The licence of an installed distribution, as its metadata say, or that they say none.

    That is the expression, the classifier, or the first line of what stands there. Read once for
    each `version`, which is the one that is installed.
    """
    fields = metadata(distribution).json
    classified = [
        text.rpartition(" :: ")[2]
        for text in fields.get("classifier", [])
        if text.startswith(LICENCE_CLASSIFIER)
    ]
    for text in (fields.get("license_expression"), *classified, fields.get("license")):
        if text and str(text).strip():
            return str(text).strip().splitlines()[0]
    return "no licence stated"
