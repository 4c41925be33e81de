"""Lines of the Netflix Prize's rating files, against a slow, obvious parser."""

import datetime
import random
from pathlib import Path

import numpy as np
import pytest

from recbench.datasets import UsageError
from recbench.datasets.netflix.ratings_files import read_ratings

Row = tuple[int, int, int, str]  # user, movie, stars, date


def reference(text: bytes) -> list[Row]:
    """The slow, obvious parser."""
    rows = []
    movie = 0
    for line in text.decode().replace("\r\n", "\n").split("\n"):
        if line.endswith(":"):
            movie = int(line[:-1])
        elif line:
            user, stars, date = line.split(",")
            rows.append((int(user), movie, int(stars), date))
    return rows


def parsed(path: Path) -> list[Row]:
    columns = [np.concatenate(parts) for parts in zip(*read_ratings([path]).blocks, strict=True)]
    dates = columns[3].astype("datetime64[D]").astype(str)
    return list(zip(*(column.tolist() for column in columns[:3]), dates.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_the_parser_agrees_with_a_slow_one(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recbench.datasets.parsing.text_blocks.BLOCK_BYTES", 97)  # many blocks
    rng = random.Random(seed)
    lines: list[str] = []
    for movie in rng.sample(range(1, 17_771), 30):
        lines.append(f"{movie}:")
        for user in rng.sample(range(1, 2_649_430), rng.randrange(20)):
            date = datetime.date(1998, 10, 1) + datetime.timedelta(rng.randrange(2600))
            lines.append(f"{user},{rng.randint(1, 5)},{date}")
    text = "".join(line + rng.choice(["\n", "\r\n"]) for line in lines).encode()
    path = tmp_path / "ratings.txt"
    path.write_bytes(text.rstrip() if seed % 2 else text)
    assert parsed(path) == reference(text)


@pytest.mark.slow
def test_mutated_files_give_the_slow_parsers_rows_or_an_error(tmp_path: Path) -> None:
    good = b"1:\n12,3,2005-09-06\n345,5,2004-12-31\n2:\r\n12,1,2000-02-29\r\n7,4,2003-01-01"
    rng = random.Random(0)
    path = tmp_path / "ratings.txt"
    refused = 0
    for _ in range(2000):
        text = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            text[at : at + rng.randrange(3)] = bytes(
                rng.choices(b"0123456789,:-\r\n \xff", k=rng.randrange(3))
            )
        path.write_bytes(text)
        try:
            rows = parsed(path)
        except UsageError:
            refused += 1
        else:
            assert rows == reference(bytes(text)), text
    assert 1000 < refused < 2000
