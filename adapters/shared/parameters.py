"""The kinds of hyperparameters: which values a field of an adapter may take, and which to try.

An adapter annotates its fields with these. `recbench.adapters.create` checks what a user has typed
against them, and refuses a value out of range with a `UsageError`. What tuning may try of a field
is a `Search` in its annotation.
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


@dataclass(frozen=True)
class Search:
    """From where to where tuning looks for a number, both ends included.

    With `log` as often between 1 and 10 as between 10 and 100. Where the ends come from, a paper
    or experience, the docstring of the adapter says.
    """

    lowest: float
    highest: float
    log: bool = False

    def __post_init__(self) -> None:
        """ValueError for an empty interval, and for a logarithm of what has none."""
        if not self.lowest < self.highest:
            raise ValueError(f"Search({self.lowest}, {self.highest}): an empty interval")
        if self.log and self.lowest <= 0:
            raise ValueError(f"Search({self.lowest}, {self.highest}): no logarithm below 0")
