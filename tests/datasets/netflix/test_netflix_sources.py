"""Netflix in every form it is passed on: the same ratings from each, and clear errors from damaged
ones.
"""

import gzip
import io
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recbench.datasets import UsageError, load
from recbench.datasets.netflix.locate import COMBINED
from recbench.datasets.netflix.probe import read_probe
from recbench.datasets.netflix.ratings_files import Reader, Text
from recbench.datasets.netflix.titles import read_titles
from recbench.datasets.storage.fetch import MissingData

TITLES = b"".join(
    b"%d,%d,Film, the %dth\n" % (movie, 1900 + movie % 100, movie) for movie in range(1, 17_771)
)
MOVIES = (3, 1, 4499, 4500, 17_770)  # in three of the four files
PROBE = b"1:\n30\n10\n4500:\n20\n"
Place = Callable[[Path], None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    monkeypatch.delenv("RECBENCH_CACHE", raising=False)
    (tmp_path / "netflix").mkdir()
    return tmp_path / "netflix"


def movie_text(movie: int) -> bytes:
    return b"%d:\n" % movie + b"".join(
        b"%d,%d,2005-01-%02d\n" % (u, 1 + (u + movie) % 5, u) for u in (20, 10, 30)
    )


def combined() -> dict[str, bytes]:
    first, second, last = (
        b"".join(map(movie_text, movies)) for movies in ((1, 3, 4499), (4500,), (17_770,))
    )
    return {COMBINED[0]: first, COMBINED[1]: second.rstrip(), COMBINED[3]: last}


def singles() -> dict[str, bytes]:
    return {
        f"mv_{movie:07}.txt": movie_text(movie).rstrip(b"\n" if movie % 2 else b"")
        for movie in MOVIES
    }


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tar(files: dict[str, bytes], prefix: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def place_combined(folder: Path) -> None:
    write(folder, combined() | {"movie_titles.csv": TITLES, "probe.txt": PROBE})


def place_zip(folder: Path) -> None:
    rest = {
        "movie_titles.csv": TITLES,
        "probe.txt": PROBE,
        "README": b"x",
        "__MACOSX/._combined_data_1.txt": b"y",
    }
    zipped(folder / "archive.zip", combined() | rest)


def place_movies(folder: Path) -> None:
    write(folder, singles() | {"movie_titles.txt": TITLES, "probe.txt": PROBE})


def place_subdirectory(folder: Path) -> None:
    write(folder / "training_set", singles())
    write(folder, {"movie_titles.txt": TITLES, "probe.txt": PROBE})


def place_tar(folder: Path) -> None:
    write(
        folder,
        {
            "training_set.tar": tar(singles(), "training_set/"),
            "movie_titles.txt": TITLES,
            "probe.txt": PROBE,
        },
    )


def place_prize(folder: Path) -> None:
    inside = {"README": b"x", "training_set.tar": tar(singles(), "training_set/"), "rmse.pl": b"y"}
    content = tar(
        inside | {"movie_titles.txt": TITLES, "probe.txt": PROBE, "qualifying.txt": b"1:\n"},
        "download/",
    )
    write(folder, {"nf_prize_dataset.tar.gz": gzip.compress(content)})


FORMS = [place_combined, place_zip, place_movies, place_subdirectory, place_tar, place_prize]


@pytest.mark.parametrize("place", FORMS)
def test_every_form_gives_the_same_ratings(folder: Path, place: Place) -> None:
    place(folder)
    found = load("netflix")
    ratings = found.ratings
    assert found.item_ids.tolist() == sorted(MOVIES) and found.user_ids.tolist() == [10, 20, 30]
    assert (
        ratings.items.tolist() == [k for k in range(5) for _ in range(3)]
        and ratings.users.tolist() == [1, 0, 2] * 5
    )
    assert ratings.values.tolist() == [
        1 + (u + m) % 5 for m in sorted(MOVIES) for u in (20, 10, 30)
    ]
    assert found.catalogue.titles[1] == "Film, the 3th" and found.catalogue.years[-1] == 1970
    assert [rows.tolist() for rows in found.splits["probe"]] == [[1, 2, 9]]
    assert any("all 3 pairs are here" in remark for remark in found.provenance.remarks)
    assert any(
        "not the counts of the complete data" in remark for remark in found.provenance.remarks
    )
    assert (
        not found.provenance.simulated and found.truth is None and not found.provenance.calibration
    )
    first = load("netflix-filtered[min_item_ratings=0,min_user_ratings=0]")
    assert first.item_ids.tolist() == [1, 3, 4499] and len(first.ratings) == 9
    assert first.splits["probe"][0].tolist() == [1, 2]
    assert any("2 of its 3 pairs are left" in remark for remark in first.provenance.remarks)


@pytest.mark.parametrize("place", [place_zip, place_movies])
@pytest.mark.slow
def test_a_changed_file_is_read_again(folder: Path, place: Place) -> None:
    place(folder)
    before = load("netflix").digest
    for path in [*folder.glob("mv_0000003.txt"), *folder.glob("*.zip")]:
        path.unlink()
    (folder / COMBINED[0]).unlink(missing_ok=True)
    (folder / "probe.txt").unlink(missing_ok=True)
    write(folder, {"movie_titles.csv": TITLES})
    if place is place_zip:
        write(folder, {COMBINED[0]: movie_text(1)})
    assert load("netflix").digest != before


def test_counts_are_compared_with_the_published_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_combined(folder)
    monkeypatch.setattr(
        "recbench.datasets.netflix.loaders.COMPLETE_COUNTS", {"ratings": 15, "users": 3, "items": 5}
    )
    remarks = load("netflix").provenance.remarks
    assert "15 ratings, 3 users, 5 items: the same counts as the complete data." in remarks
    assert load("netflix[min_user_ratings=1]").provenance.remarks == (remarks[1],)


def cut(name: str, size: int) -> Place:
    def place(folder: Path) -> None:
        {"archive.zip": place_zip, "training_set.tar": place_tar}.get(name, place_prize)(folder)
        path = folder / name
        path.write_bytes(path.read_bytes()[:size])

    return place


def tar_with(name: str, **facts: object) -> Place:
    def place(folder: Path) -> None:
        place_tar(folder)
        with tarfile.open(folder / "training_set.tar", "a") as archive:
            member = tarfile.TarInfo(name)
            for fact, value in facts.items():
                setattr(member, fact, value)
            archive.addfile(member, io.BytesIO(b""))

    return place


def zip_with(name: str, mode: int = 0) -> Place:
    def place(folder: Path) -> None:
        place_zip(folder)
        with zipfile.ZipFile(folder / "archive.zip", "a") as archive:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, b"elsewhere")

    return place


def flipped(folder: Path) -> None:
    place_zip(folder)
    content = bytearray((folder / "archive.zip").read_bytes())
    content[60] ^= 0xFF
    (folder / "archive.zip").write_bytes(content)


def altered(name: str, content: bytes) -> Place:
    def place(folder: Path) -> None:
        place_movies(folder)
        (folder / name).write_bytes(content)

    return place


def zip_without_titles(folder: Path) -> None:
    zipped(folder / "archive.zip", combined())


def prize_without_titles(folder: Path) -> None:
    write(
        folder,
        {"nf_prize_dataset.tar.gz": gzip.compress(tar({"training_set.tar": tar(singles())}))},
    )


BAD = [
    (cut("archive.zip", 300), "archive.zip cannot be read: "),
    (flipped, "archive.zip!combined_data_1.txt cannot be read: "),
    (
        cut("training_set.tar", 512 * 3),
        "mv_0000001.txt cannot be read: unexpected end",
    ),  # between two members
    (cut("training_set.tar", 512 * 3 + 100), "training_set.tar cannot be read: "),
    (cut("nf_prize_dataset.tar.gz", 900), "training_set.tar cannot be read: Compressed file ended"),
    (cut("nf_prize_dataset.tar.gz", -4), "nf_prize_dataset.tar.gz cannot be read: "),
    (
        tar_with("../../mv_0000002.txt"),
        "training_set.tar!../../mv_0000002.txt is a path that leads out",
    ),
    (tar_with("/etc/mv_0000002.txt"), "leads out of the archive"),
    (
        tar_with("mv_0000002.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "is a link or a device",
    ),
    (
        tar_with("mv_0000002.txt", type=tarfile.LNKTYPE, linkname="mv_0000001.txt"),
        "is a link or a device",
    ),
    (tar_with("device", type=tarfile.CHRTYPE), "is a link or a device"),
    (zip_with("..\\combined_data_3.txt"), "leads out of the archive"),
    (zip_with("/combined_data_3.txt"), "leads out of the archive"),
    (zip_with("C:/combined_data_3.txt"), "leads out of the archive"),
    (zip_with("combined_data_3.txt", 0o120777), "is a link or a device"),
    (zip_with("again/combined_data_1.txt"), "archive.zip/combined_data_1.txt, line 1: 'elsewhere'"),
    (zip_with("again/movie_titles.csv"), "expected one list of titles"),
    (zip_without_titles, "only in part: movie_titles.csv missing"),
    (prize_without_titles, "holds no movie_titles.csv or movie_titles.txt"),
    (
        altered("mv_0000003.txt", movie_text(4)),
        "mv_0000003.txt, line 1: '4:': expected the line 3:",
    ),
    (altered("mv_0000003.txt", b""), "mv_0000003.txt, line 1: '': expected the line 3:"),
    (altered("mv_0000003.txt", movie_text(3) + b"5:\n"), "line 5: '5:': another movie than 3"),
    (
        altered("mv_0000003.txt", movie_text(3)[:-3]),
        "mv_0000003.txt, line 4: '30,4,2005-01-': expected a date",
    ),
    (altered("mv_0017771.txt", b"17771:\n"), "mv_*.txt files for movies 1 to 17770"),
    (altered("probe.txt", b"1:\n30\n3:\n11\n"), "probe.txt, line 4: user 11 never rated movie 3"),
    (
        altered("probe.txt", b"1:\n30\n30\n"),
        "probe.txt, line 3: '30': this user came before for movie 1",
    ),
    (
        altered("probe.txt", b"30\n"),
        "probe.txt, line 1: '30': expected a user id below a line movie:",
    ),
    (altered("probe.txt", b"1:\n30,2005-01-01\n"), "probe.txt, line 2: '30,2005-01-01'"),
    (altered("probe.txt", b"1:\n30\n1:\n10\n"), "probe.txt, line 3: '1:'"),
    (altered("probe.txt", b"1:\n"), "probe.txt: no pairs"),
    (
        altered("movie_titles.txt", TITLES.replace(b"\n4500,", b"\n4500;")),
        "movie_titles.txt, line 4500: ",
    ),
    (altered("movie_titles.txt", TITLES[: TITLES.index(b"\n4500,")]), "no line for movie 4500"),
]


@pytest.mark.parametrize(("place", "problem"), BAD)
def test_bad_input_is_refused_and_nothing_is_cached(
    folder: Path, place: Place, problem: str
) -> None:
    place(folder)
    with pytest.raises(UsageError, match=re.escape(problem)):
        load("netflix")
    assert not list((folder.parent / "cache" / "datasets").glob("*/"))


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        (
            "foundation.expansion.MOST_BYTES",
            r"makes the archive unpack to [0-9,]+ bytes or more, 4 are allowed for its size\.",
        ),
        (
            "storage.archives.MOST_MEMBERS",
            "is one more than the 4 members that an archive may have",
        ),
    ],
)
@pytest.mark.parametrize("place", [place_zip, place_prize])
def test_an_archive_that_unpacks_to_far_more_is_refused(
    folder: Path, place: Place, limit: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"recbench.datasets.{limit}", 4)
    place(folder)
    with pytest.raises(UsageError, match=problem):
        load("netflix")


def test_a_missing_file_that_the_probe_speaks_of_is_counted(folder: Path) -> None:
    place_combined(folder)
    (folder / COMBINED[1]).unlink()
    found = load("netflix")
    assert found.splits["probe"][0].tolist() == [1, 2]
    assert any("2 of its 3 pairs" in remark for remark in found.provenance.remarks)
    with pytest.raises(MissingData, match=r"only in part: combined_data_1\.txt missing"):
        (folder / COMBINED[0]).unlink()
        load("netflix-filtered")
    assert load("netflix").item_ids.tolist() == [17_770]


def mutated(good: bytes, rng: random.Random, alphabet: bytes) -> bytes:
    text = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        text[at : at + rng.randrange(3)] = bytes(rng.choices(alphabet, k=rng.randrange(3)))
    return bytes(text)


def slow_lines(text: bytes) -> list[str]:
    return text.decode("latin-1").rstrip("\r\n").replace("\r\n", "\n").split("\n")


def slow_movie(text: bytes) -> list[tuple[int, int, str]]:
    header, *lines = slow_lines(text)
    assert int(header.removesuffix(":")) == 7 and header.endswith(":")
    return [
        (int(user), int(stars), date) for user, stars, date in (line.split(",") for line in lines)
    ]


def slow_titles(text: bytes) -> dict[int, tuple[str, int | None]]:
    parts = [line.split(",", 2) for line in slow_lines(text)]
    return {
        int(movie): (title, None if year == "NULL" else int(year)) for movie, year, title in parts
    }


def slow_probe(text: bytes) -> list[tuple[int, int, int]]:
    movie = 0
    pairs = []
    for number, line in enumerate(slow_lines(text), start=1):
        if line.endswith(":"):
            movie = int(line[:-1])
        else:
            pairs.append((movie, int(line), number))
    return pairs


def fast_movie(text: bytes) -> list[tuple[int, int, str]]:
    reader = Reader()
    reader.read_text(Text("mv_0000007.txt", io.BytesIO(text), 7))
    columns = [np.concatenate(parts) for parts in zip(*reader.finish("it").blocks, strict=True)]
    assert (columns[1] == 7).all()
    dates = columns[3].astype("datetime64[D]").astype(str).tolist()
    return list(zip(columns[0].tolist(), columns[2].tolist(), dates, strict=True))


def fast_probe(text: bytes) -> list[tuple[int, int, int]]:
    probe = read_probe(text, "probe.txt")
    return list(zip(probe.movies.tolist(), probe.users.tolist(), probe.lines.tolist(), strict=True))


@pytest.mark.parametrize(
    ("good", "alphabet", "fast", "slow"),
    [
        (
            b"7:\n12,3,2005-09-06\r\n345,5,2004-12-31\n9,1,2000-02-29",
            b"0123456789,:-\r\n \xff",
            fast_movie,
            slow_movie,
        ),
        (b"1:\n12\n345\r\n22:\n7\n12\n", b"0123456789,:-\r\n \xff", fast_probe, slow_probe),
        (
            b"1,2003,Dinosaur, Planet\n22,NULL,Caf\xe9\r\n3,1894,The 7\n",
            b"0123456789,NUL-\r\n \xffx",
            lambda text: read_titles(text, "movie_titles.csv"),
            slow_titles,
        ),
    ],
)
@pytest.mark.slow
def test_mutated_texts_give_what_a_slow_parser_gives_or_an_error(
    good: bytes, alphabet: bytes, fast: Callable[[bytes], object], slow: Callable[[bytes], object]
) -> None:
    rng = random.Random(0)
    refused = 0
    assert fast(good) == slow(good)
    for _ in range(3000):
        text = mutated(good, rng, alphabet)
        try:
            found = fast(text)
        except UsageError:
            refused += 1
        else:
            assert found == slow(text), text
    assert 500 < refused < 2990


def test_several_incomplete_forms_are_refused_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    folder = tmp_path / "netflix"
    folder.mkdir(exist_ok=True)
    (folder / "movie_titles.csv").write_text("1,2000,A\n2,2001,B\n")
    (folder / "combined_data_1.txt").write_text("1:\n5,3,2005-01-01\n")
    assert len(load("netflix").ratings) == 1
    (folder / "mv_0000002.txt").write_text("2:\n6,4,2005-01-01\n")
    with pytest.raises(
        UsageError, match=r"several incomplete forms: combined_data_1.txt .*; mv_0000002.txt"
    ):
        load("netflix")
    assert len(load("netflix-filtered[min_item_ratings=0,min_user_ratings=0]").ratings) == 1
