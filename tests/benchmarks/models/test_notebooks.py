"""What the source notebooks ended in comes out of the command line: a table of errors and five
titles, and a network that is exported, loaded and asked again.
"""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.recommend import recommend
from recbench.benchmarks.train import train
from recbench.datasets import Dataset
from tests.adapters.sgd.test_sgd import NOTEBOOK, PRINTED, TITLES
from tests.conftest import movielens_directory


@pytest.fixture
def _movielens(
    movielens: Dataset,
    _isolated: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The data where the session has them."""
    monkeypatch.setenv("RECBENCH_DATA", str(movielens_directory(tmp_path_factory)))


def type_command(main: object, *arguments: object) -> str:
    texts = [str(argument) for argument in arguments]
    result = CliRunner().invoke(application(main), texts)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.usefixtures("_movielens")
def test_the_descents_twenty_errors_and_five_titles(tmp_path: Path) -> None:
    values = ",".join(f"{name}={value}" for name, value in NOTEBOOK.items())
    output = type_command(
        train,
        *("--dataset", "movielens-100k", "--algorithm", f"numba-sgd[{values}]", "--trace"),
        *("--out", tmp_path / "model"),
    )
    assert [float(text) for text in re.findall(r"train_mse (\S+)", output)] == PRINTED

    listed = type_command(recommend, tmp_path / "model", "--user", 284, "--top", 5)
    lines = re.findall(r"^ +\d+  (.+) \((?:19|20)\d\d\) \[\d+\] +predicted (\S+)$", listed, re.M)
    assert {title: float(rating) for title, rating in lines} == TITLES


@pytest.mark.slow
@pytest.mark.usefixtures("_movielens")
def test_the_ranking_model_for_serving_is_exported_loaded_and_asked(tmp_path: Path) -> None:
    row = (
        "keras-ranking[batch_size=8192,epochs=3,learning_rate=0.1,min_batches=1,optimizer=adagrad]"
    )
    out = tmp_path / "model"
    type_command(train, "--dataset", "movielens-100k", "--algorithm", row, "--out", out)
    asked = (out, "--user", 90, "--item", "12 Angry Men (1957)")
    first, second = (type_command(recommend, *asked) for _ in range(2))
    assert first == second
    predicted = re.search(r"user 90, 12 Angry Men \(1957\) \[178\]: predicted (\S+)", first)
    assert predicted is not None and 1 <= float(predicted[1]) <= 5
