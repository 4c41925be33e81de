"""Where the numbers beside an axis stand: round ones, so far apart that none touches another."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

# Multiples of a power of ten, from the fewest to the most; of several that fit, the most are taken.
MULTIPLES = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
ROUND_STEPS = (1.0, 2.0, 5.0)  # of a linear row of ticks, times a power of ten
EDGE = 0.03  # part of the axis at its end where no number stands: half of it would be cut off


def logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers for a logarithmic axis from `low` to `high`, at most so many.

    >>> logarithmic_ticks(0.8, 2000, 4)
    [1.0, 10.0, 100.0, 1000.0]
    >>> logarithmic_ticks(3e-5, 4e-3, 6)
    [3e-05, 0.0001, 0.0003, 0.001, 0.003]
    >>> logarithmic_ticks(0.889, 0.952, 4)
    [0.9, 0.92, 0.94]
    """
    width = math.log(high / low)
    if width <= 0:
        return [low]

    chosen: list[float] = []
    for candidates in [*_list_powers(low, high), *_list_even_steps(low, high)]:
        inside = [tick for tick in candidates if _is_inside(tick, low, width)]
        if len(inside) > len(chosen) and _are_apart(inside, width / most):
            chosen = inside[:most]
    return chosen or [round_down(high, low)]


def round_down(high: float, low: float) -> float:
    """The roundest number between the two, where no row of ticks has one."""
    for decimals in range(-12, 16):
        rounded = math.floor(high * 10.0**decimals) / 10.0**decimals
        if rounded >= low:
            return rounded
    return high


def _list_powers(low: float, high: float) -> list[list[float]]:
    """Every third, second and every power of ten, and then their multiples."""
    first = math.floor(math.log10(low))
    last = math.ceil(math.log10(high))
    rows = []
    for stride in (3, 2):
        rows.append([10.0**power for power in range(first, last + 1) if power % stride == 0])
    for multiples in MULTIPLES:
        powers = range(first, last + 1)
        rows.append([float(f"{step}e{power}") for power in powers for step in multiples])
    return rows


def _list_even_steps(low: float, high: float) -> list[list[float]]:
    """Rows of numbers at even steps, as an axis that is hardly logarithmic has them."""
    finest = math.floor(math.log10(high - low)) - 1
    rows = []
    for power in (finest + 1, finest):
        for step in reversed(ROUND_STEPS):
            size = step * 10.0**power
            places = range(math.ceil(low / size), math.floor(high / size) + 1)
            rows.append([float(f"{place * size:.12g}") for place in places if place])
    return rows


def _is_inside(tick: float, low: float, width: float) -> bool:
    place = math.log(tick / low) / width
    return -1e-9 <= place <= 1 - EDGE


def _are_apart(ticks: Sequence[float], least: float) -> bool:
    """Whether neighbours are at least so far apart, in logarithms."""
    return all(
        math.log(later / earlier) >= least * (1 - 1e-9) for earlier, later in pairwise(ticks)
    )


def ticks_at_points(values: Sequence[float], low: float, high: float, most: int) -> list[float]:
    """The values themselves, where there is room for each; those that are too near are left out.

    The first and the last stay: they say from where to where was measured.

    >>> ticks_at_points([1, 2, 5, 10, 20, 30], 0.8, 40, 8)
    [1, 2, 5, 10, 30]
    """
    ordered = sorted(set(values))
    least = math.log(high / low) / most
    chosen = ordered[:1]
    for value in ordered[1:]:
        has_room = math.log(value / chosen[-1]) >= least
        is_before_last = value == ordered[-1] or math.log(ordered[-1] / value) >= least
        if has_room and is_before_last:
            chosen.append(value)
    return chosen


def set_ticks(axis: Axis, ticks: Sequence[float], texts: Sequence[str]) -> None:
    """These numbers beside an axis, with these texts, and no others."""
    by_tick = dict(zip(ticks, texts, strict=True))
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: by_tick.get(value, "")))
