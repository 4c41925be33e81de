"""A row that a cell has fitted, as something to serve: saved, loaded from disk, and timed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import Recommender
from recbench.benchmarks.evaluation import time_questions
from recbench.benchmarks.models.description import Training
from recbench.benchmarks.models.directory import load_model, save_model
from recbench.benchmarks.models.latency import measure_latency
from recbench.benchmarks.models.model import KnownItems
from recbench.benchmarks.models.training import Code, LearnedFrom, Recipe, make_model
from recbench.benchmarks.records import Cell, DataDescription, PhaseCost, Serving
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Ratings

ROUND_SECONDS = 10.0  # after which a round has no further user: some need a tenth of a second each
N_LOADS = 3
LOADS_SECONDS = 0.5  # as long as all loads together took less, it is loaded again


@dataclass(frozen=True, eq=False)
class FittedRow:
    """An algorithm as a cell has fitted it, and all that a model of it has to know."""

    algorithm: Recommender
    cell: Cell
    costs: dict[str, PhaseCost]
    train: Ratings  # in the unit of the data
    data: DataDescription
    catalogue: Catalogue
    user_ids: NDArray[Any]  # as the user wrote them
    item_ids: NDArray[Any]


def measure_serving(row: FittedRow, directory: Path) -> Serving:
    """Save a row as a model in `directory`, load it from there and ask it.

    What is asked has answered as the fitted algorithm does, or there is a reason in place of
    numbers; so there is where it cannot be saved.
    """
    cell = row.cell
    recipe = Recipe(
        row=cell.row,
        algorithm=cell.algorithm,
        parameters=cell.arguments,
        parameters_from="those of the row",
        seed=cell.seed,
        threads=cell.threads,
    )
    training = Training(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        convert_seconds=row.costs["convert"].seconds,
        fit_seconds=row.costs["fit"].seconds,
        seed=cell.seed,
        threads=cell.threads,
    )
    learned = LearnedFrom(
        ratings=row.train,
        data=row.data.replaced(ratings=len(row.train)),
        user_ids=row.user_ids,
        items=KnownItems.of_catalogue(row.item_ids, row.catalogue),
        dataset=cell.dataset,
    )
    code = Code(cell.source, cell.libraries)
    try:
        fitted = make_model(row.algorithm, learned, recipe, training, code)
        model = save_model(fitted, directory)
    except UsageError as error:
        return Serving(reason=str(error))

    load_seconds = time_questions(load_model, [directory] * N_LOADS, LOADS_SECONDS)
    cost = measure_latency(model, seed=cell.seed, most=ROUND_SECONDS)
    return Serving(cost=cost.replaced(load_seconds=float(np.median(load_seconds))))
