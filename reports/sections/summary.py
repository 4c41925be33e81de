"""The report's first screen: who is best, at what cost, and what to be wary of."""

from collections.abc import Sequence

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE
from recbench.reports import words
from recbench.reports.answers import (
    BestRows,
    Caution,
    Claim,
    RankedRow,
    describe_run,
    headline_columns,
    list_cautions,
    list_claims,
    primary_column,
    rank_rows,
    summarise_run,
)
from recbench.reports.drawing import TOTAL, Picture, draw_overview, find_points
from recbench.reports.rendering import (
    AnyCell,
    Beside,
    Block,
    Card,
    Cards,
    Cautions,
    Choice,
    Details,
    Figure,
    IntervalCell,
    MissingCell,
    Note,
    Option,
    Paragraph,
    RowName,
    SectionLink,
    Table,
    TableCell,
    TableHead,
    TableLine,
    Tag,
    Words,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, title_figure

WHY_RATINGS = (
    "RMSE and MAE say how far predicted ratings are off: look at them if you show or use "
    "predicted ratings. RMSE weighs large errors more."
)
WHY_LISTS = (
    "nDCG, precision and recall judge the top of a list: look at them for a shop, a feed or a "
    "newsletter. nDCG gives more weight to hits near the top; precision is the share of the list "
    "that is relevant; recall is the share of the user's relevant items that are in the list."
)
WHY_BOTH = (
    "A row that predicts ratings best may still rank badly, because most candidates for a list "
    "were never rated."
)
WHY_COVERAGE = "Coverage is the share of predictions that an algorithm made without a fallback."


@section("What came out?", place=4)
def summary(results: Results) -> list[Block]:
    """Answers, cautions, the best rows beside the picture, and which metric is for which use."""
    cards = [_show_claim(claim) for claim in list_claims(results)]
    blocks = open_first_screen(describe_run(results), cards, list_cautions(results))

    options = [_show_ranking(results, column) for column in _columns_in_order(results)]
    if options:
        blocks.append(Choice("rows ranked by", tuple(options)))

    if options:
        blocks.append(Note(explain_metrics(results)))
    sentences = Paragraph(" ".join(summarise_run(results)))
    blocks.append(Details("The same in sentences, with all names", (sentences,)))
    return blocks


def open_first_screen(
    compared: str, cards: Sequence[Card], cautions: Sequence[Caution]
) -> list[Block]:
    """What every first screen begins with, of one run or of several: what was `compared`, the
    answers as cards, and what limits the numbers.

    Each caution has a link to the section that says more, if there is one.
    """
    blocks: list[Block] = [Note(compared)]
    if cards:
        blocks.append(Cards(tuple(cards)))

    entries: list[Words] = []
    for caution in cautions:
        if caution.section:
            entries.append((caution.text, " ", SectionLink("more", caution.section)))
        else:
            entries.append(caution.text)
    return [*blocks, Cautions("Read with care.", tuple(entries))]


def _columns_in_order(results: Results) -> list[str]:
    """The headline columns in which any row has a mean, the reader's own first."""
    first = primary_column(results)
    columns = sorted(headline_columns(results), key=lambda column: column != first)
    return [column for column in columns if results.best(column)]


def _show_claim(claim: Claim) -> Card:
    has_winner = bool(claim.rows)
    return Card(claim.question, claim.winner, claim.value, claim.remark, is_good_news=has_winner)


def _show_ranking(results: Results, column: str) -> Option:
    """The best rows by a column beside the picture of what they take, under the column's name."""
    ranking = rank_rows(results, column)
    table = _tabulate_ranking(results, ranking)
    name = words.field_name(column)
    points = find_points(results, column, TOTAL)
    if not points:
        return Option(name, (table,))

    title = title_figure(results, f"{name} against total time")
    alternative = f"Scatter plot. {title}. The table beside it has the best rows in numbers."
    picture = Picture(
        f"overview-{words.slug(column)}",
        alternative,
        lambda: draw_overview(points, column, title),
    )
    caption = (
        "Green: no other row is better and faster. Thin lines: 95 % intervals. At most 12 rows "
        "named."
    )
    return Option(name, (Beside(table, Figure(picture, caption)),))


def _tabulate_ranking(results: Results, ranking: BestRows) -> Table:
    name = words.field_name(ranking.column)
    n_shown = len(ranking.rows)
    caption = f"{name}: the {words.count(n_shown, 'best row')}"
    if n_shown == 1:
        caption = f"{name}: the only row with a mean"
    elif not ranking.n_more:
        caption = f"{name}: all {n_shown} rows with a mean"
    metric = find_metric(ranking.column)
    caption += f"; {metric.better} is better"

    heads = (
        TableHead("row", "text"),
        TableHead(name),
        TableHead("95 % interval", "word", is_spare=True),
        TableHead("total time"),
        TableHead("defaults from", "word"),
    )
    lines = tuple(_ranked_line(results, ranking, ranked) for ranked in ranking.rows)
    return Table(f"Rows ranked by {name}", caption, heads, lines, is_brief=True)


def _ranked_line(results: Results, ranking: BestRows, ranked: RankedRow) -> TableLine:
    sign = "≈ " if ranked.is_near else ""
    interval: AnyCell = MissingCell("not known")
    if ranked.bounds is not None:
        low, high = ranked.bounds
        start, end = ranking.extent
        text = words.between(ranked.bounds)
        interval = IntervalCell(text, low, ranked.value, high, start, end)

    time: AnyCell = MissingCell(NOT_MEASURED_HERE if ranked.row.is_external else "not measured")
    if ranked.seconds is not None:
        time = TableCell(words.duration(ranked.seconds), sort_value=ranked.seconds)

    head = (f"{ranked.rank} ", RowName(ranked.row.name))
    origin = TableCell(tag_origin(results, ranked.row))
    cells = (TableCell(f"{sign}{ranked.text}"), interval, time, origin)
    return TableLine(head, cells, stands_out=ranked.is_best)


def tag_origin(results: Results, row: Row) -> Words:
    """In a word or two, where the values of its hyperparameters come from."""
    if row.is_external:
        return Tag("elsewhere")
    if row.is_tuned:
        return Tag("this run's search")
    if row.was_tuned_on(results.about.data.name):
        return Tag("these data", stands_out=True)
    if row.values_from is not None:
        return Tag("other data")
    if row.given:
        return Tag("given")
    if not row.records[0].cell.parameters or (row.origin and row.origin.kind == "none"):
        return Tag("no choice")
    if row.origin is None:
        return Tag("not said")
    if row.origin.kind == "tuned here":
        return Tag("other data")
    return Tag(row.origin.kind)


def explain_metrics(results: Results) -> str:
    """Which of the shown metrics is for which use."""
    kinds = {find_metric(column).kind for column in results.columns}
    error = results.first_error()
    sentences = ["Which metric for which use?"]
    if error is not None:
        sentences.append(WHY_RATINGS)
    if "ranking" in kinds:
        sentences.append(WHY_LISTS)
    if error is not None and "ranking" in kinds:
        sentences.append(WHY_BOTH)
    if "coverage" in results.columns:
        sentences.append(WHY_COVERAGE)
    return " ".join(sentences)
