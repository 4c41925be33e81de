"""The tools in `tests/proof`: what they count, and whether they see the smallest difference."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.proof import figures
from tests.proof.figures import Page
from tests.proof.page import by_room, densest, draw, show_alone, table
from tests.proof.same import CellId, MeasuredCell, RunFailed, compare_cells, describe, read_cells
from tests.proof.trees import UnknownCommit, commit_id

SVD = CellId("svd", "kfold", n_folds=2, fold=0, split_seed=0, seed=0)
RANDOM = SVD._replace(row="random")

SOURCE = '''
from typing import Any


class Scale:
    """A scale."""

    def __len__(self) -> int:
        return 5

    @property
    def lowest_step(self) -> dict[str, Any]:
        """What comes out."""
        a, b = 1, 2

        # Why it is so.
        c = a if b else (b if a else 0)
        d, e = divmod(c, 3)
        f = d
        return {"step": f + e}


def halve(value):
    def one_half():
        return 0.5

    return value * one_half()
'''
PAGE = Page("room/scale.py", SOURCE)


def measured_cell() -> MeasuredCell:
    scores = np.array([1.0, np.nan, 0.0, 3.5], np.float32)
    items = np.array([[3, -1], [0, 2]], np.int32)
    return MeasuredCell(
        "ok", {"metrics.rmse": 0.9, "metrics.auc": None}, {"scores": scores, "items": items}
    )


def differences(head: MeasuredCell) -> list[str]:
    """What is found where a cell was `measured_cell()` and is `head`."""
    return compare_cells({SVD: measured_cell()}, {SVD: head}).differences


def test_equal_cells_are_equal_and_counted() -> None:
    cells = {SVD: measured_cell(), RANDOM: measured_cell()}
    comparison = compare_cells(cells, {RANDOM: measured_cell(), SVD: measured_cell()})

    assert comparison.differences == []
    said = "movielens-100k: equal to the bit: 2 cells (2 ok), 4 numbers and 4 arrays"
    assert describe("movielens-100k", comparison) == said


@pytest.mark.parametrize("place", [0, 3])
def test_one_bit_of_an_array_is_seen(place: int) -> None:
    head = measured_cell()
    head.arrays["scores"].view(np.uint32)[place] ^= 1

    (difference,) = differences(head)
    assert difference.startswith("svd, kfold fold 0 of 2")
    assert difference.endswith("array scores: 1 of 4 values differ")


def test_the_sign_of_zero_and_a_lost_nan_are_seen() -> None:
    head = measured_cell()
    head.arrays["scores"][1:3] = [0.0, -0.0]

    (difference,) = differences(head)
    assert difference.endswith("2 of 4 values differ")


def test_every_nan_is_the_same() -> None:
    head = measured_cell()
    head.arrays["scores"].view(np.uint32)[1] ^= 1  # another NaN

    assert np.isnan(head.arrays["scores"][1])
    assert differences(head) == []


def test_integers_types_and_shapes_of_arrays_are_seen() -> None:
    items = measured_cell().arrays["items"]
    changes: dict[str, NDArray[Any]] = {
        "4 of 4 values differ": items + np.int32(1),
        "was int32[2, 2] and is int64[2, 2]": items.astype(np.int64),
        "was int32[2, 2] and is int32[4]": items.ravel(),
    }
    for said, changed in changes.items():
        arrays = {"scores": measured_cell().arrays["scores"], "items": changed}
        (difference,) = differences(replace(measured_cell(), arrays=arrays))
        assert difference.endswith(f"array items: {said}")


def test_an_array_on_one_side_is_seen() -> None:
    arrays = measured_cell().arrays
    fewer = MeasuredCell("ok", measured_cell().numbers, {"scores": arrays["scores"]})
    more = MeasuredCell("ok", measured_cell().numbers, {**arrays, "auc": arrays["scores"]})

    assert [text.partition(": ")[2] for text in differences(fewer)] == ["array items: only in base"]
    assert [text.partition(": ")[2] for text in differences(more)] == ["array auc: only in head"]


def test_a_missing_cell_is_seen_on_either_side() -> None:
    both = {SVD: measured_cell(), RANDOM: measured_cell()}
    one = {SVD: measured_cell()}

    (only_before,) = compare_cells(both, one).differences
    (only_now,) = compare_cells(one, both).differences
    assert only_before == f"{RANDOM}: only in base"
    assert only_now == f"{RANDOM}: only in head"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (
            {"metrics.rmse": float(np.nextafter(0.9, 1)), "metrics.auc": None},
            "metrics.rmse was 0.9 and is 0.9",
        ),
        ({"metrics.rmse": 0.9, "metrics.auc": 0.5}, "metrics.auc was None and is 0.5"),
        ({"metrics.rmse": 0.9}, "metrics.auc was None and is absent"),
    ],
)
def test_a_metric_is_seen(numbers: dict[str, float | None], said: str) -> None:
    (difference,) = differences(replace(measured_cell(), numbers=numbers))

    assert said in difference


def test_a_status_is_seen() -> None:
    (difference,) = differences(replace(measured_cell(), status="failed"))

    assert difference.endswith("the status was ok and is failed")


def test_cells_that_failed_on_both_sides_are_not_counted_as_ok() -> None:
    comparison = compare_cells({SVD: MeasuredCell("failed")}, {SVD: MeasuredCell("failed")})

    assert "1 cells (0 ok), 0 numbers" in describe("movielens-100k", comparison)


def write_run(directory: Path, key: str, fit_seconds: float) -> None:
    """A run of two planned cells, one of which has a record."""
    cell = {
        "algorithm": "svd",
        "given": {"n_factors": 2},
        "split": "kfold",
        "n_folds": 2,
        "fold": 0,
    }
    cell |= {"split_seed": 0, "seed": 0}
    record = {
        "key": key,
        "cell": cell,
        "status": "ok",
        "costs": {"fit": {"seconds": fit_seconds}},
        "metrics": {"rmse": 0.9},
        "slices": [{"group": "cold", "rmse": 1.1}],
        "trace": [{"epoch": 1.0, "seconds": fit_seconds, "train_rmse": 0.8}],
    }
    records = directory / "records"
    records.mkdir(parents=True)
    (directory / "plan.json").write_text(json.dumps({"cells": [cell, cell | {"fold": 1}]}))
    (records / f"svd-{key}.json").write_text(json.dumps(record))
    np.savez(records / f"svd-{key}.npz", scores=np.arange(4.0))


def test_runs_are_read_by_what_they_measure_without_keys_and_times(tmp_path: Path) -> None:
    write_run(tmp_path / "base", key="0a", fit_seconds=1.5)
    write_run(tmp_path / "head", key="1b", fit_seconds=2.5)
    base = read_cells(tmp_path / "base")
    head = read_cells(tmp_path / "head")

    comparison = compare_cells(base, head)
    assert comparison.differences == []
    assert (comparison.n_cells, comparison.n_numbers, comparison.n_arrays) == (2, 5, 1)
    assert sorted(cell.status for cell in base.values()) == ["not_run", "ok"]
    assert {cell_id.row for cell_id in base} == {'svd {"n_factors": 2}'}


def test_two_records_of_one_cell_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path, key="0a", fit_seconds=1.5)
    (tmp_path / "records" / "svd-1b.json").write_bytes(
        (tmp_path / "records" / "svd-0a.json").read_bytes()
    )

    with pytest.raises(RunFailed, match="two records of one cell: svd"):
        read_cells(tmp_path)


def test_figures_count_what_they_say() -> None:
    pages = [PAGE]
    # Bodies: 1 line of __len__, 7 of lowest_step, 4 of halve and 1 of one_half, which stands in
    # halve.
    n_body_lines = 13

    assert [function.qualified_name for function in PAGE.functions] == [
        "Scale.__len__",
        "Scale.lowest_step",
        "halve",
        "halve.one_half",
    ]
    assert [len(function.body_lines) for function in PAGE.functions] == [1, 7, 4, 1]
    assert PAGE.functions[3].n_nodes == 2  # the statement and the constant
    assert figures.percent_of_empty_lines(pages) == pytest.approx(100 * 3 / n_body_lines)
    assert figures.percent_of_tuple_assignments(pages) == 25
    assert figures.conditional_expressions(pages) == pytest.approx(100 * 2 / n_body_lines)
    assert figures.nested_conditional_expressions(pages) == 1
    assert figures.percent_of_one_word_names(pages) == 25
    assert figures.percent_of_long_lines(pages) == 0
    assert figures.any_per_thousand_lines(pages) == pytest.approx(1000 * 2 / len(PAGE.lines))
    assert figures.open_dictionaries(pages) == 1
    assert figures.longest_file(pages) == len(SOURCE.splitlines())
    assert figures.longest_function(pages) == 9


def test_a_long_line_is_one_of_more_than_100_columns() -> None:
    page = Page("room/long.py", f"{'a' * 100}\n{'a' * 101}\n")

    assert figures.percent_of_long_lines([page]) == 50


def test_the_table_leaves_empty_what_a_commit_lacks() -> None:
    (room, columns), *others = by_room({"0123456": [], "here": [PAGE]})

    assert (room, others) == ("room", [])
    assert "| longest function |  | 9 | 59 - 288 |" in table(columns).splitlines()


def test_functions_are_drawn_by_seed_and_shown_without_their_place() -> None:
    longer = SOURCE.replace(
        "    return value", "    value += 1\n    value += 2\n    value += 3\n    return value"
    )
    pages = [Page("room/scale.py", longer)]

    first, second = draw(pages, 2, seed=0)
    assert {first.name, second.name} == {"lowest_step", "halve"}
    assert draw(pages, 2, seed=0) == [first, second]
    with pytest.raises(ValueError, match="at most 2, got 3"):
        draw(pages, 3, seed=0)

    (method,) = [function for function in (first, second) if function.name == "lowest_step"]
    shown = show_alone(7, method)
    assert shown.startswith("# ---- 7 ----\n\n@property\ndef lowest_step(self)")
    assert shown.endswith('    return {"step": f + e}\n')
    assert "Scale" not in shown


def test_the_densest_function_comes_first() -> None:
    dense = "def g(x):\n" + "    y = [[x + 1, x + 2], [x + 3, x + 4]]\n" * 6
    calm = "def f(x):\n" + "    x += 1\n" * 6
    functions = densest([Page("room/a.py", calm + dense)], 2)

    assert [function.name for function in functions] == ["g", "f"]
    assert functions[1].density == 5  # assignment, name, context, operator, constant


def test_an_unknown_commit_is_refused() -> None:
    with pytest.raises(UnknownCommit, match="'no-such-commit' names no commit"):
        commit_id("no-such-commit")
