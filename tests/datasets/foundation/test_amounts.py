"""Times and sizes as people write them."""

import pytest

from recbench.datasets.foundation import parse_megabytes, parse_seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (".5s", 0.5)]
)
def test_times(text: str, expected: float) -> None:
    assert parse_seconds("--time-limit", text) == expected


@pytest.mark.parametrize(("text", "expected"), [("512M", 512), ("8G", 8192), ("1.5GB", 1536)])
def test_sizes(text: str, expected: float) -> None:
    assert parse_megabytes("--memory-limit", text) == expected
