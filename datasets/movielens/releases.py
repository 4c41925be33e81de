"""What is known about each MovieLens release before any of it is read."""

from dataclasses import dataclass

from recbench.datasets.parsing import LineFormat

URL = "https://files.grouplens.org/datasets/movielens"
CITATION = (
    "F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5(4), 2015. doi:10.1145/2827872"
)
CLOSED = "GroupLens: research use, no redistribution without permission, no commercial use"
OPEN = "GroupLens: research use, redistribution under the same terms, no commercial use"

STARS = "1 to 5 stars"
HALVES = "half stars from .5 to 5"
HALF_STAR_SCALE = (0.5, 5.0)

# How the lines of ratings are written: u.data, RecBole's .inter, ratings.dat (twice), ratings.csv
TABS = LineFormat("\t")
ATOMIC = LineFormat("\t", header=("user_id:token\titem_id:token\trating:float\ttimestamp:float",))
COLONS = LineFormat("::")
HALF_COLONS = LineFormat("::", scale=HALF_STAR_SCALE, halves=True)
COMMAS = LineFormat(
    ",", header=("userId,movieId,rating,timestamp",), scale=HALF_STAR_SCALE, halves=True
)

# What the files about the users say after the raw user id
FACTS_100K = ("age", "gender", "occupation", "zip")
FACTS_1M = ("gender", "age", "occupation", "zip")


@dataclass(frozen=True)
class Release:
    """One release: its archive `ml-{size}.zip` with md5, its counts, and how its files look."""

    size: str
    md5: str  # published beside the archive
    n_ratings: int
    n_users: int
    n_films: int  # those without ratings too
    ratings: str  # in words
    years: str
    line_format: LineFormat  # of the lines of ratings
    licence: str = CLOSED
    encoding: str = "utf-8"  # of movies.dat
    fixed: bool = True  # False: GroupLens may replace the archive, so a download is not checked

    @property
    def name(self) -> str:
        """The data set's name, such as "movielens-1m"."""
        return f"movielens-{self.size}"

    @property
    def archive(self) -> str:
        """The archive's file name, such as "ml-1m.zip"."""
        return f"ml-{self.size}.zip"

    @property
    def counts(self) -> str:
        """The published counts in words."""
        return describe_counts(self.n_ratings, self.n_users, self.n_films)

    @property
    def about(self) -> str:
        """The release in one line: counts, scale and years."""
        return f"{self.counts}, {self.ratings}, {self.years}."


def describe_counts(n_ratings: int, n_users: int, n_films: int) -> str:
    """The counts in words, as they are compared with the published ones and shown.

    >>> describe_counts(100_000, 943, 1682)
    '100,000 ratings of 943 users for 1,682 films'
    """
    return f"{n_ratings:,} ratings of {n_users:,} users for {n_films:,} films"


M100K = Release(
    size="100k",
    md5="0e33842e24a9c977be4e0107933c0723",
    n_ratings=100_000,
    n_users=943,
    n_films=1682,
    ratings=STARS,
    years="1997 to 1998",
    line_format=TABS,
)
M1M = Release(
    size="1m",
    md5="c4d9eecfca2ab87c1945afe126590906",
    n_ratings=1_000_209,
    n_users=6040,
    n_films=3883,
    ratings=STARS,
    years="2000 to 2003",
    line_format=COLONS,
    encoding="latin-1",
)
M10M = Release(
    size="10m",
    md5="ce571fd55effeba0271552578f2648bd",
    n_ratings=10_000_054,
    n_users=69_878,
    n_films=10_681,
    ratings=HALVES,
    years="1995 to 2009",
    line_format=HALF_COLONS,
)
M20M = Release(
    size="20m",
    md5="cd245b17a1ae2cc31bb14903e1204af3",
    n_ratings=20_000_263,
    n_users=138_493,
    n_films=27_278,
    ratings=HALVES,
    years="1995 to 2015",
    line_format=COMMAS,
)
M25M = Release(
    size="25m",
    md5="6b51fb2759a8657d3bfcbfc42b592ada",
    n_ratings=25_000_095,
    n_users=162_541,
    n_films=62_423,
    ratings=HALVES,
    years="1995 to 2019",
    line_format=COMMAS,
)
M32M = Release(
    size="32m",
    md5="d472be332d4daa821edc399621853b57",
    n_ratings=32_000_204,
    n_users=200_948,
    n_films=87_585,
    ratings=HALVES,
    years="1995 to 2023",
    line_format=COMMAS,
    licence=OPEN,
)
LATEST_SMALL = Release(
    size="latest-small",
    md5="31a303aabbc519bd33d025e44d6c2570",
    n_ratings=100_836,
    n_users=610,
    n_films=9742,
    ratings=HALVES,
    years="1996 to 2018",
    line_format=COMMAS,
    licence=OPEN,
    fixed=False,
)

# 100k is not among them: it has a loader of its own, as it has splits and a second source
RELEASES = (M1M, M10M, M20M, M25M, M32M, LATEST_SMALL)
