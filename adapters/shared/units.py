"""In which unit an algorithm sees ratings: that of the data, or stars from 1 to 5.

A learning rate, a penalty or an initial deviation acts in rating points. So the same stars times 20
would be another problem to an algorithm that sees them as they are, and not to one that is given
stars again. The bench converts the training ratings and the answers; no adapter does.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from recbench.adapters.base import Floats
from recbench.datasets.ratings import Ratings

Scale = tuple[float, float]  # lowest, highest

STARS: Scale = (1.0, 5.0)

# Widths of a scale for which the defaults of libraries are meant: one to five stars, and halves.
USUAL_WIDTHS = (3, 5)

# Of converted ratings: what is left of four stars beyond them comes from single precision.
DECIMALS = 6


class AsksForUnits(Protocol):
    """An algorithm, or who knows what it says of itself."""

    @property
    def units(self) -> Literal["data", "scale", "library"]:
        """As `Recommender.units`."""


@dataclass(frozen=True)
class Units:
    """The scale of the data, and the scale of the ratings that an algorithm is given.

    >>> percent = Units(of_data=(0.0, 100.0), of_algorithm=STARS)
    >>> float(percent.restore_scores(np.array([4], np.float32))[0])
    75.0
    """

    of_data: Scale
    of_algorithm: Scale

    @staticmethod
    def choose(algorithm: AsksForUnits, scale: Scale) -> "Units":
        """What `algorithm` asks for with its `units`, on data of this `scale`."""
        is_usual = USUAL_WIDTHS[0] <= _width(scale) <= USUAL_WIDTHS[1]
        if algorithm.units == "data" or (algorithm.units == "library" and is_usual):
            return Units(scale, scale)
        return Units(scale, STARS)

    @property
    def differ(self) -> bool:
        """Whether the algorithm is given other numbers than stand in the data."""
        return self.of_algorithm != self.of_data

    @property
    def points(self) -> float:
        """How many rating points of the data one of the algorithm's is; errors grow by it."""
        return _width(self.of_data) / _width(self.of_algorithm)

    def convert_ratings(self, ratings: Ratings) -> Ratings:
        """Ratings of the data as the algorithm is given them; the same object if nothing differs.

        1 + 4 (r - lowest) / (highest - lowest), rounded to `DECIMALS`: what is a whole number of
        stars in another unit is one again.
        """
        if not self.differ:
            return ratings

        values = _shift(ratings.values, self.of_data, self.of_algorithm)
        np.round(values, DECIMALS, out=values)
        np.clip(values, *self.of_algorithm, out=values)
        return Ratings(
            ratings.users,
            ratings.items,
            values.astype(np.float32),
            ratings.n_users,
            ratings.n_items,
            self.of_algorithm,
            ratings.times,
        )

    def restore_scores(self, scores: Floats) -> Floats:
        """Predicted ratings of the algorithm in the unit of the data, of the same shape.

        Infinite where a runaway score has no number in single precision; NaN stays NaN.
        """
        if not self.differ:
            return scores
        with np.errstate(over="ignore"):
            return _shift(scores, self.of_algorithm, self.of_data).astype(np.float32)


def _shift(
    values: Floats, from_scale: Scale, to_scale: Scale
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Values on one scale as values on the other, in double precision."""
    shifted = values.astype(np.float64)
    shifted -= from_scale[0]
    shifted *= _width(to_scale) / _width(from_scale)
    shifted += to_scale[0]
    return shifted


def _width(scale: Scale) -> float:
    lowest, highest = scale
    return highest - lowest
