"""The sections of a report on several data sets; each is a function that describes its answer."""

from typing import Any

from recbench.benchmarks.gating import MACHINE_FACTS
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.drawing import Picture, draw_heatmap
from recbench.reports.rendering import (
    Block,
    Code,
    Command,
    Figure,
    Heading,
    HeatmapTable,
    Link,
    Note,
    Pairs,
    Paragraph,
    References,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
    Words,
)
from recbench.reports.results import Results, metrics
from recbench.reports.sections import (
    Sections,
    define_metrics,
    describe_failures,
    describe_protocol,
    list_failures,
)
from recbench.reports.several import words as comparison_words
from recbench.reports.several.comparison import DatasetComparison, Overview
from recbench.reports.several.critical_difference import Ranking, draw_diagram
from recbench.reports.several.details import (
    describe_checklist,
    describe_groups,
    describe_memory,
    describe_standings,
)
from recbench.reports.several.first_screen import describe_first_screen

LITERATURE = (
    "J. Demšar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006, 1–30",
    "R. L. Iman, J. M. Davenport. Approximations of the Critical Region of the Friedman Statistic. "
    "Communications in Statistics A9(6), 1980, 571–595",
    "P. B. Nemenyi. Distribution-free Multiple Comparisons. PhD thesis, Princeton University, 1963",
    "A. Benavoli, G. Corani, F. Mangili. Should We Really Use Post-Hoc Tests Based on Mean-Ranks? "
    "JMLR 17(5), 2016, 1–10",
)
RANKS_METHOD = (
    "On each data set the rows are ranked by their means, 1 is the best, and equal ones share the "
    "mean of their ranks. The Friedman test, with Iman and Davenport's F, asks whether the mean "
    "ranks differ at all; Nemenyi's critical difference is by how much two of them have to differ "
    "(Demšar 2006), at the 5 % level. The data sets count as drawn from many alike, which a few "
    "chosen ones are not; and whether two rows differ depends on which others are ranked with them "
    "(Benavoli et al. 2016). Intervals of mean ranks are quantiles of 4,000 draws: each "
    "draws the data sets again, and of each the users; with few data sets they are too "
    "narrow, since the same ones are drawn again and again. Kendall's W says how far the data sets "
    "agree: 1 where all order the rows alike, 0 where orders have nothing in common."
)

SECTIONS = Sections[DatasetComparison]()
section = SECTIONS.section


@section("What came out?", place=10)
def summary(comparison: DatasetComparison) -> list[Block]:
    """Answers, cautions, the lowest mean ranks beside a picture, and the same in sentences."""
    return describe_first_screen(comparison)


@section("How accurate?", place=20)
def accuracy(comparison: DatasetComparison) -> list[Block]:
    """A heatmap of rows against data sets for the first error, and one for the first ranking."""
    blocks: list[Block] = []
    for drawn in comparison.draw_accuracies():
        caption = (
            f"{drawn.title[0].upper()}{drawn.title[1:]} on each data set. A column has a scale of "
            "its own, as each data set has: compare inside a column, where brighter is better."
        )
        picture = _draw_overview(comparison, drawn)
        blocks.append(HeatmapTable(drawn, picture, caption, tips="its folds"))

    if not blocks:
        return [Paragraph("The runs share no error and no ranking metric.")]
    return blocks


def _draw_overview(comparison: DatasetComparison, drawn: Overview) -> Picture:
    title = comparison_words.title_figure(comparison, drawn.title)
    alternative = (
        f"Heatmap of recommenders against data sets: {title}. The table has the same numbers."
    )
    return Picture(drawn.name, alternative, lambda: draw_heatmap(drawn, title))


@section("How long does it take?", place=30)
def cost(comparison: DatasetComparison) -> list[Block]:
    """The heatmap of times, and whether they come from one machine."""
    drawn = comparison.draw_times()
    caption = (
        "Time of convert, fit, rate and rank together, mean over folds, on each data set; "
        "colours on a logarithmic scale for each column, brighter is less."
    )
    heatmap = HeatmapTable(drawn, _draw_overview(comparison, drawn), caption)
    notes = [Note(remark) for remark in _list_doubts_of_times(comparison)]
    return [heatmap, *notes, describe_memory(comparison)]


def _list_doubts_of_times(comparison: DatasetComparison) -> list[str]:
    """Why times of different runs, or of one, are not to be compared; nothing if they are."""
    doubts = []
    for key in MACHINE_FACTS:
        values = {
            label: getattr(results.about.environment, key)
            for label, results in comparison.runs.items()
        }
        if len(set(values.values())) > 1:
            each = "; ".join(f"{value} for {label}" for label, value in values.items())
            doubts.append(f"The runs did not have the same {key}: {each}.")

    contended = [
        label
        for label, rows in comparison.by_run.items()
        if any(row.contended for row in rows.values())
    ]
    if contended:
        labels = words.listed(contended)
        doubts.append(f"Cells ran side by side, so times are contended: {labels}.")

    return doubts


@section("Who ranks first over the data sets?", place=40)
def ranks(comparison: DatasetComparison) -> list[Block]:
    """Mean ranks by each metric, what the tests say of them, and diagrams where there are any."""
    ranking_by_column = {column: comparison.ranking(column) for column in comparison.columns}
    blocks: list[Block] = [Paragraph(RANKS_METHOD)]
    for name, column in comparison.headline.items():
        ranking = ranking_by_column[column]
        if not ranking.obstacle:
            blocks.append(_draw_ranking(comparison, ranking, name, column))

    blocks.append(_tabulate_tests(ranking_by_column))
    blocks.append(_tabulate_mean_ranks(comparison, ranking_by_column))
    for sentence in _list_left_out(comparison):
        blocks.append(Note(sentence))
    return blocks


def _draw_ranking(
    comparison: DatasetComparison, ranking: Ranking, name: str, column: str
) -> Figure:
    """The critical-difference diagram of a headline metric, whose rows can be compared."""
    n_data_sets = len(comparison.runs)
    subject = f"mean ranks by {words.field_name(column)} over {n_data_sets} data sets"
    title = comparison_words.title_figure(comparison, subject)
    groups = [words.listed(ranking.names[first : last + 1]) for first, last in ranking.groups]
    joined = "No two rows are joined."
    if groups:
        joined = f"Joined because they are not significantly different: {'; '.join(groups)}."

    picture = Picture(
        f"critical-difference-{name}",
        f"Critical-difference diagram: {title}. {joined} The table has the mean ranks.",
        lambda: draw_diagram(ranking, title),
    )

    caption = (
        "The lowest mean rank is on the left; rows joined by a bar differ by less than the "
        "critical difference."
    )
    return Figure(picture, caption)


def _tabulate_tests(rankings: dict[str, Ranking]) -> Table:
    """What the Friedman test and the critical difference say of each metric."""
    lines = []
    for column, ranking in rankings.items():
        n_rows = len(ranking.names)
        can_differ = n_rows > 1 and ranking.f > 0
        cells = (
            TableCell(str(n_rows)),
            TableCell(f"{ranking.concordance:.2f}" if can_differ else words.NONE),
            TableCell(ranking.test if can_differ else words.NONE),
            TableCell(words.rank(ranking.difference) if n_rows > 1 else words.NONE),
            TableCell(_count_different_pairs(ranking)),
        )
        lines.append(TableLine(words.field_name(column), cells))

    return Table(
        "Tests of the mean ranks",
        "Whether the mean ranks differ, and by how much two of them would have to. F's p-value "
        "comes from its distribution for more than 10 data sets and 5 rows, else from orders drawn "
        "at random.",
        (
            TableHead("metric", "text"),
            TableHead("rows"),
            TableHead("Kendall's W", higher_is_better=True),
            TableHead("do they differ?", "word"),
            TableHead("critical difference"),
            TableHead("which", "reason"),
        ),
        tuple(lines),
    )


def _count_different_pairs(ranking: Ranking) -> str:
    """How many pairs of rows are significantly different; or why that cannot be said of any."""
    if ranking.obstacle:
        return ranking.obstacle

    n_rows = len(ranking.names)
    pairs = words.count(n_rows * (n_rows - 1) // 2, "pair")
    n_different = 0
    for mean in ranking.means:
        n_different += sum(other - mean >= ranking.difference for other in ranking.means)
    return f"{n_different} of {pairs} of rows are significantly different."


def _tabulate_mean_ranks(comparison: DatasetComparison, rankings: dict[str, Ranking]) -> Table:
    """Each row's mean rank by each metric, in the order of the first metrics' rankings."""
    names = dict.fromkeys(name for ranking in rankings.values() for name in ranking.names)
    bounds_by_column = {column: comparison.rank_bounds(column) for column in rankings}
    lines = []
    for name in names:
        cells = []
        for column, ranking in rankings.items():
            cells.append(_mean_rank_cell(ranking, name, bounds_by_column[column].get(name)))
        lines.append(TableLine(RowName(name), tuple(cells)))

    data_sets = words.listed(comparison.runs)
    return Table(
        "Mean ranks",
        f"Mean rank over the data sets, its 95 % interval where that is known, and below them the "
        f"rank on {data_sets}; only rows that have a mean on all of them.",
        (TableHead("row", "text"), *(TableHead(words.field_name(column)) for column in rankings)),
        tuple(lines),
        is_sortable=True,
    )


def _mean_rank_cell(ranking: Ranking, name: str, bounds: Bounds | None) -> TableCell:
    """A mean rank, and below it the rank on each data set; a dash for a row without a mean rank."""
    if name not in ranking.names:
        return TableCell(words.NONE)
    place = ranking.names.index(name)
    mean = float(ranking.means[place])
    each = ", ".join(f"{value:g}" for value in ranking.ranks[place])
    text = words.rank(mean)
    if bounds is not None:
        text += f" {words.bracketed_ranks(bounds)}"
    return TableCell(text, each, sort_value=mean)


def _list_left_out(comparison: DatasetComparison) -> list[str]:
    """By headline metric, who has no mean rank and why.

    Nothing for a metric that ranks all rows.
    """
    sentences = []
    for column in comparison.headline.values():
        rows_by_reason = comparison.rows_without_rank(column)
        if rows_by_reason:
            each = "; ".join(
                f"{reason}: {words.listed(names)}" for reason, names in rows_by_reason.items()
            )
            sentences.append(f"Without a mean rank by {words.field_name(column)}: {each}.")

    return sentences


@section("How do rows stand on each data set?", place=35)
def standings(comparison: DatasetComparison) -> list[Block]:
    """Wins, ties and losses against the best of each data set, and distances to it."""
    return describe_standings(comparison)


@section("For whom?", place=50)
def slices(comparison: DatasetComparison) -> list[Block] | None:
    """The best row for each group of users and items, and all rows below."""
    return describe_groups(comparison)


@section("What did not run?", place=90)
def failures(comparison: DatasetComparison) -> list[Block]:
    """The cells of all runs that are not ok, or that there are none."""
    found = []
    for label, results in comparison.runs.items():
        found += [(failure, label) for failure in list_failures(results)]

    caption = (
        "Every cell that is not ok, and the command that tries all of its run again. Folds that "
        "ended alike share a line."
    )
    n_cells = sum(len(results.records) for results in comparison.runs.values())
    return [describe_failures(found, caption, n_cells)]


@section("How was it measured?", place=95)
def method(comparison: DatasetComparison) -> list[Block]:
    """Where each column comes from, and what its numbers mean."""
    introduction = (
        "Every number of a column comes from one run. Its own report has its machine, versions, "
        "filters, intervals and the command of each row."
    )
    blocks: list[Block] = [Paragraph(introduction)]

    for label, results in comparison.runs.items():
        blocks += _describe_run(comparison, label, results)

    protocol = Pairs("How metrics are computed, in all runs", tuple(_list_protocol(comparison)))
    return [
        *blocks,
        Heading("Metrics"),
        define_metrics(metrics(comparison.first)),
        Heading("Protocol"),
        protocol,
        *describe_checklist(comparison),
        Heading("Literature"),
        References(LITERATURE),
    ]


def _list_protocol(comparison: DatasetComparison) -> list[tuple[str, str]]:
    """What is the same in all runs: cutoffs, and what each protocol does."""
    protocol: dict[str, Any] = comparison.first.about.protocol
    cutoffs = [str(cutoff) for cutoff in protocol["ks"]]

    pairs = [("cutoffs", words.listed(cutoffs))]
    for name, rules in protocol["protocols"].items():
        description = describe_protocol(rules)
        pairs.append((name, description))
    version = str(protocol["version"])
    pairs.append(("protocol version", version))
    return pairs


def _describe_run(comparison: DatasetComparison, label: str, results: Results) -> list[Block]:
    """One run: its data, where it is, and how it was made."""
    data = results.about.data
    lowest, highest = data.scale
    size = f"{data.ratings:,} ratings by {data.users:,} users of {data.items:,} items"
    page = results.run.directory / "report.html"
    own_report: Words = "not there"
    if page.is_file():
        address = comparison.link(page)
        own_report = Link(address, address)

    facts = Pairs(
        f"The run on {label}",
        (
            ("data", f"{size}, scale {lowest:g} to {highest:g}"),
            ("sha256 of the content", Code(data.digest)),
            ("split", words.split(results)),
            ("directory", Code(str(results.run.directory))),
            ("command", Command(words.shorten_out(results.about.command))),
            ("its own report", own_report),
            ("licence", data.licence),
            ("citation", data.citation),
        ),
    )
    heading = f"{label} (SIMULATED)" if data.simulated else label
    return [Heading(heading), facts]
