"""What is shown while cells run."""

import io

import pytest
from rich.console import Console

from recbench.benchmarks.console import Display
from tests.reports.invented_runs import cell


@pytest.mark.parametrize("plain", [False, True])
def test_nothing_is_drawn_over_prints_while_debugging(plain: bool) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Display(terminal, 2, ["rmse"], plain=plain) as display:
        display.show_start(cell("item-mean", 0))
    assert isinstance(terminal.file, io.StringIO)
    drawn = terminal.file.getvalue()
    assert (drawn == "") == plain
