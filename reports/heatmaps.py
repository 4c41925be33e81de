"""What a heatmap shows, whether it becomes an HTML table or a figure: squares with a number, a colour and a tip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from benchmarks.measure import PHASES
from benchmarks.metrics import ARROWS
from reports.tables import Results, Row, metrics
from reports.words import NONE, megabytes, number, plus_minus, seconds

COLOURS = colormaps["YlGnBu"]  # safe for colour-blind eyes; grows evenly darker, so it works in grey print too


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    name: str
    unit: str
    arrow: str  # one of `ARROWS`, or "" where nothing is better

    @property
    def better(self) -> str:
        """The arrow in words."""
        return next((f"{better} is better" for better, arrow in ARROWS.items() if arrow == self.arrow), "")


@dataclass(frozen=True)
class Square:
    """One number. `shade` runs from 0, the best of its column, to 1; None means no colour."""

    text: str
    tip: str
    value: float | None = None
    shade: float | None = None
    mark: str = ""  # "best", "near" or ""
    grey: bool = False
    failed: bool = False  # `text` is the status in the place of a number

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and text colour."""
        return None if self.shade is None else paint(self.shade)


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
    """A table with coloured squares; `name` is also the name of its figure."""

    name: str
    title: str
    columns: list[Column]
    lines: list[Line]

    @property
    def legend(self) -> list[str]:
        """What the marks and greys in it mean; only those that occur."""
        squares = [square for line in self.lines for square in line.squares]
        meanings = {
            "★ best mean": any(square.mark == "best" for square in squares),
            "≈ cannot be told from the best (see below)": any(square.mark == "near" for square in squares),
            "grey: contended, other cells ran at the same time": any(square.grey for square in squares),
            "hatched: not every fold ran, so there is no mean": any(line.failure for line in self.lines),
        }
        return [meaning for meaning, occurs in meanings.items() if occurs]

    @property
    def families(self) -> dict[str, list[Line]]:
        """The lines by family, in order."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.family, []).append(line)
        return found


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2, from 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def paint(shade: float) -> tuple[str, str]:
    """Background and text colour of a shade: the better, the brighter. Their contrast is at least 4.5 to 1."""
    background = to_hex(COLOURS(0.05 + 0.8 * shade))
    light = luminance(background)
    return background, "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def shades(values: Sequence[float | None], *, log: bool = False) -> list[float | None]:
    """The values of a column from 0 (lowest, best) to 1; none where all are the same, for there is nothing to see.

    What lies more than 1.5 quartile distances beyond the worse quartile gets 1 too, so that one hopeless row does not
    flatten all others; a logarithmic scale needs no such limit.
    """
    known = np.array([value for value in values if value is not None])
    if len(set(known)) < 2:
        return [None] * len(values)
    if log:
        floor = min((value for value in known if value > 0), default=1.0)
        scaled = np.log10(np.maximum(known, floor))
        worst = scaled.max()
    else:
        scaled = known
        first, third = np.quantile(scaled, [0.25, 0.75])
        worst = min(scaled.max(), third + 1.5 * (third - first)) if third > first else scaled.max()
    span = worst - scaled.min()
    shaded = iter(np.clip((scaled - scaled.min()) / span, 0, 1) if span > 0 else np.zeros(len(scaled)))
    return [None if value is None else float(next(shaded)) for value in values]


def accuracy(results: Results) -> Heatmap:
    """Rows against metrics: means over the folds."""
    shown = metrics(results)
    columns = [Column(name, m.unit, ARROWS[m.better]) for name, m in shown.items()]
    table: dict[str, list[Square]] = {row.name: [] for row in results.rows}
    for name, metric in shown.items():
        means = [row.mean(name) for row in results.rows]
        best, near = results.best(name), results.near(name)
        alone = len(set(means) - {None}) < 2  # nothing to be better than
        losses = [None if mean is None else metric.loss(mean) for mean in means]
        for row, mean, shade in zip(results.rows, means, shades(losses), strict=True):
            mark = "" if alone else "best" if row in best else "near" if row in near else ""
            table[row.name].append(Square(number(mean), _accuracy_tip(row, name), mean, shade, mark))
    return Heatmap("accuracy", "Mean over folds", columns, _lines(results, table))


def _accuracy_tip(row: Row, column: str) -> str:
    spread = row.spread(column)
    if spread is None:
        return f"{row.name}, {column}: {row.missing(column)}"
    folds = ", ".join(number(value) for value in row.values(column))
    test = [row.seconds("rate"), row.seconds("rank")]
    asked = seconds(sum(time for time in test if time is not None)) if any(t is not None for t in test) else NONE
    times = f"fit {seconds(row.seconds('fit'))} s, test {asked} s"
    return f"{row.name}, {column}: {plus_minus(spread)}\nfolds: {folds}\n{times}"


def cost(results: Results) -> Heatmap:
    """Rows against seconds and megabytes."""
    table: dict[str, list[Square]] = {row.name: [] for row in results.rows}
    columns = [Column(phase, "s", "↓") for phase in PHASES]
    for phase in PHASES:
        times = [row.seconds(phase) for row in results.rows]
        for row, time, shade in zip(results.rows, times, shades(times, log=True), strict=True):
            tip = f"{row.name}, {phase}: {seconds(time)} s on average over the folds\n{_samples(row, phase)}"
            grey = row.contended and time is not None
            table[row.name].append(Square(seconds(time), tip, time, None if grey else shade, grey=grey))
    for name, label in (("peak_mb", "peak memory"), ("grown_mb", "memory growth")):
        columns.append(Column(label, "MB", "↓"))
        used = [row.memory_mb(name) for row in results.rows]
        for row, megabyte, shade in zip(results.rows, used, shades(used, log=True), strict=True):
            what = "greatest of all phases and folds" if megabyte is not None else "not measured on this platform"
            tip = f"{row.name}, {label}: {megabytes(megabyte)} MB, {what}"
            table[row.name].append(Square(megabytes(megabyte), tip, megabyte, shade))
    columns.append(Column("fits timed", "a fold", ""))
    for row in results.rows:
        counts = row.samples("fit")
        text = " to ".join(map(str, sorted({counts[0], counts[-1]})))
        table[row.name].append(Square(text, f"{row.name}\n{_samples(row, 'fit')}", float(counts[-1])))
    return Heatmap("cost", "Seconds (mean over folds) and memory", columns, _lines(results, table))


def _samples(row: Row, phase: str) -> str:
    counts = row.samples(phase)
    kind = "a single run" if counts == [1] else f"the median of {' to '.join(map(str, counts))} samples"
    contended = "; contended: other cells ran at the same time" if row.contended else ""
    return f"each fold: {kind}{contended}" if counts != [0] else "not timed"


def _lines(results: Results, table: dict[str, list[Square]]) -> list[Line]:
    return [
        Line(row.name, row.family, [] if row.failures else table[row.name], row.failure, _reasons(row))
        for row in results.rows
    ]


def _reasons(row: Row) -> str:
    return "\n".join(f"fold {record.cell.fold}: {record.status}: {record.reason or ''}" for record in row.failures)


def key(n: int = 9) -> list[str]:
    """The colours from best to worst, for a legend."""
    return [paint(shade)[0] for shade in np.linspace(0, 1, n)]
