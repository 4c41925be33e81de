"""The whole contract between the bench and an algorithm."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.ratings import Catalogue, Ratings

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]

# In which unit an algorithm is given ratings and predicts them. The bench converts both ways.
UNITS = {
    "data": "as they are",
    "scale": "as stars from 1 to 5: its hyperparameters act in rating points",
    "library": "as stars if the scale is not 3 to 5 wide, as that of a library's defaults is",
}


@dataclass(frozen=True)
class Origin:
    """Where the defaults of an algorithm's hyperparameters come from.

    `kind` is "library", "paper" or "notebook" for what others chose, "tuned here", or "none": there
    is nothing to choose, or the default turns off what it sets. `source` names library, paper or
    notebook. `data` are the data sets that `chosen`, names of hyperparameters, were tuned on, as in
    `--dataset`: "movielens-100k" stands for its filtered copies too. For what was tuned here `part`
    says by which ratings, and `budget` how many settings were tried, or that it was not recorded.

    >>> Origin("library", "Surprise").text
    'library: Surprise'
    >>> Origin("paper", "Steck 2019", ("movielens-20m",), ("regularisation",)).text
    'paper: Steck 2019, tuned on movielens-20m'
    """

    kind: Literal["library", "paper", "notebook", "tuned here", "none"]
    source: str = ""
    data: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    part: Literal["", "validation part", "test part"] = ""
    budget: str = ""

    @property
    def text(self) -> str:
        """All of it on one line, as lists and reports show it."""
        if self.kind == "tuned here":
            names = ", ".join(self.chosen)
            tuned = f"tuned here: {names} on {', '.join(self.data)}, "
            tuned += f"by a {self.part}, {self.budget}"
            return f"{tuned}; else {self.source}" if self.source else tuned

        text = f"{self.kind}: {self.source}" if self.source else self.kind
        if self.data:
            text += f", tuned on {', '.join(self.data)}"
        return text

    def was_tuned_on(self, dataset: str) -> bool:
        """Whether one of `data` is that data set, or the one that it was made from.

        >>> origin = Origin("tuned here", "", ("movielens-100k",), ("alpha",))
        >>> origin.was_tuned_on("movielens-100k"), origin.was_tuned_on("movielens-1m")
        (True, False)
        """
        name = dataset.partition("[")[0]
        return any(name == tuned or name.startswith(f"{tuned}-") for tuned in self.data)


# For what has nothing to choose
NOTHING_TO_CHOOSE = Origin("none")

# In place of the text of an origin that a plug-in does not give
NOT_SAID = "not said"

# Attributes that end in "_" and are no part of what was learned
NOT_NEEDED_TO_SCORE = ("truth_", "trace_")


class Servable:
    """What a model asks of a fitted algorithm beside scores. An adapter need write none of it."""

    # why one that was fitted cannot be kept as a model, see `state`; None: it can
    unsaved: ClassVar[str | None] = None

    def state(self) -> dict[str, Any]:
        """All that scoring needs after `fit`, by name, for a model that is kept on disk.

        These are the attributes that end in `_`, but for what is not needed to score: `truth_` and
        `trace_`. A model holds arrays of numbers or texts, scipy's sparse matrices, numbers, texts,
        truths and None; and lists, tuples, dictionaries and dataclasses of these. Who keeps
        something else, as the object of a library, overrides this and `restore`.
        """
        return {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_") and name not in NOT_NEEDED_TO_SCORE
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as the instance whose `state` this is: all scores are equal to the last bit."""
        for name, value in state.items():
            setattr(self, name, value)

    def explain(self, user: int, item: int) -> tuple[Indices, Floats] | None:
        """The items of `user` that the score of `item` comes from, and what each adds to it.

        In any order, and in any unit: the largest are shown as the reasons for a recommendation.
        None if the algorithm cannot tell.
        """
        return None

    def similar(self, item: int, n: int = 10) -> tuple[Indices, Floats] | None:
        """The `n` items most similar to `item`, itself left out, and how similar they are.

        The most similar first, ties by index; fewer where there are no more. None if the algorithm
        knows no similarity of items.
        """
        return None


class Recommender(Servable, ABC):
    """An algorithm under test. Subclasses are dataclasses whose fields are the hyperparameters.

    The bench asks `skip` of an instance that has seen no data. Then it calls `prepare`, `convert`,
    `fit`, `score_items` and `score`, in this order, and times each of the last four apart. Lists
    come before ratings on purpose: the pairs that `score` is asked for are the test part, and who
    has seen them knows what to recommend.

    The bench does everything else itself: clipping, fallback, removing known items, ties, metrics,
    and the unit of ratings, see `units`.
    An adapter only scores. It must not change its inputs and must answer for every user and item
    index below `n_users` and `n_items`, seen in training or not.
    """

    # What an adapter says of itself. None of these is a field: write `name = "item-mean"`, without
    # a type, for with one it would become a hyperparameter.
    name: ClassVar[str]
    # "baseline", "neighbours", "linear", "factors", "keras" ...: groups rows in the report
    family: ClassVar[str]
    # "order": it ranks only: scores order items, and there is no RMSE
    predicts: ClassVar[Literal["ratings", "order"]]
    # modules it needs; imported only inside methods
    requires: ClassVar[tuple[str, ...]] = ()
    # how to install these, of an optional row, whose libraries `make install` leaves out
    install: ClassVar[str | None] = None
    # raise it when the numbers should change
    revision: ClassVar[int] = 1
    # True: a NaN score means "no opinion"; otherwise NaN is divergence
    abstains: ClassVar[bool] = False
    # False: cannot learn that tastes differ; a baseline need not say so
    personal: ClassVar[bool] = True
    # True: the bench sets `truth_`; such rows join every run on simulated data
    sees_truth: ClassVar[bool] = False
    # in which unit it is given ratings and predicts them, see `UNITS`
    units: ClassVar[Literal["data", "scale", "library"]] = "data"
    # the hyperparameter that counts passes over the training data; None if there is none
    epochs_hyperparameter: ClassVar[str | None] = None
    # where the defaults come from; a plug-in need not say so, and reports show that it does not
    origin: ClassVar[Origin | None] = None

    # What the bench sets, or `fit` leaves.
    threads: int = 1  # how many the bench allows; no hyperparameter
    truth_: Floats | None = None  # `Dataset.truth`, if there is one and the algorithm sees it
    trace_: list[dict[str, float]]  # optional, left by fit: [{"epoch": 1, "train_rmse": ...}, ...]

    def prepare(self, train: Ratings, threads: int = 1) -> None:
        """What the bench tells every algorithm before `convert`: index spaces and threads.

        Sets `n_users_` and `n_items_`, the sizes of the index spaces of users and items, and
        `threads`.
        """
        self.n_users_ = train.n_users
        self.n_items_ = train.n_items
        self.threads = threads

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Why this algorithm cannot run on this data within `memory_mb` megabytes, or None.

        Asked before `prepare`, so `train` has to be asked for the sizes of the index spaces.
        """
        return None

    def nondeterminism(self) -> str | None:
        """Why the same seed may give other numbers on this machine, or None.

        The answer is about these hyperparameters and the threads that are allowed.
        """
        return None

    def broken_law(self) -> str | None:
        """The law of the contract that these hyperparameters break on purpose, and how, or None.

        For a mistake that others have made and that is measured as it is; no default may make one.
        Plans and reports say it beside the row.
        """
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
        every_item = np.arange(self.n_items_, dtype=np.int32)
        pair_users = np.repeat(users, self.n_items_)
        pair_items = np.tile(every_item, len(users))
        return self.score(pair_users, pair_items).reshape(len(users), self.n_items_)

    def fold_in(self, ratings: Ratings) -> Floats:
        """The scores of all items for users who were not in training, from some of their ratings.

        Float32 of shape (ratings.n_users, n_items). `ratings` are in the unit of the training part
        and in its index space of items; their users are numbered anew, and some may have no rating.
        What is said of a user depends on that user's ratings alone. Nothing that `fit` has left may
        change. Not every algorithm can do it: one that leaves this method as it is, is skipped
        where all users are new.
        """
        raise NotImplementedError(f"{self.name} cannot answer users it has not seen")

    @classmethod
    def folds_in(cls) -> bool:
        """Whether it can answer users that it has not seen, that is, has a `fold_in` of its own."""
        return cls.fold_in is not Recommender.fold_in
