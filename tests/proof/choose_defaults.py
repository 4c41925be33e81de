"""How defaults were chosen without a test rating: `python -m tests.proof.choose_defaults DIR WHAT`.

WHAT is `sgd`, `implicit-als` or `keras`, for a small grid inside the training part of the first of
three folds of MovieLens 100k, as suite `standard` divides it; or `shop`, for the Keras rows on
ratings like those of a small shop, which decides which of them is in suite `quick`. The best stands
first. Finished runs in DIR are kept. `keras` makes no runs: the epochs are read off the curve of
each setting, on a fifth of the ratings that it has not learned from.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

import recbench
from recbench.adapters import available, create
from recbench.benchmarks.splits.folds import divide
from recbench.datasets.ratings import Dataset, Ratings

N_FOLDS = 3  # of suite standard
SHOP_SEED = 14

# What was tried of the Keras rows: up to how many epochs, and what else
KERAS_SETTINGS: dict[str, tuple[int, list[dict[str, Any]]]] = {
    "keras-mf": (40, [{"learning_rate": rate} for rate in (0.001, 0.002, 0.004)]),
    "keras-two-tower": (40, [{"batch_size": size} for size in (64, 128, 256)]),
    "keras-recommender-net": (20, [{"regularisation": weight} for weight in (3e-6, 1e-5, 3e-5)]),
    "keras-deep": (40, [{"activation": activation} for activation in ("linear", "relu")]),
    "keras-ranking": (
        10,
        [
            {"optimizer": "adam", "learning_rate": 0.0005},
            {"optimizer": "adam", "learning_rate": 0.001},
            {"optimizer": "adam", "learning_rate": 0.002},
            {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 128},
            {"optimizer": "adagrad", "learning_rate": 0.1},
        ],
    ),
    "keras-autorec": (40, [{"regularisation": weight} for weight in (100.0, 200.0, 400.0)]),
    "keras-hybrid": (12, [{"learning_rate": rate} for rate in (0.001, 0.003, 0.01)]),
}


def main(directory: Path, what: str) -> None:
    """Print the table of one search."""
    match what:
        case "sgd":
            settings = [
                f"{name}[init_deviation={deviation}]"
                for name in ("numba-sgd", "numpy-sgd")
                for deviation in (0.01, 0.02, 0.05, 0.1, 0.2)
            ]
            table = search(directory, settings, "rmse", split="holdout[test=0.2]", folds=1)
        case "implicit-als":
            grid = itertools.product((32, 64, 128), (10, 20, 40, 80), (2, 5, 10))
            settings = [
                f"implicit-als[alpha={alpha},factors={factors},regularization={regularization}]"
                for factors, regularization, alpha in grid
            ]
            table = search(directory, settings, "ndcg@10", split="user-kfold", folds=3)
        case "keras":
            table = watch_epochs()
        case "shop":
            keras_rows = [name for name, row in available().items() if row.family == "keras"]
            settings = ["global-mean", "random", "user-item-bias", "popularity"]
            settings += [*keras_rows, "keras-mf[epochs=5]"]
            table = compare(make_shop(), directory, settings, "rmse", split="kfold", folds=2)
        case _:
            sys.exit(f"{__doc__}")
    print(table.to_string())


def search(
    directory: Path, settings: Sequence[str], metric: str, *, split: str, folds: int
) -> pandas.DataFrame:
    """The settings by their metric on parts of the training part of fold 0, best first."""
    _, train = read_training_part()
    frame = pandas.DataFrame(
        {"user": train.users, "item": train.items, "rating": train.values, "timestamp": train.times}
    )
    return compare(frame, directory, settings, metric, split=split, folds=folds)


def read_training_part() -> tuple[Dataset, Ratings]:
    """MovieLens 100k, and the training part of its fold 0."""
    dataset = recbench.load("movielens-100k")
    rows, _ = divide(dataset, "kfold", N_FOLDS, 0, 0)
    return dataset, dataset.ratings.take(rows)


def watch_epochs() -> pandas.DataFrame:
    """The lowest validation RMSE of each setting of a Keras row, and the epochs after which it was;
    and the RMSE after the default ones. The best of each row stands first.
    """
    dataset, train = read_training_part()
    lines = []
    for name, (most_epochs, settings) in KERAS_SETTINGS.items():
        default = create(name).epochs  # type: ignore[attr-defined]
        for setting in settings:
            watching = {"validation": 0.2, "epochs": most_epochs}
            algorithm = create(name, setting | watching)
            algorithm.prepare(train)
            algorithm.fit(algorithm.convert(train, dataset.catalogue), seed=0)

            curve = [point["val_rmse"] for point in algorithm.trace_]
            line = {
                "row": name,
                "setting": ", ".join(f"{key}={value}" for key, value in setting.items()),
                "epochs": int(np.argmin(curve)) + 1,
                "rmse": min(curve),
                "default epochs": default,
                "rmse there": curve[default - 1],
            }
            print(line, flush=True)
            lines.append(line)
    return pandas.DataFrame(lines).sort_values(["row", "rmse"])


def compare(
    frame: pandas.DataFrame,
    directory: Path,
    settings: Sequence[str],
    metric: str,
    *,
    split: str,
    folds: int,
) -> pandas.DataFrame:
    """What a run says of `settings`, the best in `metric` first."""
    comparison = recbench.run(
        frame, settings, split=split, folds=folds, metrics=["rmse", "ndcg@10"], out=directory
    )
    columns = ["rmse", "rmse_low", "rmse_high", "ndcg@10", "status", "seconds"]
    return comparison.table()[columns].sort_values(metric, ascending=metric == "rmse")


def make_shop(
    n_users: int = 3_000, n_items: int = 2_000, n_ratings: int = 30_000
) -> pandas.DataFrame:
    """Ratings with a planted taste: some ten a user, most of them of few items, most of them high.

    Two of three differences between a user's ratings are taste or bias, the rest is noise.
    """
    rng = np.random.default_rng(SHOP_SEED)
    user_tastes = rng.normal(size=(n_users, 4))
    item_tastes = rng.normal(size=(n_items, 4))
    user_biases = rng.normal(0, 0.4, n_users)
    item_biases = rng.normal(0, 0.4, n_items)

    activities = rng.lognormal(0, 0.8, n_users)
    popularities = 1 / (10 + np.arange(n_items))
    n_drawn = 2 * n_ratings
    users = rng.choice(n_users, n_drawn, p=activities / activities.sum())
    items = rng.choice(n_items, n_drawn, p=popularities / popularities.sum())
    _, first = np.unique(users * n_items + items, return_index=True)
    kept = rng.permutation(first)[:n_ratings]
    users = users[kept]
    items = items[kept]

    taste = 0.3 * (user_tastes[users] * item_tastes[items]).sum(1)
    ratings = 3.9 + user_biases[users] + item_biases[items] + taste
    ratings += rng.normal(0, 0.5, len(kept))
    return pandas.DataFrame(
        {"user": users, "item": items, "rating": np.clip(np.round(ratings), 1, 5)}
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
