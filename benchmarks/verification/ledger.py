"""What a verification has compared, and what it has found."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LONGEST = 80  # characters of a value in a finding


class Closeness(NamedTuple):
    """By how much two numbers may differ and still be the same."""

    relative: float
    absolute: float


EXACT = Closeness(0.0, 0.0)


@dataclass
class Ledger:
    """What was compared, counted by kind; every discrepancy in a line; what else a reader should
    know.
    """

    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)

    def compare(
        self,
        kind: str,
        file: str,
        place: str,
        expected: Any,
        found: Any,
        closeness: Closeness = EXACT,
    ) -> None:
        """Compare two values as JSON has them, entry by entry, and note where they differ.

        What is absent is null. Lists of different lengths are one discrepancy.
        """
        if isinstance(expected, Mapping) and isinstance(found, Mapping):
            for name in {**expected, **found}:
                inside = f"{place}.{name}" if place else name
                self.compare(kind, file, inside, expected.get(name), found.get(name), closeness)
            return

        are_lists = isinstance(expected, list) and isinstance(found, list)
        if are_lists and len(expected) == len(found):
            for index, (one, other) in enumerate(zip(expected, found, strict=True)):
                self.compare(kind, file, f"{place}[{index}]", one, other, closeness)
            return

        self.compared[kind] += 1
        if not _are_same(expected, found, closeness):
            self.note(file, place, expected, found)

    def note(self, file: str, place: str, expected: Any, found: Any) -> None:
        """Add a discrepancy."""
        self.findings.append(
            f"{file}: {place}: expected {format_value(expected)}, found {format_value(found)}"
        )


def _are_same(expected: Any, found: Any, closeness: Closeness) -> bool:
    """Whether two values are equal, or two floats close enough."""
    if isinstance(expected, float) and isinstance(found, float):
        is_close = math.isclose(
            expected, found, rel_tol=closeness.relative, abs_tol=closeness.absolute
        )
        return expected == found or is_close
    return bool(expected == found)


def format_value(value: Any) -> str:
    """A value as a finding shows it: `nothing` for None, lists by their length, long texts cut."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        text = f"{len(value)} entries"
    elif isinstance(value, str):
        text = value
    else:
        text = repr(value)
    if len(text) > LONGEST:
        return f"{text[:LONGEST]}..."
    return text
