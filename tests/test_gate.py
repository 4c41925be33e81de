"""The gate on real runs that were made worse on purpose."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from benchmarks.accept import accept
from benchmarks.cell import Cell
from benchmarks.command_line import application
from benchmarks.compare import gate
from benchmarks.gate import parse
from benchmarks.results import Record, Run
from benchmarks.verdicts import Limit
from datasets import UsageError
from tests.conftest import RunBench

LIMITS = ["rmse:+1%", "precision@10:-5%"]


@pytest.fixture(scope="module")
def base(ratings_file: Path, run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of three algorithms on two folds."""
    directory = tmp_path_factory.mktemp("base")
    rows = [part for row in ("item-mean", "user-item-bias", "popularity") for part in ("--algorithm", row)]
    arguments = ["--dataset", f"table:{ratings_file}", "--folds", 2, *rows, "--out", directory, "--no-report"]
    run_bench(*arguments, check=0)
    return directory


@pytest.fixture
def head(base: Path, tmp_path: Path) -> Path:
    """The same run, to be changed."""
    return Path(shutil.copytree(base, tmp_path / "head"))


def compared(base: Path, head: Path, *limits: str, more: tuple[str, ...] = ()) -> Result:
    arguments = [str(base), str(head), *(part for limit in limits or LIMITS for part in ("--fail-on", limit)), *more]
    return CliRunner().invoke(application(gate), arguments)


Edit = Callable[[dict[str, Any]], None]


def change(directory: Path, row: str, shares: Edit = lambda _: None, **fields: Any) -> None:
    """Edit the cells of a row: its raw answers, its record or, under `cell`, what it is a record of."""
    run = Run(directory)
    cells, about = run.read_plan()
    planned = []
    for cell in cells:
        record = run.read(cell)
        assert record is not None
        if cell.row == row:
            with np.load(run.path(cell, ".npz")) as found:
                arrays = dict(found)
            shares(arrays)
            cell = replace(cell, **fields.get("cell", {}))
            rest = {name: value for name, value in fields.items() if name != "cell"}
            run.write(replace(record, cell=cell, **rest), arrays)
        planned.append(cell)
    run.write_plan(planned, about)


def worse(column: str, factor: float, noise: float = 0.0) -> Edit:
    """Multiply what the users add to a column."""

    def scale(arrays: dict[str, Any]) -> None:
        place = arrays["share_columns"].tolist().index(column)
        rng = np.random.default_rng(0)
        arrays["share_sums"][place] *= factor + rng.normal(0, noise, len(arrays["share_users"]))

    return scale


def verdicts(directory: Path) -> dict[tuple[str, str], str]:
    found = json.loads((directory / "verdict.json").read_text())["verdicts"]
    return {(entry["row"], entry["limit"]["column"]): entry["verdict"] for entry in found}


def test_the_same_run_passes(base: Path, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "verdict.json"), "--markdown", str(tmp_path / "verdict.md"))
    result = compared(base, base, *LIMITS, "fit_seconds:+50%", more=files)
    assert result.exit_code == 0, result.output
    found = verdicts(tmp_path)
    assert found["item-mean", "rmse"] == found["popularity", "precision@10"] == "PASS"
    assert found["item-mean", "fit_seconds"] == "PASS"
    assert ("popularity", "rmse") not in found
    assert "All 3 rows pass." in (tmp_path / "verdict.md").read_text()


@pytest.mark.parametrize(
    ("column", "factor", "verdict", "code"),
    [
        ("rmse", 1.03**2, "REGRESSED", 1),
        ("rmse", 0.97**2, "IMPROVED", 0),
        ("rmse", 0.8**2, "SUSPICIOUS", 0),
        ("precision@10", 0.9, "REGRESSED", 1),
        ("precision@10", 0.98, "PASS", 0),
        ("precision@10", 1.05, "IMPROVED", 0),
    ],
)
def test_what_got_worse_or_better_is_told(
    base: Path, head: Path, column: str, factor: float, verdict: str, code: int
) -> None:
    change(head, "item-mean", worse(column, factor))
    result = compared(base, head, more=("--json", str(head / "verdict.json")))
    assert verdicts(head)["item-mean", column] == verdict
    assert result.exit_code == code, result.output


def test_a_worsening_within_chance_does_not_fail_but_is_too_fine_to_be_gated(base: Path, head: Path) -> None:
    change(head, "item-mean", worse("rmse", 1.02, noise=0.5))
    result = compared(base, head, "rmse:+0.1%")
    assert result.exit_code == 2
    assert "finer than the data can resolve: rmse:+0.1%: the minimum detectable effect is" in result.output
    assert compared(base, head, "rmse:+30%").exit_code == 0


def test_a_missing_row_fails_and_a_new_one_does_not(base: Path, head: Path) -> None:
    run = Run(head)
    cells, about = run.read_plan()
    run.write_plan([cell for cell in cells if cell.row != "popularity"], about)
    result = compared(base, head)
    assert result.exit_code == 1
    assert "MISSING popularity, rmse: the head has no such row" in result.output
    back = compared(head, base)
    assert back.exit_code == 0
    assert "NEW popularity" in back.output


def test_a_failed_cell_of_the_head_is_missing(base: Path, head: Path) -> None:
    change(head, "item-mean", status="timeout", reason="killed after 600 s")
    result = compared(base, head)
    assert result.exit_code == 1
    assert "MISSING item-mean, rmse: head: timeout in fold 0: killed after 600 s" in result.output


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("digest", {"digest": "0" * 64}),
        ("split", {"split": "user-kfold"}),
        ("n_folds", {"n_folds": 3}),
        ("split_seed", {"split_seed": 1}),
    ],
)
def test_what_cannot_be_compared_is_named(base: Path, head: Path, key: str, changed: dict[str, Any]) -> None:
    for row in ("item-mean", "user-item-bias", "popularity"):
        change(head, row, cell=changed)
    result = compared(base, head)
    assert result.exit_code == 1
    assert f"INCOMPARABLE item-mean, rmse: {key} differs:" in result.output


def test_a_run_that_mixes_data_is_refused(base: Path, head: Path) -> None:
    change(head, "item-mean", cell={"digest": "0" * 64})
    result = compared(base, head)
    assert result.exit_code == 2
    found = re.search(r"plan\.json mixes data: the digest of (\S+) is ", result.output)
    assert found and (head / "records" / f"{found[1]}.json").exists()


def test_other_definitions_cannot_be_compared(base: Path, head: Path) -> None:
    cell: Cell = Run(head).read_plan()[0][0]
    protocol = json.loads(json.dumps(cell.protocol))
    protocol["protocols"]["standard"]["candidates"] = "all"
    change(head, "item-mean", cell={"protocol": protocol})
    result = compared(base, head)
    assert result.exit_code == 1
    assert "INCOMPARABLE item-mean, rmse: the protocol's protocols differs" in result.output


def slower(record: Record, factor: float) -> dict[str, Any]:
    fit = record.costs["fit"] | {"seconds": factor * record.costs["fit"]["seconds"]}
    return record.costs | {"fit": fit}


def test_times_are_gated_in_units_of_the_kernel_on_one_machine_only(base: Path, head: Path) -> None:
    run = Run(head)
    for cell in run.read_plan()[0]:
        record = run.read(cell)
        assert record is not None
        with np.load(run.path(cell, ".npz")) as arrays:
            run.write(replace(record, costs=slower(record, 2.5)), dict(arrays))
    assert compared(base, head, "fit_seconds:+50%").exit_code == 1
    for cell in run.read_plan()[0]:  # the whole machine was slower by as much
        record = run.read(cell)
        assert record is not None and record.kernel_seconds is not None
        with np.load(run.path(cell, ".npz")) as arrays:
            run.write(replace(record, kernel_seconds=2.5 * record.kernel_seconds), dict(arrays))
    assert compared(base, head, "fit_seconds:+50%").exit_code == 0
    for environment in ({"cpu": "another"}, {"contended": True}):
        for cell in run.read_plan()[0]:
            record = run.read(cell)
            assert record is not None
            with np.load(run.path(cell, ".npz")) as arrays:
                run.write(replace(record, environment=record.environment | environment), dict(arrays))
        result = compared(base, head, "fit_seconds:+50%")
        assert result.exit_code == 0
        assert "NOT GATED" in result.output


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("rmse:+0.5%", ("rmse", 0.005, True)),
        ("precision@10:-3%", ("precision@10", 0.03, True)),
        ("mae:+.01", ("mae", 0.01, False)),
        ("mean_error:+0.02", ("mean_error", 0.02, False)),
        ("lightfm:auc:-1%", ("lightfm:auc", 0.01, True)),
        ("fit_seconds:+50%", ("fit_seconds", 0.5, True)),
    ],
)
def test_limits_are_read(text: str, limit: tuple[str, float, bool]) -> None:
    assert parse(text) == Limit(text, *limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rmse", "expected COLUMN:+AMOUNT"),
        ("rmse:0.5%", "expected COLUMN:+AMOUNT"),
        ("rmse:+a%", "expected COLUMN:+AMOUNT"),
        ("rmse:-1%", "gets worse towards +; write rmse:+1%"),
        ("precision@10:+3%", "gets worse towards -"),
        ("precision:-3%", "expected a cutoff"),
        ("rsme:+1%", "unknown metric"),
        ("gini@10:+1%", "no uncertainty over users"),
        ("mean_error:+1%", "best at 0"),
        ("fit_seconds:+1", "times are compared as ratios"),
        ("fit_seconds:-10%", "times are compared as ratios"),
    ],
)
def test_bad_limits_are_refused(base: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("+", r"\+")):
        parse(text)
    assert compared(base, base, text).exit_code == 2


def test_what_is_no_run_is_refused(base: Path, tmp_path: Path) -> None:
    result = compared(base, tmp_path)
    assert result.exit_code == 2
    assert "holds no results" in result.output


def test_lost_or_damaged_answers_are_named(base: Path, head: Path) -> None:
    run = Run(head)
    path = run.path(run.read_plan()[0][0], ".npz")
    path.write_bytes(b"nothing")
    result = compared(base, head)
    assert result.exit_code == 2
    assert str(path.name) in result.output.replace("\n", "")


def test_an_accepted_baseline_is_small_and_gates_the_next_run(base: Path, head: Path, tmp_path: Path) -> None:
    def accepted(run: Path) -> Result:
        limits = [part for limit in LIMITS for part in ("--fail-on", limit)]
        return CliRunner().invoke(application(accept), [str(run), str(tmp_path / "baseline"), *limits])

    first = accepted(base)
    assert first.exit_code == 0, first.output
    assert "baseline is new" in first.output.replace("\n", "")
    assert compared(tmp_path / "baseline", base).exit_code == 0
    change(head, "item-mean", worse("rmse", 1.1))
    assert compared(tmp_path / "baseline", head).exit_code == 1
    assert "REGRESSED" in accepted(head).output
    assert compared(tmp_path / "baseline", head).exit_code == 0
    with np.load(next((tmp_path / "baseline" / "records").glob("item-mean*.npz"))) as arrays:
        assert arrays["share_columns"].tolist() == ["rmse", "precision@10"]
    change(head, "item-mean", status="timeout", reason="killed")
    assert accepted(head).exit_code == 2
