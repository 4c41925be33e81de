"""From the texts of the Netflix Prize to a data set: read, filter, name, say what was dropped."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recbench.datasets.foundation import UsageError
from recbench.datasets.netflix.locate import TITLES, NetflixFiles, advise_on_files
from recbench.datasets.netflix.probe import Probe, find_rows_of_pairs, read_probe
from recbench.datasets.netflix.ratings_files import Mask, RawRatings, Reader
from recbench.datasets.netflix.titles import MoviesById, read_titles
from recbench.datasets.parsing import LAST_MOVIE, LAST_USER
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Rows, Step
from recbench.datasets.storage import MissingData, match_overviews
from recbench.datasets.transforms import filter_rule, more_than

LICENCE = "Netflix Prize: research only, no redistribution without permission, no commercial use"
CITATION = "J. Bennett, S. Lanning: The Netflix Prize. Proceedings of KDD Cup and Workshop, 2007"
LARGEST_LIST = 1 << 26  # bytes of the titles or the probe: six times the real ones


@dataclass(frozen=True)
class Selection:
    """What is to be read and kept.

    `published` are the counts that others, the `publisher`, found in the same selection of the
    complete real files.
    """

    name: str
    n_files: int  # the first so many of the four
    per_item: float  # a movie passes with more ratings than that
    per_user: float
    published: dict[str, int] | None = None
    publisher: str = ""
    notice: str = ""  # not empty: simulated


class _Texts(NamedTuple):
    """What stands in the files; there may be no probe."""

    raw: RawRatings
    titles: MoviesById
    probe: Probe | None


def assemble_dataset(
    files: NetflixFiles, selection: Selection, metadata: Path | None = None
) -> Dataset:
    """The ratings of `files` whose movies and users have enough of them, with titles and the probe.

    Overviews come from `metadata`, if it is given. UsageError if a file is malformed, nothing
    passes the filter, a rated movie has no title, or the probe names a rating that there is not;
    MissingData if an archive turns out to have no titles.
    """
    raw, titles, probe = _read_texts(files)
    if probe:
        _check_probe(probe, raw, files)
    before = {
        "users": int(np.count_nonzero(raw.user_counts)),
        "items": int(np.count_nonzero(raw.movie_counts)),
        "ratings": len(raw),
    }

    # Both counts are taken before anything is dropped
    rule = filter_rule(selection.per_item, selection.per_user)
    passing_users = more_than(raw.user_counts, selection.per_user)
    passing_movies = more_than(raw.movie_counts, selection.per_item)
    users, movies = raw.keep_only(passing_users, passing_movies)
    if not users.any():
        problem = f"no rating passes the filter: {rule}. Lower one."
        raise UsageError(f"{files.form.files[0]}: {problem}")

    catalogue, overview_remarks = _build_catalogue(titles, movies, metadata)
    ratings = raw.drain(users, movies)
    after = {"users": ratings.n_users, "items": ratings.n_items, "ratings": len(ratings)}
    splits, probe_remarks = _split_off_probe(probe, ratings, users, movies)
    count_remarks = _compare_with_published(selection, after)

    provenance = Provenance(
        sources=(),
        licence=LICENCE,
        citation=CITATION,
        simulated=bool(selection.notice),
        notice=selection.notice,
        steps=(Step(rule, before, after),),
        remarks=(*count_remarks, *overview_remarks, *probe_remarks),
    )
    return Dataset(
        name=selection.name,
        ratings=ratings,
        catalogue=catalogue,
        user_ids=np.flatnonzero(users).astype(np.int32),
        item_ids=np.flatnonzero(movies).astype(np.int32),
        provenance=provenance,
        splits=splits,
    )


def _read_texts(files: NetflixFiles) -> _Texts:
    """The ratings, the titles and the probe (None without one), in one pass over the files.

    UsageError for a malformed or damaged file, no ratings at all, and a list that comes twice or is
    too long to be one; MissingData if there are no titles.
    """
    archive_or_first = files.form.files[0]
    reader = Reader()
    lists: dict[str, tuple[bytes, str]] = {}
    for kind, text in files.open_texts():
        if kind == "ratings":
            reader.read_text(text)
            continue
        content = text.file.read(LARGEST_LIST + 1)
        if len(content) > LARGEST_LIST or kind in lists:
            expected = f"expected one list of {kind}, of at most {LARGEST_LIST:,} bytes"
            raise UsageError(f"{text.name}: {expected}.")
        lists[kind] = (content, text.name)

    if "titles" not in lists:
        problem = f"{archive_or_first} holds no {' or '.join(TITLES)}"
        raise MissingData(f"{problem}. {advise_on_files(TITLES[0])}")

    # Movies that are files of their own come in any order
    by_movie = files.form.kind in ("movies", "tar")
    raw = reader.finish(str(archive_or_first), by_movie=by_movie)
    titles = read_titles(*lists["titles"])
    probe = read_probe(*lists["probe"]) if "probe" in lists else None
    return _Texts(raw, titles, probe)


def _build_catalogue(
    titles: MoviesById, movies: Mask, metadata: Path | None
) -> tuple[Catalogue, list[str]]:
    """Titles and years of `movies` (a mask over raw ids), and overviews if there is `metadata`.

    Also a remark on how many overviews matched. UsageError for a movie without a title.
    """
    movie_ids = np.flatnonzero(movies).tolist()
    for movie in movie_ids:
        if movie not in titles:
            raise UsageError(
                f"the movie titles ({' or '.join(TITLES)}) have no line for movie {movie}, which "
                "has ratings. Fetch that file again."
            )

    names = tuple(titles[movie].title for movie in movie_ids)
    years = tuple(titles[movie].year for movie in movie_ids)
    genres = ((),) * len(movie_ids)  # Netflix published none
    if metadata is None:
        return Catalogue(names, years, genres), []
    # The file is the twin's own: what has the title was written for that film, whatever its year.
    overviews, remark = match_overviews(metadata, names, years, most_years_apart=math.inf)
    return Catalogue(names, years, genres, overviews), [remark]


def _compare_with_published(selection: Selection, counts: dict[str, int]) -> list[str]:
    """One remark whether `counts` are those that others published; no remark if nobody has.

    Both are numbers of ratings, users and items by these names.
    """
    if selection.published is None:
        return []

    ours = _list_counts({name: counts[name] for name in selection.published})
    if selection.published == counts:
        return [f"{ours}: the same counts as {selection.publisher}."]
    theirs = _list_counts(selection.published)
    return [f"{ours}: not the counts of {selection.publisher}, which are {theirs}."]


def _list_counts(counts: Mapping[str, int]) -> str:
    """Such as `100 ratings, 20 users`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _check_probe(probe: Probe, raw: RawRatings, files: NetflixFiles) -> None:
    """UsageError, with file and line, for a pair without a rating although its movie was read.

    Where movies are files of their own, one whose file is missing was not read.
    """
    pairs = (probe.users, probe.movies)
    blocks = ((block.users, block.movies) for block in raw.blocks)
    rows = find_rows_of_pairs(pairs, blocks, LAST_USER + 1, LAST_MOVIE + 1)

    has_whole_files = files.form.kind in ("combined", "zip")
    for pair in np.flatnonzero(rows < 0).tolist():
        movie = int(probe.movies[pair])
        was_read = has_whole_files or raw.seen[movie]
        if files.covers_movie(movie) and was_read:
            raise UsageError(
                f"{probe.name}, line {probe.lines[pair]}: user {probe.users[pair]} never rated "
                f"movie {movie} in {files.form.files[0].parent}. Fetch both from the same place, "
                "or remove the probe."
            )


def _split_off_probe(
    probe: Probe | None, ratings: Ratings, users: Mask, movies: Mask
) -> tuple[dict[str, tuple[Rows, ...]], list[str]]:
    """The split "probe", whose test part is those of its pairs that are left, and a remark.

    `users` and `movies` are masks over raw ids of what `ratings` index. No split if there is no
    probe, or if it leaves no test part or no training part.
    """
    if probe is None:
        return {}, []

    is_left = users[probe.users] & movies[probe.movies]
    user_index = np.cumsum(users) - 1
    item_index = np.cumsum(movies) - 1
    pairs = (user_index[probe.users[is_left]], item_index[probe.movies[is_left]])
    blocks = [(ratings.users, ratings.items)]
    rows = find_rows_of_pairs(pairs, blocks, ratings.n_users, ratings.n_items)
    rows = np.sort(rows[rows >= 0])

    n_pairs = len(probe.users)
    remark = (
        f"probe.txt: {len(rows):,} of its {n_pairs:,} pairs are left; the filter or a missing file "
        "took the rest."
    )
    if not 0 < len(rows) < len(ratings):
        return {}, [f"{remark} They make no split."]
    if len(rows) == n_pairs:
        remark = f"probe.txt: all {n_pairs:,} pairs are here."
    return {"probe": (rows,)}, [remark]
