"""What a record says of an algorithm that is fitted again with the same seed."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["bit-identical", "within tolerance", "not deterministic"]

# From best to worst
VERDICTS: tuple[Verdict, ...] = ("bit-identical", "within tolerance", "not deterministic")


@dataclass(frozen=True)
class Certificate:
    """What is known about an algorithm's numbers when it is fitted again on the same machine."""

    verdict: Verdict
    # Between scores of the same pair; None if nothing could be compared
    largest_difference: float | None
    checked_on: str  # in words
    reason: str | None  # why the adapter does not promise the same numbers
