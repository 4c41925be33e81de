"""Amounts of time and memory as people write them."""

import re
from collections.abc import Mapping

from recbench.datasets.foundation.spec import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600}
MEGABYTES = {"M": 1, "MB": 1, "G": 1024, "GB": 1024}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)")  # a number, and its unit


def parse_seconds(option: str, text: str) -> float:
    """`90s`, `10m` or `1.5h` in seconds; UsageError, naming `option`, for anything else."""
    return _parse_amount(option, text, SECONDS, "90s, 10m or 1.5h")


def parse_megabytes(option: str, text: str) -> float:
    """`512M` or `8G` in units of 2^20 bytes; UsageError, naming `option`, for anything else."""
    return _parse_amount(option, text, MEGABYTES, "512M or 8G")


def _parse_amount(option: str, text: str, units: Mapping[str, int], examples: str) -> float:
    """The number in `text` times the factor of its unit; UsageError unless both are understood."""
    match = AMOUNT.fullmatch(text.strip())
    if match is not None:
        number = float(match[1])
        factor = units.get(match[2])
        if number > 0 and factor is not None:
            return number * factor

    raise UsageError(
        f"{option} {text!r}: expected a positive number and a unit ({', '.join(units)}), such as "
        f"{examples}"
    )
