"""Folds on disk are the folds of a run, row for row, and say which they are."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

import recbench
from recbench import datasets
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.export import export
from recbench.benchmarks.records import Run


def export_folds(*arguments: object) -> Result:
    return CliRunner().invoke(application(export), [str(argument) for argument in arguments])


def read_folds(directory: Path) -> dict[str, Any]:
    folds: dict[str, Any] = json.loads((directory / "folds.json").read_text())
    return folds


def read_file(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.suffix == ".inter":
        return pl.read_csv(path, separator="\t")
    return pl.read_csv(path)


@pytest.mark.slow
def test_the_rows_are_those_of_a_run(ratings_file: Path, tmp_path: Path) -> None:
    name = f"table:{ratings_file}"
    result = export_folds(name, "--folds", 3, "--out", tmp_path / "folds")
    assert result.exit_code == 0, result.output

    recbench.run(name, ["global-mean"], folds=3, out=tmp_path / "run")
    folds = read_folds(tmp_path / "folds")
    records = Run(tmp_path / "run").records()
    assert len(records) == 3
    for record in records:
        exported = folds["folds"][record.cell.fold]
        assert record.fold is not None
        assert exported["train"]["rows"] == record.fold.train_rows
        assert exported["test"]["rows"] == record.fold.test_rows
        assert folds["digest"] == record.cell.digest


@pytest.mark.parametrize("file_format", ["csv", "parquet", "recbole"])
def test_files_hold_the_ratings_with_the_ids_of_the_data(
    file_format: str, ratings_file: Path, tmp_path: Path
) -> None:
    name = f"table:{ratings_file}"
    arguments = (name, "--folds", 2, "--seed", 5, "--format", file_format)
    assert export_folds(*arguments, "--out", tmp_path / "folds").exit_code == 0

    given = pl.read_csv(ratings_file)
    folds = read_folds(tmp_path / "folds")
    tested = []
    for fold in folds["folds"]:
        parts = []
        for part in ("train", "test"):
            path = tmp_path / "folds" / fold[part]["file"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == fold[part]["sha256"]
            frame = read_file(path)
            assert len(frame) == fold[part]["n_ratings"]
            parts.append(frame.to_numpy())
        whole = np.concatenate(parts)
        assert_same_rows(whole, given.to_numpy())
        tested.append(parts[1])

    assert_same_rows(np.concatenate(tested), given.to_numpy())


def test_recbole_gets_a_validation_part_taken_from_the_training_part(
    ratings_file: Path, tmp_path: Path
) -> None:
    arguments = (f"table:{ratings_file}", "--folds", 2, "--format", "recbole")
    assert export_folds(*arguments, "--out", tmp_path / "two").exit_code == 0
    result = export_folds(*arguments, "--validation", "holdout", "--out", tmp_path / "three")
    assert result.exit_code == 0, result.output

    folds = read_folds(tmp_path / "three")
    assert folds["validation"] == "holdout"
    for before, fold in zip(read_folds(tmp_path / "two")["folds"], folds["folds"], strict=True):
        names = [f"fold-{fold['fold']}.{part}.inter" for part in ("train", "validation", "test")]
        directory = tmp_path / "three" / f"fold-{fold['fold']}"
        assert sorted(path.name for path in directory.iterdir()) == sorted(["fold.json", *names])
        train, validation, test = (read_file(directory / name).to_numpy() for name in names)
        whole = read_file(tmp_path / "two" / before["train"]["file"]).to_numpy()
        assert_same_rows(np.concatenate([train, validation]), whole)
        assert len(validation) == fold["validation"]["n_ratings"] == round(len(whole) / 5)
        assert fold["test"]["rows"] == before["test"]["rows"]
        assert fold["digest"] == before["digest"], "a validation part is of the training part"
        assert len(test) == before["test"]["n_ratings"]


def assert_same_rows(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> None:
    """Equal as sets of rows."""
    assert sorted(map(tuple, left.tolist())) == sorted(map(tuple, right.tolist()))


def test_an_exported_part_can_be_loaded_again(ratings_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    export_folds(f"table:{ratings_file}", "--split", "holdout[test=0.25]", "--out", out)
    test = datasets.load(f"table:{out / 'fold-0' / 'test.csv'}")
    assert len(test.ratings) == 375


def test_ids_that_recbole_cannot_hold_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    lines = [
        f'"a\tb{user}",i{item},{1 + (user + item) % 5}' for user in range(9) for item in (1, 2)
    ]
    path.write_text("user,item,rating\n" + "\n".join(lines) + "\n")
    out = tmp_path / "folds"
    result = export_folds(f"table:{path}", "--format", "recbole", "--out", out)
    assert result.exit_code == 2
    assert "user ids with a tab or a line break" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ratings.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "json"], "csv"),
        (["--split", "kfolds"], "kfold"),
        (["--folds", "1"], "expected 2 to"),
        (["--validation", "official"], "split for --validation"),
        (["--validation", "holdout[part=2]"], "unknown parameter"),
    ],
)
def test_wrong_choices_are_refused(
    arguments: list[str], message: str, ratings_file: Path, tmp_path: Path
) -> None:
    result = export_folds(f"table:{ratings_file}", *arguments, "--out", tmp_path / "folds")
    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_ever_replaced(ratings_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    result = export_folds(f"table:{ratings_file}", "--out", tmp_path)
    assert result.exit_code == 2
    assert "holds files" in result.output
    assert (tmp_path / "mine.txt").read_text() == "precious"
