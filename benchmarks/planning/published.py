"""Published numbers that a suite is measured against."""

from collections.abc import Iterable, Mapping
from typing import Any

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import PublishedNumber
from recbench.datasets.foundation import UsageError, pick_name


def published(
    suite: str, tables: Iterable[Mapping[str, Any]], rows: Iterable[str]
) -> tuple[PublishedNumber, ...]:
    """The numbers in the `[[published]]` tables of a suite's file.

    UsageError for a row that the suite does not have, an unknown metric, or a metric without a tolerance.
    """
    names, found = list(rows), []
    for table in tables:
        for row, values in table["rows"].items():
            pick_name(f"row of suite {suite}", row, names)
            for column, value in values.items():
                find_metric(column)
                if column not in table["tolerance"]:
                    raise UsageError(
                        f"suite {suite}: no tolerance is given for the published {column} of {row}"
                    )
                tolerance = table["tolerance"][column]
                found.append(
                    PublishedNumber(
                        row, column, value, tolerance, table["dataset"], table["source"]
                    )
                )
    return tuple(found)
