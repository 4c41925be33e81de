"""A bump chart: the rank of each row under every metric, one column of places a metric."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 8.6  # inches
LINE_HEIGHT = 0.19
MOST_PLACES = 20  # deeper ranks share the last place

# Okabe & Ito's colours without yellow, then their darker kin, for the rows that are followed.
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#000000",
    "#56b4e9",
    "#8a5a00",
    "#5e3c99",
    "#b2182b",
    "#4d7c0f",
)
OTHERS = "#c4c8cc"


@dataclass(frozen=True)
class RankLine:
    """A row's rank under each metric, 1 is the best; None where it has none."""

    row: str
    ranks: tuple[float | None, ...]

    def places(self) -> list[float | None]:
        """The ranks as they are drawn: what is deeper than `MOST_PLACES` stands just below."""
        places: list[float | None] = []
        for rank in self.ranks:
            places.append(None if rank is None else min(rank, MOST_PLACES + 1))
        return places

    @property
    def is_shallow(self) -> bool:
        """Whether any of its ranks has a place of its own."""
        return any(rank is not None and rank <= MOST_PLACES for rank in self.ranks)


def draw_ranks_by_metric(
    metrics: Sequence[str], followed: Sequence[RankLine], others: Sequence[RankLine], title: str
) -> Figure:
    """The `followed` rows in colours, named at both ends; all others are thin and grey."""
    titles = textwrap.wrap(title, 100)
    deepest = max((len(followed) + len(others), 2))
    n_places = min(deepest, MOST_PLACES + 1)
    height = 1.2 + 0.2 * len(titles) + LINE_HEIGHT * n_places
    figure = Figure(figsize=(WIDTH, height))
    top = 1 - (0.9 + 0.2 * len(titles)) / height
    axes = figure.add_axes((0.19, 0.12 / height, 0.62, top - 0.12 / height))
    heading = "\n".join(titles)
    figure.text(0.01, 1 - 0.08 / height, heading, va="top", fontsize=9.5, fontweight="bold")

    xs = range(len(metrics))
    for line in others:
        if not line.is_shallow:
            continue
        axes.plot(xs, _with_gaps(line), color=OTHERS, linewidth=0.6)
    for number, line in enumerate(followed):
        colour = PALETTE[number % len(PALETTE)]
        axes.plot(xs, _with_gaps(line), color=colour, linewidth=1.6, marker="o", markersize=4)
    _name_ends(axes, followed)

    axes.set(ylim=(n_places + 0.6, 0.4), xlim=(-0.15, len(metrics) - 0.85))
    axes.xaxis.tick_top()
    axes.set_xticks(xs, metrics, fontsize=7.5, rotation=35, ha="left", rotation_mode="anchor")
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return figure


def _with_gaps(line: RankLine) -> list[float]:
    return [float("nan") if place is None else place for place in line.places()]


def _name_ends(axes: Axes, followed: Sequence[RankLine]) -> None:
    """The names beside the first and the last rank of each row; equal places are spread."""
    last = max((len(line.ranks) for line in followed), default=1) - 1
    for is_left in (True, False):
        ends = []
        for number, line in enumerate(followed):
            known = [(x, place) for x, place in enumerate(line.places()) if place is not None]
            if known:
                x, place = known[0] if is_left else known[-1]
                rank = line.ranks[x]
                ends.append((place, number, line.row, rank))
        ends.sort()

        lowest = 0.0
        for place, number, row, rank in ends:
            y = max(place, lowest + 0.9)
            lowest = y
            name = row if len(row) <= 24 else f"{row[:23]}…"
            text = f"{name} {rank:g}" if is_left else f"{rank:g} {name}"
            away = (-6, 0) if is_left else (6, 0)
            axes.annotate(
                text,
                (0 if is_left else last, y),
                away,
                textcoords="offset points",
                ha="right" if is_left else "left",
                va="center",
                fontsize=7,
                color=PALETTE[number % len(PALETTE)],
                annotation_clip=False,
            )
