"""The sections of a report. A section is a function here, or in any module of this package, that returns what its two
templates show, `templates/sections/NN-name.html` and `.md`; the name is that of the function, and NN is its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reports import figures, heatmaps, words
from reports.tables import Results

Context = Callable[[Any], dict[str, Any] | None]  # of Results, or of a Comparison; None: nothing to say, no section


@dataclass(frozen=True)
class Section:
    """A question and the function that gathers what answers it."""

    heading: str
    context: Context


SECTIONS: dict[str, Section] = {}


def section(heading: str) -> Callable[[Context], Context]:
    """Register a function under its own name, as the section `heading`."""

    def register(function: Context) -> Context:
        SECTIONS[function.__name__] = Section(heading, function)
        return function

    return register


def titled(results: Results, what: str, *, whole: bool = False) -> str:
    """The title of a figure: the data, whether they are simulated, `what`, and unless it is the `whole` the split."""
    title = f"{results.about['data']['name']}: {what[0].lower()}{what[1:]}"
    title += "" if whole else f", {words.split(results)}"
    return f"SIMULATED data, {title}" if results.simulated else title


def _picture(results: Results, drawn: heatmaps.Heatmap, question: str) -> figures.Picture:
    title = titled(results, drawn.title)
    alternative = f"{question} {title}. The table has the same numbers."
    return figures.Picture(drawn.name, alternative, lambda: figures.heatmap(drawn, title))


@section("What came out?")
def summary(results: Results) -> dict[str, Any]:
    """The run in sentences."""
    return {"sentences": words.summary(results)}


@section("How accurate?")
def accuracy(results: Results) -> dict[str, Any]:
    """The error heatmap."""
    drawn = heatmaps.accuracy(results)
    return {"heatmap": drawn, "picture": _picture(results, drawn, "Error heatmap."), "key": heatmaps.key()}


@section("At what cost?")
def cost(results: Results) -> dict[str, Any]:
    """The heatmap of seconds and megabytes."""
    drawn = heatmaps.cost(results)
    contended = [row.name for row in results.rows if row.contended]
    picture = _picture(results, drawn, "Heatmap of seconds and megabytes.")
    return {"heatmap": drawn, "picture": picture, "contended": contended, "key": heatmaps.key()}


@section("What are the means and their spread?")
def means(results: Results) -> dict[str, Any]:
    """Row by metric: mean, deviation and range over the folds."""
    return {"columns": results.columns, "rows": results.rows}
