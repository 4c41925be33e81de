"""Mean ranks over data sets: which rows differ significantly, and the diagram that shows it.

After J. Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006: the
Friedman test, with the F of Iman and Davenport (1980), asks whether rows differ at all, and
Nemenyi's critical difference (1963) which ones do. Data sets are what is sampled here, not users.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from recbench.benchmarks.certainty import LEVEL, level_ties, longest_alike_groups
from recbench.benchmarks.metrics import Doubles
from recbench.reports.words import p_value, rank

DRAWS = 9999  # orders drawn at random, where F's distribution is no good approximation
# With more data sets and more rows than these, F is distributed as its table says (Demšar 2006).
MANY_DATA_SETS = 10
MANY_ROWS = 5

# Inches of the diagram.
AXIS = 4.5
LETTER = 0.075
BAR = 0.09  # from bar to bar
NUMBER = 0.5  # for the mean rank beside a name
LONGEST_LINE = 40  # letters in a line of a name

BAR_COLOUR = "#1f4e8c"
LINE_COLOUR = "#8a8a8a"
SOFT = "#555555"

Side = Literal["left", "right"]


def critical_difference(n_rows: int, n_data_sets: int) -> float:
    """By how much mean ranks have to differ: Nemenyi's test at 5 %, q of the studentised range."""
    q = stats.studentized_range.ppf(1 - LEVEL, n_rows, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_rows * (n_rows + 1) / (6 * n_data_sets)))


@dataclass(frozen=True)
class Ranking:
    """The ranks of `names` on each data set, (n_rows, n_data_sets), 1 is best.

    The best mean rank comes first.
    """

    names: list[str]
    ranks: Doubles

    @staticmethod
    def of(names: Sequence[str], losses: Doubles) -> "Ranking":
        """From losses, (n_rows, n_data_sets): those equal but for rounding share the mean
        of their ranks.
        """
        ranks = stats.rankdata(level_ties(losses), axis=0).reshape(np.shape(losses))
        order = np.argsort(ranks.mean(axis=1), kind="stable")
        return Ranking([names[index] for index in order], ranks[order])

    @cached_property
    def means(self) -> Doubles:
        """The mean rank of each row."""
        return np.asarray(self.ranks.mean(axis=1))

    @property
    def freedom(self) -> tuple[int, int]:
        """The degrees of freedom of `f`."""
        n_rows, n_data_sets = self.ranks.shape
        return n_rows - 1, (n_rows - 1) * (n_data_sets - 1)

    @cached_property
    def f(self) -> float:
        """Iman and Davenport's F of the Friedman test, corrected for ties.

        Infinite if all data sets agree.
        """
        n_rows, n_data_sets = self.ranks.shape
        total = float(((self.ranks - (n_rows + 1) / 2) ** 2).sum())
        between = n_data_sets * float(((self.means - (n_rows + 1) / 2) ** 2).sum())
        if total == 0:
            return 0.0

        rest = total - between
        if rest <= 1e-9 * total:
            return float("inf")
        return float((n_data_sets - 1) * between / rest)

    @property
    def concordance(self) -> float:
        """Kendall's W, corrected for ties: 1 if all data sets order the rows alike, 0 at least."""
        n_rows, n_data_sets = self.ranks.shape
        middle = (n_rows + 1) / 2
        total = float(((self.ranks - middle) ** 2).sum())
        between = n_data_sets * float(((self.means - middle) ** 2).sum())
        return between / total if total else 0.0

    @cached_property
    def p(self) -> float:
        """The chance of so large an F if no row were better than another.

        From F's distribution where there is enough of both, else from orders drawn at random on
        each data set.
        """
        n_rows, n_data_sets = self.ranks.shape
        if n_data_sets > MANY_DATA_SETS and n_rows > MANY_ROWS:
            return float(stats.f.sf(self.f, *self.freedom))

        def sum_squares(*rows: Doubles, axis: int) -> Any:
            """What F grows with where the ranks on each data set are the same ones in any order."""
            return sum(row.sum(axis=axis) ** 2 for row in rows)

        test = stats.permutation_test(
            self.ranks,
            sum_squares,
            permutation_type="samples",
            alternative="greater",
            n_resamples=DRAWS,
            vectorized=True,
            rng=0,
        )
        return float(test.pvalue)

    @cached_property
    def difference(self) -> float:
        """The critical difference."""
        return critical_difference(*self.ranks.shape)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """First and last place of rows whose mean ranks differ by less than the `difference`."""
        return longest_alike_groups(np.abs(self.means[:, None] - self.means) < self.difference)

    @cached_property
    def obstacle(self) -> str:
        """Why no two rows can differ significantly in mean rank; empty if some can."""
        n_rows, n_data_sets = self.ranks.shape
        if n_rows < 2:
            return (
                "Fewer than two rows have a mean on every data set, so there are no ranks to "
                "compare."
            )
        if (self.ranks == self.ranks[0]).all():
            return "All rows are equal on every data set."
        if self.difference >= n_rows - 1:
            return (
                f"{n_data_sets} data sets are too few for a test of {n_rows} rows: mean ranks "
                f"would have to differ by {rank(self.difference)}, and cannot differ by more than "
                f"{n_rows - 1}. So no rows are significantly different by their mean ranks, "
                "however well the data sets agree, and no diagram is drawn."
            )
        if self.p >= LEVEL:
            return (
                f"The mean ranks do not differ by more than chance explains ({self.test}), so no "
                "pair is tested."
            )
        return ""

    @property
    def test(self) -> str:
        """The Friedman test in words: `Friedman test: F(3, 39) = 3.69, p = 0.0197`."""
        value = "∞" if np.isinf(self.f) else rank(self.f)
        numerator, denominator = self.freedom
        return f"Friedman test: F({numerator}, {denominator}) = {value}, p {p_value(self.p)}"


@dataclass(frozen=True)
class NameSpot:
    """Where a name stands: on which side of the axis, and how far down, in inches."""

    is_left: bool
    down: float


@dataclass(frozen=True)
class _Layout:
    """Where the axis and the names of a diagram are, in inches from its upper left corner."""

    left: float  # the beginning of the axis, where rank 1 is
    axis: float  # how far down the axis is
    names: float  # how far down the names begin
    n_rows: int

    @property
    def right(self) -> float:
        """The end of the axis, where the last rank is."""
        return self.left + AXIS

    @property
    def step(self) -> float:
        """From one rank to the next."""
        return AXIS / (self.n_rows - 1)

    def place(self, rank_value: float) -> float:
        """How far from the left a rank is."""
        return self.left + AXIS * (rank_value - 1) / (self.n_rows - 1)


def draw_diagram(ranking: Ranking, title: str) -> Figure:
    """Demšar's diagram: an axis of mean ranks, lines to the names, bars joining similar rows.

    A bar joins rows whose mean ranks are not significantly different.
    """
    labels = ["\n".join(textwrap.wrap(name, LONGEST_LINE)) for name in ranking.names]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    margin = LETTER * longest + NUMBER + 0.25
    width = 2 * margin + AXIS
    titles = textwrap.wrap(title, int(width / 0.085))

    # From above: the title, the axis, the bars, the names.
    levels = _stack_bars(ranking.groups)
    n_levels = max(levels, default=0) + 1
    axis = 0.8 + 0.2 * len(titles)
    layout = _Layout(margin, axis, axis + 0.25 + BAR * n_levels, len(labels))
    spots = _place_names(labels)
    height = layout.names + max(spot.down for spot in spots) + 0.3

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(0.15, 0.15, "\n".join(titles), va="top", fontsize=10, fontweight="bold")

    _draw_scale(axes, layout)
    _draw_critical_difference(axes, ranking, layout)
    for label, mean, spot in zip(labels, ranking.means, spots, strict=True):
        _draw_name(axes, label, mean, spot, layout)
    for (first, last), level in zip(ranking.groups, levels, strict=True):
        start = layout.place(ranking.means[first]) - 0.05
        end = layout.place(ranking.means[last]) + 0.05
        y = layout.axis + 0.16 + BAR * level
        axes.plot((start, end), (y, y), color=BAR_COLOUR, lw=3.2, solid_capstyle="butt", zorder=2)

    return figure


def _draw_name(axes: Axes, label: str, mean: float, spot: NameSpot, layout: _Layout) -> None:
    """A line from the mean rank down and outwards past the axis, to its number and the name."""
    outwards = 1
    edge = layout.right
    near: Side = "right"
    far: Side = "left"
    if spot.is_left:
        outwards = -1
        edge = layout.left
        near = "left"
        far = "right"

    x = layout.place(mean)
    y = layout.names + spot.down
    end = edge + outwards * NUMBER
    axes.plot([x, x, end], [layout.axis, y, y], color=LINE_COLOUR, lw=0.8, zorder=1)
    axes.text(end, y - 0.02, rank(mean), ha=near, va="bottom", fontsize=6.5, color=SOFT)
    axes.text(end + outwards * 0.06, y, label, ha=far, va="center", linespacing=1.1)


def _stack_bars(groups: Sequence[tuple[int, int]]) -> list[int]:
    """For each bar, from a first to a last place, the first level on which it touches no other."""
    last_place_by_level: list[int] = []
    levels = []
    for first, last in groups:
        free = [level for level, taken in enumerate(last_place_by_level) if taken < first]
        if free:
            level = free[0]
            last_place_by_level[level] = last
        else:
            level = len(last_place_by_level)
            last_place_by_level.append(last)
        levels.append(level)

    return levels


def _place_names(labels: Sequence[str]) -> list[NameSpot]:
    """Where each name stands: the better half on the left, and the outermost ranks on top."""
    n_left = (len(labels) + 1) // 2
    left = range(n_left)
    right = range(len(labels) - 1, n_left - 1, -1)
    spots: dict[int, NameSpot] = {}

    for indices in (left, right):
        y = 0.0
        for index in indices:
            n_lines = labels[index].count("\n") + 1
            height = 0.1 + 0.14 * n_lines
            spots[index] = NameSpot(index < n_left, y + height / 2)
            y += height

    return [spots[index] for index in range(len(labels))]


def _draw_scale(axes: Axes, layout: _Layout) -> None:
    """The axis of mean ranks with its ticks."""
    y = layout.axis
    axes.plot([layout.left, layout.right], [y, y], color="black", lw=1)

    # The first rank has a tick, whatever the distance of the others.
    distance = _tick_distance(layout.n_rows, layout.step)
    ticks = {1, *range(distance, layout.n_rows + 1, distance)}
    for value in sorted(ticks):
        x = layout.place(value)
        axes.plot([x, x], [y, y - 0.06], color="black", lw=1)
        axes.text(x, y - 0.08, str(value), ha="center", va="bottom", fontsize=7.5)

    beside = layout.left - 0.12
    axes.text(beside, y, "mean rank", ha="right", va="center", fontsize=7.5, color=SOFT)


def _draw_critical_difference(axes: Axes, ranking: Ranking, layout: _Layout) -> None:
    """A line above the axis as long as the critical difference is on it, and its value."""
    start = layout.left
    end = start + layout.step * ranking.difference
    y = layout.axis - 0.4
    axes.plot([start, end], [y, y], color="black", lw=1)

    below = y - 0.04
    above = y + 0.04
    for x in (start, end):
        axes.plot([x, x], [below, above], color="black", lw=1)

    text = f"critical difference {rank(ranking.difference)}"
    axes.text(start, y - 0.07, text, ha="left", va="bottom", fontsize=7.5)


def _tick_distance(n_rows: int, step: float) -> int:
    """From how many ranks to how many ticks stand, so that their numbers do not touch.

    `step` is the length of one rank in inches.
    """
    for distance in (1, 2, 5, 10, 20, 50):
        if distance * step >= 0.3 or distance >= n_rows:
            return distance
    return 100
