"""How long a row is tuned: a number of trials, or processor time."""

from dataclasses import dataclass

from recbench.datasets.foundation import UsageError, parse_seconds

OPTION = "--tune"


@dataclass(frozen=True)
class Budget:
    """What the search of a row on one fold may spend: one of both, the other is None.

    A trial that begins before `seconds` of processor time are spent is finished and counts.
    """

    trials: int | None = None
    seconds: float | None = None

    def allows(self, n_trials: int, seconds: float) -> bool:
        """Whether another trial may begin, after so many that have cost so much."""
        if self.trials is not None:
            return n_trials < self.trials
        assert self.seconds is not None
        return seconds < self.seconds

    def __str__(self) -> str:
        """As it is typed: `50`, or `600s`."""
        return str(self.trials) if self.trials is not None else f"{self.seconds:g}s"


def parse_budget(text: str) -> Budget:
    """`50`, a number of trials, or `10m`, processor time. UsageError for anything else."""
    written = text.strip()
    if written.isascii() and written.isdigit():
        if int(written) < 1:
            raise UsageError(f"{OPTION} {text}: expected at least 1 trial, the default values")
        return Budget(trials=int(written))

    try:
        return Budget(seconds=parse_seconds(OPTION, written))
    except UsageError:
        raise UsageError(
            f"{OPTION} {text!r}: expected a number of trials, such as 50, or processor time for "
            "each row and fold, such as 90s, 10m or 1.5h"
        ) from None
