"""What a heatmap shows, whether it becomes an HTML table or a figure.

A heatmap is a table of squares, each with a number, a colour and a tip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, to_hex, to_rgb

from recbench.benchmarks.metrics import ARROWS, Metric
from recbench.benchmarks.records import NOT_MEASURED_HERE, PHASES
from recbench.datasets.foundation import Bounds
from recbench.reports.results import Results, Row, metrics
from recbench.reports.words import (
    NONE,
    between,
    duration,
    field_name,
    interval,
    megabytes,
    number,
    over_folds,
    plus_minus,
)

# Safe for colour-blind eyes; grows evenly darker, so it works in grey print too.
COLOURS = colormaps["YlGnBu"]

# Timed several times where that takes little time; the other phases are timed once.
MEDIAN_PHASES = ("convert", "fit")

COLD_COSTS = "start-up"
ALL_PHASES = "total time"
MEMORY_COLUMNS = {"peak_mb": "peak memory", "grown_mb": "memory growth"}


@dataclass(frozen=True)
class Mark:
    """A sign beside a number: how it is drawn, read aloud, and explained in the legend."""

    sign: str
    spoken: str
    meaning: str


MARKS = {
    "best": Mark("★", "best", "best mean"),
    "near": Mark(
        "≈",
        "not significantly different from the best",
        "not significantly different from the best (see below)",
    ),
    "worse": Mark(
        "▼",
        "worse than a constant",
        "significantly worse than always predicting the training mean",
    ),
    "above": Mark(
        "▽",
        "above the error of a constant",
        "worse than always predicting the training mean, but not significantly, or not tested",
    ),
    "first": Mark("★", "best", "best of its fold"),
    "once": Mark(
        "1×",
        "timed once",
        "a single timed run; other times to convert and fit are medians of several",
    ),
}


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    name: str
    unit: str
    arrow: str  # one of `ARROWS`, or "" where nothing is better

    @property
    def better(self) -> str:
        """The arrow in words, such as `lower is better`; empty if there is none."""
        for better, arrow in ARROWS.items():
            if arrow == self.arrow:
                return f"{better} is better"
        return ""


@dataclass(frozen=True)
class Square:
    """One number. `shade` runs from 0, the best of its scale, to 1; None means no colour."""

    text: str
    tip: str
    value: float | None = None
    shade: float | None = None
    mark: str = ""  # one of `MARKS`, or ""
    grey: bool = False
    note: str = ""  # a second, smaller line
    failed: bool = False  # `text` is the status of a cell that is not ok

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and text colour, as #rrggbb; None without a shade."""
        if self.shade is None:
            return None
        return colours_of_shade(self.shade)

    @property
    def sign(self) -> Mark | None:
        """The mark behind its name; None without one."""
        return MARKS.get(self.mark)


@dataclass(frozen=True)
class Line:
    """One row: its squares, or, where folds are missing, the failure in their place."""

    name: str
    family: str
    squares: list[Square]
    failure: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Heatmap:
    """A table with coloured squares.

    `name` is also that of its figure; `scale` says what shares a scale of colours: "column" or
    "table".
    """

    name: str
    title: str
    columns: list[Column]
    lines: list[Line]
    scale: str = "column"

    @property
    def squares(self) -> list[Square]:
        """The squares of all lines."""
        return [square for line in self.lines for square in line.squares]

    @property
    def noted(self) -> bool:
        """Whether any square has a second line."""
        return any(square.note for square in self.squares)

    @property
    def legend(self) -> list[str]:
        """What the marks and greys mean; only those that occur."""
        squares = self.squares
        marks = {square.mark for square in squares}
        meanings = [f"{mark.sign} {mark.meaning}" for name, mark in MARKS.items() if name in marks]

        if self.noted:
            meanings.append("small: 95 % interval over users")
        if any(square.grey for square in squares):
            meanings.append("grey: contended, other cells ran at the same time")
        if any(line.failure for line in self.lines):
            meanings.append("hatched: not every fold ran, so there is no mean")
        if any(square.failed for square in squares):
            meanings.append("hatched: this fold did not run to its end")
        return meanings

    @property
    def families(self) -> dict[str, list[Line]]:
        """The lines by family, in the order in which families first occur."""
        by_family: dict[str, list[Line]] = {}
        for line in self.lines:
            by_family.setdefault(line.family, []).append(line)
        return by_family


def relative_luminance(colour: str) -> float:
    """The relative luminance of WCAG 2, from 0 (black) to 1 (white)."""
    linear = []
    for channel in to_rgb(colour):
        if channel <= 0.04045:
            linear.append(channel / 12.92)
        else:
            linear.append(((channel + 0.055) / 1.055) ** 2.4)
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable_on(background: str) -> str:
    """Black or white, whichever is easier to read on `background`; the contrast is at least 4.5."""
    light = relative_luminance(background)
    contrast_of_white = 1.05 / (light + 0.05)
    contrast_of_black = (light + 0.05) / 0.05
    return "#ffffff" if contrast_of_white > contrast_of_black else "#000000"


def colours_of_shade(shade: float, colours: Colormap = COLOURS) -> tuple[str, str]:
    """Background and text colour of a shade: with `COLOURS`, the better, the brighter."""
    background = to_hex(colours(0.05 + 0.8 * shade))
    return background, readable_on(background)


def scale_to_shades(values: Sequence[float | None], *, log: bool = False) -> list[float | None]:
    """The values of a column from 0 (lowest, best) to 1, None where there is no value.

    All are None where all values are the same, for there is nothing to see. What lies beyond the
    `outlier_fence` gets 1 too, so that one hopeless row does not flatten all others; a logarithmic
    scale needs no such fence.
    """
    known = np.array([value for value in values if value is not None])
    if len(set(known)) < 2:
        return [None] * len(values)

    if log:
        floor = min((value for value in known if value > 0), default=1.0)
        scaled = np.log10(np.maximum(known, floor))
        worst = float(scaled.max())
    else:
        scaled = known
        worst = outlier_fence(known)

    least = scaled.min()
    width = worst - least
    if width > 0:
        places = (scaled - least) / width
        shaded = np.clip(places, 0, 1)
    else:
        shaded = np.zeros(len(scaled))

    remaining = iter(shaded)
    return [None if value is None else float(next(remaining)) for value in values]


def outlier_fence(
    losses: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> float:
    """The worst loss that is worth a place on a scale.

    At most 1.5 quartile distances beyond the worse quartile (Tukey's fence); the greatest loss
    where the quartiles are the same.
    """
    first, third = np.quantile(losses, [0.25, 0.75])
    greatest = max(losses)
    if third <= first:
        return float(greatest)

    fence = third + 1.5 * (third - first)
    return float(min(greatest, fence))


def accuracy_heatmap(results: Results) -> Heatmap:
    """Rows against metrics: means over the folds, with their intervals over users where known."""
    columns = []
    by_row: dict[str, list[Square]] = {row.name: [] for row in results.rows}
    for name, metric in metrics(results).items():
        arrow = ARROWS[metric.better]
        columns.append(Column(field_name(name), metric.unit, arrow))

        squares = _mean_squares(results, name, metric)
        for row, square in zip(results.rows, squares, strict=True):
            by_row[row.name].append(square)

    lines = _lines_of_rows(results, by_row)
    title = "Accuracy" if results.has_one_fold else "Mean over folds"
    return Heatmap("accuracy", title, columns, lines)


def _mean_squares(results: Results, column: str, metric: Metric) -> list[Square]:
    """One square a row: its mean of `column`, marked if it is the best or not distinct from it."""
    means = [row.mean(column) for row in results.rows]
    losses = [None if mean is None else metric.loss(mean) for mean in means]
    has_one_value = len(set(means) - {None}) < 2  # nothing to be better than
    shades = scale_to_shades(losses)
    best = results.best(column)
    near = results.near(column)
    worse = results.worse_than_constant(column)
    above = results.above_constant(column)

    squares = []
    for row, mean, shade in zip(results.rows, means, shades, strict=True):
        mark = ""
        if row in worse:
            mark = "worse"
        elif row in above:
            mark = "above"
        elif not has_one_value and row in best:
            mark = "best"
        elif not has_one_value and row in near:
            mark = "near"

        note = ""
        bounds = interval(results, row, column)
        if bounds and bounds[0] < bounds[1]:  # where no user differs, it says nothing
            note = between(bounds)

        squares.append(
            Square(
                text=number(mean, bounds),
                tip=_accuracy_tip(row, column, bounds),
                value=mean,
                shade=shade,
                mark=mark,
                note=note,
            )
        )
    return squares


def _accuracy_tip(row: Row, column: str, bounds: Bounds | None) -> str:
    """What is said of a mean: its spread, each fold, and the times; or why there is none."""
    spread = row.spread(column)
    if spread is None:
        return f"{row.name}, {field_name(column)}: {row.missing(column)}"

    values = [number(value, bounds) for value in row.values(column)]
    fit = row.seconds("fit")
    rate = row.seconds("rate")
    rank = row.seconds("rank")

    lines = [
        f"{row.name}, {field_name(column)}: {plus_minus(spread, bounds)}",
        f"folds: {', '.join(values)}",
        NOT_MEASURED_HERE if row.is_external else describe_times(fit, rate, rank),
    ]
    return "\n".join(lines)


def describe_times(fit: float | None, *test: float | None) -> str:
    """Such as `fit 1.2 s, test 0.3 s`, where testing is rating and ranking together."""
    known = [time for time in test if time is not None]
    tested = duration(sum(known)) if known else NONE
    return f"fit {duration(fit)}, test {tested}"


def cost_heatmap(results: Results) -> Heatmap:
    """Rows against seconds of each phase and megabytes."""
    shown = [(Column(COLD_COSTS, "time", "↓"), _cold_squares(results))]
    for phase in PHASES:
        shown.append((Column(phase, "time", "↓"), _time_squares(results, phase)))
    shown.append((Column(ALL_PHASES, "time", "↓"), _total_squares(results)))
    for memory, label in MEMORY_COLUMNS.items():
        shown.append((Column(label, "MB", "↓"), _memory_squares(results, memory)))
    if any(row.serving is not None for row in results.rows):
        shown.append((Column("top ten, p99", "time", "↓"), _latency_squares(results)))

    columns = []
    by_row: dict[str, list[Square]] = {row.name: [] for row in results.rows}
    for column, squares in shown:
        columns.append(column)
        for row, square in zip(results.rows, squares, strict=True):
            by_row[row.name].append(square)

    averaged = over_folds(results, " (mean over folds)")
    title = f"Time{averaged} and memory"
    lines = _lines_of_rows(results, by_row)
    return Heatmap("cost", title, columns, lines)


def _time_squares(results: Results, phase: str) -> list[Square]:
    """One square a row: seconds of `phase`; grey, without a colour, if cells ran side by side."""
    times = [row.seconds(phase) for row in results.rows]
    shades = scale_to_shades(times, log=True)
    squares = []
    for row, time, shade in zip(results.rows, times, shades, strict=True):
        averaged = over_folds(results, " on average over the folds")
        average = f"{row.name}, {phase}: {duration(time)}{averaged}"
        tip = f"{average}\n{_describe_samples(row, phase)}"

        # A time that should be a median, and is not, is marked.
        is_known = time is not None
        is_grey = row.contended and is_known
        has_median = phase in MEDIAN_PHASES and is_known
        is_single = has_median and 1 in row.samples(phase)

        mark = "once" if is_single else ""
        colour = None if is_grey else shade
        squares.append(Square(duration(time), tip, time, colour, mark, is_grey))
    return squares


def _cold_squares(results: Results) -> list[Square]:
    """One square a row: seconds of imports and warm-up, in no other number."""
    times = [row.cold_seconds for row in results.rows]
    shades = scale_to_shades(times, log=True)
    squares = []
    for row, time, shade in zip(results.rows, times, shades, strict=True):
        meaning = over_folds(results, ", the highest of all folds")
        if time is None:
            meaning = ", not measured"
        if row.is_external:
            meaning = f", {NOT_MEASURED_HERE}"
        tip = f"{row.name}, {COLD_COSTS}: {duration(time)}{meaning}"
        is_grey = row.contended and time is not None
        colour = None if is_grey else shade
        squares.append(Square(duration(time), tip, time, colour, grey=is_grey))
    return squares


def _total_squares(results: Results) -> list[Square]:
    """One square a row: seconds of all phases together, by which rows are compared."""
    times = [row.seconds(*PHASES) for row in results.rows]
    shades = scale_to_shades(times, log=True)
    squares = []
    for row, time, shade in zip(results.rows, times, shades, strict=True):
        averaged = over_folds(results, " on average over the folds")
        tip = f"{row.name}, {ALL_PHASES}: {duration(time)}{averaged}"
        if row.is_external:
            tip = f"{row.name}, {ALL_PHASES}: {NOT_MEASURED_HERE}"
        is_grey = row.contended and time is not None
        colour = None if is_grey else shade
        squares.append(Square(duration(time), tip, time, colour, grey=is_grey))
    return squares


def _memory_squares(results: Results, memory: str) -> list[Square]:
    """One square a row: the greatest `peak_mb` or `grown_mb`."""
    label = MEMORY_COLUMNS[memory]
    used = [row.memory_mb(memory) for row in results.rows]
    shades = scale_to_shades(used, log=True)
    squares = []
    for row, megabyte, shade in zip(results.rows, used, shades, strict=True):
        meaning = "greatest of all phases and folds"
        if megabyte is None:
            meaning = "not measured on this platform"
        if row.is_external:
            meaning = NOT_MEASURED_HERE
        tip = f"{row.name}, {label}: {megabytes(megabyte)} MB, {meaning}"
        squares.append(Square(megabytes(megabyte), tip, megabyte, shade))
    return squares


def _latency_squares(results: Results) -> list[Square]:
    """One square a row: the p99 of one user's list; grey, without a colour, if it is not steady."""
    costs = [row.serving.cost if row.serving else None for row in results.rows]
    times = [cost.p99_seconds if cost else None for cost in costs]
    shades = scale_to_shades(times, log=True)
    squares = []
    for row, cost, time, shade in zip(results.rows, costs, times, shades, strict=True):
        tip = f"{row.name}, one user's list: {_why_not_served(row)}"
        is_grey = False
        if cost is not None:
            is_grey = row.contended or not cost.is_steady
            doubt = "" if cost.is_steady else "; not steady"
            tip = (
                f"{row.name}, one user's list: p50 {duration(cost.p50_seconds)}, p99 "
                f"{duration(time)} of {cost.users:,} users{doubt}"
            )
        colour = None if is_grey else shade
        squares.append(Square(duration(time), tip, time, colour, grey=is_grey))
    return squares


def _why_not_served(row: Row) -> str:
    """Why nobody knows what serving a row would cost, in words."""
    return row.serving.reason if row.serving else "not measured"


def _describe_samples(row: Row, phase: str) -> str:
    """How often the time of a phase was taken in each fold, and whether cells ran side by side."""
    if row.is_external:
        return NOT_MEASURED_HERE
    counts = row.samples(phase)
    if counts == [0]:
        return "not timed"

    numbers = " to ".join(map(str, counts))
    kind = f"the median of {numbers} samples"
    if counts == [1]:
        kind = "a single run"
    contended = "; contended: other cells ran at the same time" if row.contended else ""
    return f"each fold: {kind}{contended}"


def _lines_of_rows(results: Results, by_row: dict[str, list[Square]]) -> list[Line]:
    """The rows with their squares; without them where a fold has failed."""
    lines = []
    for row in results.rows:
        squares = [] if row.failures else by_row[row.name]
        reasons = _reasons_of_failures(row)
        lines.append(Line(row.name, row.family, squares, row.failure, reasons))
    return lines


def _reasons_of_failures(row: Row) -> str:
    """Why folds of the row are not ok, one a line."""
    reasons = []
    for record in row.failures:
        reasons.append(f"fold {record.cell.fold}: {record.status}: {record.reason or ''}")
    return "\n".join(reasons)


def colour_key(n: int = 9) -> list[str]:
    """`n` colours from best to worst, for a legend."""
    return [colours_of_shade(shade)[0] for shade in np.linspace(0, 1, n)]
