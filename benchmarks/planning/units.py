"""Amounts of time and memory as people write them."""

import re

from recbench.datasets.foundation import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MEGABYTES = {"M": 1, "MB": 1, "G": 1024, "GB": 1024}


def _parse(option: str, text: str, units: dict[str, int], example: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)", text.strip())
    factor = units.get(found[2]) if found else None
    if found is None or factor is None or not float(found[1]) > 0:
        raise UsageError(
            f"{option} {text!r}: expected a positive number and a unit ({', '.join(units)}), such as {example}"
        )
    return float(found[1]) * factor


def seconds(option: str, text: str) -> float:
    """`90s`, `10m` or `1.5h` in seconds; UsageError, naming `option`, for anything else."""
    return _parse(option, text, _SECONDS, "90s, 10m or 1.5h")


def megabytes(option: str, text: str) -> float:
    """`512M` or `8G` in units of 2^20 bytes; UsageError, naming `option`, for anything else."""
    return _parse(option, text, _MEGABYTES, "512M or 8G")
