"""The numbers beside an axis are round, inside it, and so far apart that none touches another."""

import doctest
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbench.reports import words
from recbench.reports.drawing import growth, ticks
from recbench.reports.drawing.growth import Growth, GrowthPanel, draw_growth

MOST = 7


@pytest.mark.parametrize("module", [ticks, growth, words])
def test_examples_give_what_they_say(module: object) -> None:
    results = doctest.testmod(module)  # type: ignore[arg-type]
    assert results.attempted >= 1 and results.failed == 0


@given(st.floats(1e-7, 1e6), st.floats(1.0005, 1e9))
def test_there_are_a_few_and_none_touches_another(low: float, ratio: float) -> None:
    high = low * ratio
    chosen = ticks.logarithmic_ticks(low, high, MOST)
    assert 1 <= len(chosen) <= MOST
    assert all(low * (1 - 1e-6) <= tick <= high for tick in chosen)
    for earlier, later in pairwise(chosen):
        assert math.log(later / earlier) >= math.log(ratio) / MOST * 0.999
    if ratio > 1.1:
        assert len(chosen) >= 2
    texts = [f"{tick:.6g}" for tick in chosen]
    assert len(set(texts)) == len(texts)


def test_times_have_units_and_sizes_stand_where_they_were_measured() -> None:
    curves = [Growth("als", (4_000, 16_000, 66_667), (5e-5, 4e-4, 0.003))]
    panels = [GrowthPanel("time to fit", curves, is_time=True)]
    axes = draw_growth(panels, "title").axes[0]
    beside = [label.get_text() for label in axes.get_yticklabels()]
    assert "100 µs" in beside and "1 ms" in beside and not any("e-" in text for text in beside)
    below = [label.get_text() for label in axes.get_xticklabels()]
    assert below == ["4,000", "16k", "66.7k"]
