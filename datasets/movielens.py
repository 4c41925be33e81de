"""MovieLens from its original archive, or the 100k set from the copy inside a wheel of RecBole."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from datasets import dataset
from datasets.cache import cached
from datasets.fetch import MissingData, data_directory, download, download_wheel, placed
from datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from datasets.spec import UsageError

PARSER = 1  # raise it when what is parsed from the same bytes changes
U_DATA_SHA256 = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
ARCHIVE, ARCHIVE_MD5 = "ml-100k.zip", "md5:0e33842e24a9c977be4e0107933c0723"
ARCHIVE_URL = f"https://files.grouplens.org/datasets/movielens/{ARCHIVE}"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
LICENCE = "GroupLens: research use, no redistribution without permission, no commercial use"
CITATION = (
    "F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5(4), 2015. doi:10.1145/2827872"
)

Item = tuple[int, str, int | None, tuple[str, ...]]  # raw id, title, year, genres


@dataset("movielens-100k", licence=LICENCE, citation=CITATION)
def movielens_100k() -> Dataset:
    """100,000 ratings of 943 users for 1,682 films, 1 to 5 stars, 1997 to 1998.

    Read from the original archive if it is in the data directory or can be downloaded, else from the identical copy
    inside the wheel of recbole 1.2.1; either way the same ratings in the order of `u.data`.
    """
    path = placed(ARCHIVE, f"movielens/{ARCHIVE}", f"movielens/{WHEEL}", WHEEL) or _fetch()
    read = _from_wheel if path.suffix == ".whl" else _from_archive
    return cached("movielens-100k", [path], {"parser": PARSER}, lambda: _parse(path, read))


def _fetch() -> Path:
    directory = data_directory() / "movielens"
    try:
        return download(ARCHIVE_URL, ARCHIVE_MD5, directory / ARCHIVE)
    except (OSError, ValueError) as error:  # out of reach, or a wrong checksum
        unreachable = error
    try:
        return download_wheel("recbole==1.2.1", WHEEL_SHA256, directory / WHEEL)
    except MissingData as error:
        raise MissingData(
            f"movielens-100k is not here: {ARCHIVE_URL} gave {unreachable!r}; {error}. "
            f"Put {ARCHIVE} into {directory} and run the same command again."
        ) from None


def _parse(path: Path, read: Callable[[Path], tuple[bytes, list[Item]]]) -> Dataset:
    try:
        u_data, items = read(path)
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError) as error:
        raise UsageError(
            f"{path} is not the MovieLens 100k archive: {error}. Delete it, or fetch it again."
        ) from None
    found = hashlib.sha256(u_data).hexdigest()
    if found != U_DATA_SHA256:
        raise UsageError(
            f"{path}: expected u.data with sha256 {U_DATA_SHA256}, got {found}. Fetch the archive again."
        )
    table = pl.read_csv(io.BytesIO(u_data), has_header=False, separator="\t").to_numpy()
    ids, titles, years, genres = zip(*items, strict=True)
    item_ids = np.array(ids, np.int64)
    user_ids = np.unique(table[:, 0])
    ratings = Ratings(
        users=np.searchsorted(user_ids, table[:, 0]).astype(np.int32),
        items=np.searchsorted(item_ids, table[:, 1]).astype(np.int32),
        values=table[:, 2].astype(np.float32),
        n_users=len(user_ids),
        n_items=len(item_ids),
        scale=(1.0, 5.0),
        times=table[:, 3].astype(np.int64),
    )
    provenance = Provenance(sources=(), licence=LICENCE, citation=CITATION)
    return Dataset("movielens-100k", ratings, Catalogue(titles, years, genres), user_ids, item_ids, provenance)


def _from_archive(path: Path) -> tuple[bytes, list[Item]]:
    """`u.data` as it is, and the films of `u.item`: id|title (year)|release|video|url|19 genre flags, latin-1."""
    with zipfile.ZipFile(path) as archive:
        u_data = archive.read("ml-100k/u.data")
        genre_lines = archive.read("ml-100k/u.genre").decode("latin-1").split()
        item_lines = archive.read("ml-100k/u.item").decode("latin-1").splitlines()
    names = [line.partition("|")[0] for line in genre_lines]
    items = []
    for line in filter(None, item_lines):
        raw_id, title, *_rest = fields = line.split("|")
        genres = tuple(name for name, flag in zip(names, fields[5:], strict=True) if flag == "1")
        items.append((int(raw_id), *_title_and_year(title), genres))
    return u_data, sorted(items)


def _from_wheel(path: Path) -> tuple[bytes, list[Item]]:
    """The same from RecBole's atomic files: a typed header line, tabs, the year split from the title."""
    with zipfile.ZipFile(path) as wheel:
        inter = wheel.read("recbole/dataset_example/ml-100k/ml-100k.inter")
        lines = wheel.read("recbole/dataset_example/ml-100k/ml-100k.item").decode().splitlines()
    u_data = inter.partition(b"\n")[2].rstrip(b"\n") + b"\n"
    items: list[Item] = []
    for line in lines[1:]:
        raw_id, title, year, genres = line.split("\t")
        if title == "unkonwn":  # RecBole's slip for the film that u.item calls "unknown"
            items.append((int(raw_id), "unknown", None, tuple(genres.split())))
        else:
            items.append((int(raw_id), *_title_and_year(f"{title} ({year})"), tuple(genres.split())))
    return u_data, sorted(items)


def _title_and_year(text: str) -> tuple[str, int | None]:
    """`Toy Story (1995)` -> ("Toy Story", 1995). A "(V)" behind the year, for video, is dropped."""
    found = re.fullmatch(r"(?P<title>.*?)\s*\((?P<year>\d{4})\)\s*(?:\(V\))?", text.strip())
    return (found["title"], int(found["year"])) if found else (text.strip(), None)
