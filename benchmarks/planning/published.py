"""Published numbers that a suite is measured against."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PublishedNumber
from recbench.datasets.foundation import UsageError, pick_name


def read_published_numbers(
    suite: str, tables: Iterable[Mapping[str, Any]], rows: Collection[str]
) -> tuple[PublishedNumber, ...]:
    """The numbers in the `[[published]]` tables of the file of `suite`, whose rows are `rows`.

    Numbers under `others` are of methods that the suite does not run: they stand beside the rest,
    not measured. UsageError for a row that the suite does not have, an unknown metric, or a metric
    without a tolerance.
    """
    numbers = []
    for table in tables:
        tolerances = table["tolerance"]
        for row in table["rows"]:
            pick_name(f"row of suite {suite}", row, rows)
        for row, values in (table["rows"] | table.get("others", {})).items():
            for column, value in values.items():
                find_metric(column)
                if column not in tolerances:
                    raise UsageError(
                        f"suite {suite}: no tolerance is given for the published {column} of {row}"
                    )
                numbers.append(
                    PublishedNumber(
                        row=row,
                        column=column,
                        value=value,
                        tolerance=tolerances[column],
                        dataset=table["dataset"],
                        source=table["source"],
                    )
                )
    return tuple(numbers)
