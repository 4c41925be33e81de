"""What the report says about the data, and how far each algorithm is from what the data allow."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure as DrawnFigure

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import DataDescription
from recbench.datasets.profile import Activity, Grid, Profile, Stars, TimeRange, Years
from recbench.datasets.ratings import Quantity, Step
from recbench.reports import words
from recbench.reports.drawing import (
    Picture,
    draw_activity,
    draw_grid,
    draw_stars,
    draw_times,
    draw_years,
    period_starts,
)
from recbench.reports.rendering import (
    Block,
    Code,
    Figure,
    Gallery,
    Heading,
    Note,
    Pairs,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, title_figure

Member = Literal["user", "item"]  # of whom or what ratings are counted

ACTIVITY_HEADS = ("fewest", "lower quartile", "median", "mean", "upper quartile", "most")
MOST_NAMED = 3  # so many highest bars are named; of more, their number
MOST_SPOKEN = 8  # so many numbers stand for a long row of bars in its picture's alternative text
CURVE_STEPS = 6  # of about so many points of a curve the numbers are spoken


@dataclass(frozen=True)
class Chart:
    """A picture of the data: its file's name, its subject, the text below it, its numbers in words.

    `draw` gets the title and returns the figure.
    """

    name: str
    subject: str
    caption: str
    numbers: str
    draw: Callable[[str], DrawnFigure]


@section("What is in the data?", place=80)
def data(results: Results) -> list[Block]:
    """Facts and charts, what filters dropped, what the loader remarked.

    For simulated data also how close they come to real ones, and how far rows are from the oracle.
    """
    described = results.about.data
    return [
        *(Paragraph(f"Noted by the loader: {remark}") for remark in described.remarks),
        Pairs(
            "All ratings, before any fold is made", tuple(_list_facts(described, results.profile))
        ),
        *_describe_profile(results),
        Heading("What did filters drop?"),
        _describe_filters(described.steps),
        *_describe_calibration(described.calibration),
        *_describe_distances(results),
    ]


def _list_facts(described: DataDescription, profile: Profile | None) -> list[tuple[str, str]]:
    """Names and values: counts, and with a profile the mean, the spread and the dates too."""
    n_users = described.users
    n_items = described.items
    n_ratings = described.ratings
    lowest, highest = described.scale

    facts = [
        ("users", f"{n_users:,}"),
        ("items", f"{n_items:,}"),
        ("ratings", f"{n_ratings:,}"),
        ("rated pairs of a user and an item", words.share(n_ratings, n_users * n_items)),
        ("scale", f"{lowest:g} to {highest:g}"),
    ]
    if described.feedback == "implicit":
        facts.append(("feedback", "implicit: every line is a positive, and none is a rating"))
    if profile is None:
        return facts

    stars = profile["stars"]
    times = profile["times"]
    years = profile["years"]
    dates = f"{times['first']} and {times['last']}" if times else "no times"
    n_dated = profile["items"] - years["unknown"] if years else 0

    return [
        *facts,
        ("mean rating", words.amount(stars["mean"])),
        ("median rating", words.amount(stars["median"])),
        ("standard deviation of the ratings", words.amount(stars["deviation"])),
        ("first and last rating (UTC)", dates),
        (
            "items with a year of release",
            f"{n_dated:,} ({words.percent(n_dated, profile['items'])})",
        ),
    ]


def _describe_profile(results: Results) -> list[Block]:
    """How ratings are shared among users and items, and the charts; or why there are none."""
    profile = results.profile
    if profile is None:
        return [
            Note(
                (
                    "Charts of the data need this run to be made again with this version, for it "
                    "kept no ",
                    Code("profile.json"),
                    ".",
                )
            )
        ]

    heads = (*ACTIVITY_HEADS, "Gini")
    table = Table(
        "Distribution of ratings",
        "How ratings are distributed over users, and over items. The Gini coefficient is 0 where "
        "all have equally many, and near 1 where few have almost all.",
        (TableHead("count", "text"), *(TableHead(head) for head in heads)),
        (
            _activity_line(profile["per_user"], "user"),
            _activity_line(profile["per_item"], "item"),
        ),
    )
    figures = tuple(_draw_chart(results, chart) for chart in _list_charts(profile))
    return [table, Gallery(figures)]


def _activity_line(activity: Activity, member: Member) -> TableLine:
    """How many ratings each user has, or each item: quantiles, mean and Gini coefficient."""
    amounts = (
        activity["lowest"],
        activity["lower_quartile"],
        activity["median"],
        activity["mean"],
        activity["upper_quartile"],
        activity["highest"],
    )
    texts = [*map(words.amount, amounts), words.number(activity["gini"])]
    return TableLine(f"ratings of one {member}", tuple(TableCell(text) for text in texts))


def _draw_chart(results: Results, chart: Chart) -> Figure:
    title = title_figure(results, chart.subject, is_whole=True)
    alternative = f"{title}. {chart.caption} {chart.numbers}".strip()
    return Figure(Picture(chart.name, alternative, lambda: chart.draw(title)), chart.caption)


def _list_charts(profile: Profile) -> list[Chart]:
    """What there is to draw.

    Ratings without times, and items without years, have no chart of them.
    """
    charts = [_chart_values(profile["stars"])]
    if profile["times"]:
        charts.append(_chart_times(profile["times"]))

    charts.append(_chart_activity(profile["per_user"], profile["users"], "user"))
    charts.append(_chart_activity(profile["per_item"], profile["items"], "item"))

    if profile["years"]:
        charts.append(_chart_years(profile["years"]))

    charts.append(_chart_gaps(profile["grid"]))
    return charts


def _name_highest(names: list[str], counts: list[int], kind: str) -> str:
    """Which of `names` have the highest count, or if these are many, how many of that `kind`."""
    highest = max(counts)
    named = [name for name, count in zip(names, counts, strict=True) if count == highest]
    if len(named) <= MOST_NAMED:
        return words.listed(named)
    return f"{len(named)} {kind}s alike"


def _speak_counts(names: list[str], counts: list[int]) -> str:
    """The counts in words; of a long row, the sums of a few stretches of it."""
    size = -(-len(names) // MOST_SPOKEN)
    parts = []
    for start in range(0, len(names), size):
        stretch = names[start : start + size]
        total = sum(counts[start : start + size])
        if len(stretch) == 1:
            parts.append(f"{stretch[0]}: {total:,}")
        else:
            parts.append(f"{stretch[0]} to {stretch[-1]}: {total:,}")

    return f"{'; '.join(parts)}."


def _chart_values(stars: Stars) -> Chart:
    """Ratings by value; of a scale with many values, by intervals of it."""
    names = _name_bars(stars)
    counts = stars["counts"]
    highest = _name_highest(names, counts, "value")
    share = words.percent(max(counts), sum(counts))
    numbers = "; ".join(f"{name}: {count:,}" for name, count in zip(names, counts, strict=True))

    return Chart(
        "data-stars",
        "ratings by value",
        f"Most frequent: {highest} ({share}).",
        f"{numbers}.",
        lambda title: draw_stars(stars, title),
    )


def _name_bars(stars: Stars) -> list[str]:
    """The value of each bar; or its interval, where the values are counted in bins."""
    if stars["edges"] is not None:
        return [f"{low:g} to {high:g}" for low, high in itertools.pairwise(stars["edges"])]
    return [f"{value:g}" for value in stars["values"] or ()]


def _chart_times(times: TimeRange) -> Chart:
    """Ratings by day, month or the like: by the `step` of the profile."""
    step = times["step"]
    counts = times["counts"]
    periods = [str(period) for period in period_starts(times)[:-1]]
    preposition = "on" if step == "day" else "in"
    highest = f"{preposition} {_name_highest(periods, counts, step)}"

    return Chart(
        "data-times",
        f"ratings by {step}",
        f"From {times['first']} to {times['last']}; most ratings {highest}: {max(counts):,}.",
        _speak_counts(periods, counts),
        lambda title: draw_times(times, title),
    )


def _chart_activity(activity: Activity, n_members: int, member: Member) -> Chart:
    """How many of the users, or of the items, have at least so many ratings."""
    low = words.amount(activity["lower_quartile"])
    high = words.amount(activity["upper_quartile"])
    caption = f"The middle half of the {member}s has {low} to {high} ratings each."
    if activity["without"]:
        without = words.count(activity["without"], member)
        caption += f" {without} of {n_members:,} without any are not drawn."

    points = list(zip(activity["levels"], activity["at_least"], strict=True))
    spoken = points[:: max(1, len(points) // CURVE_STEPS)]
    numbers = "; ".join(f"{count:,} with at least {level:,}" for level, count in spoken)

    return Chart(
        f"data-{member}s",
        f"ratings per {member}",
        caption,
        f"{numbers}.",
        lambda title: draw_activity(activity, title, member),
    )


def _chart_years(years: Years) -> Chart:
    """Items by the year of their release, or by several years where the span is long."""
    counts = years["counts"]
    step = years["step"]
    starts = [years["first"] + step * place for place in range(len(counts))]
    if step == 1:
        names = [str(start) for start in starts]
    else:
        names = [f"{start} to {start + step - 1}" for start in starts]

    highest = _name_highest(names, counts, "bar")
    caption = f"Most frequent: {highest} ({words.count(max(counts), 'item')})."
    if years["unknown"]:
        caption += f" {words.count(years['unknown'], 'item')} without a year."

    return Chart(
        "data-years",
        "items by release year",
        caption,
        _speak_counts([str(start) for start in starts], counts),
        lambda title: draw_years(years, title),
    )


def _chart_gaps(grid: Grid) -> Chart:
    """Which share of the pairs is rated in blocks of users and items, most active ones first."""
    counts = np.array(grid["counts"])
    sizes = np.outer(grid["users"], grid["items"])
    shares = counts / sizes
    lowest = np.unravel_index(shares.argmin(), counts.shape)
    highest = np.unravel_index(shares.argmax(), counts.shape)
    lowest_share = words.share(float(counts[lowest]), float(sizes[lowest]))
    highest_share = words.share(float(counts[highest]), float(sizes[highest]))
    n_user_blocks, n_item_blocks = counts.shape

    caption = (
        f"Users and items in {n_user_blocks} by {n_item_blocks} blocks, the most active first. Of "
        f"the pairs in a block, {lowest_share} to {highest_share} are rated."
    )
    n_empty = int(np.count_nonzero(counts == 0))
    if n_empty:
        caption += f" Blank: the {words.count(n_empty, 'block')} without a rating."

    # A quarter of the blocks each way, rounded up, speaks for the most active ones.
    n_users = -(-n_user_blocks // 4)
    n_items = -(-n_item_blocks // 4)
    n_rated = counts[:n_users, :n_items].sum()
    n_pairs = sizes[:n_users, :n_items].sum()

    numbers = (
        f"Of the pairs in the first {words.count(n_users, 'block')} of users and "
        f"{words.count(n_items, 'block')} of items, {words.share(n_rated, n_pairs)} are rated"
    )
    if n_pairs < sizes.sum():
        others = words.share(counts.sum() - n_rated, sizes.sum() - n_pairs)
        numbers += f", of all others {others}"

    return Chart(
        "data-gaps",
        "which pairs are rated",
        caption,
        f"{numbers}.",
        lambda title: draw_grid(grid, title),
    )


def _describe_filters(steps: Sequence[Step]) -> Table | Paragraph:
    """What each filter kept and dropped, in numbers and percent."""
    if not steps:
        return Paragraph("No filter was applied.")

    kinds = ("users", "items", "ratings")
    lines = []
    for step in steps:
        cells = []
        for kind in kinds:
            before = step.before[kind]
            after = step.after[kind]
            dropped = words.percent(before - after, before)
            cells.append(TableCell(f"{before:,} → {after:,} (−{dropped})"))
        lines.append(TableLine(step.rule, tuple(cells)))

    heads = (TableHead("filter", "text"), *(TableHead(kind) for kind in kinds))
    return Table("Filters", "What each filter dropped", heads, tuple(lines))


def _describe_calibration(quantities: Sequence[Quantity]) -> list[Block]:
    """Simulated quantities beside the real ones; nothing where the data are not simulated."""
    if not quantities:
        return []

    heads = ("real", "tolerance", "simulated", "within")
    table = Table(
        "Calibration",
        "The simulated ratings beside what is published about the real ones, before any fold is "
        "made",
        (TableHead("quantity", "text"), *(TableHead(head) for head in heads)),
        tuple(_compare_quantity(quantity) for quantity in quantities),
    )
    return [Heading("How close is the simulation?"), table]


def _compare_quantity(quantity: Quantity) -> TableLine:
    """A calibrated quantity: its target and tolerance, what the simulation has, whether it fits."""
    target = quantity.target
    tolerance = quantity.tolerance
    simulated = quantity.simulated
    tolerance_text = "shown only"
    fits = ""
    if tolerance is not None:
        tolerance_text = f"± {tolerance:g}"
        fits = "yes" if abs(simulated - target) <= tolerance else "NO"

    texts = (words.amount(target), tolerance_text, words.amount(simulated), fits)
    return TableLine(quantity.name, tuple(TableCell(text) for text in texts))


def _describe_distances(results: Results) -> list[Block]:
    """For each row, how much worse than the oracle it is; nothing where there is no oracle."""
    oracle = results.oracle
    if oracle is None:
        return []

    # The oracle does not set out to cover the catalogue.
    columns = [
        column
        for column in results.columns
        if column != "coverage" and oracle.mean(column) is not None
    ]
    lines = []

    for row in results.contestants:
        cells = tuple(TableCell(_distance_text(results, row, oracle, column)) for column in columns)
        lines.append(TableLine(RowName(row.name), cells))

    if not lines:
        return []

    table = Table(
        "Distance to the oracle",
        "How much worse each row is than the oracle, which knows how every rating came about: its "
        "error is noise, and its ranking has the best precision to be expected. It takes no part "
        "in the contest.",
        (TableHead("row", "text"), *(TableHead(words.field_name(column)) for column in columns)),
        tuple(lines),
    )
    return [Heading("How far from the truth?"), table]


def _distance_text(results: Results, row: Row, oracle: Row, column: str) -> str:
    """By how much a row's loss is above that of the oracle, whichever way is better."""
    mean = row.mean(column)
    best = oracle.mean(column)
    if mean is None or best is None:
        return words.NONE
    metric = find_metric(column)
    distance = metric.loss(mean) - metric.loss(best)
    return words.number(distance, words.interval(results, row, column))
