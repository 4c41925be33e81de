"""Mean ranks over data sets: which rows can be told apart by them, and the diagram that shows it.

After J. Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006: the Friedman test, with
the F of Iman and Davenport (1980), asks whether rows differ at all, and Nemenyi's critical difference (1963) which
ones do. Data sets are what is sampled here, not users.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from recbench.benchmarks.certainty import LEVEL, longest_alike_groups
from recbench.benchmarks.metrics import Doubles
from recbench.reports.words import p_value, rank

DRAWS = 9999
LARGE = (
    10,
    5,
)  # data sets and rows; with more than so many of both, F is distributed as its table says (Demšar 2006)
AXIS, LETTER, BAR = 4.5, 0.075, 0.09  # inches: the axis, a letter, from bar to bar
NUMBER = 0.5  # inches for the mean rank beside a name
LONGEST = 40  # letters in a line of a name


def critical_difference(n_rows: int, n_data_sets: int) -> float:
    """By how much mean ranks have to differ: Nemenyi's test at 5 %, q from the studentised range."""
    q = stats.studentized_range.ppf(1 - LEVEL, n_rows, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_rows * (n_rows + 1) / (6 * n_data_sets)))


@dataclass(frozen=True)
class Ranking:
    """The ranks of `names` on each data set, (n_rows, n_data_sets), 1 is best; the best mean rank comes first."""

    names: list[str]
    ranks: Doubles

    @staticmethod
    def of(names: Sequence[str], losses: Doubles) -> "Ranking":
        """From losses, (n_rows, n_data_sets): equal ones share the mean of their ranks."""
        ranks = stats.rankdata(losses, axis=0).reshape(np.shape(losses))
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
        """Iman and Davenport's F of the Friedman test, corrected for ties; infinite if all data sets agree."""
        n_rows, n_data_sets = self.ranks.shape
        total = float(((self.ranks - (n_rows + 1) / 2) ** 2).sum())
        between = n_data_sets * float(((self.means - (n_rows + 1) / 2) ** 2).sum())
        if total == 0:
            return 0.0
        rest = total - between
        return (n_data_sets - 1) * between / rest if rest > 1e-9 * total else float("inf")

    @cached_property
    def p(self) -> float:
        """The chance of so large an F if no row were better than another.

        From F's distribution where there is enough of both, else from orders drawn at random on each data set.
        """
        n_rows, n_data_sets = self.ranks.shape
        if n_data_sets > LARGE[0] and n_rows > LARGE[1]:
            return float(stats.f.sf(self.f, *self.freedom))

        def spread(*rows: Doubles, axis: int) -> Any:
            return sum(row.sum(axis=axis) ** 2 for row in rows)

        how: dict[str, Any] = {
            "permutation_type": "samples",
            "alternative": "greater",
            "n_resamples": DRAWS,
        }
        return float(
            stats.permutation_test(self.ranks, spread, vectorized=True, rng=0, **how).pvalue
        )

    @cached_property
    def difference(self) -> float:
        """The critical difference."""
        return critical_difference(*self.ranks.shape)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """First and last place of rows whose mean ranks all differ by less than the critical difference."""
        return longest_alike_groups(np.abs(self.means[:, None] - self.means) < self.difference)

    @cached_property
    def obstacle(self) -> str:
        """Why no two rows can be told apart by their mean ranks, in a sentence; empty if some can."""
        n_rows, n_data_sets = self.ranks.shape
        if n_rows < 2:
            return "Fewer than two rows have a mean on every data set, so there are no ranks to compare."
        if (self.ranks == self.ranks[0]).all():
            return "All rows are equal on every data set."
        if self.difference >= n_rows - 1:
            return (
                f"{n_data_sets} data sets are too few for a test of {n_rows} rows: mean ranks would have to differ "
                f"by {rank(self.difference)}, and cannot differ by more than {n_rows - 1}. So no rows can be told "
                "apart by their mean ranks, however well the data sets agree, and no diagram is drawn."
            )
        if self.p >= LEVEL:
            return f"The mean ranks do not differ by more than chance explains ({self.test}), so no pair is tested."
        return ""

    @property
    def test(self) -> str:
        """The Friedman test in words: `Friedman test: F(3, 39) = 3.69, p = 0.0197`."""
        value = "∞" if np.isinf(self.f) else rank(self.f)
        return (
            f"Friedman test: F({self.freedom[0]}, {self.freedom[1]}) = {value}, p {p_value(self.p)}"
        )


def diagram(ranking: Ranking, title: str) -> Figure:
    """Demšar's diagram: an axis of mean ranks, a line to each row's name, bars joining what cannot be told apart."""
    labels = ["\n".join(textwrap.wrap(name, LONGEST)) for name in ranking.names]
    margin = (
        LETTER * max(len(line) for label in labels for line in label.split("\n")) + NUMBER + 0.25
    )
    width = 2 * margin + AXIS
    titles = textwrap.wrap(title, int(width / 0.085))
    levels = _levels(ranking.groups)
    top = 0.8 + 0.2 * len(titles)
    below = top + 0.25 + BAR * (max(levels, default=0) + 1)
    spots = _spots(labels)
    figure = Figure(figsize=(width, below + max(y for _, y in spots) + 0.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(figure.get_figheight(), 0))
    axes.axis("off")
    axes.text(0.15, 0.15, "\n".join(titles), va="top", fontsize=10, fontweight="bold")
    places = margin + AXIS * (ranking.means - 1) / (len(labels) - 1)
    _scale(axes, ranking, margin, top)
    for label, mean, x, (is_left, y) in zip(labels, ranking.means, places, spots, strict=True):
        edge, outwards = (margin, -1) if is_left else (margin + AXIS, 1)
        end = edge + outwards * NUMBER
        axes.plot([x, x, end], [top, below + y, below + y], color="#8a8a8a", lw=0.8, zorder=1)
        near, far = ("left", "right") if is_left else ("right", "left")
        axes.text(
            end, below + y - 0.02, rank(mean), ha=near, va="bottom", fontsize=6.5, color="#555555"
        )
        axes.text(end + outwards * 0.06, below + y, label, ha=far, va="center", linespacing=1.1)
    for (first, last), level in zip(ranking.groups, levels, strict=True):
        ends = places[first] - 0.05, places[last] + 0.05
        y = top + 0.16 + BAR * level
        axes.plot(ends, (y, y), color="#1f4e8c", lw=3.2, solid_capstyle="butt", zorder=2)
    return figure


def _levels(groups: Sequence[tuple[int, int]]) -> list[int]:
    """For each bar the first level on which it touches no other."""
    ends: list[int] = []  # the last place that is taken, level by level
    found = []
    for first, last in groups:
        level = next((level for level, end in enumerate(ends) if end < first), len(ends))
        ends[level : level + 1] = [last]
        found.append(level)
    return found


def _spots(labels: Sequence[str]) -> list[tuple[bool, float]]:
    """For each name whether it stands on the left, and how far down, in inches; the outermost ranks are on top."""
    n_left = (len(labels) + 1) // 2
    found: dict[int, tuple[bool, float]] = {}
    for side in (range(n_left), range(len(labels) - 1, n_left - 1, -1)):
        y = 0.0
        for index in side:
            height = 0.1 + 0.14 * (labels[index].count("\n") + 1)
            found[index] = index < n_left, y + height / 2
            y += height
    return [found[index] for index in range(len(labels))]


def _scale(axes: Axes, ranking: Ranking, left: float, y: float) -> None:
    """The axis of mean ranks with its ticks, and above it the critical difference, to scale."""
    n_rows = len(ranking.names)
    step = AXIS / (n_rows - 1)
    axes.plot([left, left + AXIS], [y, y], color="black", lw=1)
    every = next(
        every for every in (1, 2, 5, 10, 20, 50, 100) if every * step >= 0.3 or every >= n_rows
    )
    for value in sorted({1, *range(every, n_rows + 1, every)}):
        x = left + step * (value - 1)
        axes.plot([x, x], [y, y - 0.06], color="black", lw=1)
        axes.text(x, y - 0.08, str(value), ha="center", va="bottom", fontsize=7.5)
    axes.text(left - 0.12, y, "mean rank", ha="right", va="center", fontsize=7.5, color="#555555")
    end = left + step * ranking.difference
    axes.plot([left, end], [y - 0.4, y - 0.4], color="black", lw=1)
    for x in (left, end):
        axes.plot([x, x], [y - 0.44, y - 0.36], color="black", lw=1)
    words = f"critical difference {rank(ranking.difference)}"
    axes.text(left, y - 0.47, words, ha="left", va="bottom", fontsize=7.5)
