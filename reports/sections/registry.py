"""The sections of a report. A section is a function here, or in any module of this package, that returns what its two
templates show, `templates/sections/NN-name.html` and `.md`; the name is that of the function, and NN is its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from recbench.reports import words
from recbench.reports.drawing import fold_heatmap as fold_heatmaps
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.drawing import picture as figures
from recbench.reports.drawing import scatter
from recbench.reports.results import Results

Context = Callable[
    [Any], dict[str, Any] | None
]  # of Results, or of a Comparison; None: nothing to say, no section

Function = TypeVar("Function", bound=Context)


@dataclass(frozen=True)
class Section:
    """A question and the function that gathers what answers it."""

    heading: str
    context: Context


SECTIONS: dict[str, Section] = {}


def section(heading: str) -> Callable[[Function], Function]:
    """Register a function under its own name, as the section `heading`."""

    def register(function: Function) -> Function:
        SECTIONS[function.__name__] = Section(heading, function)
        return function

    return register


def titled(results: Results, what: str, *, whole: bool = False) -> str:
    """The title of a figure: the data, whether they are simulated, `what`, and unless it is the `whole` the split."""
    title = f"{results.about.data.name}: {what[0].lower()}{what[1:]}"
    title += "" if whole else f", {words.split(results)}"
    return f"SIMULATED data, {title}" if results.simulated else title


def _picture(results: Results, drawn: heatmaps.Heatmap, question: str) -> figures.Picture:
    title = titled(results, drawn.title)
    alternative = f"{question} {title}. The table has the same numbers."
    return figures.Picture(drawn.name, alternative, lambda: figures.heatmap(drawn, title))


def headlines(results: Results) -> list[str]:
    """The first error and the first ranking metric, where they are shown: what the views of one column are about."""
    return [column for column in (results.first_error(), results.first_ranking()) if column]


@section("How accurate?")
def accuracy(results: Results) -> dict[str, Any]:
    """The error heatmap, the headline columns fold by fold, and the means with their spread."""
    drawn = heatmaps.accuracy(results)
    views = [
        view for column in headlines(results) if (view := fold_heatmaps.by_fold(results, column))
    ]
    n_folds = len(fold_heatmaps.places(results))
    return {
        "heatmap": drawn,
        "picture": _picture(results, drawn, "Error heatmap."),
        "key": heatmaps.key(),
        "folds": [
            {"heatmap": view, "picture": _picture(results, view, "Heatmap by fold.")}
            for view in views
        ],
        "left_out": max(0, n_folds - fold_heatmaps.MOST_FOLDS),
        "n_folds": n_folds,
        "columns": results.columns,
        "rows": results.rows,
    }


@section("At what cost?")
def cost(results: Results) -> dict[str, Any]:
    """The heatmap of seconds and megabytes, and accuracy against the time to fit."""
    drawn = heatmaps.cost(results)
    plots = []
    for column in headlines(results):
        found, said = scatter.points(results, column), scatter.sentences(results, column)
        plots.append(
            {
                "column": column,
                "sentences": said,
                "points": scatter.in_words(found, column),
                "picture": _scatter(results, found, column, said) if found else None,
            }
        )
    return {
        "heatmap": drawn,
        "picture": _picture(results, drawn, "Heatmap of seconds and megabytes."),
        "contended": [row.name for row in results.rows if row.contended],
        "key": heatmaps.key(),
        "plots": plots,
    }


def _scatter(
    results: Results, found: list[scatter.Point], column: str, said: list[str]
) -> figures.Picture:
    title = titled(results, f"{column} against time to fit")
    alternative = f"Scatter plot. {title}. {' '.join(said)}"
    families = list(dict.fromkeys(row.family for row in results.rows))
    name = f"{words.slug(column)}-against-time"
    return figures.Picture(name, alternative, lambda: scatter.draw(found, column, families, title))
