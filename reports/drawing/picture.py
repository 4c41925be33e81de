"""Figures for papers and for Markdown: SVG with real text, and PNG; the same records give the same bytes."""

import base64
import io
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from recbench.reports.drawing.heatmap import Column, Heatmap, Line, Square, key

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": [
        "DejaVu Sans",
        "Verdana",
        "sans-serif",
    ],  # the first comes with matplotlib: drawn alike anywhere
    "font.size": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "recbench",
    "hatch.linewidth": 0.6,
    "hatch.color": "#9a9a9a",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}
LINE, HEAD, FAMILY, EDGE = 0.27, 0.46, 0.25, 0.15  # heights and margin in inches
NOTE = 0.11  # more height where squares have a second line
PAPER = "#ffffff"
NAME_WIDTH = 44  # characters; longer names are broken
HATCHED: dict[str, Any] = {
    "facecolor": "#f2f2f2",
    "edgecolor": "#9a9a9a",
    "hatch": "////",
    "linewidth": 0,
}


@dataclass(frozen=True)
class Picture:
    """A figure that a section shows: where it is kept below `figures/`, what it says in words, how it is drawn."""

    name: str
    alternative: str
    draw: Callable[[], Figure]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """File name -> content, as SVG and as PNG, without anything that changes from build to build."""
        files = {}
        with rc_context(STYLE):
            figure = self.draw()
            FigureCanvasAgg(figure)
            for kind, metadata in (
                ("svg", {"Date": None, "Creator": None}),
                ("png", {"Software": None}),
            ):
                buffer = io.BytesIO()
                # White, for pages that are dark around it; report.html lets it melt into its own paper.
                figure.savefig(buffer, format=kind, dpi=160, metadata=metadata, facecolor="white")
                files[f"{self.name}.{kind}"] = buffer.getvalue()
        return files

    @property
    def uri(self) -> str:
        """The SVG as the address of an image inside a page."""
        return (
            f"data:image/svg+xml;base64,{base64.b64encode(self.files[f'{self.name}.svg']).decode()}"
        )


def pictures(content: object) -> Iterator[Picture]:
    """Every picture in a section's context, however deep in its lists and dictionaries."""
    if isinstance(content, Picture):
        yield content
    elif isinstance(content, dict | list | tuple):
        for part in content.values() if isinstance(content, dict) else content:
            yield from pictures(part)


def heatmap(drawn: Heatmap, title: str) -> Figure:
    """The heatmap as a figure of its own size, in inches from its upper left corner; `title` goes above it."""
    names = {line.name: textwrap.wrap(line.name, NAME_WIDTH) or [""] for line in drawn.lines}
    label = 0.075 * max((len(part) for parts in names.values() for part in parts), default=0) + 0.3
    widest = max((len(one.note) for one in drawn.squares), default=0)
    square = max(
        0.85, 0.075 * max(len(column.name) for column in drawn.columns) + 0.15, 0.052 * widest + 0.1
    )
    legend = max(map(len, (*drawn.legend, f"best to worst of the {drawn.scale} {' ' * 24}")))
    width = 2 * EDGE + label + max(square * len(drawn.columns), 0.062 * legend)
    titles = textwrap.wrap(title, int((width - 2 * EDGE) / 0.095))
    top = EDGE + 0.2 * len(titles)
    line_height = LINE + NOTE * drawn.noted
    heights = {name: max(line_height, 0.15 * len(parts) + 0.08) for name, parts in names.items()}
    height = (
        top
        + HEAD
        + FAMILY * len(drawn.families)
        + sum(heights.values())
        + 0.45
        + 0.15 * len(drawn.legend)
    )
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(EDGE, EDGE, "\n".join(titles), va="top", fontsize=10, fontweight="bold")
    for index, column in enumerate(drawn.columns):
        _head(axes, column, EDGE + label + (index + 0.5) * square, top + 0.1)
    y = top + HEAD
    for family, lines in drawn.families.items():
        axes.text(EDGE, y + FAMILY - 0.07, family, color="#666666", fontsize=7.5)
        y += FAMILY
        for line in lines:
            _line(
                axes,
                line,
                "\n".join(names[line.name]),
                (EDGE + label, y),
                square,
                heights[line.name],
                drawn,
            )
            y += heights[line.name]
    _legend(axes, EDGE + label, y + 0.2, drawn)
    return figure


def _head(axes: Axes, column: Column, x: float, y: float) -> None:
    axes.text(x, y, f"{column.name} {column.arrow}".strip(), ha="center", va="top")
    axes.text(x, y + 0.17, column.unit, ha="center", va="top", color="#666666", fontsize=7)


def _line(
    axes: Axes,
    line: Line,
    name: str,
    corner: tuple[float, float],
    square: float,
    height: float,
    drawn: Heatmap,
) -> None:
    x, y = corner
    axes.text(EDGE + 0.12, y + height / 2, name, va="center")
    if line.failure:
        _failure(axes, line.failure, corner, square * len(drawn.columns), height)
    for index, one in enumerate(line.squares):
        _square(axes, one, (x + index * square, y), square, height)


def _failure(
    axes: Axes, word: str, corner: tuple[float, float], width: float, height: float
) -> None:
    x, y = corner
    axes.add_patch(Rectangle((x + 0.01, y + 0.01), width - 0.02, height - 0.02, **HATCHED))
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.text(x + width / 2, y + height / 2, word, ha="center", va="center", fontsize=7, bbox=box)


def _square(
    axes: Axes, one: Square, corner: tuple[float, float], width: float, height: float
) -> None:
    if one.failed:
        return _failure(axes, one.text, corner, width, height)
    x, y = corner
    background, colour = one.colours or ("#ebebeb" if one.grey else PAPER, "#444444")
    if background != PAPER:
        axes.add_patch(
            Rectangle(
                (x + 0.01, y + 0.01), width - 0.02, height - 0.02, facecolor=background, linewidth=0
            )
        )
    text = f"{one.sign.sign} {one.text}" if one.sign else one.text
    style: dict[str, Any] = {"color": colour, "ha": "center", "va": "center"}
    middle = y + height / 2 - (0.06 if one.note else 0)
    axes.text(
        x + width / 2,
        middle,
        text,
        fontweight="bold" if one.mark in ("best", "first") else "normal",
        **style,
    )
    if one.note:
        axes.text(x + width / 2, y + height / 2 + 0.09, one.note, fontsize=6, **style)
    return None


def _legend(axes: Axes, x: float, y: float, drawn: Heatmap) -> None:
    """The colours from best to worst, and what the marks mean."""
    for index, colour in enumerate(key()):
        axes.add_patch(Rectangle((x + 0.12 * index, y), 0.12, 0.1, facecolor=colour, linewidth=0))
    right = x + 0.12 * len(key()) + 0.1
    axes.text(
        right,
        y + 0.05,
        f"best to worst of the {drawn.scale}",
        va="center",
        fontsize=7,
        color="#444444",
    )
    for index, meaning in enumerate(drawn.legend, start=1):
        axes.text(x, y + 0.05 + 0.15 * index, meaning, va="center", fontsize=7, color="#444444")
