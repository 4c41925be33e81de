"""What plans and records say beside the numbers: data, folds, machine, costs, the run as a whole.

Each class is an object of the JSON on disk. Earlier versions said less: a field that a file lacks
has its default, and `says` tells the two apart. What a file holds beyond these fields is kept, and
written again as it was.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from recbench.adapters.base import Origin
from recbench.datasets.foundation import make_legible
from recbench.datasets.ratings import Quantity, Source, Step

# Users and items have int32 indices: who names more of them has no such data.
IndexCount = Annotated[int, Field(ge=0, le=2**31 - 1)]
# What was measured: seconds, megabytes or a number a second
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
STEADY = 0.2  # the p99 of all rounds may differ by this share of their median


class Facts(BaseModel):
    """An object of the JSON of a plan or a record, read-only."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def says(self, name: str) -> bool:
        """Whether the field was given or stood in the file, and is not a default."""
        return name in self.model_fields_set

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that were not given and did not stand in the file."""
        return [name for name in names if not self.says(name)]

    def replaced(self, **values: object) -> Self:
        """A copy with other values of these fields, which are taken as they are."""
        return self.model_copy(update=values)

    def to_json(self) -> dict[str, Any]:
        """As it is written: what was given or read, without defaults."""
        return self.model_dump(mode="json", exclude_unset=True)


class DataDescription(Facts):
    """A data set in a record: counts, scale (lowest, highest), digest, and where it comes from."""

    name: str = ""
    users: IndexCount = 0
    items: IndexCount = 0
    ratings: int = 0
    scale: tuple[float, float] = (0.0, 0.0)
    digest: str = ""
    timed: bool = False
    sources: tuple[Source, ...] = ()
    licence: str = ""
    citation: str = ""
    simulated: bool = False
    notice: str = ""  # for simulated data: what the real files are and where to put them
    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()
    calibration: tuple[Quantity, ...] = ()
    # "implicit": every line is a positive, and none is a rating
    feedback: Literal["explicit", "implicit"] = "explicit"


class FoldFacts(BaseModel):
    """The two parts of a fold: their rows and sizes, and how much of the test part is cold.

    None stands where a record is older than the fact.
    """

    model_config = ConfigDict(frozen=True)

    train: int  # ratings of the training part
    test: int
    threshold: float  # the lowest test rating that is relevant under the standard protocol
    train_rows: str | None = None  # fingerprints of the rows
    test_rows: str | None = None
    cold_users: int | None = None  # users of the test part without any training rating
    cold_items: int | None = None
    cold_ratings: int | None = None  # test ratings of such a user or item
    # Where users are new: the ratings that were told of them with the question, and their rows
    history: int | None = None
    history_rows: str | None = None
    begins: int | None = None  # seconds since 1970 of the first test rating, for cuts in time

    def to_json(self) -> dict[str, Any]:
        """As it stands among the facts about the data of a record: without what is None."""
        return self.model_dump(mode="json", exclude_none=True)


class Environment(Facts):
    """The machine, the versions and the commit: what has to be known to believe a number."""

    python: str = ""
    platform: str = ""
    host: str = ""  # the name of the machine; times of two hosts do not compare
    cpu: str = ""
    cores: int | None = None
    memory_mb: float = 0.0
    threads: int = 1
    bound: bool = False  # whether each cell has processors of its own
    contended: bool = False  # whether cells run at the same time
    commit: str = ""  # of the bench; empty where there is no checkout
    dirty: bool = False
    versions: dict[str, str] = {}
    in_process: bool = False  # measured in the command's own process, to debug
    apart: bool = False  # the process of the algorithm held no test rating
    # What else the machine did while a cell was measured; None where that is not known
    load: float | None = None  # load average of the minute before the fit
    steal: float | None = None  # share of processor time that the host gave to others


class PhaseCost(Facts):
    """What one phase of a cell cost. None stands where memory cannot be measured."""

    seconds: float  # the median of the samples
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    grown_mb: float | None = None
    samples: list[float] = []  # every wall time, in seconds
    cpu_samples: list[float] = []  # the processor time of each; empty in early records

    def joined(self, later: "PhaseCost") -> "PhaseCost":
        """This phase with the samples of a later round: medians over all, the greatest memory."""
        samples = [*self.samples, *later.samples]
        cpu_samples = [*self.cpu_samples, *later.cpu_samples]
        cpu_seconds = self.cpu_seconds
        if len(cpu_samples) == len(samples):
            cpu_seconds = statistics.median(cpu_samples)
        return PhaseCost(
            seconds=statistics.median(samples),
            cpu_seconds=cpu_seconds,
            peak_mb=_greatest(self.peak_mb, later.peak_mb),
            grown_mb=_greatest(self.grown_mb, later.grown_mb),
            samples=samples,
            cpu_samples=cpu_samples,
        )


def _greatest(*values: float | None) -> float | None:
    """The greatest of those that are known; None if none is."""
    return max((value for value in values if value is not None), default=None)


class ColdStart(Facts):
    """What a cell takes once before anything is timed: imports, compilation, first-use set-up."""

    import_seconds: float  # of the libraries it wraps, where they were imported first
    warm_up_seconds: float  # of a fit to a toy, and of all questions about it
    # Whether an earlier cell had left the machine code of its warm-up in the cache
    code_was_kept: bool = False

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.import_seconds + self.warm_up_seconds


class CellCost(Facts):
    """What a cell takes from its first line to its record: imports that no other cell has made,
    loading, warm-up, all samples of all phases, statistics.
    """

    seconds: float
    cpu_seconds: float | None = None  # of its processes; None where that is not measured


class FoldInCost(Facts):
    """What it costs to fold in one user who was not in training, each asked for alone."""

    users: int  # how many were timed
    p50_seconds: float  # the median over them
    p99_seconds: float


class ServingCost(Facts):
    """What it costs to serve lists from a model that was loaded from disk.

    Users are drawn with the seed of the cell, the same ones in all rounds and of all rows.
    """

    users: int = Field(ge=1)  # who were asked for, one at a time, in each round
    items: int = Field(ge=1)  # of a list
    p50_seconds: Amount  # medians over the rounds
    p99_seconds: Amount
    p99_of_rounds: tuple[Amount, ...] = Field(min_length=1)
    users_per_second: Amount  # many users at once, in blocks
    load_seconds: Amount  # from the directory to a model that can be asked
    megabytes: Amount  # of the directory on disk
    load: Amount | None = None  # load average of the minute before, of the whole machine

    @property
    def is_steady(self) -> bool:
        """Whether the p99 of all rounds lie within a fifth of their median."""
        furthest = max(abs(p99 - self.p99_seconds) for p99 in self.p99_of_rounds)
        return furthest <= STEADY * self.p99_seconds


class Serving(Facts):
    """What came of measuring the cost to serve a row: one of the two is there."""

    cost: ServingCost | None = None
    reason: Annotated[str, AfterValidator(make_legible)] = ""  # why it has none


class AlgorithmDescription(Facts):
    """A row for those who have only the plan: what it is, what it predicts, and its libraries."""

    definition: str  # with formula and paper
    libraries: list[str] = []  # each with version and licence
    predicts: Literal["ratings", "order"] | None = None  # None: the plan is older than the fact
    # What a report shows of an adapter, so that it needs no plug-in to be built again
    family: str | None = None  # None: the plan is older
    epochs_hyperparameter: str | None = None
    origin: Origin | None = None  # of the defaults; None: not said, or the plan is older
    values_from: Origin | None = None  # of found values, see `--parameters`; None: there are none
    # which law of the contract it breaks with these hyperparameters, as its adapter says; written
    # only where there is one
    broken_law: str | None = None
    folds_in: str | None = None  # how it answers a new user; empty: it cannot, None: older


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a published table, and how far from it the same protocol may come out."""

    row: str
    column: str
    value: float
    tolerance: float
    dataset: str
    source: str


class BlindSpot(Facts):
    """Something that the data of a run cannot tell, whatever the algorithms answer."""

    kind: str  # in a few words, as `all ratings are equal`
    sentence: str  # what is so, and what follows
    hides: list[str] = []  # the metric columns in which these data name no best row


class Disagreement(Facts):
    """A cell that was measured twice, with the same key, and gave other answers the second time."""

    row: str
    place: str
    kept: str  # the run whose record is in the table
    other: str  # the run whose record is kept beside it

    @property
    def sentence(self) -> str:
        """What is so, for people."""
        return (
            f"{self.row}, {self.place}: {self.kept} and {self.other} should have the same answers "
            "and do not; the first is in the table, the second in the folder differing"
        )


class RunDescription(Facts):
    """What a plan says about its run: commands, what is shown, the data, the rows, the machine."""

    command: str = ""  # as it was typed
    reproduce: str = ""  # the command that measures a row again, up to the row's name
    metrics: list[str] = []  # the columns of the report
    protocol: dict[str, Any] = {}  # as `Evaluation.to_json` writes it
    evaluation: str | None = None  # the code that makes numbers of the raw answers
    published: list[PublishedNumber] = []
    data: DataDescription = DataDescription()
    algorithms: dict[str, AlgorithmDescription] = {}  # by row
    environment: Environment = Environment()
    blind_spots: list[BlindSpot] = []  # empty in plans of before they were looked for
    disagreements: list[Disagreement] = []  # of runs that were joined
    shard: str = ""  # such as 2/8: the cells are this part of a plan, see `benchmarks.merge`
