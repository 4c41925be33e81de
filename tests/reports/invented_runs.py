"""Runs that never were: records written by hand, with raw answers that give their metrics."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.facts import (
    DataDescription,
    Environment,
    FoldFacts,
    PhaseCost,
    RunDescription,
)
from recbench.benchmarks.records.record import Record, Run

COLUMNS = ["rmse", "mae", "precision@10", "recall@10", "ndcg@10", "coverage"]
MARKUP = "<script>alert(1)</script> | *bold*\n`tick` & <b>second</b> line"
ROWS = (
    "random",
    "item-mean",
    "user-item-bias",
    "popularity",
    "surprise-svd",
    "surprise-knn-baseline",
    "keras-mf",
)
LEVELS = dict(zip(ROWS, (1.52, 1.02, 0.945, 1.4, 0.934, 0.9345, 0.99), strict=True))
ENVIRONMENT = Environment(
    python="3.11.2",
    platform="Linux-6.1-x86_64",
    cpu="Some CPU @ 2.0 GHz",
    cores=2,
    memory_mb=7942.4,
    threads=1,
    contended=False,
    commit="7feaea5" + "0" * 33,
    dirty=True,
    versions={"numpy": "2.3.5", "scikit-surprise": "1.1.5"},
)
DATA: dict[str, Any] = {
    "name": "movielens-100k",
    "users": 943,
    "items": 1682,
    "ratings": 100_000,
    "scale": [1.0, 5.0],
    "digest": "ab" * 32,
    "simulated": False,
    "notice": "",
    "licence": "research use; see https://grouplens.org",
    "citation": "Harper & Konstan (2015), <doi:10.1145/2827872>",
    "sources": [{"file": "u.data", "sha256": "cd" * 32, "n_bytes": 1_979_173}],
    "steps": [
        {
            "rule": "users > 200 ratings",
            "before": {"users": 1000, "items": 1700, "ratings": 120_000},
            "after": {"users": 943, "items": 1682, "ratings": 100_000},
        }
    ],
}
SIMULATED: dict[str, Any] = {
    "name": "netflix-filtered",
    "simulated": True,
    "notice": "Simulated ratings. Put the real combined_data_*.txt into /data/netflix.",
}


def cell(
    name: str, fold: int, n_folds: int = 5, dataset: str = "movielens-100k", **given: Any
) -> Cell:
    protocol = Evaluation().to_json()
    return Cell(
        dataset, "ab" * 32, name, dict(given), given, 1, {}, "kfold", n_folds, fold, 0, protocol, 1
    )


def ok(planned: Cell, level: float, *, ranks_only: bool = False) -> Record:
    rng = np.random.default_rng([planned.fold, *planned.row.encode()])
    error = None if ranks_only else level + 0.002 * (planned.fold - planned.n_folds // 2)
    values = dict(
        zip(COLUMNS[2:5], (float(v) for v in 0.3 / level + rng.normal(0, 0.003, 3)), strict=True)
    )
    metrics = {
        "rmse": error,
        "mae": None if error is None else 0.79 * error,
        **values,
        "coverage": 1.0,
    }
    times = {"convert": 3e-6, "fit": 0.004 * 9 ** (2 * level), "rate": 0.012, "rank": 1.234}
    costs = {
        phase: PhaseCost(
            seconds=seconds,
            cpu_seconds=seconds,
            peak_mb=200.0,
            grown_mb=10 * level,
            samples=[seconds] * (3 if phase in ("convert", "fit") else 1),
        )
        for phase, seconds in times.items()
    }
    return Record(
        planned,
        "ok",
        None,
        f"2025-11-21T12:00:0{planned.fold}Z",
        DataDescription.model_validate(DATA),
        ENVIRONMENT,
        costs,
        metrics,
        fold=FoldFacts(train=80_000, test=20_000, threshold=4.0),
    )


def failed(planned: Cell, status: str, reason: str) -> Record:
    return Record(
        planned,
        status,
        reason,
        "2025-11-21T12:00:09Z",
        DataDescription.model_validate(DATA),
        ENVIRONMENT,
    )


def write(
    directory: Path, records: list[Record], planned: list[Cell] | None = None, **data: Any
) -> Path:
    described = DataDescription.model_validate(DATA | data)
    about = RunDescription(
        command="python -m benchmarks.run --dataset movielens-100k --folds 5",
        reproduce=(
            "python -m benchmarks.run --dataset movielens-100k --split kfold --folds 5 --seed 0"
        ),
        metrics=COLUMNS,
        protocol=Evaluation().to_json(),
        published=[],
        data=described,
        environment=ENVIRONMENT,
    )
    run = Run(directory)
    run.write_plan(planned or [record.cell for record in records], about)
    for record in records:
        run.write(
            replace(record, data=described),
            shares(record) if record.status == "ok" else None,
        )
    return directory


def shares(record: Record) -> dict[str, Any]:
    """Raw answers of 300 users whose shares give the record's metrics; users differ much,
    algorithms little.
    """
    habits = np.random.default_rng(record.cell.fold).normal(0, 0.2, 300)
    own = np.random.default_rng([record.cell.fold, *record.cell.row.encode()]).normal(0, 0.02, 300)
    factor = 1 + habits - habits.mean() + own - own.mean()
    known = {column: value for column, value in record.metrics.items() if value is not None}
    targets = [value**2 if column == "rmse" else value for column, value in known.items()]
    return {
        "share_users": np.arange(300, dtype=np.int32),
        "share_columns": np.array(list(known)),
        "share_sums": np.array([target * factor for target in targets], np.float32),
        "share_weights": np.ones((len(targets), 300), np.float32),
    }


def normal(n_folds: int = 5) -> list[Record]:
    return [
        ok(cell(name, fold, n_folds), LEVELS[name], ranks_only=name == "popularity")
        for name in ROWS
        for fold in range(n_folds)
    ]


def half_failed() -> list[Record]:
    """Every second row has lost a fold, one of them all."""
    records = []
    for record in normal():
        name = record.cell.algorithm
        fold = record.cell.fold
        if name == "item-mean" or (ROWS.index(name) % 2 and fold == 2):
            records.append(failed(record.cell, "timeout", "killed after 600 s"))
        else:
            records.append(record)
    return records
