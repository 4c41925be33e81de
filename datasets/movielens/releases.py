"""What is known about each MovieLens set before any of it is read."""

from dataclasses import dataclass

from recbench.datasets.parsing import Layout

URL = "https://files.grouplens.org/datasets/movielens"
CITATION = (
    "F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5(4), 2015. doi:10.1145/2827872"
)
CLOSED = "GroupLens: research use, no redistribution without permission, no commercial use"
OPEN = "GroupLens: research use, redistribution under the same terms, no commercial use"
STARS, HALVES = "1 to 5 stars", "half stars from .5 to 5"

TABS = Layout("\t")  # u.data
ATOMIC = Layout(
    "\t", header=("user_id:token\titem_id:token\trating:float\ttimestamp:float",)
)  # RecBole's .inter
COLONS, HALF_COLONS = Layout("::"), Layout("::", scale=(0.5, 5.0), halves=True)  # ratings.dat
COMMAS = Layout(
    ",", header=("userId,movieId,rating,timestamp",), scale=(0.5, 5.0), halves=True
)  # ratings.csv


@dataclass(frozen=True)
class Release:
    """One set: its archive `ml-{size}.zip` with its published md5, its counts, and how its files are written."""

    size: str
    md5: str
    n_ratings: int
    n_users: int
    n_films: int  # those without ratings too
    ratings: str  # in words
    years: str
    layout: Layout
    licence: str = CLOSED
    encoding: str = "utf-8"  # of movies.dat
    fixed: bool = True  # False: GroupLens may replace the archive, so a download is not checked

    @property
    def name(self) -> str:
        """The data set's name."""
        return f"movielens-{self.size}"

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"ml-{self.size}.zip"

    @property
    def counts(self) -> str:
        """The published counts in words."""
        return f"{self.n_ratings:,} ratings of {self.n_users:,} users for {self.n_films:,} films"

    @property
    def about(self) -> str:
        """The set in one line."""
        return f"{self.counts}, {self.ratings}, {self.years}."


M100K = Release(
    "100k", "0e33842e24a9c977be4e0107933c0723", 100_000, 943, 1682, STARS, "1997 to 1998", TABS
)
# fmt: off
RELEASES = (
    Release("1m", "c4d9eecfca2ab87c1945afe126590906", 1_000_209, 6040, 3883, STARS, "2000 to 2003", COLONS,
            encoding="latin-1"),
    Release("10m", "ce571fd55effeba0271552578f2648bd", 10_000_054, 69_878, 10_681, HALVES, "1995 to 2009",
            HALF_COLONS),
    Release("20m", "cd245b17a1ae2cc31bb14903e1204af3", 20_000_263, 138_493, 27_278, HALVES, "1995 to 2015", COMMAS),
    Release("25m", "6b51fb2759a8657d3bfcbfc42b592ada", 25_000_095, 162_541, 62_423, HALVES, "1995 to 2019", COMMAS),
    Release("32m", "d472be332d4daa821edc399621853b57", 32_000_204, 200_948, 87_585, HALVES, "1995 to 2023", COMMAS,
            licence=OPEN),
    Release("latest-small", "31a303aabbc519bd33d025e44d6c2570", 100_836, 610, 9742, HALVES, "1996 to 2018", COMMAS,
            licence=OPEN, fixed=False),
)
# fmt: on
