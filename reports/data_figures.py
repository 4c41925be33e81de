"""Figures of what is in the data: its stars, days, users, items, years and gaps, drawn from `datasets.profile`."""

import textwrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.dates import AutoDateFormatter, AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from reports import words

WIDTH, HEIGHT = 4.6, 2.5  # inches; the height is that below the title
LEFT, RIGHT, TOP, BOTTOM = 0.65, 0.15, 0.2, 0.5
INK, SOFT = "#2a6a9e", "#555555"
LABELLED = 11  # so many bars have room for their share above them
LETTERS = 56  # of a title's line
SHADES = colormaps["YlGnBu"]

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


def times(part: Part, title: str) -> Figure:
    """Ratings in each day, month or year."""
    figure, axes = _canvas(title)
    periods = np.datetime64(part["first"], part["step"][0].upper()) + np.arange(len(part["counts"]) + 1)
    axes.stairs(part["counts"], periods.astype("M8[D]").astype(np.int64), fill=True, color=INK)
    axes.set(xlabel="time (UTC)", ylabel=f"ratings per {part['step']}")
    locator = AutoDateLocator(minticks=2, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(AutoDateFormatter(locator))
    return figure


def activity(part: Part, title: str, one: str) -> Figure:
    """How many users or items have at least so many ratings, both axes logarithmic; the median is marked."""
    figure, axes = _canvas(title)
    levels, at_least = np.array(part["levels"]), np.array(part["at_least"])
    axes.set(xscale="log", yscale="log", xlabel=f"ratings of a {one}, at least" if one == "user" else "")
    axes.plot(levels, at_least, color=INK, linewidth=1.6, marker="o", markersize=2.2)
    axes.set(xlabel=f"ratings of one {one}: at least so many", ylabel=f"{one}s")
    for axis, shown in ((axes.xaxis, levels), (axes.yaxis, at_least)):
        _decades(axis, float(shown.min()), float(shown.max()))
    if part["median"] > 0:
        axes.axvline(part["median"], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        left = part["median"] < np.sqrt(float(levels.min() * levels.max()))
        axes.annotate(
            f"median {part['median']:,g}",
            (part["median"], 1),
            (4 if left else -4, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="left" if left else "right",
            va="bottom",
            color=SOFT,
            fontsize=7,
        )
    return figure


def years(part: Part, title: str) -> Figure:
    """Items in each year of release, or in each ten or more years."""
    figure, axes = _canvas(title)
    edges = part["first"] + part["step"] * np.arange(len(part["counts"]) + 1)
    axes.stairs(part["counts"], edges, fill=True, color=INK)
    per = "year" if part["step"] == 1 else f"{part['step']:,} years"
    axes.set(xlabel="year of release", ylabel=f"items per {per}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    return figure


def grid(part: Part, title: str) -> Figure:
    """Which share of the pairs in each block of users and items is rated, on a logarithmic scale; white: none."""
    figure, axes = _canvas(title, height=3.3)
    users, items, counts = (np.array(part[name], np.float64) for name in ("users", "items", "counts"))
    shares = counts / np.outer(users, items)
    norm = LogNorm(max(shares[shares > 0].min(), shares.max() / 1e4) * 0.999, shares.max())
    extent = (0, items.sum(), users.sum(), 0)
    axes.imshow(
        np.ma.masked_equal(shares, 0),
        SHADES,
        norm,
        aspect="auto",
        interpolation="none",
        extent=extent,
    )
    axes.set(xlabel="items, the most rated first", ylabel="users, the most active first")
    axes.spines[["top", "right"]].set_visible(True)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    bar = figure.colorbar(ScalarMappable(norm, SHADES), ax=axes, label="rated pairs of a block", fraction=0.05)
    bar.solids.set_rasterized(True)  # one small picture in place of 256 shapes
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g}%"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    return figure


def _canvas(title: str, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A transparent figure as wide as half a page, its title above axes with two sides."""
    lines = textwrap.wrap(title, LETTERS)
    above = 0.1 + 0.165 * len(lines)
    total = above + height
    figure = Figure(figsize=(WIDTH, total), facecolor="none")
    figure.text(0.06 / WIDTH, 1 - 0.04 / total, "\n".join(lines), va="top", fontsize=9, fontweight="bold")
    inside = (WIDTH - LEFT - RIGHT) / WIDTH, (height - TOP - BOTTOM) / total
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / total, *inside), facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    return figure, axes


def _decades(axis: Axis, lowest: float, highest: float) -> None:
    """Ticks of a logarithmic axis: each power of ten, or on a short axis the round numbers between."""
    ratio = highest / lowest
    if ratio > 30:
        subs = (1.0,) if ratio > 1000 else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    else:
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_minor_locator(NullLocator())
