"""A library that this bench does not know, in an environment of its own: the same answers, judged
by both, have the same numbers.

Where Cornac's protocol differs from the bench's, this is how the two are made one:

- relevant is a rating from `rating_threshold` on, and *only training items from there on* are taken
  from the candidates: at Cornac's default, 1, every test item is relevant and no training item is a
  candidate, as in the protocol `recommenders`; at 4 disliked training items stay, which this bench
  refuses in lists;
- `exclude_unknowns` drops test ratings of items without a training rating; here they count, and so
  they do in Cornac where it is off, as `from_splits` has it;
- AUC and MAP go over scores of all items in Cornac, and lists do not hold them;
- ratings are clipped by both, to the same scale, so once.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import recbench
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.export import export
from recbench.benchmarks.records import Run
from recbench.benchmarks.verify import verify
from recbench.datasets import Dataset
from tests.conftest import movielens_directory

pytestmark = pytest.mark.proof

PROGRAM = Path(__file__).with_name("cornac_elsewhere.py")
SPLIT = "kfold"
N_FOLDS = 3
COLUMNS = {
    "RMSE": "rmse",
    "MAE": "mae",
    "Precision@10": "recommenders:precision@10",
    "Recall@10": "recommenders:recall@10",
    "NDCG@10": "recommenders:ndcg@10",
}
OF_LISTS = list(COLUMNS)[2:]


def install(environment: Path, *packages: str) -> Path:
    """The Python of a new environment with these packages; skips where no registry brings them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    options = ["--only-binary=:all:", "--no-compile"]
    result = subprocess.run([*command, *options, *packages], capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"cannot install {', '.join(packages)}: {result.stderr.strip()[-500:]}")
    return python


def test_cornac_and_this_bench_say_the_same_of_its_predictions(
    movielens: Dataset,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(movielens_directory(tmp_path_factory)))
    python = install(tmp_path / "environment", "cornac==3.0.1")

    folds = tmp_path / "folds"
    arguments = ["movielens-100k", "--split", SPLIT, "--folds", str(N_FOLDS), "--out", str(folds)]
    assert CliRunner().invoke(application(export), arguments).exit_code == 0
    result = subprocess.run(
        [str(python), "-P", str(PROGRAM), str(folds), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert result.returncode == 0, result.stderr
    evaluated = json.loads((tmp_path / "evaluated.json").read_text())

    rows = [f"external[path={tmp_path / name}]" for name in evaluated]
    out = tmp_path / "run"
    recbench.run(
        "movielens-100k",
        rows,
        split=SPLIT,
        folds=N_FOLDS,
        metrics=[*COLUMNS.values()],
        out=out,
    )
    records = {(record.cell.row, record.cell.fold): record for record in Run(out).records()}
    assert len(records) == len(rows) * N_FOLDS
    for (name, by_fold), row in zip(evaluated.items(), rows, strict=True):
        for fold in range(N_FOLDS):
            record = records[row, fold]
            theirs = by_fold[f"fold-{fold}"]
            assert record.status == "ok" and not record.costs
            for metric in COLUMNS if name == "mf" else OF_LISTS:
                ours = record.metrics[COLUMNS[metric]]
                print(f"{name}, fold {fold}, {metric}: {ours!r} here, {theirs[metric]!r} by Cornac")
                assert ours == pytest.approx(theirs[metric], abs=1e-6), (name, fold, metric)

            # what they say is worth something: neither model is the floor
            assert name != "mf" or theirs["RMSE"] < 1
            assert name != "bpr" or theirs["NDCG@10"] > 0.1
    assert CliRunner().invoke(application(verify), [str(out)]).exit_code == 0
