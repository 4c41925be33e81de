"""The space of a search: which fields of an adapter may be tried, and which of their values."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import floor, isclose, log10
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from recbench.adapters import Recommender
from recbench.adapters.shared.parameters import Choose
from recbench.adapters.shared.parameters import Search as Declared

DIGITS = 6  # significant ones of a value that is tried: it can be typed, and is what is fitted
NEAR_BORDER = 0.02  # of the length of an interval, or of its logarithm


@dataclass(frozen=True)
class Interval:
    """Where a number is searched, both ends included."""

    lowest: float
    highest: float
    log: bool
    is_whole: bool
    source: str = field(default="", compare=False)  # who says so

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

        An end that is 0 is no border: the fields that have it go no further. Nor is a whole 1,
        since what is counted begins there.
        """
        if not self.holds(value):
            return False
        number = float(cast(float, value))
        place = self._place(number)
        begins_there = isclose(self.lowest, 0) or (self.is_whole and self.lowest == 1)
        is_low = place <= NEAR_BORDER and not begins_there
        return is_low or place >= 1 - NEAR_BORDER

    def _place(self, value: float) -> float:
        """Where a value lies between the ends: 0 at the lowest, 1 at the highest."""
        if self.log:
            return log10(value / self.lowest) / log10(self.highest / self.lowest)
        return (value - self.lowest) / (self.highest - self.lowest)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a tuned cell's key: without its source."""
        written = asdict(self)
        del written["source"]
        return written

    def __str__(self) -> str:
        """As people read it, such as `5 to 1000, log`."""
        return f"{self.lowest:g} to {self.highest:g}{', log' if self.log else ''}"


@dataclass(frozen=True)
class Options:
    """The values, without an order, among which one is searched."""

    values: tuple[bool | str, ...]
    source: str = field(default="", compare=False)

    def holds(self, value: object) -> bool:
        """Whether `value` is one of them."""
        return value in self.values

    def is_border(self, value: object) -> bool:
        """Never: what has no order has no end."""
        return False

    def to_json(self) -> dict[str, Any]:
        """As it stands in a tuned cell's key: without its source."""
        return {"values": list(self.values)}

    def __str__(self) -> str:
        """As people read it, such as `cosine or dice`."""
        return " or ".join(map(str, self.values))


Dimension = Interval | Options
Space = Mapping[str, Dimension]


def find_space(adapter: type[Recommender], fixed: Collection[str] = ()) -> dict[str, Dimension]:
    """What of an adapter can be tuned, by field; the `fixed` ones, set on purpose, are left out.

    Empty for an adapter that declares nothing, and for one that sees the truth.
    """
    if adapter.sees_truth:
        return {}

    hints = get_type_hints(adapter, include_extras=True)
    space: dict[str, Dimension] = {}
    for name in (hyperparameter.name for hyperparameter in fields(cast(Any, adapter))):
        declared = _find_declared(hints[name])
        if declared is None or name in fixed:
            continue
        if isinstance(declared, Choose):
            space[name] = Options(_list_values(hints[name]), declared.source)
        else:
            space[name] = Interval(
                lowest=declared.lowest,
                highest=declared.highest,
                log=declared.log,
                is_whole=float not in list_types(hints[name]),
                source=declared.source,
            )
    return space


def _find_declared(hint: Any) -> Declared | Choose | None:
    """What an annotation says of tuning, if it says something."""
    if get_origin(hint) is not Annotated:
        return None
    extras = hint.__metadata__
    return next((extra for extra in extras if isinstance(extra, Declared | Choose)), None)


def _list_values(hint: Any) -> tuple[bool | str, ...]:
    """The values of the `Literal` in an annotation, or both truths. ValueError for another type."""
    (plain,) = list_types(hint)
    if plain is bool:
        return (False, True)
    if get_origin(plain) is not Literal:
        raise ValueError(f"{hint}: only a Literal or a truth has values that can be listed")
    return get_args(plain)


def list_types(hint: Any) -> list[Any]:
    """The plain types that an annotation allows, None left out: [int] for `Count | None`."""
    origin = get_origin(hint)
    if origin is Annotated:
        return list_types(hint.__origin__)
    if origin in (Union, UnionType):
        return [plain for part in get_args(hint) for plain in list_types(part)]
    return [] if hint is NoneType else [hint]
