"""Figures for papers and for Markdown: SVG with real text, and PNG where it is asked for.

The same records give the same bytes.
"""

import io
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from recbench.datasets.foundation import LONGEST_LINE, make_legible
from recbench.reports.drawing.heatmap import Column, Heatmap, Line, Square, colour_key

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    # The first comes with matplotlib, so that figures are drawn alike anywhere.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "recbench",
    "pdf.fonttype": 42,  # TrueType, which publishers take: Type 3 they often refuse
    "hatch.linewidth": 0.6,
    "hatch.color": "#9a9a9a",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}
DOTS_PER_INCH = 160
SVG_METADATA = ("Date", "Creator", "Format", "Type")
SVG_TAG = re.compile(rb"<[a-z][^>]*>")
INDENTATION = re.compile(rb">\n\s+<")
# What every text and every group would repeat, and what turns nothing
NO_TURN = re.compile(rb' transform="rotate\(-0 [^"]*\)"')
UNUSED_NAME = re.compile(rb'(<g) id="[a-zA-Z0-9.]+_\d+"')
PATH_STEP = re.compile(rb" ?\n(?=[A-Zz\"])")
FONT_FAMILY = b"font-family: 'DejaVu Sans', 'Verdana', sans-serif"
OWN_STYLE = b'<style type="text/css">'
# Inside an attribute in single quotes all letters but these may stand as they are, and brackets:
# who searches a page for what it loads, for `url(`, must find nothing.
SAFE_IN_ADDRESS = "".join(map(chr, range(32, 127))).translate(str.maketrans("", "", "%#&'("))
LONG_DECIMALS = re.compile(rb"(\d\.\d\d)\d+")

# Heights and margin in inches.
LINE_HEIGHT = 0.27
HEAD_HEIGHT = 0.46
FAMILY_HEIGHT = 0.25
NOTE_HEIGHT = 0.11  # more where squares have a second line
MARGIN = 0.15

PAPER = "#ffffff"
INK = "#444444"
GREY_INK = "#666666"
NAME_WIDTH = 44  # characters; longer names are broken
HATCHED: dict[str, Any] = {
    "facecolor": "#f2f2f2",
    "edgecolor": "#9a9a9a",
    "hatch": "////",
    "linewidth": 0,
}

Spot = tuple[float, float]  # inches from the upper left corner


@dataclass(frozen=True)
class Picture:
    """A figure that a section shows.

    `name` is where it is kept below `figures/`, `alternative` what it says in words.
    """

    name: str
    alternative: str
    draw: Callable[[], Figure]

    @cached_property
    def _figure(self) -> Figure:
        """What is drawn, once for both kinds of file."""
        with rc_context(STYLE):
            figure = self.draw()
        FigureCanvasAgg(figure)
        return figure

    @cached_property
    def svg(self) -> bytes:
        """The picture as SVG, with nothing that changes from build to build."""
        return _save_figure(self._figure, "svg", dict.fromkeys(SVG_METADATA))

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, with nothing that changes from build to build."""
        return _save_figure(self._figure, "png", {"Software": None})

    def keep(self, svg: bytes, png: bytes | None) -> None:
        """Take what another process has drawn of it; None where it has drawn no PNG."""
        self.__dict__["svg"] = svg
        if png is not None:
            self.__dict__["png"] = png

    @property
    def pdf(self) -> bytes:
        """The picture as PDF, its fonts inside, with nothing that changes from build to build."""
        metadata = {"CreationDate": None, "Creator": None, "Producer": None}
        return _save_figure(self._figure, "pdf", metadata)

    @property
    def uri(self) -> str:
        """The SVG as the address of an image inside a page, for an attribute in single quotes.

        Written out, since base64 takes a third more.
        """
        # An address has no lines, and a browser leaves their ends out.
        text = self.svg.decode().replace("\n", " ")
        return f"data:image/svg+xml,{quote(text, safe=SAFE_IN_ADDRESS)}"


def _save_figure(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    """A figure as a file of this kind, on white paper.

    White, for pages that are dark around it; report.html lets it melt into its own paper.
    """
    for text in figure.findobj(Text):
        shown = make_legible(text.get_text(), longest=LONGEST_LINE)
        if shown != text.get_text():
            text.set_text(shown)

    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, metadata=metadata, facecolor="white")
    if kind == "svg":
        return _shrink_svg(buffer.getvalue())
    return buffer.getvalue()


def _shrink_svg(svg: bytes) -> bytes:
    """The same picture with hundredths of a point inside its tags, where millionths take room, and
    without what is repeated in each tag or says nothing; texts stay.
    """
    has_family = FONT_FAMILY in svg
    shrunk = INDENTATION.sub(b">\n<", SVG_TAG.sub(_shrink_tag, svg))
    if has_family:
        shrunk = shrunk.replace(OWN_STYLE, b"%stext{%s}" % (OWN_STYLE, FONT_FAMILY), 1)
    return shrunk


def _shrink_tag(tag: re.Match[bytes]) -> bytes:
    """One tag, see `_shrink_svg`."""
    text = LONG_DECIMALS.sub(rb"\1", tag[0])
    text = NO_TURN.sub(b"", text)
    text = UNUSED_NAME.sub(rb"\1", text)
    text = PATH_STEP.sub(b"", text)
    return text.replace(FONT_FAMILY + b"; ", b"")


@dataclass(frozen=True)
class _Sheet:
    """The sizes of a heatmap's figure, in inches."""

    names: dict[str, list[str]]  # a row's name, broken into lines
    label_width: float
    square_width: float
    line_heights: dict[str, float]
    title_lines: list[str]
    width: float
    height: float

    @property
    def left(self) -> float:
        """Where the squares begin."""
        return MARGIN + self.label_width

    @property
    def top(self) -> float:
        """Where the heads of the columns begin."""
        return MARGIN + 0.2 * len(self.title_lines)


def _measure_sheet(drawn: Heatmap, title: str) -> _Sheet:
    """How large the figure and its parts have to be, so that all texts find room."""
    names = {line.name: textwrap.wrap(line.name, NAME_WIDTH) or [""] for line in drawn.lines}
    lengths = [len(part) for parts in names.values() for part in parts]
    longest_name = max(lengths, default=0)
    label_width = 0.075 * longest_name + 0.3

    # A square holds its column's head, and the note of its number.
    longest_note = max((len(square.note) for square in drawn.squares), default=0)
    longest_head = max(len(column.name) for column in drawn.columns)
    width_for_head = 0.075 * longest_head + 0.15
    width_for_note = 0.052 * longest_note + 0.1
    square_width = max(0.85, width_for_head, width_for_note)

    # The legend stands below the squares, its colours where the blanks are.
    colours_in_words = f"best to worst of the {drawn.scale} {' ' * 24}"
    meanings = (*drawn.legend, colours_in_words)
    longest_meaning = max(map(len, meanings))
    width_for_squares = square_width * len(drawn.columns)
    width_for_legend = 0.062 * longest_meaning

    squares_width = max(width_for_squares, width_for_legend)
    width = 2 * MARGIN + label_width + squares_width
    title_lines = textwrap.wrap(title, int((width - 2 * MARGIN) / 0.095))

    least_height = LINE_HEIGHT + NOTE_HEIGHT * drawn.noted
    heights = {}
    for name, parts in names.items():
        height_for_name = 0.15 * len(parts) + 0.08
        heights[name] = max(least_height, height_for_name)

    top = MARGIN + 0.2 * len(title_lines)
    families_height = FAMILY_HEIGHT * len(drawn.families)
    lines_end = top + HEAD_HEIGHT + families_height + sum(heights.values())
    height = lines_end + 0.45 + 0.15 * len(drawn.legend)
    return _Sheet(names, label_width, square_width, heights, title_lines, width, height)


def draw_heatmap(drawn: Heatmap, title: str) -> Figure:
    """The heatmap as a figure of its own size, with `title` above it."""
    sheet = _measure_sheet(drawn, title)
    figure = Figure(figsize=(sheet.width, sheet.height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    axes.axis("off")

    heading = "\n".join(sheet.title_lines)
    axes.text(MARGIN, MARGIN, heading, va="top", fontsize=10, fontweight="bold")
    for index, column in enumerate(drawn.columns):
        middle = sheet.left + (index + 0.5) * sheet.square_width
        _draw_head(axes, column, middle, sheet.top + 0.1)

    y = sheet.top + HEAD_HEIGHT
    for family, lines in drawn.families.items():
        above_line = y + FAMILY_HEIGHT - 0.07
        axes.text(MARGIN, above_line, family, color=GREY_INK, fontsize=7.5)
        y += FAMILY_HEIGHT
        for line in lines:
            _draw_line(axes, line, y, sheet, len(drawn.columns))
            y += sheet.line_heights[line.name]

    _draw_legend(axes, sheet.left, y + 0.2, drawn)
    return figure


def _draw_head(axes: Axes, column: Column, x: float, y: float) -> None:
    """A column's name with its arrow, and below it the unit."""
    axes.text(x, y, f"{column.name} {column.arrow}".strip(), ha="center", va="top")
    axes.text(x, y + 0.17, column.unit, ha="center", va="top", color=GREY_INK, fontsize=7)


def _draw_line(axes: Axes, line: Line, y: float, sheet: _Sheet, n_columns: int) -> None:
    """A row's name, and its squares or the failure in their place."""
    height = sheet.line_heights[line.name]
    name = "\n".join(sheet.names[line.name])
    axes.text(MARGIN + 0.12, y + height / 2, name, va="center")

    if line.failure:
        corner = (sheet.left, y)
        width = sheet.square_width * n_columns
        _draw_failure(axes, line.failure, corner, width, height)

    for index, square in enumerate(line.squares):
        corner = (sheet.left + index * sheet.square_width, y)
        _draw_square(axes, square, corner, sheet.square_width, height)


def _draw_failure(axes: Axes, word: str, corner: Spot, width: float, height: float) -> None:
    """A hatched box with a word in its middle."""
    x, y = corner
    inside = (x + 0.01, y + 0.01)
    hatched = Rectangle(inside, width - 0.02, height - 0.02, **HATCHED)
    axes.add_patch(hatched)

    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    middle = (x + width / 2, y + height / 2)
    axes.text(*middle, word, ha="center", va="center", fontsize=7, bbox=box)


def _draw_square(axes: Axes, square: Square, corner: Spot, width: float, height: float) -> None:
    """A number on its colour, with its mark before it and its note below it."""
    if square.failed:
        _draw_failure(axes, square.text, corner, width, height)
        return

    x, y = corner
    background, colour = _colours_of(square)
    if background != PAPER:
        inside = (x + 0.01, y + 0.01)
        box = Rectangle(inside, width - 0.02, height - 0.02, facecolor=background, linewidth=0)
        axes.add_patch(box)

    text = f"{square.sign.sign} {square.text}" if square.sign else square.text
    weight = "bold" if square.mark in ("best", "first") else "normal"
    style: dict[str, Any] = {"color": colour, "ha": "center", "va": "center"}
    across = x + width / 2
    middle = y + height / 2
    raised = middle - 0.06 if square.note else middle
    axes.text(across, raised, text, fontweight=weight, **style)
    if square.note:
        axes.text(across, middle + 0.09, square.note, fontsize=6, **style)


def _colours_of(square: Square) -> tuple[str, str]:
    """Background and text colour, also where there is no shade."""
    if square.colours:
        return square.colours
    background = "#ebebeb" if square.grey else PAPER
    return background, INK


def _draw_legend(axes: Axes, x: float, y: float, drawn: Heatmap) -> None:
    """The colours from best to worst, and what the marks mean."""
    colours = colour_key()
    for index, colour in enumerate(colours):
        corner = (x + 0.12 * index, y)
        box = Rectangle(corner, 0.12, 0.1, facecolor=colour, linewidth=0)
        axes.add_patch(box)

    style: dict[str, Any] = {"va": "center", "fontsize": 7, "color": INK}
    right = x + 0.12 * len(colours) + 0.1
    middle = y + 0.05
    axes.text(right, middle, f"best to worst of the {drawn.scale}", **style)
    for index, meaning in enumerate(drawn.legend, start=1):
        axes.text(x, middle + 0.15 * index, meaning, **style)
