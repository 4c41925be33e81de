"""Whether a model is what it says: its files, what it answers, and the data it has learned from."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recbench import datasets
from recbench.adapters import available
from recbench.benchmarks.models.directory import load_model
from recbench.benchmarks.models.model import Model, probe_scores
from recbench.benchmarks.models.training import matrix_of_ratings
from recbench.benchmarks.planning import library_versions
from recbench.benchmarks.records import answers_source
from recbench.datasets.foundation import UsageError


@dataclass
class ModelCheck:
    """What was compared, what is not as it should be, and what else is to be known."""

    compared: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_model(directory: Path, dataset: str | None, *, with_data: bool) -> ModelCheck:
    """Load the model in a directory, ask it, and compare it with its data.

    `dataset` says where the data are now, None that they are where they were. UsageError for a
    model that cannot be loaded at all, and for data that are not there.
    """
    check = ModelCheck()
    model = load_model(directory)
    check.compared.append(f"{len(model.description.files)} files have the sums of model.json")
    _check_ids(model, check)
    _check_answers(model, check)
    _remark_on_versions(model, check)
    if with_data:
        _check_data(model, dataset, check)
    return check


def _check_ids(model: Model, check: ModelCheck) -> None:
    for what, ids in (("user", model.user_ids), ("item", model.items.ids)):
        texts = [str(raw) for raw in ids.tolist()]
        n_twice = len(texts) - len(set(texts))
        if n_twice:
            check.findings.append(f"{n_twice} {what} ids stand there twice")
    check.compared.append(f"{len(model.user_ids):,} user and {len(model.items.ids):,} item ids")

    described = model.description.data
    n_ratings = model.rated.nnz
    if n_ratings > described.ratings:
        check.findings.append(
            f"it holds {n_ratings:,} ratings, and model.json speaks of {described.ratings:,}"
        )

    lowest, highest = described.scale
    values = model.rated.data
    is_within = (values >= lowest) & (values <= highest)  # false for NaN, too
    if not is_within.all():
        check.findings.append(f"it holds ratings outside of its scale, {lowest:g} to {highest:g}")


def _check_answers(model: Model, check: ModelCheck) -> None:
    """Whether it answers as the algorithm did when it was fitted."""
    if probe_scores(model) == model.description.probe:
        check.compared.append("its scores are those of the fitted algorithm, bit for bit")
        return
    adapter = available()[model.description.algorithm]
    now = library_versions(adapter)
    changed = [name for name, text in now.items() if model.description.versions.get(name) != text]
    sentence = "its scores are not those of the fitted algorithm"
    if changed:
        check.remarks.append(f"{sentence}; other versions are installed: {', '.join(changed)}")
    else:
        check.findings.append(sentence)


def _remark_on_versions(model: Model, check: ModelCheck) -> None:
    adapter = available()[model.description.algorithm]
    if answers_source(adapter) != model.description.source:
        check.remarks.append(
            "the code of the algorithm has changed since; what was learned is kept, and asked by "
            "the code of today"
        )


def _check_data(model: Model, dataset: str | None, check: ModelCheck) -> None:
    """Whether the data are there as they were, and the model's ratings are theirs."""
    described = model.description.data
    spec = dataset or model.description.dataset
    try:
        data = datasets.load(spec, real_only=not described.simulated)
    except UsageError as error:
        raise UsageError(
            f"{error}\nThe data of the model cannot be compared: --dataset says where they are "
            "now, --without-data checks the rest."
        ) from None
    if data.digest != described.digest:
        check.findings.append(
            f"the digest of {spec} is {data.digest[:12]}, the model was trained on "
            f"{described.digest[:12]}"
        )
        return
    expected = matrix_of_ratings(data.ratings)
    is_same = (
        np.array_equal(expected.indptr, model.rated.indptr)
        and np.array_equal(expected.indices, model.rated.indices)
        and np.array_equal(expected.data, model.rated.data)
    )
    if not is_same:
        check.findings.append("its ratings are not those of the data")
    has_ids = np.array_equal(data.user_ids.astype(str), model.user_ids.astype(str))
    if not (has_ids and np.array_equal(data.item_ids.astype(str), model.items.ids.astype(str))):
        check.findings.append("its ids are not those of the data")
    check.compared.append(f"{model.rated.nnz:,} ratings and all ids are those of {spec}")
