"""How an algorithm is fitted, the same wherever that is done, and what it notes meanwhile."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from recbench.adapters.base import Recommender
from recbench.adapters.shared.units import Units
from recbench.datasets.ratings import Catalogue, Ratings

Call = Callable[..., Any]  # `call(phase, function, *arguments)` gives what the function gives


def call_plainly(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The call alone; who measures takes a call of their own."""
    return function(*arguments)


def fit_algorithm(
    algorithm: Recommender,
    train: Ratings,
    catalogue: Catalogue,
    seed: int,
    *,
    threads: int = 1,
    call: Call = call_plainly,
) -> None:
    """Tell `algorithm` of the index spaces and threads, seed, convert and fit.

    `train` is in the unit that the algorithm asks for. `call` makes the calls of the phases
    "convert" and "fit".
    """
    algorithm.prepare(train, threads)

    random.seed(seed)  # for libraries that draw from the global generators
    np.random.seed(seed)

    data = call("convert", algorithm.convert, train, catalogue)
    call("fit", algorithm.fit, data, seed)


def read_trace(algorithm: Recommender, units: Units) -> list[dict[str, float | None]]:
    """What the algorithm has noted of its epochs, if it notes anything; None stands for what is not
    finite, and errors are in the unit of the data.
    """
    trace = []
    for point in getattr(algorithm, "trace_", []):
        entry = {name: _finite_or_none(value) for name, value in point.items()}
        for name, value in entry.items():
            if units.differ and value is not None and name.endswith("rmse"):
                entry[name] = value * units.points
        trace.append(entry)
    return trace


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
