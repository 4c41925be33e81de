"""Fitting a row to all ratings of a data set: what a comparison is for."""

import inspect
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters import Recommender, create
from recbench.adapters.shared.fitting import fit_algorithm, read_trace
from recbench.adapters.shared.units import Units
from recbench.benchmarks.evaluation import suggest_remedy
from recbench.benchmarks.models.description import (
    Measurement,
    ModelDescription,
    Training,
    relevance_threshold,
    write_card,
)
from recbench.benchmarks.models.model import KnownItems, Model, probe_scores
from recbench.benchmarks.planning import hyperparameters_of, library_versions
from recbench.benchmarks.records import DataDescription, answers_source, describe_data
from recbench.benchmarks.tuning import History
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings

SHARE_OF_MEMORY = 0.8  # of the machine, that an algorithm may need


@dataclass(frozen=True)
class Recipe:
    """Which row is trained, and how its hyperparameters were found."""

    row: str  # as it is called in tables
    algorithm: str
    parameters: Mapping[str, Any]  # those that are set
    parameters_from: str  # in words
    seed: int = 0
    threads: int = 1
    search: History | None = None
    measured: Measurement | None = None


@dataclass(frozen=True, eq=False)
class LearnedFrom:
    """What an algorithm has learned from, and who and what is in it."""

    ratings: Ratings
    data: DataDescription
    user_ids: NDArray[Any]  # as the user wrote them
    items: KnownItems
    dataset: str  # how the data were named, to find them again


@dataclass(frozen=True)
class Code:
    """What makes the scores of a model: the hash of our code, and what else is installed."""

    source: str
    versions: dict[str, str]  # of Python, recbench, NumPy and what the algorithm needs

    @staticmethod
    def of_adapter(adapter: type[Recommender]) -> "Code":
        """As it is now."""
        return Code(answers_source(adapter), _versions_of(adapter))


class Clock:
    """Makes calls, and keeps what each phase has taken."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}  # wall time, by phase

    def __call__(self, phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives."""
        begun = perf_counter()
        result = function(*arguments)
        self.seconds[phase] = perf_counter() - begun
        return result


def train_model(data: Dataset, recipe: Recipe, dataset: str = "") -> Model:
    """The row of `recipe`, fitted to all ratings of `data`, which `dataset` names.

    UsageError if the algorithm does not take such data, or diverges.
    """
    from threadpoolctl import threadpool_limits

    algorithm = create(recipe.algorithm, recipe.parameters)
    ratings = data.ratings
    _refuse_data(algorithm, data)
    units = Units.choose(algorithm, ratings.scale)
    given = units.convert_ratings(ratings)
    if algorithm.sees_truth:
        algorithm.truth_ = data.truth
    memory_mb = SHARE_OF_MEMORY * psutil.virtual_memory().total / 2**20
    reason = algorithm.skip(given, data.catalogue, memory_mb)
    if reason is not None:
        raise UsageError(f"{recipe.row} cannot be trained on {data.name}: {reason}")

    created = datetime.now(UTC).isoformat(timespec="seconds")
    clock = Clock()
    with threadpool_limits(recipe.threads):
        fit_algorithm(
            algorithm, given, data.catalogue, recipe.seed, threads=recipe.threads, call=clock
        )

    training = Training(
        created=created,
        convert_seconds=clock.seconds["convert"],
        fit_seconds=clock.seconds["fit"],
        seed=recipe.seed,
        threads=recipe.threads,
        trace=read_trace(algorithm, units),
    )
    learned = LearnedFrom(
        ratings=ratings,
        data=describe_data(data),
        user_ids=data.user_ids,
        items=KnownItems.of_catalogue(data.item_ids, data.catalogue),
        dataset=dataset or data.name,
    )
    code = Code.of_adapter(type(algorithm))
    model = make_model(algorithm, learned, recipe, training, code)
    _refuse_divergence(model)
    return model


def make_model(
    algorithm: Recommender,
    learned: LearnedFrom,
    recipe: Recipe,
    training: Training,
    code: Code,
) -> Model:
    """A fitted algorithm as a model of what it has learned from."""
    description = _describe_model(algorithm, learned, recipe, training, code)
    rated = matrix_of_ratings(learned.ratings)
    model = Model(description, algorithm, learned.user_ids, learned.items, rated)
    model.description = description.model_copy(update={"probe": probe_scores(model)})
    return model


def _refuse_data(algorithm: Recommender, data: Dataset) -> None:
    """UsageError where the bench would skip the row whatever the data hold."""
    if not len(data.ratings):
        raise UsageError(f"{data.name} has no ratings to learn from")
    if data.feedback == "implicit" and algorithm.predicts == "ratings":
        raise UsageError(
            f"{algorithm.name} predicts ratings, and {data.name} has none: every line is a positive"
        )


def _refuse_divergence(model: Model) -> None:
    """UsageError if scores are no numbers: such a model would be of no use."""
    users = np.arange(min(len(model.user_ids), 20), dtype=np.int32)
    scores = model.algorithm.score_items(users)
    is_bad = np.isinf(scores)
    if not model.algorithm.abstains:
        is_bad |= np.isnan(scores)
    if is_bad.any():
        remedy = suggest_remedy(model.description.parameters)
        raise UsageError(
            f"{model.description.row} has diverged: some scores are no numbers. {remedy}"
        )


def matrix_of_ratings(ratings: Ratings) -> csr_matrix:
    """The ratings as a users x items matrix, float32; of a pair rated twice the last one stays."""
    pairs = ratings.users.astype(np.int64) * ratings.n_items
    pairs += ratings.items

    # `unique` finds the first of equal ones, which backwards is the last
    _, rows_from_the_end = np.unique(pairs[::-1], return_index=True)
    rows = len(pairs) - 1 - rows_from_the_end

    places = (ratings.users[rows], ratings.items[rows])
    shape = (ratings.n_users, ratings.n_items)
    return csr_matrix((ratings.values[rows], places), shape)


def _describe_model(
    algorithm: Recommender,
    learned: LearnedFrom,
    recipe: Recipe,
    training: Training,
    code: Code,
) -> ModelDescription:
    """All that `model.json` says, but for what only writing it tells."""
    adapter = type(algorithm)
    described = learned.data
    threshold = relevance_threshold(described.scale)
    parameters = hyperparameters_of(algorithm)
    definition = inspect.getdoc(adapter) or "not described"
    units = Units.choose(algorithm, described.scale)
    simulated = " (SIMULATED)" if described.simulated else ""
    card = write_card(
        title=f"{recipe.row}, trained on {described.name}{simulated}",
        definition=definition,
        parameters=parameters,
        parameters_from=recipe.parameters_from,
        predicts=adapter.predicts,
        data=described,
        threshold=threshold,
        measured=recipe.measured,
    )
    return ModelDescription(
        algorithm=recipe.algorithm,
        row=recipe.row,
        module=adapter.__module__,
        predicts=adapter.predicts,
        parameters=parameters,
        parameters_from=recipe.parameters_from,
        search=recipe.search,
        definition=definition,
        revision=adapter.revision,
        source=code.source,
        versions=code.versions,
        data=described,
        dataset=learned.dataset,
        threshold=threshold,
        units="scale" if units.differ else "data",
        training=training,
        measured=recipe.measured,
        probe="",
        state={},
        files={},
        card=card,
    )


def _versions_of(adapter: type[Recommender]) -> dict[str, str]:
    """Of Python, of recbench where it is installed, of NumPy, SciPy and what the adapter needs."""
    versions = {"python": platform.python_version(), **library_versions(adapter)}
    try:
        versions["recbench"] = version("recbench")
    except PackageNotFoundError:
        versions["recbench"] = ""
    return versions
