"""The first screen of a report on several data sets: answers, cautions, the rows with the lowest
mean ranks beside the picture of what they take.
"""

from recbench.reports import words
from recbench.reports.drawing import Picture, Point, draw_distances
from recbench.reports.rendering import (
    AnyCell,
    Beside,
    Block,
    Card,
    Choice,
    Details,
    Figure,
    IntervalCell,
    MissingCell,
    Note,
    Option,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
    Tag,
    Words,
)
from recbench.reports.sections import explain_metrics, open_first_screen, tag_origin
from recbench.reports.several import words as comparison_words
from recbench.reports.several.claims import (
    RULE,
    LeagueClaim,
    LeagueRow,
    describe_league,
    list_league_cautions,
    list_league_claims,
    order_columns,
    rank_league,
)
from recbench.reports.several.comparison import DatasetComparison


def describe_first_screen(comparison: DatasetComparison) -> list[Block]:
    """Answers, cautions, the best rows by each headline metric beside a picture, and the rule."""
    cards = [_show_claim(claim) for claim in list_league_claims(comparison)]
    cautions = list_league_cautions(comparison)
    blocks = open_first_screen(describe_league(comparison), cards, cautions)

    options = [_show_ranking(comparison, column) for column in order_columns(comparison)]
    if options:
        blocks.append(Choice("rows ranked by", tuple(options)))
        blocks.append(Note(RULE))
        blocks.append(Note(explain_metrics(comparison.first)))
    sentences = Paragraph(" ".join(comparison_words.summarise_runs(comparison)))
    return [*blocks, Details("The same in sentences, with all names", (sentences,))]


def _show_claim(claim: LeagueClaim) -> Card:
    has_winner = bool(claim.names)
    return Card(claim.question, claim.winner, claim.value, claim.remark, is_good_news=has_winner)


def _show_ranking(comparison: DatasetComparison, column: str) -> Option:
    """The rows with the lowest mean ranks beside their distances to the best against time."""
    name = words.field_name(column)
    table = _tabulate_league(comparison, column)
    points = _find_points(comparison, column)
    if not points:
        return Option(name, (table,))

    subject = f"distance to the best {name} against total time"
    subject = f"{len(comparison.runs)} data sets: {subject}"
    title = comparison_words.title_figure(comparison, subject)
    label = f"% worse than the best {name} ↓"
    picture = Picture(
        f"league-{words.slug(column)}",
        f"Scatter plot. {title}. The table beside it has the best rows in numbers.",
        lambda: draw_distances(points, label, title),
    )
    caption = (
        "By how many percent of the best mean a row is worse, mean over the data sets. Green: no "
        "other row is closer to the best and faster. At most 12 rows named."
    )
    return Option(name, (Beside(table, Figure(picture, caption)),))


def _find_points(comparison: DatasetComparison, column: str) -> list[Point]:
    """All rows with a distance and a time on every data set; the distance in percent."""
    points = []
    for name, standing in comparison.standings(column).items():
        gap = standing.mean_gap
        seconds = comparison.mean_seconds(name)
        if gap is None or seconds is None:
            continue
        rows = [rows[name] for rows in comparison.by_run.values()]
        percentage = 100 * gap
        points.append(
            Point(
                name=name,
                family=comparison.rows[name],
                time=seconds,
                value=percentage,
                low=percentage,
                high=percentage,
                is_doubtful=any(row.contended for row in rows),
                in_words=words.share_of_best(gap),
            )
        )
    return points


def _tabulate_league(comparison: DatasetComparison, column: str) -> Table:
    name = words.field_name(column)
    rows = rank_league(comparison, column)
    n_ranked = len(comparison.ranking(column).names)
    caption = f"{name}: the {words.count(len(rows), 'lowest mean rank')}"
    if len(rows) == n_ranked:
        caption = f"{name}: all {n_ranked} rows with a mean on every data set"
    caption += "; W–T–B: data sets won, tied with the best, significantly behind"

    heads = (
        TableHead("row", "text"),
        TableHead("mean rank"),
        TableHead("95 %", "word", is_spare=True),
        TableHead("W–T–B"),
        TableHead("to best", is_spare=True),
        TableHead("time"),
        TableHead("defaults", "word"),
    )
    ends = [end for row in rows for end in (row.bounds or (row.mean_rank, row.mean_rank))]
    extent = (min(ends), max(ends))
    lines = tuple(_describe_row(comparison, row, extent) for row in rows)
    return Table(f"Mean ranks by {name}", caption, heads, lines, is_brief=True)


def _describe_row(
    comparison: DatasetComparison, row: LeagueRow, extent: tuple[float, float]
) -> TableLine:
    """A line of the ranking; `extent` is what the drawn intervals share."""
    interval: AnyCell = MissingCell("not known")
    if row.bounds is not None:
        low, high = row.bounds
        text = f"{words.rank(low)} to {words.rank(high)}"
        inside = min(max(row.mean_rank, low), high)
        interval = IntervalCell(text, low, inside, high, *extent)

    gap = row.standing.mean_gap
    distance: AnyCell = MissingCell("not known")
    if gap is not None:
        distance = TableCell(words.share_of_best(gap), sort_value=gap)
    time: AnyCell = MissingCell("not measured")
    if row.seconds is not None:
        time = TableCell(words.duration(row.seconds), sort_value=row.seconds)

    cells = (
        TableCell(words.rank(row.mean_rank), sort_value=row.mean_rank),
        interval,
        TableCell(row.counts),
        distance,
        time,
        TableCell(_tag_origins(comparison, row.name)),
    )
    return TableLine(RowName(row.name), cells, stands_out=row.is_named)


def _tag_origins(comparison: DatasetComparison, name: str) -> Words:
    """Where its values come from; the data sets that defaults were tuned on stand out."""
    tuned_on = []
    tags: dict[Words, None] = {}
    for label, results in comparison.runs.items():
        row = comparison.by_run[label][name]
        if row.was_tuned_on(results.about.data.name):
            tuned_on.append(label)
        tags[tag_origin(results, row)] = None
    if tuned_on:
        return Tag("these data", stands_out=True)
    return next(iter(tags))
