"""How long a row is tuned: a number of trials, processor time, or whichever is spent first."""

from dataclasses import dataclass

from recbench.datasets.foundation import UsageError, parse_seconds

OPTION = "--tune"


@dataclass(frozen=True)
class TuningBudget:
    """What the search of a row on one fold may spend; a limit that is None does not hold.

    A trial that begins before `seconds` of processor time are spent is finished and counts.
    """

    trials: int | None = None
    seconds: float | None = None

    def allows(self, n_trials: int, seconds: float) -> bool:
        """Whether another trial may begin, after so many that have cost so much."""
        if self.trials is not None and n_trials >= self.trials:
            return False
        return self.seconds is None or seconds < self.seconds

    @property
    def in_words(self) -> str:
        """As a sentence says it, such as `30 trials, or 300s of processor time if that is less`."""
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        if self.seconds is None:
            return trials

        time = f"{self.seconds:g}s of processor time"
        if self.trials is None:
            return time
        return f"{trials}, or {time} if that is less"

    def __str__(self) -> str:
        """As it is typed: `50`, `600s`, or `30,300s`."""
        limits = []
        if self.trials is not None:
            limits.append(str(self.trials))
        if self.seconds is not None:
            limits.append(f"{self.seconds:g}s")
        return ",".join(limits)


def parse_budget(text: str) -> TuningBudget:
    """`50`, a number of trials; `10m`, processor time; or `50,10m`, whichever is spent first.

    UsageError for anything else.
    """
    written = [part.strip() for part in text.split(",")]
    numbers = [part for part in written if _is_number(part)]
    times = [part for part in written if not _is_number(part)]
    if len(numbers) > 1 or len(times) > 1:
        raise UsageError(_explain(text))

    trials = None
    for number in numbers:
        trials = _parse_trials(text, number)
    seconds = None
    for time in times:
        seconds = _parse_time(text, time)
    return TuningBudget(trials, seconds)


def _is_number(written: str) -> bool:
    return written.isascii() and written.isdigit()


def _parse_trials(text: str, written: str) -> int:
    if int(written) < 1:
        raise UsageError(f"{OPTION} {text}: expected at least 1 trial, the default values")
    return int(written)


def _parse_time(text: str, written: str) -> float:
    try:
        return parse_seconds(OPTION, written)
    except UsageError:
        raise UsageError(_explain(text)) from None


def _explain(text: str) -> str:
    return (
        f"{OPTION} {text!r}: expected a number of trials, such as 50, or processor time for each "
        "row and fold, such as 90s, 10m or 1.5h, or both with a comma, such as 50,10m, for "
        "whichever is spent first"
    )
