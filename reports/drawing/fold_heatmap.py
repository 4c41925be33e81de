"""The second view of accuracy: one metric, algorithms against folds, where every fold has a status of its own."""

from recbench.benchmarks.metrics import ARROWS, find
from recbench.benchmarks.records import Record
from recbench.reports.drawing.heatmap import Column, Heatmap, Line, Square, fit_and_test, shades
from recbench.reports.results import Results, Row
from recbench.reports.words import NONE, number, slug

MOST_FOLDS = 12  # what is still read as a table; with `--repeats` there may be a hundred

Place = tuple[int, int]  # the seed of the division, and the fold


def places(results: Results) -> list[Place]:
    """All divisions and folds of the table, in the plan's order."""
    return list(dict.fromkeys(_place(record) for row in results.rows for record in row.records))


def by_fold(results: Results, column: str) -> Heatmap | None:
    """Rows against at most `MOST_FOLDS` folds; None where nothing has a value and nothing has failed."""
    metric, shown = find(column), places(results)[:MOST_FOLDS]
    several = len({seed for seed, _ in shown}) > 1
    heads = [
        Column(f"fold {fold}", f"seed {seed}" if several else metric.unit, ARROWS[metric.better])
        for seed, fold in shown
    ]
    found = [[_found(row, place) for place in shown] for row in results.rows]
    values = [
        [record.metrics.get(column) if record else None for record in records] for records in found
    ]
    if not any(value is not None for row in values for value in row) and not any(
        row.failures for row in results.rows
    ):
        return None
    flat = [None if value is None else metric.loss(value) for row in values for value in row]
    shaded = shades(flat)
    best = [_best(results, column, place) for place in shown]
    lines = []
    for index, row in enumerate(results.rows):
        squares = []
        for at, record in enumerate(found[index]):
            first = flat[index * len(shown) + at] == best[at] and row is not results.oracle
            shade = shaded[index * len(shown) + at]
            squares.append(
                _square(
                    row, record, column, shade, "first" if first and best[at] is not None else ""
                )
            )
        lines.append(Line(row.name, row.family, squares))
    return Heatmap(f"folds-{slug(column)}", f"{column} by fold", heads, lines, "table")


def _place(record: Record) -> Place:
    return record.cell.split_seed, record.cell.fold


def _found(row: Row, place: Place) -> Record | None:
    return next((record for record in row.records if _place(record) == place), None)


def _best(results: Results, column: str, place: Place) -> float | None:
    """The lowest loss of the fold; None where there are no two different ones."""
    records = [record for row in results.contestants if (record := _found(row, place))]
    losses = {
        find(column).loss(value)
        for record in records
        if (value := record.metrics.get(column)) is not None
    }
    return min(losses) if len(losses) > 1 else None


def _square(row: Row, record: Record | None, column: str, shade: float | None, mark: str) -> Square:
    """One fold: its value, or the status in its place."""
    if record is None:
        return Square(NONE, f"{row.name}: not planned")
    where = f"{row.name}, {column}, {record.cell.place}"
    if record.status != "ok":
        word = record.status.replace("_", " ")
        return Square(word, f"{where}: {word}: {record.reason or ''}", failed=True)
    value = record.metrics.get(column)
    if value is None:
        return Square(NONE, f"{where}: {row.missing(column) if not row.failures else 'no value'}")
    fit, rate, rank = (
        record.costs.get(phase, {}).get("seconds") for phase in ("fit", "rate", "rank")
    )
    return Square(
        number(value),
        f"{where}: {number(value)}\n{fit_and_test(fit, rate, rank)}",
        value,
        shade,
        mark,
    )
