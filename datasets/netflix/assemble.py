"""From the texts of the Netflix Prize to a data set: read, filter, name, and say what was dropped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.netflix.locate import TITLES, Found, advice
from recbench.datasets.netflix.ratings_files import Mask, RawRatings, Reader
from recbench.datasets.netflix.titles_and_probe import (
    Probe,
    Titles,
    read_probe,
    read_titles,
    rows_of,
)
from recbench.datasets.parsing import LAST_MOVIE, LAST_USER
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Rows, Step
from recbench.datasets.storage import MissingData, match_overviews
from recbench.datasets.transforms import filter_rule, more_than

LICENCE = "Netflix Prize: research only, no redistribution without permission, no commercial use"
CITATION = "J. Bennett, S. Lanning: The Netflix Prize. Proceedings of KDD Cup and Workshop, 2007"
LARGEST_LIST = 1 << 26  # bytes of the titles or the probe: six times the real ones


@dataclass(frozen=True)
class Wanted:
    """What is to be read and kept, and what others counted in the same selection of the complete real files."""

    name: str
    n_files: int
    per_item: float
    per_user: float
    published: dict[str, int] | None = None
    publisher: str = ""
    notice: str = ""  # not empty: simulated


def parse(found: Found, wanted: Wanted, metadata: Path | None = None) -> Dataset:
    """The ratings of `found` whose movies and users have enough of them, with titles and the probe.

    Overviews come from `metadata`, if it is given. UsageError if a file is malformed, nothing passes the filter, a
    rated movie has no title, or the probe names a rating that there is not; MissingData if an archive turns out to
    have no titles.
    """
    raw, titles, probe = _read(found)
    if probe:
        _check_probe(probe, raw, found)
    before = {
        "users": _nonzero(raw.user_counts),
        "items": _nonzero(raw.movie_counts),
        "ratings": len(raw),
    }
    rule = filter_rule(wanted.per_item, wanted.per_user)
    passing = (
        more_than(raw.user_counts, wanted.per_user),
        more_than(raw.movie_counts, wanted.per_item),
    )
    users, movies = raw.keep(*passing)
    if not users.any():
        raise UsageError(
            f"{found.layout.files[0]}: no rating passes the filter: {rule}. Lower one."
        )
    catalogue, remarks = _catalogue(titles, np.flatnonzero(movies).tolist(), metadata)
    ratings = raw.drain(users, movies)
    after = {"users": ratings.n_users, "items": ratings.n_items, "ratings": len(ratings)}
    splits, about_probe = _held_out(probe, ratings, users, movies)
    remarks = [*_compared(wanted, after), *remarks, *about_probe]
    provenance = Provenance(
        (),
        LICENCE,
        CITATION,
        simulated=bool(wanted.notice),
        notice=wanted.notice,
        steps=(Step(rule, before, after),),
        remarks=tuple(remarks),
    )
    user_ids, item_ids = (np.flatnonzero(mask).astype(np.int32) for mask in (users, movies))
    return Dataset(wanted.name, ratings, catalogue, user_ids, item_ids, provenance, splits)


def _read(found: Found) -> tuple[RawRatings, Titles, Probe | None]:
    """The ratings and the lists, in one pass over the files."""
    reader, lists = Reader(), dict[str, tuple[bytes, str]]()
    for kind, text in found.texts():
        if kind == "ratings":
            reader.read(text)
            continue
        content = text.file.read(LARGEST_LIST + 1)
        if len(content) > LARGEST_LIST or kind in lists:
            raise UsageError(
                f"{text.name}: expected one list of {kind}, of at most {LARGEST_LIST:,} bytes."
            )
        lists[kind] = content, text.name
    if "titles" not in lists:
        raise MissingData(
            f"{found.layout.files[0]} holds no {' or '.join(TITLES)}. {advice(TITLES[0])}"
        )
    raw = reader.finish(str(found.layout.files[0]), by_movie=found.layout.kind in ("movies", "tar"))
    return (
        raw,
        read_titles(*lists["titles"]),
        read_probe(*lists["probe"]) if "probe" in lists else None,
    )


def _nonzero(counts: NDArray[np.int32]) -> int:
    return int(np.count_nonzero(counts))


def _catalogue(
    titles: Titles, movies: list[int], metadata: Path | None
) -> tuple[Catalogue, list[str]]:
    unknown = [movie for movie in movies if movie not in titles]
    if unknown:
        raise UsageError(
            f"the movie titles ({' or '.join(TITLES)}) have no line for movie {unknown[0]}, which has ratings. "
            "Fetch that file again."
        )
    names, years = zip(*(titles[movie] for movie in movies), strict=True)
    if metadata is None:
        return Catalogue(names, years, ((),) * len(movies)), []
    texts, remark = match_overviews(metadata, names, years)
    return Catalogue(names, years, ((),) * len(movies), texts), [remark]


def _compared(wanted: Wanted, after: dict[str, int]) -> list[str]:
    """Whether the counts are those that others published for the same selection, where there are any."""
    if wanted.published is None:
        return []
    counts = {name: f"{after[name]:,} {name}" for name in wanted.published}
    if wanted.published == after:
        return [f"{', '.join(counts.values())}: the same counts as {wanted.publisher}."]
    expected = ", ".join(f"{count:,} {name}" for name, count in wanted.published.items())
    return [
        f"{', '.join(counts.values())}: not the counts of {wanted.publisher}, which are {expected}."
    ]


def _check_probe(probe: Probe, raw: RawRatings, found: Found) -> None:
    """UsageError, with file and line, if a pair is not among the ratings although its movie's file was read."""
    rows = rows_of(
        (probe.users, probe.movies), (b[:2] for b in raw.blocks), LAST_USER + 1, LAST_MOVIE + 1
    )
    for pair in np.flatnonzero(rows < 0).tolist():
        movie = int(probe.movies[pair])
        if found.covers(movie) and (raw.seen[movie] or found.layout.kind in ("combined", "zip")):
            raise UsageError(
                f"{probe.name}, line {probe.lines[pair]}: user {probe.users[pair]} never rated movie {movie} in "
                f"{found.layout.files[0].parent}. Fetch both from the same place, or remove the probe."
            )


def _held_out(
    probe: Probe | None, ratings: Ratings, users: Mask, movies: Mask
) -> tuple[dict[str, tuple[Rows, ...]], list[str]]:
    """The split "probe" of the pairs that are left, and a remark about the others."""
    if probe is None:
        return {}, []
    left = users[probe.users] & movies[probe.movies]
    user_index, item_index = np.cumsum(users) - 1, np.cumsum(movies) - 1
    pairs = user_index[probe.users[left]], item_index[probe.movies[left]]
    rows = rows_of(pairs, [(ratings.users, ratings.items)], ratings.n_users, ratings.n_items)
    rows = np.sort(rows[rows >= 0])
    remark = f"probe.txt: {len(rows):,} of its {len(left):,} pairs are left; the filter or a missing file took the rest."
    if not 0 < len(rows) < len(ratings):
        return {}, [f"{remark} They make no split."]
    return {"probe": (rows,)}, [
        remark if len(rows) < len(left) else f"probe.txt: all {len(left):,} pairs are here."
    ]
