"""What is said of cells that are measured again, on runs that nothing has measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.planning import resume_plan, state_of
from recbench.benchmarks.records.record import Run
from recbench.datasets import UsageError
from tests.benchmarks.records.test_examples import small
from tests.reports.invented_runs import cell, failed, ok, write

EVALUATION = "e" * 12


def test_a_cell_that_has_lost_its_raw_answers_is_not_measured_again_without_a_word(
    tmp_path: Path,
) -> None:
    cells = [cell("item-mean", fold) for fold in range(4)]
    records = [replace(ok(planned, 1.0), evaluation=EVALUATION) for planned in cells[:3]]
    records.append(failed(cells[3], "timeout", "slow"))
    run = Run(write(tmp_path, records))
    run.path(cells[1], ".npz").unlink()
    run.path(cells[2], ".npz").write_bytes(b"no archive")

    states = {planned.name: state_of(run, planned, (), EVALUATION) for planned in cells}
    resumed = resume_plan(run, cells, states, small(), EVALUATION)
    assert resumed.waiting == cells[1:]
    assert resumed.remarks == [
        "item-mean: 2 cells are measured again: the raw answers are gone or damaged"
    ]


def flip_bit(path: Path, place: int) -> None:
    """Change one bit of the file, counted from its end."""
    content = bytearray(path.read_bytes())
    content[-place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("evaluation", [EVALUATION, "f" * 12], ids=["same code", "other code"])
def test_a_cell_whose_raw_answers_have_one_other_bit_is_measured_again_and_said(
    tmp_path: Path, evaluation: str
) -> None:
    """Kept, it locked the run for good: the advice to run again failed in the same way."""
    cells = [cell("item-mean", fold) for fold in range(2)]
    run = Run(tmp_path)
    for planned in cells:
        record = replace(ok(planned, 1.0), evaluation=EVALUATION)
        run.write(record, {"scores": np.zeros(5, np.float32)})
    flip_bit(run.path(cells[1], ".npz"), 200)
    assert run.has_answers(cells[1])

    states = {planned.name: state_of(run, planned, (), EVALUATION) for planned in cells}
    assert list(states.values()) == ["kept", "to run"]
    states = {planned.name: state_of(run, planned, (), evaluation) for planned in cells[1:]}
    resumed = resume_plan(run, cells[1:], states, small(), EVALUATION)
    assert resumed.waiting == cells[1:]
    assert resumed.remarks == [
        "item-mean: 1 cell is measured again: the raw answers are gone or damaged"
    ]


def test_raw_answers_that_were_swapped_are_refused_wherever_they_count(tmp_path: Path) -> None:
    cells = [cell("item-mean", fold) for fold in range(2)]
    run = Run(tmp_path)
    for number, planned in enumerate(cells):
        run.write(ok(planned, 1.0), {"scores": np.full(5, number, np.float32)})
    run.path(cells[0], ".npz").write_bytes(run.path(cells[1], ".npz").read_bytes())
    record = run.read(cells[0])
    assert record is not None
    assert not run.has_answers_of(record)
    with pytest.raises(UsageError, match="not the file that its record was made with"):
        run.answers_of(record)
