"""Rows and cells: what they are called, and what fixes a key."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from recbench.benchmarks.planning import Design, parse_rows, plan_cells


def test_rows_are_named_by_what_was_set_on_purpose() -> None:
    (row,) = parse_rows(["numpy-sgd[n_factors=7]"])
    assert row.name == "numpy-sgd[n_factors=7]"
    assert row.given == {"n_factors": 7}


def test_a_key_covers_what_fixes_the_numbers_and_nothing_else(ratings_file: Path) -> None:
    from recbench import datasets
    from recbench.benchmarks.metrics.protocols import Evaluation

    data = datasets.load(f"table:{ratings_file}")
    base = Design("kfold", n_folds=2, seed=0, evaluation=Evaluation())
    keys = [plan_cells(data, parse_rows(["numpy-sgd"]), base)[0].key]
    same = plan_cells(data, parse_rows(["numpy-sgd[n_factors=100]"]), base)[0].key
    assert same == keys[0], "a default given by hand is still the default"
    changes: list[dict[str, Any]] = [
        {"n_folds": 3},
        {"seed": 1},
        {"evaluation": Evaluation(ks=(5,))},
        {"threads": 2},
    ]
    keys += [
        plan_cells(data, parse_rows(["numpy-sgd"]), replace(base, **change))[0].key
        for change in changes
    ]
    keys.append(plan_cells(data, parse_rows(["numpy-sgd[n_factors=7]"]), base)[0].key)
    assert len(set(keys)) == len(keys)
