"""The Netflix Prize as Kaggle packs it; where its files are absent, the simulated twin in their place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from datasets import dataset
from datasets.cache import cached
from datasets.fetch import MissingData, data_directory
from datasets.filters import dense, filter_rule, more_than
from datasets.netflix_files import PARSER, RawRatings, read_ratings, read_titles
from datasets.ratings import Catalogue, Dataset, Provenance, Ratings, Step
from datasets.simulated import simulated_netflix
from datasets.spec import UsageError

KAGGLE = "https://www.kaggle.com/datasets/netflix-inc/netflix-prize-data"
FILES = ("combined_data_1.txt", "movie_titles.csv")
LICENCE = "Netflix Prize: research only, no redistribution without permission, no commercial use"
CITATION = "J. Bennett, S. Lanning: The Netflix Prize. Proceedings of KDD Cup and Workshop, 2007"
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class _Raw:
    """Where the two files are, and what must be said about them."""

    ratings: Path
    titles: Path
    share: float = 1.0  # of the real users
    notice: str = ""  # not empty: they are simulated


@dataset("netflix-filtered", licence=LICENCE, citation=CITATION)
def netflix_filtered(
    *,
    min_item_ratings: Annotated[int, Field(ge=0)] = 10_000,
    min_user_ratings: Annotated[int, Field(ge=0)] = 200,
    simulated_users: Annotated[float, Field(gt=0, le=1)] = 0.06,
    simulation_seed: Annotated[int, Field(ge=0)] = 0,
    real_only: bool = False,
) -> Dataset:
    """Netflix Prize, file 1 of 4: movies with over 10,000 and users with over 200 ratings, or its simulated twin.

    Both counts are taken before anything is dropped. Users and items are indexed by ascending raw id, ratings keep
    the file's order, times are midnight UTC. The twin has `simulated_users` of the 470,758 users and its movie
    threshold shrinks by as much; where the real files are, it plays no part. MissingData if only one of the two files
    is there, or none and `real_only`; UsageError if a file is malformed or nothing passes the filter.
    """
    raw = _find(simulated_users, simulation_seed, real_only)
    per_item = round(min_item_ratings * raw.share, 6)  # .07 * 10,000 is a little more than 700
    key = {"parser": PARSER, "per_item": per_item, "per_user": min_user_ratings, "notice": raw.notice}
    return cached("netflix-filtered", [raw.ratings, raw.titles], key, lambda: _parse(raw, per_item, min_user_ratings))


def _find(share: float, seed: int, real_only: bool) -> _Raw:
    directory = data_directory() / "netflix"
    missing = [name for name in FILES if not (directory / name).exists()]
    advice = f"Put {' and '.join(missing)} from {KAGGLE} into {directory}."
    if not missing:
        return _Raw(directory / FILES[0], directory / FILES[1])
    if len(missing) < len(FILES) or any(directory.glob("combined_data_*.txt")):
        raise MissingData(f"Netflix is here only in part: {', '.join(missing)} missing. {advice}")
    if real_only:
        raise MissingData(f"the Netflix Prize files {' and '.join(FILES)} are not in {directory}. {advice}")
    simulated = simulated_netflix(share, seed)
    notice = (
        f"SIMULATED: no rating here was given by a person; a seeded model with {share:.10g} of the users stands in "
        f"for the Netflix Prize. For the real data: {advice[0].lower()}{advice[1:]}"
    )
    return _Raw(simulated / FILES[0], simulated / FILES[1], share, notice)


def _parse(raw: _Raw, per_item: float, per_user: float) -> Dataset:
    everything = read_ratings([raw.ratings])
    keep = more_than(everything.user_counts, per_user), more_than(everything.movie_counts, per_item)
    users, movies, stars, days = everything.select(*keep)
    if not len(stars):
        raise UsageError(f"{raw.ratings}: no rating passes the filter: {filter_rule(per_item, per_user)}. Lower one.")
    user_index, user_ids = dense(users)
    item_index, item_ids = dense(movies)
    ratings = Ratings(
        user_index,
        item_index,
        stars.astype(np.float32),
        len(user_ids),
        len(item_ids),
        (1.0, 5.0),
        days.astype(np.int64) * SECONDS_PER_DAY,
    )
    after = {"users": len(user_ids), "items": len(item_ids), "ratings": len(ratings)}
    step = Step(filter_rule(per_item, per_user), _sizes(everything), after)
    provenance = Provenance((), LICENCE, CITATION, bool(raw.notice), raw.notice, (step,))
    catalogue = _catalogue(raw.titles, item_ids.tolist())
    return Dataset("netflix-filtered", ratings, catalogue, user_ids, item_ids.astype(np.int32), provenance)


def _sizes(raw: RawRatings) -> dict[str, int]:
    users, items = np.count_nonzero(raw.user_counts), np.count_nonzero(raw.movie_counts)
    return {"users": int(users), "items": int(items), "ratings": len(raw)}


def _catalogue(path: Path, movies: list[int]) -> Catalogue:
    known = read_titles(path)
    unknown = [movie for movie in movies if movie not in known]
    if unknown:
        raise UsageError(f"{path}: no line for movie {unknown[0]}, which has ratings. Fetch the file again.")
    titles, years = zip(*(known[movie] for movie in movies), strict=True)
    return Catalogue(titles, years, ((),) * len(movies))
