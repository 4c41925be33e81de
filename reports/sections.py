"""The sections of a report. A section is a function here, or in any module of this package, that returns what its two
templates show, `templates/sections/NN-name.html` and `.md`; the name is that of the function, and NN is its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.determinism import VERDICTS
from benchmarks.protocols import CANDIDATES, PROTOCOLS, STANDARD, TIES
from reports import figures, fold_heatmaps, heatmaps, scatter, words
from reports.tables import Results, Row, metrics

Context = Callable[[Results], dict[str, Any] | None]  # None: nothing to say, no section


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


def titled(results: Results, what: str) -> str:
    """The title of a figure that shows `what`: the data, whether they are simulated, and how they were split."""
    title = f"{results.about['data']['name']}: {what[0].lower()}{what[1:]}, {words.split(results)}"
    return f"SIMULATED data, {title}" if results.simulated else title


def _picture(results: Results, drawn: heatmaps.Heatmap, question: str) -> figures.Picture:
    title = titled(results, drawn.title)
    alternative = f"{question} {title}. The table has the same numbers."
    return figures.Picture(drawn.name, alternative, lambda: figures.heatmap(drawn, title))


def headlines(results: Results) -> list[str]:
    """The first error and the first ranking metric, where they are shown: what the views of one column are about."""
    return [column for column in (results.first_error(), results.first_ranking()) if column]


@section("What came out?")
def summary(results: Results) -> dict[str, Any]:
    """The run in sentences."""
    return {"sentences": words.summary(results)}


@section("How accurate?")
def accuracy(results: Results) -> dict[str, Any]:
    """The error heatmap, the headline columns fold by fold, and the means with their spread."""
    drawn = heatmaps.accuracy(results)
    views = [view for column in headlines(results) if (view := fold_heatmaps.by_fold(results, column))]
    n_folds = len(fold_heatmaps.places(results))
    return {
        "heatmap": drawn,
        "picture": _picture(results, drawn, "Error heatmap."),
        "key": heatmaps.key(),
        "folds": [{"heatmap": view, "picture": _picture(results, view, "Heatmap by fold.")} for view in views],
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
        found = scatter.points(results, column)
        plots.append(
            {
                "column": column,
                "sentences": scatter.sentences(results, column),
                "picture": _scatter(results, found, column) if found else None,
            }
        )
    return {
        "heatmap": drawn,
        "picture": _picture(results, drawn, "Heatmap of seconds and megabytes."),
        "contended": [row.name for row in results.rows if row.contended],
        "key": heatmaps.key(),
        "plots": plots,
    }


def _scatter(results: Results, found: list[scatter.Point], column: str) -> figures.Picture:
    title = titled(results, f"{column} against time to fit")
    alternative = f"Scatter plot. {title}. {' '.join(scatter.sentences(results, column))}"
    families = list(dict.fromkeys(row.family for row in results.rows))
    name = f"{words.slug(column)}-against-time"
    return figures.Picture(name, alternative, lambda: scatter.draw(found, column, families, title))


@section("What did not run?")
def failures(results: Results) -> dict[str, Any]:
    """The cells that are not ok; folds of one row that failed alike share an entry."""
    entries: dict[tuple[str, str, str], list[int]] = {}
    for row in results.rows:
        for record in (*row.failures, *row.elsewhere.failures):
            entries.setdefault((row.name, record.status, record.reason or "no reason given"), []).append(
                record.cell.fold
            )
    failed = [
        {"row": row, "folds": folds, "status": status, "reason": reason, "again": results.about["command"]}
        for (row, status, reason), folds in entries.items()
    ]
    return {"failed": failed, "n_cells": len(results.records)}


@section("How was it measured?")
def method(results: Results) -> dict[str, Any]:
    """Definitions, protocol, machine, data, and the commands that make it all again."""
    data = results.about["data"]
    return {
        "metrics": metrics(results),
        "protocol": _protocol(results),
        "environment": _environment(results),
        "data": data,
        "steps": [_step(step) for step in data["steps"]],
        "certificates": [(row.name, _determinism(row)) for row in results.rows],
        "commands": [(row.name, words.again(results, row.name)) for row in results.rows],
    }


def _protocol(results: Results) -> list[tuple[str, str]]:
    """How answers became numbers, as pairs of a word and its value."""
    protocol = results.about["protocol"]
    ran = [record for record in results.records if "train" in record.data]
    pairs = [("split", words.split(results))]
    for part in ("train", "test"):
        counts = [record.data[part] for record in ran]
        if counts:
            low, high = min(counts), max(counts)
            pairs.append((f"{part} ratings a fold", f"{low:,}" if low == high else f"{low:,} to {high:,}"))
    pairs += [("cutoffs", words.listed(map(str, protocol["ks"])))]
    for name, rules in protocol["protocols"].items():
        relevant = f"relevant is a test rating of at least {rules['relevant_share']:.0%} of the scale"
        if name == STANDARD:
            thresholds = sorted({record.data["threshold"] for record in ran})
            relevant += f", here {words.listed(f'{value:g}' for value in thresholds)}" if thresholds else ""
        parts = [relevant, f"candidates are {CANDIDATES[rules['candidates']]}", TIES[rules["ties"]]]
        title = "ranking" if name == STANDARD else f"ranking, columns {name}: ({PROTOCOLS[name].about})"
        pairs.append((title, "; ".join(parts)))
    pairs += [("users counted in ranking metrics", "those with at least one relevant test item")]
    pairs += [("predictions", "no opinion becomes the training mean; then clipped to the scale")]
    return [*pairs, ("protocol version", str(protocol["version"]))]


def _environment(results: Results) -> list[tuple[str, str]]:
    """Machine, versions and commit of the cells that ran; where cells differ, every value."""
    ran = [record.environment for record in results.records if record.status != "not_run"]
    found: dict[str, dict[str, None]] = {}
    for environment in ran or [results.about["environment"]]:
        flat = {name: value for name, value in environment.items() if name not in ("versions", "memory_mb")}
        flat["memory"] = f"{words.megabytes(environment['memory_mb'])} MB"
        flat["commit"] = (environment["commit"] or "unknown") + (", with changes" if environment["dirty"] else "")
        flat |= environment["versions"]
        del flat["dirty"]
        for name, value in flat.items():
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            found.setdefault(name, {})[text] = None
    started = sorted(record.started for record in results.records if record.started)
    pairs = [(name, "; ".join(values)) for name, values in found.items()]
    return [*pairs, ("started", " to ".join(sorted({started[0], started[-1]})) if started else "not yet")]


def _step(step: dict[str, Any]) -> dict[str, Any]:
    """A filter with what it kept and dropped, in numbers and percent."""
    counts = []
    for name in ("users", "items", "ratings"):
        before, after = step["before"][name], step["after"][name]
        counts.append(f"{before:,} → {after:,} (−{words.percent(before - after, before)})")
    return {"rule": step["rule"], "counts": counts}


def _determinism(row: Row) -> str:
    """The worst verdict of the row's folds, with what it rests on."""
    found = [record.determinism for record in row.records if record.determinism]
    if not found:
        return "not checked"
    worst = max(found, key=lambda certificate: VERDICTS.index(certificate.verdict))
    differences = [certificate.largest_difference or 0.0 for certificate in found]
    parts = [worst.verdict, f"scores differ by up to {max(differences):.2g}" if any(differences) else ""]
    parts += [f"seen in {worst.checked_on}" if worst.largest_difference is not None else "", worst.reason or ""]
    return "; ".join(filter(None, parts))
