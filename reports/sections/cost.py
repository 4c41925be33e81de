"""The report's answer to what the rows cost: seconds, megabytes, accuracy against time."""

from collections.abc import Sequence

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    WORK,
    Cost,
    Picture,
    Point,
    cost_heatmap,
    describe_front,
    describe_points,
    draw_scatter,
    find_points,
)
from recbench.reports.rendering import (
    Block,
    Details,
    Figure,
    Heading,
    HeatmapTable,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.accuracy import picture_of_heatmap
from recbench.reports.sections.registry import section, title_figure


@section("At what cost?", place=30)
def cost(results: Results) -> list[Block]:
    """The heatmap of seconds and megabytes, and accuracy against the time they take."""
    drawn = cost_heatmap(results)
    averaged = words.over_folds(results, ", mean over the folds")
    phases = "phases" + words.over_folds(results, " and folds")
    highest = words.over_folds(results, "The highest of all folds is shown. ")
    blocks: list[Block] = [
        HeatmapTable(
            drawn,
            picture_of_heatmap(results, drawn, "Heatmap of seconds and megabytes."),
            f"Wall-clock time of each phase{averaged}, and memory, the highest of all {phases}. "
            "Memory growth is the peak of a call minus the memory before it. Colours are on a "
            "logarithmic scale; brighter is less. Only the algorithm's own calls are timed. "
            "Start-up is in no other number: the time to import the libraries that the row names, "
            "if any, and of every row the time to fit and query a tiny data set, in which what is "
            "imported or compiled on first use is; what the bench itself imports is not counted. "
            f"{highest}Start-up is shorter where compiled code was cached.",
        ),
        Note(_explain_times(results)),
    ]

    for column in headline_columns(results):
        blocks += _compare_with_time(results, column)
    return blocks


def _explain_times(results: Results) -> str:
    """How often phases are timed, and which rows shared the machine with others meanwhile."""
    explanation = (
        "In each fold, times to convert and to fit are the median of several runs where these are "
        "short; 1× marks a single run. "
    )
    rounds = {record.rounds for record in results.records if record.status == "ok"}
    if rounds - {1}:
        explanation += (
            f"All phases were timed in {words.span(rounds)} rounds, all rows in turn; medians are "
            "over all rounds."
        )
    elif any("rate" in record.costs for record in results.records):
        explanation += "Rating and ranking are timed once."
    else:
        explanation += "Ranking is timed once; ratings are answered with it where users are new."

    for record in results.records:
        if record.lost_round is not None:
            where = f"{record.cell.row}, {record.cell.place}"
            explanation += f" A later round of {where}, gave no times: {record.lost_round}."
    contended = [row.name for row in results.rows if row.contended]
    if contended:
        explanation += (
            " Contended times, of cells that shared the machine with others: "
            f"{words.listed(contended)}."
        )

    if results.external:
        names = words.listed(row.name for row in results.external)
        explanation += (
            f" {NOT_MEASURED_HERE.capitalize()}: {names}. Their answers come from files, and what "
            "these have cost is not known."
        )
    return explanation


def _compare_with_time(results: Results, column: str) -> list[Block]:
    """What a column costs in time: in words, and as a scatter plot with its numbers."""
    sentences = " ".join(describe_front(results, column))
    blocks: list[Block] = [
        Heading(f"What does a better {words.field_name(column)} cost in time?"),
        Paragraph(sentences),
    ]
    points = find_points(results, column)
    if not points:
        return blocks

    caption = (
        f"{_name_means(results, column)} against the {WORK.in_words}. The three times are added, "
        "because algorithms divide the work differently between them. Thin lines are 95 % "
        "intervals over users; the grey line joins the rows named above. A point at the border "
        "lies beyond it; its value is beside its name."
    )
    blocks.append(Figure(_draw_points(results, points, column, sentences), caption))
    table = tabulate_points(points, column, WORK, name="time", head="convert + fit + rank")
    blocks.append(Details("Every point in numbers", (table,)))
    return blocks


def _name_means(results: Results, column: str) -> str:
    """What the heights of the points are."""
    return f"The {words.field_name(column)}" if results.has_one_fold else "Means over the folds"


def _draw_points(results: Results, points: list[Point], column: str, sentences: str) -> Picture:
    title = title_figure(results, f"{words.field_name(column)} against {WORK.in_words}")
    families = list(dict.fromkeys(row.family for row in results.rows))
    return Picture(
        f"{words.slug(column)}-against-time",
        f"Scatter plot. {title}. {sentences}",
        lambda: draw_scatter(points, column, families, title),
    )


def tabulate_points(
    points: Sequence[Point], column: str, against: Cost, *, name: str, head: str
) -> Table:
    """The points of a scatter plot as a table, the fastest first.

    In the title the time is called by its `name`, and over its numbers stands `head`. Times have
    units, so they are sorted by their place.
    """
    lines = []
    for place, (row, value, time, on_front) in enumerate(describe_points(points, column), start=1):
        cells = (TableCell(value), TableCell(time, sort_value=place), TableCell(on_front))
        lines.append(TableLine(RowName(row), cells))

    metric = words.field_name(column)
    is_rising = find_metric(column).better == "higher"
    return Table(
        f"{metric} and {name}",
        f"{metric} and {against.in_words}, fastest first; the rows named above are on the front",
        (
            TableHead("row", "text"),
            TableHead(f"mean {metric}", higher_is_better=is_rising),
            TableHead(head),
            TableHead("on the front"),
        ),
        tuple(lines),
        is_sortable=True,
    )
