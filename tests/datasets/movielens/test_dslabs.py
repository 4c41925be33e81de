"""The half-star set that Debian brings: the published counts, or a refusal of any other package."""

from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from recbench.datasets.movielens.dslabs import AR_START, PACKAGE, PACKAGE_SHA256, list_ar_members
from recbench.datasets.storage import MissingData
from tests.conftest import movielens_directory

NAME = "movielens-latest-small-2016"


@pytest.fixture(scope="module")
def latest_small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real data; skips, with the reason, where Debian cannot be reached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(movielens_directory(tmp_path_factory)))
        try:
            return datasets.load(NAME)
        except MissingData as error:
            pytest.skip(f"{NAME} cannot be had here: {error}")


@pytest.mark.slow
def test_the_counts_are_the_published_ones(latest_small: Dataset) -> None:
    ratings = latest_small.ratings
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_004, 671, 9066)
    assert ratings.scale == (0.5, 5.0)
    assert round(ratings.mean, 4) == 3.5436
    assert set(np.unique(ratings.values).tolist()) == {half / 2 for half in range(1, 11)}
    assert latest_small.provenance.remarks == ()
    assert [source.sha256 for source in latest_small.provenance.sources] == [PACKAGE_SHA256]


@pytest.mark.slow
def test_films_have_titles_years_and_genres(latest_small: Dataset) -> None:
    catalogue = latest_small.catalogue
    place = latest_small.item_ids.tolist().index(1)
    assert catalogue.titles[place] == "Toy Story"
    assert catalogue.years[place] == 1995
    assert set(catalogue.genres[place]) >= {"Animation", "Children", "Comedy"}
    assert catalogue.years.count(None) == 5
    assert catalogue.titles.count("(no title)") == 5


def test_another_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PACKAGE).write_bytes(AR_START + b"not the package")
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=f"expected sha256 {PACKAGE_SHA256}"):
        datasets.load(NAME)


def test_members_of_an_ar_archive_begin_at_even_places() -> None:
    def member(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)

    archive = AR_START + member("first", b"odd") + member("second/", b"even")
    assert list(list_ar_members(archive)) == [("first", b"odd"), ("second", b"even")]
