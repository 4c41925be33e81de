"""The report's answer to what accuracy costs in variety: popular items, and how few of all."""

from recbench.benchmarks.metrics import ARROWS, find_metric
from recbench.reports import words
from recbench.reports.drawing import Picture, VarietyPoint, draw_variety
from recbench.reports.rendering import (
    Block,
    Details,
    Figure,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section, title_figure

FEWEST_ROWS = 2


@section("How popular and how varied are the lists?", place=52)
def variety(results: Results) -> list[Block] | None:
    """The first ranking metric against popularity lift and catalogue coverage of the lists.

    None unless two rows have all three.
    """
    column = results.first_ranking()
    if column is None or results.hidden_by(column):
        return None
    cutoff = results.about.protocol["ks"][0]
    lift = f"popularity_bias@{cutoff}"
    coverage = f"catalogue_coverage@{cutoff}"
    points = []
    for row in results.contestants:
        means = [row.mean(name) for name in (column, lift, coverage)]
        known = [mean for mean in means if mean is not None]
        if len(known) == len(means):
            points.append(VarietyPoint(row.name, *known))
    if len(points) < FEWEST_ROWS:
        return None

    name = words.field_name(column)
    title = title_figure(results, f"{name} against popularity and coverage of the lists")
    label = f"mean {name} {ARROWS[find_metric(column).better]}"
    picture = Picture(
        "variety",
        f"Two scatter plots. {title}. The table below has the same numbers.",
        lambda: draw_variety(points, label, title),
    )
    caption = (
        "Left: popularity lift, how much more popular the recommended items are than the items the "
        "users rated. Right: catalogue coverage, the share of all items that appear in any list. "
        "On the right, rows in the upper right corner are accurate and do not show everybody the "
        "same."
    )
    return [
        Paragraph(_describe_extremes(points, name)),
        Figure(picture, caption),
        Details("Every point in numbers", (_tabulate(points, column, lift, coverage),)),
    ]


def _describe_extremes(points: list[VarietyPoint], name: str) -> str:
    """What the most accurate row shows, and which row shows most of the catalogue."""
    best = max(points, key=lambda point: point.accuracy)
    widest = max(points, key=lambda point: point.coverage)
    sentence = (
        f"The lists of {best.row}, which has the highest mean {name} "
        f"({words.number(best.accuracy)}), show {best.coverage:.1%} of the catalogue, with a "
        f"popularity lift of {words.number(best.popularity)}."
    )
    if widest is best:
        return f"{sentence} No other row shows more."
    return (
        f"{sentence} The lists of {widest.row} show the most, {widest.coverage:.1%}, with a mean "
        f"{name} of {words.number(widest.accuracy)}."
    )


def _tabulate(points: list[VarietyPoint], column: str, lift: str, coverage: str) -> Table:
    lines = []
    for point in sorted(points, key=lambda point: -point.accuracy):
        cells = (
            TableCell(words.number(point.accuracy), sort_value=point.accuracy),
            TableCell(words.number(point.popularity), sort_value=point.popularity),
            TableCell(f"{point.coverage:.1%}", sort_value=point.coverage),
        )
        lines.append(TableLine(RowName(point.row), cells))
    heads = (
        TableHead("row", "text"),
        TableHead(words.field_name(column), higher_is_better=True),
        TableHead(lift),
        TableHead(coverage, higher_is_better=True),
    )
    caption = (
        f"{find_metric(lift).definition} {find_metric(coverage).definition} Means over the folds."
    )
    return Table(
        "Accuracy, popularity and coverage", caption, heads, tuple(lines), is_sortable=True
    )
