"""Models of a small board for the tests of this folder, and what a fresh process says of them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from recbench.adapters.conformance import checkerboard, describe_items, plant_truth
from recbench.benchmarks.models import Model, Recipe, train_model
from recbench.datasets.ratings import Dataset, Provenance
from tests.conftest import ROOT

# Loads every model of a folder, and says for each what it answers, or why it is not to be had.
# The scores are written as bytes, so that they can be compared to the last bit.
ASKER = """
import json, sys
from pathlib import Path
import numpy as np
import recbench
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Ratings

def first_ratings(model):
    rated = model.rated[:5].tocoo()
    users, items = (column.astype(np.int32) for column in rated.coords)
    return Ratings(users, items, rated.data, 5, rated.shape[1], model.description.data.scale)

folder = Path(sys.argv[1])
said = {}
for directory in sorted(folder.iterdir()):
    try:
        model = recbench.load_model(directory)
    except UsageError as error:
        said[directory.name] = str(error)
        continue
    n_users, n_items = model.rated.shape
    users, items = np.indices((n_users, n_items)).reshape(2, -1).astype(np.int32)
    everybody = np.arange(n_users, dtype=np.int32)
    pairs = model.algorithm.score(users, items)
    grid = model.algorithm.score_items(everybody)
    answers = {"pairs": pairs, "grid": grid}
    if model.algorithm.folds_in():
        answers["folded"] = model.algorithm.fold_in(first_ratings(model))
    np.savez(directory.with_suffix(".answers.npz"), **answers)
print(json.dumps(said))
"""


def board(feedback: Any = "explicit") -> Dataset:
    """The data set of the contract suite, with ids as numbers and as texts."""
    ratings = checkerboard()
    return Dataset(
        name="board",
        ratings=ratings,
        catalogue=describe_items(ratings.n_items),
        user_ids=np.arange(ratings.n_users) + 1000,
        item_ids=np.array([f"SKU-{item}" for item in range(ratings.n_items)]),
        provenance=Provenance((), "made up", "nobody"),
        truth=plant_truth(ratings),
        feedback=feedback,
    )


def train_on_board(algorithm: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> Model:
    """An algorithm fitted to the whole board; with its defaults once, since tests only ask it."""
    if not parameters:
        return _train_by_default(algorithm)
    recipe = Recipe(algorithm, algorithm, parameters, "the defaults")
    return train_model(board(), recipe)


@cache
def _train_by_default(algorithm: str) -> Model:
    return train_model(board(), Recipe(algorithm, algorithm, {}, "the defaults"))


def ask_in_fresh_process(folder: Path) -> dict[str, str]:
    """What a process that has fitted nothing says of the models in `folder` that it cannot load.

    Beside each of the others stands what it answers, as `NAME.answers.npz`.
    """
    result = subprocess.run(
        [sys.executable, "-c", ASKER, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    said: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return said
