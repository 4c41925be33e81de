"""A program elsewhere: it reads exported folds, and knows nothing of the bench but their files."""

import csv
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

N_LISTED = 12


def answer_folds(folds: Path, out: Path, kinds: tuple[str, ...] = ("ratings", "lists")) -> Path:
    """Write answers to each fold below `folds` into `out`; which is given back.

    Ratings are the item's mean, lists the items with the highest means, their scores nearer to each
    other than single precision can tell.
    """
    for sidecar in sorted(folds.glob("fold-*/fold.json")):
        directory = out / sidecar.parent.name
        directory.mkdir(parents=True)
        shutil.copy(sidecar, directory)
        train = read_rows(sidecar.parent / "train.csv")
        test = read_rows(sidecar.parent / "test.csv")
        if "ratings" in kinds:
            write_rows(directory / "ratings.csv", predict_ratings(train, test))
        if "lists" in kinds:
            write_rows(directory / "lists.csv", recommend_items(train, test))
    return out


def read_rows(path: Path) -> list[list[str]]:
    """The lines of a file without its heading."""
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """User, item and score, with a heading."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user", "item", "score"])
        table.writerows(rows)


def predict_ratings(train: list[list[str]], test: list[list[str]]) -> list[list[object]]:
    """The mean of the item's training ratings, or 3."""
    means = mean_by_item(train)
    return [[user, item, means.get(item, 3.0)] for user, item, *_ in test]


def mean_by_item(train: list[list[str]]) -> dict[str, float]:
    ratings = defaultdict(list)
    for _, item, rating, *_ in train:
        ratings[item].append(float(rating))
    return {item: sum(values) / len(values) for item, values in ratings.items()}


def recommend_items(train: list[list[str]], test: list[list[str]]) -> list[list[object]]:
    """The items with the highest means that the user has not rated, the last ones first."""
    means = mean_by_item(train)
    rated = defaultdict(set)
    for user, item, *_ in train:
        rated[user].add(item)
    ranked = sorted(means, key=lambda item: -means[item])

    rows: list[list[object]] = []
    for user in sorted({user for user, *_ in test}):
        unseen = [item for item in ranked if item not in rated[user]][:N_LISTED]
        rows += [[user, item, 1e9 - place * 1e-3] for place, item in enumerate(unseen)]
    return rows[::-1]
