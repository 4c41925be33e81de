"""A program that knows Cornac and not this bench: run by the Python of another environment.

    python cornac_elsewhere.py FOLDS OUT

It fits two of Cornac's models to each exported fold, writes what they answer below OUT/mf and
OUT/bpr, and what Cornac's own evaluation says of them, by model and fold, to OUT/evaluated.json.
"""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cornac.eval_methods import BaseMethod  # type: ignore[import-not-found]
from cornac.metrics import MAE, NDCG, RMSE, Precision, Recall  # type: ignore[import-not-found]
from cornac.models import BPR, MF  # type: ignore[import-not-found]

Triples = list[tuple[str, str, float]]

K = 10
N_LISTED = 20


def read_part(path: Path) -> Triples:
    with path.open(newline="") as file:
        return [(row["user"], row["item"], float(row["rating"])) for row in csv.DictReader(file)]


def write_answers(path: Path, rows: Triples) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user", "item", "score"])
        table.writerows(rows)


def predict_ratings(model: Any, method: Any, test: Triples) -> Triples:
    """Cornac's prediction for each test pair, which it clips to the scale itself."""
    users = method.global_uid_map
    items = method.global_iid_map
    return [
        (user, item, float(model.rate(users[user], items[item]).item())) for user, item, _ in test
    ]


def rank_items(model: Any, method: Any, train: Triples, test: Triples) -> Triples:
    """The first items of each test user among those not rated in training, unknown ones too."""
    items = list(method.global_iid_map)
    rated: dict[str, set[int]] = {}
    for user, item, _ in train:
        rated.setdefault(user, set()).add(method.global_iid_map[item])

    rows = []
    for user in dict.fromkeys(user for user, _, _ in test):
        barred = list(rated.get(user, ()))
        candidates = np.setdiff1d(np.arange(len(items)), barred)
        ranked, scores = model.rank(method.global_uid_map[user], candidates, k=N_LISTED)
        score_of = dict(zip(candidates.tolist(), scores.tolist(), strict=True))
        rows += [(user, items[item], score_of[item]) for item in ranked[:N_LISTED].tolist()]
    return rows


def main(folds: Path, out: Path) -> None:
    """Fit, answer, and evaluate on every fold."""
    evaluated: dict[str, dict[str, dict[str, float]]] = {}
    for fold in sorted(folds.glob("fold-*")):
        for name, averages in evaluate_fold(fold, out).items():
            evaluated.setdefault(name, {})[fold.name] = averages
    (out / "evaluated.json").write_text(json.dumps(evaluated))


def evaluate_fold(fold: Path, out: Path) -> dict[str, dict[str, float]]:
    """Cornac's numbers of both models on a fold; their answers are written."""
    metrics = [RMSE(), MAE(), Precision(K), Recall(K), NDCG(K)]
    evaluated: dict[str, dict[str, float]] = {}
    train = read_part(fold / "train.csv")
    test = read_part(fold / "test.csv")
    models = {
        "mf": MF(k=10, max_iter=20, seed=1),
        "bpr": BPR(k=10, max_iter=50, seed=1),
    }
    for name, model in models.items():
        # every test item counts as relevant, and no training item is a candidate
        method = BaseMethod.from_splits(
            train, test, rating_threshold=1.0, exclude_unknowns=False, seed=1
        )
        result, _ = method.evaluate(model, metrics, user_based=False)
        averages = result.metric_avg_results
        evaluated[name] = {metric: float(value) for metric, value in averages.items()}

        directory = out / name / fold.name
        directory.mkdir(parents=True)
        shutil.copy(fold / "fold.json", directory)
        write_answers(directory / "lists.csv", rank_items(model, method, train, test))
        if name == "mf":
            write_answers(directory / "ratings.csv", predict_ratings(model, method, test))
    return evaluated


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
