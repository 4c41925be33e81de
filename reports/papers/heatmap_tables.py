"""Tables for a paper: LaTeX with booktabs, made from the heatmaps that the pages show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from markupsafe import Markup

from recbench.benchmarks.tuning import parse_budget
from recbench.reports import words
from recbench.reports.answers import OrderComparison, compare_splits
from recbench.reports.drawing import Column, Heatmap, Line, Square, accuracy_heatmap, cost_heatmap
from recbench.reports.papers.escape import make_environment
from recbench.reports.papers.references import cite, collect_references
from recbench.reports.rendering import TableLine
from recbench.reports.results import Results, metrics
from recbench.reports.sections import (
    Agreement,
    compare_with_published,
    tabulate_two_splits,
    title_figure,
)
from recbench.reports.several import DatasetComparison, PairedDifference, TwoRuns
from recbench.reports.several import title_figure as title_comparison_figure

FOLDS = (
    "Mean ± standard deviation over the folds, which is no standard error, because folds share "
    "training data"
)
BOLD = "Bold is the best mean"
WORSE = "† marks what is significantly worse than always predicting the training mean"
NEAR = (
    "≈ marks what is not significantly different from it by a paired bootstrap over users at the "
    "5 % level, corrected for all pairs of rows"
)


@dataclass(frozen=True)
class PaperTable:
    """A heatmap on paper: the section it belongs to, its numbers, and what stands above them.

    `cites` has LaTeX for some of the lines, by the row's name.
    """

    section: str
    drawn: Heatmap
    caption: str
    cites: Mapping[str, Markup] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()  # labels of the page's tables that say the same

    @property
    def name(self) -> str:
        """That of its file, without the ending."""
        return self.drawn.name

    def source(self) -> str:
        """The LaTeX of a `table`.

        Everything from data is escaped, and what is not ASCII is UTF-8.
        """
        template = make_environment().get_template("table.tex")
        return template.render(drawn=self.drawn, caption=self.caption, cites=self.cites)


def tabulate_run(results: Results) -> Iterator[PaperTable]:
    """Accuracy, cost, and the comparison with published numbers where there is one."""
    yield _tabulate_accuracy(results)
    yield PaperTable(
        "cost",
        cost_heatmap(results),
        _join_sentences(
            title_figure(results, "Cost"),
            "Wall-clock seconds, mean over the folds, and the greatest memory",
        ),
    )
    for comparison in compare_splits(results):
        yield _tabulate_splits(results, comparison)
    agreement = compare_with_published(results)
    if agreement is not None:
        yield _tabulate_published(results, agreement)


def _tabulate_accuracy(results: Results) -> PaperTable:
    """Means with their deviations over the folds; the marks that occur are explained."""
    drawn = accuracy_heatmap(results)
    lines = [_add_deviations(results, line) for line in drawn.lines]
    marks = {square.mark for line in lines for square in line.squares}
    sentences = [title_figure(results, "Accuracy"), FOLDS]
    if "best" in marks:
        sentences.append(BOLD)

    if "near" in marks:
        sentences.append(NEAR)

    if "worse" in marks:
        sentences.append(WORSE)
    sentences += _describe_terms(results)
    by_row = collect_references(results).by_row
    cites = {name: Markup(f" {cite(references)}") for name, references in by_row.items()}
    return PaperTable("accuracy", replace(drawn, lines=lines), _join_sentences(*sentences), cites)


def _describe_terms(results: Results) -> Iterator[str]:
    """Where hyperparameters come from, as far as rows differ in it."""
    tuned = [row for row in results.contestants if row.is_tuned]
    if tuned:
        typed = {search.budget for search in results.searches}
        budgets = [parse_budget(text).in_words for text in sorted(typed)]
        budget = f", with {words.listed(budgets)} each" if budgets else ""
        yield (
            "The hyperparameters of rows called (tuned) come from searches on the training part "
            f"of each fold{budget}"
        )

    if results.external:
        names = words.listed(row.name for row in results.external)
        yield f"The answers of {names} were made elsewhere, and come from files"

    defaults = results.defaults
    if defaults.are_mixed:
        names = words.listed(row.name for row in defaults.tuned)
        yield f"Defaults of {names} were tuned on these data, those of other rows were not"


def _add_deviations(results: Results, line: Line) -> Line:
    """The line with its deviations over the folds beside the means.

    Failed lines have no squares.
    """
    row = next(row for row in results.rows if row.name == line.name)
    squares = []
    for square, column in zip(line.squares, metrics(results), strict=False):
        spread = row.spread(column)
        if spread is None:
            squares.append(square)
        else:
            squares.append(replace(square, text=words.plus_minus(spread)))

    return replace(line, squares=squares)


def _tabulate_splits(results: Results, comparison: OrderComparison) -> PaperTable:
    """One column under both splits, as its table on the page, but without intervals."""
    table = tabulate_two_splits(comparison)
    columns = []
    for head in table.heads[1:]:
        columns.append(Column(str(head.words), "", ""))

    lines = []
    for row, line in zip(comparison.rows, table.lines, strict=True):
        squares = []
        if isinstance(line, TableLine):
            for cell in line.cells:
                text = str(getattr(cell, "words", words.NONE))
                squares.append(Square(text, ""))
        lines.append(Line(row.name, "", squares))

    name = f"splits-{words.slug(comparison.column)}"
    title = title_figure(results, table.label, is_whole=True)
    heatmap = Heatmap(name, "", columns, lines)
    caption = _join_sentences(title, table.caption)
    return PaperTable("division", heatmap, caption, replaces=(table.label,))


def _tabulate_published(results: Results, agreement: Agreement) -> PaperTable:
    """Published and measured numbers, with their sources in the caption."""
    heads = ("metric", "published", "measured", "difference", "tolerance", "verdict", "source")
    lines = []
    for number in agreement.numbers:
        squares = [Square(getattr(number, head), "") for head in heads]
        lines.append(Line(number.row, "", squares))

    columns = [Column(head, "", "") for head in heads]
    sources = [f"[{place}] {source}" for place, source in enumerate(agreement.sources, start=1)]
    caption = _join_sentences(
        title_figure(results, "Published numbers"), agreement.summary, *sources
    )
    return PaperTable("published", Heatmap("published", "", columns, lines), caption)


def tabulate_comparison(comparison: DatasetComparison) -> Iterator[PaperTable]:
    """The headline metrics and fit times by data set, and the mean ranks."""
    for drawn in comparison.draw_accuracies():
        caption = _join_sentences(title_comparison_figure(comparison, drawn.title))
        yield PaperTable("accuracy", drawn, caption)

    times = comparison.draw_times()
    caption = _join_sentences(title_comparison_figure(comparison, times.title))
    yield PaperTable("cost", times, caption)
    yield _tabulate_mean_ranks(comparison)


def _tabulate_mean_ranks(comparison: DatasetComparison) -> PaperTable:
    """The mean rank of each row that has one by any metric, and how many rows each metric ranks."""
    means_by_column: dict[str, dict[str, float]] = {}
    for column in comparison.columns:
        ranking = comparison.ranking(column)
        means_by_column[column] = dict(zip(ranking.names, map(float, ranking.means), strict=True))

    lines = []
    for name in comparison.contestants:
        means = [by_row.get(name) for by_row in means_by_column.values()]
        if all(mean is None for mean in means):
            continue
        texts = [words.NONE if mean is None else words.rank(mean) for mean in means]
        squares = [Square(text, "") for text in texts]
        lines.append(Line(name, comparison.rows[name], squares))

    columns = [
        Column(words.field_name(column), f"{len(by_row)} rows", "")
        for column, by_row in means_by_column.items()
    ]
    subject = f"mean ranks over {words.listed(comparison.runs)}"
    caption = _join_sentences(title_comparison_figure(comparison, subject), "1 is the best")
    return PaperTable("ranks", Heatmap("ranks", "", columns, lines), caption)


def tabulate_pair(two: TwoRuns) -> Iterator[PaperTable]:
    """The differences of all pairs in the headline metrics, by kind of pair."""
    for kind, pairs in two.pairs.items():
        for column in two.headline if pairs else []:
            yield _tabulate_differences(two.compare(kind, column), column, kind, two)


def _tabulate_differences(
    found: Sequence[PairedDifference], column: str, kind: str, two: TwoRuns
) -> PaperTable:
    """One metric of one kind of pair: both means, the difference with its interval, the verdict."""
    lines = []
    for one in found:
        low, high = one.bounds or (None, None)
        texts = [words.number(one.before, one.bounds), words.number(one.after, one.bounds)]
        for value in (one.difference, low, high):
            texts.append(words.NONE if value is None else words.signed(value, one.bounds))
        texts.append(one.verdict)

        squares = [Square(text, "") for text in texts]
        lines.append(Line(one.pair.name, one.pair.first.family, squares))

    heads = ("before", "after", "difference", "from", "to", "verdict")
    columns = [Column(head, "", "") for head in heads]
    name = f"changes-{words.slug(kind)}-{words.slug(column)}"
    subject = f"{words.field_name(column)}, {kind}: {two.labels[0]} and {two.labels[1]}"
    title = title_figure(two.first, subject)
    interval = "the 95 % interval of the difference is over users"
    return PaperTable(
        "summary", Heatmap(name, "", columns, lines), _join_sentences(title, interval)
    )


def _join_sentences(*sentences: str) -> str:
    """The sentences that are not empty, each with one full stop."""
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)
