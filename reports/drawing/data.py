"""Figures of what is in the data: stars, days, users, items, years and gaps, from its profile."""

import textwrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.dates import DAILY, MONTHLY, YEARLY, AutoDateFormatter, AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from recbench.datasets.profile import Activity, Grid, Stars, TimeRange, Years
from recbench.reports import words

# Inches; the height is that below the title.
WIDTH = 4.6
HEIGHT = 2.5
LEFT = 0.65
RIGHT = 0.3
TOP = 0.2
BOTTOM = 0.5

INK = "#2a6a9e"
SOFT = "#555555"
LABELLED = 11  # so many bars have room for their share above them
STEPS = [1, 2, 2.5, 5, 10]  # what round numbers begin with
LETTERS = 56  # of a title's line
MOST_TICKS = {YEARLY: 8, MONTHLY: 6, DAILY: 4}  # that have room side by side

# Without the lightest, which are hard to tell from white.
SHADES = ListedColormap(colormaps["YlGnBu"](np.linspace(0.25, 1, 256)))


def draw_stars(stars: Stars, title: str) -> Figure:
    """How often each rating is given, with its share where there are few; else bins."""
    figure, axes = _make_canvas(title)
    axes.set(xlabel="rating", ylabel="ratings")

    counts = stars["counts"]
    edges = stars["edges"]
    if edges is not None:
        axes.stairs(counts, edges, fill=True, color=INK)
        return figure

    values = stars["values"] or []
    places = np.array(values)
    bar_width = 0.8 * float(np.diff(places).min(initial=1))
    bars = axes.bar(places, counts, bar_width, color=INK)
    if len(places) <= LABELLED:
        shares = [words.percent(count, sum(counts)) for count in counts]
        axes.bar_label(bars, shares, padding=2, color=SOFT, fontsize=7)
        axes.set_xticks(places, [f"{value:g}" for value in values])
    return figure


def period_starts(times: TimeRange) -> NDArray[np.datetime64]:
    """The first moment of each day, month or year of the times, and of the one after the last."""
    unit = times["step"][0].upper()  # as NumPy calls it: D, M or Y
    first: NDArray[np.datetime64] = np.array(times["first"], dtype=f"datetime64[{unit}]")
    return first + np.arange(len(times["counts"]) + 1)


def draw_times(times: TimeRange, title: str) -> Figure:
    """Ratings in each day, month or year."""
    figure, axes = _make_canvas(title)
    starts = period_starts(times)
    days = starts.astype("M8[D]").astype(np.int64)
    axes.stairs(times["counts"], days, fill=True, color=INK)
    axes.set(xlabel="time (UTC)", ylabel=f"ratings per {times['step']}")
    if len(times["counts"]) <= MOST_TICKS[DAILY]:
        middles = (days[:-1] + days[1:]) / 2
        axes.set_xticks(middles, [str(start) for start in starts[:-1]])
        return figure

    locator = AutoDateLocator(minticks=2, maxticks=MOST_TICKS)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(AutoDateFormatter(locator))  # type: ignore[no-untyped-call]
    return figure


def draw_activity(activity: Activity, title: str, member: str) -> Figure:
    """How many users or items have at least so many ratings; the median is marked.

    Both axes are logarithmic; `member` is "user" or "item".
    """
    figure, axes = _make_canvas(title)
    levels = np.array(activity["levels"])
    at_least = np.array(activity["at_least"])
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel=f"ratings of one {member}", ylabel=f"{member}s with at least so many")

    marker = "o" if len(levels) <= LABELLED else ""
    axes.plot(levels, at_least, color=INK, linewidth=1.8, marker=marker, markersize=3)
    _set_round_numbers(axes.xaxis, float(levels.min()), float(levels.max()))
    _set_round_numbers(axes.yaxis, float(at_least.min()), float(at_least.max()))
    if activity["median"] > 0:
        _mark_median(axes, activity["median"])
    return figure


def _mark_median(axes: Axes, median: float) -> None:
    """A broken line with its number above the axes."""
    axes.axvline(median, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    coords: Any = ("data", "axes fraction")
    style: dict[str, Any] = {"ha": "center", "color": SOFT, "fontsize": 7}
    label = f"median {words.amount(median)}"
    axes.annotate(
        label, (median, 1), (0, 3), coords, "offset points", annotation_clip=False, **style
    )


def draw_years(years: Years, title: str) -> Figure:
    """Items in each year of release, or in each ten or more years."""
    figure, axes = _make_canvas(title)
    counts = years["counts"]
    step = years["step"]
    edges = years["first"] + step * np.arange(len(counts) + 1.0)
    per = f"{step:,} years"
    if step == 1:
        edges -= 0.5  # so that a year's bar stands on its number
        per = "year"

    axes.stairs(counts, edges, fill=True, color=INK)
    axes.set(xlabel="year of release", ylabel=f"items per {per}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    return figure


def draw_grid(grid: Grid, title: str) -> Figure:
    """Which share of the pairs in each block of users and items is rated; blank: none.

    On a logarithmic scale over four powers of ten at most.
    """
    figure, axes = _make_canvas(title, height=3.2, right=1.05)
    users = np.array(grid["users"], np.float64)
    items = np.array(grid["items"], np.float64)
    counts = np.array(grid["counts"], np.float64)
    shares = counts / np.outer(users, items)
    highest = float(shares.max())
    least_share = float(shares[shares > 0].min())
    lowest = max(least_share, highest / 1e4)

    # A scale needs two ends, also where all blocks are alike.
    start = lowest if lowest < highest else highest / 2
    norm = LogNorm(start, highest)
    n_items = float(items.sum())
    n_users = float(users.sum())
    extent = (0.0, n_items, n_users, 0.0)
    drawn = np.ma.masked_equal(shares, 0)
    image = axes.imshow(drawn, SHADES, norm, aspect="auto", interpolation="none", extent=extent)
    axes.set(xlabel="items, the most rated first", ylabel="users, the most active first")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=STEPS))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    _draw_colour_bar(figure, axes, image, lowest, highest)
    return figure


def _draw_colour_bar(
    figure: Figure, axes: Axes, image: AxesImage, lowest: float, highest: float
) -> None:
    """The scale of shares, beside the axes."""
    box = axes.get_position()
    left = box.x1 + 0.15 / WIDTH
    bar_width = 0.13 / WIDTH
    beside = figure.add_axes((left, box.y0, bar_width, box.height))
    bar = figure.colorbar(image, beside, label="rated pairs of a block")
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # one small picture in place of 256 shapes
    bar.outline.set_visible(False)
    _set_round_numbers(beside.yaxis, lowest, highest)
    formatter = FuncFormatter(lambda share, _: words.share(share, 1))
    beside.yaxis.set_major_formatter(formatter)


def _make_canvas(title: str, height: float = HEIGHT, right: float = RIGHT) -> tuple[Figure, Axes]:
    """A figure as wide as half a page, its title above axes with two sides."""
    title_lines = textwrap.wrap(title, LETTERS)
    above = 0.1 + 0.165 * len(title_lines)
    total = above + height
    figure = Figure(figsize=(WIDTH, total))
    corner = (0.02 / WIDTH, 1 - 0.04 / total)
    heading = "\n".join(title_lines)
    figure.text(*corner, heading, va="top", fontsize=9, fontweight="bold")

    inner_width = (WIDTH - LEFT - right) / WIDTH
    inner_height = (height - TOP - BOTTOM) / total
    box = (LEFT / WIDTH, BOTTOM / total, inner_width, inner_height)
    axes = figure.add_axes(box, facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=STEPS))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    return figure, axes


def _set_round_numbers(axis: Axis, lowest: float, highest: float) -> None:
    """Ticks of a logarithmic axis: powers of ten if there are three of them, else more between."""
    first = np.floor(np.log10(lowest))
    last = np.ceil(np.log10(highest))
    exponents = np.arange(first, last + 1)

    # The first choice that shows three numbers, or else the last one.
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = [float(ten * factor) for ten in 10.0**exponents for factor in factors]
        n_shown = sum(lowest <= tick <= highest for tick in ticks)
        if n_shown >= 3:
            break

    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_minor_locator(NullLocator())
