"""Alternating least squares on Spark (pyspark.ml)."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.least_squares import Epochs, Factors, Regularisation
from recbench.adapters.shared.parameters import Count
from recbench.adapters.spark.session import (
    announce_memory,
    explain_no_java,
    make_directory,
    open_session,
)
from recbench.datasets.ratings import Catalogue, Ratings

CHECKPOINT_EVERY = 10  # epochs: without, Java's stack overflows after some dozens of them


class SparkRatings(NamedTuple):
    """The ratings where Spark has them: a cached DataFrame, and the files that it comes from."""

    frame: Any  # pyspark.sql.DataFrame of user, item and rating
    directory: Path


@dataclass(eq=False)
class SparkALS(Factorised):
    """r(u, i) = p_u . q_i, by Spark's distributed alternating least squares (pyspark.ml).

    Minimises sum (r - r(u, i))^2 + regularisation * (sum n_u |p_u|^2 + sum n_i |q_i|^2), with n_u
    and n_i the numbers of ratings: ALS-WR (Zhou, Wilkinson, Schreiber and Pan 2008, "Large-Scale
    Parallel Collaborative Filtering for the Netflix Prize"). The row `als` with `biased` false
    minimises the same. For ratings that one machine does not hold; on one, `als` is far faster.
    Users and items without ratings have no factors, and no opinion is said of them.

    Defaults: Spark's.
    """

    name = "spark-als"
    family = "factors"
    predicts = "ratings"
    units = "scale"
    requires = ("pyspark",)
    install = "`make spark` installs pyspark; it needs Java 17, too"
    abstains = True
    epochs_hyperparameter = "n_epochs"
    origin = Origin("library", "Spark")
    n_factors: Factors = 10
    n_epochs: Epochs = 10
    regularisation: Regularisation = 0.1
    n_blocks: Count = 10

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Where there is no Java. Spark's heap will be a share of `memory_mb`."""
        announce_memory(memory_mb)
        return explain_no_java()

    def nondeterminism(self) -> str | None:
        """Spark adds up what its tasks give in the order in which they end."""
        return "Spark sums over blocks in the order in which its tasks end"

    def convert(self, train: Ratings, catalogue: Catalogue) -> SparkRatings:
        """The ratings as a file that Spark has read and keeps."""
        session = open_session(self.threads)
        directory = Path(make_directory())
        columns = {"user": train.users, "item": train.items, "rating": train.values}
        pl.DataFrame(columns).write_parquet(directory / "ratings.parquet")

        frame = session.read.parquet(str(directory / "ratings.parquet")).cache()
        frame.count()  # reads it
        return SparkRatings(frame, directory)

    def fit(self, data: SparkRatings, seed: int) -> None:
        """`n_epochs` times users and items, in blocks; the factors come back by file."""
        from pyspark.ml.recommendation import ALS

        solver = ALS(
            rank=self.n_factors,
            maxIter=self.n_epochs,
            regParam=self.regularisation,
            numUserBlocks=self.n_blocks,
            numItemBlocks=self.n_blocks,
            userCol="user",
            itemCol="item",
            ratingCol="rating",
            seed=seed,
            coldStartStrategy="nan",
            checkpointInterval=CHECKPOINT_EVERY,
        )
        model = solver.fit(data.frame)
        self.P_ = self._fetch_factors(model.userFactors, self.n_users_, data.directory / "users")
        self.Q_ = self._fetch_factors(model.itemFactors, self.n_items_, data.directory / "items")
        data.frame.unpersist()
        shutil.rmtree(data.directory, ignore_errors=True)

    def _fetch_factors(self, frame: Any, n_rows: int, directory: Path) -> Floats:
        """Spark's factors as a matrix of `n_rows`; NaN for whom it has none."""
        frame.write.parquet(str(directory))
        fetched = pl.read_parquet(directory / "*.parquet")
        factors = np.full((n_rows, self.n_factors), np.nan, np.float32)
        factors[fetched["id"].to_numpy()] = np.stack(fetched["features"].to_list())
        return factors
