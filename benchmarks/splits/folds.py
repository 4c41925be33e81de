"""From a split as it is written to the rows of its folds.

It is written `name` or `name[key=value,...]`, such as `holdout[test=0.1]`; data sets bring official ones.
"""

import hashlib
from typing import Any

import numpy as np

from recbench.benchmarks.splits.built_in import (
    SPLITS,
    Order,
    Rows,
    Split,
    parse_moment,
    rows_without,
)
from recbench.datasets.foundation import (
    UsageError,
    format_spec,
    parse_spec,
    pick_name,
    validate_arguments,
)
from recbench.datasets.ratings import Dataset

# What the official splits do with time: those of MovieLens are random, the probe is drawn from each user's latest.
OFFICIAL_ORDERS: dict[str, Order] = {"u": "none", "ua": "none", "ub": "none", "probe": "user"}


def _find(spec: str) -> tuple[Split | None, str, dict[str, Any]]:
    """The split of the bench that `spec` names, or None; its name; its parameters, converted and checked."""
    name, given = parse_spec(spec)
    found = SPLITS.get(name)
    if found is None:
        return None, spec, {}
    ours = validate_arguments(f"split {name}", found.divide, given)
    if fixed := sorted({"ratings", "n_folds", "fold", "seed"} & set(ours)):
        raise UsageError(f"split {name} takes no parameter {fixed[0]}: use --folds and --seed")
    if name == "time" and "at" in ours:
        parse_moment(ours["at"])
    return found, name, ours


def canonical_spec(spec: str) -> str:
    """`spec` as it stands in a cell. UsageError for a malformed one; official names pass as they are."""
    _, name, parameters = _find(spec)
    return format_spec(name, parameters)


def resolve_n_folds(
    dataset: Dataset, spec: str, wanted: int | None, default: int | None = None
) -> int:
    """How many folds the split has: the `wanted` number, or the `default`, or what it comes with.

    UsageError for a split that neither the bench nor the data set has, a number of folds that it cannot have, and
    ratings without the times that it needs.
    """
    found, name, _ = _find(spec)
    if found is None:
        pick_name("split", name, [*SPLITS, *dataset.splits])
    elif found.order != "none" and dataset.ratings.times is None:
        raise UsageError(
            f"--split {spec}: the ratings of {dataset.name} have no times; use kfold or holdout"
        )
    only = len(dataset.splits[name]) if found is None else 1 if found.folds == "one" else None
    if only is not None and wanted not in (None, only):
        raise UsageError(
            f"--folds {wanted}: the split {spec!r} of {dataset.name} has {only}; leave --folds out"
        )
    is_parts = found is not None and found.folds == "parts"
    n_folds = only or wanted or default or (5 if is_parts else 1)
    if is_parts and not 2 <= n_folds <= len(dataset.ratings):
        raise UsageError(
            f"--folds {n_folds}: expected 2 to {len(dataset.ratings)}, the ratings of {dataset.name}"
        )
    return n_folds


def is_seeded(spec: str) -> bool:
    """Whether another seed gives another division; official splits have none, and others go by the ratings alone."""
    found = _find(spec)[0]
    return found is not None and found.folds != "one"


def order_in_time(spec: str) -> Order | None:
    """Which order in time the split respects, see `Split`; None for an official one of which that is not known."""
    found, name, _ = _find(spec)
    return OFFICIAL_ORDERS.get(name) if found is None else found.order


def refuse_empty_parts(dataset: Dataset, spec: str, n_folds: int, seed: int) -> None:
    """UsageError if a fold has no training or no test rating, since then there is nothing to fit or to measure."""
    found = _find(spec)[0]
    if found is not None and found.even:
        return  # `n_folds_of` asks for as many ratings as folds, and dividing many ratings takes seconds
    for fold in range(n_folds):
        for part, rows in zip(
            ("training", "test"), _parts(dataset, spec, n_folds, fold, seed), strict=True
        ):
            if not len(rows):
                raise UsageError(
                    f"--split {spec}: no rating is left for the {part} part of fold {fold} (seed {seed}) of the "
                    f"{len(dataset.ratings):,} ratings of {dataset.name}; choose other parameters or another split"
                )


def divide(dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """The training and the test rows of a fold; those of an official split are in the order of the data set.

    RuntimeError if a row is in both parts: then the split is wrong, and no number would be worth anything.
    """
    train, test = _parts(dataset, spec, n_folds, fold, seed)
    in_training = np.zeros(len(dataset.ratings), bool)
    in_training[train] = True
    if n_both := int(in_training[test].sum()):
        raise RuntimeError(
            f"split {spec}, fold {fold}: {n_both:,} ratings are in the training and in the test part"
        )
    return train, test


def _parts(dataset: Dataset, spec: str, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    found, name, parameters = _find(spec)
    if found is not None:
        return found.divide(dataset.ratings, n_folds, fold, seed, **parameters)
    return rows_without(dataset.splits[name][fold], len(dataset.ratings))


def fingerprint_rows(rows: Rows) -> str:
    """Twelve hexadecimal digits over row numbers and their order: the same for all algorithms of a fold."""
    return hashlib.sha256(np.ascontiguousarray(rows, np.int64).data).hexdigest()[:12]


def digest_of_split(dataset: Dataset, spec: str) -> str:
    """sha256 of all that fixes the folds but their number and the seed: the data, and an official split's rows."""
    found, name, _ = _find(spec)
    if found is not None:
        return dataset.digest
    seen = hashlib.sha256(dataset.digest.encode())
    for rows in dataset.splits[name]:
        seen.update(np.ascontiguousarray(rows).data)
    return seen.hexdigest()
