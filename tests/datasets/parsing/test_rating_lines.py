"""Lines of ratings in every usual form, against a slow, obvious parser."""

import csv
import io
import random
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench.datasets import UsageError
from recbench.datasets.movielens.releases import (
    COLONS,
    COMMAS,
    HALF_COLONS,
    TABS,
)
from recbench.datasets.parsing.rating_lines import (
    LAST_ID,
    LAST_TIME,
    LineFormat,
    Lines,
    read_lines,
)
from recbench.datasets.parsing.text_blocks import BLOCK_BYTES
from tests.datasets.movielens.test_movielens import CSV, DAT
from tests.datasets.mutations import ALPHABET, mutated


def reference_lines(text: bytes, line_format: LineFormat) -> list[tuple[Any, ...]]:
    lines = text.decode("latin-1").split("\n")
    for expected in line_format.header:
        if lines.pop(0).rstrip("\r") != expected:
            raise ValueError
    while lines and not lines[-1].strip("\r"):
        lines.pop()
    found = []
    for line in lines:
        fields = line.removesuffix("\r").split(line_format.separator)
        if len(fields) != len(line_format.fields):
            raise ValueError
        for number in fields[:2] + fields[3:]:
            if not (number.isascii() and number.isdigit()) or str(int(number)) != number:
                raise ValueError
        user, item, *time = map(int, fields[:2] + fields[3:])
        if not re.fullmatch(r"[0-9](\.[0-9])?", fields[2]):
            raise ValueError
        rating = Decimal(fields[2])
        if not (
            1 <= user <= LAST_ID
            and 1 <= item <= LAST_ID
            and all(moment <= LAST_TIME for moment in time)
        ):
            raise ValueError
        if (
            rating % (Decimal("0.5") if line_format.halves else 1)
            or not line_format.scale[0] <= rating <= line_format.scale[1]
        ):
            raise ValueError
        found.append((user, item, float(rating), *time))
    if not found:
        raise ValueError
    return found


def parse_lines(text: bytes, line_format: LineFormat) -> list[tuple[Any, ...]]:
    lines: Lines = read_lines(io.BytesIO(text), "somewhere.zip!ratings", line_format)
    columns = [
        lines.users,
        lines.items,
        lines.values,
        *([lines.times] if line_format.timed else []),
    ]
    return list(zip(*(column.tolist() for column in columns), strict=True))


TXT = b"1 1 2\r\n1 2 3.5\n1508 806 4\n"


RATING_FORMATS = {
    "csv": (CSV, COMMAS),
    "double colons": (DAT, COLONS),
    "double colons, halves": (DAT.replace(b"::5::", b"::0.5::"), HALF_COLONS),
    "tabs": (DAT.replace(b"::", b"\t"), TABS),
    "blanks": (TXT, LineFormat(" ", scale=(0.5, 4.0), halves=True, timed=False)),
}


@pytest.mark.parametrize("kind", RATING_FORMATS)
@pytest.mark.slow
def test_mutated_ratings_are_parsed_as_the_reference_does_or_refused(kind: str) -> None:
    text, line_format = RATING_FORMATS[kind]
    assert parse_lines(text, line_format) == reference_lines(text, line_format)
    rng = random.Random(kind)
    outcomes = Counter[bool]()
    for _ in range(4000):
        given = mutated(text, rng, ALPHABET)
        try:
            expected = reference_lines(given, line_format)
        except ValueError:
            with pytest.raises(UsageError, match=r"^somewhere\.zip!ratings[,:]"):
                parse_lines(given, line_format)
            outcomes[False] += 1
        else:
            assert parse_lines(given, line_format) == expected
            outcomes[True] += 1
    assert min(outcomes.values()) > 400


@pytest.mark.slow
def test_lines_that_span_blocks(tmp_path: Path) -> None:
    lines = [b"%d,%d,%.1f,%d\n" % (k % 900 + 1, k + 1, k % 9 / 2 + 0.5, k) for k in range(400_000)]
    text = CSV[:33] + b"".join(lines)
    assert len(text) > BLOCK_BYTES
    parsed = read_lines(io.BytesIO(text + b"\n" * 5000), "a", COMMAS)
    table = list(csv.reader(io.StringIO(text.decode())))[1:]
    assert np.array_equal(parsed.items, [int(line[1]) for line in table])
    assert np.array_equal(parsed.values, [float(line[2]) for line in table])
    assert np.array_equal(parsed.times, [int(line[3]) for line in table])
    with pytest.raises(UsageError, match="a, line 400002: '': a blank line between ratings"):
        read_lines(io.BytesIO(text + b"\n" * BLOCK_BYTES + b"1,2,3,4"), "a", COMMAS)
    with pytest.raises(UsageError, match=r"a, line 400002: 'x{60}'"):
        read_lines(io.BytesIO(text + b"x" * BLOCK_BYTES * 2), "a", COMMAS)
    assert parsed.describe(0) == "a, line 2"
