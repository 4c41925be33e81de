"""The sections of a report on one table over many runs: what moved, the lines, what broke them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recbench.benchmarks.certainty import ALARM_LEVEL
from recbench.benchmarks.gating import DatedRun, History, HistoryLine, Move
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import DataDescription, RunDescription
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.drawing import HistoryPanel, Picture, draw_history
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Choice,
    Code,
    Figure,
    Heading,
    MissingCell,
    Note,
    Option,
    Paragraph,
    References,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.sections import Sections

LITERATURE = (
    "H. B. Mann, D. R. Whitney. On a Test of Whether One of Two Random Variables is Stochastically "
    "Larger than the Other. Annals of Mathematical Statistics 18(1), 1947, 50–60",
    "A. N. Pettitt. A Non-Parametric Approach to the Change-Point Problem. Applied Statistics "
    "28(2), 1979, 126–135",
    "S. Holm. A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of "
    "Statistics 6, 1979, 65–70",
    "L. Ju. Vostrikova. Detecting “Disorder” in Multidimensional Random Processes. Soviet "
    "Mathematics Doklady 24, 1981, 55–59",
)
METHOD = (
    "Neighbours with the same result count as one measurement. In each line the values before a "
    "place are compared with those after it by the rank-sum test of Mann and Whitney, at some 16 "
    "places, as in Pettitt's scan; the p-values are exact, and adjusted for all places and for all "
    "lines of this page (Bonferroni, Holm). The parts beside a change are searched again (binary "
    "segmentation). The size is the mean after it less the mean before it; its 95 % interval is "
    "over users (paired bootstrap) and over the unrest of the line."
)

ABOUT_TIMES = (
    "Times of one host and processor alone, as multiples of a kernel timed in the same cell, in "
    "seconds of the line's usual speed. The band is the range of the folds."
)

MOST_ROWS = 10  # of the first screen

HISTORY_SECTIONS = Sections["HistoryPage"]()
section = HISTORY_SECTIONS.section


@dataclass(frozen=True)
class HistoryPage:
    """A history, as what a report is about."""

    history: History

    @property
    def imitations(self) -> list[str]:
        """The data sets that are simulated, each once."""
        described = [run.about.data for run in self.history.runs]
        names = [data.name for data in described if data.simulated]
        return list(dict.fromkeys(names))

    @property
    def simulated(self) -> bool:
        """Whether any of the data are simulated."""
        return bool(self.imitations)

    @property
    def about(self) -> RunDescription:
        """What the page's head says of its data."""
        names: dict[str, None] = {}
        notices: dict[str, None] = {}
        for run in self.history.runs:
            data = run.about.data
            names[data.name] = None
            if data.simulated:
                notice = data.notice.removeprefix("SIMULATED: ")
                notices[f"{data.name}: {notice}"] = None

        data = DataDescription(
            name=words.listed(names),
            simulated=self.simulated,
            notice="\n".join(notices),
        )
        return RunDescription(data=data)

    @property
    def title(self) -> str:
        """What the report is called; the word SIMULATED is part of it where data are."""
        runs = words.count(len(self.history.runs), "run")
        title = f"{self.about.data.name} over {runs}"

        if self.simulated:
            return f"{title} (SIMULATED data: {words.listed(self.imitations)})"
        return title

    @property
    def groups(self) -> dict[tuple[str, str], list[HistoryLine]]:
        """(data set, column) -> its lines, metrics first."""
        lines = sorted(self.history.lines, key=lambda line: (line.is_time, line.dataset))

        found: dict[tuple[str, str], list[HistoryLine]] = {}
        for line in lines:
            found.setdefault((line.dataset, line.column), []).append(line)
        return found

    def embedded(self) -> dict[str, Any]:
        """What the page holds as JSON, and `history.json` too: every number unrounded."""
        runs = [_describe_run(run) for run in self.history.runs]
        return {
            "alarm_level": ALARM_LEVEL,
            "ordered_by": "commit" if self.history.is_by_commit else "start",
            "runs": runs,
            "lines": [asdict(line) for line in self.history.lines],
            "breaks": [asdict(one) for one in self.history.breaks],
        }


def _describe_run(run: DatedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "commit": run.commit,
        "committed": run.committed.isoformat() if run.committed else None,
        "subject": run.subject,
        "started": run.started.isoformat(),
        "data": run.about.data.name,
        "digest": run.about.data.digest,
        "simulated": run.about.data.simulated,
        "host": run.about.environment.host,
        "cpu": run.about.environment.cpu,
    }


@section("What moved?", place=10)
def moved(page: HistoryPage) -> list[Block]:
    """What moved and stayed away, in a sentence and a table; the lines, and how far each is from
    its first run, whether anything moved or not; and what could not have been seen.
    """
    history = page.history
    blocks: list[Block] = [Paragraph(" ".join(summarise_history(history)))]
    if history.moves:
        blocks.append(_tabulate_moves(history))
    options = []
    for (dataset, column), lines in page.groups.items():
        if not lines[0].is_time:
            options.append(_show_lines(page, dataset, column, lines))
    if options:
        blocks.append(Choice("lines of", tuple(options)))
    return [*blocks, Note(_say_what_is_seen(history))]


def _show_lines(
    page: HistoryPage, dataset: str, column: str, lines: Sequence[HistoryLine]
) -> Option:
    """A metric: the lines that are furthest from their first run, and all lines drawn."""
    furthest = sorted(lines, key=lambda line: -abs(line.since_first[0]))[:MOST_ROWS]
    name = _name_column(column)
    blocks: list[Block] = [_tabulate_ends(name, dataset, furthest, len(lines))]
    if any(len(line.points) > 1 for line in lines):
        blocks.append(_draw_group(page, dataset, column, lines))
    return Option(f"{name}, {dataset}", tuple(blocks))


def _tabulate_ends(name: str, dataset: str, furthest: Sequence[HistoryLine], n_lines: int) -> Table:
    """The first and the newest value of each of these lines, the furthest apart first."""
    extent = "all rows" if len(furthest) == n_lines else f"{len(furthest)} of {n_lines} rows"
    caption = f"{name}, {dataset}: {extent}, those furthest from their first run above"
    heads = (
        TableHead("row", "text"),
        TableHead("runs", is_spare=True),
        TableHead("first"),
        TableHead("newest"),
        TableHead("change"),
        TableHead("95 % interval", is_spare=True),
        TableHead("moved", "word"),
    )
    tabulated = []
    for line in furthest:
        change, low, high = line.since_first
        bounds: Bounds | None = None
        interval: AnyCell = MissingCell("not known")
        if low is not None and high is not None:
            bounds = (low, high)
            ends = f"{words.signed(low, bounds)} to {words.signed(high, bounds)}"
            interval = TableCell(ends)
        values = (line.points[0].value, line.points[-1].value)
        cells = (
            TableCell(str(len(line.points))),
            *(TableCell(words.number(value, bounds), sort_value=value) for value in values),
            TableCell(words.signed(change, bounds), sort_value=change),
            interval,
            TableCell(_say_whether_moved(line)),
        )
        tabulated.append(TableLine(RowName(line.row), cells))
    label = f"{name}, first and newest, {dataset}"
    return Table(label, caption, heads, tuple(tabulated), is_brief=True)


def _say_whether_moved(line: HistoryLine) -> str:
    """In a word or two what became of a line."""
    if line.moves:
        return words.listed("worse" if move.is_worse else "better" for move in line.moves)
    return "no" if line.n_results > 1 else "always the same"


def summarise_history(history: History) -> list[str]:
    """What was looked at, how much of it moved, and what of that no pair of neighbours shows."""
    first = history.runs[0]
    last = history.runs[-1]
    runs = words.count(len(history.runs), "run")
    lines = words.count(len(history.lines), "line")
    looked = f"{runs} from {first.label} to {last.label}: {lines} of a row in a metric or a time."

    if not history.lines:
        return [looked, "No two runs have a row that can be compared."]
    if not history.moves:
        return [looked, "Nothing moved and stayed away.", _name_furthest(history)]

    worse = [move for _, move in history.moves if move.is_worse]
    n_better = len(history.moves) - len(worse)
    counted = f"{len(worse)} times a line got worse and stayed so, {n_better} times better."

    n_slow = sum(move.is_slow for move in worse)
    if not n_slow:
        return [looked, counted]
    slow = f"{n_slow} of the {len(worse)} are slow drifts, which no pair of neighbours shows."
    return [looked, counted, slow]


def _name_furthest(history: History) -> str:
    """Which row's metric is now furthest from where it began, as a part of that."""

    def distance(line: HistoryLine) -> float:
        return abs(line.since_first[0] / (line.points[0].value or 1.0))

    measured = [line for line in history.lines if not line.is_time and len(line.points) > 1]
    furthest = max(measured, key=distance, default=None)
    if furthest is None:
        return "No metric has a line of two runs."
    if not furthest.since_first[0]:
        return "In every metric the newest run has the value of the first one."

    change, low, high = furthest.since_first
    text = words.signed(change)
    if low is not None and high is not None:
        bounds = (low, high)
        ends = f"{words.signed(low, bounds)}, {words.signed(high, bounds)}"
        text = f"{words.signed(change, bounds)} [{ends}]"
    return (
        f"Furthest from its first run is {furthest.row} on {furthest.dataset}, by {text} in "
        f"{_name_column(furthest.column)}."
    )


def _say_what_is_seen(history: History) -> str:
    """The rate of false alarms, and how long a line must be for anything to be found."""
    needed = history.n_values_needed
    lengths = [line.n_results for line in history.lines]
    longest = max(lengths, default=0)
    rate = f"{ALARM_LEVEL:.1%}"
    seen = (
        "If nothing changes but for chance, a page like this names something with a chance of "
        f"less than {rate}, over all its lines together. Noise that lasts for several runs counts "
        "as a change."
    )
    if longest < needed:
        return (
            f"{seen} A line needs {needed} different results before any drift "
            f"can be found, and the longest has {longest}: compare the newest run with the first, "
            "in the tables below."
        )
    return seen


def _tabulate_moves(history: History) -> Table:
    heads = (
        TableHead("row", "text"),
        TableHead("column", "word"),
        TableHead("data", "text"),
        TableHead("last run before", "word"),
        TableHead("first run after", "word"),
        TableHead("before"),
        TableHead("change", small=("95 % interval",)),
        TableHead("p, adjusted"),
        TableHead("what it is", "text"),
    )
    lines = tuple(_tabulate_move(history, line, move) for line, move in history.moves)
    caption = (
        "What moved and stayed away. Between the two runs it went from one level to the other; a "
        "pair of neighbours shows it if its own 95 % interval excludes 0."
    )
    return Table("What moved", caption, heads, lines, is_sortable=True)


def _tabulate_move(history: History, line: HistoryLine, move: Move) -> TableLine:
    bounds = (move.low, move.high)
    change = _say_change(line, move.size, bounds)
    low = _say_change(line, move.low, bounds)
    high = _say_change(line, move.high, bounds)
    interval = f"[{low}, {high}]"
    first = history.runs[move.first]
    last = history.runs[move.last]

    kind = "a slow drift: no pair of neighbours shows it"
    if not move.is_slow:
        n_pairs = words.count(move.n_pairs, "pair")
        kind = f"shown by {move.n_visible} of {n_pairs} of neighbours"
    direction = "worse" if move.is_worse else "better"
    cells: tuple[AnyCell, ...] = (
        TableCell(_name_column(line.column)),
        TableCell(line.dataset),
        TableCell(Code(first.label)),
        TableCell(Code(last.label)),
        TableCell(_say_value(line, move.before), sort_value=move.before),
        TableCell(change, small=interval, sort_value=move.size),
        TableCell(words.chance(move.p_value), sort_value=move.p_value),
        TableCell(f"{direction}, {kind}"),
    )
    return TableLine(RowName(line.row), cells, stands_out=move.is_worse)


@section("How accurate, over the runs?", place=20)
def accuracy(page: HistoryPage) -> list[Block] | None:
    """A table for each metric of each data set; their figures are on the first screen."""
    return _show_groups(page, are_times=False)


@section("How fast, over the runs?", place=30)
def times(page: HistoryPage) -> list[Block] | None:
    """The same for times; None without any."""
    return _show_groups(page, are_times=True)


def _show_groups(page: HistoryPage, *, are_times: bool) -> list[Block] | None:
    blocks: list[Block] = []
    for (dataset, column), lines in page.groups.items():
        if lines[0].is_time is not are_times:
            continue
        blocks.append(Heading(f"{_name_column(column)}, {dataset}"))
        if are_times and any(len(line.points) > 1 for line in lines):
            blocks.append(_draw_group(page, dataset, column, lines))
        blocks.append(_tabulate_newest(page, column, lines))

    if not blocks:
        return None
    return [Note(ABOUT_TIMES), *blocks] if are_times else blocks


def _draw_group(
    page: HistoryPage, dataset: str, column: str, lines: Sequence[HistoryLine]
) -> Figure:
    title = f"{_name_column(column)} over the runs, {dataset}"
    if dataset in page.imitations:
        title = f"SIMULATED data, {title}"

    panels = [_make_panel(line) for line in lines]
    n_runs = len(page.history.runs)
    picture = Picture(
        name=f"history-{words.slug(f'{dataset}-{column}')}",
        alternative=f"{title}: {words.count(len(lines), 'line')}",
        draw=lambda: draw_history(panels, n_runs, title),
    )
    band = "the range of the folds" if lines[0].is_time else "the 95 % interval over users"
    caption = (
        f"The runs in their order, from left to right; the band is {band}. "
        "Shaded is what moved: red for the worse, green for the better."
    )
    return Figure(picture, caption)


def _make_panel(line: HistoryLine) -> HistoryPanel:
    bounds: list[tuple[float, float] | None] = []
    for point in line.points:
        interval = None
        if point.low is not None and point.high is not None:
            interval = (point.low, point.high)
        bounds.append(interval)

    return HistoryPanel(
        title=line.row,
        places=tuple(point.place for point in line.points),
        values=tuple(point.value for point in line.points),
        bounds=tuple(bounds),
        moves=tuple((move.first, move.last, move.is_worse) for move in line.moves),
    )


def _name_column(column: str) -> str:
    """A metric as the field writes it, and a time in words.

    >>> _name_column("rmse"), _name_column("fit_seconds")
    ('RMSE', 'time to fit')
    """
    phase, suffix, _ = column.partition("_seconds")
    return f"time to {phase}" if suffix else words.field_name(column)


def _say_value(line: HistoryLine, value: float) -> str:
    return words.duration(value) if line.is_time else words.number(value)


def _say_change(line: HistoryLine, change: float, bounds: Bounds | None = None) -> str:
    """A difference with its sign; of times with their unit."""
    if not line.is_time:
        return words.signed(change, bounds)
    return f"{'−' if change < 0 else '+'}{words.duration(abs(change))}"


def _tabulate_newest(page: HistoryPage, column: str, lines: Sequence[HistoryLine]) -> Table:
    """Where each line stands now, and how far that is from its first run."""
    caption = "The newest run of each line, and its difference to the first one of the line."
    if lines[0].is_time:
        newest = TableHead("newest", small=("range of the folds",))
        change = TableHead("since the first")
    else:
        is_higher_better = find_metric(column).better == "higher"
        newest = TableHead("newest", small=("95 % interval",), higher_is_better=is_higher_better)
        change = TableHead("since the first", small=("95 % interval",))
        caption += (
            " These intervals cover the choice of users alone, and are not adjusted for the number "
            "of rows."
        )

    heads = (
        TableHead("row", "text"),
        TableHead("runs"),
        newest,
        change,
        TableHead("first to newest", "word"),
    )
    tabulated = tuple(_tabulate_line(page.history, line) for line in lines)
    label = f"{_name_column(column)}, newest, {lines[0].dataset}"
    return Table(label, caption, heads, tabulated, is_sortable=True)


def _tabulate_line(history: History, line: HistoryLine) -> TableLine:
    first = line.points[0]
    newest = line.points[-1]
    interval = ""
    if newest.low is not None and newest.high is not None:
        interval = words.bracketed((newest.low, newest.high))
        if line.is_time:
            interval = f"{words.duration(newest.low)} to {words.duration(newest.high)}"

    change, low, high = line.since_first
    since_first: AnyCell = MissingCell("one run")
    if len(line.points) > 1:
        since_first = TableCell(_say_change(line, change), sort_value=change)
    if low is not None and high is not None:
        of_change = f"[{words.signed(low)}, {words.signed(high)}]"
        since_first = TableCell(words.signed(change), small=of_change, sort_value=change)

    ends = f"{history.runs[first.place].label} … {history.runs[newest.place].label}"
    cells = (
        TableCell(str(len(line.points))),
        TableCell(_say_value(line, newest.value), small=interval, sort_value=newest.value),
        since_first,
        TableCell(Code(ends)),
    )
    return TableLine(RowName(line.row), cells)


@section("Where do lines break?", place=40)
def breaks(page: HistoryPage) -> list[Block] | None:
    """Where a row has no number or begins a new line, and why; None if nowhere."""
    history = page.history
    if not history.breaks:
        return None

    rows_by_reason: dict[tuple[int, str], list[str]] = {}
    for one in history.breaks:
        rows_by_reason.setdefault((one.place, one.reason), []).append(one.row)

    heads = (TableHead("run", "word"), TableHead("rows", "text"), TableHead("why", "reason"))
    lines = []
    for (place, reason), rows in rows_by_reason.items():
        cells = (TableCell(words.listed(rows)), TableCell(reason))
        lines.append(TableLine(Code(history.runs[place].label), cells))
    caption = (
        "Numbers of other data, divisions, protocols or machines do not stand on one line: a new "
        "one begins there. A run in which a row failed is left out of its line."
    )
    return [Table("Where lines break", caption, heads, tuple(lines))]


@section("Which runs, and how were they compared?", place=90)
def method(page: HistoryPage) -> list[Block]:
    """The runs in their order, and how drifts are found."""
    history = page.history
    order = "the dates of their commits"
    if not history.is_by_commit:
        order = "when they were measured, since not every commit is known"
    heads = (
        TableHead("run", "word"),
        TableHead("directory", "text"),
        TableHead("commit", "text"),
        TableHead("measured", "word"),
        TableHead("data", "text"),
        TableHead("machine", "text"),
    )
    lines = []
    for place, run in enumerate(history.runs):
        environment = run.about.environment
        cells = (
            TableCell(Code(run.name)),
            TableCell(f"{run.commit[:8]} {run.subject}".strip() or words.NONE),
            TableCell(f"{run.started:%Y-%m-%d %H:%M}"),
            TableCell(f"{run.about.data.name} {run.about.data.digest[:8]}"),
            TableCell(f"{environment.host or '?'}, {environment.cpu}"),
        )
        lines.append(TableLine(str(place + 1), cells))
    caption = f"The runs, ordered by {order}."
    return [
        Paragraph(METHOD),
        Table("The runs", caption, heads, tuple(lines)),
        Heading("Literature"),
        References(LITERATURE),
    ]
