"""What the verdicts of a comparison come to: one outcome, and the sentence that says it."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto

from recbench.benchmarks.gating.tolerances import TIMES
from recbench.benchmarks.gating.verdicts import LOST, Verdict


class Outcome(Enum):
    """What becomes of a gate. The first that is true counts."""

    FAILED = auto()  # a row has got worse by more than is tolerated
    INCOMPLETE = auto()  # a row of the head has no numbers
    UNJUDGED = auto()  # something that should have been judged could not be
    PASSED = auto()


def conclude(
    verdicts: Sequence[Verdict], *, is_idle: bool = False, fails_on_suspicious: bool = False
) -> Outcome:
    """The outcome of `verdicts`.

    FAILED if one has REGRESSED, or is SUSPICIOUS where that fails, whatever the others are. Else
    INCOMPLETE if one is MISSING or CRASHED. Else UNJUDGED if one is INCOMPARABLE, a metric is
    UNRESOLVED, or a limit `is_idle`: it has judged no row. A time that is UNRESOLVED changes
    nothing. Limits that demand nothing cannot fail: PASSED.
    """
    demanded = [verdict for verdict in verdicts if verdict.tolerance.is_limit]
    reached = {verdict.verdict for verdict in demanded}
    if "REGRESSED" in reached or (fails_on_suspicious and "SUSPICIOUS" in reached):
        return Outcome.FAILED
    if reached & set(LOST):
        return Outcome.INCOMPLETE
    if is_idle or any(map(_is_unjudged, demanded)):
        return Outcome.UNJUDGED
    return Outcome.PASSED


def _is_unjudged(verdict: Verdict) -> bool:
    is_time = verdict.tolerance.column in TIMES
    is_unresolved = verdict.verdict == "UNRESOLVED" and not is_time
    return is_unresolved or verdict.verdict == "INCOMPARABLE"


def summarise_verdicts(verdicts: Sequence[Verdict], outcome: Outcome) -> str:
    """One sentence, in Markdown, that agrees with the outcome."""
    n_rows = len({verdict.row for verdict in verdicts})
    if not any(verdict.tolerance.is_limit for verdict in verdicts):
        counted = "1 row" if n_rows == 1 else f"{n_rows} rows"
        return f"{counted} side by side; no limit was given, so none can fail."
    if n_rows == 1:
        return _summarise_one_row(verdicts, outcome)

    match outcome:
        case Outcome.FAILED:
            n_failed = _count_rows(verdicts, "REGRESSED") or _count_rows(verdicts, "SUSPICIOUS")
            return f"**{n_failed} of {n_rows} rows fail.**"
        case Outcome.INCOMPLETE:
            n_lost = _count_rows(verdicts, *LOST)
            return f"**{n_lost} of {n_rows} rows have no numbers in the head; no other fails.**"
        case Outcome.UNJUDGED:
            unjudged = {verdict.row for verdict in verdicts if _is_unjudged(verdict)}
            if not unjudged:
                return "**A limit judges no row, so nothing is known to pass.**"
            return (
                f"**{len(unjudged)} of {n_rows} rows cannot be resolved, "
                "so nothing is known to pass.**"
            )
        case Outcome.PASSED:
            counts = Counter(verdict.verdict for verdict in verdicts)
            if counts.keys() <= {"PASS", "IMPROVED"}:
                return f"All {n_rows} rows pass."
            listed = ", ".join(f"{count} {name}" for name, count in counts.items())
            return f"No row fails: {listed}."


def _summarise_one_row(verdicts: Sequence[Verdict], outcome: Outcome) -> str:
    """The sentence where one row is compared, as in the tests of a single adapter."""
    match outcome:
        case Outcome.FAILED:
            return "**The row fails.**"
        case Outcome.INCOMPLETE:
            return "**The row has no numbers in the head.**"
        case Outcome.UNJUDGED:
            if not any(map(_is_unjudged, verdicts)):
                return "**A limit judges no row, so nothing is known to pass.**"
            return "**The row cannot be resolved, so nothing is known to pass.**"
        case Outcome.PASSED:
            counts = Counter(verdict.verdict for verdict in verdicts)
            if counts.keys() <= {"PASS", "IMPROVED"}:
                return "The row passes."
            listed = ", ".join(f"{count} {name}" for name, count in counts.items())
            return f"The row does not fail: {listed}."


def _count_rows(verdicts: Sequence[Verdict], *names: str) -> int:
    """How many rows have one of these verdicts in some column."""
    return len({verdict.row for verdict in verdicts if verdict.verdict in names})
