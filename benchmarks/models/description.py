"""What `model.json` says of a model: what it is, what it learned from, and what it was worth."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from recbench.benchmarks.records import DataDescription
from recbench.benchmarks.tuning import History
from recbench.datasets.foundation import format_number
from recbench.datasets.ratings import RELEVANT_SHARE, share_of_scale

FORMAT = 1  # of the directory; a later version of the bench may write another
KIND = "recbench model"  # so that no other JSON is mistaken for one


class Said(BaseModel):
    """An object of `model.json`, read-only."""

    model_config = ConfigDict(frozen=True)


class MeasuredNumber(Said):
    """A metric of the row in its run: the mean over the folds, and its 95 % interval over users."""

    value: float
    low: float | None = None  # None: not known, for example for too few users
    high: float | None = None

    @property
    def text(self) -> str:
        """Such as `0.9112 (0.9034 to 0.9187)`."""
        value = format_number(self.value)
        if self.low is None or self.high is None:
            return value
        return f"{value} ({format_number(self.low)} to {format_number(self.high)})"


class Measurement(Said):
    """What the run of a row has measured: of models like this one, on parts of the same data."""

    run: str  # the directory, as it was named
    row: str
    split: str
    n_folds: int
    seed: int
    columns: dict[str, MeasuredNumber]
    seconds: float | None = None  # of all phases together, mean over the folds
    best_by: str = ""  # the metric in which it was the run's best row; "" if it was named
    not_different: list[str] = []  # rows not significantly different from it in that metric
    cheapest: str = ""  # of these and the row itself


class Training(Said):
    """How the model was fitted."""

    created: str  # ISO 8601, UTC
    convert_seconds: float
    fit_seconds: float
    seed: int
    threads: int
    trace: list[dict[str, float | None]] = []  # an entry an epoch, if the algorithm keeps one


class ModelDescription(Said):
    """All of `model.json`."""

    kind: Literal["recbench model"] = "recbench model"
    format: int = FORMAT
    algorithm: str
    row: str
    module: str  # in which the algorithm was found, to be named for a plug-in
    predicts: Literal["ratings", "order"]
    parameters: dict[str, Any]  # all hyperparameters
    parameters_from: str  # in words
    search: History | None = None  # by which they were found on all ratings
    definition: str  # formula and paper, from the adapter
    revision: int
    source: str  # hash of the code that makes the scores
    versions: dict[str, str]  # of Python, recbench, NumPy and what the algorithm needs
    data: DataDescription
    dataset: str  # how the data were named, to find them again
    threshold: float  # from which rating on an item is relevant
    units: Literal["data", "scale"]  # in which ratings the algorithm was given
    training: Training
    measured: Measurement | None = None
    probe: str  # hash of the scores of some users, as the fitted algorithm gave them
    state: dict[str, Any]  # outline of what was learned, see `state`
    files: dict[str, str]  # the sha256 of each file beside model.json
    megabytes: float = 0.0  # of these files
    load_seconds: float = 0.0  # from the directory to the first question, once
    card: str  # all of it in words

    @property
    def title(self) -> str:
        """Row and data in a few words, with SIMULATED where it has to be said."""
        simulated = " (SIMULATED)" if self.data.simulated else ""
        return f"{self.row}, trained on {self.data.name}{simulated}"


def relevance_threshold(scale: tuple[float, float]) -> float:
    """The rating from which on an item is relevant under the standard protocol."""
    return share_of_scale(scale, RELEVANT_SHARE)


def write_card(
    *,
    title: str,
    definition: str,
    parameters: dict[str, Any],
    parameters_from: str,
    predicts: str,
    data: DataDescription,
    threshold: float,
    measured: Measurement | None,
) -> str:
    """The model card: paragraphs that say what the model is for, and what is known of it."""
    lowest, highest = data.scale
    answers = "It predicts ratings, and ranks by them."
    if predicts == "order":
        answers = "It ranks only: its scores order items and are no ratings."
    what = [f"{title}.", definition.strip(), answers]

    settings = ", ".join(f"{name}={value}" for name, value in parameters.items()) or "none"
    how = [f"Hyperparameters: {settings} ({parameters_from})."]

    trained = (
        f"Trained on all {data.ratings:,} ratings of {data.users:,} users for {data.items:,} items "
        f"on a scale from {lowest:g} to {highest:g}; relevant is a rating from {threshold:g} on."
    )
    learned_from = [trained]
    if data.simulated:
        learned_from.append(f"THE RATINGS ARE SIMULATED: {data.notice}")
    learned_from.append(f"Licence of the data: {data.licence or 'not stated'}.")
    learned_from.append(
        "The directory holds the ratings and ids of these users: whom it is given to, they are."
    )
    paragraphs = [what, how, learned_from, _describe_measurement(measured), _limits()]
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs)


def _describe_measurement(measured: Measurement | None) -> list[str]:
    """What is known of its accuracy, as sentences."""
    if measured is None:
        return ["Its accuracy was not measured: no run is known in which the row took part."]

    numbers = [f"{column} {number.text}" for column, number in measured.columns.items()]
    sentences = [
        f"Measured in {measured.run} ({measured.split}, {measured.n_folds} folds, seed "
        f"{measured.seed}), on models that learned from the training part of each fold: "
        f"{'; '.join(numbers)}. In brackets the 95 % interval over users."
    ]
    if measured.best_by:
        sentences.append(describe_choice(measured))
    return sentences


def describe_choice(measured: Measurement) -> str:
    """Which rows are as good as the best one, as far as the run can tell, in a sentence."""
    if not measured.not_different:
        return f"It was the best row of the run in {measured.best_by}."
    rows = ", ".join(measured.not_different)
    sentence = (
        f"It was the best row of the run in {measured.best_by}; not significantly different from "
        f"it: {rows}."
    )
    if measured.cheapest == measured.row:
        return f"{sentence} It is the cheapest of them."
    return f"{sentence} The cheapest of them all is {measured.cheapest}."


def _limits() -> list[str]:
    """What no such model can do."""
    return [
        "Offline accuracy says how well held-out ratings of the same users are found again; what "
        "people do with the recommendations it does not say.",
        "Users and items that were not in the data are not known to the model.",
    ]


def plain_json(description: ModelDescription) -> dict[str, Any]:
    """The description as JSON has it."""
    content = description.model_dump(mode="json")
    content["data"] = description.data.to_json()
    return content


def describe_epochs(trace: Sequence[dict[str, float | None]]) -> list[str]:
    """A line an epoch: every value of the trace to four decimals, but for the times.

    Beside a root of a mean squared error stands its square, which many a notebook prints.
    """
    lines = []
    for point in trace:
        texts = []
        for name, value in point.items():
            if name in ("epoch", "seconds"):
                continue
            texts.append(f"{name} {_four_decimals(value)}")
            if name.endswith("rmse"):
                square = None if value is None else value**2
                texts.append(f"{name.removesuffix('rmse')}mse {_four_decimals(square)}")
        lines.append(f"epoch {point['epoch']:g}: {'  '.join(texts)}")
    return lines


def _four_decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
