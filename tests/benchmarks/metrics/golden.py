"""Fixed answers and the numbers that the bench has made of them, by version of its definitions.

`python -m tests.benchmarks.metrics.golden` adds the numbers of a new version and of new metrics,
and changes none: whoever changes a definition raises `protocols.VERSION` first.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.benchmarks.evaluation.numbers import evaluate_answers
from recbench.benchmarks.evaluation.questions import collect_answers
from recbench.benchmarks.metrics.protocols import PROTOCOLS, VERSION, Evaluation
from recbench.datasets.ratings import Catalogue, Ratings
from tests.adapters.planted import direct

FILE = Path(__file__).with_name("golden.json")
N_USERS = 17
N_ITEMS = 23
GENRES = ("crime", "comedy", "war", "music")
CATALOGUE = Catalogue(
    tuple(f"film {item}" for item in range(N_ITEMS)),
    (None,) * N_ITEMS,
    tuple(
        tuple(GENRES[place] for place in range(4) if (item * 7) % (place + 2) == 0)
        for item in range(N_ITEMS)
    ),
)


class Formula(Recommender):
    """Scores by arithmetic alone, with ties and, where it rates, without an opinion now and
    then.
    """

    abstains = True

    def fit(self, data: Ratings, seed: int) -> None:
        raise NotImplementedError

    def score(self, users: Indices, items: Indices) -> Floats:
        scores = ((users * 37 + items * 91 + users * items) % 11 / 2).astype(np.float32)
        return np.where((users + items) % 9 == 0, np.float32(np.nan), scores)


def parts() -> tuple[Ratings, Ratings]:
    """A training and a test part: some users are in the one only, and some in the other."""
    pairs = np.arange(N_USERS * N_ITEMS)
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, N_ITEMS))
    values = (1 + (users * 13 + items * 29 + (users * items) % 5) % 5).astype(np.float32)
    kind = (users * 5 + items * 3 + (users * items) % 7) % 4
    in_training = (kind <= 1) & (users != 3)
    in_test = (kind == 2) & (users != 5)
    train, test = (
        Ratings(users[part], items[part], values[part], N_USERS, N_ITEMS, (1.0, 5.0))
        for part in (in_training, in_test)
    )
    return train, test


def numbers() -> dict[str, Any]:
    """Every metric under every protocol at three cutoffs, and the slices at the first of them."""
    train, test = parts()
    evaluation = Evaluation((5, 1, 30), tuple(PROTOCOLS))
    algorithm = Formula()
    algorithm.__dict__["name"] = "formula"  # in messages; its class has none, it is no adapter
    algorithm.prepare(train)
    answers = collect_answers(algorithm, train, test, evaluation, 0, direct)
    found = evaluate_answers(answers, train, test, CATALOGUE, evaluation, "ratings")
    return {
        "metrics": found.scored.values,
        "slices": [group.to_json() for group in found.slices],
    }


def stored() -> dict[str, Any]:
    """The numbers by version, as a text each."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def write() -> None:
    """Add the numbers of this version, or its new metrics, to the file; what stands there stays.

    SystemExit if there is nothing to be added, since numbers of a version may not move.
    """
    known = stored()
    made = numbers()
    before = known.get(str(VERSION))
    if before is not None:
        if made["metrics"].keys() <= before["metrics"].keys():
            raise SystemExit(
                f"the numbers of version {VERSION} are fixed: raise "
                f"benchmarks.metrics.protocols.VERSION first"
            )
        made = before | {"metrics": made["metrics"] | before["metrics"]}
    FILE.write_text(json.dumps(known | {str(VERSION): made}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
