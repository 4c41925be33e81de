"""Lines over runs: small panels, one a row of the report, with intervals and what moved."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

PANELS_ACROSS = 3
WIDTH = 8.6  # inches
PANEL_HEIGHT = 1.35
HEAD_HEIGHT = 0.5
LETTERS = 100  # of the figure's title
PANEL_LETTERS = 34  # of a panel's

LINE = "#2166ac"
WORSE = "#b2182b"
BETTER = "#2a7f3f"


@dataclass(frozen=True)
class HistoryPanel:
    """One row over the runs.

    `places` are those of the runs, `bounds` the intervals where they are known, `moves` the first
    and last place of what moved, and whether it got worse.
    """

    title: str
    places: tuple[int, ...]
    values: tuple[float, ...]
    bounds: tuple[tuple[float, float] | None, ...]
    moves: tuple[tuple[int, int, bool], ...] = ()


def draw_history(panels: Sequence[HistoryPanel], n_runs: int, title: str) -> Figure:
    """A panel a row, each with an axis of its own; what moved is shaded."""
    n_lines = -(-len(panels) // PANELS_ACROSS)
    height = HEAD_HEIGHT + PANEL_HEIGHT * n_lines
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    lines = "\n".join(textwrap.wrap(title, LETTERS))
    figure.suptitle(lines, fontsize=10, fontweight="bold", x=0.01, ha="left")

    grid = figure.subplots(n_lines, PANELS_ACROSS, squeeze=False)
    all_axes = grid.ravel().tolist()
    for axes, panel in zip(all_axes, panels, strict=False):
        _draw_panel(axes, panel, n_runs)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    return figure


def _draw_panel(axes: Axes, panel: HistoryPanel, n_runs: int) -> None:
    places = [place + 1 for place in panel.places]
    known_places = []
    lows = []
    highs = []
    for place, bounds in zip(places, panel.bounds, strict=True):
        if bounds is not None:
            known_places.append(place)
            lows.append(bounds[0])
            highs.append(bounds[1])

    axes.fill_between(known_places, lows, highs, color=LINE, alpha=0.15, linewidth=0)
    axes.plot(places, panel.values, color=LINE, linewidth=1.0, marker="o", markersize=1.8)

    for first, last, is_worse in panel.moves:
        colour = WORSE if is_worse else BETTER
        axes.axvspan(first + 1, last + 1, color=colour, alpha=0.25, linewidth=0)

    title = panel.title
    if len(title) > PANEL_LETTERS:
        title = f"{title[: PANEL_LETTERS - 1]}…"
    axes.set_title(title, fontsize=7.5, loc="left")
    axes.set_xlim(0.5, n_runs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=6, length=2)
    axes.grid(linewidth=0.4, color="#bbbbbb", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
