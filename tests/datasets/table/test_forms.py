"""The same ratings, in every form in which people have them, are the same ratings."""

import gzip
import json
import lzma
import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from tests.datasets.table.forms import (
    FRAME,
    NEW_FORMS,
    OLD_FORMS,
    PLAIN,
    ROWS,
    as_zip,
    json_lines,
    json_records,
    lines_of,
    text_of,
    write_form,
)

USUAL_REMARKS = ("The scale 1 to 5 is inferred", "Times are ")


def rows_of(data: Dataset) -> list[tuple[int, int, float, int]]:
    """The ratings with their raw ids, in their order."""
    ratings = data.ratings
    assert ratings.times is not None
    users = data.user_ids[ratings.users].tolist()
    items = data.item_ids[ratings.items].tolist()
    return list(zip(users, items, ratings.values.tolist(), ratings.times.tolist(), strict=True))


@pytest.mark.parametrize("name", OLD_FORMS)
def test_what_was_right_stays_right_without_a_new_remark(tmp_path: Path, name: str) -> None:
    data = datasets.load(write_form(tmp_path, name, OLD_FORMS[name]))
    assert rows_of(data) == ROWS
    assert data.ratings.scale == (1, 5)
    assert not data.provenance.steps
    for remark in data.provenance.remarks:
        assert remark.startswith(USUAL_REMARKS)


@pytest.mark.parametrize("name", NEW_FORMS)
def test_every_form_is_the_same_ratings(tmp_path: Path, name: str) -> None:
    data = datasets.load(write_form(tmp_path, name, NEW_FORMS[name]))
    assert rows_of(data) == ROWS
    assert data.ratings.scale == (1, 5)


@pytest.mark.parametrize(
    ("raw_id", "read_as"),
    [
        ("007", "007"), ("é", "é"), ("😀", "😀"), ("-7", -7), ("0a1f", "0a1f"), ("+7", "+7"),
        ('"two\nlines"', "two\nlines"), ('"a ""b"", c"', 'a "b", c'), ("#7", "#7"), ("%", "%"),
        ("9" * 18, int("9" * 18)), ("1e", "1e"), ("_", "_"), ("[x]", "[x]"),
    ],
)  # fmt: skip
def test_odd_ids_stay_what_they_are(tmp_path: Path, raw_id: str, read_as: object) -> None:
    text = f"user,item,rating\n{raw_id},1,3\n8,1,4\n9,2,5\n{raw_id},2,1\n"
    data = datasets.load(write_form(tmp_path, "t.csv", text.encode()))
    assert len(data.ratings) == 4
    assert data.user_ids[0] == read_as


def test_a_folder_of_parquet_parts_is_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME[:40].write_parquet(folder / "part-0.snappy.parquet")
    FRAME[40:].write_parquet(folder / "part-1.snappy.parquet")
    (folder / "_SUCCESS").touch()
    data = datasets.load(f"table:{folder}")
    assert rows_of(data) == ROWS
    assert len(data.provenance.sources) == 2

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "a.csv").write_bytes(PLAIN)
    with pytest.raises(UsageError, match=r"is a folder: expected the parts .*found a\.csv"):
        datasets.load(f"table:{empty}")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd to pack with")
def test_zstandard_is_read_by_its_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(PLAIN)
    subprocess.run(["zstd", "-q", "a.csv"], cwd=tmp_path, check=True)
    assert rows_of(datasets.load(f"table:{tmp_path}/a.csv.zst")) == ROWS

    packed = (tmp_path / "a.csv.zst").read_bytes()
    (tmp_path / "cut.csv.zst").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UsageError, match="cannot be read as Zstandard"):
        datasets.load(f"table:{tmp_path}/cut.csv.zst")


def test_an_archive_of_several_tables_asks_which(tmp_path: Path) -> None:
    spec = write_form(tmp_path, "two.zip", as_zip(a_csv=PLAIN, b_csv=b"id,title\n1,x\n"))
    with pytest.raises(UsageError, match=r"holds 2 files.*two\.zip\[member=a\.csv\]"):
        datasets.load(spec)
    assert rows_of(datasets.load(f"{spec}[member=a.csv]")) == ROWS


# What these hold is of no matter: by their first bytes or names they are known
FOREIGN = {
    "r.mat": (b"MATLAB 5.0 MAT-file", "MATLAB file .*scipy.io.loadmat"),
    "r.h5": (b"\x89HDF\r\n\x1a\n", "HDF5 .*read_hdf"),
    "r.pkl": (b"\x80\x05\x95\x00", "a pickle, which can run any code .*read_pickle"),
    "old.pickle": (b"(lp0\n.", "a pickle"),
    "r.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook .*read_excel"),
    "r.db": (b"SQLite format 3\0", "an SQLite database: .*read_sql"),
    "r.npy": (b"\x93NUMPY\x01\x00", "a NumPy array .*numpy.load"),
    "r.RData": (gzip.compress(b"RDX3\nX\n"), "R data .*write.csv"),
    "r.orc": (b"ORC\x00", "an ORC file: .*read_orc"),
    "r.arrows": (b"\xff\xff\xff\xff\x10\0\0\0", "a stream of Arrow.*read_ipc_stream"),
    "r.pdf": (b"%PDF-1.4", "a PDF"),
    "r.csv": (b"<!DOCTYPE html><html>", "a web page"),
    "lfs.csv": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "r.mtx": (b"%%MatrixMarket matrix coordinate\n3 3 1\n1 1 5\n", "MatrixMarket .*mmread"),
    "r.libffm": (b"1 0:1:1 1:1:1\n2 0:1:1 1:2:1\n", "libFFM.*awk"),
    "train.txt": (b"1 1 2 3\n2 2 3 4 5\n3 1\n", "lists, a user and then all .*awk.*rating=none"),
    "x.txt": (b"1:\n1,1,2004-11-29\n4,2,2005-01-28\n", "Netflix Prize.*--dataset netflix"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_read_is_called_by_its_name_with_the_line_that_converts_it(
    tmp_path: Path, name: str
) -> None:
    content, message = FOREIGN[name]
    with pytest.raises(UsageError, match=message) as raised:
        datasets.load(write_form(tmp_path, name, content))
    assert name in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"user":1,"item":2,"rating":3}\n{"user":1,"item":', "line 2: expected a record in JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"user":1,\n"item":2}\nrest', "line 3: expected a record in JSON, got 'rest'"),
        (b'{"user":"\xe9"}', "byte 0xe9 is not UTF-8"),
        (b"{}", "is empty"),
        (b'[{"user":1,"item":2,"rating":"good"}]', "expected a number in column 'rating'"),
        (b"PK\3\4" + b"x" * 60, "is an archive, zip or tar"),
        (as_zip(), "holds 0 files that may be tables"),
    ],
)
def test_damaged_files_are_refused_without_a_traceback(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        datasets.load(write_form(tmp_path, "bad.json", content))


def test_a_latin_file_is_told_which_it_is(tmp_path: Path) -> None:
    text = PLAIN.decode().replace("\n1,", "\nZoë’s,")
    spec = write_form(tmp_path, "t.csv", text.encode("cp1252"))
    with pytest.raises(UsageError, match="encoding=cp1252"):
        datasets.load(spec)
    assert "Zoë’s" in datasets.load(f"{spec}[encoding=cp1252]").user_ids.tolist()


def test_bytes_in_parquet_are_text_or_refused(tmp_path: Path) -> None:
    ids = pl.Series([b"a\xff" if user == 3 else str(user).encode() for user, *_ in ROWS])
    path = tmp_path / "t.parquet"
    FRAME.with_columns(user=ids).write_parquet(path)
    with pytest.raises(UsageError, match="column's type is binary: cast it"):
        datasets.load(f"table:{path}")
    FRAME.with_columns(user=pl.Series([str(row[0]).encode() for row in ROWS])).write_parquet(path)
    assert rows_of(datasets.load(f"table:{path}")) == ROWS


def test_parts_with_different_columns_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    FRAME.write_parquet(folder / "a.parquet")
    FRAME.rename({"rating": "score"}).write_parquet(folder / "b.parquet")
    with pytest.raises(UsageError, match=r"a\.parquet and b\.parquet differ in 'rating' \(Int64"):
        datasets.load(f"table:{folder}")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"RDX3\nX\n\0\0\0\3", "R data (.RData)"),
        (b"RDA3\nA\n3\n", "R data (.RData)"),
        (b"X\n\0\0\0\3\0\4", "an object of R (.rds)"),
        (b"A\n3\n263168\n", "an object of R (.rds)"),
    ],
)
def test_files_of_r_are_named_with_the_line_that_converts_them(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    for packed in (content, gzip.compress(content), lzma.compress(content)):
        with pytest.raises(UsageError, match=f"is {re.escape(kind)}: .*in R: .*write.csv"):
            datasets.load(write_form(tmp_path, "ratings.rds", packed))


# Kinds of file for items=, all with the same titles
ITEMS = {
    "items.csv": b"item,title\n" + b"".join(b"%d,Film %d (1999)\n" % (k, k) for k in range(1, 16)),
    "items.json": json_lines([{"item": k, "title": f"Film {k} (1999)"} for k in range(1, 16)]),
    "items.txt": text_of([f"{k}\tFilm {k} (1999)" for k in range(1, 16)]),
    "items.csv.gz": gzip.compress(text_of([f"{k};Film {k} (1999)" for k in range(1, 16)])),
    "named.json": json.dumps(
        [{"item": k, "title": f"Film {k} (1999)"} for k in range(1, 16)]
    ).encode(),
    "quotes.csv": text_of(
        ['"ISBN";"Book-Title";"Year"']
        + [f'"{k}";"Film \\"{k}\\"; {k}";"1999"' for k in range(1, 16)]
    ),
}


@pytest.mark.parametrize("name", ITEMS)
def test_items_are_read_from_every_kind_and_their_columns_are_stated(
    tmp_path: Path, name: str
) -> None:
    spec = write_form(tmp_path, "t.csv", PLAIN)
    write_form(tmp_path, name, ITEMS[name])
    data = datasets.load(f"{spec}[items={tmp_path / name}]")
    assert data.catalogue.years == (1999,) * 15
    assert all(title.startswith("Film ") for title in data.catalogue.titles)
    remarks = " ".join(data.provenance.remarks)
    assert f"{name} describes 15 of the 15 rated items" in remarks
    assert f"Of {name}, column " in remarks


def test_the_columns_of_items_can_be_named(tmp_path: Path) -> None:
    spec = write_form(tmp_path, "t.csv", text_of(lines_of(header=["user", "nr", "rating", "time"])))
    items = tmp_path / "about.parquet"
    frame = pl.DataFrame({"nr": range(1, 16), "id": range(101, 116), "caption": ["x"] * 15})
    frame.write_parquet(items)
    with pytest.raises(UsageError, match=r"expected a column for the title, .*items_title="):
        datasets.load(f"{spec}[item=nr,items={items}]")

    data = datasets.load(f"{spec}[item=nr,items={items},items_title=caption]")
    assert data.catalogue.titles == ("x",) * 15, "the name given for the item is tried first"
    assert any("unused: id" in remark for remark in data.provenance.remarks)
    with pytest.raises(UsageError, match="expected the ids of rated items"):
        datasets.load(f"{spec}[item=nr,items={items},items_title=caption,items_id=id]")


def test_long_texts_and_lists_in_json_are_no_hindrance(tmp_path: Path) -> None:
    records = json_records(text="long " * 5000, tags=["a"], more={"deep": {"deeper": 1}})
    assert rows_of(datasets.load(write_form(tmp_path, "t.json", json_lines(records)))) == ROWS
