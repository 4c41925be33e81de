"""MovieLens latest-small as it was in 2016, from the R package dslabs that Debian distributes.

GroupLens replaces its latest releases, so this one can no longer be had from there. The package is
an `ar` archive with a tar of files inside; R keeps the data of a package in one database of
compressed objects, which the library rdata reads. Nothing of it is executed.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from recbench.datasets import dataset
from recbench.datasets.movielens.assembly import assemble_dataset
from recbench.datasets.movielens.contents import Contents
from recbench.datasets.movielens.releases import CITATION, COMMAS, HALVES, OPEN, Release
from recbench.datasets.movielens.side_files import NO_GENRES, Film, Films
from recbench.datasets.parsing import Lines
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage import (
    MissingData,
    attach_overviews,
    data_directory,
    download_file,
    find_placed,
    load_cached,
    refuse_other_file,
)

if TYPE_CHECKING:
    import pandas as pd

PARSER = 1  # raise it when what is parsed from the same bytes changes
PACKAGE = "r-cran-dslabs_0.7.4-1_all.deb"
PACKAGE_SHA256 = "c3f93382c44d4581de9561792a87b110cb239c70771cac5ad63fa0a259e71ef3"
URL = f"https://deb.debian.org/debian/pool/main/r/r-cran-dslabs/{PACKAGE}"

RELEASE = Release(
    size="latest-small-2016",
    md5="",  # of an archive that is no longer there
    n_ratings=100_004,
    n_users=671,
    n_films=9066,
    ratings=HALVES,
    years="1995 to 2016",
    line_format=COMMAS,
    licence=OPEN,
)

# The layout of an ar archive, as the manual page deb(5) has it.
AR_START = b"!<arch>\n"
AR_HEADER_BYTES = 60
AR_NAME = slice(0, 16)
AR_SIZE = slice(48, 58)

DATA_FOLDER = "./usr/lib/R/site-library/dslabs/data"
NO_TITLE = "(no title)"
SIZE_BYTES = 4  # before each object of R's database: how long it is unpacked


@dataset(RELEASE.name, licence=OPEN, citation=CITATION)
def movielens_latest_small_2016() -> Dataset:
    """100,004 ratings of 671 users for 9,066 films, half stars from .5 to 5, 1995 to 2016.

    Read from the Debian package r-cran-dslabs 0.7.4-1 (4.7 MB) if it is in the data directory, or
    downloaded from Debian. Users and films are indexed by ascending raw id, ratings keep the
    package's order. A package with another sha256 is refused.
    """
    path = find_placed(PACKAGE, f"movielens/{PACKAGE}") or _fetch_package()

    def parse_package() -> Dataset:
        """What `load_cached` asks for where the cache has nothing."""
        # What is inside the package is trusted after this
        refuse_other_file(path, "sha256", PACKAGE_SHA256, URL)
        contents = _read_frame(_read_movielens(path), f"{path}!movielens")
        return assemble_dataset(RELEASE, contents, "error")

    return load_cached(RELEASE.name, [path], {"parser": PARSER}, parse_package, attach_overviews)


def _fetch_package() -> Path:
    """The downloaded package, in the data directory. MissingData, with what to do, without one."""
    directory = data_directory() / "movielens"
    try:
        return download_file(URL, f"sha256:{PACKAGE_SHA256}", directory / PACKAGE)
    except MissingData as error:
        raise MissingData(
            f"{RELEASE.name} is not here: {error}. "
            f"Put {PACKAGE} into {directory} and run the same command again."
        ) from None


def _read_movielens(package: Path) -> "pd.DataFrame":
    """The data frame `movielens` of the package: a row for each rating."""
    # It takes a second or two to import, and the data are read once in the life of a cache.
    import rdata

    members = dict(list_ar_members(package.read_bytes()))
    with tarfile.open(fileobj=io.BytesIO(members["data.tar.xz"])) as tar:
        index = _read_member(tar, f"{DATA_FOLDER}/Rdata.rdx")
        database = _read_member(tar, f"{DATA_FOLDER}/Rdata.rdb")

    places = rdata.conversion.convert(
        rdata.parser.parse_data(gzip.decompress(index), extension=".rds")
    )
    offset, n_bytes = places["variables"]["movielens"].tolist()
    packed = database[offset + SIZE_BYTES : offset + n_bytes]
    parsed = rdata.parser.parse_data(zlib.decompress(packed), extension=".rds")
    return cast("pd.DataFrame", rdata.conversion.convert(parsed))


def list_ar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of an ar archive: their names and contents."""
    place = len(AR_START)
    while place < len(content):
        header = content[place : place + AR_HEADER_BYTES]
        name = header[AR_NAME].decode("ascii").rstrip(" /")
        n_bytes = int(header[AR_SIZE])

        start = place + AR_HEADER_BYTES
        yield name, content[start : start + n_bytes]
        place = start + n_bytes + n_bytes % 2  # members begin at even places


def _read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """The content of the file `name`; KeyError if it is not in the archive."""
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    with file:
        return file.read()


def _read_frame(frame: "pd.DataFrame", where: str) -> Contents:
    """What the data frame says; `where` names it in errors, a row counting as a line."""
    lines = Lines(
        users=_column_of(frame, "userId", np.int32),
        items=_column_of(frame, "movieId", np.int32),
        values=_column_of(frame, "rating", np.float32),
        times=_column_of(frame, "timestamp", np.uint32),
        where=where,
        first=1,
    )
    return Contents(lines, _read_films(frame))


def _column_of(frame: "pd.DataFrame", name: str, dtype: type[Any]) -> NDArray[Any]:
    """A column of numbers as `dtype`; ValueError if one is missing."""
    return frame[name].to_numpy(dtype)


def _read_films(frame: "pd.DataFrame") -> Films:
    """The films by raw id. Five of them have neither title nor year."""
    films: Films = {}
    described = frame.drop_duplicates("movieId")
    years = described["year"].astype("float64")
    film_ids = described["movieId"]
    titles = described["title"]
    genre_lists = described["genres"]
    for film_id, title, year, genres in zip(film_ids, titles, years, genre_lists, strict=True):
        title_known = title if isinstance(title, str) else NO_TITLE
        year_known = int(year) if year == year else None  # NaN where it is missing
        genres_known = () if genres == NO_GENRES else tuple(genres.split("|"))
        films[int(film_id)] = Film(title_known, year_known, genres_known)
    return films
