"""The second view of accuracy: one metric, algorithms against folds, each with its own status."""

import math
from collections.abc import Sequence

import numpy as np

from recbench.benchmarks.certainty import level_ties
from recbench.benchmarks.metrics import ARROWS, Metric, find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE, Record
from recbench.datasets.foundation import Bounds
from recbench.reports.drawing.heatmap import (
    Column,
    Heatmap,
    Line,
    Square,
    describe_times,
    scale_to_shades,
)
from recbench.reports.results import Results, Row
from recbench.reports.words import NONE, field_name, interval, number, slug

MOST_FOLDS = 12  # what is still read as a table; with `--repeats` there may be a hundred

Place = tuple[int, int]  # the seed of the split, and the fold


def list_folds(results: Results) -> list[Place]:
    """All splits and folds of the run, in the plan's order."""
    return list(
        dict.fromkeys(record.cell.seeded_fold for row in results.rows for record in row.records)
    )


def heatmap_by_fold(results: Results, column: str) -> Heatmap | None:
    """Rows against at most `MOST_FOLDS` folds; None if nothing has a value and nothing failed."""
    metric = find_metric(column)
    shown = list_folds(results)[:MOST_FOLDS]
    records = [[_record_at(row, place) for place in shown] for row in results.rows]
    losses = _compare_losses(records, column, metric)

    all_losses = [loss for line in losses for loss in line]
    has_values = any(loss is not None for loss in all_losses)
    has_failures = any(row.failures for row in results.rows)
    if not has_values and not has_failures:
        return None

    # All squares share one scale, so shades are found for all of them together.
    remaining = iter(scale_to_shades(all_losses))
    pairs = zip(results.rows, losses, strict=True)
    contest = [line for row, line in pairs if row is not results.oracle]
    best = [_best_loss([line[fold] for line in contest]) for fold in range(len(shown))]
    lines = []
    for row, row_records, row_losses in zip(results.rows, records, losses, strict=True):
        squares = []
        bounds = interval(results, row, column)
        for record, loss, best_loss in zip(row_records, row_losses, best, strict=True):
            is_best = loss is not None and loss == best_loss
            is_first = is_best and row is not results.oracle
            mark = "first" if is_first else ""
            shade = next(remaining)
            squares.append(_fold_square(row, record, column, shade, mark, bounds))
        lines.append(Line(row.name, row.family, squares))

    heads = _column_heads(shown, metric)
    return Heatmap(f"folds-{slug(column)}", f"{field_name(column)} by fold", heads, lines, "table")


def _column_heads(shown: list[Place], metric: Metric) -> list[Column]:
    """A column a fold; with the seed of its split instead of the unit where there are several."""
    has_seeds = len({seed for seed, _ in shown}) > 1
    heads = []
    for seed, fold in shown:
        unit = f"seed {seed}" if has_seeds else metric.unit
        heads.append(Column(f"fold {fold}", unit, ARROWS[metric.better]))
    return heads


def _record_at(row: Row, place: Place) -> Record | None:
    """The row's record of a fold; None if that was not planned."""
    return next((record for record in row.records if record.cell.seeded_fold == place), None)


def _loss_of(record: Record | None, column: str, metric: Metric) -> float | None:
    """The loss of a fold, of which less is better; None without a value."""
    value = record.metrics.get(column) if record else None
    return None if value is None else metric.loss(value)


def _compare_losses(
    records: Sequence[Sequence[Record | None]], column: str, metric: Metric
) -> list[list[float | None]]:
    """The loss of each row in each fold; the same where only rounding tells two of a fold apart."""
    losses = [[_loss_of(record, column, metric) for record in line] for line in records]
    levelled = level_ties(np.array(losses, np.float64))
    return [[None if math.isnan(loss) else loss for loss in line] for line in levelled.tolist()]


def _best_loss(losses: Sequence[float | None]) -> float | None:
    """The lowest loss of a fold; None where there are no two different ones."""
    known = {loss for loss in losses if loss is not None}
    return min(known) if len(known) > 1 else None


def _fold_square(
    row: Row,
    record: Record | None,
    column: str,
    shade: float | None,
    mark: str,
    bounds: Bounds | None,
) -> Square:
    """One fold: its value, or the status in its place."""
    if record is None:
        return Square(NONE, f"{row.name}: not planned")

    where = f"{row.name}, {field_name(column)}, {record.cell.place}"
    if record.status != "ok":
        status = record.status.replace("_", " ")
        return Square(status, f"{where}: {status}: {record.reason or ''}", failed=True)

    value = record.metrics.get(column)
    if value is None:
        reason = "no value" if row.failures else row.missing(column)
        return Square(NONE, f"{where}: {reason}")

    times = [record.seconds(phase) for phase in ("fit", "rate", "rank")]
    text = number(value, bounds)
    said_of_times = NOT_MEASURED_HERE if row.is_external else describe_times(*times)
    tip = f"{where}: {text}\n{said_of_times}"
    return Square(text, tip, value, shade, mark)
