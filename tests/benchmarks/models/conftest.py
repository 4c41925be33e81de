"""One run and some models of it, shared by the tests of this folder; all made in this process."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.api import Settings, measure_plan, parse_limits
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.recommend import recommend
from recbench.benchmarks.records import Run
from recbench.benchmarks.train import train
from recbench.benchmarks.verify import verify

ROWS = ("item-mean", "user-item-bias", "popularity", "ease", "pure-svd[n_factors=2]")


@dataclass(frozen=True)
class Shop:
    """A run of some rows on the table of the tests, and models in a folder of their own."""

    table: Path
    run: Path
    models: Path

    @property
    def dataset(self) -> str:
        return f"table:{self.table}"

    def train(self, *arguments: object) -> Result:
        return _call(train, *arguments)

    def recommend(self, *arguments: object) -> Result:
        return _call(recommend, *arguments)

    def verify(self, *arguments: object) -> Result:
        return _call(verify, *arguments)

    def model(self, row: str) -> Path:
        """The model of a row of the run, trained once."""
        directory = self.models / row
        if not directory.exists():
            result = self.train(self.run, "--row", row, "--out", directory)
            assert result.exit_code == 0, result.output
        return directory


def _call(main: object, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(application(main), texts)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shop(ratings_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        directory = tmp_path_factory.mktemp("shop")
        table = shutil.copy(ratings_file, directory / "ratings.csv")
        request = Request(dataset=f"table:{table}", algorithms=ROWS, folds=2)
        settings = Settings(
            run=Run(directory / "run"), limits=parse_limits("10m", None, None), debug=True
        )
        measure_plan(check_request(request), settings, "test")
        yield Shop(Path(table), directory / "run", directory / "models")
