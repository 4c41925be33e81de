"""Writes the file of a new algorithm: some twenty lines that keep the contract."""

import re
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from recbench.adapters import available
from recbench.benchmarks.console import FINE, print_lines, serve
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, open_console
from recbench.datasets.storage import write_atomically

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

SOURCE = '''"""NAME: an algorithm of one's own."""

from dataclasses import dataclass

import numpy as np

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Ratings


@dataclass(eq=False)
class CLASS(Recommender):
    """The item's mean rating, drawn towards the mean of all by `damping` ratings more."""

    name = "NAME"
    family = "baseline"
    predicts = "ratings"
    damping: float = 5.0

    def fit(self, data: Ratings, seed: int) -> None:
        """Learn; what scoring needs goes into attributes that end in `_`."""
        sums = np.bincount(data.items, data.values - data.mean, data.n_items)
        counts = np.bincount(data.items, minlength=data.n_items)
        damped = sums / np.maximum(counts + self.damping, 1)
        self.means_ = (data.mean + damped).astype(np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """One score for each pair of user and item, by index."""
        return self.means_[items]
'''


def new_adapter(
    name: Annotated[str, Argument(metavar="NAME", help="what it is called, such as my-means")],
    out: Annotated[Path, Option(help="the folder of the file")] = Path(),
) -> int:
    """Write NAME.py, an algorithm that keeps every law, to be changed into another."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r}: expected small letters, digits and single hyphens, such as my-means"
        )
    if name in available():
        raise UsageError(f"there is an algorithm {name} already: choose another name")
    module = name.replace("-", "_")
    path = out / f"{module}.py"
    if path.exists():
        raise UsageError(f"{path} is there already: choose another name, or remove it")

    class_name = "".join(word.capitalize() for word in name.split("-"))
    source = SOURCE.replace("NAME", name).replace("CLASS", class_name)
    write_atomically(path, source.encode())

    console = open_console(soft_wrap=True)
    run = command_to_type("run")
    print_lines(
        console,
        [
            f"{path} is written. In its folder:",
            f"  {command_to_type('check')} {module}",
            f"  {run} --dataset movielens-100k --plugin {module} --algorithm {name}",
        ],
    )
    return FINE


if __name__ == "__main__":
    serve(new_adapter)
