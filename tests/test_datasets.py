"""Containers, the cache, and anybody's own table."""

import gzip
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets
from datasets import Catalogue, Dataset, Provenance, Ratings, UsageError
from datasets.cache import cached, reopen
from datasets.spec import format_spec, parse_spec, pick


def small(values: list[float], scale: tuple[float, float] = (1, 5)) -> Ratings:
    n = len(values)
    indices = np.arange(n, dtype=np.int32)
    return Ratings(indices, indices, np.array(values, np.float32), n, n, scale)


def test_columns_are_read_only_and_validated() -> None:
    ratings = small([1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        ratings.values[0] = 5
    with pytest.raises(ValueError, match=r"within \(1, 5\)"):
        small([1, 6])
    with pytest.raises(ValueError, match="float32"):
        replace(ratings, values=np.ones(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="indices from 0 to 1"):
        replace(ratings, n_users=2)
    with pytest.raises(ValueError, match="shape"):
        replace(ratings, items=ratings.items[:2])


def test_take_keeps_order_and_index_space() -> None:
    taken = small([1, 2, 3, 4]).take([2, 0])
    assert taken.values.tolist() == [3, 1]
    assert (taken.n_users, taken.n_items) == (4, 4)
    assert taken.mean == 2


names = st.text("abcdefghij-:/._ ", min_size=1).map(str.strip).filter(bool)
words = st.text("abc_123.", min_size=1)


@given(names, st.dictionaries(words, words, max_size=4))
def test_specs_are_read_back(name: str, parameters: dict[str, str]) -> None:
    assert parse_spec(format_spec(name, parameters)) == (name, parameters)


@pytest.mark.parametrize("spec", ["", "a[b", "a[b]", "a[=1]", "a[b=1,b=2]", "a[b=1][c=2]", "[a=1]"])
def test_malformed_specs_are_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(spec)


def test_an_unknown_name_gets_the_nearest_and_all_valid_ones() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'item-mean'\? Valid: item-mean, random"):
        pick("algorithm", "itm-mean", ["random", "item-mean"])


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return f"table:{path}"


def test_a_table_becomes_ratings(tmp_path: Path) -> None:
    spec = write(
        tmp_path / "mine.csv", "user_id, rating,item_id,timestamp\nb,4,x,10\na,2.5,y,20\nb,5,y,30\nb,3,x,40\n"
    )
    mine = datasets.load(spec)
    assert mine.user_ids.tolist() == ["b", "a"]
    assert mine.item_ids.tolist() == ["x", "y"]
    assert mine.ratings.users.tolist() == [1, 0, 0]
    assert mine.ratings.items.tolist() == [1, 1, 0]
    assert mine.ratings.values.tolist() == [2.5, 5, 3], "the last of the two ratings of (b, x)"
    assert mine.ratings.times is not None
    assert mine.ratings.times.tolist() == [20, 30, 40]
    assert mine.ratings.scale == (1, 5)
    assert mine.provenance.steps[0].after["ratings"] == 3
    with pytest.raises(UsageError, match=r"line 2: this pair is rated again"):
        datasets.load(f"{spec}[duplicates=error]")


def test_columns_and_separator_can_be_named(tmp_path: Path) -> None:
    spec = write(
        tmp_path / "t.csv", "who;what;how_much;when\n1;7;80;2005-12-31T00:00:00\n2;7;0;2006-01-01T00:00:00\n"
    )
    mine = datasets.load(f"{spec}[user=who,item=what,rating=how_much,time=when,sep=;]")
    assert mine.ratings.scale == (0, 100)
    assert mine.ratings.times is not None
    assert mine.ratings.times.tolist() == [1135987200, 1136073600]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("user,item,rating\n", "found none"),
        ("user,rating\n1,2\n", "expected a item column|expected an item column"),
        ("user,item,rating\n1,2,3\n1,3,good\n", "line 3: expected a number in column 'rating', got 'good'"),
        ("user,item,rating\n1,2,3\n1,3,\n", "line 3: expected a number"),
        ("user,item,rating\n1,2,nan\n", "line 2: expected a number"),
        ("user,item,rating\n1,2,inf\n", "line 2: expected a number"),
        ("user,item,rating\n,2,3\n", "line 2: expected a non-empty id"),
        ("user,item,rating\n1,2,3\n1,2,3,4\n", "line 3: expected 3 fields, got 4"),
        ("user,item,rating,time\n1,2,3,soon\n", "line 2: expected seconds since 1970 or an ISO date"),
    ],
)
def test_bad_tables_are_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        datasets.load(write(tmp_path / "bad.csv", text))
    assert "bad.csv" in str(raised.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(gzip.compress(b"user,item,rating\n1,2,3\n")[:20] + b"\xff\xfe\n")
    with pytest.raises(UsageError, match=r"binary\.csv"):
        datasets.load(f"table:{path}")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*nowhere\.csv"):
        datasets.load(f"table:{tmp_path}/nowhere.csv")


def test_the_cache_is_not_used_after_the_source_changed(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    first = datasets.load(spec)
    assert datasets.load(spec).stored == first.stored
    write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,5\n")
    assert datasets.load(spec).ratings.values.tolist() == [3, 5]


def test_a_reopened_data_set_is_the_same_and_memory_mapped(tmp_path: Path) -> None:
    loaded = datasets.load(write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n"))
    assert loaded.stored is not None
    again = reopen(loaded.stored)
    del again.__dict__["digest"]
    assert again.digest == loaded.digest
    assert again.provenance == loaded.provenance
    assert isinstance(again.ratings.values.base, np.memmap)


def _parse_slowly(directory: str) -> None:
    marker = Path(directory) / "parsed"

    def parse() -> Dataset:
        with marker.open("a") as file:
            file.write("x")
        catalogue = Catalogue(("a", "b"), (None, None), ((), ()))
        ids = np.array(["a", "b"])
        return Dataset("slow", small([1, 2]), catalogue, ids, ids, Provenance((), "", ""))

    cached("slow", [Path(directory) / "source"], {"parser": 1}, parse)


def test_processes_that_want_the_same_data_parse_it_once(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("source")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_parse_slowly, args=(str(tmp_path),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert (tmp_path / "parsed").read_text() == "x"
