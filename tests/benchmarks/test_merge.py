"""Shards of a plan, and their way back into one run."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.api import Settings, find_run, measure_plan, parse_limits
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.merge import merge
from recbench.benchmarks.planning import Request, Shard, check_request, parse_shard
from recbench.benchmarks.records import Run, Serving
from recbench.datasets.foundation import UsageError

ROWS = ["global-mean", "item-mean", "popularity"]


@dataclass(frozen=True)
class Measured:
    """One plan, measured as a whole and in two shards."""

    whole: Run
    shards: tuple[Run, Run]

    def copy_shards(self, directory: Path) -> list[Path]:
        """The directories of copies of the shards, which a test may spoil."""
        copies = []
        for shard in self.shards:
            copy = directory / shard.directory.name
            shutil.copytree(shard.directory, copy)
            copies.append(copy)
        return copies


@pytest.fixture(scope="module")
def measured(
    ratings_file: Path, own_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Measured:
    directory = tmp_path_factory.mktemp("shards")
    name = f"table:{ratings_file}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        for out, shard in (("whole", ""), ("one", "1/2"), ("two", "2/2")):
            request = Request(name, algorithms=tuple(ROWS), folds=3, shard=shard)
            settings = Settings(
                find_run(name, directory / out), parse_limits("60s", None, None), debug=True
            )
            measure_plan(check_request(request), settings, "a test")
    return Measured(Run(directory / "whole"), (Run(directory / "one"), Run(directory / "two")))


def merge_runs(*arguments: object) -> Result:
    return CliRunner().invoke(application(merge), [str(argument) for argument in arguments])


@pytest.mark.slow
def test_shards_joined_are_the_run_of_one_machine(measured: Measured, tmp_path: Path) -> None:
    one, two = measured.shards
    joined = Run(tmp_path / "joined")
    # in any order
    result = merge_runs(two.directory, one.directory, "--out", joined.directory, "--no-report")
    assert result.exit_code == 0, result.output

    cells, about = joined.read_plan()
    expected_cells, expected = measured.whole.read_plan()
    assert cells == expected_cells
    assert list(about.algorithms) == list(expected.algorithms) == ROWS
    assert about.blind_spots == expected.blind_spots
    assert not about.shard
    for cell in cells:
        record = joined.read(cell)
        alone = measured.whole.read(cell)
        assert record is not None and alone is not None
        assert record.answers == alone.answers
        assert record.metrics == alone.metrics

    profile = (measured.whole.directory / "profile.json").read_bytes()
    assert (joined.directory / "profile.json").read_bytes() == profile
    examples = (measured.whole.directory / "examples.json").read_bytes()
    assert (joined.directory / "examples.json").read_bytes() == examples
    assert (joined.directory / "results.csv").is_file()


def test_every_cell_is_in_one_shard(measured: Measured) -> None:
    whole, _ = measured.whole.read_plan()
    parts = [shard.read_plan()[0] for shard in measured.shards]
    assert sorted(cell.name for part in parts for cell in part) == sorted(c.name for c in whole)
    assert {len(part) for part in parts} == {4, 5}


def test_a_missing_shard_is_named(measured: Measured, tmp_path: Path) -> None:
    result = merge_runs(measured.shards[0].directory, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    assert "shard 2/2 is missing" in " ".join(result.output.split())
    assert not (tmp_path / "joined").exists()


def test_of_two_records_with_the_same_answers_the_one_with_latency_is_taken(
    measured: Measured, tmp_path: Path
) -> None:
    other = Run(tmp_path / "other")
    shutil.copytree(measured.whole.directory, other.directory)
    cells, _ = other.read_plan()
    record = other.read(cells[0])
    assert record is not None
    served = replace(record, serving=Serving(reason="it cannot be saved"))
    other.rewrite(served)

    joined = Run(tmp_path / "joined")
    runs = (measured.whole.directory, other.directory)
    result = merge_runs(*runs, "--out", joined.directory, "--no-report")
    assert result.exit_code == 0, result.output
    assert joined.read(cells[0]) == served
    assert not joined.read_plan()[1].disagreements


def spoil_evaluation(run: Run) -> None:
    cells, about = run.read_plan()
    run.write_plan(cells, about.replaced(evaluation="of another code"))


def spoil_data(run: Run) -> None:
    cells, about = run.read_plan()
    run.write_plan(cells, about.replaced(data=about.data.replaced(digest="0" * 64)))


def spoil_source(run: Run) -> None:
    cells, about = run.read_plan()
    run.write_plan([replace(cell, source="0" * 64) for cell in cells], about)


def spoil_library(run: Run) -> None:
    cells, about = run.read_plan()
    other = [replace(cell, libraries={**cell.libraries, "numpy": "1.0"}) for cell in cells]
    run.write_plan(other, about)


@pytest.mark.parametrize(
    ("spoil", "difference"),
    [
        (spoil_evaluation, "they differ in code of the evaluation (of another code and"),
        (spoil_data, "they differ in data (00000000 and"),
        (spoil_source, "they differ in the row global-mean: code ("),
        (spoil_library, "they differ in the version of numpy (1.0 and"),
    ],
)
def test_what_differs_is_refused_by_name(
    spoil: Callable[[Run], None], difference: str, measured: Measured, tmp_path: Path
) -> None:
    one, two = measured.copy_shards(tmp_path)
    spoil(Run(one))
    result = merge_runs(one, two, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    assert difference in " ".join(result.output.split())
    assert not (tmp_path / "joined").exists()


@pytest.mark.slow
def test_of_two_records_that_should_be_equal_both_are_kept(
    measured: Measured, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(measured.whole.directory, other)
    changed = Run(other)
    cell = changed.read_plan()[0][0]
    record = changed.read(cell)
    assert record is not None
    answers = changed.answers(cell)
    answers["scores"] = answers["scores"] + np.float32(0.5)
    changed.write(record, answers)

    out = tmp_path / "joined"
    result = merge_runs(measured.whole.directory, other, "--out", out)
    assert result.exit_code == 4, result.output
    assert "should have the same answers and do not" in " ".join(result.output.split())
    kept = Run(out).answers(cell)["scores"]
    beside = Run(out / "differing" / "other").answers(cell)["scores"]
    np.testing.assert_array_equal(kept, measured.whole.answers(cell)["scores"])
    np.testing.assert_array_equal(beside, answers["scores"])
    assert "should have the same answers and do not" in (out / "report.md").read_text()


def test_an_ok_record_is_taken_before_one_that_is_not(measured: Measured, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(measured.whole.directory, other)
    failing = Run(other)
    cell = failing.read_plan()[0][0]
    record = failing.read(cell)
    assert record is not None
    failing.write(replace(record, status="timeout", reason="slow", metrics={}, costs={}))

    out = tmp_path / "joined"
    result = merge_runs(other, measured.whole.directory, "--out", out, "--no-report")
    assert result.exit_code == 0, result.output
    taken = Run(out).read(cell)
    assert taken is not None and taken.status == "ok"


def test_answers_that_are_not_those_of_the_record_are_refused(
    measured: Measured, tmp_path: Path
) -> None:
    one, two = measured.copy_shards(tmp_path)
    cells, _ = Run(one).read_plan()
    shutil.copy(Run(one).path(cells[1], ".npz"), Run(one).path(cells[0], ".npz"))
    result = merge_runs(one, two, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    assert "not the file that its record was made with" in " ".join(result.output.split())


def test_parts_beyond_the_first_are_compared_with_each_other(
    measured: Measured, tmp_path: Path
) -> None:
    one, two = measured.copy_shards(tmp_path)
    three = tmp_path / "three"
    shutil.copytree(two, three)
    cells, about = Run(one).read_plan()
    kept = [cell for cell in cells if cell.row != "popularity"]
    assert len(kept) < len(cells)
    Run(one).write_plan(kept, about)

    cells, about = Run(three).read_plan()
    changed = [
        replace(cell, source="0" * 64) if cell.row == "popularity" else cell for cell in cells
    ]
    Run(three).write_plan(changed, about)
    result = merge_runs(one, two, three, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    assert "they differ in the row popularity: code (" in " ".join(result.output.split())


def test_shards_of_plans_with_other_rows_are_refused(measured: Measured, tmp_path: Path) -> None:
    one, two = measured.copy_shards(tmp_path)
    cells, about = Run(two).read_plan()
    Run(two).write_plan([cell for cell in cells if cell.row != "popularity"], about)
    result = merge_runs(one, two, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    printed = " ".join(result.output.split())
    assert "popularity has" in printed
    assert "not the shards of one plan" in printed
    assert not (tmp_path / "joined").exists()


def test_a_row_of_an_absent_plugin_is_refused(measured: Measured, tmp_path: Path) -> None:
    one, two = measured.copy_shards(tmp_path)
    cells, about = Run(two).read_plan()
    Run(two).write_plan([replace(cells[0], algorithm="my-own"), *cells[1:]], about)
    result = merge_runs(one, two, "--out", tmp_path / "joined")
    assert result.exit_code == 2
    assert "my-own is not known here; name its module with --plugin" in " ".join(
        result.output.split()
    )


def test_differing_records_of_namesakes_are_all_kept(measured: Measured, tmp_path: Path) -> None:
    cell = measured.whole.read_plan()[0][0]
    others = []
    for place in (1, 2):
        other = tmp_path / f"host-{place}" / measured.whole.directory.name
        shutil.copytree(measured.whole.directory, other)
        record = Run(other).read(cell)
        assert record is not None
        answers = Run(other).answers(cell)
        answers["scores"] = answers["scores"] + np.float32(place)
        Run(other).write(record, answers)
        others.append(other)

    out = tmp_path / "joined"
    result = merge_runs(measured.whole.directory, *others, "--out", out, "--no-report")
    assert result.exit_code == 4, result.output
    assert len(list((out / "differing").glob("*/records/*.npz"))) == 2


def test_results_do_not_go_where_a_run_is(measured: Measured, tmp_path: Path) -> None:
    one, two = measured.copy_shards(tmp_path)
    shutil.copytree(measured.whole.directory, tmp_path / "there")
    for out, problem in ((one, "one of the runs"), (tmp_path / "there", "a run is there already")):
        result = merge_runs(one, two, "--out", out)
        assert result.exit_code == 2
        assert problem in " ".join(result.output.split())


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="such as 2/8"):
        parse_shard(text)


def test_more_shards_than_cells_are_refused(measured: Measured) -> None:
    cells, _ = measured.whole.read_plan()
    with pytest.raises(UsageError, match="the plan has 9 cells"):
        Shard(10, 10).pick(cells)
