"""What an algorithm predicted before fallback and clipping, and whether these are ratings."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from recbench.datasets.ratings import Ratings

# How far from the scale predictions may lie, in widths of the scale. Beyond it their error, before
# clipping, is larger than that of any rating could be.
MOST_EXCESS = 1.0

ROUNDING = 1e-6  # widths of the scale: an end of it, computed in single precision, is not outside

# Beginnings of the names of hyperparameters that keep a fit from running away, lowered or raised.
STEPS = ("learning_rate", "lr_all")
PENALTIES = ("regulari", "reg")

MOST_NAMED = 2  # hyperparameters of each kind


class RawScores(BaseModel):
    """The scores of the test pairs, before fallback and clipping, and what a constant would do.

    None stands where nothing is to be said: where an algorithm had no opinion at all, and beside
    the range for one that ranks only.
    """

    model_config = ConfigDict(frozen=True)

    lowest: float | None = None
    highest: float | None = None
    clipped: float | None = None  # the share outside the scale
    excess: float | None = None  # root mean squared distance to the scale, in its widths
    constant_rmse: float | None = None  # of the training mean, over the same test ratings

    @property
    def are_no_ratings(self) -> bool:
        """Whether they are so far outside the scale that they cannot be meant as ratings."""
        return self.excess is not None and self.excess > MOST_EXCESS

    def describe(self, scale: tuple[float, float]) -> str:
        """Their range and the share outside the `scale` in words; for predicted ratings."""
        lowest, highest = scale
        return (
            f"scores from {self.lowest:.4g} to {self.highest:.4g} on a scale from {lowest:g} to "
            f"{highest:g}, {self.clipped:.0%} of them outside"
        )

    def to_json(self) -> dict[str, Any]:
        """As a record holds it."""
        return self.model_dump(mode="json", exclude_none=True)


def describe_raw_scores(
    scores: NDArray[np.float32],
    train: Ratings,
    test: Ratings,
    predicts: Literal["ratings", "order"],
) -> RawScores:
    """The range of the `scores` of the test pairs and, if they are ratings, their place on the
    scale. NaN, which is no opinion, is left out.
    """
    known = np.nan_to_num(scores[~np.isnan(scores)]).astype(np.float64)  # infinity becomes finite
    if len(known) == 0:
        return RawScores()

    lowest = float(known.min())
    highest = float(known.max())
    if predicts == "order":
        return RawScores(lowest=lowest, highest=highest)

    scale_lowest, scale_highest = test.scale
    distances = known - np.clip(known, scale_lowest, scale_highest)
    distances /= scale_highest - scale_lowest
    return RawScores(
        lowest=lowest,
        highest=highest,
        clipped=float(np.mean(np.abs(distances) > ROUNDING)),
        excess=float(np.sqrt(np.mean(distances**2))),
        constant_rmse=float(np.sqrt(np.mean((test.values - train.mean) ** 2, dtype=np.float64))),
    )


def suggest_remedy(parameters: Mapping[str, Any]) -> str:
    """What may keep an algorithm with these hyperparameters from diverging, as an imperative.

    >>> suggest_remedy({"n_factors": 20, "learning_rate": 0.5, "regularisation": 0.02})
    'lower learning_rate (0.5) or raise regularisation (0.02)'
    """
    steps = _name_parameters(parameters, STEPS)
    penalties = _name_parameters(parameters, PENALTIES)
    if steps and penalties:
        return f"lower {steps} or raise {penalties}"
    if steps:
        return f"lower {steps}"
    if penalties:
        return f"raise {penalties}"
    return 'see with --debug what it answers; what only ranks says predicts = "order"'


def _name_parameters(parameters: Mapping[str, Any], beginnings: tuple[str, ...]) -> str:
    """The first hyperparameters whose names begin so, with their values; empty without any."""
    named = [
        f"{name} ({value:g})"
        for name, value in parameters.items()
        if name.startswith(beginnings) and isinstance(value, float | int)
    ]
    return ", ".join(named[:MOST_NAMED])
