"""The whole contract between the bench and an algorithm."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.ratings import Catalogue, Ratings

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


class Recommender(ABC):
    """An algorithm under test. Subclasses are dataclasses whose fields are the hyperparameters.

    The bench calls `convert`, `fit`, `score` and `score_items` in this order, times each apart, and does everything
    else itself: clipping, fallback, removing known items, ties, metrics. An adapter only scores. It must not change
    its inputs and must answer for every user and item index below `n_users` and `n_items`, seen in training or not.
    """

    name: ClassVar[str]
    family: ClassVar[
        str
    ]  # "baseline", "neighbours", "linear", "factors", "keras" ...: groups rows in the report
    predicts: ClassVar[
        Literal["ratings", "order"]
    ]  # "order": scores only rank items, so there is no RMSE
    requires: ClassVar[tuple[str, ...]] = ()  # modules it needs; imported only inside methods
    revision: ClassVar[int] = 1  # raise it when the numbers should change
    abstains: ClassVar[bool] = (
        False  # True: a NaN score means "no opinion"; otherwise NaN is divergence
    )
    personal: ClassVar[bool] = (
        True  # False: cannot learn that tastes differ; a baseline need not say so
    )
    # the hyperparameter that counts passes over the training data; None if there is none
    epochs_hyperparameter: ClassVar[str | None] = None
    sees_truth: ClassVar[bool] = (
        False  # True: the bench sets `truth_`; such rows join every run on simulated data
    )

    threads: int = 1  # how many the bench allows; no hyperparameter
    truth_: Floats | None = None  # `Dataset.truth`, if there is one and the algorithm sees it
    trace_: list[dict[str, float]]  # optional, left by fit: [{"epoch": 1, "train_rmse": ...}, ...]

    def prepare(self, train: Ratings, threads: int = 1) -> None:
        """What the bench tells every algorithm before `convert`: the size of the index space and the threads."""
        self.n_users_, self.n_items_, self.threads = train.n_users, train.n_items, threads

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Why this algorithm cannot run on this data within `memory_mb` megabytes, or None if it can."""
        return None

    def nondeterminism(self) -> str | None:
        """Why the same seed may give other numbers on this machine with these parameters, or None."""
        return None

    def convert(self, train: Ratings, catalogue: Catalogue) -> Any:
        """The training ratings in the library's own form. Timed apart from `fit`."""
        return train

    @abstractmethod
    def fit(self, data: Any, seed: int) -> None:
        """Learn from what `convert` returned; the state goes into attributes that end in `_`."""

    @abstractmethod
    def score(self, users: Indices, items: Indices) -> Floats:
        """One score for each pair (users[j], items[j]), float32 of shape (len(users),)."""

    def score_items(self, users: Indices) -> Floats:
        """The scores of all items for each of `users`, float32 of shape (len(users), n_items)."""
        n_items = self.n_items_
        pairs = self.score(
            np.repeat(users, n_items), np.tile(np.arange(n_items, dtype=np.int32), len(users))
        )
        return pairs.reshape(len(users), n_items)
