"""From what an archive of MovieLens says to a data set with dense indices."""

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError
from recbench.datasets.movielens.contents import Contents
from recbench.datasets.movielens.releases import CITATION, Release, describe_counts
from recbench.datasets.parsing import dense_ids
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Step
from recbench.datasets.transforms import Policy, count_sizes, resolve_duplicates


def assemble_dataset(release: Release, contents: Contents, duplicates: Policy) -> Dataset:
    """The data set of `release`: users and films indexed by ascending raw id, rated films only.

    Its remarks say where its counts differ from the published ones. The columns of `contents` are
    let go on the way. UsageError, with file and line, for a rating by or of what the archive does
    not list, and for a pair that is rated twice, unless `duplicates` resolves it.
    """
    where = contents.lines.describe
    users, user_ids = dense_ids(contents.lines.users)
    items, item_ids = dense_ids(contents.lines.items)
    _refuse_unlisted(contents, contents.lines.items, item_ids, set(contents.films), "film")

    counts = describe_counts(len(contents.lines), len(user_ids), len(contents.films))
    remarks = contents.remarks
    if counts != release.counts:
        remarks = (*remarks, f"{counts}; published: {release.counts}")

    user_facts = _columns_of_facts(contents, user_ids)
    times = contents.lines.times.astype(np.int64)
    ratings = Ratings(
        users,
        items,
        contents.lines.values,
        len(user_ids),
        len(item_ids),
        release.line_format.scale,
        times,
    )

    # The raw ids are no longer needed: hundreds of megabytes while duplicates are looked for
    del contents.lines, users, items, times
    ratings, duplicates_step = resolve_duplicates(ratings, duplicates, where)

    steps = [duplicates_step] if duplicates_step else []
    if len(item_ids) < len(contents.films):
        after = count_sizes(ratings)
        before = after | {"items": len(contents.films)}
        steps.append(Step("films with a rating", before, after))

    provenance = Provenance(
        sources=(),
        licence=release.licence,
        citation=CITATION,
        steps=tuple(steps),
        remarks=remarks,
    )
    return Dataset(
        name=release.name,
        ratings=ratings,
        catalogue=_catalogue_of_rated(contents, item_ids),
        user_ids=user_ids,
        item_ids=item_ids,
        provenance=provenance,
        splits=contents.splits,
        user_facts=user_facts,
    )


def _catalogue_of_rated(contents: Contents, item_ids: NDArray[np.int64]) -> Catalogue:
    """Titles, years and genres of the films `item_ids`, in their order; all must be listed."""
    films = [contents.films[item_id] for item_id in item_ids.tolist()]
    return Catalogue(
        titles=tuple(film.title for film in films),
        years=tuple(film.year for film in films),
        genres=tuple(film.genres for film in films),
    )


def _columns_of_facts(
    contents: Contents, user_ids: NDArray[np.int64]
) -> dict[str, NDArray[np.int64] | NDArray[np.str_]]:
    """What is known about the users as columns by name, an entry for each of `user_ids`.

    "age" in years, int64; the rest as text. Empty if the archive says nothing about users.
    UsageError, with file and line of a rating, for a user that is not listed.
    """
    if not contents.fact_names:
        return {}

    _refuse_unlisted(contents, contents.lines.users, user_ids, set(contents.users), "user")
    facts_of_users = [contents.users[user_id] for user_id in user_ids.tolist()]

    columns: dict[str, NDArray[np.int64] | NDArray[np.str_]] = {}
    for position, name in enumerate(contents.fact_names):
        texts = [facts[position] for facts in facts_of_users]
        if name == "age":
            columns[name] = np.array(texts, np.int64)
        else:
            columns[name] = np.array(texts, np.str_)
    return columns


def _refuse_unlisted(
    contents: Contents,
    column: NDArray[np.int32],
    raw_ids: NDArray[np.int64],
    listed: set[int],
    noun: str,
) -> None:
    """UsageError, with the line of its first rating, if one of `raw_ids` is not `listed`.

    `column` has the raw id of each rating; `noun` is what messages call such an id.
    """
    unlisted = np.setdiff1d(raw_ids, list(listed))
    if not len(unlisted):
        return

    first_row = int(np.argmax(column == unlisted[0]))
    raise UsageError(
        f"{contents.lines.describe(first_row)}: {noun} {unlisted[0]} is not among the {noun}s. "
        "Fetch the archive again."
    )
