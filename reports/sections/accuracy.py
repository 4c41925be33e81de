"""The report's answer to how accurate the rows are: over all folds, by fold, and their spread."""

from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    MOST_FOLDS,
    Heatmap,
    Picture,
    accuracy_heatmap,
    draw_heatmap,
    heatmap_by_fold,
    list_folds,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    FailedCells,
    Heading,
    HeatmapTable,
    MissingCell,
    Note,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, title_figure


@section("How accurate?", place=20)
def accuracy(results: Results) -> list[Block]:
    """The error heatmap, the headline columns fold by fold, and the means with their spread."""
    drawn = accuracy_heatmap(results)
    return [
        HeatmapTable(
            drawn,
            picture_of_heatmap(results, drawn, "Error heatmap."),
            "Mean of each metric over all planned folds; brighter is better, each column on its "
            "own scale, where hopeless outliers share the last colour.",
            tips="its folds",
        ),
        *_note_mixed_defaults(results),
        *_describe_folds(results),
        Heading("What are the means and their spread?"),
        _tabulate_spread(results),
    ]


def _note_mixed_defaults(results: Results) -> list[Block]:
    """Whose defaults were tuned on these data, if those of other rows were not."""
    if not results.defaults.are_mixed:
        return []
    names = words.listed(row.name for row in results.defaults.tuned)
    return [
        Note(
            f"Defaults that were tuned on these data: {names}. Those of other rows were not; the "
            "last column of the means below says where each row's come from."
        )
    ]


def picture_of_heatmap(results: Results, drawn: Heatmap, kind: str) -> Picture:
    """The heatmap as a picture with a title, whose alternative text begins with `kind`."""
    title = title_figure(results, drawn.title)
    alternative = f"{kind} {title}. The table has the same numbers."
    return Picture(drawn.name, alternative, lambda: draw_heatmap(drawn, title))


def _describe_folds(results: Results) -> list[Block]:
    """A folded heatmap for each headline column, rows against folds.

    Nothing where there is none.
    """
    views: list[Block] = []
    for column in headline_columns(results):
        view = heatmap_by_fold(results, column)
        if view is None:
            continue
        caption = (
            f"{view.title}: all numbers on one scale, brighter is better; a fold that did not run "
            "to its end has its status in its place."
        )
        picture = picture_of_heatmap(results, view, "Heatmap by fold.")
        views.append(HeatmapTable(view, picture, caption, is_folded=True))

    if not views:
        return []

    blocks: list[Block] = [Heading("Is it the same in every fold?")]
    n_folds = len(list_folds(results))
    if n_folds > MOST_FOLDS:
        shown = MOST_FOLDS
        blocks.append(Note(f"Of {n_folds} folds the first {shown} are shown; means count all."))

    return blocks + views


def _tabulate_spread(results: Results) -> Table:
    heads = [TableHead("row", "text")]
    heads += [TableHead(column) for column in results.columns]
    heads.append(TableHead("folds"))
    heads.append(TableHead("hyperparameters", "text"))

    return Table(
        "Means and spread",
        "Mean ± fold deviation, and below it the lowest and the highest fold. The fold deviation "
        "is the standard deviation over the folds (n − 1). It shows how much the folds differ; it "
        "is not a standard error of the mean, because folds share their training data. The last "
        "column says where the row's hyperparameters come from, and marks defaults that were "
        "tuned on these data.",
        tuple(heads),
        tuple(_spread_line(results, row) for row in results.rows),
    )


def _spread_line(results: Results, row: Row) -> TableLine:
    """Mean and spread of each column, or the row's failure in their place.

    Then how many folds ran.
    """
    cells: list[AnyCell]
    if row.failure:
        cells = [FailedCells(row.failure, len(results.columns))]
    else:
        cells = [_spread_cell(results, row, column) for column in results.columns]

    n_folds = len(row.records)
    cells.append(TableCell(f"{n_folds - len(row.failures)} of {n_folds}"))
    mark = "tuned on these data" if row.was_tuned_on(results.about.data.name) else ""
    cells.append(TableCell(row.defaults, mark))
    return TableLine(RowName(row.name), tuple(cells))


def _spread_cell(results: Results, row: Row, column: str) -> AnyCell:
    spread = row.spread(column)
    if spread is None:
        return MissingCell(row.missing(column))

    bounds = words.interval(results, row, column)
    extremes = f"{words.number(spread.lowest, bounds)} to {words.number(spread.highest, bounds)}"
    return TableCell(words.plus_minus(spread, bounds), extremes)
