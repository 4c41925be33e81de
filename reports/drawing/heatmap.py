"""What a heatmap shows, whether it becomes an HTML table or a figure: squares with a number, a colour and a tip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, to_hex, to_rgb

from recbench.benchmarks.metrics import ARROWS, Floats
from recbench.benchmarks.records import PHASES
from recbench.reports.results import Results, Row, metrics
from recbench.reports.words import NONE, between, interval, megabytes, number, plus_minus, seconds

COLOURS = colormaps[
    "YlGnBu"
]  # safe for colour-blind eyes; grows evenly darker, so it works in grey print too
MEDIAN_PHASES = (
    "convert",
    "fit",
)  # timed several times where that takes little time; the others once


@dataclass(frozen=True)
class Mark:
    """A sign beside a number: how it is drawn, read aloud, and explained in the legend."""

    sign: str
    spoken: str
    meaning: str


MARKS = {
    "best": Mark("★", "best", "best mean"),
    "near": Mark("≈", "not to be told from the best", "cannot be told from the best (see below)"),
    "first": Mark("★", "best", "best of its fold"),
    "once": Mark(
        "1×", "timed once", "timed by a single run; convert and fit are else the median of several"
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
        """The arrow in words."""
        return next(
            (f"{better} is better" for better, arrow in ARROWS.items() if arrow == self.arrow), ""
        )


@dataclass(frozen=True)
class Square:
    """One number. `shade` runs from 0, the best of its scale, to 1; None means no colour."""

    text: str
    tip: str
    value: float | None = None
    shade: float | None = None
    mark: str = ""  # one of `MARKS` or ""
    grey: bool = False
    note: str = ""  # a second, smaller line
    failed: bool = False  # `text` is the status of a cell that is not ok

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and text colour."""
        return None if self.shade is None else paint(self.shade)

    @property
    def sign(self) -> Mark | None:
        """The mark behind its name."""
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
    """A table with coloured squares; `name` is also that of its figure, `scale` what shares a scale of colours."""

    name: str
    title: str
    columns: list[Column]
    lines: list[Line]
    scale: str = "column"

    @property
    def squares(self) -> list[Square]:
        """All of them."""
        return [square for line in self.lines for square in line.squares]

    @property
    def noted(self) -> bool:
        """Whether any square has a second line."""
        return any(square.note for square in self.squares)

    @property
    def legend(self) -> list[str]:
        """What the marks and greys in it mean; only those that occur."""
        marks = {square.mark for square in self.squares}
        meanings = {
            f"{mark.sign} {mark.meaning}": name in marks for name, mark in MARKS.items()
        } | {
            "small: 95 % interval over users": self.noted,
            "grey: contended, other cells ran at the same time": any(
                square.grey for square in self.squares
            ),
            "hatched: not every fold ran, so there is no mean": any(
                line.failure for line in self.lines
            ),
            "hatched: this fold did not run to its end": any(
                square.failed for square in self.squares
            ),
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


def on(background: str) -> str:
    """Black or white, whichever is easier to read on `background`; the contrast is at least 4.5 to 1."""
    light = luminance(background)
    return "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def paint(shade: float, colours: Colormap = COLOURS) -> tuple[str, str]:
    """Background and text colour of a shade: with `COLOURS`, the better, the brighter."""
    background = to_hex(colours(0.05 + 0.8 * shade))
    return background, on(background)


def shades(values: Sequence[float | None], *, log: bool = False) -> list[float | None]:
    """The values of a column from 0 (lowest, best) to 1; none where all are the same, for there is nothing to see.

    What lies beyond the `fence` gets 1 too, so that one hopeless row does not flatten all others; a logarithmic scale
    needs no such limit.
    """
    known = np.array([value for value in values if value is not None])
    if len(set(known)) < 2:
        return [None] * len(values)
    if log:
        floor = min((value for value in known if value > 0), default=1.0)
        scaled = np.log10(np.maximum(known, floor))
        worst = float(scaled.max())
    else:
        scaled, worst = known, fence(known)
    span = worst - scaled.min()
    shaded = iter(
        np.clip((scaled - scaled.min()) / span, 0, 1) if span > 0 else np.zeros(len(scaled))
    )
    return [None if value is None else float(next(shaded)) for value in values]


def fence(losses: Sequence[float] | Floats) -> float:
    """The worst loss that is worth a place on a scale: at most 1.5 quartile distances beyond the worse quartile."""
    first, third = np.quantile(losses, [0.25, 0.75])
    return float(min(max(losses), third + 1.5 * (third - first)) if third > first else max(losses))


def accuracy(results: Results) -> Heatmap:
    """Rows against metrics: means over the folds, with their intervals over users where these are known."""
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
            bounds = interval(results, row, name)
            note = (
                between(bounds) if bounds and bounds[0] < bounds[1] else ""
            )  # where no user differs, it says nothing
            table[row.name].append(
                Square(number(mean), _accuracy_tip(row, name), mean, shade, mark, note=note)
            )
    return Heatmap("accuracy", "Mean over folds", columns, _lines(results, table))


def _accuracy_tip(row: Row, column: str) -> str:
    spread = row.spread(column)
    if spread is None:
        return f"{row.name}, {column}: {row.missing(column)}"
    folds = ", ".join(number(value) for value in row.values(column))
    times = fit_and_test(row.seconds("fit"), row.seconds("rate"), row.seconds("rank"))
    return f"{row.name}, {column}: {plus_minus(spread)}\nfolds: {folds}\n{times}"


def fit_and_test(fit: float | None, *test: float | None) -> str:
    """Such as `fit 1.2 s, test 0.3 s`, where testing is rating and ranking together."""
    asked = [time for time in test if time is not None]
    return f"fit {seconds(fit)} s, test {seconds(sum(asked)) if asked else NONE} s"


def cost(results: Results) -> Heatmap:
    """Rows against seconds and megabytes."""
    table: dict[str, list[Square]] = {row.name: [] for row in results.rows}
    columns = [Column(phase, "s", "↓") for phase in PHASES]
    for phase in PHASES:
        times = [row.seconds(phase) for row in results.rows]
        for row, time, shade in zip(results.rows, times, shades(times, log=True), strict=True):
            tip = f"{row.name}, {phase}: {seconds(time)} s on average over the folds\n{_samples(row, phase)}"
            grey = row.contended and time is not None
            once = phase in MEDIAN_PHASES and time is not None and 1 in row.samples(phase)
            mark, shown = "once" if once else "", None if grey else shade
            table[row.name].append(Square(seconds(time), tip, time, shown, mark, grey))
    for name, label in (("peak_mb", "peak memory"), ("grown_mb", "memory growth")):
        columns.append(Column(label, "MB", "↓"))
        used = [row.memory_mb(name) for row in results.rows]
        for row, megabyte, shade in zip(results.rows, used, shades(used, log=True), strict=True):
            what = (
                "greatest of all phases and folds"
                if megabyte is not None
                else "not measured on this platform"
            )
            tip = f"{row.name}, {label}: {megabytes(megabyte)} MB, {what}"
            table[row.name].append(Square(megabytes(megabyte), tip, megabyte, shade))
    return Heatmap("cost", "Seconds (mean over folds) and memory", columns, _lines(results, table))


def _samples(row: Row, phase: str) -> str:
    counts = row.samples(phase)
    kind = (
        "a single run"
        if counts == [1]
        else f"the median of {' to '.join(map(str, counts))} samples"
    )
    contended = "; contended: other cells ran at the same time" if row.contended else ""
    return f"each fold: {kind}{contended}" if counts != [0] else "not timed"


def _lines(results: Results, table: dict[str, list[Square]]) -> list[Line]:
    return [
        Line(
            row.name,
            row.family,
            [] if row.failures else table[row.name],
            row.failure,
            _reasons(row),
        )
        for row in results.rows
    ]


def _reasons(row: Row) -> str:
    return "\n".join(
        f"fold {record.cell.fold}: {record.status}: {record.reason or ''}"
        for record in row.failures
    )


def key(n: int = 9) -> list[str]:
    """The colours from best to worst, for a legend."""
    return [paint(shade)[0] for shade in np.linspace(0, 1, n)]
