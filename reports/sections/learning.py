"""The report's answer to how algorithms learned: their own error after each epoch, where the records have it."""

import math
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from recbench.reports import words
from recbench.reports.drawing import Picture
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, titled

PARTS = {"train": "training", "val": "inner validation"}
COLOURS = {"train": "#2166ac", "val": "#c2570c"}
STROKES: dict[str, Literal["-", "--"]] = {"train": "-", "val": "--"}
TICKS = {
    4: (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
    30: (1, 1.5, 2, 3, 5, 7),
    math.inf: (1,),
}  # by high / low
COLUMNS, WIDTH, HEIGHT = 3, 2.75, 1.5  # of the panels; inches

Curve = list[float | None]


@dataclass(frozen=True)
class Curves:
    """What one row's folds noted of one part: the error after each epoch, by fold."""

    row: Row
    part: str
    folds: list[Curve]

    @property
    def whole(self) -> bool:
        """Whether every planned fold has a curve of numbers, so that means may be taken."""
        known = all(value is not None for curve in self.folds for value in curve)
        return known and len(self.folds) == len(self.row.records) and not self.row.failures

    @property
    def mean(self) -> list[float]:
        """The mean over the folds, as far as all of them ran; empty if a fold is missing."""
        if not self.whole:
            return []
        return [
            statistics.fmean(v for v in values if v is not None)
            for values in zip(*self.folds, strict=False)
        ]

    def lowest(self) -> list[tuple[int, float]]:
        """The epoch and the error where each fold was lowest; folds without a number left out."""
        found = []
        for curve in self.folds:
            known = [(value, epoch) for epoch, value in enumerate(curve, 1) if value is not None]
            if known:
                found.append((min(known)[1], min(known)[0]))
        return found


@section("How did they learn?")
def learning(results: Results) -> dict[str, Any] | None:
    """Panels of error against epoch, a table of their ends, and a sentence for each row; None without any trace."""
    found = {row.name: _curves(row) for row in results.rows}
    shown = [curves for curves in found.values() if curves]
    if not shown:
        return None
    title = titled(results, "Error after each epoch (RMSE)")
    alternative = f"Learning curves. {title}. The table has their ends."
    picture = Picture("learning", alternative, lambda: draw(shown, title))
    return {
        "picture": picture,
        "entries": [_entry(curves) for curves in shown],
        "validated": any("val" in curves for curves in shown),
        "sentences": _sentences(shown),
    }


def _curves(row: Row) -> dict[str, Curves]:
    """The row's curves by part; empty if no ok record has any."""
    traced = [record for record in row.records if record.status == "ok" and record.trace]
    found = {}
    for part in PARTS:
        name = f"{part}_rmse"
        folds = [[point.get(name) for point in record.trace] for record in traced]
        known = [curve for curve in folds if any(value is not None for value in curve)]
        if known:
            found[part] = Curves(row, part, known)
    return found


def draw(shown: Sequence[dict[str, Curves]], title: str) -> Figure:
    """A panel a row, all on the same logarithmic axis: thin lines are folds, thick ones their mean."""
    n_columns = min(COLUMNS, len(shown))
    n_lines, width = -(-len(shown) // n_columns), 0.75 + WIDTH * max(n_columns, 2)
    titles = textwrap.wrap(title, int(width / 0.085))
    top = 0.25 + 0.18 * len(titles)  # inches from the upper edge to the key
    height = top + 0.85 + HEIGHT * n_lines
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(n_lines, n_columns, sharey=True, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.62 / width,
        right=1 - 0.1 / width,
        top=1 - (top + 0.4) / height,
        bottom=0.5 / height,
        hspace=0.55,
        wspace=0.08,
    )
    figure.text(
        0.1 / width, 1 - 0.12 / height, "\n".join(titles), va="top", fontsize=10, fontweight="bold"
    )
    for axes, curves in zip(panels, shown, strict=False):
        _panel(axes, curves)
    for axes in panels[len(shown) :]:
        axes.remove()
    _ticks(panels[0], shown)
    figure.text(0.1 / width, 0.5, "RMSE (rating points)", rotation=90, va="center", fontsize=8)
    figure.text(0.5, 0.1 / height, "epoch", ha="center", va="bottom", fontsize=8)
    _key(figure, shown, 1 - top / height)
    return figure


def _panel(axes: Axes, curves: dict[str, Curves]) -> None:
    for part, one in curves.items():
        style: dict[str, Any] = {"color": COLOURS[part], "linestyle": STROKES[part]}
        for curve in one.folds:
            values = [math.nan if value is None else value for value in curve]
            axes.plot(
                range(1, len(values) + 1),
                values,
                linewidth=0.6,
                alpha=0.6,
                marker=_dot(curve),
                **style,
            )
        axes.plot(range(1, len(one.mean) + 1), one.mean, linewidth=1.6, **style)
        for epoch, value in one.lowest() if part == "val" else ():
            axes.plot(
                epoch,
                value,
                "o",
                color=COLOURS[part],
                markersize=3.5,
                markerfacecolor="none",
                markeredgewidth=0.8,
            )
    name = next(iter(curves.values())).row.name
    axes.set_title(name if len(name) <= 44 else f"{name[:43]}…", fontsize=7.5, loc="left", pad=3)
    axes.set(
        yscale="log",
        xlim=(0.5, max(len(curve) for one in curves.values() for curve in one.folds) + 0.5),
    )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.set_facecolor("none")
    axes.grid(axis="y", linewidth=0.4, color="#bbbbbb", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, length=2)


def _dot(curve: Curve) -> str:
    """A line of one point is not seen."""
    return "." if len(curve) == 1 else ""


def _ticks(axes: Axes, shown: Sequence[dict[str, Curves]]) -> None:
    """The shared axis, with round numbers: up to twice the worst last error, since a first epoch may be far off."""
    curves = [curve for found in shown for one in found.values() for curve in one.folds]
    values = [value for curve in curves for value in curve if value]
    worst = max((curve[-1] for curve in curves if curve[-1]), default=math.inf)
    low, high = min(values, default=1.0), min(max(values, default=1.0), 2 * worst)
    axes.set_ylim(low * 0.93, high * 1.08)
    steps = next(steps for ratio, steps in TICKS.items() if high / low <= ratio)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    axes.yaxis.set_major_locator(
        FixedLocator([tick for tick in ticks if low * 0.93 <= tick <= high * 1.08] or [low])
    )
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _key(figure: Figure, shown: Sequence[dict[str, Curves]], y: float) -> None:
    """What the colours mean, above the panels; only those that occur."""
    width, x = figure.get_figwidth(), 0.62
    for part, meaning in PARTS.items():
        if any(part in curves for curves in shown):
            ends = [x / width, (x + 0.3) / width], [y, y]
            figure.add_artist(
                Line2D(*ends, color=COLOURS[part], linestyle=STROKES[part], linewidth=1.6)
            )
            text = meaning if part == "train" else f"{meaning}, ○ lowest of a fold"
            figure.text((x + 0.36) / width, y, text, va="center", fontsize=8)
            x += 0.6 + 0.058 * len(text)
    if any(len(one.folds) > 1 for curves in shown for one in curves.values()):
        figure.text(x / width, y, "thin: a fold, thick: the mean", va="center", fontsize=8)


def _entry(curves: dict[str, Curves]) -> dict[str, Any]:
    """A line of the table: how many epochs, and each part's first, last and lowest error, as means over the folds."""
    row = next(iter(curves.values())).row
    ends = {}
    for part in PARTS:
        one = curves.get(part)
        values = [words.NONE] * 3
        if one is not None and one.whole:
            firsts, lasts = [c[0] for c in one.folds], [c[-1] for c in one.folds]
            means = (firsts, lasts, [value for _, value in one.lowest()])
            values = [
                words.number(statistics.fmean(v for v in part if v is not None)) for part in means
            ]
        ends[part] = values
    return {
        "row": row.name,
        "epochs": words.span(_lengths(row)),
        "ends": ends,
        "failure": row.failure,
    }


def _lengths(row: Row) -> list[int]:
    return [len(record.trace) for record in row.records if record.status == "ok" and record.trace]


def _sentences(shown: Sequence[dict[str, Curves]]) -> list[str]:
    """What the records say of each row's epochs; rows of which the same is said share a sentence."""
    said: dict[str, list[str]] = {}
    for curves in shown:
        row = next(iter(curves.values())).row
        said.setdefault(_told(row, curves), []).append(row.name)
    return [f"{words.listed(names)}: {text}." for text, names in said.items()]


def _told(row: Row, curves: dict[str, Curves]) -> str:
    """How many epochs ran, where the lowest inner-validation error was, whether early stopping ended a fold."""
    lengths, n = _lengths(row), len(row.records)
    epochs = f"{words.span(lengths)} {'epoch' if max(lengths) == 1 else 'epochs'}"
    where = (
        "" if n == 1 else f" in each of {n} folds" if len(set(lengths)) == 1 else f" in {n} folds"
    )
    if len(lengths) < n:
        where = f" in the {words.count(len(lengths), 'fold')} of {n} with a record of it"
    parts = [epochs + where]
    if "val" in curves:
        at = [epoch for epoch, _ in curves["val"].lowest()]
        last = all(
            epoch == len(curve) for epoch, curve in zip(at, curves["val"].folds, strict=True)
        )
        place = f"in {'epoch' if min(at) == max(at) else 'epochs'} {words.span(at)}"
        place = f"in the last epoch{' of each fold' if len(at) > 1 else ''}" if last else place
        parts.append(f"lowest inner-validation RMSE {place}")
    parameters = row.records[0].cell.parameters
    planned = row.planned_epochs
    patience = parameters.get("patience")
    if planned is not None and isinstance(patience, int) and patience > 0:
        n_stopped = sum(length < planned for length in lengths)
        ended = (
            f"ended {n_stopped} of {words.count(len(lengths), 'fold')}"
            if n_stopped
            else "ended no fold"
        )
        parts.append(
            f"early stopping (patience {patience}) {ended} before the {planned} epochs that were allowed"
        )
    return "; ".join(parts)
