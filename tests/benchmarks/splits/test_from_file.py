"""Test parts that a file gives: every form, and that a file made for other ratings is refused."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.splits import from_file
from recbench.benchmarks.splits.folds import (
    canonical_spec,
    digest_of_split,
    divide,
    is_seeded,
    refuse_empty_parts,
    resolve_n_folds,
)
from recbench.benchmarks.splits.from_file import PUBLISHED, digest_of_ratings
from recbench.datasets import Dataset, UsageError
from recbench.datasets.storage import MissingData
from tests.benchmarks.console.test_command_line import bench
from tests.benchmarks.splits.test_splits import dataset
from tests.conftest import ROOT, RunBench

TESTED = [3, 5, 11, 40]


def pairs_once(n: int = 60) -> Dataset:
    """Ratings of which each pair stands once, with ids that are not the indices."""
    data = dataset(n, 0)
    pairs = np.random.default_rng(1).permutation(12 * 15)[:n]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, 15))
    ratings = replace(data.ratings, users=users, items=items)
    return replace(data, ratings=ratings, user_ids=np.arange(12) + 100, item_ids=np.arange(15) + 7)


def ids_of(data: Dataset, row: int) -> tuple[int, int]:
    user = data.user_ids[data.ratings.users[row]]
    return int(user), int(data.item_ids[data.ratings.items[row]])


def write_sidecar(data: Dataset, file: Path) -> None:
    written = {"ratings": len(data.ratings), "digest": digest_of_ratings(data)}
    file.with_name(f"{file.name}.json").write_text(json.dumps(written))


def write_bits(data: Dataset, directory: Path) -> Path:
    flags = np.zeros(len(data.ratings), bool)
    flags[TESTED] = True
    file = directory / "test.bits"
    file.write_bytes(np.packbits(flags).tobytes())
    write_sidecar(data, file)
    return file


def write_rows(data: Dataset, directory: Path) -> Path:
    file = directory / "rows.txt"
    file.write_text("".join(f"{row}\n" for row in reversed(TESTED)))
    write_sidecar(data, file)
    return file


def write_pairs(data: Dataset, directory: Path) -> Path:
    file = directory / "pairs.csv"
    lines = [f"{user},{item},5" for user, item in (ids_of(data, row) for row in TESTED)]
    file.write_text("\n".join(["user,item,rating", *lines]))
    return file


def write_blank_pairs(data: Dataset, directory: Path) -> Path:
    file = directory / "pairs.txt"
    file.write_text("\n".join("{} {}".format(*ids_of(data, row)) for row in TESTED))
    return file


def write_tabbed_repository(data: Dataset, directory: Path) -> Path:
    parts = {"train": [row for row in range(60) if row not in TESTED], "test": TESTED}
    for part, rows in parts.items():
        lines = ["{}\t{}\t3\t0".format(*ids_of(data, row)) for row in rows]
        (directory / f"made.{part}.rating").write_text("\n".join(lines))
    return directory / "made.test.rating"


def write_repository_of_lists(data: Dataset, directory: Path) -> Path:
    file = write_tabbed_repository(data, directory)
    items: dict[int, list[int]] = {}
    for row in TESTED:
        user, item = ids_of(data, row)
        items.setdefault(user, []).append(item)
    file.write_text("".join(f"{user} {' '.join(map(str, own))}\n" for user, own in items.items()))
    return file


FORMS = [
    write_bits,
    write_rows,
    write_pairs,
    write_blank_pairs,
    write_tabbed_repository,
    write_repository_of_lists,
]
every_form = pytest.mark.parametrize("write", FORMS)
Write = Callable[[Dataset, Path], Path]


@every_form
def test_the_rows_of_a_file_are_the_test_part(write: Write, tmp_path: Path) -> None:
    data = pairs_once()
    spec = f"file:{write(data, tmp_path)}"
    assert resolve_n_folds(data, spec, None) == 1
    assert not is_seeded(spec)
    refuse_empty_parts(data, spec, 1, 0)
    train, test = divide(data, spec, 1, 0, 0)
    assert test.tolist() == TESTED
    assert sorted([*train, *test]) == list(range(60))


@every_form
def test_a_file_made_for_other_ratings_is_refused(write: Write, tmp_path: Path) -> None:
    data = pairs_once()
    spec = f"file:{write(data, tmp_path)}"
    others = [
        replace(data, ratings=data.ratings.take(np.arange(39))),  # a filter has dropped some
        replace(data, item_ids=data.item_ids + 1000),  # other ids
    ]
    if write in (write_bits, write_rows):  # row numbers also depend on the order
        others.append(replace(data, ratings=data.ratings.take(np.arange(60)[::-1])))
    for other in others:
        with pytest.raises(UsageError, match=r"made for|expected all ratings"):
            divide(other, spec, 1, 0, 0)


def test_row_numbers_without_a_sidecar_say_what_to_write(tmp_path: Path) -> None:
    data = pairs_once()
    file = write_rows(data, tmp_path)
    sidecar = file.with_name("rows.txt.json")
    sidecar.unlink()
    with pytest.raises(UsageError, match=r"nothing says of which ratings.*rows\.txt\.json") as info:
        divide(data, f"file:{file}", 1, 0, 0)
    proposed = str(info.value).partition("write ")[2].partition(" to ")[0]
    sidecar.write_text(proposed)
    assert divide(data, f"file:{file}", 1, 0, 0)[1].tolist() == TESTED
    twice = proposed.replace("{", '{"digest": "0", ', 1)
    for broken in ("{", "[]", '{"digest": 1}', twice):
        sidecar.write_text(broken)
        with pytest.raises(UsageError):
            divide(data, f"file:{file}", 1, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "3\n60\n", "line 2: expected a row from 0 to 59, got '60'"),
        ("rows.txt", f"{'9' * 5000}\n", "line 1: expected a row from 0 to 59, got '999"),
        ("rows.txt", "3\n-1\n", "line 2: expected a row"),
        ("rows.txt", "3\n\n3\n", "line 3: row 3 stands there twice"),
        ("rows.txt", "", "empty"),
        ("rows.txt", "\xff\xfe", "not a text in UTF-8"),
        ("rows.bits", "12345", "expected 8 bytes, a bit for each of 60 ratings .* got 5 bytes"),
        ("rows.bits", "1234567\x01", "zeros behind them"),
        ("pairs.csv", "100,7\nx\n", "line 2: expected user and item"),
    ],
)
def test_a_malformed_file_is_refused_by_its_line(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    data = pairs_once()
    file = tmp_path / name
    file.write_bytes(content.encode("latin-1"))
    write_sidecar(data, file)
    if name == "pairs.csv":
        content = content.replace("100,7", "{},{}".format(*ids_of(data, 0)))
        file.write_text(content)
    with pytest.raises(UsageError, match=message):
        divide(data, f"file:{file}", 1, 0, 0)


def test_training_and_test_file_hold_each_rating_once(tmp_path: Path) -> None:
    data = pairs_once()
    file = write_repository_of_lists(data, tmp_path)
    train = tmp_path / "made.train.rating"
    lines = train.read_text().splitlines()
    train.write_text("\n".join(lines[1:]))
    with pytest.raises(UsageError, match="0 are in both files and 1 in none"):
        divide(data, f"file:{file}", 1, 0, 0)
    train.write_text("\n".join([*lines, "{}\t{}\t3".format(*ids_of(data, TESTED[0]))]))
    with pytest.raises(UsageError, match="1 are in both files and 0 in none"):
        divide(data, f"file:{file}", 1, 0, 0)


def test_the_key_covers_rows_and_file_and_the_path_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pairs_once()
    file = write_pairs(data, tmp_path)
    monkeypatch.chdir(tmp_path)
    spec = canonical_spec("file:pairs.csv")
    assert spec == f"file:{file}"

    digests = {data.digest, digest_of_split(data, spec)}
    file.write_text(file.read_text() + "\n")  # the same rows, another file
    digests.add(digest_of_split(data, spec))
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    digests.add(digest_of_split(data, spec))
    assert len(digests) == 4
    with pytest.raises(UsageError, match="there is no such file"):
        canonical_spec("file:none.csv")


def test_a_run_is_divided_by_the_file_and_its_algorithm_may_not_open_it(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    _, *lines = ratings_file.read_text().splitlines()
    tested = [line.rpartition(",")[0].rpartition(",")[0] for line in lines[::5]]
    split = tmp_path / "tested.csv"
    split.write_text("\n".join(tested))
    run_bench(
        "--dataset", f"table:{ratings_file}", "--split", f"file:{split}", "--no-report",
        "--plugin", "cheats", "--algorithm", "item-mean",
        "--algorithm", f"cheats-reader[file={split}]", "--out", tmp_path / "run",
        check=4,
    )  # fmt: skip
    records = tmp_path / "run" / "records"
    (measured,) = (json.loads(file.read_text()) for file in records.glob("item-mean*.json"))
    assert measured["cell"]["split"] == f"file:{split}"
    assert measured["data"]["test"] == len(tested)
    (refused,) = (json.loads(file.read_text()) for file in records.glob("cheats-reader*.json"))
    assert refused["status"] == "failed"
    assert "SealedError" in refused["reason"]


# The published split of MovieLens 100k


def placed_bits() -> Path:
    """The bitmap of the published split; skips, with the reason, where it is not at hand."""
    name = PUBLISHED["mcrec"].bitmap
    variable = "RECBENCH_SPLITS"
    directories = [ROOT.parent / "shared" / "data"]
    if os.environ.get(variable):
        directories.insert(0, Path(os.environ[variable]))
    for directory in directories:
        if (directory / name).is_file():
            return directory / name
    pytest.skip(f"{name} is not in the repository: name its directory in ${variable}")


def test_the_published_split_is_known_by_its_bits_in_whichever_form(
    movielens: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = placed_bits().read_bytes()
    monkeypatch.setattr(from_file, "find_placed", lambda *names: None)
    monkeypatch.setattr(from_file, "data_directory", lambda: tmp_path)

    def fetch(address: str, checksum: str | None, target: Path) -> Path:
        assert address.endswith("/Conferences/KDD/MCRec_github/data/ml-100k.test.rating")
        rows = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8)))
        items: dict[int, list[int]] = {}
        for row in rows.tolist():
            user, item = ids_of(movielens, row)
            items.setdefault(user, []).append(item)
        lines = [f"{user} {' '.join(map(str, own))}" for user, own in sorted(items.items())]
        target.write_text("\n".join(lines))
        return target

    monkeypatch.setattr(from_file, "download_file", fetch)
    fetched = divide(movielens, "mcrec", 1, 0, 0)[1]
    key = digest_of_split(movielens, "mcrec")
    assert len(fetched) == 20_000

    file = tmp_path / PUBLISHED["mcrec"].bitmap
    file.write_bytes(bits)
    monkeypatch.setattr(from_file, "find_placed", lambda *names: file)
    np.testing.assert_array_equal(divide(movielens, "mcrec", 1, 0, 0)[1], fetched)
    assert digest_of_split(movielens, "mcrec") == key
    assert hashlib.sha256(bits).hexdigest() == PUBLISHED["mcrec"].sha256

    file.write_bytes(bytes([bits[0] ^ 1]) + bits[1:])
    with pytest.raises(UsageError, match="not the published split mcrec"):
        divide(movielens, "mcrec", 1, 0, 0)


def test_the_published_split_is_for_its_own_ratings_only() -> None:
    with pytest.raises(UsageError, match="split mcrec: made for ratings with the digest eaffc7e6a"):
        divide(dataset(50, 0), "mcrec", 1, 0, 0)


def test_who_cannot_fetch_it_is_told_where_to_put_it(
    movielens: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(address: str, checksum: str | None, target: Path) -> Path:
        raise MissingData(f"{address} cannot be reached")

    monkeypatch.setattr(from_file, "find_placed", lambda *names: None)
    monkeypatch.setattr(from_file, "data_directory", lambda: tmp_path)
    monkeypatch.setattr(from_file, "download_file", refuse)
    message = rf"Put mcrec_test_rows\.bits or ml-100k\.test\.rating into {tmp_path}"
    with pytest.raises(UsageError, match=message):
        divide(movielens, "mcrec", 1, 0, 0)


def test_a_file_that_is_not_there_is_a_sentence() -> None:
    result = bench("--dataset", "movielens-100k", "--split", "file:none", "--dry-run")
    assert result.exit_code == 2
    assert "there is no such file" in result.output
