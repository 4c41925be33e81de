"""The report's answer to how accurate the rows are: over all folds, by fold, and their spread."""

from collections.abc import Mapping

from scipy.stats import rankdata

from recbench.benchmarks.metrics import STANDARD, find_metric, parse_column
from recbench.reports import words
from recbench.reports.answers import headline_columns
from recbench.reports.drawing import (
    MOST_FOLDS,
    Heatmap,
    Picture,
    RankLine,
    accuracy_heatmap,
    draw_heatmap,
    draw_ranks_by_metric,
    heatmap_by_fold,
    list_folds,
)
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Details,
    FailedCells,
    Figure,
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
from recbench.reports.sections.method import define_metrics
from recbench.reports.sections.registry import section, title_figure

KINDS_OF_METRICS = {"rating": "rating metric", "ranking": "ranking metric"}
MOST_FOLLOWED = 10  # rows whose ranks are followed through all metrics


@section("How accurate?", place=20)
def accuracy(results: Results) -> list[Block]:
    """The error heatmap, the headline columns fold by fold, and the means with their spread."""
    drawn = accuracy_heatmap(results)
    return [
        HeatmapTable(
            drawn,
            picture_of_heatmap(results, drawn, "Heatmap of metrics."),
            f"{_name_values(results)}. Brighter is better. Each column has its own scale; extreme "
            "outliers share its last colour.",
            tips="its folds",
        ),
        *_note_mixed_defaults(results),
        *_draw_ranks(results),
        *_describe_folds(results),
        Heading(
            "Where do hyperparameters come from?"
            if results.has_one_fold
            else "What are the means and their spread?"
        ),
        _tabulate_spread(results),
    ]


def _name_values(results: Results) -> str:
    """What the numbers of the heatmap are."""
    if results.has_one_fold:
        return "Each metric on the one fold of this split"
    return "Mean of each metric over all planned folds"


def _note_mixed_defaults(results: Results) -> list[Block]:
    """Whose defaults were tuned on these data, if those of other rows were not."""
    if not results.defaults.are_mixed:
        return []
    names = words.listed(row.name for row in results.defaults.tuned)
    return [
        Note(
            f"Rows whose defaults were tuned on these data: {names}. The column “hyperparameters” "
            "below says where those of each row come from."
        )
    ]


def picture_of_heatmap(results: Results, drawn: Heatmap, kind: str) -> Picture:
    """The heatmap as a picture with a title, whose alternative text begins with `kind`."""
    title = title_figure(results, drawn.title)
    alternative = f"{kind} {title}. The table has the same numbers."
    return Picture(drawn.name, alternative, lambda: draw_heatmap(drawn, title))


def _draw_ranks(results: Results) -> list[Block]:
    """The rank of each row under every error, and under every ranking metric; as far as there are
    two of a kind that rank two rows.
    """
    blocks: list[Block] = []
    headline = headline_columns(results)
    for kind, subject in KINDS_OF_METRICS.items():
        columns = [name for name in _list_accuracy_columns(results) if _kind_of(name) == kind]
        # Who predicts ratings can be asked for lists, and hardly the other way round.
        others = [name for name in headline if kind == "rating" and _kind_of(name) != kind]
        ranks_by_column = {}
        for column in [*columns, *others]:
            ranks = _rank_contestants(results, column)
            if len(ranks) > 1 and not results.hidden_by(column):
                ranks_by_column[column] = ranks
        if len(ranks_by_column.keys() & set(columns)) > 1:
            first = next(name for name in [*headline, *columns] if name in set(columns))
            blocks += _draw_bumps(results, subject, ranks_by_column, first)
    if not blocks:
        return []
    return [Heading("Does the metric matter?"), *blocks]


def _kind_of(column: str) -> str:
    return find_metric(column).kind


def _draw_bumps(
    results: Results, subject: str, ranks_by_column: Mapping[str, Mapping[str, float]], first: str
) -> list[Block]:
    """A bump chart and its numbers, the rows in the order of the column `first`."""
    lines = []
    for row in results.contestants:
        ranks = tuple(ranks.get(row.name) for ranks in ranks_by_column.values())
        if any(rank is not None for rank in ranks):
            lines.append(RankLine(row.name, ranks))
    order = ranks_by_column.get(first, {})
    lines.sort(key=lambda line: order.get(line.row, float("inf")))

    names = [words.field_name(column) for column in ranks_by_column]
    title = title_figure(results, f"Ranks under every {subject}")
    picture = Picture(
        f"ranks-by-{words.slug(subject)}",
        f"Bump chart. {title}. The table below has the same numbers.",
        lambda: draw_ranks_by_metric(names, lines[:MOST_FOLLOWED], lines[MOST_FOLLOWED:], title),
    )
    caption = (
        f"The {len(lines[:MOST_FOLLOWED])} best rows by {words.field_name(first)}, and their ranks "
        "under the other metrics; rank 1 is at the top. Where lines cross, the order depends on "
        "the metric. Ranks after 20 are drawn at one height. Other rows are grey."
    )
    heads = (TableHead("row", "text"), *(TableHead(name) for name in names))
    table_lines = tuple(_list_ranks(line) for line in lines)
    label = f"Ranks by {subject} in numbers"
    table = Table(label, title, heads, table_lines, is_sortable=True)
    # The others are defined with the columns of the report.
    defined_here = {
        column: find_metric(column) for column in ranks_by_column if column not in results.columns
    }
    numbers: tuple[Block, ...] = (table,)
    if defined_here:
        numbers = (table, define_metrics(defined_here))

    return [
        Figure(picture, caption, region=f"Ranks by {subject}"),
        Details(f"The ranks under every {subject} in numbers", numbers),
    ]


def _list_accuracy_columns(results: Results) -> list[str]:
    """Errors first, then rankings, of all that the records have at the first cutoff.

    Without those of cold and warm parts, of other protocols, and what is no accuracy.
    """
    known: dict[str, None] = dict.fromkeys(results.columns)
    for row in results.contestants:
        for record in row.records:
            known |= dict.fromkeys(record.metrics)

    cutoff = str(results.about.protocol["ks"][0])
    columns = []
    for kind in ("rating", "ranking"):
        for column in known:
            protocol, name = parse_column(column)
            metric = find_metric(column)
            is_whole = metric.population == "all" and metric.better != "zero"
            has_cutoff = name.partition("@")[2] in ("", cutoff)
            if metric.kind == kind and protocol == STANDARD and is_whole and has_cutoff:
                columns.append(column)
    return [column for column in columns if column != "coverage"]


def _rank_contestants(results: Results, column: str) -> dict[str, float]:
    """The rank of each contestant with a mean; equal ones share the mean of their ranks."""
    losses = results.losses(column)
    ranks = rankdata(list(losses.values())) if losses else []
    return dict(zip(losses, (float(rank) for rank in ranks), strict=True))


def _list_ranks(line: RankLine) -> TableLine:
    cells: list[AnyCell] = []
    for rank in line.ranks:
        if rank is None:
            cells.append(TableCell(words.NONE))
        else:
            cells.append(TableCell(f"{rank:g}"))
    return TableLine(RowName(line.row), tuple(cells))


def _describe_folds(results: Results) -> list[Block]:
    """A folded heatmap for each headline column, rows against folds.

    Nothing where there is none.
    """
    if results.has_one_fold:
        return []

    views: list[Block] = []
    for column in headline_columns(results):
        view = heatmap_by_fold(results, column)
        if view is None:
            continue
        caption = (
            f"{view.title}: all numbers on one scale, brighter is better. A fold that did not "
            "finish shows its status instead."
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
    heads += [TableHead(words.field_name(column)) for column in results.columns]
    heads.append(TableHead("folds"))
    heads.append(TableHead("hyperparameters", "text"))

    if results.has_one_fold:
        return _tabulate_origins(results)
    return Table(
        "Means and spread",
        "Mean ± standard deviation over the folds (n − 1), and below it the lowest and the highest "
        "fold. The deviation shows how much the folds differ. It is not a standard error of the "
        "mean, because folds share training data. The last column says where the row's "
        "hyperparameters come from, and marks defaults that were tuned on these data.",
        tuple(heads),
        tuple(_spread_line(results, row) for row in results.rows),
    )


def _tabulate_origins(results: Results) -> Table:
    """Where each row's hyperparameters come from: all there is to add to the means of one fold."""
    lines = []
    for row in results.rows:
        n_ran = TableCell(f"{0 if row.failures else 1} of 1")
        lines.append(TableLine(RowName(row.name), (n_ran, _cell_of_origin(results, row))))
    return Table(
        "Hyperparameters",
        "One fold was planned, so there is no spread over folds: the intervals above are over "
        "users. The last column marks defaults that were tuned on these data.",
        (TableHead("row", "text"), TableHead("folds"), TableHead("hyperparameters", "text")),
        tuple(lines),
    )


def _cell_of_origin(results: Results, row: Row) -> TableCell:
    mark = "tuned on these data" if row.was_tuned_on(results.about.data.name) else ""
    return TableCell(row.defaults, mark)


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
    cells.append(_cell_of_origin(results, row))
    return TableLine(RowName(row.name), tuple(cells))


def _spread_cell(results: Results, row: Row, column: str) -> AnyCell:
    spread = row.spread(column)
    if spread is None:
        return MissingCell(row.missing(column))

    bounds = words.interval(results, row, column)
    extremes = f"{words.number(spread.lowest, bounds)} to {words.number(spread.highest, bounds)}"
    return TableCell(words.plus_minus(spread, bounds), extremes)
