"""The report's answer to what more data bring and cost: error and time by the size of training."""

import statistics
from collections.abc import Callable, Sequence

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import Record
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    Growth,
    GrowthPanel,
    Picture,
    draw_growth,
    find_crossings,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Bullets,
    FailedCells,
    Figure,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, title_figure

TIME_TO_FIT = "time to fit"


@section("How does it grow?", place=57)
def growth(results: Results) -> list[Block] | None:
    """Curves of error and of seconds to fit, the exponents of these, and where rows cross.

    None if no row was measured on samples of the users.
    """
    sizes = _list_sizes(results)
    if not sizes:
        return None
    columns = headline_columns(results)
    panels = [_trace_metric(results, column) for column in columns]
    panels.append(GrowthPanel(TIME_TO_FIT, _trace_seconds(results), is_time=True))
    panels = [panel for panel in panels if panel.curves]

    blocks: list[Block] = [Paragraph(_explain_samples(results, sizes))]
    if panels:
        what = "Error and time against the ratings of the training part"
        title = title_figure(results, what, is_whole=True)
        picture = Picture(
            "growth",
            f"Curves. {title}. The tables have their points.",
            lambda: draw_growth(panels, title),
        )
        caption = (
            "Each point is the mean over the folds of one row at one size of the training part; "
            "both axes are logarithmic, so that a straight line is a power of the size."
        )
        blocks.append(Figure(picture, caption))
    blocks.append(Bullets(tuple(_describe_crossings(panels))))
    blocks += [_tabulate(results, panel, sizes) for panel in panels]
    return blocks


def _list_sizes(results: Results) -> list[int]:
    """The sizes of the training part, smallest first: means over the folds, which may differ."""
    sizes = set()
    for row in results.rows:
        for records in _group_by_split(row).values():
            size = _size_of(records)
            if size is not None:
                sizes.add(size)
    return sorted(sizes)


def _group_by_split(row: Row) -> dict[str, list[Record]]:
    """The records of a row on samples of the users, by the split, in the plan's order."""
    by_split: dict[str, list[Record]] = {}
    for record in row.grown:
        by_split.setdefault(record.cell.split, []).append(record)
    return by_split


def _size_of(records: Sequence[Record]) -> int | None:
    """How many ratings the folds train on, in the mean; None if no fold says it."""
    sizes = [record.fold.train for record in records if record.fold is not None]
    return round(statistics.fmean(sizes)) if sizes else None


def _trace_metric(results: Results, column: str) -> GrowthPanel:
    """The means of a metric by size, of each row that has any."""
    curves = _trace(results, lambda record: record.metrics.get(column))
    is_rising = find_metric(column).better == "higher"
    return GrowthPanel(words.field_name(column), curves, higher_is_better=is_rising)


def _trace_seconds(results: Results) -> list[Growth]:
    """The seconds to fit by size, of each row that has any."""
    return _trace(results, lambda record: record.seconds("fit"))


def _trace(results: Results, value_of: Callable[[Record], float | None]) -> list[Growth]:
    """A curve for each contestant: the mean over the folds at each size at which all folds are ok.

    Rows without a point are left out.
    """
    curves = []
    for row in results.contestants:
        points = []
        for records in _group_by_split(row).values():
            values = [value_of(record) for record in records if record.status == "ok"]
            known = [value for value in values if value is not None]
            size = _size_of(records)
            if size is not None and len(known) == len(records):
                points.append((size, statistics.fmean(known)))
        if points:
            ordered = sorted(points)
            sizes = tuple(size for size, _ in ordered)
            curves.append(Growth(row.name, sizes, tuple(value for _, value in ordered)))
    return curves


def _explain_samples(results: Results, sizes: Sequence[int]) -> str:
    """What was sampled, and what stays the same."""
    listed = words.listed(f"{size:,}" for size in sizes)
    n_tested = {
        record.fold.test for row in results.rows for record in row.grown if record.fold is not None
    }
    return (
        f"Every row was trained on {listed} ratings as well, those of nested samples of the users, "
        f"and tested on the same {words.span(n_tested)} ratings of the smallest sample's users. An "
        "exponent of 1 for the time says that twice the ratings take twice the time; of an error, "
        "-.1 says that twice the ratings lower it by 7 %. It is fitted to the points of the table, "
        "and says nothing of sizes beyond them."
    )


def _describe_crossings(panels: Sequence[GrowthPanel]) -> list[str]:
    """For each quantity where one row overtakes another, or that none does."""
    sentences = []
    for panel in panels:
        crossings = find_crossings(panel.curves, higher_is_better=panel.higher_is_better)
        if not crossings:
            sentences.append(f"{panel.name}: no row overtakes another between these sizes.")
            continue
        listed = "; ".join(
            f"{crossing.overtaking} overtakes {crossing.overtaken} near {crossing.ratings:,.0f}"
            for crossing in crossings
        )
        sentences.append(f"{panel.name}: {listed} ratings.")
    return sentences


def _tabulate(results: Results, panel: GrowthPanel, sizes: Sequence[int]) -> Table:
    """The points of one quantity, with the fitted exponent."""
    by_row = {curve.row: curve for curve in panel.curves}
    lines = []
    for row in results.contestants:
        curve = by_row.get(row.name)
        if curve is None:
            if row.grown and any(record.status != "ok" for record in row.grown):
                reason = next(each.status for each in row.grown if each.status != "ok")
                failed = FailedCells(reason.replace("_", " "), len(sizes) + 1)
                lines.append(TableLine(RowName(row.name), (failed,)))
            continue
        cells: list[AnyCell] = []
        for size in sizes:
            value = curve.at(size)
            text = words.duration(value) if panel.is_time else words.number(value)
            cells.append(TableCell(text, sort_value=value))
        exponent = curve.exponent
        cells.append(TableCell(words.NONE if exponent is None else f"{exponent:.2f}"))
        lines.append(TableLine(RowName(row.name), tuple(cells)))

    heads = [TableHead("row", "text"), *(TableHead(f"{size:,}") for size in sizes)]
    return Table(
        f"{panel.name} by ratings of the training part",
        f"{panel.name} by the number of ratings in the training part, and the fitted exponent",
        (*heads, TableHead("exponent")),
        tuple(lines),
        is_sortable=True,
    )
