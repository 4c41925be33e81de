"""The sections of a report on two runs on the same data; each describes its answer in blocks."""

from collections.abc import Sequence

from recbench.benchmarks.metrics import ARROWS, find_metric
from recbench.reports import words
from recbench.reports.drawing import Change, Picture, draw_changes
from recbench.reports.rendering import (
    AnyCell,
    Beside,
    Block,
    Card,
    Choice,
    Code,
    Command,
    Figure,
    Heading,
    IntervalCell,
    MissingCell,
    Note,
    Option,
    Pairs,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import metrics
from recbench.reports.sections import (
    Sections,
    define_metrics,
    describe_failures,
    list_failures,
    open_first_screen,
    title_figure,
)
from recbench.reports.several.pair_claims import (
    MOST_ROWS,
    PairClaim,
    describe_difference,
    describe_ratio,
    describe_two_runs,
    list_pair_cautions,
    list_pair_claims,
    rank_changes,
    ratio_of_times,
)
from recbench.reports.several.pairing import Kind, PairedDifference, TwoRuns

PAIR_METHOD = (
    "Both rows of a pair answer the same users with the same test ratings. Users are resampled "
    "4,000 times, both rows with the same draws; the 95 % interval is that of the difference, the "
    "second minus the first (BCa, Efron 1987). Better or worse is said at the 5 % level after "
    "Holm's correction for all pairs of a column. Equal: every user adds the same in both runs."
)
NAMES: dict[Kind, str] = {"same row": "first and second run", "default and tuned": "default, tuned"}
SIDES: dict[Kind, tuple[str, str]] = {
    "same row": ("first", "second"),
    "default and tuned": ("default", "tuned"),
}
WORDS = {
    "better": "better",
    "worse": "worse",
    "not significant": "≈",
    "equal": "equal",
    "not known": "not known",
}

SECTIONS = Sections[TwoRuns]()
section = SECTIONS.section


@section("What came out?", place=10)
def summary(two: TwoRuns) -> list[Block]:
    """Answers, cautions, and the largest changes beside a picture of them."""
    cards = [_show_claim(claim) for claim in list_pair_claims(two)]
    blocks = open_first_screen(describe_two_runs(two), cards, list_pair_cautions(two))

    options = []
    for kind in NAMES:
        for column in two.headline:
            if rank_changes(two, kind, column):
                options.append(_show_changes(two, kind, column))
    if options:
        blocks.append(Choice("changes in", tuple(options)))
    blocks.append(Note(PAIR_METHOD))
    return blocks


def _show_claim(claim: PairClaim) -> Card:
    return Card(
        claim.question,
        claim.answer,
        claim.value,
        claim.remark,
        is_good_news=claim.is_good_news,
    )


def _show_changes(two: TwoRuns, kind: Kind, column: str) -> Option:
    """The largest changes in a column, as a table and drawn."""
    ranked = rank_changes(two, kind, column)
    shown = ranked[:MOST_ROWS]
    name = words.field_name(column)
    n_all = len(two.compare(kind, column))
    extent = f"the {len(shown)} largest changes of {n_all} rows"
    if len(shown) == n_all:
        extent = words.count(n_all, "row")
    caption = f"{name}, {find_metric(column).better} is better: {extent}, significant ones first"
    lines = [_describe_briefly(one, shown) for one in shown]
    first, second = SIDES[kind]
    heads = (
        TableHead("row", "text"),
        TableHead(first),
        TableHead(second),
        TableHead("difference"),
        TableHead("95 % interval", "word", is_spare=True),
        TableHead("verdict", "word"),
    )
    table = Table(f"Changes in {name}, {NAMES[kind]}", caption, heads, tuple(lines), is_brief=True)

    subject = f"{name}, {NAMES[kind]}"
    title = title_figure(two.first, subject)
    sides = two.labels if kind == "same row" else SIDES[kind]
    picture = Picture(
        f"changes-{words.slug(kind)}-{words.slug(column)}",
        f"Values before and after. {title}. The table beside it has the same numbers.",
        lambda: draw_changes(
            _list_drawn(shown), f"mean {name} {ARROWS[find_metric(column).better]}", sides, title
        ),
    )
    figure_caption = "Green: significantly better. Red: significantly worse. Grey: neither."
    return Option(subject, (Beside(table, Figure(picture, figure_caption)),))


def _list_drawn(shown: Sequence[PairedDifference]) -> list[Change]:
    """The pairs as they are drawn, with the interval around the second value."""
    changes = []
    for one in shown:
        if one.before is None or one.after is None:
            continue
        low, high = one.bounds or (0.0, 0.0)
        changes.append(
            Change(
                name=one.pair.name,
                first=one.before,
                second=one.after,
                low=one.before + low,
                high=one.before + high,
                verdict=one.verdict,
            )
        )
    return changes


def _describe_briefly(found: PairedDifference, shown: Sequence[PairedDifference]) -> TableLine:
    """A line of the first screen, whose drawn interval shares its scale with the others."""
    interval: AnyCell = MissingCell("not known")
    if found.bounds is not None and found.difference is not None:
        low, high = found.bounds
        ends = [end for one in shown for end in (one.bounds or (0.0, 0.0))]
        text = f"{words.signed(low, found.bounds)} to {words.signed(high, found.bounds)}"
        inside = min(max(found.difference, low), high)
        interval = IntervalCell(text, low, inside, high, min(0.0, *ends), max(0.0, *ends))

    difference = words.NONE
    if found.difference is not None:
        difference = words.signed(found.difference, found.bounds)
    cells = (
        TableCell(words.number(found.before, found.bounds)),
        TableCell(words.number(found.after, found.bounds)),
        TableCell(difference),
        interval,
        TableCell(WORDS[found.verdict]),
    )
    stands_out = found.verdict == "better"
    return TableLine(RowName(found.pair.name), cells, stands_out=stands_out)


@section("Which rows changed?", place=20)
def changes(two: TwoRuns) -> list[Block] | None:
    """Every row of both runs in every column that is over users; None if no row is in both."""
    if not two.pairs["same row"]:
        return None
    blocks = _tabulate_kind(two, "same row")
    table = _tabulate_causes(two)
    return [*blocks, table] if table is not None else blocks


@section("What was tuning worth?", place=25)
def tuned(two: TwoRuns) -> list[Block] | None:
    """Every tuned row beside the same row by default; None if there is none."""
    if not two.pairs["default and tuned"]:
        return None
    origin = (
        "Where a row is in both runs, the default is that of the first and the tuned one that of "
        "the second."
    )
    return [Paragraph(origin), *_tabulate_kind(two, "default and tuned")]


def _tabulate_kind(two: TwoRuns, kind: Kind) -> list[Block]:
    tables: list[Block] = []
    for column in two.columns:
        if find_metric(column).kind != "set":
            tables.append(_tabulate_column(two, kind, column))
    return tables


def _tabulate_column(two: TwoRuns, kind: Kind, column: str) -> Table:
    """All pairs in one column."""
    first, second = SIDES[kind]
    is_rising = find_metric(column).better == "higher"
    heads = (
        TableHead("row", "text"),
        TableHead(first, higher_is_better=is_rising),
        TableHead(second, higher_is_better=is_rising),
        TableHead("difference", small=("95 % interval",), higher_is_better=is_rising),
        TableHead("verdict", "text"),
    )
    lines = []
    for found in two.compare(kind, column):
        lines.append(_describe_pair(found, column))
    name = words.field_name(column)
    caption = f"{name}, {find_metric(column).better} is better: {NAMES[kind]}"
    return Table(caption, caption, heads, tuple(lines), is_sortable=True)


def _describe_pair(found: PairedDifference, column: str) -> TableLine:
    pair = found.pair
    cells: list[AnyCell] = []
    for value, row in ((found.before, pair.first), (found.after, pair.second)):
        if value is None:
            reason = row.missing(column) or "not in the run"
            cells.append(MissingCell(reason))
        else:
            text = words.number(value, found.bounds)
            cells.append(TableCell(text, sort_value=value))

    difference, _, interval = describe_difference(found).partition(" ")
    cells.append(TableCell(difference, interval, sort_value=found.difference))
    verdict = WORDS[found.verdict]
    cells.append(TableCell(verdict, found.reason))
    return TableLine(RowName(pair.name), tuple(cells))


def _tabulate_causes(two: TwoRuns) -> Table | None:
    """What else is not the same in both runs, of each row; None where nothing is."""
    lines = []
    for pair in two.pairs["same row"]:
        for change in pair.changes:
            cells = (
                TableCell(change.key),
                TableCell(str(change.first)),
                TableCell(str(change.second)),
            )
            lines.append(TableLine(RowName(pair.name), cells))
    if not lines:
        return None
    heads = (
        TableHead("row", "text"),
        TableHead("what", "text"),
        TableHead("first", "text"),
        TableHead("second", "text"),
    )
    caption = "What fixes a row's numbers and is not the same in both runs"
    return Table(caption, f"{caption}; code of the bench apart.", heads, tuple(lines))


@section("How long does it take?", place=30)
def cost(two: TwoRuns) -> list[Block]:
    """Times of both runs, and their ratios."""
    lines = []
    for kind, pairs in two.pairs.items():
        for pair in pairs:
            before, after = pair.seconds()
            ratio = ratio_of_times(pair)
            cells = (
                TableCell(" and ".join(SIDES[kind])),
                TableCell(words.duration(before), sort_value=before),
                TableCell(words.duration(after), sort_value=after),
                TableCell(words.NONE if ratio is None else describe_ratio(ratio), sort_value=ratio),
            )
            lines.append(TableLine(RowName(pair.name), cells))
    if not lines:
        return [Paragraph("No row is in both runs.")]
    heads = (
        TableHead("row", "text"),
        TableHead("compared", "word"),
        TableHead("before"),
        TableHead("after"),
        TableHead("ratio"),
    )
    caption = (
        "Time of convert, fit, rate and rank together, mean over the folds, and the second by the "
        "first. Times have no interval: measure twice before a small ratio is believed. What a "
        "search took is not in them."
    )
    return [Table("Times", caption, heads, tuple(lines), is_sortable=True)]


@section("What did not run?", place=90)
def failures(two: TwoRuns) -> list[Block]:
    """The cells of both runs that are not ok, or that there are none."""
    found = []
    for label, results in two.runs.items():
        found += [(failure, label) for failure in list_failures(results)]
    caption = "Every cell that is not ok. Folds that ended alike share a line."
    n_cells = sum(len(results.records) for results in two.runs.values())
    return [describe_failures(found, caption, n_cells)]


@section("How was it measured?", place=95)
def method(two: TwoRuns) -> list[Block]:
    """Where both runs are and how they were made, and what their metrics mean."""
    blocks: list[Block] = []
    for label, results in two.runs.items():
        environment = results.about.environment
        facts = (
            ("directory", Code(str(results.run.directory))),
            ("sha256 of the data's content", Code(results.about.data.digest)),
            ("split", words.split(results)),
            ("command", Command(words.shorten_out(results.about.command))),
            ("commit of the bench", environment.commit or "not known"),
            ("processor", f"{environment.cpu}, {environment.platform}"),
        )
        blocks += [Heading(label), Pairs(f"The run {label}", facts)]
    return [*blocks, Heading("Metrics"), define_metrics(metrics(two.first))]


def title_pair(two: TwoRuns) -> str:
    """What the report is called; the word SIMULATED is part of it where the data are."""
    title = f"{two.about.data.name}: {two.labels[0]} beside {two.labels[1]}"
    return f"{title} (SIMULATED data)" if two.simulated else title
