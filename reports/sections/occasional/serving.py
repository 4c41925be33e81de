"""The report's answer to what serving would cost, where the run has measured it."""

from recbench.benchmarks.records import ServingCost
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    LATENCY,
    TRAINING,
    Cost,
    Picture,
    describe_front,
    draw_overview,
    find_points,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Details,
    Figure,
    Gallery,
    Heading,
    MissingCell,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.cost import tabulate_points
from recbench.reports.sections.registry import section, title_figure

NOT_STEADY = "not steady"
CONTENDED = "contended"  # other cells ran at the same time
N_NUMBERS = 6  # columns of numbers in the table


@section("What would serving cost?", place=31)
def serving(results: Results) -> list[Block] | None:
    """Latency, users a second, seconds to load and size of each row, and accuracy against latency.

    None unless the run was asked for it.
    """
    rows = [row for row in results.rows if row.serving is not None]
    if not rows:
        return None

    costs = [row.serving.cost for row in rows if row.serving and row.serving.cost]
    blocks: list[Block] = [Paragraph(_describe_measurement(rows, costs))]
    unsteady = [row.name for row in rows if _is_unsteady(row)]
    if unsteady:
        blocks.append(
            Note(
                f"Not steady, since the p99 of a round was more than a fifth away from the median "
                f"of all: {words.listed(unsteady)}. Measure these again with --force ROW on a "
                "machine that does nothing else."
            )
        )
    blocks.append(_tabulate_costs(rows))
    for column in headline_columns(results):
        blocks += _compare_with_latency(results, column)
    return blocks


def _describe_measurement(rows: list[Row], costs: list[ServingCost]) -> str:
    """What was measured, how, and on which models."""
    folds = [record.cell.fold for record in rows[0].records if record.serving is not None]
    text = (
        f"The model of fold {folds[0]}, which has learned from its training part, was saved "
        "and loaded from disk again. Its scores were found to be those that were measured. "
    )
    if not costs:
        return text + "No row could be."
    n_items = words.span({cost.items for cost in costs})
    n_users = words.span({cost.users for cost in costs})
    n_rounds = words.span({len(cost.p99_of_rounds) for cost in costs})
    text += (
        f"Latency is the time of one user's top {n_items} without the items that the user has "
        f"rated. The same {n_users} drawn users are asked for one by one, in {n_rounds} rounds, "
        "after a warm-up; p50 and p99 are medians over the rounds. A row that would take more than "
        "ten seconds a round is asked for fewer users. For the rate of users a second, lists of "
        "many users are asked for in blocks. Times to load a model are those with its files in the "
        "system's cache; a process that has just started must import libraries first (see "
        "start-up)."
    )
    loads = [cost.load for cost in costs if cost.load is not None]
    if loads:
        text += f" The load of the machine was {min(loads):.1f} to {max(loads):.1f}."
    return text


def _is_unsteady(row: Row) -> bool:
    """Whether the p99 of a row's rounds are too far apart to be relied on."""
    cost = row.serving.cost if row.serving else None
    return cost is not None and not cost.is_steady


def _tabulate_costs(rows: list[Row]) -> Table:
    """A line a row, the lowest p99 first, and in the end those without numbers."""
    known = [(row, row.serving.cost) for row in rows if row.serving and row.serving.cost]
    known.sort(key=lambda pair: pair[1].p99_seconds)
    lines = [TableLine(RowName(row.name), _describe_cost(row, cost)) for row, cost in known]
    for row in rows:
        if row.serving is not None and row.serving.cost is None:
            reason: AnyCell = TableCell(words.hide_paths(row.serving.reason))
            nothing = [MissingCell("not measured") for _ in range(N_NUMBERS)]
            lines.append(TableLine(RowName(row.name), (*nothing, reason)))

    return Table(
        "What serving would cost",
        "The time of one user's list, the rate of lists for many users at once, the time to load "
        "the model, and its size on disk, which includes the ratings by which rated items are "
        "left out.",
        (
            TableHead("row", "text"),
            TableHead("p50"),
            TableHead("p99"),
            TableHead("users timed", higher_is_better=True),
            TableHead("users a second", higher_is_better=True),
            TableHead("time to load"),
            TableHead("MB on disk"),
            TableHead("remark", "text"),
        ),
        tuple(lines),
        is_sortable=True,
    )


def _describe_cost(row: Row, cost: ServingCost) -> tuple[AnyCell, ...]:
    """The cells of a row whose cost is known."""
    rate = cost.users_per_second
    remarks = []
    if not cost.is_steady:
        remarks.append(NOT_STEADY)
    if row.contended:
        remarks.append(CONTENDED)
    return (
        TableCell(words.duration(cost.p50_seconds), sort_value=cost.p50_seconds),
        TableCell(words.duration(cost.p99_seconds), sort_value=cost.p99_seconds),
        TableCell(f"{cost.users:,}", sort_value=cost.users),
        TableCell(words.amount(rate), sort_value=rate),
        TableCell(words.duration(cost.load_seconds), sort_value=cost.load_seconds),
        TableCell(words.amount(cost.megabytes), sort_value=cost.megabytes),
        TableCell(", ".join(remarks)),
    )


def _compare_with_latency(results: Results, column: str) -> list[Block]:
    """A column against latency, beside the same column against the time that training takes."""
    points = find_points(results, column, LATENCY)
    if not points:
        return []
    table = tabulate_points(points, column, LATENCY, name="latency", head="p99")
    return [
        Heading(f"What does {words.field_name(column)} cost in latency?"),
        Paragraph(" ".join(describe_front(results, column, LATENCY))),
        Gallery(
            (
                _draw_against(results, column, LATENCY, "latency"),
                _draw_against(results, column, TRAINING, "training time"),
            )
        ),
        Details("Every point in numbers", (table,)),
    ]


def _draw_against(results: Results, column: str, cost: Cost, name: str) -> Figure:
    """A column against one of the two times."""
    points = find_points(results, column, cost)
    title = title_figure(results, f"{words.field_name(column)} against {name}")
    alternative = f"Scatter plot. {title}. {' '.join(describe_front(results, column, cost))}"
    picture = Picture(
        f"{words.slug(column)}-against-{words.slug(name)}",
        alternative,
        lambda: draw_overview(points, column, title, cost),
    )
    caption = (
        f"Green: no other row is better and has a shorter {cost.in_words}. Thin lines: 95 % "
        f"intervals. Hollow: {cost.doubt}. At most 12 rows named."
    )
    return Figure(picture, caption)
