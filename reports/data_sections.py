"""What the report says about the data, and how far each algorithm is from what the data allow."""

from typing import Any

from benchmarks.metrics import find
from reports import words
from reports.sections import section
from reports.tables import Results


@section("What is in the data?")
def data(results: Results) -> dict[str, Any]:
    """What the loader remarked; for simulated data how close they come to the real ones, and the oracle's lead."""
    described = results.about["data"]
    return {
        "remarks": described.get("remarks", []),
        "calibration": [_quantity(quantity) for quantity in described.get("calibration", [])],
        "distances": _distances(results),
        "columns": _distance_columns(results),
    }


def _quantity(quantity: dict[str, Any]) -> dict[str, str]:
    """A calibrated quantity as text: name, target with tolerance, what the simulation has, and whether it fits."""
    target, tolerance, simulated = quantity["target"], quantity["tolerance"], quantity["simulated"]
    fits = "" if tolerance is None else "yes" if abs(simulated - target) <= tolerance else "NO"
    return {
        "name": quantity["name"],
        "target": f"{target:,.4g}" if abs(target) < 1000 else f"{target:,.0f}",
        "tolerance": "shown only" if tolerance is None else f"± {tolerance:g}",
        "simulated": f"{simulated:,.4g}" if abs(simulated) < 1000 else f"{simulated:,.0f}",
        "fits": fits,
    }


def _distance_columns(results: Results) -> list[str]:
    """The shown metrics in which the oracle has a mean."""
    oracle = results.oracle
    return [
        column for column in results.columns if oracle and column != "coverage" and oracle.mean(column) is not None
    ]


def _distances(results: Results) -> list[tuple[str, list[str]]]:
    """For each other row, how much worse than the oracle it is in each of those columns."""
    if results.oracle is None:
        return []
    lines = []
    for row in results.contestants:
        cells = []
        for column in _distance_columns(results):
            best, mean = results.oracle.mean(column), row.mean(column)
            metric = find(column)
            cells.append("–" if best is None or mean is None else words.number(metric.loss(mean) - metric.loss(best)))
        lines.append((row.name, cells))
    return lines
