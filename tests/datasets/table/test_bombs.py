"""A few bytes that would fill the memory are refused before they do, in every kind of file."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from recbench import datasets
from recbench.datasets import UsageError
from tests.datasets.table.forms import as_workbook

SIZE = 24 << 20  # bytes; six times what is allowed here
ZEROS = b"0" * SIZE


def as_tar_of_zeros() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:bz2") as tar:
        info = tarfile.TarInfo("ratings.csv")
        info.size = SIZE
        tar.addfile(info, io.BytesIO(ZEROS))
    return out.getvalue()


def as_zip_of_zeros(name: str) -> bytes:
    out = io.BytesIO(as_workbook([["user", "item", "rating"], ["1", "2", "3"]]))
    mode: Literal["a", "w"] = "a" if name.startswith("xl/") else "w"
    with zipfile.ZipFile(out, mode, zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, ZEROS)
    return out.getvalue()


def as_arrow_of_zeros() -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame({"user": [1], "item": [2], "rating": ["3"]})
    pl.concat([frame] * 2).with_columns(rating=pl.Series(["0" * (SIZE // 2)] * 2)).write_ipc(
        out, compression="zstd"
    )
    return out.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "t.csv.gz": lambda: gzip.compress(ZEROS, 1),
    "t.csv.bz2": lambda: bz2.compress(ZEROS, 1),
    "t.csv.xz": lambda: lzma.compress(ZEROS, preset=0),
    "t.tar.bz2": as_tar_of_zeros,
    "t.zip": lambda: as_zip_of_zeros("ratings.csv"),
    "t.xlsx": lambda: as_zip_of_zeros("xl/sharedStrings.xml"),
    "t.arrow": as_arrow_of_zeros,
}


@pytest.fixture(autouse=True)
def _allow_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one limit, set to what is quickly made."""
    monkeypatch.setenv("RECBENCH_UNPACK_LIMIT", "4M")


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    with pytest.raises(UsageError, match="RECBENCH_UNPACK_LIMIT"):
        datasets.load(f"table:{path}")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd to pack with")
@pytest.mark.parametrize("options", [[], ["--no-content-size"]])
def test_zstandard_bombs_are_refused_whether_they_say_their_size_or_not(
    tmp_path: Path, options: list[str]
) -> None:
    packed = subprocess.run(
        ["zstd", "-q", "-c", *options], input=ZEROS, capture_output=True, check=True
    ).stdout
    path = tmp_path / "t.csv.zst"
    path.write_bytes(packed)
    with pytest.raises(UsageError, match="RECBENCH_UNPACK_LIMIT"):
        datasets.load(f"table:{path}")


def test_packing_in_packing_ends(tmp_path: Path) -> None:
    content = b"user,item,rating\n1,2,3\n"
    for _ in range(5):
        content = gzip.compress(content)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="packed more than 4 times"):
        datasets.load(f"table:{path}")
