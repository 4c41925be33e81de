"""What the report says about the data, and how far each algorithm is from what the data allow."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import DataDescription
from recbench.datasets.ratings import Quantity, Step
from recbench.reports import words
from recbench.reports.drawing import Picture
from recbench.reports.drawing import data as data_figures
from recbench.reports.results import Results
from recbench.reports.sections.registry import section, titled

Pairs = list[tuple[str, str]]
ACTIVITY = ("lowest", "lower_quartile", "median", "mean", "upper_quartile", "highest")
SPOKEN = 8  # so many numbers stand for a long row of bars in its picture's text alternative


@dataclass(frozen=True)
class Chart:
    """What a picture of the data is called, the text below it, its numbers in words, and how it is drawn."""

    name: str
    what: str
    caption: str
    numbers: str
    draw: Callable[[str], Any]


@section("What is in the data?")
def data(results: Results) -> dict[str, Any]:
    """Facts and charts, what filters dropped, what the loader remarked; for simulated data how close they come."""
    described, profile = results.about.data, results.profile
    return {
        "facts": _facts(described, profile),
        "activity": [_activity(profile, one) for one in ("user", "item")] if profile else [],
        "charts": [_shown(results, chart) for chart in _charts(profile)] if profile else [],
        "steps": [_step(step) for step in described.steps],
        "remarks": described.remarks,
        "calibration": [_quantity(quantity) for quantity in described.calibration],
        "distances": _distances(results),
        "columns": _distance_columns(results),
    }


def _facts(described: DataDescription, profile: dict[str, Any] | None) -> Pairs:
    """What can be said in a number: counts, and of a profile the mean, the spread and the dates too."""
    n_users, n_items, n_ratings = described.users, described.items, described.ratings
    facts = [("users", f"{n_users:,}"), ("items", f"{n_items:,}"), ("ratings", f"{n_ratings:,}")]
    facts += [("rated pairs of a user and an item", words.share(n_ratings, n_users * n_items))]
    facts += [("scale", "{:g} to {:g}".format(*described.scale))]
    if profile is None:
        return facts
    stars, times, years = profile["stars"], profile["times"], profile["years"]
    facts += [
        ("mean rating", words.amount(stars["mean"])),
        ("median rating", words.amount(stars["median"])),
    ]
    facts += [("standard deviation of the ratings", words.amount(stars["deviation"]))]
    facts += [
        (
            "first and last rating (UTC)",
            f"{times['first']} and {times['last']}" if times else "no times",
        )
    ]
    known = profile["items"] - years["unknown"] if years else 0
    return [
        *facts,
        ("items with a year of release", f"{known:,} ({words.percent(known, profile['items'])})"),
    ]


def _activity(profile: dict[str, Any], one: str) -> tuple[str, list[str]]:
    """A line of the table of how ratings are shared among users, or items."""
    part = profile[f"per_{one}"]
    return f"ratings of one {one}", [
        *(words.amount(part[name]) for name in ACTIVITY),
        words.number(part["gini"]),
    ]


def _shown(results: Results, chart: Chart) -> dict[str, Any]:
    title = titled(results, chart.what, whole=True)
    alternative = f"{title}. {chart.caption} {chart.numbers}".strip()
    return {
        "picture": Picture(chart.name, alternative, lambda: chart.draw(title)),
        "caption": chart.caption,
    }


def _charts(profile: dict[str, Any]) -> list[Chart]:
    """What there is to draw."""
    charts = [_stars(profile["stars"])]
    charts += [_times(profile["times"])] if profile["times"] else []
    charts += [
        _at_least(profile[f"per_{one}"], profile[f"{one}s"], one) for one in ("user", "item")
    ]
    charts += [_years(profile["years"])] if profile["years"] else []
    return [*charts, _grid(profile["grid"])]


def _most(names: list[str], counts: list[int], kind: str) -> str:
    """Which of `names` have the highest count, or if these are many, how many of that `kind` they are."""
    most = [name for name, count in zip(names, counts, strict=True) if count == max(counts)]
    return words.listed(most) if len(most) <= 3 else f"{len(most)} {kind}s alike"


def _spoken(names: list[str], counts: list[int]) -> str:
    """The counts in words; of a long row, the sums of a few stretches of it."""
    size = -(-len(names) // SPOKEN)
    parts = []
    for start in range(0, len(names), size):
        first, last, total = (
            names[start],
            names[start : start + size][-1],
            sum(counts[start : start + size]),
        )
        parts.append(f"{first}: {total:,}" if first == last else f"{first} to {last}: {total:,}")
    return f"{'; '.join(parts)}."


def _stars(part: dict[str, Any]) -> Chart:
    counts, edges = part["counts"], part["edges"]
    names = [f"{value:g}" for value in part["values"] or []]
    names = names or [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    caption = f"Most frequent: {_most(names, counts, 'value')} ({words.percent(max(counts), sum(counts))})."
    numbers = "; ".join(f"{name}: {count:,}" for name, count in zip(names, counts, strict=True))
    return Chart(
        "data-stars",
        "ratings by value",
        caption,
        f"{numbers}.",
        lambda t: data_figures.stars(part, t),
    )


def _times(part: dict[str, Any]) -> Chart:
    step, counts = part["step"], part["counts"]
    periods = [str(period) for period in data_figures.periods(part)[:-1]]
    most = f"{'on' if step == 'day' else 'in'} {_most(periods, counts, step)}"
    caption = f"From {part['first']} to {part['last']}; most of all {most}: {max(counts):,}."
    numbers = _spoken(periods, counts)
    return Chart(
        "data-times", f"ratings by {step}", caption, numbers, lambda t: data_figures.times(part, t)
    )


def _at_least(part: dict[str, Any], n: int, one: str) -> Chart:
    low, high = words.amount(part["lower_quartile"]), words.amount(part["upper_quartile"])
    caption = f"The middle half of the {one}s has {low} to {high} ratings each."
    if part["without"]:
        caption += f" {words.count(part['without'], one)} of {n:,} without any are not drawn."
    points = list(zip(part["levels"], part["at_least"], strict=True))
    numbers = "; ".join(
        f"{count:,} with at least {level:,}" for level, count in points[:: max(1, len(points) // 6)]
    )
    what = f"ratings per {one}"
    return Chart(
        f"data-{one}s",
        what,
        caption,
        f"{numbers}.",
        lambda title: data_figures.activity(part, title, one),
    )


def _years(part: dict[str, Any]) -> Chart:
    counts, step = part["counts"], part["step"]
    starts = [part["first"] + step * place for place in range(len(counts))]
    names = [f"{start}" if step == 1 else f"{start} to {start + step - 1}" for start in starts]
    caption = f"Most of all from {_most(names, counts, 'bar')}: {words.count(max(counts), 'item')}."
    if part["unknown"]:
        caption += f" {words.count(part['unknown'], 'item')} without a year."
    numbers = _spoken(names if step == 1 else [str(start) for start in starts], counts)
    return Chart(
        "data-years",
        "items by release year",
        caption,
        numbers,
        lambda t: data_figures.years(part, t),
    )


def _grid(part: dict[str, Any]) -> Chart:
    counts = np.array(part["counts"])
    sizes = np.outer(part["users"], part["items"])
    shares = counts / sizes
    low, high = (
        np.unravel_index(place, counts.shape) for place in (shares.argmin(), shares.argmax())
    )
    caption = (
        f"{counts.shape[0]} by {counts.shape[1]} blocks; of the pairs in a block, "
        f"{words.share(counts[low], sizes[low])} to {words.share(counts[high], sizes[high])} are rated."
    )
    if n_empty := int(np.count_nonzero(counts == 0)):
        caption += f" Blank: the {words.count(n_empty, 'block')} without a rating."
    users, items = (-(-n // 4) for n in counts.shape)
    inside, pairs = counts[:users, :items].sum(), sizes[:users, :items].sum()
    numbers = (
        f"Of the pairs in the first {words.count(users, 'block')} of users and {words.count(items, 'block')} of "
        f"items, {words.share(inside, pairs)} are rated"
    )
    if pairs < sizes.sum():
        numbers += f", of all others {words.share(counts.sum() - inside, sizes.sum() - pairs)}"
    return Chart(
        "data-gaps",
        "which pairs are rated",
        caption,
        f"{numbers}.",
        lambda t: data_figures.grid(part, t),
    )


def _step(step: Step) -> dict[str, Any]:
    """A filter with what it kept and dropped, in numbers and percent."""
    counts = []
    for name in ("users", "items", "ratings"):
        before, after = step.before[name], step.after[name]
        counts.append(f"{before:,} → {after:,} (−{words.percent(before - after, before)})")
    return {"rule": step.rule, "counts": counts}


def _quantity(quantity: Quantity) -> dict[str, str]:
    """A calibrated quantity as text: name, target with tolerance, what the simulation has, and whether it fits."""
    target, tolerance, simulated = quantity.target, quantity.tolerance, quantity.simulated
    fits = "" if tolerance is None else "yes" if abs(simulated - target) <= tolerance else "NO"
    return {
        "name": quantity.name,
        "target": words.amount(target),
        "tolerance": "shown only" if tolerance is None else f"± {tolerance:g}",
        "simulated": words.amount(simulated),
        "fits": fits,
    }


def _distance_columns(results: Results) -> list[str]:
    """The shown metrics in which the oracle has a mean."""
    oracle = results.oracle
    return [
        column
        for column in results.columns
        if oracle and column != "coverage" and oracle.mean(column) is not None
    ]


def _distances(results: Results) -> list[tuple[str, list[str]]]:
    """For each other row, how much worse than the oracle it is in each of those columns."""
    if results.oracle is None:
        return []
    lines = []
    for row in results.contestants:
        cells = []
        for column in _distance_columns(results):
            best, mean = results.oracle.mean(column), row.mean(column)
            metric = find_metric(column)
            cells.append(
                "–"
                if best is None or mean is None
                else words.number(metric.loss(mean) - metric.loss(best))
            )
        lines.append((row.name, cells))
    return lines
