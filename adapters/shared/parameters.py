"""The kinds of hyperparameters: which values a field of an adapter may take, and which to try.

An adapter annotates its fields with these. `recbench.adapters.create` checks what a user has typed
against them, and refuses a value out of range with a `UsageError`. What tuning may try of a field
is a `Search` or a `Choose` in its annotation.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
NaturalNumber = Annotated[int, Field(ge=0)]  # a count that may be 0
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]  # 1 would leave nothing over

# Who says where to search, of more than one algorithm. The paper's spaces stand in its program, in
# ParameterTuning/run_parameter_search.py; those of the codex in src/codex/models; those of the
# notebook in examples/04_model_select_and_optimize/nni_surprise_svd.ipynb.
TOIS_2021 = "Ferrari Dacrema et al. 2021"
LENSKIT = "LensKit's codex"
RECOMMENDERS = "Microsoft Recommenders' tuning of SVD"
DECADE = "here: about a decade around the default"


@dataclass(frozen=True)
class Search:
    """From where to where tuning looks for a number, both ends included, and who says so.

    `source` is a paper, a library's documentation, or "here" with a reason. With `log` as often
    between 1 and 10 as between 10 and 100.
    """

    lowest: float
    highest: float
    source: str
    log: bool = False

    def __post_init__(self) -> None:
        """ValueError for an empty interval, and for a logarithm of what has none."""
        if not self.lowest < self.highest:
            raise ValueError(f"Search({self.lowest}, {self.highest}): an empty interval")
        if self.log and self.lowest <= 0:
            raise ValueError(f"Search({self.lowest}, {self.highest}): no logarithm below 0")


@dataclass(frozen=True)
class Choose:
    """That tuning tries every value of a field: those of a `Literal`, or both of a truth.

    `source` as in `Search`.
    """

    source: str
