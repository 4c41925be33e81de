"""What is said of cells that are measured again, on runs that nothing has measured."""

from dataclasses import replace
from pathlib import Path

from recbench.benchmarks.planning import resume_plan, state_of
from recbench.benchmarks.records.record import Run
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
