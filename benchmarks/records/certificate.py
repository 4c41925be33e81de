"""What a record says of an algorithm that is fitted again with the same seed."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from recbench.datasets.foundation import LONGEST_LINE, make_legible

Repeatability = Literal["bit-identical", "within tolerance", "not deterministic"]

# From best to worst
REPEATABILITIES: tuple[Repeatability, ...] = (
    "bit-identical",
    "within tolerance",
    "not deterministic",
)


@dataclass(frozen=True)
class Certificate:
    """What is known about an algorithm's numbers when it is fitted again on the same machine."""

    # Files call it `verdict`, as all schemas have. In the code that is said of a difference.
    repeatability: Annotated[Repeatability, Field(validation_alias="verdict")]
    # Between scores of the same pair; None if nothing could be compared
    largest_difference: float | None
    checked_on: str  # in words
    reason: str | None  # why the adapter does not promise the same numbers

    def __post_init__(self) -> None:
        """What an adapter has written is made legible."""
        if self.reason is not None:
            object.__setattr__(self, "reason", make_legible(str(self.reason), longest=LONGEST_LINE))

    def to_json(self) -> dict[str, Any]:
        """As a record holds it."""
        return {
            "verdict": self.repeatability,
            "largest_difference": self.largest_difference,
            "checked_on": self.checked_on,
            "reason": self.reason,
        }
