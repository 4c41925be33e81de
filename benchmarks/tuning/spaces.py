"""The space of a search: which fields of an adapter may be tried, and from where to where."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from math import floor, isclose, log10
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from recbench.adapters import Recommender
from recbench.adapters.shared.parameters import Search as Declared

DIGITS = 6  # significant ones of a value that is tried: it can be typed, and is what is fitted
NEAR_BORDER = 0.02  # of the length of a dimension, or of its logarithm


@dataclass(frozen=True)
class Dimension:
    """A hyperparameter with the interval in which it is searched, both ends included."""

    lowest: float
    highest: float
    log: bool
    is_whole: bool

    def holds(self, value: object) -> bool:
        """Whether `value` is a number in the interval: a default need not be one."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.lowest <= cast(float, value) <= self.highest

    def round(self, value: float) -> int | float:
        """A number that was drawn, as it is tried."""
        if self.is_whole:
            return round(value)
        if value == 0:
            return 0.0
        rounded = round(value, DIGITS - 1 - floor(log10(abs(value))))
        return float(min(max(rounded, self.lowest), self.highest))

    def is_border(self, value: object) -> bool:
        """Whether `value` lies so near to an end that a better one may lie beyond it.

        An end that is 0 is no border: the fields that have it go no further.
        """
        if not self.holds(value):
            return False
        number = float(cast(float, value))
        place = self._place(number)
        is_low = place <= NEAR_BORDER and not isclose(self.lowest, 0)
        return is_low or place >= 1 - NEAR_BORDER

    def _place(self, value: float) -> float:
        """Where a value lies between the ends: 0 at the lowest, 1 at the highest."""
        if self.log:
            return log10(value / self.lowest) / log10(self.highest / self.lowest)
        return (value - self.lowest) / (self.highest - self.lowest)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a tuned cell's key."""
        return asdict(self)


Space = Mapping[str, Dimension]


def find_space(adapter: type[Recommender], fixed: Collection[str] = ()) -> dict[str, Dimension]:
    """What of an adapter can be tuned, by field; the `fixed` ones, set on purpose, are left out.

    Empty for an adapter that declares nothing, and for one that sees the truth.
    """
    if adapter.sees_truth:
        return {}

    hints = get_type_hints(adapter, include_extras=True)
    space = {}
    for field in fields(cast(Any, adapter)):
        declared = _find_declared(hints[field.name])
        if declared is not None and field.name not in fixed:
            space[field.name] = Dimension(
                lowest=declared.lowest,
                highest=declared.highest,
                log=declared.log,
                is_whole=float not in list_types(hints[field.name]),
            )
    return space


def _find_declared(hint: Any) -> Declared | None:
    """The `Search` in an annotation, if there is one."""
    if get_origin(hint) is not Annotated:
        return None
    return next((extra for extra in hint.__metadata__ if isinstance(extra, Declared)), None)


def list_types(hint: Any) -> list[Any]:
    """The plain types that an annotation allows, None left out: [int] for `Count | None`."""
    origin = get_origin(hint)
    if origin is Annotated:
        return list_types(hint.__origin__)
    if origin in (Union, UnionType):
        return [plain for part in get_args(hint) for plain in list_types(part)]
    return [] if hint is NoneType else [hint]
