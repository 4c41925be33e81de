"""JSON from files that anybody may have written or edited."""

import json
import math
from typing import Any


def parse_json(content: str | bytes) -> Any:
    """What the JSON in `content` says.

    ValueError for anything that Python would let pass or stumble over: a key that stands twice in
    an object, a number that is infinite or none, and lists in lists without end.

    >>> parse_json('{"rmse": 0.9, "rmse": 0.1}')
    Traceback (most recent call last):
        ...
    ValueError: the key 'rmse' stands twice in one object
    """
    try:
        return json.loads(
            content,
            object_pairs_hook=_refuse_double_keys,
            parse_float=_parse_finite,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError("lists or objects in each other without end") from None


def _refuse_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; ValueError if one of the keys comes twice."""
    content = dict(pairs)
    if len(content) == len(pairs):
        return content

    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object")
        seen.add(key)
    return content


def _parse_finite(text: str) -> float:
    """The number in `text`; ValueError if it is beyond all floats."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {text[:40]}")
    return number


def _refuse_constant(text: str) -> float:
    """ValueError: NaN and Infinity are no JSON."""
    raise ValueError(f"expected a number, got {text}")
