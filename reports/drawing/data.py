"""Figures of what is in the data: its stars, days, users, items, years and gaps, drawn from `datasets.profile`."""

import textwrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.dates import DAILY, MONTHLY, YEARLY, AutoDateFormatter, AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from recbench.reports import words

WIDTH, HEIGHT = 4.6, 2.5  # inches; the height is that below the title
LEFT, RIGHT, TOP, BOTTOM = 0.65, 0.3, 0.2, 0.5
INK, SOFT = "#2a6a9e", "#555555"
LABELLED = 11  # so many bars have room for their share above them
STEPS = [1, 2, 2.5, 5, 10]  # what round numbers begin with
LETTERS = 56  # of a title's line
MOST_TICKS = {YEARLY: 8, MONTHLY: 6, DAILY: 4}  # that have room side by side
SHADES = ListedColormap(
    colormaps["YlGnBu"](np.linspace(0.25, 1, 256))
)  # its lightest is hard to tell from white

Part = dict[str, Any]  # of a profile


def stars(part: Part, title: str) -> Figure:
    """How often each rating is given, with its share where there are few; bins where there are many."""
    figure, axes = _canvas(title)
    axes.set(xlabel="rating", ylabel="ratings")
    counts = part["counts"]
    if part["edges"]:
        axes.stairs(counts, part["edges"], fill=True, color=INK)
        return figure
    places = np.array(part["values"])
    bars = axes.bar(places, counts, 0.8 * float(np.diff(places).min(initial=1)), color=INK)
    if len(places) <= LABELLED:
        shares = [words.percent(count, sum(counts)) for count in counts]
        axes.bar_label(bars, shares, padding=2, color=SOFT, fontsize=7)
        axes.set_xticks(places, [f"{place:g}" for place in part["values"]])
    return figure


def periods(part: Part) -> NDArray[np.datetime64]:
    """The first moment of each day, month or year of `times`, and of the one after the last."""
    return np.datetime64(part["first"], part["step"][0].upper()) + np.arange(
        len(part["counts"]) + 1
    )


def times(part: Part, title: str) -> Figure:
    """Ratings in each day, month or year."""
    figure, axes = _canvas(title)
    starts = periods(part)
    days = starts.astype("M8[D]").astype(np.int64)
    axes.stairs(part["counts"], days, fill=True, color=INK)
    axes.set(xlabel="time (UTC)", ylabel=f"ratings per {part['step']}")
    if len(part["counts"]) <= MOST_TICKS[DAILY]:
        axes.set_xticks((days[:-1] + days[1:]) / 2, [str(start) for start in starts[:-1]])
    else:
        locator = AutoDateLocator(minticks=2, maxticks=MOST_TICKS)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(AutoDateFormatter(locator))  # type: ignore[no-untyped-call]
    return figure


def activity(part: Part, title: str, one: str) -> Figure:
    """How many users or items have at least so many ratings, both axes logarithmic; the median is marked."""
    figure, axes = _canvas(title)
    levels, at_least = np.array(part["levels"]), np.array(part["at_least"])
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=f"ratings of one {one}",
        ylabel=f"{one}s with at least so many",
    )
    axes.plot(
        levels,
        at_least,
        color=INK,
        linewidth=1.8,
        marker="o" if len(levels) <= LABELLED else "",
        markersize=3,
    )
    for axis, shown in ((axes.xaxis, levels), (axes.yaxis, at_least)):
        _round_numbers(axis, float(shown.min()), float(shown.max()))
    if part["median"] > 0:
        axes.axvline(part["median"], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        place, label = (part["median"], 1), f"median {words.amount(part['median'])}"
        coords: Any = ("data", "axes fraction")
        axes.annotate(
            label,
            place,
            (0, 3),
            coords,
            "offset points",
            ha="center",
            annotation_clip=False,
            color=SOFT,
            fontsize=7,
        )
    return figure


def years(part: Part, title: str) -> Figure:
    """Items in each year of release, or in each ten or more years."""
    figure, axes = _canvas(title)
    edges = part["first"] + part["step"] * np.arange(len(part["counts"]) + 1)
    edges = edges - 0.5 if part["step"] == 1 else edges  # so that a year's bar stands on its number
    axes.stairs(part["counts"], edges, fill=True, color=INK)
    per = "year" if part["step"] == 1 else f"{part['step']:,} years"
    axes.set(xlabel="year of release", ylabel=f"items per {per}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    return figure


def grid(part: Part, title: str) -> Figure:
    """Which share of the pairs in each block of users and items is rated, on a logarithmic scale; blank: none."""
    figure, axes = _canvas(title, height=3.2, right=1.05)
    users, items, counts = (
        np.array(part[name], np.float64) for name in ("users", "items", "counts")
    )
    shares = counts / np.outer(users, items)
    highest = float(shares.max())
    lowest = max(float(shares[shares > 0].min()), highest / 1e4)
    norm = LogNorm(lowest if lowest < highest else highest / 2, highest)
    extent = (0.0, float(items.sum()), float(users.sum()), 0.0)
    drawn = np.ma.masked_equal(shares, 0)
    image = axes.imshow(drawn, SHADES, norm, aspect="auto", interpolation="none", extent=extent)
    axes.set(xlabel="items, the most rated first", ylabel="users, the most active first")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=STEPS))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    box = axes.get_position()
    beside = figure.add_axes((box.x1 + 0.15 / WIDTH, box.y0, 0.13 / WIDTH, box.height))
    bar = figure.colorbar(image, beside, label="rated pairs of a block")
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # one small picture in place of 256 shapes
    bar.outline.set_visible(False)
    _round_numbers(beside.yaxis, lowest, highest)
    beside.yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.share(share, 1)))
    return figure


def _canvas(title: str, height: float = HEIGHT, right: float = RIGHT) -> tuple[Figure, Axes]:
    """A transparent figure as wide as half a page, its title above axes with two sides."""
    lines = textwrap.wrap(title, LETTERS)
    above = 0.1 + 0.165 * len(lines)
    total = above + height
    figure = Figure(figsize=(WIDTH, total))
    figure.text(
        0.02 / WIDTH, 1 - 0.04 / total, "\n".join(lines), va="top", fontsize=9, fontweight="bold"
    )
    inside = (WIDTH - LEFT - right) / WIDTH, (height - TOP - BOTTOM) / total
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / total, *inside), facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=STEPS))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    return figure, axes


def _round_numbers(axis: Axis, lowest: float, highest: float) -> None:
    """Ticks of a logarithmic axis: the powers of ten if there are enough of them, else more numbers between."""
    tens = 10.0 ** np.arange(np.floor(np.log10(lowest)), np.ceil(np.log10(highest)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = [float(ten * factor) for ten in tens for factor in factors]
        if sum(lowest <= tick <= highest for tick in ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_minor_locator(NullLocator())
