"""How defaults were chosen without a test rating: `python -m tests.proof.choose_defaults DIR WHAT`.

WHAT is `sgd` or `implicit-als`, for a small grid inside the training part of the first of three
folds of MovieLens 100k, as suite `standard` divides it; or `shop`, for the Keras rows on ratings
like those of a small shop, which decides which of them is in suite `quick`. The best stands first.
Finished runs in DIR are kept.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas

import recbench
from recbench.adapters import available
from recbench.benchmarks.splits.folds import divide

N_FOLDS = 3  # of suite standard
SHOP_SEED = 14


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
    dataset = recbench.load("movielens-100k")
    rows, _ = divide(dataset, "kfold", N_FOLDS, 0, 0)
    train = dataset.ratings.take(rows)
    frame = pandas.DataFrame(
        {"user": train.users, "item": train.items, "rating": train.values, "timestamp": train.times}
    )
    return compare(frame, directory, settings, metric, split=split, folds=folds)


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
