"""The Netflix Prize in every form it is passed on; where its files are absent, the simulated twin in their place."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from datasets import dataset
from datasets.cache import cached
from datasets.calibration import calibrated
from datasets.fetch import MissingData, data_directory
from datasets.netflix_files import PARSER
from datasets.netflix_parse import CITATION, LICENCE, Wanted, parse
from datasets.netflix_sources import COMBINED, TITLES, Found, advice, find
from datasets.ratings import Dataset
from datasets.simulated import OVERVIEWS, TRUTH, simulated_netflix
from datasets.twin import Twin

FILES = (COMBINED[0], TITLES[0])  # the least that is needed
MOST_PAIRS = 200_000_000  # users times items whose truth is kept: 2.4 GB

NOTEBOOK = {"ratings": 4_178_032, "users": 20_828, "items": 491}  # "How To Recommend Anything", on Kaggle
COMPLETE = {"ratings": 100_480_507, "users": 480_189, "items": 17_770}  # the Netflix Prize README

AtLeastZero = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]


@dataset("netflix-filtered", licence=LICENCE, citation=CITATION)
def netflix_filtered(
    *,
    min_item_ratings: AtLeastZero = 10_000,
    min_user_ratings: AtLeastZero = 200,
    simulated_users: Share = 0.06,
    simulation_seed: AtLeastZero = 0,
    real_only: bool = False,
) -> Dataset:
    """Netflix Prize, file 1 of 4: movies with over 10,000 and users with over 200 ratings, or its simulated twin.

    Both counts are taken before anything is dropped. Users and items are indexed by ascending raw id, ratings keep
    the file's order, times are midnight UTC; `probe.txt`, if it is there, becomes the split "probe". The twin has
    `simulated_users` of the real users and its movie threshold shrinks by as much; where the real files are, it plays
    no part. MissingData if only a part of the files is there, or none and `real_only`; UsageError if a file is
    malformed or nothing passes the filter.
    """
    published = NOTEBOOK if (min_item_ratings, min_user_ratings) == (10_000, 200) else None
    wanted = Wanted("netflix-filtered", 1, min_item_ratings, min_user_ratings, published, "the source notebook")
    return _load(wanted, simulated_users, simulation_seed, real_only)


@dataset("netflix", licence=LICENCE, citation=CITATION)
def netflix(
    *,
    min_item_ratings: AtLeastZero = 0,
    min_user_ratings: AtLeastZero = 0,
    simulated_users: Share = 0.005,
    simulation_seed: AtLeastZero = 0,
    real_only: bool = False,
) -> Dataset:
    """Netflix Prize, all files there are: 100,480,507 ratings if it is complete; or its simulated twin.

    As `netflix-filtered`, except that nothing is dropped unless it is asked for. The twin has all 17,770 movies.
    """
    published = None if min_item_ratings or min_user_ratings else COMPLETE
    wanted = Wanted("netflix", len(COMBINED), min_item_ratings, min_user_ratings, published, "the complete data")
    return _load(wanted, simulated_users, simulation_seed, real_only)


def _load(wanted: Wanted, share: float, seed: int, real_only: bool) -> Dataset:
    directory = data_directory() / "netflix"
    found = find(directory, wanted.n_files)
    if found:
        return cached(wanted.name, found.sources(), _key(found, wanted), lambda: parse(found, wanted))
    if real_only:
        raise MissingData(f"the Netflix Prize files {' and '.join(FILES)} are not in {directory}. {advice(*FILES)}")
    return _load_twin(wanted, share, seed)


def _load_twin(wanted: Wanted, share: float, seed: int) -> Dataset:
    directory = simulated_netflix(share, seed, wanted.n_files)
    found, metadata = find(directory, wanted.n_files), directory / OVERVIEWS
    assert found is not None
    per_item = round(wanted.per_item * share, 6)  # .07 * 10,000 is a little more than 700
    wanted = replace(wanted, per_item=per_item, published=None, notice=_notice(share))
    sources = [*found.sources(), metadata, directory / TRUTH]
    return cached(
        wanted.name,
        sources,
        _key(found, wanted),
        lambda: _with_truth(parse(found, wanted, metadata), directory, share),
    )


def _key(found: Found, wanted: Wanted) -> dict[str, object]:
    thresholds = {"per_item": wanted.per_item, "per_user": wanted.per_user}
    return {"parser": PARSER, "files": found.layout.numbers, **thresholds, "notice": wanted.notice}


def _notice(share: float) -> str:
    text = advice(*FILES)
    return (
        f"SIMULATED: no rating here was given by a person; a seeded model with {share:.10g} of the users stands in "
        f"for the Netflix Prize. For the real data: {text[0].lower()}{text[1:]}"
    )


def _with_truth(dataset: Dataset, directory: Path, share: float) -> Dataset:
    """The twin's data set with what only a twin has: the truth about every pair, and its calibration."""
    provenance = replace(dataset.provenance, calibration=calibrated(directory, share))
    n_pairs = dataset.ratings.n_users * dataset.ratings.n_items
    if n_pairs <= MOST_PAIRS:
        truth = Twin.load(directory).truth(dataset.user_ids, dataset.item_ids)
        return replace(dataset, truth=truth, provenance=provenance)
    remark = f"The truth about {n_pairs:,} pairs is too much to keep ({MOST_PAIRS:,} at most): no oracle."
    return replace(dataset, provenance=replace(provenance, remarks=(*provenance.remarks, remark)))
