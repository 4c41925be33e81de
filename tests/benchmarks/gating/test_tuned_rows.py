"""Tuned rows in the gate: rows of their own, under one budget, told when they chose anew."""

from dataclasses import replace
from pathlib import Path

from recbench.benchmarks.gating import judge_runs, parse_tolerance
from recbench.benchmarks.records.record import Record, Run
from tests.reports.invented_runs import cell, ok, write

SEARCH = {
    "default_trial": True,
    "inner": "holdout",
    "metric": "rmse",
    "n_random": 15,
    "sampler": "optuna 5.0.0",
    "seed": 0,
    "space": {"damping": {"lowest": 0.1, "highest": 100, "is_whole": False, "log": True}},
}


def measured(directory: Path, n_trials: int, damping: float, level: float) -> Run:
    """Two folds of a row with its default, and of the same row tuned."""
    records: list[Record] = []
    for fold in range(2):
        plain = replace(cell("item-mean", fold, n_folds=2), parameters={"damping": 25.0})
        tuning = SEARCH | {"n_trials": n_trials}
        tuned = replace(plain, parameters={"damping": damping}, tuning=tuning)
        records += [ok(plain, 1.0), ok(tuned, level)]
    return Run(write(directory, records))


def judged(base: Run, head: Run, limit: str) -> dict[str, tuple[str, str]]:
    verdicts = judge_runs(base, head, [parse_tolerance(limit)], suspicious=0.5)
    return {verdict.row: (verdict.verdict, verdict.reason) for verdict in verdicts}


def test_searches_with_other_budgets_are_not_compared(tmp_path: Path) -> None:
    base = measured(tmp_path / "base", 4, 9.0, 0.9)
    head = measured(tmp_path / "head", 2, 25.0, 1.0)
    assert judged(base, head, "rmse:+1%") == {
        "item-mean": ("PASS", ""),
        "item-mean (tuned)": (
            "INCOMPARABLE",
            "the search's n_trials differs: 4 in the base, 2 in the head",
        ),
    }


def test_a_loss_says_that_the_search_chose_other_values(tmp_path: Path) -> None:
    base = measured(tmp_path / "base", 4, 9.0, 0.9)
    head = measured(tmp_path / "head", 4, 60.0, 1.0)
    verdicts = judged(base, head, "rmse:+1% for item-mean (tuned)")
    assert list(verdicts) == ["item-mean (tuned)"]
    verdict, reason = verdicts["item-mean (tuned)"]
    assert verdict == "REGRESSED"
    assert reason.endswith("its search chose other values in 2 of 2 folds")
